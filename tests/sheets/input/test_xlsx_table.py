"""Tables in workbooks: wherever they are, the same rows are read, or the error says why not."""

import zipfile
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path

import pytest
from openpyxl import Workbook
from xlsxwriter import Workbook as XlsxWriterWorkbook

from bulkreact.errors import InputRefusedError
from bulkreact.models import CellType, ColumnType
from bulkreact.sheets.input.input_options import InputOptions
from tests.support.ids import guid, read_csv, row
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, row_statuses
from tests.support.tables import problem_codes, take

IDS = ("customer_id", "subscription_id", "entitlement_id")


def write_file(folder: Path, fill: Callable[[Workbook], None], name: str = "input.xlsx") -> Path:
    book = Workbook()
    fill(book)
    book.save(folder / name)
    return folder / name


def table(book: Workbook, at: tuple[int, int] = (1, 1), header: tuple[str, ...] = (*IDS, "Name")) -> None:
    """Put three rows into the active sheet."""
    lines = [header, *((*row(guid(number)), f"Zürich {number}") for number in (1, 2, 3))]
    for down, cells in enumerate(lines):
        for across, cell in enumerate(cells):
            book.active.cell(at[0] + down, at[1] + across, cell)


@pytest.mark.parametrize("at", [(1, 1), (4, 3), (20, 26)])
def test_a_table_is_found_anywhere_in_a_sheet(tmp_path: Path, at: tuple[int, int]) -> None:
    def fill(book: Workbook) -> None:
        table(book, at)
        if at[0] > 1:
            book.active["A1"] = "Cancelled subscriptions"

    input_file, rows = take(write_file(tmp_path, fill))
    assert input_file.header == (*IDS, "Name")
    assert problem_codes(rows) == [(at[0] + number, "") for number in (1, 2, 3)]
    assert [input_row.cells for input_row in rows] == [(*row(guid(number)), f"Zürich {number}") for number in (1, 2, 3)]


def test_the_first_visible_sheet_with_the_columns_is_taken_unless_another_is_named(tmp_path: Path) -> None:
    def fill(book: Workbook) -> None:
        book.active["A1"] = "How to fill this in"
        book.active = book.create_sheet("hidden")
        book.active.sheet_state = "hidden"
        table(book)
        book.active = book.create_sheet("March")
        table(book, header=("Kunden-ID", "Abonnement-ID", "Berechtigungs-ID", "Name"))
        book.active = book.create_sheet("April")
        table(book)
        book.active.delete_rows(3, 2)

    path = write_file(tmp_path, fill)
    input_file, rows = take(path)
    assert input_file.header[0] == "Kunden-ID"
    assert len(rows) == 3
    assert len(take(path, InputOptions(sheet="April"))[1]) == 1
    assert len(take(path, InputOptions(sheet="hidden"))[1]) == 3
    with pytest.raises(InputRefusedError, match=r"no sheet 'May'; it has: 'Sheet', 'hidden', 'March', 'April'"):
        take(path, InputOptions(sheet="May"))
    with pytest.raises(InputRefusedError, match="missing in the header"):
        take(path, InputOptions(sheet="Sheet"))


def test_cells_are_read_as_they_would_be_typed(tmp_path: Path) -> None:
    values = [
        7,
        7.0,
        2.5,
        10**20,
        True,
        date(2026, 3, 1),
        datetime(2026, 3, 1, 12, 30),  # noqa: DTZ001 - as a sheet has it
        time(9, 5),
        None,
        "007",
        "a\nb",
    ]

    def fill(book: Workbook) -> None:
        table(book)
        for offset, value in enumerate(values):
            book.active.cell(1, 5 + offset, f"column {offset}")
            book.active.cell(2, 5 + offset, value)

    _, rows = take(write_file(tmp_path, fill))
    cells = rows[0].cells[4:]
    assert cells == (
        "7",
        "7",
        "2.5",
        "1e+20",
        "TRUE",
        "2026-03-01",
        "2026-03-01 12:30:00",
        "09:05:00",
        "",
        "007",
        "a\nb",
    )


