"""Reads from a sheet's XML what calamine does not report, and refuses what the two would understand differently."""

import re
import sys
from collections.abc import Callable, Mapping
from typing import IO
from xml.parsers import expat

from bulkreact.sheets.input.read_limits import ReadLimits
from bulkreact.sheets.input.workbook.workbook_messages import MergedRange
from bulkreact.sheets.input.workbook.workbook_parts import WorkbookRefusedError, damage_error

_BLOCK = 1 << 16
_REFERENCE = re.compile(r"([A-Za-z]{1,3})([1-9][0-9]{0,6})")
_ROW_NUMBER = re.compile(r"[1-9][0-9]{0,6}")
_MOST_ROWS, _MOST_COLUMNS = 1_048_576, 16_384
# calamine allocates all cells of the smallest rectangle: a large one with less than one value in twenty cells is refused.
_FEW_CELLS, _MOST_SPARSE = 2_000_000, 20
# A value of these types counts even if it is empty.
_TEXT_TYPES = {"s", "str", "d"}
_TYPED = {"n", "b"}
_TRUE = {"1", "true"}


class SheetStructure:
    """Rows and columns are counted from 0.

    ``hidden`` are the rows that are hidden or have no height, if they have cells. ``texts`` are, by row and column,
    error values like ``#N/A`` and formulas that were never calculated: calamine reads those as empty, so that a failed
    look-up would look like a cell that was never filled in. ``values`` is the number of cells that have one, and
    ``rectangle`` the smallest one around them. ``typed`` are, by row, the numbers and truth values in order, four items
    each: column, text, index of the style, and whether it is a truth value.
    """

    def __init__(self) -> None:
        self.hidden: set[int] = set()
        self.texts: dict[int, dict[int, str]] = {}
        self.merged: list[MergedRange] = []
        self.typed: dict[int, list[int | str]] = {}
        self.first_row = self.first_column = sys.maxsize
        self.last_row = self.last_column = -1
        self.values = self.filled_rows = 0

    @property
    def rectangle(self) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """Return the first and the last cell, None if no cell has a value."""
        if self.last_row < 0:
            return None
        return (self.first_row, self.first_column), (self.last_row, self.last_column)

    def check_size(self, sheet: str) -> None:
        """Refuse a sheet with a cell far away from the others."""
        rows, columns = self.last_row - self.first_row + 1, self.last_column - self.first_column + 1
        most = max(_FEW_CELLS, self.values * _MOST_SPARSE)
        if self.rectangle and rows * columns > most:
            raise WorkbookRefusedError(
                f"has in sheet {sheet!r} a cell far away from the others: row {self.last_row + 1}, column "
                f"{self.last_column + 1}. Delete it (in Excel, Ctrl+End goes there), or copy the table into a new sheet."
            )


def read_structure(part: IO[bytes], sheet: str, limits: ReadLimits) -> SheetStructure:
    """Return the structure of a sheet; WorkbookRefusedError if its rows and cells contradict each other.

    UnreadableError if it is larger than the limits allow.
    """
    structure = SheetStructure()
    scanner = _SheetScanner(structure, sheet)
    while block := part.read(_BLOCK):
        scanner.feed(block)
        # Formulas that were never calculated have no values.
        limits.check_rows(max(structure.filled_rows, len(structure.texts)))
    scanner.feed(b"", is_final=True)
    structure.check_size(sheet)
    if structure.rectangle:
        width = structure.last_column + 1
        limits.check("columns", width, "{} columns")
        limits.check("cells", width * (structure.last_row - structure.first_row + 1), "{} cells")
    return structure


class _Columns(dict[str, int]):
    """The column of its letters, counted from 0."""

    def __missing__(self, letters: str) -> int:
        number = 0
        for letter in letters.upper():
            number = number * 26 + ord(letter) - ord("A") + 1
        self[letters] = number - 1
        return number - 1


