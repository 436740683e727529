"""Reads tables in Excel workbooks in chunks, all cells as text."""

import posixpath
import sys
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from xml.etree.ElementTree import ParseError
from xml.sax import SAXException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

import pandas as pd
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from defusedxml.sax import parse
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum

from bulkreact.errors import InputRefusedError
from bulkreact.sheets.columns import HeaderRule
from bulkreact.sheets.input.header_search import FoundHeader, find_header

_CHUNK_ROWS = 20_000
# Spreadsheets keep only the first digits of larger whole numbers.
_EXACT = 1e15
# More than a full sheet of thirty columns has.
_MOST_CELLS = 32_000_000
_BOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"

_CORRUPT = (
    CalamineError,
    DefusedXmlException,
    ParseError,
    SAXException,
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    StopIteration,
    ValueError,
)

Cell = str | float | bool | date | datetime | time | timedelta


class WorkbookTable:
    """A table in the named sheet of a workbook, or in the first visible sheet with a header that follows the rule.

    ``hidden`` decides about hidden rows with data: ``include`` or ``skip``; without it the workbook is refused.
    InputRefusedError if there is no such table. Results in a workbook have no formula guard, and nothing is guessed.
    """

    remark = ""
    guarded = False
    from_spreadsheet = True

    def __init__(
        self, path: Path, name: str, rule: HeaderRule, *, sheet: str | None = None, hidden: str | None = None
    ) -> None:
        self._name = name
        try:
            book = CalamineWorkbook.from_path(path)
            self._sheet, details, self.found = _find_table(book, path, name, rule, sheet)
        except _CORRUPT as error:
            reason = str(error) or type(error).__name__
            raise InputRefusedError(
                f"{name} is no Excel workbook that could be read ({reason}). Save it again as .xlsx, or as 'CSV UTF-8'."
            ) from None
        self._errors = details.errors
        self._skipped = self._rows_to_skip(details.hidden, hidden)
        header = list(self.found.cells) if self.found else []
        self._columns = self._used_columns(header)
        self.header = tuple(header[index] if index < len(header) else "" for index in self._columns)

    def chunks(self) -> Iterator[pd.DataFrame]:
        """Yield the rows below the header; their index is the row that a spreadsheet shows, counted from 0."""
        rows = ((number, cells) for number, cells in self._data() if number not in self._skipped)
        while chunk := list(islice(rows, _CHUNK_ROWS)):
            table = [[cells[index] if index < len(cells) else "" for index in self._columns] for _, cells in chunk]
            yield pd.DataFrame(table, index=[number for number, _ in chunk], dtype=str)

    def _data(self) -> Iterator[tuple[int, list[str]]]:
        for number, cells in islice(_rows(self._sheet), self.found.number if self.found else 1, None):
            for index, error in self._errors.get(number, {}).items():
                cells[index] = error
            yield number, cells

    def _used_columns(self, header: list[str]) -> list[int]:
        """Return the indexes from the first to the last column with a name or a cell."""
        used = {index for index, name in enumerate(header) if name.strip()}
        for _, cells in self._data():
            if len(cells) > max(used, default=-1) + 1 or min(used, default=0):
                used.update(index for index, cell in enumerate(cells) if index not in used and cell.strip())
        return list(range(min(used), max(used) + 1)) if used else []

    def _rows_to_skip(self, numbers: set[int], hidden: str | None) -> set[int]:
        """Return the hidden rows to skip; InputRefusedError if there are some and the user has not decided."""
        if not numbers:
            return set()
        with_data = [number for number, cells in self._data() if number in numbers and any(map(str.strip, cells))]
        if with_data and hidden is None:
            raise InputRefusedError(
                f"{self._name}, sheet {self._sheet.name!r}, has {len(with_data):,} hidden rows with data; the first is "
                f"row {with_data[0] + 1}. Say whether they are meant: --hidden-rows include or --hidden-rows skip."
            )
        return set(with_data) if hidden == "skip" else set()


