"""Writes workbooks row by row and atomically: text stays text whatever it looks like."""

import os
import secrets
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from bulkreact.atomic_write import drafting, remove_abandoned, replacing_bytes
from bulkreact.sheets.output.xlsx_text import escape

# The maximum of a sheet.
MOST_ROWS = 1_048_576
MOST_COLUMNS = 16_384
_TEXT_FORMAT = "@"
_HEADER_COLOUR = "D9E2EC"
# In points.
_LINE_HEIGHT = 15
# Column widths are computed from this many rows.
_SAMPLE = 200
_NARROWEST, _WIDEST = 8, 60
# For the filter's button.
_BUTTON = 4

_RowT = TypeVar("_RowT")


def take_sample(rows: Iterable[_RowT]) -> tuple[list[_RowT], Iterator[_RowT]]:
    """Return the first rows, for the column widths, and an iterator over all of them."""
    rest = iter(rows)
    sample = list(islice(rest, _SAMPLE))
    return sample, chain(sample, rest)


def column_widths(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[int]:
    """Yield the widths of columns for their names and some rows, in characters."""
    for index, name in enumerate(names):
        longest = max((len(row[index].partition("\n")[0]) for row in rows if index < len(row)), default=0)
        yield min(max(len(name) + _BUTTON, longest + 2, _NARROWEST), _WIDEST)


class SheetWriter:
    """One sheet of a workbook being written into a draft; its columns must be set before the first row."""

    def __init__(self, sheet: Any, draft: Path, *, header_rows: int = 0) -> None:  # noqa: ANN401 - openpyxl ships no types
        from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 - loaded only to write workbooks

        self._sheet = sheet
        self._draft = str(draft)
        self._cell = WriteOnlyCell
        self._cells: dict[tuple[str, bool, bool, bool], Any] = {}
        self._widths: list[int] = []
        self.rows = 0
        if header_rows:
            sheet.freeze_panes = f"A{header_rows + 1}"
            sheet.print_title_rows = f"1:{header_rows}"
        sheet.page_setup.orientation = "landscape"
        sheet.page_setup.fitToHeight = 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True

    def set_columns(self, widths: Iterable[int], *, text_columns: int = 0) -> None:
        """Set the widths of columns, in characters; the first ``text_columns`` are text, also in rows added later."""
        from openpyxl.utils import get_column_letter  # noqa: PLC0415 - see above

        self._widths = list(widths)
        for number, width in enumerate(self._widths, 1):
            column = self._sheet.column_dimensions[get_column_letter(number)]
            column.width = width
            if number <= text_columns:
                column.number_format = _TEXT_FORMAT

    def add_header(self, names: Iterable[str]) -> None:
        """Write a row of column names, or a heading."""
        self.add_row(names, bold=True, colours=(_HEADER_COLOUR,))

    def add_row(
        self,
        cells: Iterable[str | int] = (),
        *,
        bold: bool = False,
        colours: tuple[str, ...] = ("",),
        wrap: bool = False,
    ) -> None:
        """Write a row: text as text, numbers as numbers, each in its colour; the last colour is used for the rest.

        With ``wrap`` text is wrapped, and the row is as high as needed.
        """
        if not self.rows:
            self._begin()
        self.rows += 1
        if wrap:
            cells = list(cells)
            lines = max(_line_count(str(cell), width) for cell, width in zip(cells, self._widths, strict=False))
            self._sheet.row_dimensions[self.rows].height = lines * _LINE_HEIGHT
        last = len(colours) - 1
        self._sheet.append(
            self._filled_cell(value, bold, colours[min(index, last)], wrap) for index, value in enumerate(cells)
        )

    def add_filter(self, columns: int) -> None:
        """Put a filter on the first row, over all rows written so far."""
        from openpyxl.utils import get_column_letter  # noqa: PLC0415 - see above

        self._sheet.auto_filter.ref = f"A1:{get_column_letter(columns)}{self.rows}"

    def _begin(self) -> None:
        """Let openpyxl write the sheet into the draft: its own temporary file would outlive a killed process."""
        from openpyxl.worksheet._writer import ALL_TEMP_FILES, WorksheetWriter  # noqa: PLC0415 - there is no public way

        ALL_TEMP_FILES.append(self._draft)
        self._sheet._writer = WorksheetWriter(self._sheet, self._draft)  # noqa: SLF001 - see above
        self._sheet._writer.write_top()  # noqa: SLF001 - see above

    def abandon(self) -> None:
        """Discard what was written of the sheet."""
        # openpyxl has no method for this; otherwise its generators complain on stderr when they are collected.
        writer = self._sheet._writer  # noqa: SLF001 - see above
        if self._sheet.closed or writer is None:
            return
        for generator in (self._sheet._rows, writer.xf):  # noqa: SLF001 - see above
            with suppress(OSError, StopIteration):
                if generator:
                    generator.close()
        writer.cleanup()

    def _filled_cell(self, value: str | int, bold: bool, colour: str, wrap: bool) -> Any:  # noqa: ANN401 - see above
        if value == "" and not colour:
            return None
        cell = self._styled_cell(colour, bold, wrap, isinstance(value, str))
        if isinstance(value, str):
            cell.value = escape(value)
            # Otherwise a text that begins with = would be calculated when the workbook is opened.
            cell.data_type = "s"
        else:
            cell.value = value
        return cell

    def _styled_cell(self, colour: str, bold: bool, wrap: bool, text: bool) -> Any:  # noqa: ANN401 - see above
        """Return the cell of a style; it is reused because each cell is written before the next is made."""
        key = colour, bold, wrap, text
        if key not in self._cells:
            from openpyxl.styles import Alignment, Font, PatternFill  # noqa: PLC0415 - see above

            cell = self._cells[key] = self._cell(self._sheet)
            cell.font = Font(bold=bold)
            # Numbers keep a distance from the text to their right.
            across = {} if text else {"horizontal": "right", "indent": 1}
            cell.alignment = Alignment(vertical="top", wrap_text=wrap, **across)
            if text:
                cell.number_format = _TEXT_FORMAT
            if colour:
                cell.fill = PatternFill("solid", fgColor=f"FF{colour}")
        return self._cells[key]


def _line_count(text: str, width: int) -> int:
    """Return how many lines a text takes in a cell of a width."""
    return sum(1 + len(line) // width for line in text.split("\n"))


class WorkbookWriter:
    """A workbook being written, with the drafts of its sheets in a folder."""

    def __init__(self, folder: Path) -> None:
        from openpyxl import Workbook  # noqa: PLC0415 - loaded only to write workbooks

        self._book = Workbook(write_only=True)
        self._folder = folder
        self._sheets: list[SheetWriter] = []

    def add_sheet(self, title: str, *, header_rows: int = 0) -> SheetWriter:
        """Add a sheet; its ``header_rows`` stay visible when it is scrolled."""
        draft = self._folder / f"{len(self._sheets) + 1}.xml"
        self._sheets.append(SheetWriter(self._book.create_sheet(title), draft, header_rows=header_rows))
        return self._sheets[-1]

    def save(self, archive: zipfile.ZipFile) -> None:
        """Write the workbook; nothing can be added afterwards."""
        from openpyxl.writer.excel import ExcelWriter  # noqa: PLC0415 - see above

        self._book.properties.creator = "bulkreact"
        self._book.properties.modified = datetime.now(UTC).replace(tzinfo=None)
        ExcelWriter(self._book, archive).write_data()

    def abandon(self) -> None:
        """Discard what was written."""
        for sheet in self._sheets:
            sheet.abandon()


@contextmanager
def writing(path: Path, *, private: bool, complete: Callable[[Path], None] | None = None) -> Iterator[WorkbookWriter]:
    """Write a workbook as ``replacing_bytes`` writes a file."""
    with replacing_bytes(path, private=private, complete=complete) as file, _folder_for_sheets(path) as folder:
        book = WorkbookWriter(folder)
        try:
            yield book
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                book.save(archive)
        except BaseException:
            book.abandon()
            raise


@contextmanager
def _folder_for_sheets(path: Path) -> Iterator[Path]:
    """Make a folder next to a workbook for the drafts of its sheets, and remove the one of a killed process."""
    folder = path.with_name(f".{path.name}.sheets.partial")
    remove_abandoned(folder)
    if os.path.lexists(folder):
        folder = path.with_name(f".{path.name}.sheets-{secrets.token_hex(4)}.partial")
    with drafting(folder):
        yield folder
