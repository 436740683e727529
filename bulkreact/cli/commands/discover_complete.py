"""``bulkreact discover --complete``: fills in missing entitlement ids that have exactly one candidate."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path

import click
from msgspec import Struct, field

from bulkreact.batch.discovery.listing import DiscoveryFilter, FoundTarget
from bulkreact.batch.discovery.store import DiscoveryStore
from bulkreact.cli.commands.discover_customers import (
    ChosenCustomers,
    read_customers,
    report_unread,
    write_output,
)
from bulkreact.cli.options.input import read_layout
from bulkreact.errors import EXIT_SUCCESS, InputRefusedError
from bulkreact.models import Kind
from bulkreact.runs.input_reader import display_name
from bulkreact.runs.reporter import Reporter
from bulkreact.sheets.columns import CANDIDATES
from bulkreact.sheets.input.missing_ids import CompletionRow, InputWithMissingIds
from bulkreact.sheets.input.read_limits import refusing
from bulkreact.sheets.input.row_errors import format_ranges
from bulkreact.sheets.output import table_writer
from bulkreact.wording import shell_quote


class CompletionResult(StrEnum):
    """The result of completing a row, as shown to the user."""

    UNCHANGED = "Left as they were"
    FILLED = "Filled in"
    SEVERAL = f"Several candidates, listed in the column {CANDIDATES}: choose one, and put it into entitlement_id"
    NONE = "No candidate: every Azure subscription of this plan is already active"
    NO_PLAN = "Not an Azure plan, so it has no entitlements"
    UNKNOWN = "No such subscription: the customer has none with this id"
    UNREAD = "Not looked up: the customer, or the Azure plan, could not be read"


class Completion(Struct):
    """The rows of an input as written, and the result of each, by row number."""

    table: InputWithMissingIds
    store: DiscoveryStore | None
    unread: frozenset[tuple[str, str]] = frozenset()
    row_numbers: dict[CompletionResult, list[int]] = field(
        default_factory=lambda: {end: [] for end in CompletionResult}
    )

    def rows(self) -> Iterator[Sequence[str]]:
        """Yield every row, completed if there is exactly one candidate."""
        for row in self.table.rows():
            result, cells = self._row(row)
            self.row_numbers[result].append(row.number)
            yield cells

    def _row(self, row: CompletionRow) -> tuple[CompletionResult, Sequence[str]]:
        if row.parent_ids is None or self.store is None:
            return CompletionResult.UNCHANGED, row.cells
        customer_id, subscription_id = row.parent_ids
        if {(customer_id, ""), (customer_id, subscription_id)} & self.unread:
            return CompletionResult.UNREAD, row.cells
        targets = self.store.find_targets(customer_id, subscription_id)
        candidates = [target for target in targets if target.kind == Kind.AZURE]
        if len(candidates) == 1:
            return CompletionResult.FILLED, self.table.fill(row, candidates[0].entitlement_id, "")
        if candidates:
            return CompletionResult.SEVERAL, self.table.fill(row, "", "; ".join(map(_describe, candidates)))
        plans = [target.azure_plan for target in targets if target.kind == Kind.SUBSCRIPTION]
        if not plans:
            return CompletionResult.UNKNOWN, row.cells
        return (
            (CompletionResult.NONE, self.table.fill(row, "", "")) if plans[0] else (CompletionResult.NO_PLAN, row.cells)
        )


def complete(ctx: click.Context, path: Path, out: Path | None, reporter: Reporter) -> int:
    """Look up what an input lacks, write it completed, and return the exit code."""
    params = ctx.params
    name = display_name(params["complete"])
    if not path.is_file():
        raise InputRefusedError(f"{name} does not exist." if not path.exists() else f"{name} is a folder; name a file.")
    text = out is None or out.suffix.lower() != table_writer.WORKBOOK
    count = 0
    missing: dict[tuple[str, str], None] = {}
    with refusing(name):
        table = InputWithMissingIds(path, name, read_layout(params), text=text)
        reporter.info(table.remark)
        for row in table.rows():
            count += 1
            if row.parent_ids:
                missing[row.parent_ids] = None
    if out and (refusal := table_writer.size_error(out, rows=count, columns=len(table.header))):
        raise InputRefusedError(refusal)
    chosen = ChosenCustomers(tuple(dict.fromkeys(customer for customer, _ in missing)), frozenset(missing))
    criteria = DiscoveryFilter(only=frozenset())
    with read_customers(ctx, criteria, chosen, reporter) if missing else nullcontext() as store:
        completion = Completion(table, store, _list_unread(store) if store else frozenset())
        write_output(
            out,
            lambda path: table_writer.write(path, table.header, completion.rows(), title="Subscriptions"),
            lambda file: table_writer.write_lines(file, table.header, completion.rows()),
        )
        for line in _lines(completion, params["out"]):
            reporter.info(line)
        code = report_unread(store) if store else EXIT_SUCCESS
        if store and not store.has_transient_failures:
            store.remove()
    return code


def _list_unread(store: DiscoveryStore) -> frozenset[tuple[str, str]]:
    """Return what could not be read: a customer and one of their subscriptions, or all if that is empty."""
    return frozenset(
        (
            customer_id.lower(),
            failure.subscription_id.lower() if failure and (failure.is_partial or not failure.transient) else "",
        )
        for customer_id, _, failure in store.unread_customers()
    )


def _lines(completion: Completion, shown: Path | None) -> Iterator[str]:
    yield f"Rows:    {sum(map(len, completion.row_numbers.values())):,}"
    for end, numbers in completion.row_numbers.items():
        if not numbers:
            continue
        rows = f" (row{'' if len(numbers) == 1 else 's'} {format_ranges(numbers)})"
        yield f"  {len(numbers):,}  {end}{rows if end not in {CompletionResult.UNCHANGED, CompletionResult.FILLED} else ''}"
    if shown:
        yield f"Written: {shown}"
        yield f"Preview it with: bulkreact plan {shell_quote(shown)}"


def _describe(candidate: FoundTarget) -> str:
    """Return a candidate for the user to choose from: id, name and status."""
    name = candidate.name.replace(";", ",") or "no name"
    return f"{candidate.entitlement_id} ({name}, {candidate.status or 'no status'})"
