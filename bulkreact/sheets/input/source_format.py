"""How an input is laid out, for programs that show it: which header and column hold what, and where a cell is."""

import re
from collections.abc import Mapping

from msgspec import Struct

from bulkreact.sheets.cell_references import column_letters
from bulkreact.sheets.columns import ID_COLUMNS, OPTIONAL_COLUMNS, ColumnLayout
from bulkreact.sheets.input.table import Table

# How an error names the cell of a column that is not carried into the results.
_NUMBERED = re.compile(r"cell ([0-9]+)")


class SourceFormat(Struct, frozen=True):
    """The layout of an input; ``header`` has the names as they are in the file, ``header_row`` counts from 1.

    ``sheet`` and ``sheets`` are for workbooks, ``delimiter`` and ``encoding`` for texts.
    """

    header: tuple[str, ...]
    header_row: int | None
    sheet: str | None
    sheets: tuple[str, ...]
    delimiter: str | None
    encoding: str | None
    indexes: Mapping[str, int]
    first_column: int

    @property
    def columns(self) -> dict[str, str | None]:
        """Return the header that holds each of our columns, None if none does."""
        names = (*ID_COLUMNS, *OPTIONAL_COLUMNS)
        return {name: self.header[self.indexes[name]] if name in self.indexes else None for name in names}

    def cell_name(self, row: int, column: str) -> str:
        """Return what a spreadsheet calls the cell of an error, empty if it has no such cell."""
        index = self.indexes.get(column)
        if index is None:
            numbered = _NUMBERED.fullmatch(column)
            index = int(numbered[1]) - 1 if numbered else None
        if index is None and column in self.header:
            index = self.header.index(column)
        return "" if index is None else f"{column_letters(self.first_column + index)}{row}"


def source_format(table: Table, layout: ColumnLayout) -> SourceFormat:
    """Return the layout of a table."""
    has_header = bool(table.header)
    ids = {name: index for name, index in zip(ID_COLUMNS, layout.ids, strict=True) if index is not None}
    return SourceFormat(
        table.header,
        table.found.number if table.found else None,
        table.sheet,
        table.sheets,
        table.delimiter,
        table.encoding,
        {**ids, **layout.optional} if has_header else {},
        table.first_column,
    )
