"""results.xlsx: texts that stay texts, whole or absent, where it is wanted, readable back."""

import gc
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from python_calamine import CalamineWorkbook

from bulkreact.models import Answer, Call, InputRow, Outcome, ResultRow, Status
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.output import results_xlsx
from bulkreact.sheets.output.edited_files import WRITTEN
from bulkreact.sheets.output.results_xlsx import FAILED_WORKBOOK, size_error
from bulkreact.sheets.output.sheet_layout import InputColumns
from bulkreact.sheets.output.xlsx_text import CELL_LENGTH, escape
from bulkreact.sheets.output.xlsx_writer import WorkbookWriter
from bulkreact.sheets.result_columns import NUMERIC_COLUMNS, RESULT_COLUMNS, result_cells
from tests.support.ids import HEADER, guid, read_csv, row, scenario_id, write_csv
from tests.support.program import Partner, Program, file_size_limit
from tests.support.run_commands import FAST, latest_run, row_statuses
from tests.support.workbooks import columns_of

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

AT = "2026-03-01T12:00:00.000Z"
CALL = Call(1, guid(8), guid(9), AT, AT, Answer(404, "800111", "=gone()", business=True))
FAILED = Outcome(Status.FAILED, 2, CALL, "800111", "=gone()")
ACCEPTED = Outcome(Status.ACCEPTED, 1, Call(1, guid(8), guid(9), AT, AT, Answer(202, "", "", business=True)))
STRANGE = (
    "=1+1",
    "+cmd",
    "-x",
    "@a",
    "'=1",
    "''",
    "-12.50",
    "007",
    "1e5",
    "#N/A",
    "TRUE",
    "2026-03-01",
    " a ",
    "a\nb",
    "<b>&amp;</b>",
)
BOM = b"\xef\xbb\xbf"


def result(cells: tuple[str, ...], outcome: Outcome = FAILED, *, number: int = 2) -> ResultRow:
    return ResultRow(number, cells, outcome, succeeded=outcome is ACCEPTED, excluded_by_limit=False)


def write(folder: Path, header: tuple[str, ...], rows: list[ResultRow]) -> Path:
    path = folder / "results.xlsx"
    results_xlsx.write(path, header, rows, [("Run", "=1"), ("Input", "a.csv")], InputColumns())
    return path


def input_order(names: Sequence[object]) -> list[int]:
    """Return the indexes of the columns of a sheet as they are in the results: the input's, then ours."""
    ours = [names.index(name) for name in RESULT_COLUMNS]
    return [*(index for index in range(len(names)) if index not in ours), *ours]


def xml(path: Path) -> str:
    """Return the XML of the first sheet."""
    with zipfile.ZipFile(path) as archive:
        return archive.read("xl/worksheets/sheet1.xml").decode()


def take(path: Path) -> tuple[InputFile, list[InputRow]]:
    input_file = InputFile(path, max_rows=10_000)
    return input_file, list(input_file.rows())


def input_of(kind: str) -> bytes:
    """Return a file of two rows, one of which fails, as something saves it."""
    lines = [("Kunde", *HEADER), ("Zürich", *row(guid(1))), ("=1+1", *row(scenario_id(800111)))]
    delimiter, encoding = {
        "plain": (",", "utf-8"),
        "bar": ("|", "utf-8"),
        "bom": (",", "utf-8-sig"),
        "semicolon": (";", "utf-8"),
        "tab": ("\t", "utf-8"),
        "utf-16": ("\t", "utf-16"),
        "cp1252": (",", "cp1252"),
        "sep=": (",", "utf-8"),
    }[kind]
    text = "".join(f"{delimiter.join(line)}\n" for line in lines)
    return f"{'sep=,' + chr(10) if kind == 'sep=' else ''}{text}".encode(encoding)


