"""Writes workbooks: row by row, texts as texts whatever they look like, the file whole or not at all."""

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bulkreact.atomic_write import replacing_bytes
from bulkreact.sheets.output.xlsx_text import escape

TEXT = "@"
# What a sheet has room for.
MOST_ROWS = 1_048_576
MOST_COLUMNS = 16_384
# In points.
_LINE_HEIGHT = 15


class SheetWriter:
    """One sheet of a workbook that is being written; what concerns its columns must be said before the first row."""

    def __init__(self, sheet: Any, *, header_rows: int = 0) -> None:  # noqa: ANN401 - openpyxl ships no types
        from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 - loaded only to write workbooks

        self._sheet = sheet
        self._cell = WriteOnlyCell
        self._made: dict[tuple[str, bool, bool, bool], Any] = {}
        self._widths: list[int] = []
        self.rows = 0
        if header_rows:
            sheet.freeze_panes = f"A{header_rows + 1}"
            sheet.print_title_rows = f"1:{header_rows}"
        sheet.page_setup.orientation = "landscape"
        sheet.page_setup.fitToHeight = 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True

    def set_columns(self, widths: Iterable[int], *, text_columns: int = 0) -> None:
        """Set the widths of the columns, in characters; the first ``text_columns`` are for text, however many rows they get."""
        from openpyxl.utils import get_column_letter  # noqa: PLC0415 - see above

        self._widths = list(widths)
        for number, width in enumerate(self._widths, 1):
            column = self._sheet.column_dimensions[get_column_letter(number)]
            column.width = width
            if number <= text_columns:
                column.number_format = TEXT

    def add_row(
        self, cells: Iterable[str | int], *, bold: bool = False, colours: tuple[str, ...] = ("",), wrap: bool = False
    ) -> None:
        """Write a row: texts as text cells, numbers as numbers, each in its colour; the last colour holds for the rest.

        Where texts ``wrap``, the row is as high as they need.
        """
        self.rows += 1
        if wrap:
            cells = list(cells)
            lines = max(_lines(str(cell), width) for cell, width in zip(cells, self._widths, strict=False))
            self._sheet.row_dimensions[self.rows].height = lines * _LINE_HEIGHT
        last = len(colours) - 1
        self._sheet.append(
            self._styled(value, bold, colours[min(place, last)], wrap) for place, value in enumerate(cells)
        )

    def add_filter(self, columns: int) -> None:
        """Put a filter on the first row, over all the rows written so far."""
        from openpyxl.utils import get_column_letter  # noqa: PLC0415 - see above

        self._sheet.auto_filter.ref = f"A1:{get_column_letter(columns)}{self.rows}"

    def abandon(self) -> None:
        """Give up what was written of the sheet, with the temporary file that openpyxl keeps it in."""
        # openpyxl has no word for this; left alone, its generators complain on stderr when they are collected.
        writer = self._sheet._writer  # noqa: SLF001 - see above
        if self._sheet.closed or writer is None:
            return
        for generator in (self._sheet._rows, writer.xf):  # noqa: SLF001 - see above
            with suppress(OSError, StopIteration):
                if generator:
                    generator.close()
        Path(writer.out).unlink(missing_ok=True)

    def _styled(self, value: str | int, bold: bool, colour: str, wrap: bool) -> Any:  # noqa: ANN401 - openpyxl ships no types
        if value == "" and not colour:
            return None
        cell = self._blank(colour, bold, wrap, isinstance(value, str))
        if isinstance(value, str):
            cell.value = escape(value)
            # Otherwise what begins with = would be calculated when the workbook is opened.
            cell.data_type = "s"
        else:
            cell.value = value
        return cell

    def _blank(self, colour: str, bold: bool, wrap: bool, text: bool) -> Any:  # noqa: ANN401 - openpyxl ships no types
        """Return a cell of a style; there is one of each, since a cell is written before the next one is made."""
        key = colour, bold, wrap, text
        if key not in self._made:
            from openpyxl.styles import Alignment, Font, PatternFill  # noqa: PLC0415 - see above

            cell = self._made[key] = self._cell(self._sheet)
            cell.font = Font(bold=bold)
            # Numbers keep a distance from the words at their right.
            across = {} if text else {"horizontal": "right", "indent": 1}
            cell.alignment = Alignment(vertical="top", wrap_text=wrap, **across)
            if text:
                cell.number_format = TEXT
            if colour:
                cell.fill = PatternFill("solid", fgColor=f"FF{colour}")
        return self._made[key]


def _lines(text: str, width: int) -> int:
    """Return how many lines a text takes in a cell of a width."""
    return sum(1 + len(line) // width for line in text.split("\n"))


class WorkbookWriter:
    """A workbook that is being written."""

    def __init__(self) -> None:
        from openpyxl import Workbook  # noqa: PLC0415 - loaded only to write workbooks

        self._book = Workbook(write_only=True)
        self._sheets: list[SheetWriter] = []

    def add_sheet(self, title: str, *, header_rows: int = 0) -> SheetWriter:
        """Add a sheet; its first rows stay in sight when they are ``header_rows``."""
        self._sheets.append(SheetWriter(self._book.create_sheet(title), header_rows=header_rows))
        return self._sheets[-1]

    def save(self, archive: zipfile.ZipFile) -> None:
        """Write it; no more can be added then."""
        from openpyxl.writer.excel import ExcelWriter  # noqa: PLC0415 - see above

        self._book.properties.creator = "bulkreact"
        self._book.properties.modified = datetime.now(UTC).replace(tzinfo=None)
        ExcelWriter(self._book, archive).write_data()

    def abandon(self) -> None:
        """Give up what was written."""
        for sheet in self._sheets:
            sheet.abandon()


@contextmanager
def writing(path: Path, *, private: bool) -> Iterator[WorkbookWriter]:
    """Make a workbook, and put it in its place when it is complete.

    ``private`` ones get mode 0600, others follow the umask. Raises OSError, leaving an older file untouched.
    """
    with replacing_bytes(path, private=private) as file:
        book = WorkbookWriter()
        try:
            yield book
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                book.save(archive)
        except BaseException:
            book.abandon()
            raise
