"""The table in a file: what readers of rows may rely on, whether it is text or a workbook, and how it is opened."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pandas as pd

from bulkreact.errors import FileRefusedError, RefusalCode, RefusalFacts
from bulkreact.models import ColumnType
from bulkreact.sheets.columns import ColumnError, ColumnLayout, HeaderRule, find_layout
from bulkreact.sheets.input import guid_cells
from bulkreact.sheets.input.carried_types import CellTypes
from bulkreact.sheets.input.file_formats import detect_format
from bulkreact.sheets.input.header_search import FoundHeader
from bulkreact.sheets.input.input_options import InputOptions
from bulkreact.sheets.input.text.csv_scan import CutOffRow
from bulkreact.sheets.input.text.csv_table import TextTable
from bulkreact.sheets.input.workbook.xlsx_table import WorkbookTable


class Table(Protocol):
    """The table in a file, as text."""

    @property
    def header(self) -> tuple[str, ...]:
        """Return the names of the columns, empty if the file has no content."""
        ...

    @property
    def found(self) -> FoundHeader | None:
        """Return where the header is, None if the file has no content."""
        ...

    @property
    def cut_off(self) -> CutOffRow | None:
        """Return the last row if the file ends within it."""
        ...

    @property
    def remark(self) -> str:
        """Return what was guessed about the file, empty if nothing that matters to the user."""
        ...

    @property
    def guarded(self) -> bool:
        """Return whether results files of this type have the formula guard."""
        ...

    @property
    def common_types(self) -> tuple[ColumnType, ...] | None:
        """Return the types of columns that say all of the rows of the chunk that was read last; None if there are none."""
        ...

    @property
    def from_spreadsheet(self) -> bool:
        """Return whether a spreadsheet program probably saved the file."""
        ...

    @property
    def widths(self) -> Sequence[float | None]:
        """Return the widths of the columns as the sender chose them, as far as the file has some."""
        ...

    @property
    def first_column(self) -> int:
        """Return which column of the sheet the first one is, counted from 0."""
        ...

    @property
    def sheet(self) -> str | None:
        """Return the name of the sheet, None for text."""
        ...

    @property
    def sheets(self) -> tuple[str, ...]:
        """Return the names of all sheets, none for text."""
        ...

    @property
    def delimiter(self) -> str | None:
        """Return what separates the cells of a text, None for a workbook."""
        ...

    @property
    def encoding(self) -> str | None:
        """Return Python's name of a text's encoding, None for a workbook."""
        ...

    def merged_range(self, number: int, index: int) -> str:
        """Return the merged cells to which a cell belongs, like ``A2:A5``, empty if to none."""
        ...

    def cell_types(self, number: int) -> CellTypes:
        """Return what the cells of a row of the chunk that was read last are besides text; nothing of a text."""
        ...

    def chunks(self) -> Iterator[pd.DataFrame]:
        """Yield the rows below the header; their index is the row that a spreadsheet shows, counted from 0."""
        ...


def open_table(path: Path, name: str, options: InputOptions, rule: HeaderRule) -> Table:
    """Return the table in a file; FileRefusedError if the file has none, or has ids above or inside its header."""
    table = _open(path, name, options, rule)
    if table.found and table.found.problem:
        raise FileRefusedError.plain(f"{name}: {table.found.problem}.")
    return table


def header_error(name: str, table: Table, error: ColumnError) -> FileRefusedError:
    """Return the refusal of a table whose header does not name the columns."""
    header = f"{name}, row {table.found.number}" if table.found else name
    code = RefusalCode.MISSING_COLUMNS
    if error.is_ambiguous:
        code = RefusalCode.AMBIGUOUS_COLUMNS
    elif not (table.found and table.found.known):
        code = RefusalCode.NO_HEADER
    facts = RefusalFacts(code, table.header, table.sheets)
    return FileRefusedError(f"{header}: {error}", public=f"{header}: {error.reason}.", facts=facts)


def layout_of(name: str, table: Table, rule: HeaderRule) -> ColumnLayout:
    """Return the columns of a table; FileRefusedError if its header does not name them."""
    if not table.header:
        return ColumnLayout((0, 0, 0), {}, (), (), {})
    try:
        return find_layout(table.header, rule, guarded=table.guarded, id_columns=lambda: id_columns(table))
    except ColumnError as error:
        raise header_error(name, table, error) from None


def _open(path: Path, name: str, options: InputOptions, rule: HeaderRule) -> Table:
    form = detect_format(path, name)
    if form.is_zip:
        return WorkbookTable(path, name, rule, options, compressed=form.is_compressed)
    if options.sheet or options.hidden_rows:
        raise FileRefusedError.plain(
            f"{name} is no workbook: --sheet and --hidden-rows are for those.", RefusalCode.NO_SHEET
        )
    return TextTable(path, name, rule, options, compressed=form.is_compressed)


def id_columns(table: Table) -> list[int]:
    """Return the columns with nothing but ids, as far as the first rows show."""
    chunk = next(table.chunks(), pd.DataFrame())
    columns = {index: chunk[index][chunk[index].str.strip() != ""] for index in range(len(chunk.columns))}
    return [index for index, cells in columns.items() if len(cells) and (guid_cells.normalize(cells) != "").all()]


def blank_rows(chunk: pd.DataFrame) -> "pd.Series[bool]":
    """Return which rows contain only white space."""
    blank = pd.Series(data=True, index=chunk.index)
    for column in chunk.columns:
        blank &= chunk[column].str.strip() == ""
        if not blank.any():
            break
    return blank
