"""Gives the rows of a workbook what their cells are besides text. No I/O."""

from collections.abc import Sequence

from msgspec import structs

from bulkreact.models import ColumnType, InputRow, TypedCell
from bulkreact.sheets.columns import ColumnLayout

# Of a row: the types of columns, and the typed cells that these do not describe.
CellTypes = tuple[tuple[ColumnType, ...], Sequence[TypedCell]]


class CarriedTypes:
    """Finds the columns of a file among those carried into the results; ids are text, whatever they have become."""

    def __init__(self, layout: ColumnLayout) -> None:
        self._positions = {
            index: position for position, index in enumerate(layout.carried_columns) if index not in layout.ids
        }
        self._source: tuple[ColumnType, ...] = ()
        self._column_types: tuple[ColumnType, ...] = ()

    def of_columns(self, source: tuple[ColumnType, ...]) -> tuple[ColumnType, ...]:
        """Return the types of columns; the same object as before for the same types."""
        if source is not self._source:
            self._source = source
            self._column_types = tuple(
                structs.replace(kind, column=self._positions[kind.column])
                for kind in source
                if kind.column in self._positions
            )
        return self._column_types

    def add(self, row: InputRow, types: CellTypes) -> InputRow:
        """Return a row with the types of its cells."""
        source, others = types
        column_types = self.of_columns(source)
        typed = tuple(
            structs.replace(cell, column=self._positions[cell.column])
            for cell in others
            if cell.column in self._positions
        )
        return structs.replace(row, column_types=column_types, typed_cells=typed)
