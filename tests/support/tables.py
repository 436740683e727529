"""Saves made-up tables as text and as workbooks, and reads them as inputs."""

from collections.abc import Callable, Sequence
from pathlib import Path

from openpyxl import Workbook

from bulkreact.models import InputRow
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.input.input_options import InputOptions
from tests.support.ids import write_csv

Rows = Sequence[Sequence[str]]
Save = Callable[[Rows], Path]


def save_text(folder: Path, rows: Rows) -> Path:
    """Save rows as CSV; return the path."""
    return write_csv(folder / "input.csv", rows[1:], rows[0])


def save_workbook(folder: Path, rows: Rows) -> Path:
    """Save rows as a workbook; return the path."""
    book = Workbook()
    for cells in rows:
        book.active.append(list(cells))
    book.save(folder / "input.xlsx")
    return folder / "input.xlsx"


def take(path: Path, options: InputOptions | None = None) -> tuple[InputFile, list[InputRow]]:
    """Return an input and its rows."""
    input_file = InputFile(path, max_rows=10_000, options=options)
    return input_file, list(input_file.rows())


def problem_codes(rows: Sequence[InputRow]) -> list[tuple[int, str]]:
    """Return the numbers of rows, and the codes of what is wrong with them."""
    return [(input_row.number, input_row.problem_code) for input_row in rows]