def test_every_text_is_a_text_cell_with_the_original_and_nothing_is_a_formula(tmp_path: Path) -> None:
    header = tuple(f"{cell} {number}" for number, cell in enumerate(STRANGE))
    path = write(tmp_path, header, [result(STRANGE)])
    names, line = load_workbook(path)["Results"].iter_rows()
    order = input_order([cell.value for cell in names])
    names, line = [names[index] for index in order], [line[index] for index in order]
    assert [cell.value for cell in names] == [*header, *RESULT_COLUMNS]
    assert [cell.value for cell in line[: len(STRANGE)]] == list(STRANGE)
    assert "<f>" not in xml(path)
    assert "<f " not in xml(path)
    ours = dict(zip(RESULT_COLUMNS, line[len(STRANGE) :], strict=True))
    numbers = {name: cell.value for name, cell in ours.items() if cell.data_type == "n" and cell.value is not None}
    assert numbers.keys() == NUMERIC_COLUMNS
    assert numbers["http_status"] == 404
    texts = [cell for cell in (*names, *line) if cell.data_type != "n" and cell.value is not None]
    assert {(cell.data_type, cell.number_format) for cell in texts} == {("s", "@")}
    assert ours["error_description"].value == "=gone()"
    assert ours["request_id"].value == guid(8)


def test_the_sheet_is_made_for_filtering_and_sorting(tmp_path: Path) -> None:
    path = write(
        tmp_path, (*HEADER, "note"), [result((*row(guid(1)), "x" * 500)), result((*row(guid(2)), ""), ACCEPTED)]
    )
    sheet = load_workbook(path)["Results"]
    assert sheet.freeze_panes == "C2"
    assert sheet.auto_filter.ref == f"A1:{get_column_letter(sheet.max_column)}3"
    widths = {name: int(column.width) for name, column in columns_of(sheet).items()}
    assert widths["C"] == widths["E"] == 38
    assert (widths["F"], widths["G"]) == (60, 8)


def test_failed_rows_are_coloured_and_of_the_others_the_status_alone(tmp_path: Path) -> None:
    duplicate = ResultRow(4, ("c",), Outcome(Status.DUPLICATE, 0, None), succeeded=True, excluded_by_limit=False)
    path = write(tmp_path, ("a",), [result(("a",)), result(("b",), ACCEPTED), duplicate])
    _, failed, accepted, double = load_workbook(path)["Results"].iter_rows()
    fills = [
        [cell.fill.fgColor.rgb if cell.fill.patternType else "" for cell in line] for line in (failed, accepted, double)
    ]
    assert set(fills[0]) == {f"FF{results_xlsx.COLOURS[Status.FAILED]}"}
    assert [colour for colour in fills[1] if colour] == [fills[1][0]]
    assert [colour for colour in fills[2] if colour] == [fills[2][0]]
    assert len({fills[0][0], fills[1][0], fills[2][0]}) == 3


def test_every_status_has_a_colour() -> None:
    assert set(results_xlsx.COLOURS) == set(Status)


def test_the_second_sheet_sums_up(tmp_path: Path) -> None:
    unheard = Outcome(Status.FAILED, 1, CALL, "=new", "")
    path = write(tmp_path, ("a",), [result(("1",)), result(("2",)), result(("3",), ACCEPTED), result(("4",), unheard)])
    assert load_workbook(path).sheetnames == ["Results", "Summary"]
    lines = [[value for value in line if value is not None] for line in load_workbook(path)["Summary"].values]
    assert ["Run", "=1"] in lines
    assert ["accepted", 1, "Partner Center took the request; the subscription becomes active within minutes"] in lines
    assert ["all", 4] in lines
    (error_line,) = (line for line in lines if line[:2] == ["800111", 2])
    assert error_line[2] == "Partner Center finds no Azure subscription with this entitlement id"
    assert error_line[3].startswith("Check the ids of this row")
    assert ["=new", 1, "not in the catalogue; see error_description"] in lines


def test_a_workbook_without_rows_is_one(tmp_path: Path) -> None:
    input_file, rows = take(write(tmp_path, HEADER, []))
    assert (input_file.header, rows) == (HEADER, [])


