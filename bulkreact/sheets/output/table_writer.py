"""Writes tables of texts as files of their own, CSV or workbook, and as CSV into a stream; cells are what they are."""

from collections.abc import Iterable, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from bulkreact.atomic_write import replacing
from bulkreact.sheets.output.csv_writer import csv_line

CSV = ".csv"
WORKBOOK = ".xlsx"
_HEADING = "D9E2EC"
# From so many rows it is seen how wide the columns are.
_SAMPLE = 200

Rows = Iterable[Sequence[str]]


def write(path: Path, header: Sequence[str], rows: Rows, *, title: str) -> None:
    """Write a table, a workbook if the file is called so; raises OSError, and leaves an older file untouched then."""
    if path.suffix.lower() != WORKBOOK:
        with replacing(path, private=False) as file:
            write_lines(file, header, rows)
        return
    from bulkreact.sheets.output.results_xlsx import column_widths  # noqa: PLC0415 - see above
    from bulkreact.sheets.output.xlsx_writer import writing  # noqa: PLC0415 - most tables are text

    with writing(path, private=False) as book:
        sheet = book.add_sheet(title, header_rows=1)
        rest = iter(rows)
        sample = list(islice(rest, _SAMPLE))
        # Also what people add below must stay as they type it.
        sheet.set_columns(column_widths(header, sample), text_columns=len(header))
        sheet.add_row(header, bold=True, colours=(_HEADING,))
        for row in chain(sample, rest):
            sheet.add_row(row)
        sheet.add_filter(len(header))


def write_lines(file: TextIO, header: Sequence[str], rows: Rows) -> None:
    """Write a table as CSV into a file that leaves line ends as they are."""
    file.writelines(map(csv_line, chain([header], rows)))


def size_error(path: Path, *, rows: int, columns: int) -> str:
    """Say why a file of that name cannot hold so much; empty when it can."""
    if path.suffix.lower() != WORKBOOK:
        return ""
    from bulkreact.sheets.output.xlsx_writer import MOST_COLUMNS, MOST_ROWS  # noqa: PLC0415 - most tables are text

    if rows < MOST_ROWS and columns <= MOST_COLUMNS:
        return ""
    return (
        f"A workbook has room for {MOST_ROWS - 1:,} rows and {MOST_COLUMNS:,} columns, and these are {rows:,} and "
        f"{columns:,}: name a {CSV} file."
    )
