"""Finds which merged cells of a sheet a cell belongs to. No I/O."""

from bisect import bisect_right
from collections.abc import Sequence

from bulkreact.sheets.cell_references import column_letters
from bulkreact.sheets.input.workbook.workbook_messages import MergedRange


class MergedCells:
    """The merged cells of a table whose first column is ``first_column`` of the sheet."""

    def __init__(self, ranges: Sequence[MergedRange], first_column: int) -> None:
        self._ranges = ranges
        self._first_column = first_column
        self._by_column: dict[int, list[MergedRange]] = {}

    def find(self, number: int, index: int) -> str:
        """Return the range of a cell, like ``A2:A5``, empty if it is not merged; rows are counted from 0."""
        column = self._first_column + index
        if column not in self._by_column:
            self._by_column[column] = sorted(merged for merged in self._ranges if merged[1] <= column <= merged[3])
        ranges = self._by_column[column]
        # Merged cells do not overlap.
        position = bisect_right(ranges, number, key=lambda merged: merged[0])
        if position and number <= ranges[position - 1][2]:
            top, left, bottom, right = ranges[position - 1]
            return f"{column_letters(left)}{top + 1}:{column_letters(right)}{bottom + 1}"
        return ""
