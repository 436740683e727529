"""Writes tables of text as files, CSV or workbook, and as CSV into a stream; cells are unchanged."""

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import TextIO

from bulkreact.atomic_write import replacing
from bulkreact.sheets.output.csv_writer import csv_line
from bulkreact.sheets.output.xlsx_writer import MOST_COLUMNS, MOST_ROWS, column_widths, take_sample, writing

CSV = ".csv"
WORKBOOK = ".xlsx"

Rows = Iterable[Sequence[str]]


def write(path: Path, header: Sequence[str], rows: Rows, *, title: str) -> None:
    """Write a table, as a workbook if ``path`` ends in .xlsx; raises OSError, leaving an older file untouched."""
    if path.suffix.lower() != WORKBOOK:
        with replacing(path, private=False) as file:
            write_lines(file, header, rows)
        return
    with writing(path, private=False) as book:
        sheet = book.add_sheet(title, header_rows=1)
        sample, rows = take_sample(rows)
        sheet.set_columns(column_widths(header, sample), text_columns=range(len(header)))
        sheet.add_header(header)
        for row in rows:
            sheet.add_row(row)
        sheet.add_filter(len(header))


def write_lines(file: TextIO, header: Sequence[str], rows: Rows) -> None:
    """Write a table as CSV into a file that does not translate line ends."""
    file.writelines(map(csv_line, chain([header], rows)))


def size_error(path: Path, *, rows: int, columns: int) -> str:
    """Return why a file of that name cannot hold this many rows and columns; empty if it can."""
    if path.suffix.lower() != WORKBOOK or (rows < MOST_ROWS and columns <= MOST_COLUMNS):
        return ""
    return (
        f"A workbook has room for {MOST_ROWS - 1:,} rows and {MOST_COLUMNS:,} columns, and these are {rows:,} and "
        f"{columns:,}: name a {CSV} file."
    )