def test_an_id_that_became_a_number_is_damage(tmp_path: Path) -> None:
    def fill(book: Workbook) -> None:
        table(book)
        book.active["C2"] = 4.892e92
        book.active["A3"] = datetime(2026, 3, 1)  # noqa: DTZ001 - as a sheet has it

    assert problem_codes(take(write_file(tmp_path, fill))[1]) == [
        (2, "damaged-by-excel"),
        (3, "damaged-by-excel"),
        (4, ""),
    ]


def test_an_error_that_a_formula_came_to_is_damage_and_no_empty_cell(tmp_path: Path) -> None:
    def fill(book: Workbook) -> None:
        table(book, (3, 25))
        book.active["AA4"] = "#N/A"
        for offset, error in enumerate(("#REF!", "#VALUE!", "#N/A", "#DIV/0!")):
            book.active.cell(8, 25 + offset, error)

    _, rows = take(write_file(tmp_path, fill))
    assert problem_codes(rows) == [(4, "damaged-by-excel"), (5, ""), (6, ""), (8, "damaged-by-excel")]
    assert rows[0].cells == (*row(guid(1))[:2], "#N/A", "Zürich 1")
    assert rows[3].cells == ("#REF!", "#VALUE!", "#N/A", "#DIV/0!")


def test_hidden_rows_with_data_are_refused_until_the_user_decides(tmp_path: Path) -> None:
    def fill(book: Workbook) -> None:
        table(book, (2, 1))
        for hidden in (1, 4, 9):
            book.active.row_dimensions[hidden].hidden = True

    path = write_file(tmp_path, fill)
    with pytest.raises(InputRefusedError, match=r"1 hidden row with data; the first is row 4") as refused:
        take(path)
    assert "--hidden-rows include or --hidden-rows skip" in str(refused.value)
    assert problem_codes(take(path, InputOptions(hidden_rows="include"))[1]) == [(3, ""), (4, ""), (5, "")]
    assert problem_codes(take(path, InputOptions(hidden_rows="skip"))[1]) == [(3, ""), (5, "")]


def test_hidden_rows_without_data_do_no_harm(tmp_path: Path) -> None:
    def fill(book: Workbook) -> None:
        book.active["A1"] = "a title"
        table(book, (3, 1))
        for hidden in (1, 2, 3, 30):
            book.active.row_dimensions[hidden].hidden = True

    assert len(take(write_file(tmp_path, fill))[1]) == 3


def test_blank_rows_and_columns_are_passed_over_and_notes_are_not(tmp_path: Path) -> None:
    def fill(book: Workbook) -> None:
        table(book)
        book.active["D8"] = "a note"
        book.active["G1"] = " "

    input_file, rows = take(write_file(tmp_path, fill))
    assert input_file.header == (*IDS, "Name")
    assert problem_codes(rows) == [(2, ""), (3, ""), (4, ""), (8, "no-ids")]


def test_a_column_without_a_name_but_with_cells_is_kept(tmp_path: Path) -> None:
    def fill(book: Workbook) -> None:
        table(book, (1, 2))
        book.active["A3"] = "before"
        book.active["G4"] = "behind"

    input_file, rows = take(write_file(tmp_path, fill))
    assert input_file.header == ("", *IDS, "Name", "", "")
    assert [(input_row.cells[0], input_row.cells[-1]) for input_row in rows] == [
        ("", ""),
        ("before", ""),
        ("", "behind"),
    ]


def test_an_empty_workbook_has_no_rows(tmp_path: Path) -> None:
    assert take(write_file(tmp_path, lambda _book: None))[1] == []