@pytest.mark.parametrize(
    ("text", "fitting"),
    [
        ("a\x00b\x1f", "a\u2400b\u241f"),
        ("\ud800\uffff", "\ufffd\ufffd"),
        ("a\rb", "a_x000D_b"),
        ("_x0041_", "_x005F_x0041_"),
        ("_x00", "_x00"),
        (" ", "_x0020_"),
        ("x" * CELL_LENGTH, "x" * CELL_LENGTH),
        ("x" * (CELL_LENGTH + 1), "x" * (CELL_LENGTH - 1) + "…"),
        ("\U0001f600" * CELL_LENGTH, "\U0001f600" * (CELL_LENGTH // 2) + "…"),
        ("x" * (CELL_LENGTH - 4) + "\r\r", "x" * (CELL_LENGTH - 4) + "…"),
    ],
)
def test_what_a_cell_cannot_contain_is_visibly_replaced_or_cut(text: str, fitting: str) -> None:
    assert escape(text) == fitting


ROOM = 16_384 - len(RESULT_COLUMNS)


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        (1_048_575, 3, ""),
        (1_048_576, 3, "a workbook has room for 1,048,575 rows, and these are 1,048,576"),
        (1, ROOM, ""),
        (1, ROOM + 1, f"a workbook has room for {ROOM:,} columns of an input, and these are {ROOM + 1:,}"),
    ],
)
def test_a_sheet_that_would_be_too_large_is_refused(rows: int, columns: int, message: str) -> None:
    assert size_error(rows, columns) == message


_character = st.characters(
    codec="utf-8", exclude_characters=[*map(chr, (*range(9), 11, 12, *range(14, 32))), "\ufffe", "\uffff"]
)
_cell = st.text(_character, max_size=10) | st.text(st.sampled_from("'=+-@\t\r\n _x0041D"), max_size=12)


@given(
    rows=st.lists(st.lists(_cell, min_size=2, max_size=2), max_size=5), names=st.lists(_cell, min_size=2, max_size=2)
)
@example([["_x005F_x0041_", "_x000D\r"], [" \r", "'=1"]], ["=a\r", "'=b"])
@example([["\u3000", "\u2003\u2028"], [" \u3000", "\u00a0"], [" ", "\u3000\u3000"]], ["\u3000", "b"])
def test_any_table_comes_back_from_the_workbook_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], names: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("round")
    header = (*HEADER, *(f"{name}~{number}" for number, name in enumerate(names)))
    input_rows = [(*row(guid(number)), *cells) for number, cells in enumerate(rows)]
    path = write(folder, header, [result(cells, number=7) for cells in input_rows])
    input_file, rows_read = take(path)
    assert input_file.header == header
    assert [input_row.cells for input_row in rows_read] == input_rows
    assert [input_row.problem_code for input_row in rows_read] == [""] * len(rows)
    first, *results = CalamineWorkbook.from_path(path).get_sheet_by_name("Results").to_python()
    ours = [[str(line[first.index(name)]).removesuffix(".0") for name in RESULT_COLUMNS] for line in results]
    assert ours == [result_cells(result((), number=7), FAILED_WORKBOOK)] * len(rows)


def test_a_write_that_breaks_leaves_the_older_file_and_no_other(tmp_path: Path) -> None:
    path = write(tmp_path, ("a",), [result(("old",))])
    before = path.read_bytes()

    def fail_after_first() -> Iterator[ResultRow]:
        for _ in range(1000):
            yield result(("new",))
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        results_xlsx.write(path, ("a",), fail_after_first(), [], InputColumns())
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == [WRITTEN, "results.xlsx"]


