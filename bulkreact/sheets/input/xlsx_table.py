"""Tables in Excel workbooks: the sheet with the columns, its cells as text, in chunks."""

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
from bulkreact.sheets.input.csv_scan import TITLE_LINES, HeaderTest

_CHUNK_ROWS = 20_000
# Of a larger whole number, a spreadsheet has kept the first digits alone.
_EXACT = 1e15
# More than a full sheet of thirty columns has.
_MOST_CELLS = 32_000_000
_BOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"

_BROKEN = (
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
    """A table in a workbook: of the sheet that is named, else of the first visible one whose header is ``wanted``.

    ``hidden`` says what becomes of hidden rows with data: ``include`` or ``skip``; without it they are refused.
    InputRefusedError when there is no such table. ``remark`` is empty: nothing is guessed. Cells are never guarded:
    those of a workbook are texts without that.
    """

    remark = ""
    guarded = False
    from_spreadsheet = True

    def __init__(
        self, path: Path, name: str, wanted: HeaderTest, *, sheet: str | None = None, hidden: str | None = None
    ) -> None:
        self._name = name
        try:
            book = CalamineWorkbook.from_path(path)
            chosen = _chosen(book, path, name, wanted, sheet)
        except _BROKEN as error:
            why = str(error) or type(error).__name__
            raise InputRefusedError(
                f"{name} is no Excel workbook that could be read ({why}). Save it again as .xlsx, or as 'CSV UTF-8'."
            ) from None
        self._sheet, marks, self._header_at, header = chosen
        self._errors = marks.errors
        self._skipped = self._hidden(marks.hidden, hidden)
        self._columns = self._used(header)
        self.header = tuple(header[place] if place < len(header) else "" for place in self._columns)

    def chunks(self) -> Iterator[pd.DataFrame]:
        """Yield the rows below the header; their index is the row that a spreadsheet shows, counted from 0."""
        rows = ((number, cells) for number, cells in self._data() if number not in self._skipped)
        while part := list(islice(rows, _CHUNK_ROWS)):
            table = [[cells[place] if place < len(cells) else "" for place in self._columns] for _, cells in part]
            yield pd.DataFrame(table, index=[number for number, _ in part], dtype=str)

    def _data(self) -> Iterator[tuple[int, list[str]]]:
        for number, cells in islice(_rows(self._sheet), self._header_at + 1, None):
            for place, error in self._errors.get(number, {}).items():
                cells[place] = error
            yield number, cells

    def _used(self, header: list[str]) -> list[int]:
        """Return the places of the columns that have a name or a cell, and of all between them."""
        used = {place for place, name in enumerate(header) if name.strip()}
        for _, cells in self._data():
            if len(cells) > max(used, default=-1) + 1 or min(used, default=0):
                used.update(place for place, cell in enumerate(cells) if place not in used and cell.strip())
        return list(range(min(used), max(used) + 1)) if used else []

    def _hidden(self, found: set[int], hidden: str | None) -> set[int]:
        """Return the rows that are to be skipped; nobody's rows are sent or left out by accident."""
        if not found:
            return set()
        with_data = [number for number, cells in self._data() if number in found and any(one.strip() for one in cells)]
        if with_data and hidden is None:
            raise InputRefusedError(
                f"{self._name}, sheet {self._sheet.name!r}, has {len(with_data):,} hidden rows with data; the first is "
                f"row {with_data[0] + 1}. Say whether they are meant: --hidden-rows include or --hidden-rows skip."
            )
        return set(with_data) if hidden == "skip" else set()


def _chosen(
    book: CalamineWorkbook, path: Path, name: str, wanted: HeaderTest, sheet: str | None
) -> "tuple[CalamineSheet, _Marks, int, list[str]]":
    """Return a sheet, what calamine does not tell of it, where its header is, and the header."""
    names = [one.name for one in book.sheets_metadata if one.visible is SheetVisibleEnum.Visible]
    if sheet is not None:
        if sheet not in book.sheet_names:
            raise InputRefusedError(f"{name} has no sheet {sheet!r}; it has: {', '.join(map(repr, book.sheet_names))}.")
        names = [sheet]
    first: tuple[CalamineSheet, _Marks, int, list[str]] | None = None
    for one in names or book.sheet_names[:1]:
        marks = _marks(path, one)
        if marks.cells > _MOST_CELLS:
            # calamine would make room for all that lies between.
            raise InputRefusedError(
                f"{name}, sheet {one!r}, has a cell far away from the others: row {marks.last_row + 1}, column "
                f"{marks.last_place + 1}. Delete it (in Excel, Ctrl+End goes there), or copy the table into a new sheet."
            )
        found = book.get_sheet_by_name(one)
        titles = ((number, cells) for number, cells in _rows(found) if any(cell.strip() for cell in cells))
        for number, cells in islice(titles, TITLE_LINES + 1):
            first = first or (found, marks, number, cells)
            if wanted(cells):
                return found, marks, number, cells
    return first or (found, marks, 0, [])


def _rows(sheet: CalamineSheet) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a sheet with their numbers, counted from 0; cells as texts."""
    if sheet.start is None:
        return
    left = [""] * sheet.start[1]
    for number, cells in enumerate(sheet.iter_rows()):
        yield number, left + [_text(cell) for cell in cells]


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


class _Marks(ContentHandler):
    """Listens to the XML of a sheet for what calamine does not tell; rows and places are counted from 0.

    Rows that are hidden, and by row and place the errors, like ``#N/A``, that a formula came to: calamine has nothing
    in their place, so that a look-up that failed would pass for a cell that nobody has filled.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hidden: set[int] = set()
        self.errors: dict[int, dict[int, str]] = {}
        self.last_row = self.last_place = -1
        self._first_row = self._first_place = sys.maxsize
        self._row = self._place = -1
        self._in_error = self._in_value = False

    @property
    def cells(self) -> int:
        """Return how many cells the rectangle has in which everything stands."""
        if self.last_row < 0:
            return 0
        return (self.last_row - self._first_row + 1) * (self.last_place - self._first_place + 1)

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - the interface's name
        match name.rpartition(":")[2]:
            case "row":
                self._row = int(attrs["r"]) - 1 if "r" in attrs else self._row + 1
                self._place = -1
                if attrs.get("hidden") in {"1", "true"}:
                    self.hidden.add(self._row)
            case "c":
                self._place = _place(attrs["r"]) if "r" in attrs else self._place + 1
                self._in_error = attrs.get("t") == "e"
            case "v" | "is" as child:
                self._in_value = self._in_error and child == "v"
                self.last_row, self.last_place = max(self.last_row, self._row), max(self.last_place, self._place)
                self._first_row = min(self._first_row, self._row)
                self._first_place = min(self._first_place, self._place)

    def characters(self, content: str) -> None:
        if self._in_value:
            errors = self.errors.setdefault(self._row, {})
            errors[self._place] = errors.get(self._place, "") + content

    def endElement(self, _name: str) -> None:  # noqa: N802 - the interface's name
        self._in_value = False


def _place(reference: str) -> int:
    """Return the place of a cell like ``AB12`` in its row, counted from 0."""
    place = 0
    for letter in reference.upper().rstrip("0123456789"):
        place = place * 26 + ord(letter) - ord("A") + 1
    return place - 1


def _marks(path: Path, sheet: str) -> _Marks:
    marks = _Marks()
    with zipfile.ZipFile(path) as archive, archive.open(_part(archive, sheet)) as part:
        parse(part, marks)
    return marks


def _part(archive: zipfile.ZipFile, sheet: str) -> str:
    """Return the file in a workbook that holds a sheet."""
    book = fromstring(archive.read(_BOOK))
    # By their local names: the strict form of the format has other name spaces.
    sheets = (one for one in book.iter() if one.tag.endswith("}sheet") and one.get("name") == sheet)
    relation = next(value for one in sheets for name, value in one.attrib.items() if name.endswith("}id"))
    relations = fromstring(archive.read(_RELATIONS))
    target = next(one.attrib["Target"] for one in relations if one.get("Id") == relation)
    return target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join("xl", target))