@pytest.mark.parametrize("damage", ["torn", "another archive", "no sheet", "bytes behind the mark"])
def test_a_workbook_that_cannot_be_read_gets_a_sentence(tmp_path: Path, damage: str) -> None:
    path = write_file(tmp_path, table)
    whole = path.read_bytes()
    match damage:
        case "torn":
            path.write_bytes(whole[: len(whole) // 2])
        case "another archive":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("readme.txt", "no workbook")
        case "no sheet":
            with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "cut.xlsx", "w") as cut:
                for name in archive.namelist():
                    if "sheet1" not in name:
                        cut.writestr(name, archive.read(name))
            path = tmp_path / "cut.xlsx"
        case _:
            path.write_bytes(b"PK\x03\x04" + bytes(range(256)))
    with pytest.raises(InputRefusedError, match=r"\.xlsx"):
        take(path)


@pytest.mark.parametrize("stray", ["XFD1048576", "AZ1048576", "E1048576"])
def test_a_stray_cell_far_away_does_not_cost_the_machine_its_memory(tmp_path: Path, stray: str) -> None:
    def fill(book: Workbook) -> None:
        table(book)
        book.active[stray] = "x"

    with pytest.raises(InputRefusedError, match="a cell far away from the others: row 1048576, column"):
        take(write_file(tmp_path, fill))


def test_the_strict_variant_of_the_format_is_read_or_refused_with_a_message(tmp_path: Path) -> None:
    path = write_file(tmp_path, table)
    strict = tmp_path / "strict.xlsx"
    spaces = {
        b"http://schemas.openxmlformats.org/spreadsheetml/2006/main": b"http://purl.oclc.org/ooxml/spreadsheetml/main",
        b"http://schemas.openxmlformats.org/officeDocument/2006/relationships": (
            b"http://purl.oclc.org/ooxml/officeDocument/relationships"
        ),
    }
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(strict, "w") as out:
        for name in archive.namelist():
            content = archive.read(name)
            for old, new in spaces.items():
                content = content.replace(old, new)
            out.writestr(name, content)
    try:
        assert len(take(strict)[1]) == 3
    except InputRefusedError as refused:
        assert "()" not in str(refused)  # noqa: PT017 - either will do


def test_an_old_workbook_or_one_with_a_password_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "input.xls").write_bytes(b"\xd0\xcf\x11\xe0rest")
    with pytest.raises(InputRefusedError, match=r"Save it as \.xlsx without a password"):
        take(tmp_path / "input.xls")


@pytest.mark.parametrize("in_place", [True, False], ids=["texts in cells", "shared texts"])
def test_a_long_table_is_read_as_it_was_written(tmp_path: Path, in_place: bool) -> None:
    lines = [(*row(guid(number)), f"A & B {number % 7}", number / 8, number) for number in range(3000)]
    with XlsxWriterWorkbook(tmp_path / "input.xlsx", {"constant_memory": in_place}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, (*IDS, "Name", "Amount", "Seats"))
        for number, cells in enumerate(lines, 1):
            sheet.write_row(number, 0, cells)
    _, rows = take(tmp_path / "input.xlsx")
    assert [input_row.cells for input_row in rows] == [(*cells[:4], f"{cells[4]:g}", str(cells[5])) for cells in lines]
    assert {input_row.column_types for input_row in rows} == {
        (ColumnType(4, CellType.NUMBER, 0), ColumnType(5, CellType.NUMBER, 0))
    }


def test_a_workbook_is_run_and_its_columns_come_back(program: Program, partner: Partner) -> None:
    write_file(program.folder, lambda book: table(book, (3, 2)))
    target = ("--base-url", partner.base_url, *FAST)
    process = program("run", "input.xlsx", *target)
    assert process.code == 0, process.err
    assert row_statuses(process.run) == ["accepted"] * 3
    lines = read_csv(process.run / "results.csv")
    assert [(line["row"], line["Name"]) for line in lines] == [
        (str(3 + number), f"Zürich {number}") for number in (1, 2, 3)
    ]
    refused = program("run", "input.xlsx", *target, "--sheet", "Nobody")
    assert refused.code == 2
    assert "has no sheet 'Nobody'" in refused.err
