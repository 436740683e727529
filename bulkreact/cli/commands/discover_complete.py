"""``bulkreact discover --complete``: fills in the entitlement ids that an input lacks, where they can be told for sure."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import click

from bulkreact.batch.discovery.findings import FoundTarget
from bulkreact.batch.discovery.listing import DiscoveryFilter
from bulkreact.batch.discovery.store import DiscoveryStore
from bulkreact.cli.commands.discover_customers import ChosenCustomers, reading, report_unread
from bulkreact.cli.commands.discover_output import refuse_same_file, reporting_write_errors, standard_output
from bulkreact.cli.options.input import form_of
from bulkreact.cli.output.console import ConsoleReporter
from bulkreact.errors import EXIT_SUCCESS, InputRefusedError
from bulkreact.models import Kind
from bulkreact.sheets.columns import CANDIDATES
from bulkreact.sheets.input.missing_ids import IncompleteRow, InputWithMissingIds
from bulkreact.sheets.input.row_errors import format_ranges
from bulkreact.sheets.output import table_writer
from bulkreact.wording import shell_quote


class End(StrEnum):
    """What became of a row, in the words in which people are told."""

    UNCHANGED = "Left as they were"
    FILLED = "Filled in"
    SEVERAL = f"Several candidates, listed in the column {CANDIDATES}: choose one, and put it into entitlement_id"
    NONE = "No candidate: nothing below this Azure plan is other than active"
    NO_PLAN = "No Azure plan, so that there is no entitlement to be found"
    UNKNOWN = "No such subscription: the customer has none with this id"
    UNREAD = "Not looked up: the customer, or the Azure plan, could not be read"


@dataclass(slots=True)
class Completion:
    """The rows of an input as they are written, and by the way what became of each."""

    table: InputWithMissingIds
    gathering: DiscoveryStore | None
    unread: frozenset[tuple[str, str]] = frozenset()
    ends: dict[End, list[int]] = field(default_factory=lambda: {end: [] for end in End})

    def rows(self) -> Iterator[Sequence[str]]:
        """Yield every row, with what could be told for sure."""
        for row in self.table.rows():
            end, cells = self._row(row)
            self.ends[end].append(row.number)
            yield cells

    def _row(self, row: IncompleteRow) -> tuple[End, Sequence[str]]:
        if row.missing_for is None or self.gathering is None:
            return End.UNCHANGED, row.cells
        customer_id, subscription_id = row.missing_for
        if {(customer_id, ""), (customer_id, subscription_id)} & self.unread:
            return End.UNREAD, row.cells
        found = self.gathering.found(customer_id, subscription_id)
        candidates = [one for one in found if one.kind == Kind.AZURE]
        if len(candidates) == 1:
            return End.FILLED, self.table.filled(row, candidates[0].entitlement_id, "")
        if candidates:
            return End.SEVERAL, self.table.filled(row, "", "; ".join(map(_described, candidates)))
        plans = [one.azure_plan for one in found if one.kind == Kind.SUBSCRIPTION]
        if not plans:
            return End.UNKNOWN, row.cells
        return (End.NONE, self.table.filled(row, "", "")) if plans[0] else (End.NO_PLAN, row.cells)


def complete(ctx: click.Context, path: Path, out: Path | None, terminal: ConsoleReporter) -> int:
    """Look up what an input lacks, write it completed, and return the exit code."""
    given = ctx.params
    name = "standard input" if given["complete"] == "-" else given["complete"]
    if out:
        refuse_same_file(out, path, name="the input")
    if not path.is_file():
        raise InputRefusedError(f"{name} does not exist." if not path.exists() else f"{name} is a folder; name a file.")
    text = out is None or out.suffix.lower() != table_writer.WORKBOOK
    table = InputWithMissingIds(path, name, form_of(given), text=text)
    terminal.info_if(table.remark)
    count = 0
    lacking: dict[tuple[str, str], None] = {}
    for row in table.rows():
        count += 1
        if row.missing_for:
            lacking[row.missing_for] = None
    if out and (refusal := table_writer.too_large(out, rows=count, columns=len(table.header))):
        raise InputRefusedError(refusal)
    chosen = ChosenCustomers(tuple(dict.fromkeys(customer for customer, _ in lacking)), frozenset(lacking))
    wanted = DiscoveryFilter(only=frozenset())
    with reading(ctx, wanted, chosen, terminal) if lacking else nullcontext() as gathering:
        completion = Completion(table, gathering, _unread(gathering) if gathering else frozenset())
        _write(out, completion)
        for line in _told(completion, given["out"]):
            terminal.info(line)
        code = report_unread(gathering) if gathering else EXIT_SUCCESS
        if gathering and not gathering.has_transient_failures:
            gathering.remove()
    return code


def _unread(gathering: DiscoveryStore) -> frozenset[tuple[str, str]]:
    """Return what could not be read: a customer with one of their subscriptions, or with all where that is empty."""
    return frozenset(
        (customer_id.lower(), trouble.subscription_id.lower() if trouble and not trouble.transient else "")
        for customer_id, _, trouble in gathering.unread_customers()
    )


def _write(out: Path | None, completion: Completion) -> None:
    header = completion.table.header
    with reporting_write_errors(out):
        if out:
            table_writer.write(out, header, completion.rows(), title="Subscriptions")
            return
        with standard_output() as file:
            table_writer.write_lines(file, header, completion.rows())


def _told(completion: Completion, shown: Path | None) -> Iterator[str]:
    yield f"Rows:    {sum(map(len, completion.ends.values())):,}"
    for end, numbers in completion.ends.items():
        if not numbers:
            continue
        rows = (
            f" (row{'' if len(numbers) == 1 else 's'} {format_ranges(numbers)})"
            if end not in {End.UNCHANGED, End.FILLED}
            else ""
        )
        yield f"  {len(numbers):,}  {end}{rows}"
    if shown:
        yield f"Written: {shown}"
        yield f"See what it comes to with: bulkreact plan {shell_quote(shown)}"


def _described(candidate: FoundTarget) -> str:
    """Return a candidate as people choose by it: id, name and status."""
    name = candidate.name.replace(";", ",") or "no name"
    return f"{candidate.entitlement_id} ({name}, {candidate.status or 'no status'})"
