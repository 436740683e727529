"""``bulkreact audit``: shows who did what on the web page, and checks that the record of that is whole."""

import json
from pathlib import Path

import click
from msgspec.structs import asdict

from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.options import shared
from bulkreact.cli.options.param_types import SHA256
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import EXIT_SOME_FAILED, EXIT_SUCCESS, InputRefusedError
from bulkreact.web.audit import ChainCheck, ChainedLine
from bulkreact.web.audit_trail import check_trail
from bulkreact.web.store import STORE_NAME
from bulkreact.wording import plural, printable


@click.command("audit", cls=ConfiguredCommand)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the web page.  [default: serve in the reports folder]",
)
@click.option("--head", type=SHA256, help="Fail unless the trail has this head, which was noted earlier.")
@click.option("--json", is_flag=True, help="Write it as JSON, for programs.")
@shared.reports_option
@click.pass_context
def command(ctx: click.Context, /, *, data: Path | None, head: str | None, reports: Path, **_: object) -> None:
    """Show the audit trail of the web page, and check that nothing in it was changed, removed or inserted.

    Each line has a hash of itself and of the line before it; the last one is the head. The server logs the head at every
    approval and every end of a run, and keeps it in approval.json: with a head that was noted, it is certain that nothing
    up to it was rewritten. The exit code is 0 if the trail is whole, else 1. The server may be running meanwhile.
    """
    path = (data or reports / "serve") / STORE_NAME
    if not path.is_file():
        raise InputRefusedError(
            f"There is no {path}. This trail is kept by the web page alone: name its folder with --data."
        )
    if ctx.params["json"]:
        check = _write_json(path, head or "")
    else:
        check = check_trail(path, head or "", _show)
        echo(_verdict(check))
    ctx.exit(EXIT_SUCCESS if check.is_whole else EXIT_SOME_FAILED)


def _write_json(path: Path, known_head: str) -> ChainCheck:
    """Write each line as soon as it is read: a trail is kept for ever."""
    separator = ""

    def show(stored: ChainedLine) -> None:
        nonlocal separator
        event = asdict(stored.line) | {"before": stored.before, "hash": stored.hash}
        echo(f"{separator}\n  {json.dumps(event)}", end="")
        separator = ","

    echo('{"events": [', end="")
    check = check_trail(path, known_head, show)
    verdict = {"whole": check.is_whole, "head": check.head, "first_bad": check.first_bad}
    echo(f"\n], {json.dumps(verdict)[1:]}")
    return check


def _show(stored: ChainedLine) -> None:
    line = stored.line
    job = f"No. {line.job}, version {line.version}" if line.job is not None else ""
    who = f"{line.person} ({line.address})" if line.address else line.person
    echo(printable("  ".join(filter(None, (str(line.number), line.at, who, line.event, job, line.detail)))))


def _verdict(check: ChainCheck) -> str:
    if check.first_bad is not None:
        return f"The trail is broken at number {check.first_bad}: that line was changed, removed or inserted."
    if not check.has_known_head:
        return f"The trail never had that head: it was rewritten, or cut after it was noted. Its head is {check.head}."
    return f"The trail is whole: {plural(check.count, 'line')}, its head is {check.head}."
