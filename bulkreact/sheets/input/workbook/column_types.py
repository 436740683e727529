"""Finds what the columns of a table are besides text, so that it need not be said of every cell. No I/O."""

from collections.abc import Sequence

from bulkreact.models import ColumnType
from bulkreact.sheets.input.workbook.cell_values import RowShape
from bulkreact.typed_cells import parse_cell


class ColumnTypes:
    """The types of a table's columns, which begin with ``first`` and end before ``end``, as rows show them.

    A type describes the cells of its column until a row has another one: a text that reads like a number among numbers,
    or a number in another format.
    """

    def __init__(self, first: int, end: int) -> None:
        self._first, self._end = first, end
        self._types: dict[int, ColumnType] = {}
        # For shapes that agree with the types the columns whose texts may not.
        self._agreeing: dict[RowShape, list[ColumnType]] = {}
        self.current: tuple[ColumnType, ...] = ()

    def update(self, shape: RowShape, cells: Sequence[str]) -> tuple[ColumnType, ...]:
        """Return the types that describe a row; the same object as for the row before, if possible."""
        doubtful = self._agreeing.get(shape)
        if doubtful is None or (doubtful and any(parse_cell(cells[kind.column], kind.type) for kind in doubtful)):
            self._change(shape, cells)
        return self.current

    def _change(self, shape: RowShape, cells: Sequence[str]) -> None:
        types = dict(self._types)
        for kind in shape.column_types:
            if self._first <= kind.column < self._end:
                types[kind.column] = kind
        doubtful = [types[column] for column in shape.text_columns if column in types]
        for kind in doubtful:
            if parse_cell(cells[kind.column], kind.type):
                del types[kind.column]
        if types != self._types:
            self._types = types
            self._agreeing = {}
            self.current = tuple(
                ColumnType(column - self._first, kind.type, kind.number_format)
                for column, kind in sorted(types.items())
            )
        self._agreeing[shape] = [kind for kind in doubtful if kind.column in types]
