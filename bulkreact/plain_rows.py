"""Rows of an input that have nothing but cells and ids, as nearly all have, without an object for each."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from bulkreact.models import ColumnType, InputRow, Target


class PlainRows(Struct, frozen=True):
    """Rows of the input that have only cells and ids, column by column.

    They are read and brought into a journal in three fifths of the time that single rows take. ``columns`` are those of
    the cells, ``ids`` those of the customers, subscriptions and entitlements.
    """

    numbers: Sequence[int]
    columns: Sequence[Sequence[str]]
    ids: Sequence[Sequence[str]]
    column_types: tuple[ColumnType, ...] = ()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.numbers)

    def __iter__(self) -> Iterator[InputRow]:
        """Yield them one by one."""
        for number, cells, ids in zip(
            self.numbers, zip(*self.columns, strict=True), zip(*self.ids, strict=True), strict=True
        ):
            yield InputRow(number, cells, Target(*ids), column_types=self.column_types)

    def parts(self, size: int) -> Iterator["PlainRows"]:
        """Yield them in parts of at most so many."""
        for begin in range(0, len(self), size):
            part = slice(begin, begin + size)
            columns, ids = [cells[part] for cells in self.columns], [cells[part] for cells in self.ids]
            yield PlainRows(self.numbers[part], columns, ids, self.column_types)
