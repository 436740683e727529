"""``bulkreact discover``: writes an input file of what could be reactivated, or adds missing entitlement ids to one."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from msgspec import Struct, field

from bulkreact.batch.discovery.listing import GONE, DiscoveryFilter
from bulkreact.batch.discovery.store import DiscoveryStore
from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.commands.discover_customers import (
    ChosenCustomers,
    read_customers,
    report_unread,
    write_output,
)
from bulkreact.cli.options import shared
from bulkreact.cli.options.automation import wait_option
from bulkreact.cli.options.identity import identity_options
from bulkreact.cli.options.input import layout_options, read_layout
from bulkreact.cli.options.param_types import Parser
from bulkreact.cli.options.paths import InputName, OutputFile, ReadablePath
from bulkreact.cli.output.console import ConsoleReporter
from bulkreact.errors import InputRefusedError
from bulkreact.guids import is_guid
from bulkreact.models import Discovered, Kind
from bulkreact.partnercenter.subscription import ACTIVE
from bulkreact.runs.input_reader import open_input
from bulkreact.runs.output_kinds import OutputKind
from bulkreact.runs.output_options import Output
from bulkreact.runs.reporter import Reporter
from bulkreact.settings import URGENT_WITHIN
from bulkreact.sheets.input.read_limits import refusing
from bulkreact.sheets.output import discovery_file
from bulkreact.sheets.output.table_writer import size_error
from bulkreact.timestamps import parse_time, utc_now
from bulkreact.wording import plural, shell_quote

_BOTH = "auto"


def _customer(text: str) -> str:
    customer_id = text.strip().removeprefix("{").removesuffix("}").lower()
    if not is_guid(customer_id):
        raise ValueError(
            f"{text!r} is not a GUID; a customer's id is their tenant's, which Partner Center calls Microsoft ID"
        )
    return customer_id


@click.command("discover", cls=ConfiguredCommand)
@click.option(
    "--out",
    type=OutputFile(OutputKind.DISCOVERY),
    help="Write this file, .csv or .xlsx.  [default: CSV on standard output]",
)
@click.option(
    "--customer", "customer", type=Parser("GUID", _customer), multiple=True, help="Only this customer; can be repeated."
)
@click.option(
    "--customers",
    type=ReadablePath(),
    help="Only the customers of this file: a table's customer column, or one id a line.",
)
@click.option(
    "--kind",
    type=click.Choice([*(kind.value for kind in Kind), _BOTH]),
    default=_BOTH,
    show_default=True,
    help="Azure subscriptions, Partner Center's subscriptions, or both.",
)
@click.option(
    "--status",
    "status",
    multiple=True,
    help="Only what has this status; can be repeated.  [default: all that is not active]",
)
@click.option(
    "--complete",
    type=InputName(),
    metavar="INPUT",
    help="Copy this file to --out and fill in each missing entitlement id that has exactly one candidate.",
)
@click.option("--new", is_flag=True, help="Read everything again, also what an earlier, unfinished discovery has read.")
@layout_options
@shared.target_options
@identity_options
@shared.limit_options
@shared.reports_option
@click.option("--progress/--no-progress", default=None, help="Show a progress bar.  [default: on a terminal]")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all is well.")
@wait_option
@shared.control_option
@click.pass_context
def command(ctx: click.Context, /, **_: object) -> None:
    """Write an input file of everything that is not active: customers, their subscriptions, their Azure subscriptions.

    Nothing is reactivated. Interrupted or killed, the same command continues where it stopped. Some customers could not
    be read: exit code 1.
    """
    params = ctx.params
    _check(params)
    if params["out"]:
        shared.check_suffix(params["out"], f"--out {params['out']}")
    out: Path | None = params["out"]
    reporter = ConsoleReporter(Output(params["reports"], progress=params["progress"], quiet=params["quiet"]))
    if params["complete"] is None:
        ctx.exit(_discover(ctx, out, reporter))
    from bulkreact.cli.commands.discover_complete import complete  # noqa: PLC0415 - loads pandas

    with open_input(params["complete"], read_layout(params).limits) as path:
        ctx.exit(complete(ctx, path, out, reporter))


def _check(params: Mapping[str, Any]) -> None:
    """Check that the options are consistent."""
    if params["customer"] and params["customers"]:
        raise InputRefusedError("--customer and --customers exclude each other: leave one of them out.")
    if params["complete"] is None:
        return
    conflicting = {"--customer": params["customer"], "--customers": params["customers"], "--status": params["status"]}
    if excluded := [name for name, value in conflicting.items() if value]:
        raise InputRefusedError(
            f"--complete says by itself which customers are meant: leave out {' and '.join(excluded)}."
        )
    if params["kind"] == Kind.SUBSCRIPTION:
        raise InputRefusedError("--complete looks for Azure subscriptions: leave out --kind subscription.")


class DiscoveredCounts(Struct):
    """Rows by kind and status; how many of them are permanently deleted soon, and the first deadline."""

    now: datetime
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    urgent_count: int = 0
    next_deadline: tuple[datetime, Discovered] | None = None

    def add(self, row: Discovered) -> None:
        """Count a row."""
        self.counts[row.kind, row.status] += 1
        time = parse_time(row.deadline)
        if not time or row.status.lower() in {*GONE, ACTIVE} or not self.now <= time <= self.now + URGENT_WITHIN:
            return
        self.urgent_count += 1
        if not self.next_deadline or time < self.next_deadline[0]:
            self.next_deadline = time, row

    @property
    def deleted_count(self) -> int:
        """Return how many rows can no longer be reactivated."""
        return sum(rows for (_, status), rows in self.counts.items() if status.lower() in GONE)

    @property
    def reactivatable_statuses(self) -> list[str]:
        """Return the statuses of rows that may be reactivated."""
        statuses = {status for _, status in self.counts if status and status.lower() not in GONE}
        return sorted({*statuses, "suspended"})


def _discover(ctx: click.Context, out: Path | None, reporter: Reporter) -> int:
    """Read customers, write what is not active, and return the exit code."""
    params = ctx.params
    statuses = frozenset(status.strip().casefold() for status in params["status"])
    criteria = DiscoveryFilter(
        params["kind"] != Kind.AZURE, params["kind"] != Kind.SUBSCRIPTION, active=ACTIVE in statuses
    )
    with read_customers(ctx, criteria, _customer_selection(params), reporter) as store:

        def rows() -> Iterator[Discovered]:
            return (row for row in store.rows() if not statuses or row.status.casefold() in statuses)

        discovered = DiscoveredCounts(utc_now())
        for row in rows():
            discovered.add(row)
        _write(out, rows(), discovered.counts.total())
        for line in _lines(discovered, store, params["out"]):
            reporter.info(line)
        code = report_unread(store)
        if not store.has_transient_failures:
            store.remove()
    return code


def _customer_selection(params: Mapping[str, Any]) -> ChosenCustomers | None:
    if params["customers"]:
        from bulkreact.sheets.input.customer_ids import customer_ids  # noqa: PLC0415 - loads pandas

        with refusing(str(params["customers"])):
            return ChosenCustomers(tuple(customer_ids(params["customers"], read_layout(params))))
    return ChosenCustomers(tuple(dict.fromkeys(params["customer"]))) if params["customer"] else None


def _write(out: Path | None, rows: Iterable[Discovered], count: int) -> None:
    if out and (refusal := size_error(out, rows=count, columns=len(discovery_file.COLUMNS))):
        raise InputRefusedError(f"{refusal} What was read is kept: nothing is read again then.")
    write_output(
        out, lambda path: discovery_file.write(path, rows), lambda file: discovery_file.write_lines(file, rows)
    )


def _lines(discovered: DiscoveredCounts, store: DiscoveryStore, shown: Path | None) -> Iterator[str]:
    total = discovered.counts.total()
    partly = store.partly_read_count
    customers = plural(store.customer_count - store.unread_count + partly, "customer")
    yield f"Found:   {plural(total, 'row')} of {customers}{f', {partly:,} of them read in part' if partly else ''}"
    for (kind, status), rows in sorted(discovered.counts.items(), key=lambda item: (item[0][0], -item[1])):
        yield f"  {kind:<12}  {status or '(no status)':<12}  {rows:,}"
    if discovered.next_deadline:
        _, row = discovered.next_deadline
        name = " of ".join(filter(None, (row.subscription_name or row.offer or row.subscription_id, row.customer_name)))
        yield (
            f"Warning: {discovered.urgent_count:,} will be permanently deleted within {URGENT_WITHIN.days} days; "
            f"the next on {row.deadline[:10]}: {name}."
        )
    if discovered.deleted_count:
        status_options = " ".join(
            f"--status {shell_quote(Path(status))}" for status in discovered.reactivatable_statuses
        )
        yield f"Deleted or expired, cannot be reactivated: {discovered.deleted_count:,}. Exclude them with {status_options}"
    if without_id := store.without_id:
        yield f"Left out, because they came without a usable id: {without_id:,}"
    if shown:
        yield f"Written: {shown}"
        if total:
            yield f"Preview it with: bulkreact plan {shell_quote(shown)}"
