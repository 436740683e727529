"""Parses the XML of a sheet, and refuses rows and cells that contradict each other."""

import re
from collections.abc import Mapping

from msgspec import Struct

from bulkreact.sheets.input.workbook.workbook_messages import MergedRange
from bulkreact.sheets.input.workbook.workbook_parts import damage_error
from bulkreact.sheets.input.workbook.xml_text import XmlParser

_REFERENCE = re.compile(r"([A-Za-z]{1,3})([1-9][0-9]{0,6})")
_ROW_NUMBER = re.compile(r"[1-9][0-9]{0,6}")
_WIDTH = re.compile(r"[0-9]{1,3}(\.[0-9]+)?")
_MOST_WIDTH = 255
MOST_ROWS, MOST_COLUMNS = 1_048_576, 16_384
_TRUE = {"1", "true"}


class ParsedRow(Struct, gc=False):
    """A row as it is stored: for each cell that has a value its column, how it is stored, its style, and the value."""

    number: int
    is_hidden: bool
    columns: list[int]
    types: list[tuple[str, str]]
    values: list[str]


class ColumnWidth(Struct, frozen=True, gc=False):
    """The width of the columns from the ``first`` to the ``last``, in characters."""

    first: int
    last: int
    width: float


class SheetParser:
    """Parses a sheet; rows and columns are counted from 0. ``rows`` are those that were complete in the latest block.

    What is fed may lack rows, as long as ``skip_row`` says so. A formula that was never calculated is the text of its cell.
    """

    def __init__(self, sheet: str) -> None:
        self.rows: list[ParsedRow] = []
        self.merged: list[MergedRange] = []
        self.widths: list[ColumnWidth] = []
        self._sheet = sheet
        self._has_data = self._is_in_data = False
        self._open: ParsedRow | None = None
        # The number of the row element as it is counted, and the row that its cells have shown it to be.
        self._counted = self._previous = self._row = self._column = -1
        self._numbered = self._is_phonetic = False
        self._stored = self._style = self._formula = ""
        self._value: str | None = None
        self._text: list[str] = []
        start = {
            "sheetData": self._start_data,
            "row": self._start_row,
            "c": self._start_cell,
            "v": self._start_text,
            "t": self._start_text,
            "is": self._start_inline,
            "f": self._start_text,
            "rPh": self._start_phonetic,
            "col": self._start_width,
            "mergeCell": self._start_merged,
        }
        end = {
            "sheetData": self._end_data,
            "row": self._end_row,
            "c": self._end_cell,
            "v": self._end_value,
            "t": self._end_value,
            "f": self._end_formula,
            "rPh": self._end_phonetic,
        }
        self._parser = XmlParser(f"sheet {sheet!r}", start, end)

    @property
    def is_between_rows(self) -> bool:
        """Return whether the next row, if it begins with its tag, may be skipped."""
        parser = self._parser
        return self._is_in_data and self._open is None and parser.hides_nothing and not parser.prefix

    def feed(self, block: bytes, *, is_final: bool = False) -> None:
        """Parse some of the XML."""
        self.rows = []
        self._parser.feed(block, is_final=is_final)

    def skip_row(self, number: int) -> None:
        """Count a row that is not fed, and whose cells have its number."""
        self._counted = self._row = number

    def _start_data(self, _attributes: Mapping[str, str]) -> None:
        if self._has_data:
            raise damage_error(f"sheet {self._sheet!r} has two parts with rows")
        self._has_data = self._is_in_data = True

    def _end_data(self) -> None:
        self._is_in_data = False

    def _start_row(self, attributes: Mapping[str, str]) -> None:
        self._previous = self._counted if self._row < 0 else self._row
        self._numbered = "r" in attributes
        self._counted = self._number(attributes["r"]) if self._numbered else self._counted + 1
        self._row = self._column = -1
        self._open = ParsedRow(self._counted, hides_row(attributes), [], [], [])

    def _end_row(self) -> None:
        row, self._open = self._open, None
        if row is not None and row.columns:
            row.number = self._row
            self.rows.append(row)

    def _start_cell(self, attributes: Mapping[str, str]) -> None:
        reference = attributes.get("r")
        if reference is None:
            row, column = self._counted, self._column + 1
        elif match := _REFERENCE.fullmatch(reference):
            row, column = int(match[2]) - 1, column_number(match[1])
        else:
            raise damage_error(f"sheet {self._sheet!r} has a cell with the reference {reference[:20]!r}")
        if self._row != row:
            self._enter_row(row, reference)
        if column <= self._column:
            raise damage_error(f"the cells of row {row + 1} in sheet {self._sheet!r} are not in order, or occur twice")
        if row >= MOST_ROWS or column >= MOST_COLUMNS:
            raise damage_error(
                f"sheet {self._sheet!r} has a cell in row {row + 1}, column {column + 1}, where no sheet reaches"
            )
        self._column = column
        self._stored, self._style = attributes.get("t", "n"), attributes.get("s", "0")
        self._formula, self._value = "", None

    def _enter_row(self, row: int, reference: str | None) -> None:
        """Take note of the row that the first cell of a row element shows."""
        if self._row >= 0 or (self._numbered and row != self._counted):
            expected = self._counted if self._row < 0 else self._row
            cell = f"the cell {reference}" if reference else "a cell without a reference"
            raise damage_error(f"row {expected + 1} of sheet {self._sheet!r} has {cell}, which belongs to another row")
        if reference is None and not self._numbered and row != self._previous + 1:
            raise damage_error(f"a row of sheet {self._sheet!r} after row {self._previous + 1} has no number")
        self._row = row

    def _end_cell(self) -> None:
        if self._formula and not self._value and (self._value is None or self._stored != "str"):
            self._stored, self._value = "str", self._formula
        if self._value and self._open is not None:
            self._open.columns.append(self._column)
            self._open.types.append((self._stored, self._style))
            self._open.values.append(self._value)

    def _start_inline(self, _attributes: Mapping[str, str]) -> None:
        self._stored = "inlineStr"

    def _start_text(self, _attributes: Mapping[str, str]) -> None:
        self._text = []
        self._parser.collect(None if self._is_phonetic else self._text)

    def _end_value(self) -> None:
        self._parser.collect(None)
        self._value = (self._value or "") + "".join(self._text)

    def _end_formula(self) -> None:
        self._parser.collect(None)
        self._formula = f"={''.join(self._text)}"

    def _start_phonetic(self, _attributes: Mapping[str, str]) -> None:
        self._is_phonetic = True

    def _end_phonetic(self) -> None:
        self._is_phonetic = False

    def _start_width(self, attributes: Mapping[str, str]) -> None:
        first, last, width = (attributes.get(name, "") for name in ("min", "max", "width"))
        # A hidden column has none.
        if first.isdecimal() and last.isdecimal() and _WIDTH.fullmatch(width) and 1 <= float(width) <= _MOST_WIDTH:
            self.widths.append(ColumnWidth(int(first) - 1, int(last) - 1, float(width)))

    def _start_merged(self, attributes: Mapping[str, str]) -> None:
        corners = [_REFERENCE.fullmatch(corner) for corner in attributes.get("ref", "").split(":")]
        rows = [int(match[2]) - 1 for match in corners if match]
        columns = [column_number(match[1]) for match in corners if match]
        if rows:
            self.merged.append((min(rows), min(columns), max(rows), max(columns)))

    def _number(self, text: str) -> int:
        if not _ROW_NUMBER.fullmatch(text.strip()):
            raise damage_error(f"sheet {self._sheet!r} has a row with the number {text[:20]!r}")
        return int(text) - 1


def hides_row(attributes: Mapping[str, str]) -> bool:
    """Return whether the attributes of a row hide it: it is hidden, or has no height."""
    height = attributes.get("ht")
    return attributes.get("hidden") in _TRUE or (height is not None and not height.strip("0."))


def column_number(letters: str) -> int:
    """Return the number of a column, counted from 0: A, Z, AA."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1
