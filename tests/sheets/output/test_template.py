"""The empty input file: what is filled into it is read, and nothing of it is sent by accident."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from bulkreact.errors import InputRefusedError
from bulkreact.sheets.columns import ID_COLUMNS
from bulkreact.sheets.input.guid_cells import EXAMPLES
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.output import template
from bulkreact.simulator.partnercenter.entitlement_scenarios import ENTITLEMENT_SCENARIOS
from tests.support.ids import HEADER, guid, read_csv, row
from tests.support.office import convert
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, row_statuses
from tests.support.workbooks import columns_of


def fill(path: Path, rows: Sequence[tuple[str, ...]]) -> Path:
    """Fill rows into a template as a spreadsheet would."""
    book = load_workbook(path)
    for cells in rows:
        book.worksheets[0].append(cells)
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("arguments", "name"), [((), "template.csv"), (("my file.csv",), "my file.csv"), (("a.XLSX",), "a.XLSX")]
)
def test_it_is_written_and_says_what_is_next(program: Program, arguments: tuple[str, ...], name: str) -> None:
    process = program("template", *arguments)
    assert process.code == 0, process.err
    assert (program.folder / name).stat().st_mode & 0o044 != 0
    assert not list(program.folder.glob(".*.partial"))
    shown = f"'{name}'" if " " in name else name
    assert process.err.endswith(f"then: bulkreact run {shown}\n")
    empty = program("run", name, "--simulate")
    assert empty.code == 2
    assert f"{name} has no rows" in empty.err


def test_the_text_file_has_the_names_and_nothing_else(program: Program) -> None:
    program("template")
    assert (program.folder / "template.csv").read_bytes() == b"customer_id,subscription_id,entitlement_id\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("there.csv", "there.csv exists already, and is left as it is"),
        ("dangling.xlsx", "dangling.xlsx is a link"),
        ("there.xls", "there.xls is neither .csv nor .xlsx"),
        ("-", "- names no file"),
        ("nowhere/a.xlsx", "nowhere/a.xlsx cannot be written: there is no folder nowhere"),
        ("nowhere/a.csv", "nowhere/a.csv cannot be written: there is no folder nowhere"),
    ],
)
def test_what_cannot_be_written_is_refused_in_a_sentence(program: Program, name: str, message: str) -> None:
    (program.folder / "there.csv").write_text("mine")
    (program.folder / "dangling.xlsx").symlink_to("elsewhere")
    process = program("template", name)
    assert process.code == 2
    assert message in process.err
    assert (program.folder / "there.csv").read_text() == "mine"
    assert not (program.folder / "elsewhere").exists()


def test_excel_keeps_the_ids_as_text(tmp_path: Path) -> None:
    template.write_xlsx(tmp_path / "t.xlsx", command="bulkreact run t.xlsx")
    sheet = load_workbook(tmp_path / "t.xlsx")["Subscriptions"]
    assert [list(line) for line in sheet.values] == [list(ID_COLUMNS)]
    assert sheet.freeze_panes == "A2"
    columns = [columns_of(sheet)[name] for name in "ABC"]
    assert [(column.number_format, column.width >= 38) for column in columns] == [("@", True)] * 3


def test_the_second_sheet_explains_every_column_and_what_to_do_next(tmp_path: Path) -> None:
    template.write_xlsx(tmp_path / "t.xlsx", command="bulkreact run t.xlsx")
    book = CalamineWorkbook.from_path(tmp_path / "t.xlsx")
    assert book.sheet_names == ["Subscriptions", "How to fill this in"]
    lines = book.get_sheet_by_index(1).to_python()
    explained = {line[0]: line[1:] for line in lines if line[0] in ID_COLUMNS}
    assert list(explained) == list(ID_COLUMNS)
    assert all(len(str(word)) > 30 for message in explained.values() for word in message)
    assert list(EXAMPLES) in lines
    assert ["    bulkreact run t.xlsx", "", ""] in lines


def test_the_explanation_is_never_taken_for_a_table(tmp_path: Path) -> None:
    template.write_xlsx(tmp_path / "t.xlsx", command="bulkreact run t.xlsx")
    book = load_workbook(tmp_path / "t.xlsx")
    book.remove(book["Subscriptions"])
    book.save(tmp_path / "t.xlsx")
    with pytest.raises(InputRefusedError, match="missing in the header"):
        InputFile(tmp_path / "t.xlsx", max_rows=10)


def test_no_example_is_a_real_id(tmp_path: Path) -> None:
    assert len(EXAMPLES) == len(set(EXAMPLES)) == len(ID_COLUMNS)
    assert all(example.startswith("e8a3f1c0-") for example in EXAMPLES)
    assert not [
        example for example in EXAMPLES for number in ENTITLEMENT_SCENARIOS if example.endswith(f"{number:012d}")
    ]
    template.write_xlsx(tmp_path / "t.xlsx", command="")
    input_file = InputFile(fill(tmp_path / "t.xlsx", [EXAMPLES, row(guid(1))]), max_rows=10)
    example, own = input_file.rows()
    assert example.problem_code == "invalid-customer-id"
    assert example.problem.count("is the template's example, put your own there") == 3
    assert own.target is not None


def test_a_filled_template_is_run(program: Program, partner: Partner) -> None:
    program("template", "t.xlsx")
    path = fill(program.folder / "t.xlsx", [row(guid(1)), EXAMPLES])
    process = program("run", path, "--base-url", partner.base_url, *FAST)
    assert process.code == 1, process.err
    assert row_statuses(process.run) == ["accepted", "invalid"]
    assert "row 3: customer_id is the template's example" in process.err
    assert (process.run / "results.xlsx").is_file()


@pytest.mark.office
@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
def test_libreoffice_saves_a_filled_template_so_that_it_can_be_run(program: Program, suffix: str) -> None:
    program("template", "t.xlsx")
    ids = [row(guid(number)) for number in (1, 2)]
    fill(program.folder / "t.xlsx", ids)
    input_file = InputFile(convert(program.folder / "t.xlsx", suffix), max_rows=10)
    assert input_file.header == HEADER
    assert [input_row.cells for input_row in input_file.rows()] == ids


@pytest.mark.office
def test_libreoffice_leaves_results_as_they_are(program: Program, partner: Partner) -> None:
    with (program.folder / "input.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([("note", *HEADER), ("=1+1", *row(guid(1))), ("_x0041_", *row("4.892E+92"))])
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    assert process.code == 1, process.err
    input_file = InputFile(convert(process.run / "results.xlsx", "xlsx"), max_rows=10)
    input_rows = [("=1+1", *row(guid(1))), ("_x0041_", *row("4.892E+92"))]
    assert [input_row.cells for input_row in input_file.rows()] == input_rows
    saved = convert(process.run / "results.xlsx", "csv")
    assert [line["note"] for line in read_csv(saved)] == ["=1+1", "_x0041_"]
