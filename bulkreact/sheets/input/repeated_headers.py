"""Recognises further headers below the first, as in files that were put together. No I/O."""

import re
from collections.abc import Sequence

from bulkreact.errors import InputRefusedError
from bulkreact.sheets.columns import ID_COLUMNS, HeaderRule
from bulkreact.sheets.header_aliases import column_of
from bulkreact.sheets.input.header_search import FoundHeader
from bulkreact.sheets.result_columns import find_result_columns

# Ids have no other letters than these, names of columns have some.
_OTHER_LETTERS = re.compile(r"[^\W\d_a-f]", re.IGNORECASE)


class RepeatedHeaders:
    """Tells rows that name the columns once more; InputRefusedError if they name other columns than the header."""

    def __init__(self, name: str, header: Sequence[str], found: FoundHeader | None, rule: HeaderRule) -> None:
        self._name = name
        self._number = found.number if found else 0
        self._rule = rule
        self._columns = rule.find_columns(header)
        self._results = find_result_columns(header)
        self._ids = [self._columns[column] for column in ID_COLUMNS if column in self._columns]
        # A second table may stand beside the first.
        self._unnamed = [index for index, cell in enumerate(header) if not cell.strip()]

    @property
    def may_stand_beside(self) -> bool:
        """Return whether a row with ids may name columns too: there are columns without a name."""
        return bool(self._unnamed)

    def repeats(self, number: int, cells: Sequence[str]) -> bool:
        """Return whether a row is the header once more, so that the rows below it are read as before."""
        if not self._may_name_columns(cells):
            return False
        columns = self._rule.find_columns(cells)
        ids = [index for column, index in columns.items() if column in ID_COLUMNS]
        if len(ids) < min(len(self._rule.required), 2) and not {*ids} & {*self._ids}:
            return False
        if self._is_same(columns, cells):
            return True
        raise InputRefusedError(
            f"{self._name}: row {number} names the columns again, and others or in another order than row {self._number}. "
            "Put each table into a file of its own, or bring the columns into the same order."
        )

    def _may_name_columns(self, cells: Sequence[str]) -> bool:
        ids = [cells[index] for index in self._ids]
        if any(map(_OTHER_LETTERS.search, ids)) or not any(map(str.strip, ids)):
            return True
        return any(cells[index].strip() and column_of(cells[index]) for index in self._unnamed)

    def _is_same(self, columns: dict[str, int], cells: Sequence[str]) -> bool:
        left_out = {column: index for column, index in self._columns.items() if not cells[index].strip()}
        results = find_result_columns(cells)
        return left_out | columns == self._columns and results == (self._results if results else {})
