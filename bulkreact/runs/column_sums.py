"""Sums the column that --sum names: what a run would send, and how its rows ended."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from msgspec import Struct

from bulkreact.batch.journal.column_cells import INVALID, TO_SEND, cells_by_customer, column_cells
from bulkreact.batch.journal.metadata import RunMetadata
from bulkreact.models import ResultRow, Status
from bulkreact.sheets.column_sum import ColumnAdder, ColumnSum, sum_exactly
from bulkreact.sheets.columns import find_by_name
from bulkreact.wording import plural, printable

_AnySum = ColumnSum[str] | ColumnSum[tuple[Status, bool]]
_NOT_SENT = {Status.INVALID, Status.DUPLICATE}


class PlannedSum(Struct, frozen=True):
    """The amounts in a column of a draft, by whether its rows are sent."""

    folder: Path
    column: int
    amounts: ColumnSum[str]

    @property
    def total(self) -> Decimal:
        """Return the total of the rows to be sent."""
        return self.amounts.total(TO_SEND)

    @property
    def not_sent(self) -> Mapping[str, Decimal]:
        """Return the totals of the other rows by the reason, those that there are."""
        return {key: total for key, total in self.amounts.totals.items() if key != TO_SEND}

    def per_customer(self, customers: Iterable[str] | None = None) -> Iterator[tuple[str, Decimal]]:
        """Yield customers with the totals of their rows to be sent; all customers, if none are given."""
        if self.amounts.problem:
            return
        cells = cells_by_customer(self.folder, self.column, customers)
        for customer, group in groupby(cells, key=itemgetter(0)):
            numbers = (self.amounts.read(cell, self.column, typed) for _, _, cell, typed in group)
            yield customer, sum_exactly(numbers)

    def describe(self) -> str:
        """Return the total of the rows to be sent, and what is not in it, for people; or why it is not known."""
        others = [f"{key.replace('_', ' ')} {self.amounts.format(total)}" for key, total in self.not_sent.items()]
        return "; ".join((_describe(self.amounts, self.total), *others))

    def members(self) -> Iterator[tuple[str, object]]:
        """Yield what JSON says of it besides the customers; numbers as texts, which no reader rounds."""
        yield from _members(self.amounts, self.total).items()
        yield "not_sent", _texts(self.amounts, self.not_sent)


def decimal_mark(folder: Path, metadata: RunMetadata) -> str:
    """Return the decimal mark in the column that a run adds up, empty if it adds up none, or the column shows none."""
    settings = metadata.settings
    summed = sum_planned(folder, metadata.header, settings.sum_header, settings.decimal_mark)
    return summed.amounts.decimal_mark if summed else ""


def sum_planned(folder: Path, header: tuple[str, ...], sum_header: str, known_mark: str = "") -> PlannedSum | None:
    """Return the amounts in a column of a draft, None if no column is named; duplicates must already be marked."""
    columns = find_by_name(header, sum_header)
    if not columns:
        return None
    adder: ColumnAdder[str] = ColumnAdder(sum_header, columns[0], known_mark)
    for cell in column_cells(folder, columns[0]):
        adder.add(*cell, is_invalid=cell[0] == INVALID)
    return PlannedSum(folder, columns[0], adder.result())


class ResultSum(Struct, frozen=True):
    """The amounts of a run's results, by status and by whether the row was to be sent."""

    amounts: ColumnSum[tuple[Status, bool]]

    @property
    def total(self) -> Decimal:
        """Return the total of the rows that were to be sent: that of the plan."""
        return self.amounts.total(*((status, True) for status in Status))

    @property
    def by_status(self) -> Mapping[str, Decimal]:
        """Return the totals of all rows by status, of those that there are."""
        statuses = dict.fromkeys(status for status, _ in self.amounts.totals)
        return {status.value: self.amounts.total((status, True), (status, False)) for status in statuses}

    @property
    def formatted(self) -> Mapping[str, str]:
        """Return the totals by status for people."""
        return {status: self.amounts.format(total) for status, total in self.by_status.items()}

    def describe(self) -> str:
        """Return the total of the rows that were to be sent, for people, or why it is not known."""
        return _describe(self.amounts, self.total)

    def describe_statuses(self) -> str:
        """Return the totals of all rows by status on one line, for people."""
        return ", ".join(f"{status} {total}" for status, total in self.formatted.items())

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON; numbers as texts, which no reader rounds."""
        return {**_members(self.amounts, self.total), "by_status": _texts(self.amounts, self.by_status)}


class ResultAdder:
    """Adds up the amounts of a run's rows as they come by."""

    def __init__(self, header: str, column: int, known_mark: str) -> None:
        self._column = column
        self._adder: ColumnAdder[tuple[Status, bool]] = ColumnAdder(header, column, known_mark)

    def add(self, row: ResultRow) -> None:
        """Add the amount of one row."""
        status = row.outcome.status
        to_be_sent = status not in _NOT_SENT and not row.excluded_by_limit
        is_invalid = status is Status.INVALID
        self._adder.add(
            (status, to_be_sent), row.number, row.cells[self._column], row.typed_cells, is_invalid=is_invalid
        )

    def result(self) -> ResultSum:
        """Return the sum of what was added."""
        return ResultSum(self._adder.result())


def result_adder(metadata: RunMetadata) -> ResultAdder | None:
    """Return what adds up the column that a run remembers, None if it remembers none."""
    sum_header = metadata.settings.sum_header
    columns = find_by_name(metadata.header, sum_header)
    return ResultAdder(sum_header, columns[0], metadata.settings.decimal_mark) if columns else None


def _describe(amounts: _AnySum, total: Decimal) -> str:
    header = printable(amounts.header)
    if amounts.problem:
        return f"not known ({header}): {amounts.problem}"
    without = f"; {plural(amounts.blank, 'row')} without an amount" if amounts.blank else ""
    return f"{amounts.format(total)} ({header}){without}"


def _members(amounts: _AnySum, total: Decimal) -> dict[str, object]:
    # Others may read the summary: it has no cells.
    return {
        "column": amounts.header,
        "currency": amounts.currency,
        "total": None if amounts.problem else amounts.to_text(total),
        "without_amount": amounts.blank,
        "problem": amounts.public_problem,
    }


def _texts(amounts: _AnySum, totals: Mapping[str, Decimal]) -> dict[str, str]:
    return {key: amounts.to_text(total) for key, total in totals.items()}