class _SheetScanner:
    """Follows the elements of a sheet as calamine does, which trusts a cell's reference before its row's number."""

    def __init__(self, structure: SheetStructure, sheet: str) -> None:
        self._structure = structure
        self._sheet = sheet
        self._columns = _Columns()
        self._handlers: dict[str, Callable[[Mapping[str, str]], None]] = {}
        self._rows: set[int] = set()
        # The number of the row element as calamine counts it, and the row that its cells have shown it to be.
        self._counted = self._previous = self._row = self._column = self._valued_row = -1
        # The row of the last cell as its reference writes it; no reference ends with a line break.
        self._digits = "\n"
        self._numbered = self._hidden = False
        self._type = self._style = ""
        self._text: list[str] = []
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._start_root

    def feed(self, block: bytes, *, is_final: bool = False) -> None:
        """Parse a part of the XML."""
        try:
            self._parser.Parse(block, is_final)
        except expat.ExpatError:
            raise damage_error(f"the XML of sheet {self._sheet!r} is broken") from None

    def _refuse_doctype(self, *_declaration: object) -> None:
        raise damage_error(f"sheet {self._sheet!r} defines entities of its own")

    def _start_root(self, name: str, _attributes: Mapping[str, str]) -> None:
        # All elements of a sheet have the prefix of its root, which is mostly none.
        prefix = name[: name.rfind(":") + 1]
        self._handlers = {
            f"{prefix}row": self._start_row,
            f"{prefix}c": self._start_cell,
            f"{prefix}v": self._start_value,
            f"{prefix}is": self._start_text,
            f"{prefix}f": self._start_formula,
            f"{prefix}mergeCell": self._start_merged,
        }
        self._parser.StartElementHandler = self._start

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if handler := self._handlers.get(name):
            handler(attributes)

    def _start_row(self, attributes: Mapping[str, str]) -> None:
        self._previous = self._counted if self._row < 0 else self._row
        self._numbered = "r" in attributes
        self._counted = self._number(attributes["r"]) if self._numbered else self._counted + 1
        self._row = self._column = -1
        self._digits = "\n"
        self._hidden = attributes.get("hidden") in _TRUE or _is_zero(attributes.get("ht"))

    def _start_cell(self, attributes: Mapping[str, str]) -> None:
        reference = attributes.get("r")
        if reference is None:
            row, column = self._counted, self._column + 1
        else:
            row, column = self._parse_reference(reference)
        if self._row != row:
            self._enter_row(row, reference)
        if column <= self._column:
            raise damage_error(f"the cells of row {row + 1} in sheet {self._sheet!r} are not in order, or occur twice")
        if row >= _MOST_ROWS or column >= _MOST_COLUMNS:
            raise damage_error(
                f"sheet {self._sheet!r} has a cell in row {row + 1}, column {column + 1}, where no sheet reaches"
            )
        self._column = column
        self._type = attributes.get("t", "n")
        self._style = attributes.get("s", "0")

    def _parse_reference(self, reference: str) -> tuple[int, int]:
        """Return the row and the column of a reference like ``AB12``."""
        # Most cells are in the row and in a column of an earlier one: that takes half the time.
        if (
            reference.endswith(self._digits)
            and (column := self._columns.get(reference[: -len(self._digits)])) is not None
        ):
            return self._row, column
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            raise damage_error(f"sheet {self._sheet!r} has a cell with the reference {reference[:20]!r}")
        self._digits = match[2]
        return int(self._digits) - 1, self._columns[match[1]]

    def _enter_row(self, row: int, reference: str | None) -> None:
        """Take note of the row that the first cell of a row element shows."""
        if self._row >= 0 or (self._numbered and row != self._counted):
            expected = self._counted if self._row < 0 else self._row
            cell = f"the cell {reference}" if reference else "a cell without a reference"
            raise damage_error(f"row {expected + 1} of sheet {self._sheet!r} has {cell}, which belongs to another row")
        if reference is None and not self._numbered and row != self._previous + 1:
            raise damage_error(f"a row of sheet {self._sheet!r} after row {self._previous + 1} has no number")
        if row in self._rows:
            raise damage_error(f"row {row + 1} of sheet {self._sheet!r} occurs twice")
        self._rows.add(row)
        self._row = row

    def _start_value(self, _attributes: Mapping[str, str]) -> None:
        if self._type in _TEXT_TYPES:
            self._add_value()
        else:
            # Programs that do not calculate write an empty value beside each formula.
            self._collect_text(self._end_value)

    def _start_text(self, _attributes: Mapping[str, str]) -> None:
        self._add_value()

    def _end_value(self, _name: str) -> None:
        text = self._end_text()
        if text:
            self._add_value()
        if text and self._type in _TYPED:
            # Flat, as a sheet may have millions of them.
            typed = self._structure.typed.setdefault(self._row, [])
            typed += (self._column, text, sys.intern(self._style), self._type == "b")
        elif text and self._type == "e":
            self._structure.texts.setdefault(self._row, {})[self._column] = text

    def _add_value(self) -> None:
        """Take note of a cell that calamine reads."""
        structure, row, column = self._structure, self._row, self._column
        if structure.texts:
            structure.texts.get(row, {}).pop(column, None)
        if row != self._valued_row:
            self._valued_row = row
            structure.filled_rows += 1
            structure.first_row, structure.last_row = min(structure.first_row, row), max(structure.last_row, row)
            if self._hidden:
                structure.hidden.add(row)
        structure.values += 1
        structure.first_column = min(structure.first_column, column)
        structure.last_column = max(structure.last_column, column)

    def _start_formula(self, _attributes: Mapping[str, str]) -> None:
        self._collect_text(self._end_formula)

    def _end_formula(self, _name: str) -> None:
        self._structure.texts.setdefault(self._row, {})[self._column] = f"={self._end_text()}"
        if self._hidden:
            self._structure.hidden.add(self._row)

    def _collect_text(self, end: Callable[[str], None]) -> None:
        """Collect the text of an element, and call ``end`` at its end."""
        self._text = []
        self._parser.CharacterDataHandler = self._text.append
        self._parser.EndElementHandler = end

    def _end_text(self) -> str:
        self._parser.CharacterDataHandler = self._parser.EndElementHandler = None
        return "".join(self._text)

    def _start_merged(self, attributes: Mapping[str, str]) -> None:
        corners = [_REFERENCE.fullmatch(corner) for corner in attributes.get("ref", "").split(":")]
        rows = [int(match[2]) - 1 for match in corners if match]
        columns = [self._columns[match[1]] for match in corners if match]
        if rows:
            self._structure.merged.append((min(rows), min(columns), max(rows), max(columns)))

    def _number(self, text: str) -> int:
        if not _ROW_NUMBER.fullmatch(text.strip()):
            raise damage_error(f"sheet {self._sheet!r} has a row with the number {text[:20]!r}")
        return int(text) - 1


def _is_zero(height: str | None) -> bool:
    """Return whether a row has no height, which hides it."""
    return height is not None and not height.strip("0.")
