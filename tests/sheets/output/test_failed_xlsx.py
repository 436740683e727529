"""failed.xlsx: the rows of failed.csv, with a note on every cell that is to be corrected; it runs as it is."""

import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from bulkreact.models import Outcome, ResultRow, Status
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.output import failed_xlsx
from bulkreact.sheets.output.failed_xlsx import MARK
from bulkreact.sheets.output.sheet_layout import InputColumns
from bulkreact.sheets.result_columns import RESULT_COLUMNS
from tests.support.ids import HEADER, guid, read_csv, row, scenario_id, write_csv
from tests.support.inboxes import inbox_folder, sweep
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
COMMAND = re.compile(r"bulkreact (run|retry|resume|verify)\b|same command again|run (failed|that file)")
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


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Return the cells of every failed row by the names of their columns."""
    names, *lines = sheet_of(path).iter_rows()
    return [dict(zip([cell.value for cell in names], line, strict=True)) for line in lines]


def test_it_has_the_rows_of_the_text_file_with_the_sender_s_numbers_and_dates(failed: Path) -> None:
    lines, in_text = lines_of(failed), read_csv(failed.with_suffix(".csv"))
    assert set(lines[0]) == {*NAMES, *RESULT_COLUMNS}
    assert [line["Kunde"].value for line in lines] == [name for name, *_ in FAILURES]
    for name in (*HEADER, "status", "advice", "request_id", "row"):
        assert [str(line[name].value or "") for line in lines] == [line[name] for line in in_text]
    assert {line[name].number_format for line in lines for name in HEADER} == {"@"}
    amount, day = {(line["Betrag"].value, line["Betrag"].number_format) for line in lines}, lines[0]["Datum"].value
    assert (amount, day) == ({(1234.5, '#,##0.00 "€"')}, DAY)
    advice = "Format the column as text, paste the id again in failed.xlsx and run that file."
    assert lines[1]["advice"].value == advice


def test_status_and_advice_are_beside_the_customer_as_in_the_results(failed: Path) -> None:
    sheet, results = sheet_of(failed), load_workbook(failed.with_name("results.xlsx"))["Results"]
    assert [cell.value for cell in sheet[1]] == [cell.value for cell in results[1]]
    assert [cell.value for cell in sheet[1]][:3] == ["Kunde", "status", "advice"]
    assert sheet.freeze_panes == results.freeze_panes == "D2"


def test_cells_to_be_corrected_are_marked_and_have_a_note(failed: Path) -> None:
    lines = lines_of(failed)
    noted = [{name for name, cell in line.items() if cell.comment} for line in lines]
    marked = [{name for name, cell in line.items() if cell.fill.fgColor.rgb == f"FF{MARK}"} for line in lines]
    assert noted == marked == [names for *_, names in FAILURES]
    note = lines[1]["entitlement_id"].comment.text
    assert note.startswith("entitlement_id is not a GUID: '4.892E+92' (Excel changed this cell")
    assert note.endswith("paste the id again in failed.xlsx and run that file.")
    assert lines[2]["kind"].comment.text.startswith("kind is no kind of subscription: 'azuer'")
    assert lines[2]["restore_auto_renew"].comment.text.startswith("restore_auto_renew is not understood: 'perhaps'")


def test_allowed_values_can_be_chosen(failed: Path) -> None:
    rules = {str(rule.sqref): rule.formula1 for rule in sheet_of(failed).data_validations.dataValidation}
    columns = {name: cell.column_letter for name, cell in lines_of(failed)[0].items()}
    assert rules == {
        f"{columns['entitlement_id']}5": f'"{",".join(CHOICES)}"',
        f"{columns['kind']}2:{columns['kind']}7": '"azure,subscription"',
        f"{columns['restore_auto_renew']}2:{columns['restore_auto_renew']}7": '"yes,no,true,false,1,0"',
    }


def test_many_candidates_can_be_chosen_too(program: Program, target: tuple[str, ...]) -> None:
    candidates = [guid(number) for number in range(20)]
    cells = (*row(guid(1))[:2], "", "; ".join(f"{candidate} (A)" for candidate in candidates))
    write_csv(program.folder / "input.csv", [cells, cells], (*HEADER, "candidates"))
    path = program("run", "input.csv", *target, "--xlsx").run / "failed.xlsx"
    rules = {str(rule.sqref): rule.formula1 for rule in sheet_of(path).data_validations.dataValidation}
    column = lines_of(path)[0]["entitlement_id"].column_letter
    assert rules == {f"{column}2": "Choices!$A$1:$T$1", f"{column}3": "Choices!$A$2:$T$2"}
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


def test_of_a_swept_file_it_says_where_to_put_it(program: Program, partner: Partner) -> None:
    write_input(inbox_folder(program) / "input.xlsx")
    assert sweep(program, partner, "--attempts", "1").code == 1
    (path,) = (inbox_folder(program) / "done").glob("input.*.failed.xlsx")
    (line,) = (value for (value,) in load_workbook(path)["What to do"].values if value.startswith("Save"))
    assert line.startswith("Save the file as .xlsx, and put it into the folder where you had put the first one.")


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
    column = 1 + [cell.value for cell in sheet[1]].index("entitlement_id")
    sheet.cell(3, column).value = guid(3)
    sheet.cell(5, column).value = CHOICES[1]
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


def test_a_run_with_a_page_names_its_buttons_and_no_commands(program: Program, target: tuple[str, ...]) -> None:
    page = "http://127.0.0.1:8765/jobs/42"
    write_input(program.folder / "input.xlsx")
    run = program("run", "input.xlsx", *target, "--page", page).run
    program("retry", *target[2:], "--page", page)
    for folder in (run, latest_run(program)):
        values = [
            str(value)
            for name in ("failed.xlsx", "results.xlsx")
            for sheet in load_workbook(folder / name)
            for line in sheet.values
            for value in line
        ]
        # What happened over time names the processes.
        report = (folder / "report.html").read_text("utf-8").replace("<strong>bulkreact ", "")
        assert [text for text in (*values, report) if COMMAND.search(text)] == []
        assert (page in values, f'href="{page}"' in report) == (True, True)
    notes = [cell.comment.text for line in lines_of(run / "failed.xlsx") for cell in line.values() if cell.comment]
    assert [note for note in notes if COMMAND.search(note)] == []
    assert "upload that file" in notes[0]


def test_an_edited_one_is_kept(program: Program, failed: Path) -> None:
    book = load_workbook(failed)
    correct(book["Failed"])
    book.save(failed)
    edited = failed.read_bytes()
    again = program("results", failed.parent.name)
    assert "Your edited failed.xlsx was kept as" in again.err
    assert failed.with_name("failed.edited-1.xlsx").read_bytes() == edited
    assert lines_of(failed)[1]["entitlement_id"].value == "4.892E+92"


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
    (line,) = lines_of(run / "failed.xlsx")
    assert line["Nummer"].comment.text.startswith("customer_id is not a GUID: '1E+9'")
    assert line["Text"].comment is None


def test_it_is_removed_with_its_run(program: Program, failed: Path) -> None:
    assert "Removed 1 run." in program("prune", "--older-than", "0s", "--yes").out
    assert not failed.parent.exists()


def write_rows(path: Path, count: int, description: str = "customer_id is empty") -> Path:
    outcome = Outcome(Status.INVALID, 0, None, "missing-customer-id", description)
    rows = [ResultRow(n, ("", ""), outcome, succeeded=False, excluded_by_limit=False) for n in range(count)]
    with failed_xlsx.writing(path, ("customer_id", "a\0b"), {"customer_id": 0}, InputColumns(), ()) as sheet:
        assert list(sheet.pick(rows)) == rows
    return path


def test_only_the_first_rows_have_notes_and_all_are_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_xlsx, "MOST_NOTES", 3)
    cells = [line["customer_id"] for line in lines_of(write_rows(tmp_path / "failed.xlsx", 250))]
    assert [cell.comment is not None for cell in cells] == [True] * 3 + [False] * 247
    assert {cell.fill.fgColor.rgb for cell in cells} == {f"FF{MARK}"}


def test_a_note_shows_what_no_workbook_can_have(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "failed.xlsx", 1, "customer_id is no GUID: '\0\ud800<&>'")
    (line,) = lines_of(path)
    assert line["customer_id"].comment.text.startswith("customer_id is no GUID: '\u2400\ufffd<&>'")


_ids = st.sampled_from(["", " ", guid(1), guid(2).upper(), f"{{{guid(3)}}}", guid(4)[:20], "1E+9", "#N/A", "'=1"])
_cells = st.tuples(
    *[_ids] * 3,
    st.sampled_from(["", "azure", "Subscription", "azuer"]),
    st.sampled_from(["", "yes", "0", "perhaps; kind is no kind: 'x'"]),
    st.sampled_from(["", f"{guid(8)} (A); {guid(9)} (B)", "some"]),
    st.text("a'=;\n \r<&", max_size=8),
)


@settings(max_examples=4)
@given(st.lists(_cells, min_size=10, max_size=40))
def test_what_nobody_corrected_is_as_invalid_as_before(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    header = (*HEADER, "kind", "restore_auto_renew", "candidates", "note")
    before = [
        each for each in InputFile(write_csv(folder / "a.csv", cells, header), max_rows=99).rows() if each.problem
    ]
    results = [
        ResultRow(
            *(each.number, each.cells, Outcome(Status.INVALID, 0, None, each.problem_code, each.problem)),
            succeeded=False,
            excluded_by_limit=False,
        )
        for each in before
    ]
    columns = {name: index for index, name in enumerate(header)}
    with failed_xlsx.writing(folder / "failed.xlsx", header, columns, InputColumns(None, (0, 1, 2)), ()) as sheet:
        assert list(sheet.pick(results)) == results
    after = InputFile(folder / "failed.xlsx", max_rows=99).rows()
    assert [(each.problem_code, each.problem) for each in after] == [
        (each.problem_code, each.problem) for each in before
    ]


@pytest.mark.office
def test_it_survives_libreoffice(program: Program, partner: Partner, target: tuple[str, ...], failed: Path) -> None:
    saved = convert(failed, "xlsx")
    cell = lines_of(saved)[1]["entitlement_id"]
    assert cell.comment.text.startswith("entitlement_id is not a GUID")
    assert cell.fill.fgColor.rgb == f"FF{MARK}"
    assert [rule.type for rule in sheet_of(saved).data_validations.dataValidation] == ["list"] * 3
    book = load_workbook(saved)
    correct(book["Failed"])
    book.save(saved)
    shutil.copyfile(convert(saved, "xlsx"), failed)
    run_corrected(program, partner, target, failed)