@pytest.mark.parametrize(
    ("kind", "option", "there"),
    [
        ("plain", "", False),
        ("bar", "", False),
        ("plain", "--xlsx", True),
        ("bom", "", True),
        ("bom", "--no-xlsx", False),
        ("semicolon", "", True),
        ("tab", "", True),
        ("utf-16", "", True),
        ("cp1252", "", True),
        ("sep=", "", True),
    ],
)
def test_it_is_written_where_the_input_came_out_of_a_spreadsheet(
    program: Program, partner: Partner, kind: str, option: str, there: bool
) -> None:
    (program.folder / "input.csv").write_bytes(input_of(kind))
    options = ("--base-url", partner.base_url, *FAST, *filter(None, [option]))
    process = program("run", "input.csv", *options)
    assert process.code == 1, process.err
    path = process.run / "results.xlsx"
    assert path.is_file() is there
    files = process.summary["files"]
    assert isinstance(files, dict)
    assert files.get("results_xlsx") == (str(path.resolve()) if there else None)
    assert ("Workbook: " in process.err) is there


def test_a_run_of_a_workbook_leaves_one_that_is_private_and_a_valid_input(program: Program, partner: Partner) -> None:
    input_rows = [("=1+1", *row(guid(1))), ("'=1", *row(scenario_id(800111))), ("", *row("no id"))]
    header = ("'note", *HEADER)
    source = write(program.folder, header, [result(cells) for cells in input_rows])
    target = ("--base-url", partner.base_url, *FAST)
    process = program("run", source, *target)
    assert process.code == 1, process.err
    path = process.run / "results.xlsx"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not list(process.run.glob("*.partial"))
    input_file, rows = take(path)
    assert input_file.header == header
    assert [input_row.cells for input_row in rows] == input_rows
    lines = load_workbook(path)["Results"].values
    names = next(lines)
    results = [dict(zip(names, line, strict=True)) for line in lines]
    assert [(line["row"], line["status"]) for line in results] == [(2, "accepted"), (3, "failed"), (4, "invalid")]
    in_csv = [line["request_id"] for line in read_csv(process.run / "results.csv")]
    assert [line["request_id"] or "" for line in results] == in_csv
    again = program("run", path, *target, "--new")
    assert again.code == 1, again.err
    assert take(latest_run(program) / "results.xlsx")[1][0].cells == input_rows[0]
    assert list(read_csv(latest_run(program) / "failed.csv")[0]) == ["'note", *HEADER, *RESULT_COLUMNS]


def test_a_lost_call_keeps_its_request_id_through_the_workbook(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(scenario_id(1599))])
    target = ("--base-url", partner.base_url, *FAST, "--attempts", "1")
    first = program("run", "input.csv", *target, "--xlsx")
    assert row_statuses(first.run) == ["unknown"]
    again = program("run", first.run / "results.xlsx", *target, "--new")
    assert again.code == 1, again.err
    assert len({call["request_id"] for call in partner.requests()}) == 1
    assert len(partner.requests()) == 2


def test_later_commands_know_from_the_run_whether_to_write_it(program: Program, partner: Partner) -> None:
    (program.folder / "input.csv").write_bytes(input_of("bom"))
    target = ("--base-url", partner.base_url, *FAST)
    process = program("run", "input.csv", *target, "--no-xlsx", "--limit", "1")
    path = process.run / "results.xlsx"
    assert not path.exists()
    assert program("resume", *FAST, "--halt-on-failures", "off").code == 1
    assert [line["status"] for line in statuses(path)] == ["accepted", "failed"]
    path.unlink()
    assert program("verify", process.run.name, "--rate", "off").code == 1
    assert path.is_file()
    assert program("results", process.run.name, "--no-xlsx").code == 0
    assert not path.exists()
    assert program("results", process.run.name, "--to", "elsewhere").code == 0
    assert (program.folder / "elsewhere" / "results.xlsx").stat().st_mode & 0o777 == 0o600
    assert program("retry", process.run.name, "--all-failed", *FAST).code == 1
    assert [line["status"] for line in statuses(latest_run(program) / "results.xlsx")] == ["failed"]


