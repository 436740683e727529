"""Formats a plan as JSON, piece by piece: it may have a million targets."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from bulkreact.batch.journal.preview import RunPreview, customer_cells, planned_targets, rows_per_customer
from bulkreact.batch.journal.problem_table import stored_problems
from bulkreact.runs.column_sums import PlannedSum
from bulkreact.runs.input_reader import LoadedInput
from bulkreact.sheets.customer_names import customer_name_column, format_customer_name

_ITEMS_PER_PIECE = 1000
# In rows of the input: a million targets are 180 MB.
MOST_LISTED = 10_000


class PresentState(Struct, frozen=True):
    """The current statuses by row number (None if they were not read), and the deadlines, the soonest first."""

    statuses: dict[int, str] | None
    deadlines: dict[int, str]


class JsonArray(Struct, frozen=True):
    """A large array."""

    items: Iterable[object]


class JsonObject(Struct, frozen=True):
    """A large object: the names of its members with their values."""

    members: Iterable[tuple[str, object]]


class NestedObject(Struct, frozen=True):
    """A small object with large members."""

    members: Iterable[tuple[str, object]]


class PlanDocument(Struct, frozen=True):
    """A plan whose rows are in the journal of a folder, and the sum of a column of it.

    ``problem_count`` is the number of problems that are in the journal too, None if the input has them all in memory.
    """

    folder: Path
    loaded: LoadedInput
    plan: RunPreview
    calls_per_second: float | None
    present: PresentState
    now: datetime
    planned_sum: PlannedSum | None = None
    problem_count: int | None = None

    @property
    def name_column(self) -> int | None:
        """Return the index of the cells with the names of customers."""
        input_file = self.loaded.input_file
        return customer_name_column(input_file.header, input_file.name_header)

    def kept_members(self, remarks: Iterable[str]) -> Iterator[tuple[str, object]]:
        """Yield the members for a program that has all rows and problems beside the plan: of many rows only the first."""
        is_large = self.loaded.input_file.count > MOST_LISTED
        for name, value in self.members(with_targets=not is_large, most_problems=MOST_LISTED if is_large else -1):
            if not (is_large and name == "targets"):
                yield name, value
        input_file, source = self.loaded.input_file, self.loaded.input_file.source
        yield "sha256", input_file.sha256
        yield "header", source.header
        yield "sample", input_file.sample
        yield "columns", source.columns
        yield "sheet", source.sheet
        yield "sheets", source.sheets
        yield "header_row", source.header_row
        yield "delimiter", source.delimiter
        yield "encoding", source.encoding
        yield "remarks", list(remarks)
        yield "from_spreadsheet", input_file.from_spreadsheet

    def members(self, *, with_targets: bool = True, most_problems: int = -1) -> Iterator[tuple[str, object]]:
        """Yield the members of the JSON object; without the targets their number is there instead."""
        input_file, plan, statuses, rate = (
            self.loaded.input_file,
            self.plan,
            self.present.statuses,
            self.calls_per_second,
        )
        if statuses is not None:
            yield "statuses", JsonArray([row, statuses.get(row)] for row, *_ in planned_targets(self.folder))
        yield "rows", input_file.count
        yield "valid", plan.valid
        yield "invalid", input_file.codes.total()
        yield "duplicate", plan.duplicate
        yield "customers", plan.customers
        yield "kinds", plan.kinds
        yield "estimated_seconds", None if rate is None else round(plan.calls / rate, 3)
        yield "digest", self.loaded.digest
        yield "per_customer", JsonObject(rows_per_customer(self.folder))
        yield "customer_names", JsonObject(self._names())
        if self.planned_sum:
            yield "sum", NestedObject(self._sum(self.planned_sum))
        if not with_targets:
            yield "targets_omitted", plan.valid
        yield "targets", JsonArray(planned_targets(self.folder) if with_targets else ())
        deadlines = self.present.deadlines.items()
        yield "deadlines", JsonArray([row, deadline, days_left(deadline, self.now)] for row, deadline in deadlines)
        if self.problem_count and 0 <= most_problems < self.problem_count:
            yield "problems_omitted", self.problem_count - most_problems
        yield "problems", JsonArray(self._problems(most_problems))

    def _sum(self, planned: PlannedSum) -> Iterator[tuple[str, object]]:
        yield from planned.members()
        totals = planned.per_customer()
        yield "per_customer", JsonObject((customer, planned.amounts.to_text(total)) for customer, total in totals)

    def _names(self) -> Iterator[tuple[str, str]]:
        for customer, cell in customer_cells(self.folder, self.name_column):
            if name := format_customer_name(cell):
                yield customer, name

    def _problems(self, most: int) -> Iterator[dict[str, object]]:
        if self.problem_count is not None:
            yield from ({**asdict(problem)} for problem in stored_problems(self.folder, limit=most))
            return
        for row_error in self.loaded.input_file.errors:
            for cell_error in row_error.errors:
                yield {
                    "row": row_error.number,
                    "column": cell_error.column,
                    "value": cell_error.value,
                    "code": cell_error.code,
                    "reason": cell_error.reason,
                    "remedy": cell_error.remedy,
                }


def days_left(deadline: str, now: datetime) -> float:
    """Return the days until a deadline (UTC, ISO 8601), negative if it has passed."""
    return round((datetime.fromisoformat(deadline) - now) / timedelta(days=1), 1)


def format_json(members: Iterable[tuple[str, object]]) -> Iterator[str]:
    """Yield an object as JSON, a member a line; of a large member each item."""
    yield from _format_members(members, "")
    yield "\n"


def _format_members(members: Iterable[tuple[str, object]], indent: str) -> Iterator[str]:
    before = f"{{\n{indent}  "
    for name, value in members:
        yield f"{before}{_dump(name)}: "
        before = f",\n{indent}  "
        match value:
            case JsonArray(items):
                yield from _format_items(map(_dump, items), "[]")
            case JsonObject(inner):
                yield from _format_items((f"{_dump(key)}: {_dump(item)}" for key, item in inner), "{}")
            case NestedObject(inner):
                yield from _format_members(inner, f"{indent}  ")
            case _:
                yield _dump(value)
    yield f"\n{indent}}}"


def _format_items(items: Iterable[str], brackets: str) -> Iterator[str]:
    before = f"{brackets[0]}\n    "
    is_empty = True
    for piece in _pieces(items):
        yield before + ",\n    ".join(piece)
        before, is_empty = ",\n    ", False
    yield brackets if is_empty else f"\n  {brackets[1]}"


def _pieces(items: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(items)
    while piece := list(islice(iterator, _ITEMS_PER_PIECE)):
        yield piece


def _dump(value: object) -> str:
    return json.dumps(value)
