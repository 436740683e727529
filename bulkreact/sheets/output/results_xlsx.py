"""Writes results.xlsx: the results for people who filter and sort, and a summary on a second sheet."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from bulkreact.models import SUCCESSES, ResultRow, Status
from bulkreact.partnercenter.error_codes.lookup import explain
from bulkreact.sheets.columns import RESULT_COLUMNS
from bulkreact.sheets.output.results_csv import RowCounts, result_cells
from bulkreact.sheets.output.xlsx_writer import MOST_COLUMNS, MOST_ROWS, SheetWriter, writing

WORKBOOK = "results.xlsx"
_NUMBERS = {RESULT_COLUMNS.index(name) for name in ("row", "http_status", "attempts")}
_STATUS = RESULT_COLUMNS.index("status")
# Light enough for black letters; next to each colour stands the word.
_GREEN, _YELLOW, _ORANGE, _VIOLET, _GREY = "D5EBD1", "FFF2C2", "FAD4C0", "E3D9EF", "E8E8E8"
COLOURS = {
    **dict.fromkeys(SUCCESSES, _GREEN),
    Status.DUPLICATE: _GREY,
    Status.PENDING: _YELLOW,
    Status.DEFERRED: _YELLOW,
    Status.NOT_ATTEMPTED: _YELLOW,
    Status.UNKNOWN: _VIOLET,
    Status.FAILED: _ORANGE,
    Status.INVALID: _ORANGE,
}
_HEADING = "D9E2EC"
# From so many rows it is seen how wide the columns are.
_SAMPLE = 200
_NARROWEST, _WIDEST = 8, 60
# For the filter's button.
_BUTTON = 4


def size_error(rows: int, columns: int) -> str:
    """Say why there can be no workbook of so many rows and columns of an input; empty when there can."""
    most = MOST_ROWS - 1
    if rows > most:
        return f"a workbook has room for {most:,} rows, and these are {rows:,}"
    room = MOST_COLUMNS - len(RESULT_COLUMNS)
    return f"a workbook has room for {room:,} columns of an input, and these are {columns:,}" if columns > room else ""


def write(path: Path, header: tuple[str, ...], rows: Iterable[ResultRow], details: Sequence[tuple[str, str]]) -> None:
    """Write the workbook; ``facts`` of the run stand on its second sheet.

    Raises OSError when it cannot be written; an older one is then untouched.
    """
    with writing(path, private=True) as book:
        counts = _results(book.add_sheet("Results", header_rows=1), header, rows)
        _summary(book.add_sheet("Summary"), counts, details)


def _results(sheet: SheetWriter, header: tuple[str, ...], rows: Iterable[ResultRow]) -> RowCounts:
    counts = RowCounts()
    names = (*header, *RESULT_COLUMNS)
    status = len(header) + _STATUS
    rest = iter(rows)
    sample = list(islice(rest, _SAMPLE))
    sheet.set_columns(column_widths(names, [result_cells(row) for row in sample]))
    sheet.add_row(names, bold=True, colours=(_HEADING,))
    for row in chain(sample, rest):
        counts.add(row)
        colour = COLOURS[row.outcome.status]
        # A row that ended well is marked at its status alone.
        others = "" if row.succeeded else colour
        sheet.add_row(_cells(row, len(header)), colours=(*[others] * status, colour, others))
    sheet.add_filter(len(names))
    return counts


def _cells(row: ResultRow, given: int) -> Iterator[str | int]:
    """Yield the cells of a row; where ours are numbers, they are so in the workbook."""
    for place, cell in enumerate(result_cells(row), -given):
        yield int(cell) if cell and place in _NUMBERS else cell


def column_widths(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[int]:
    """Yield the widths of columns, from their names and some rows, in characters."""
    for place, name in enumerate(names):
        longest = max((len(row[place].partition("\n")[0]) for row in rows if place < len(row)), default=0)
        yield min(max(len(name) + _BUTTON, longest + 2, _NARROWEST), _WIDEST)


def _summary(sheet: SheetWriter, counts: RowCounts, facts: Sequence[tuple[str, str]]) -> None:
    sheet.set_columns((24, 12, 70, 70))
    sheet.add_row(("This run",), bold=True, colours=(_HEADING,))
    for fact in facts:
        sheet.add_row(fact)
    sheet.add_row(())
    sheet.add_row(("Status", "Rows", "What it means"), bold=True, colours=(_HEADING,))
    for status in Status:
        if number := counts.statuses[status]:
            sheet.add_row((status, number, _words(status)), colours=(COLOURS[status], ""), wrap=True)
    sheet.add_row(("all", counts.statuses.total()), bold=True)
    if counts.codes:
        sheet.add_row(())
        sheet.add_row(("Error code", "Rows", "What it means", "What to do"), bold=True, colours=(_HEADING,))
    for code, number in counts.codes.most_common():
        entry = next(iter(explain(code)), None)
        known = (entry.description, entry.advice) if entry else ("not in the catalogue; see error_description", "")
        sheet.add_row((code, number, *known), wrap=True)


def _words(status: Status) -> str:
    return next(entry.description for entry in explain(status))
