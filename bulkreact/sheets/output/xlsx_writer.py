"""Writes workbooks row by row and atomically: text stays text whatever it looks like."""

import io
import os
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from bulkreact.atomic_write import drafting, remove_abandoned, replacing_bytes
from bulkreact.models import TypedCell
from bulkreact.sheets.cell_references import column_letters
from bulkreact.sheets.output.xlsx_text import escape

# The maximum of a sheet.
MOST_ROWS = 1_048_576
MOST_COLUMNS = 16_384
_TEXT_FORMAT = "@"
_HEADER_COLOUR = "D9E2EC"
# In points.
_LINE_HEIGHT = 15
# Column widths are computed from this many rows.
SAMPLE = 200
_NARROWEST, _WIDEST = 8, 60
# Between a cell's text and its borders, which spreadsheets count in what they store.
_PADDING = 5 / 7
# For the filter's button.
_BUTTON = 4
# A note's width in characters, and the width of one of them in pixels.
_NOTE_WIDTH, _NOTE_CHARACTER = 55, 6
# Excel refuses a file with a longer list.
LIST_LENGTH = 255

# What a text may not have in it to be written as it is, and how long it may be.
_SPECIAL = re.compile("[&<>\0-\x1f\ud800-\udfff\ufffe\uffff]|_x|^\\s|\\s$")
_SHORT = 16_000

_RowT = TypeVar("_RowT")


def take_sample(rows: Iterable[_RowT]) -> tuple[list[_RowT], Iterator[_RowT]]:
    """Return the first rows, for the column widths, and an iterator over all of them."""
    rest = iter(rows)
    sample = list(islice(rest, SAMPLE))
    return sample, chain(sample, rest)


def column_widths(
    names: Sequence[str], rows: Sequence[Sequence[str]], chosen: Sequence[float | None] = ()
) -> list[float]:
    """Return the widths of columns, in characters: those ``chosen`` for the first ones, else for their names and some rows."""
    widths: list[float] = []
    for index, name in enumerate(names):
        longest = max((len(row[index].partition("\n")[0]) for row in rows if index < len(row)), default=0)
        widths.append(min(max(len(name) + _BUTTON, longest + 2, _NARROWEST), _WIDEST))
    for index, width in enumerate(chosen[: len(names)]):
        if width is not None:
            widths[index] = width - _PADDING
    return widths


