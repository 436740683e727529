"""An input whose entitlement ids are to be filled in: its columns and rows as they are, and what must be looked up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bulkreact.errors import InputRefusedError
from bulkreact.sheets.columns import CANDIDATES, ID_COLUMNS, KIND, RESULT_COLUMNS, ColumnError, column_index
from bulkreact.sheets.formula_guard import guard, unguard
from bulkreact.sheets.header_aliases import header_key
from bulkreact.sheets.input import guid_cells
from bulkreact.sheets.input.input_file import open_table
from bulkreact.sheets.input.input_options import InputOptions

# A row of any other kind has no entitlement.
_AZURE = {"", "azure"}
_ENTITLEMENT = ID_COLUMNS[2]


@dataclass(frozen=True, slots=True)
class IncompleteRow:
    """A row with its cells; ``lacks`` are customer and Azure plan, where it has no entitlement id and should."""

    number: int
    cells: tuple[str, ...]
    missing_for: tuple[str, str] | None


class InputWithMissingIds:
    """A table with customers and subscriptions; InputRefusedError when there is none in the file.

    ``text`` says that it will be written as text; cells are then made safe for spreadsheets unless they come from text.
    """

    def __init__(self, path: Path, name: str, options: InputOptions, *, text: bool) -> None:
        self._named = options.columns
        try:
            self._table = open_table(path, name, options, self._wanted)
            customer, subscription, entitlement = (self._place(self._table.header, one) for one in ID_COLUMNS)
        except ColumnError as error:
            raise InputRefusedError(f"{name}: {str(error).rstrip('.')}.") from None
        header = self._table.header
        if customer is None or subscription is None:
            shown = ", ".join(map(repr, header))[:500]
            raise InputRefusedError(
                f"{name}: missing in the header: {ID_COLUMNS[0]} or {ID_COLUMNS[1]}. The first line must name the columns; "
                f"it has: {shown}. Any other header is named with --map {ID_COLUMNS[0]}=HEADER."
            )
        self.remark = self._table.remark
        self._needed = customer, subscription
        self._width = len(header)
        kinds = [place for place, one in enumerate(header) if header_key(one) == KIND]
        self._kind = kinds[0] if len(kinds) == 1 else None
        new = [_ENTITLEMENT] if entitlement is None else []
        self._entitlement = self._width if entitlement is None else entitlement
        listed = [place for place, one in enumerate(header) if header_key(one) == CANDIDATES]
        self._candidates = listed[-1] if listed else self._width + len(new)
        self._new = [*new, *([] if listed else [CANDIDATES])]
        results = set(RESULT_COLUMNS) <= {one.strip().casefold() for one in header}
        # What comes from text goes into text as it is: a results file stays one, with its guard.
        self._guards = text and not self._table.guarded
        self._unguards = self._table.guarded and results and not text
        self._text = text
        self.header = tuple(self._safe(one) for one in (*header, *self._new))

    def rows(self) -> Iterator[IncompleteRow]:
        """Yield every row with content."""
        for chunk in self._table.chunks():
            blank = pd.Series(data=True, index=chunk.index)
            for column in chunk.columns:
                blank &= chunk[column].str.strip() == ""
            kept = chunk.loc[~blank]
            ids = [guid_cells.normalize(kept[place]).tolist() for place in self._needed]
            for number, cells, customer, subscription in zip(kept.index, kept.to_numpy().tolist(), *ids, strict=True):
                yield self._row(int(number) + 1, cells, (customer, subscription))

    def fill(self, row: IncompleteRow, entitlement_id: str, candidates: str) -> list[str]:
        """Return the cells of a row that lacked an id, with what was found."""
        cells = list(row.cells)
        cells[self._entitlement] = entitlement_id
        cells[self._candidates] = guard(candidates) if self._text else candidates
        return cells

    def _row(self, number: int, given: list[str], ids: tuple[str, str]) -> IncompleteRow:
        cells = [self._safe(cell) for cell in given]
        surplus = cells[self._width :]
        while surplus and not surplus[-1].strip():
            surplus.pop()
        # Surplus cells stay behind all columns, where they are found to be surplus.
        whole = (*cells[: self._width], *([""] * len(self._new)), *surplus)
        kind = given[self._kind].strip().casefold() if self._kind is not None else ""
        missing = guid_cells.explain(_ENTITLEMENT, whole[self._entitlement]).code.startswith("missing-")
        lacks = all(ids) and kind in _AZURE and missing and not surplus
        return IncompleteRow(number, whole, ids if lacks else None)

    def _safe(self, cell: str) -> str:
        if self._guards:
            return guard(cell)
        return unguard(cell) if self._unguards else cell

    def _wanted(self, header: Sequence[str]) -> bool:
        return all(self._place(header, one) is not None for one in ID_COLUMNS[:2])

    def _place(self, header: Sequence[str], column: str) -> int | None:
        return column_index(header, column, self._named.get(column))