def test_a_workbook_that_is_there_does_not_go_stale_and_an_edited_one_is_kept(
    program: Program, partner: Partner
) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1))])
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--xlsx")
    path = process.run / "results.xlsx"
    assert (
        program("verify", process.run.name, "--rate", "off", "--verify-timeout", "30s", "--verify-every", "0.2s").code
        == 0
    )
    assert [line["status"] for line in statuses(path)] == ["reactivated"]
    path.write_bytes(b"my notes")
    again = program("results", process.run.name)
    assert "Your edited results.xlsx was kept as" in again.err
    assert (process.run / "results.edited-1.xlsx").read_bytes() == b"my notes"
    assert [line["status"] for line in statuses(path)] == ["reactivated"]


def test_results_elsewhere_leave_a_foreign_workbook_alone(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1))])
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    theirs = program.folder / "elsewhere" / "results.xlsx"
    theirs.parent.mkdir()
    theirs.write_bytes(b"theirs")
    assert program("results", process.run.name, "--to", "elsewhere").code == 0
    assert theirs.read_bytes() == b"theirs"
    summary = json.loads((theirs.parent / "summary.json").read_text())
    assert "results_xlsx" not in summary["files"]


def test_a_workbook_that_cannot_be_written_ends_like_results_that_cannot(program: Program, partner: Partner) -> None:
    notes = [Random(number).randbytes(20_000).hex()[:32_000] for number in range(10)]
    write_csv(program.folder / "input.csv", [(*row(guid(1)), *notes)], header=(*HEADER, *map(str, range(10))))
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--xlsx")
    path = process.run / "results.xlsx"
    before = {path.name: path.read_bytes() for path in process.run.glob("[!j]*")}
    with file_size_limit(100_000):
        ended = program("results", process.run.name, "--xlsx")
    assert ended.code == 74, ended.err
    assert re.search(r"File too large.*\n?.*bulkreact results", ended.err)
    assert "Exception ignored" not in ended.err
    assert "Traceback" not in ended.err
    assert {path.name: path.read_bytes() for path in process.run.glob("[!j]*")} == before
    path.unlink()
    path.mkdir()
    assert program("results", process.run.name, "--xlsx").code == 74
    path.rmdir()
    assert program("results", process.run.name, "--xlsx").code == 0
    assert path.is_file()


def statuses(path: Path) -> list[dict[str, object]]:
    """Return the rows of a results workbook."""
    lines = load_workbook(path)["Results"].values
    names = next(lines)
    return [dict(zip(map(str, names), line, strict=True)) for line in lines]


def test_a_run_of_plain_csv_does_not_load_what_writes_workbooks(program: Program) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1))])
    code = (
        "import sys; sys.argv[1:] = ['run', 'input.csv', '--simulate', '--rate', 'off', '-q']\n"
        "from bulkreact.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('openpyxl' in sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=program.folder,
        capture_output=True,
        text=True,
        check=True,
        env=program.environment,
    )
    assert process.stdout.splitlines()[-1] == "False"


def test_more_than_a_sheet_has_room_for_is_no_workbook_and_a_sentence(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv(program.folder / "input.csv", [row(guid(number)) for number in range(3)])
    monkeypatch.setattr(results_xlsx, "MOST_ROWS", 3)
    process = program("run", "input.csv", "--simulate", "--rate", "off", "--xlsx")
    assert process.code == 0
    message = (
        "There is no results.xlsx: a workbook has room for 2 rows, and these are 3. All of them are in results.csv."
    )
    assert message in process.err
    assert row_statuses(latest_run(program)) == ["accepted"] * 3
    assert not list(program.folder.glob("reports/*/results.xlsx"))
    assert "results_xlsx" not in (latest_run(program) / "summary.json").read_text()


class FullDisk(io.BytesIO):
    """A file in which there is no room."""

    def write(self, _content: "ReadableBuffer", /) -> int:
        raise OSError(28, "No space left on device")


def test_what_the_system_refuses_is_raised_as_it_is_and_nothing_else_is_said(tmp_path: Path) -> None:
    book = WorkbookWriter(FullDisk(), tmp_path)
    book.add_sheet("A").add_row(("a",))
    with pytest.raises(OSError, match="No space"):
        book.save()
    book.abandon()
    del book
    # The archive is deleted; what it raises then would be shown to everybody.
    gc.collect()
