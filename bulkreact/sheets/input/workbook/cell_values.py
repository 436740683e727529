"""Reads what a workbook stores for the cells of a row: their texts, and what they are besides text. No I/O."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from bulkreact import typed_cells
from bulkreact.models import CellType, ColumnType, TypedCell
from bulkreact.sheets.input.workbook.number_formats import is_date, is_duration
from bulkreact.sheets.input.workbook.workbook_parts import damage_error
from bulkreact.sheets.input.workbook.xml_text import resolve_escapes

_TEXTS = {"str", "inlineStr", "e"}
_TRUTH_VALUES = {"1": "TRUE", "true": "TRUE", "0": "FALSE", "false": "FALSE", "": ""}
# Amounts and dates repeat.
_MOST_CACHED = 200_000
# Excel's own format of dates, for those that are stored as text.
_DATE_FORMAT = 14

_ValueT = TypeVar("_ValueT")


class _Cache(dict[str, _ValueT]):
    """What was read, by what a workbook stores for it."""

    def __init__(self, read: Callable[[str], _ValueT]) -> None:
        self._read = read

    def __missing__(self, value: str) -> _ValueT:
        if len(self) > _MOST_CACHED:
            self.clear()
        result = self[value] = self._read(value)
        return result


class RowShape:
    """The columns of a row's cells that have values, in order, and what they are; most rows of a table have the same.

    ``types`` say how each cell is stored, and its number format. ``column_types`` are those of numbers, dates and truth
    values, ``text_columns`` the columns of texts. ``arranged`` has for each column of the sheet the index of its cell.
    """

    def __init__(self, columns: Sequence[int], types: Sequence[tuple[str, str | int]]) -> None:
        self.columns = tuple(columns)
        self.by_type: dict[str, list[int]] = {}
        self.column_types: list[ColumnType] = []
        self.text_columns: list[int] = []
        # For a cell that is missing there are empty texts behind the others.
        self.arranged = [len(columns)] * (columns[-1] + 1 if columns else 0)
        for index, (column, (stored, number_format)) in enumerate(zip(columns, types, strict=True)):
            self.arranged[column] = index
            name, kind = _classify(stored, number_format)
            self.by_type.setdefault(name, []).append(index)
            if kind is None:
                self.text_columns.append(column)
            else:
                has_format = name != "d" or is_date(number_format) or is_duration(number_format)
                shown = number_format if has_format else _DATE_FORMAT
                self.column_types.append(ColumnType(column, kind, shown))


class CellReader:
    """Reads the cells of a workbook with these shared texts."""

    def __init__(self, shared: Sequence[str], *, counts_from_1904: bool) -> None:
        self._shared = shared
        self._counts_from_1904 = counts_from_1904
        self._dates = {"date": _Cache(self._read_date), "duration": _Cache(self._read_duration)}
        self._readers: dict[str, Callable[[str], str]] = {
            "n": _Cache(typed_cells.format_number).__getitem__,
            "b": _Cache(_format_truth_value).__getitem__,
            "d": _Cache(typed_cells.format_iso_date).__getitem__,
            "text": resolve_escapes,
        }

    def read(self, shape: RowShape, rows: Sequence[Sequence[str]]) -> Iterator[tuple[tuple[str, ...], list[TypedCell]]]:
        """Yield the texts of rows from the first column of the sheet on, and the typed cells that these do not describe.

        They are read column by column, which takes half as long as row by row.
        """
        columns: list[Sequence[str]] = list(zip(*rows, strict=True))
        others: list[list[TypedCell]] = [[] for _ in rows]
        for name, indexes in shape.by_type.items():
            for index in indexes:
                if name == "s":
                    columns[index] = self._read_shared(columns[index])
                elif name in self._dates:
                    columns[index] = self._read_dates(shape, index, columns[index], self._dates[name], others)
                elif name != "n" or not typed_cells.are_short_numbers(columns[index]):
                    columns[index] = list(map(self._readers[name], columns[index]))
        columns.append([""] * len(rows))
        return zip(zip(*(columns[index] for index in shape.arranged), strict=True), others, strict=True)

    def _read_shared(self, values: Sequence[str]) -> list[str]:
        # A number below zero would count from the end.
        shared = () if "-" in "".join(values) else self._shared
        try:
            return [shared[int(value)] if value else "" for value in values]
        except (ValueError, IndexError):
            raise damage_error("a cell has a text that is missing") from None

    def _read_dates(
        self,
        shape: RowShape,
        index: int,
        values: Sequence[str],
        dates: "_Cache[tuple[str, str]]",
        others: Sequence[list[TypedCell]],
    ) -> Sequence[str]:
        """Return texts for dates or durations; add what is stored with more than the text says to the others of its row."""
        column = shape.columns[index]
        texts, stored = zip(*map(dates.__getitem__, values), strict=True)
        if any(stored):
            kind = next(kind for kind in shape.column_types if kind.column == column)
            for value, cells in zip(stored, others, strict=True):
                if value:
                    cells.append(TypedCell(column, value, kind.number_format))
        return texts

    def _read_date(self, value: str) -> tuple[str, str]:
        return self._with_stored(value, typed_cells.format_date(value, counts_from_1904=self._counts_from_1904))

    def _read_duration(self, value: str) -> tuple[str, str]:
        return self._with_stored(value, typed_cells.format_duration(value))

    def _with_stored(self, value: str, text: str) -> tuple[str, str]:
        """Return a text, and what is stored for it in a workbook that counts from 1900 if the text does not say that."""
        if not typed_cells.parse_cell(value, CellType.NUMBER):
            return text, ""
        stored = typed_cells.shift_date(value, text) if self._counts_from_1904 else value
        parsed = typed_cells.parse_cell(text, CellType.DATE)
        return text, "" if parsed and float(parsed) == float(stored) else stored


def _classify(stored: str, number_format: str | int) -> tuple[str, CellType | None]:
    """Return how cells are read whose type is ``stored`` in this way, and what they are, None for text."""
    if stored == "n":
        if is_duration(number_format):
            return "duration", CellType.DATE
        return ("date", CellType.DATE) if is_date(number_format) else ("n", CellType.NUMBER)
    if stored == "b":
        return "b", CellType.TRUTH_VALUE
    if stored == "d":
        return "d", CellType.DATE
    if stored == "s":
        return "s", None
    if stored in _TEXTS:
        return "text", None
    raise damage_error(f"a cell has the type {stored[:20]!r}")


def _format_truth_value(value: str) -> str:
    if value not in _TRUTH_VALUES:
        raise damage_error("a cell has a truth value that is neither true nor false")
    return _TRUTH_VALUES[value]
