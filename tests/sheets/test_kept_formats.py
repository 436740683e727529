"""Cells of workbooks in forty number formats, from several writers, come back from results as what they were."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.cell import Cell
from xlsxwriter import Workbook as XlsxWriterWorkbook

from bulkreact.models import Outcome, ResultRow, Status
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.output import results_xlsx
from bulkreact.sheets.output.sheet_layout import InputColumns
from bulkreact.typed_cells import type_cells
from tests.support.ids import HEADER, guid, row
from tests.support.office import convert, convert_with_gnumeric

# Gnumeric writes none.
pytestmark = pytest.mark.filterwarnings("ignore:Workbook contains no default style")

NUMBERS = (
    *(
        "General",
        "0",
        "0.00",
        "#,##0",
        "#,##0.00",
        "000",
        "0.0%",
        "0%",
        "0.00E+00",
        "##0.0E+0",
        "# ?/?",
        "# ??/??",
        "@",
    ),
    *(
        '#,##0.00 "€"',
        "#,##0.00\\ [$€-407]",
        "[$$-409]#,##0.00",
        "[$£-809]#,##0.00",
        '"CHF" #,##0.00',
        "#,##0;[Red]-#,##0",
    ),
    *('_-* #,##0.00 "€"_-;-* #,##0.00 "€"_-', "[>=1000]#,##0;0.00", '0 "days"', "0.00;(0.00)"),
)
DATES = (
    *("dd.mm.yyyy", "yyyy-mm-dd", "m/d/yyyy", "[$-407]d. mmmm yyyy", "[$-40C]dddd d mmmm yyyy", "mmm-yy", "yyyy"),
    *(
        "dd.mm.yyyy hh:mm",
        "yyyy-mm-dd hh:mm:ss",
        "[$-409]m/d/yy h:mm AM/PM;@",
        'yyyy"年"m"月"d"日"',
        "[$-F800]dddd, mmmm dd, yyyy",
    ),
    *("h:mm", "h:mm:ss AM/PM", "mm:ss.0", "[h]:mm", "[mm]:ss"),
)
# The first ones are whole days.
SERIALS = (46082, 46082.52083333333, 0.28125, 1.0625, 46082.123456789)
AMOUNTS = (1234.5, -0.1, 12345678901234, 3, 1e-7, 0.1 + 0.2)

Write = Callable[[Path, Sequence[str], Sequence[float]], None]
Cells = list[list[tuple[object, str]]]


def header_of(formats: Sequence[str]) -> list[str]:
    return [*HEADER, *(f"format {number}" for number in range(len(formats)))]


def write_with_openpyxl(path: Path, formats: Sequence[str], values: Sequence[float]) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(header_of(formats))
    for number, value in enumerate(values):
        sheet.append([*row(guid(number + 1)), *[value] * len(formats)])
        for index, code in enumerate(formats, len(HEADER) + 1):
            sheet.cell(number + 2, index).number_format = code
    book.save(path)


def write_with_xlsxwriter(path: Path, formats: Sequence[str], values: Sequence[float]) -> None:
    with XlsxWriterWorkbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, header_of(formats))
        styles = [book.add_format({"num_format": code}) for code in formats]
        for number, value in enumerate(values, 1):
            sheet.write_row(number, 0, row(guid(number)))
            for index, style in enumerate(styles, len(HEADER)):
                sheet.write_number(number, index, value, style)


def results_of(path: Path) -> Path:
    """Return results with the rows of a workbook."""
    input_file = InputFile(path, max_rows=1000)
    outcome = Outcome(Status.NOT_ATTEMPTED, 0, None)
    rows = [
        ResultRow(
            line.number,
            line.cells,
            outcome,
            succeeded=False,
            excluded_by_limit=False,
            typed_cells=type_cells(line.column_types, line.cells, line.typed_cells),
        )
        for line in input_file.rows()
    ]
    results = path.with_name(f"{path.stem}-results.xlsx")
    results_xlsx.write(results, input_file.header, rows, [], InputColumns())
    return results


def cells_in(path: Path) -> Cells:
    """Return values and formats of the cells whose formats are tested."""
    header, *lines = load_workbook(path).worksheets[0].iter_rows()
    indexes = [index for index, cell in enumerate(header) if str(cell.value).startswith("format ")]
    return [[describe(line[index]) for index in indexes] for line in lines]


def describe(cell: Cell) -> tuple[object, str]:
    value = cell.value
    return (round(value, 9) if isinstance(value, float) else value), cell.number_format


@pytest.mark.parametrize("write", [write_with_openpyxl, write_with_xlsxwriter])
@pytest.mark.parametrize(("formats", "values"), [(NUMBERS, AMOUNTS), (DATES, SERIALS)], ids=["numbers", "dates"])
def test_values_and_formats_come_back(
    tmp_path: Path, write: Write, formats: Sequence[str], values: Sequence[float]
) -> None:
    source = tmp_path / "input.xlsx"
    write(source, formats, values)
    results = results_of(source)
    assert cells_in(results) == cells_in(source)
    assert cells_in(results_of(results)) == cells_in(source)


@pytest.mark.office
@pytest.mark.parametrize("save", [convert, convert_with_gnumeric])
@pytest.mark.parametrize(("formats", "values"), [(NUMBERS, AMOUNTS), (DATES, SERIALS)], ids=["numbers", "dates"])
def test_values_and_formats_come_back_of_what_a_spreadsheet_program_has_saved(
    tmp_path: Path, save: Callable[[Path, str], Path], formats: Sequence[str], values: Sequence[float]
) -> None:
    source = tmp_path / "input.xlsx"
    write_with_openpyxl(source, formats, values)
    saved = save(source, "xlsx")
    assert cells_in(results_of(saved)) == cells_in(saved)


@pytest.mark.office
@pytest.mark.parametrize("save", [convert, convert_with_gnumeric])
@pytest.mark.parametrize(("formats", "values"), [(NUMBERS, AMOUNTS), (DATES, SERIALS)], ids=["numbers", "dates"])
def test_a_spreadsheet_program_saves_results_as_it_saves_what_was_sent(
    tmp_path: Path, save: Callable[[Path, str], Path], formats: Sequence[str], values: Sequence[float]
) -> None:
    source = tmp_path / "input.xlsx"
    write_with_openpyxl(source, formats, values)
    assert cells_in(save(results_of(source), "xlsx")) == cells_in(save(source, "xlsx"))


@pytest.mark.office
@pytest.mark.parametrize("save", [convert, convert_with_gnumeric])
def test_the_sum_of_amounts_is_that_of_the_sender(tmp_path: Path, save: Callable[[Path, str], Path]) -> None:
    source = tmp_path / "input.xlsx"
    write_with_openpyxl(source, ['#,##0.00 "€"'], [12.5, 1234.05, -0.55])
    results = results_of(source)
    book = load_workbook(results)
    amounts = next(cell.column_letter for cell in book["Results"][1] if cell.value == "format 0")
    book["Summary"]["F1"] = f"=SUM(Results!{amounts}:{amounts})"
    book.save(results)
    summed = load_workbook(save(results, "xlsx"), data_only=True)
    assert summed["Summary"]["F1"].value == pytest.approx(1246.0)
