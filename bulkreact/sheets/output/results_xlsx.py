"""Writes results.xlsx: the results for filtering and sorting, and a summary on a second sheet."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from pathlib import Path

from bulkreact.models import SUCCESSES, ResultRow, Status, TypedCell
from bulkreact.partnercenter.error_codes.lookup import describe_code, find_entries, name_failed_file
from bulkreact.partnercenter.error_codes.page_advice import advise_here
from bulkreact.sheets.output.edited_files import note_digest
from bulkreact.sheets.output.results_csv import FAILED, RowCounts
from bulkreact.sheets.output.sheet_layout import ADVICE_WIDTH, InputColumns, SheetLayout, lay_out
from bulkreact.sheets.output.xlsx_writer import (
    MOST_COLUMNS,
    MOST_ROWS,
    SheetWriter,
    column_widths,
    take_sample,
    writing,
)
from bulkreact.sheets.result_columns import NUMERIC_COLUMNS, RESULT_COLUMNS, result_cells

WORKBOOK = "results.xlsx"
# Written whenever there are results as a workbook.
FAILED_WORKBOOK = "failed.xlsx"
_NUMBERS = {RESULT_COLUMNS.index(name) for name in NUMERIC_COLUMNS}
STATUS_INDEX = RESULT_COLUMNS.index("status")
_ADVICE = RESULT_COLUMNS.index("advice")
# Light enough for black letters; the cell's text says everything that its colour says.
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


def failed_file_in(folder: Path) -> str:
    """Return the name of the file in a folder of results in which failed rows are corrected: a workbook if there is one."""
    return FAILED_WORKBOOK if (folder / FAILED_WORKBOOK).is_file() else FAILED


def size_error(rows: int, columns: int) -> str:
    """Return why a workbook cannot hold this many rows and columns of an input; empty if it can."""
    most = MOST_ROWS - 1
    if rows > most:
        return f"a workbook has room for {most:,} rows, and these are {rows:,}"
    max_columns = MOST_COLUMNS - len(RESULT_COLUMNS)
    return (
        f"a workbook has room for {max_columns:,} columns of an input, and these are {columns:,}"
        if columns > max_columns
        else ""
    )


def write(
    path: Path,
    header: tuple[str, ...],
    rows: Iterable[ResultRow],
    details: Sequence[tuple[str, str]],
    known: InputColumns,
    *,
    on_page: bool = False,
) -> None:
    """Write the workbook, with ``details`` of the run on its second sheet; ``on_page``: advice names buttons.

    Raises OSError if it cannot be written, leaving an older one untouched.
    """
    with writing(path, private=True, complete=note_digest(path.parent, path.name)) as book:
        counts = _write_results(book.add_sheet("Results", header_rows=1), header, rows, known, on_page=on_page)
        _write_summary(book.add_sheet("Summary"), counts, details, on_page=on_page)


def sheet_cells(row: ResultRow, *, on_page: bool = False) -> list[str | int | TypedCell]:
    """Return the cells of a row: the input's as they were, then ours; ``on_page``: advice names buttons."""
    texts = result_cells(row, FAILED_WORKBOOK)
    if on_page:
        texts[len(row.cells) + _ADVICE] = advise_here(texts[len(row.cells) + _ADVICE])
    cells: list[str | int | TypedCell] = [*texts]
    for number in _NUMBERS:
        index = len(row.cells) + number
        cells[index] = int(texts[index]) if texts[index] else ""
    for cell in row.typed_cells:
        cells[cell.column] = cell
    return cells


def arrange_columns(
    names: Sequence[str], sample: Sequence[Sequence[str]], known: InputColumns
) -> tuple[SheetLayout, list[float]]:
    """Return the layout of a sheet with all columns, and their widths in its order."""
    columns = len(names) - len(RESULT_COLUMNS)
    widths = column_widths(names, sample, known.widths)
    widths[columns + _ADVICE] = ADVICE_WIDTH
    layout = lay_out(columns, widths, known)
    return layout, [widths[index] for index in layout.order]


def _write_results(
    sheet: SheetWriter, header: tuple[str, ...], rows: Iterable[ResultRow], known: InputColumns, *, on_page: bool
) -> RowCounts:
    counts = RowCounts()
    names = (*header, *RESULT_COLUMNS)
    sample, rows = take_sample(rows)
    layout, widths = arrange_columns(names, [result_cells(row) for row in sample], known)
    sheet.freeze_columns(layout.frozen, zoom=layout.zoom)
    sheet.set_columns(widths)
    sheet.add_header([names[index] for index in layout.order])
    arrange, status = itemgetter(*layout.order), layout.order.index(len(header) + STATUS_INDEX)
    for row in rows:
        counts.add(row)
        colour = COLOURS[row.outcome.status]
        # Of a row that succeeded only the status is coloured.
        others = "" if row.succeeded else colour
        sheet.add_row(arrange(sheet_cells(row, on_page=on_page)), colours=(*[others] * status, colour, others))
    sheet.add_filter(len(names))
    sheet.print_first(layout.order.index(len(header)) + 1)
    return counts


def _write_summary(sheet: SheetWriter, counts: RowCounts, details: Sequence[tuple[str, str]], *, on_page: bool) -> None:
    sheet.set_columns((24, 12, 70, 70))
    sheet.add_header(("This run",))
    for detail in details:
        sheet.add_row(detail)
    sheet.add_row()
    sheet.add_header(("Status", "Rows", "What it means"))
    for status in Status:
        if number := counts.statuses[status]:
            meaning = next(entry.description for entry in find_entries(status))
            sheet.add_row((status, number, meaning), colours=(COLOURS[status], ""), wrap=True)
    sheet.add_row(("all", counts.statuses.total()), bold=True)
    if counts.codes:
        sheet.add_row()
        sheet.add_header(("Error code", "Rows", "What it means", "What to do"))
    for code, number in counts.codes.most_common():
        entry = next(iter(find_entries(code)), None)
        advice = name_failed_file(entry.advice, FAILED_WORKBOOK) if entry else ""
        advice = advise_here(advice) if on_page else advice
        sheet.add_row((code, number, describe_code(code), advice), wrap=True)
