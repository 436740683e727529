"""Numbers, dates and truth values of a sender's workbook come back as what they were, in its formats."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.cell import Cell

from bulkreact.batch.journal.seal import seal
from bulkreact.batch.journal.writer import connect_sqlite
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.ids import HEADER, guid, row, scenario_id
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST
from tests.support.workbooks import columns_of

VALUES: list[tuple[object, str]] = [
    (1234.5, '#,##0.00 "€"'),
    (-0.1, "0.0%"),
    (12345678901234, "General"),
    (1e-7, "0.00E+00"),
    (3, "000"),
    (datetime(2026, 3, 1, tzinfo=UTC).replace(tzinfo=None), "dd.mm.yyyy"),
    (datetime(2026, 3, 1, 12, 30, tzinfo=UTC).replace(tzinfo=None), "[$-407]d. mmmm yyyy h:mm;@"),
    (time(6, 45), "h:mm"),
    (timedelta(hours=25, minutes=3), "[h]:mm:ss"),
    (True, "General"),
    (False, "General"),
    ("007", "@"),
    ("=no formula", "@"),
]


def write_workbook(path: Path, rows: int = 2, *, counts_from_1904: bool = False) -> None:
    book = Workbook()
    if counts_from_1904:
        book.epoch = datetime(1904, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    sheet = book.active
    assert sheet is not None
    sheet.append([*HEADER, *(f"value {number}" for number in range(len(VALUES)))])
    for number in range(rows):
        sheet.append([*row(scenario_id(202, number), number), *(value for value, _ in VALUES)])
        for index, (value, number_format) in enumerate(VALUES, len(HEADER) + 1):
            cell = sheet.cell(sheet.max_row, index)
            cell.number_format = number_format
            if isinstance(value, str):
                cell.data_type = "s"
    book.save(path)


def columns_in(path: Path, *names: str) -> list[list[Cell]]:
    """Return the cells of some columns of results, row by row."""
    header, *lines = load_workbook(path).worksheets[0].iter_rows()
    indexes = {cell.value: index for index, cell in enumerate(header)}
    return [[line[indexes[name]] for name in names] for line in lines]


def values_in(path: Path) -> list[list[tuple[object, str]]]:
    names = [f"value {number}" for number in range(len(VALUES))]
    return [[(cell.value, cell.number_format) for cell in cells] for cells in columns_in(path, *names)]


@pytest.mark.parametrize("counts_from_1904", [False, True])
def test_cells_come_back_as_what_they_were(program: Program, partner: Partner, counts_from_1904: bool) -> None:
    write_workbook(program.folder / "input.xlsx", counts_from_1904=counts_from_1904)
    run = program("run", "input.xlsx", "--base-url", partner.base_url, *FAST).run
    assert values_in(run / "results.xlsx") == [VALUES, VALUES]
    program("run", run / "results.xlsx", "--base-url", partner.base_url, *FAST, "--reports", "others")
    (again,) = program.folder.glob("others/*/results.xlsx")
    assert values_in(again) == [VALUES, VALUES]
    (run / "results.xlsx").unlink()
    assert program("results", run.name).code == 0
    assert values_in(run / "results.xlsx") == [VALUES, VALUES]


def test_a_retry_has_them_too(program: Program, partner: Partner) -> None:
    partner.service.behaviour = Behaviour(activation_delay=0)
    write_workbook(program.folder / "input.xlsx")
    first = program("run", "input.xlsx", "--base-url", partner.base_url, *FAST, "--limit", "1").run
    assert program("retry", first.name, *FAST).code == 0
    (folder,) = (path.parent for path in program.folder.glob("reports/*/results.xlsx") if path.parent != first)
    assert values_in(folder / "results.xlsx") == [VALUES]


def test_ids_are_text_whatever_they_were(program: Program, partner: Partner) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append([*HEADER, "amount"])
    sheet.append([*row(guid(1)), 5])
    sheet.append([*row("")[:2], 4.892e92, 6])
    book.save(program.folder / "input.xlsx")
    run = program("run", "input.xlsx", "--base-url", partner.base_url, *FAST).run
    lines = columns_in(run / "results.xlsx", *HEADER, "amount")
    assert [[cell.data_type for cell in line] for line in lines] == [["s", "s", "s", "n"]] * 2


def test_what_a_text_file_has_stays_text(program: Program, partner: Partner) -> None:
    lines = [";".join([*HEADER, "amount"]), ";".join([*row(guid(1)), "12,50"])]
    (program.folder / "input.csv").write_text("\n".join(lines))
    run = program("run", "input.csv", "--base-url", partner.base_url, *FAST).run
    ((cell,),) = columns_in(run / "results.xlsx", "amount")
    assert (cell.value, cell.data_type) == ("12,50", "s")


def test_a_changed_value_in_the_journal_is_found(program: Program, partner: Partner) -> None:
    write_workbook(program.folder / "input.xlsx", 1)
    run = program("run", "input.xlsx", "--base-url", partner.base_url, *FAST).run
    with sqlite3.connect(run / "journal.sqlite3") as connection:
        connection.execute("UPDATE typed_cells SET cells = replace(cells, '0.0%', '0.00%')")
    connection.close()
    ended = program("results", run.name)
    assert ended.code == 2
    assert "typed_cells" in ended.err


def test_a_journal_without_such_a_table_is_read(program: Program, partner: Partner) -> None:
    write_workbook(program.folder / "input.xlsx", 1)
    run = program("run", "input.xlsx", "--base-url", partner.base_url, *FAST).run
    with closing(connect_sqlite(run / "journal.sqlite3")) as connection:
        connection.execute("DROP TABLE typed_cells")
        seal(connection)
    (run / "results.xlsx").unlink()
    assert program("results", run.name).code == 0
    assert {type(value) for value, _ in values_in(run / "results.xlsx")[0]} == {str}


def test_the_order_and_the_widths_of_columns_are_the_senders(program: Program, partner: Partner) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    header = ["Invoice", "Customer name", *HEADER, "Amount", "Remark"]
    sheet.append([])
    sheet.append(["", *header])
    sheet.append(["", "I-1", "Contoso", *row(guid(1)), 12.5, ""])
    for letter, width in {"B": 11.5, "C": 20.25, "D": 37.7109375, "E": 5.0, "G": 14.0}.items():
        sheet.column_dimensions[letter].width = width
    sheet.column_dimensions["F"].hidden = True
    book.save(program.folder / "input.xlsx")
    run = program("run", "input.xlsx", "--base-url", partner.base_url, *FAST).run
    program("run", run / "results.xlsx", "--base-url", partner.base_url, *FAST, "--reports", "others")
    for path in (run / "results.xlsx", *program.folder.glob("others/*/results.xlsx")):
        results = load_workbook(path)["Results"]
        names = [cell.value for cell in results[1]]
        assert names[:4] == ["Invoice", "Customer name", "status", "advice"]
        assert names[4:9] == [*HEADER, "Amount", "Remark"]
        assert results.freeze_panes == "E2"
        widths = columns_of(results)
        found = [widths[letter].width for letter in ("A", "B", "E", "F", "H")]
        assert found == pytest.approx([11.5, 20.25, 37.7109375, 5.0, 14.0], abs=1 / 7)
        assert not widths["G"].hidden
        assert results.page_setup.orientation == "landscape"
        # One page wide is what a file means that does not say how wide.
        assert (results.page_setup.fitToWidth, results.page_setup.fitToHeight) == (None, 0)
        assert results.sheet_properties.pageSetUpPr.fitToPage
        assert results.print_title_rows == "$1:$1"
        assert names[9] == "row"
        # What follows the row, like the ids of calls, would leave no letter on the page that could be read.
        assert results.print_area == f"'Results'!$A$1:$J${results.max_row}"
    failed = load_workbook(run / "failed.xlsx")["Failed"]
    assert failed.print_area == f"'Failed'!$A$1:$J${failed.max_row}"
    assert [cell.value for cell in failed[1]][:9] == names[:9]
    assert columns_of(failed)["B"].width == pytest.approx(20.25, abs=1 / 7)
