"""``bulkreact discover``: an input file of what could be reactivated, or the entitlement ids that a file lacks."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.commands.discover_output import refuse_same_file
from bulkreact.cli.options import shared
from bulkreact.cli.options.identity import identity_options
from bulkreact.cli.options.input import form_options
from bulkreact.cli.options.param_types import Parser
from bulkreact.cli.output.console import ConsoleReporter
from bulkreact.errors import InputRefusedError
from bulkreact.guids import is_guid
from bulkreact.models import Kind
from bulkreact.runs.input_reader import opened
from bulkreact.runs.output_options import Output

_SUFFIXES = {".csv", ".xlsx"}
_FILE = click.Path(dir_okay=False, path_type=Path)
_BOTH = "auto"


def _customer(text: str) -> str:
    found = text.strip().removeprefix("{").removesuffix("}").lower()
    if not is_guid(found):
        raise ValueError(
            f"{text!r} is not a GUID; a customer's id is their tenant's, which Partner Center calls Microsoft ID"
        )
    return found


@click.command("discover", cls=ConfiguredCommand)
@click.option("--out", type=_FILE, help="Write this file, .csv or .xlsx.  [default: CSV on standard output]")
@click.option(
    "--customer", "customer", type=Parser("GUID", _customer), multiple=True, help="Only this customer; can be repeated."
)
@click.option(
    "--customers", type=_FILE, help="Only the customers of this file: a table's customer column, or one id a line."
)
@click.option(
    "--kind",
    type=click.Choice([*(kind.value for kind in Kind), _BOTH]),
    default=_BOTH,
    show_default=True,
    help="Azure subscriptions, Partner Center's subscriptions, or both.",
)
@click.option(
    "--status", "status", multiple=True, help="Only what stands so; can be repeated.  [default: all that is not active]"
)
@click.option(
    "--complete",
    metavar="INPUT",
    help="Instead: copy this file to --out, with the entitlement ids that can be told for sure filled in.",
)
@click.option("--new", is_flag=True, help="Read everything again, also what an earlier, unfinished discovery has read.")
@form_options
@shared.target_options
@identity_options
@shared.pace_options
@shared.reports_option
@click.option("--progress/--no-progress", default=None, help="Show a progress bar.  [default: on a terminal]")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing when all is well.")
@click.pass_context
def command(ctx: click.Context, /, **_: object) -> None:
    """Write an input file of everything that is not active: customers, their subscriptions, their Azure subscriptions.

    Nothing is reactivated. Interrupted or killed, the same command goes on where it stopped. Some customers could not
    be read: exit code 1.
    """
    from bulkreact.cli.commands.discover_complete import complete  # noqa: PLC0415 - what reads tables is not loaded to show help
    from bulkreact.cli.commands.discover_found import discover  # noqa: PLC0415 - see above

    given = ctx.params
    _check(given)
    out = _place(given["out"], given["customers"])
    terminal = ConsoleReporter(_output(given))
    if given["complete"] is None:
        ctx.exit(discover(ctx, out, terminal))
    with opened(given["complete"]) as path:
        ctx.exit(complete(ctx, path, out, terminal))


def _check(given: Mapping[str, Any]) -> None:
    """Make sure that the options make sense together."""
    if given["customer"] and given["customers"]:
        raise InputRefusedError("--customer and --customers exclude each other: leave one of them out.")
    if given["complete"] is None:
        return
    others = {"--customer": given["customer"], "--customers": given["customers"], "--status": given["status"]}
    if meant := [name for name, value in others.items() if value]:
        raise InputRefusedError(
            f"--complete says by itself which customers are meant: leave out {' and '.join(meant)}."
        )
    if given["kind"] == Kind.SUBSCRIPTION:
        raise InputRefusedError("--complete looks for Azure subscriptions: leave out --kind subscription.")


def _place(out: Path | None, source: Path | None) -> Path | None:
    """Return where the file goes; a place that cannot be written, or is somebody's input, is refused."""
    if out is None:
        return None
    if out.suffix.lower() not in _SUFFIXES:
        raise InputRefusedError(f"--out {out} is neither .csv nor .xlsx: name a file that ends so.")
    if out.exists() and not out.is_file():
        raise InputRefusedError(f"--out {out} is not a regular file: name another.")
    if not os.access(out.absolute().parent, os.W_OK):
        raise InputRefusedError(f"--out {out}: there is no folder {out.parent} that can be written.")
    if source:
        refuse_same_file(out, source, name=f"the list of customers {source}")
    # Where a link points to, not the link, is what is to be replaced.
    return out.resolve()


def _output(given: Mapping[str, Any]) -> Output:
    return Output(
        reports=given["reports"],
        results=None,
        xlsx=None,
        yes=True,
        progress=given["progress"],
        quiet=given["quiet"],
        verbose=False,
    )
