"""failed.xlsx: the rows of failed.csv, with a note on every cell that is to be corrected; it runs as it is."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from bulkreact.models import Outcome, ResultRow, Status
from bulkreact.sheets.output import failed_xlsx
from bulkreact.sheets.output.failed_xlsx import MARK
from bulkreact.sheets.result_columns import RESULT_COLUMNS
from tests.support.ids import HEADER, guid, read_csv, row, scenario_id, write_csv
from tests.support.office import convert
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, latest_run, row_statuses

CHOICES = [guid(50), guid(51)]
NAMES = ("Kunde", *HEADER, "kind", "restore_auto_renew", "candidates", "Betrag", "Datum")
# What is wrong, and the cells that are to be corrected.
FAILURES: list[tuple[str, tuple[str | None, ...], tuple[str | None, ...], set[str]]] = [
    ("refused", row(scenario_id(800111)), (), {"entitlement_id"}),
    ("damaged", (*row(guid(3))[:2], "4.892E+92"), (), {"entitlement_id"}),
    ("options", row(guid(4)), ("azuer", "perhaps"), {"kind", "restore_auto_renew"}),
    ("several", (*row(guid(5))[:2], None), (None, None, f"{CHOICES[0]} (A); {CHOICES[1]} (B)"), {"entitlement_id"}),
    ("note", (None, None, None), (), set(HEADER)),
    ("throttled", row(scenario_id(503)), (), set()),
]
DAY = datetime(2026, 3, 31)  # noqa: DTZ001 - a workbook has no zones


def write_input(path: Path) -> Path:
    """Write a workbook with a good row and one of each failure."""
    book = Workbook()
    sheet: Any = book.active
    sheet.append(NAMES)
    for name, ids, options, _ in [("good", row(guid(1)), (), set()), *FAILURES]:
        sheet.append([name, *ids, *options, *[None] * (3 - len(options)), 1234.5, DAY])
        sheet.cell(sheet.max_row, 8).number_format = '#,##0.00 "€"'
    book.save(path)
    return path


@pytest.fixture
def target(partner: Partner) -> tuple[str, ...]:
    return ("--base-url", partner.base_url, *FAST, "--attempts", "1")


@pytest.fixture
def failed(program: Program, target: tuple[str, ...]) -> Path:
    """The workbook of a run with every failure."""
    write_input(program.folder / "input.xlsx")
    process = program("run", "input.xlsx", *target)
    assert process.code == 1, process.err
    return process.run / "failed.xlsx"


def sheet_of(path: Path) -> Any:  # noqa: ANN401 - openpyxl has no types
    return load_workbook(path)["Failed"]


def test_it_has_the_rows_of_the_text_file_with_the_sender_s_numbers_and_dates(failed: Path) -> None:
    names, *lines = sheet_of(failed).iter_rows()
    assert [cell.value for cell in names] == [*NAMES, *RESULT_COLUMNS]
    in_text = read_csv(failed.with_suffix(".csv"))
    assert [line[0].value for line in lines] == [line["Kunde"] for line in in_text] == [each[0] for each in FAILURES]
    assert [[str(cell.value or "") for cell in line[1:4]] for line in lines] == [
        [line[name] for name in HEADER] for line in in_text
    ]
    assert {cell.number_format for line in lines for cell in line[1:4]} == {"@"}
    assert {(line[7].value, line[7].number_format, line[8].value) for line in lines} == {(1234.5, '#,##0.00 "€"', DAY)}
    position = len(NAMES) + RESULT_COLUMNS.index("advice")
    assert [line[position].value for line in lines] == [line["advice"] for line in in_text]
    assert lines[1][position].value == "Format the column as text, paste the id again in failed.xlsx and run that file."


def test_cells_to_be_corrected_are_marked_and_have_a_note(failed: Path) -> None:
    lines = list(sheet_of(failed).iter_rows(min_row=2, max_col=len(NAMES)))
    expected = [names for *_, names in FAILURES]
    noted = [{NAMES[cell.column - 1] for cell in line if cell.comment} for line in lines]
    coloured = [{NAMES[cell.column - 1] for cell in line if cell.fill.fgColor.rgb == f"FF{MARK}"} for line in lines]
    assert noted == coloured == expected
    assert lines[1][3].comment.text.startswith("entitlement_id is not a GUID: '4.892E+92' (Excel changed this cell")
    assert lines[1][3].comment.text.endswith("paste the id again in failed.xlsx and run that file.")
    assert lines[2][4].comment.text.startswith("kind is no kind of subscription: 'azuer'")
    assert lines[2][5].comment.text.startswith("restore_auto_renew is not understood: 'perhaps'")


def test_allowed_values_can_be_chosen(failed: Path) -> None:
    rules = {str(rule.sqref): rule.formula1 for rule in sheet_of(failed).data_validations.dataValidation}
    assert rules == {
        "D5": f'"{",".join(CHOICES)}"',
        "E2:E7": '"azure,subscription"',
        "F2:F7": '"yes,no,true,false,1,0"',
    }


def test_many_candidates_can_be_chosen_too(program: Program, target: tuple[str, ...]) -> None:
    candidates = [guid(number) for number in range(20)]
    cells = (*row(guid(1))[:2], "", "; ".join(f"{candidate} (A)" for candidate in candidates))
    write_csv(program.folder / "input.csv", [cells, cells], (*HEADER, "candidates"))
    path = program("run", "input.csv", *target, "--xlsx").run / "failed.xlsx"
    rules = {str(rule.sqref): rule.formula1 for rule in sheet_of(path).data_validations.dataValidation}
    assert rules == {"C2": "Choices!$A$1:$T$1", "C3": "Choices!$A$2:$T$2"}
    assert [list(line) for line in load_workbook(path)["Choices"].values] == [candidates, candidates]
    assert program("plan", path).code == 1


def test_everything_names_it(program: Program, failed: Path) -> None:
    assert f'"failed_xlsx": "{failed.resolve()}"' in (failed.parent / "summary.json").read_text()
    shown = program("results", failed.parent.name).err
    assert not list(failed.parent.glob("*.edited-*"))
    assert f"Failed:   {failed.resolve()}" in shown
    assert "Correct 5 rows in failed.xlsx, then send them with: bulkreact run" in shown
    assert "paste the id again in failed.xlsx" in (failed.parent / "report.html").read_text()
    (command,) = (value for (value,) in load_workbook(failed)["What to do"].values if value.startswith("bulkreact run"))
    assert str(failed.resolve()) in command


def test_of_a_stopped_run_it_says_that_comes_first(program: Program, target: tuple[str, ...]) -> None:
    rows = [row(scenario_id(800111, number), number) for number in range(5)]
    write_csv(program.folder / "input.csv", rows)
    halting = ("--halt-on-failures", "1", "--halt-after", "1", "--concurrency", "1")
    run = program("run", "input.csv", *target, "--xlsx", *halting).run
    lines = [line for (line,) in load_workbook(run / "failed.xlsx")["What to do"].values]
    assert lines[1].startswith("The run was stopped before its end. Continue it first")
    assert lines[2] == f"bulkreact resume {run.name}"


def correct(sheet: Any) -> None:  # noqa: ANN401 - openpyxl has no types
    """Correct the damaged id and choose an entitlement; leave the others, and delete the row that is only a note."""
    sheet["D3"] = guid(3)
    sheet["D5"] = CHOICES[1]
    sheet.delete_rows(6)


def run_corrected(program: Program, partner: Partner, target: tuple[str, ...], failed: Path) -> None:
    """Run the corrected workbook: only the corrected rows go out besides those that were right."""
    before = len(partner.requests())
    process = program("run", failed, *target)
    assert process.code == 1, process.err
    assert f"failed.xlsx has rows of run {failed.parent.name}" in process.err
    again = latest_run(program)
    assert row_statuses(again) == ["failed", "accepted", "invalid", "accepted", "failed"]
    sent = {call["path"].split("/")[-2] for call in partner.requests()[before:]}
    assert {guid(3), CHOICES[1], scenario_id(800111), scenario_id(503)} >= sent >= {guid(3), CHOICES[1]}
    assert list(read_csv(again / "results.csv")[0]) == [*NAMES, *RESULT_COLUMNS]


def test_what_was_corrected_goes_out_and_nothing_else(
    program: Program, partner: Partner, target: tuple[str, ...], failed: Path
) -> None:
    book = load_workbook(failed)
    correct(book["Failed"])
    book.save(failed)
    run_corrected(program, partner, target, failed)


def test_an_edited_one_is_kept(program: Program, failed: Path) -> None:
    book = load_workbook(failed)
    correct(book["Failed"])
    book.save(failed)
    edited = failed.read_bytes()
    again = program("results", failed.parent.name)
    assert "Your edited failed.xlsx was kept as" in again.err
    assert failed.with_name("failed.edited-1.xlsx").read_bytes() == edited
    assert sheet_of(failed)["D3"].value == "4.892E+92"


def test_it_is_there_whenever_there_are_results_as_a_workbook(program: Program, target: tuple[str, ...]) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1)), row(scenario_id(800111))])
    run = program("run", "input.csv", *target).run
    assert not (run / "failed.xlsx").exists()
    assert "correct them in failed.csv" in read_csv(run / "results.csv")[1]["advice"]
    assert program("results", run.name, "--xlsx").code == 0
    assert (run / "failed.xlsx").stat().st_mode & 0o777 == 0o600
    assert "correct them in failed.xlsx" in read_csv(run / "results.csv")[1]["advice"]
    process = program("results", run.name, "--no-xlsx")
    assert "in failed.csv, then" in process.err
    assert not (run / "failed.xlsx").exists()
    assert "failed_xlsx" not in (run / "summary.json").read_text()


def test_columns_that_were_named_are_found(program: Program, target: tuple[str, ...]) -> None:
    header = ("Text", "Nummer", *HEADER[1:])
    write_csv(program.folder / "input.csv", [("", "1E+9", *row(guid(1))[1:])], header)
    run = program("run", "input.csv", *target, "--map", "customer_id=Nummer", "--xlsx").run
    sheet = sheet_of(run / "failed.xlsx")
    assert sheet["B2"].comment.text.startswith("customer_id is not a GUID: '1E+9'")
    assert sheet["A2"].comment is None


def test_it_is_removed_with_its_run(program: Program, failed: Path) -> None:
    assert "Removed 1 run." in program("prune", "--older-than", "0s", "--yes").out
    assert not failed.parent.exists()


def write_rows(path: Path, count: int, description: str = "customer_id is empty") -> Path:
    outcome = Outcome(Status.INVALID, 0, None, "missing-customer-id", description)
    rows = [ResultRow(n, ("", ""), outcome, succeeded=False, excluded_by_limit=False) for n in range(count)]
    with failed_xlsx.writing(path, ("customer_id", "a\0b"), {"customer_id": 0}, "bulkreact run") as sheet:
        assert list(sheet.pick(rows)) == rows
    return path


def test_only_the_first_rows_have_notes_and_all_are_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_xlsx, "MOST_NOTES", 3)
    lines = list(sheet_of(write_rows(tmp_path / "failed.xlsx", 250)).iter_rows(min_row=2))
    assert [line[0].comment is not None for line in lines] == [True] * 3 + [False] * 247
    assert {line[0].fill.fgColor.rgb for line in lines} == {f"FF{MARK}"}


def test_a_note_shows_what_no_workbook_can_have(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "failed.xlsx", 1, "customer_id is no GUID: '\0\ud800<&>'")
    assert sheet_of(path)["A2"].comment.text.startswith("customer_id is no GUID: '\u2400\ufffd<&>'")


@pytest.mark.office
def test_it_survives_libreoffice(program: Program, partner: Partner, target: tuple[str, ...], failed: Path) -> None:
    saved = convert(failed, "xlsx")
    sheet = sheet_of(saved)
    assert sheet["D3"].comment.text.startswith("entitlement_id is not a GUID")
    assert sheet["D3"].fill.fgColor.rgb == f"FF{MARK}"
    assert {str(rule.sqref) for rule in sheet.data_validations.dataValidation} == {"D5", "E2:E7", "F2:F7"}
    book = load_workbook(saved)
    correct(book["Failed"])
    book.save(saved)
    shutil.copyfile(convert(saved, "xlsx"), failed)
    run_corrected(program, partner, target, failed)