def _find_table(
    book: CalamineWorkbook, path: Path, name: str, rule: HeaderRule, sheet: str | None
) -> "tuple[CalamineSheet, _SheetDetails, FoundHeader | None]":
    """Return a sheet, its details, and the row that is its header, or the one most similar to one."""
    titles = [metadata.name for metadata in book.sheets_metadata if metadata.visible is SheetVisibleEnum.Visible]
    if sheet is not None:
        if sheet not in book.sheet_names:
            raise InputRefusedError(f"{name} has no sheet {sheet!r}; it has: {', '.join(map(repr, book.sheet_names))}.")
        titles = [sheet]
    best: tuple[CalamineSheet, _SheetDetails, FoundHeader] | None = None
    for title in titles or book.sheet_names[:1]:
        details = _read_details(path, title)
        if details.cells > _MOST_CELLS:
            # calamine would allocate all cells in between.
            raise InputRefusedError(
                f"{name}, sheet {title!r}, has a cell far away from the others: row {details.last_row + 1}, column "
                f"{details.last_column + 1}. Delete it (in Excel, Ctrl+End goes there), or copy the table into a new sheet."
            )
        content = book.get_sheet_by_name(title)
        found = find_header(((number + 1, cells) for number, cells in _rows(content)), rule)
        if found and (best is None or (found.complete, found.known) > (best[2].complete, best[2].known)):
            best = content, details, found
        if found and found.complete:
            break
    return best or (content, details, None)


def _rows(sheet: CalamineSheet) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a sheet with their numbers, counted from 0; cells as text."""
    if sheet.start is None:
        return
    left = [""] * sheet.start[1]
    for number, cells in enumerate(sheet.iter_rows()):
        yield number, left + list(map(_text, cells))


def _text(cell: Cell) -> str:
    """Return a cell as it would be typed: whole numbers without a point, dates as ISO 8601."""
    match cell:
        case str():
            return cell
        case bool():
            return "TRUE" if cell else "FALSE"
        case int() | float():
            return str(int(cell)) if float(cell).is_integer() and abs(cell) < _EXACT else repr(float(cell))
        case datetime():
            return cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep=" ")
        case _:
            return cell.isoformat() if isinstance(cell, date | time) else str(cell)


class _SheetDetails(ContentHandler):
    """Collects from a sheet's XML what calamine does not report; rows and columns are counted from 0.

    These are hidden rows and, by row and column, error values like ``#N/A``: calamine reads those as empty, so that a
    failed look-up would look like a cell that was never filled in.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hidden: set[int] = set()
        self.errors: dict[int, dict[int, str]] = {}
        self.last_row = self.last_column = -1
        self._first_row = self._first_column = sys.maxsize
        self._row = self._column = -1
        self._in_error = self._in_value = False

    @property
    def cells(self) -> int:
        """Return the number of cells in the smallest rectangle around all values."""
        if self.last_row < 0:
            return 0
        return (self.last_row - self._first_row + 1) * (self.last_column - self._first_column + 1)

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - the interface's name
        match name.rpartition(":")[2]:
            case "row":
                self._row = int(attrs["r"]) - 1 if "r" in attrs else self._row + 1
                self._column = -1
                if attrs.get("hidden") in {"1", "true"}:
                    self.hidden.add(self._row)
            case "c":
                self._column = _column_index(attrs["r"]) if "r" in attrs else self._column + 1
                self._in_error = attrs.get("t") == "e"
            case "v" | "is" as child:
                self._in_value = self._in_error and child == "v"
                self.last_row, self.last_column = max(self.last_row, self._row), max(self.last_column, self._column)
                self._first_row = min(self._first_row, self._row)
                self._first_column = min(self._first_column, self._column)

    def characters(self, content: str) -> None:
        if self._in_value:
            errors = self.errors.setdefault(self._row, {})
            errors[self._column] = errors.get(self._column, "") + content

    def endElement(self, _name: str) -> None:  # noqa: N802 - the interface's name
        self._in_value = False


def _column_index(reference: str) -> int:
    """Return the column of a cell like ``AB12``, counted from 0."""
    number = 0
    for letter in reference.upper().rstrip("0123456789"):
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _read_details(path: Path, sheet: str) -> _SheetDetails:
    details = _SheetDetails()
    with zipfile.ZipFile(path) as archive, archive.open(_part_name(archive, sheet)) as part:
        parse(part, details)
    return details


def _part_name(archive: zipfile.ZipFile, sheet: str) -> str:
    """Return the name of a sheet's file in a workbook."""
    book = fromstring(archive.read(_BOOK))
    # By local names: the strict variant of the format has other name spaces.
    sheets = (element for element in book.iter() if element.tag.endswith("}sheet") and element.get("name") == sheet)
    relation = next(value for element in sheets for name, value in element.attrib.items() if name.endswith("}id"))
    relations = fromstring(archive.read(_RELATIONS))
    target = next(element.attrib["Target"] for element in relations if element.get("Id") == relation)
    return target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join("xl", target))