class SheetWriter:
    """One sheet of a workbook being written, row by row; its columns must be set before the first row.

    Rows are written as XML into XlsxWriter's own file for them: its methods for cells take five times as long.
    """

    def __init__(self, sheet: Any, formats: "_Formats", *, header_rows: int = 0) -> None:  # noqa: ANN401 - XlsxWriter has no types for it
        self._sheet = sheet
        self._formats = formats
        self._widths: list[float] = []
        self._header_rows = header_rows
        self._letters: list[str] = []
        self.rows = 0
        if header_rows:
            sheet.freeze_panes(header_rows, 0)
            sheet.repeat_rows(0, header_rows - 1)
        sheet.set_landscape()
        sheet.set_margins(left=0.25, right=0.25)
        sheet.fit_to_pages(1, 0)

    def freeze_columns(self, columns: int, *, zoom: int) -> None:
        """Keep the first columns visible when the sheet is scrolled, and show it at this size, in per cent."""
        self._sheet.freeze_panes(self._header_rows, columns)
        self._sheet.set_zoom(zoom)

    def print_first(self, columns: int) -> None:
        """Print only the first columns of the rows written so far: on a page as wide as all of them nothing could be read."""
        self._sheet.print_area(0, 0, self.rows - 1, columns - 1)

    def set_columns(self, widths: Iterable[float], *, text_columns: Collection[int] = ()) -> None:
        """Set the widths of columns, in characters; ``text_columns`` are text, also in rows added later."""
        self._widths = list(widths)
        for index, width in enumerate(self._widths):
            self._sheet.set_column(index, index, width, self._formats.text_column if index in text_columns else None)

    def add_header(self, names: Iterable[str]) -> None:
        """Write a row of column names, or a heading."""
        self.add_row(names, bold=True, colours=(_HEADER_COLOUR,))

    def add_row(
        self,
        cells: Iterable[str | int | TypedCell] = (),
        *,
        bold: bool = False,
        colours: tuple[str, ...] = ("",),
        wrap: bool = False,
    ) -> None:
        """Write a row: text as text, numbers as numbers, each in its colour; the last colour is used for the rest.

        With ``wrap`` text is wrapped, and the row is as high as needed.
        """
        self.rows += 1
        height = ""
        if wrap:
            cells = list(cells)
            lines = max(_line_count(str(cell), width) for cell, width in zip(cells, self._widths, strict=False))
            height = f' ht="{lines * _LINE_HEIGHT}" customHeight="1"'
        last = len(colours) - 1
        parts = [f'<row r="{self.rows}"{height}>']
        for index, value in enumerate(cells):
            colour = colours[min(index, last)]
            if value == "" and not colour:
                continue
            reference = f"{self._letter(index)}{self.rows}"
            if isinstance(value, str):
                style = self._formats.index(colour, bold, wrap, _TEXT_FORMAT)
                parts.append(f'<c r="{reference}" s="{style}" t="inlineStr"><is><t{_text(value)}</t></is></c>')
            elif isinstance(value, int):
                parts.append(f'<c r="{reference}" s="{self._formats.index(colour, bold, wrap, "")}"><v>{value}</v></c>')
            else:
                style = self._formats.index(colour, bold, wrap, value.number_format)
                kind = ' t="b"' if value.is_truth_value else ""
                parts.append(f'<c r="{reference}" s="{style}"{kind}><v>{value.value}</v></c>')
        parts.append("</row>")
        self._sheet.row_data_fh.write("".join(parts))

    def add_filter(self, columns: int) -> None:
        """Put a filter on the first row, over all rows written so far."""
        self._sheet.autofilter(0, 0, self.rows - 1, columns - 1)

    def add_note(self, column: int, text: str) -> None:
        """Put a note on a cell of the row that was written last."""
        lines = _line_count(text, _NOTE_WIDTH) + 1
        size = {"width": _NOTE_WIDTH * _NOTE_CHARACTER, "height": lines * _LINE_HEIGHT * 4 // 3}
        self._sheet.write_comment(self.rows - 1, column, escape(text), {"author": "bulkreact", **size})

    def add_choices(self, column: int, choices: Sequence[str] | str, *, first_row: int = 2) -> None:
        """Let the cells of a column, from a row to the one written last, be chosen from a list; they may stay empty.

        ``choices`` are at most LIST_LENGTH characters with commas between them, or the formula of a range with them.
        """
        source = choices if isinstance(choices, str) else list(choices)
        rule = {"validate": "list", "source": source, "error_type": "warning"}
        self._sheet.data_validation(first_row - 1, column, max(self.rows, first_row) - 1, column, rule)

    def finish(self) -> None:
        """Say how large the sheet has become; no row can be added afterwards."""
        if self.rows:
            sheet = self._sheet
            sheet.dim_rowmin, sheet.dim_rowmax = 0, self.rows - 1
            sheet.dim_colmin, sheet.dim_colmax = 0, max(len(self._letters), 1) - 1

    def _letter(self, index: int) -> str:
        while index >= len(self._letters):
            self._letters.append(column_letters(len(self._letters)))
        return self._letters[index]


def _text(text: str) -> str:
    """Return the rest of a text's element from the end of its opening tag's name on, and the text itself."""
    if not _SPECIAL.search(text) and len(text) <= _SHORT:
        return f">{text}"
    safe = escape(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f' xml:space="preserve">{safe}'


def _line_count(text: str, width: float) -> int:
    """Return how many lines a text takes in a cell of a width."""
    return sum(1 + int(len(line) // width) for line in text.split("\n"))


class _Formats:
    """The formats of a workbook's cells, each made once."""

    def __init__(self, book: Any) -> None:  # noqa: ANN401 - see above
        self._book = book
        self._indices: dict[tuple[str, bool, bool, str | int], int] = {}
        self.text_column = book.add_format({"num_format": _TEXT_FORMAT})

    def index(self, colour: str, bold: bool, wrap: bool, number_format: str | int) -> int:
        """Return the number of a format among the styles of the workbook."""
        key = colour, bold, wrap, number_format
        if key not in self._indices:
            properties = {"bold": bold, "valign": "top", "text_wrap": wrap}
            if number_format:
                properties["num_format"] = number_format
            if number_format != _TEXT_FORMAT:
                # Numbers keep a distance from the text to their right.
                properties |= {"align": "right", "indent": 1}
            if colour:
                properties["bg_color"] = f"#{colour}"
            self._indices[key] = self._book.add_format(properties)._get_xf_index()  # noqa: SLF001 - rows are written here
        return self._indices[key]


class _Target:
    """The file into which a workbook is packed; an abandoned archive still ends itself when it is deleted, in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, content: bytes) -> int:
        return self._file.write(content)

    def seek(self, position: int) -> int:
        return self._file.seek(position)

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        self._file.flush()

    def abandon(self) -> None:
        self._file = io.BytesIO()


class WorkbookWriter:
    """A workbook being written into a file; what it needs meanwhile is in a folder."""

    def __init__(self, file: BinaryIO, folder: Path) -> None:
        from xlsxwriter import Workbook  # noqa: PLC0415 - loaded only to write workbooks

        self._target = _Target(file)
        self._book = Workbook(self._target, {"constant_memory": True, "tmpdir": str(folder)})
        # Only parts above 4 GiB are written so.
        self._book.use_zip64()
        self._formats = _Formats(self._book)
        self._sheets: list[SheetWriter] = []
        self._book.set_properties({"author": "bulkreact"})

    def add_sheet(self, title: str, *, header_rows: int = 0) -> SheetWriter:
        """Add a sheet; its ``header_rows`` stay visible when it is scrolled."""
        self._sheets.append(SheetWriter(self._book.add_worksheet(title), self._formats, header_rows=header_rows))
        return self._sheets[-1]

    def save(self) -> None:
        """Write the workbook, or raise OSError; nothing can be added afterwards."""
        from xlsxwriter.exceptions import FileCreateError  # noqa: PLC0415 - see above

        for sheet in self._sheets:
            sheet.finish()
        try:
            self._book.close()
        except FileCreateError as error:
            # The library wraps what the system has refused.
            raise error.args[0] from None

    def abandon(self) -> None:
        """Close what was opened; what was written is discarded with its folder."""
        self._target.abandon()
        for sheet in self._book.worksheets():
            sheet.row_data_fh.close()


@contextmanager
def writing(path: Path, *, private: bool, complete: Callable[[Path], None] | None = None) -> Iterator[WorkbookWriter]:
    """Write a workbook as ``replacing_bytes`` writes a file."""
    with replacing_bytes(path, private=private, complete=complete) as file, _folder_for_sheets(path) as folder:
        book = WorkbookWriter(file, folder)
        try:
            yield book
            book.save()
        finally:
            book.abandon()


@contextmanager
def _folder_for_sheets(path: Path) -> Iterator[Path]:
    """Make a folder next to a workbook for the drafts of its sheets, and remove the one of a killed process."""
    folder = path.with_name(f".{path.name}.sheets.partial")
    remove_abandoned(folder)
    if os.path.lexists(folder):
        folder = path.with_name(f".{path.name}.sheets-{secrets.token_hex(4)}.partial")
    with drafting(folder):
        yield folder
