"""The files a run leaves: safe to open, complete, whole or absent, readable back."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.models import Answer, Call, Outcome, ResultRow, Status
from bulkreact.result_chunk import PlainRow, ResultChunk
from bulkreact.sheets.formula_guard import guard, unguard
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.output import results_csv
from bulkreact.sheets.result_columns import RESULT_COLUMNS
from tests.support.ids import HEADER, guid, read_csv, row

AT = "2026-03-01T12:00:00.000Z"
CALL = Call(1, guid(8), guid(9), AT, AT, Answer(404, "800111", "gone, for good", business=True))
ACCEPTED = Outcome(Status.ACCEPTED, 1, Call(1, guid(8), guid(9), AT, AT, Answer(202, "", "", business=True)))
FAILED = Outcome(Status.FAILED, 2, CALL, "800111", "gone, for good")


def as_chunks(rows: Iterable[ResultRow]) -> Iterator[ResultChunk]:
    return (ResultChunk([], {ordinal: row}) for ordinal, row in enumerate(rows, 1))


def write(folder: Path, header: tuple[str, ...], rows: Iterable[ResultRow]) -> results_csv.RowCounts:
    with results_csv.writing(folder, header, as_chunks(rows)) as counts:
        return counts


def result(
    cells: tuple[str, ...] = (), outcome: Outcome = ACCEPTED, *, number: int = 2, excluded: bool = False
) -> ResultRow:
    return ResultRow(number, cells, outcome, succeeded=outcome is ACCEPTED, excluded_by_limit=excluded)


@pytest.mark.parametrize(
    "cell",
    [
        *("=1+1", "+cmd", "-x", "@a", "\tx", "\rx", "\nx", "'=1", "''=1", "'-1", "-", "=", "+49 170", "-1-1", "\0=1"),
        *("\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20a"),
    ],
)
def test_cells_that_a_spreadsheet_would_calculate_are_guarded(cell: str) -> None:
    assert guard(cell) == f"'{cell}"


@pytest.mark.parametrize(
    ("cell", "guarded"),
    [
        ("x;=1+1;y", "x;'=1+1;y"),
        ("x|+a|@b", "x|'+a|'@b"),
        ("x\t-a", "x\t'-a"),
        ("x\n=1", "x\n'=1"),
        ("x\r\n=1", "x\r\n'=1"),
        ("x;'=1", "x;''=1"),
        ('x;""=1', 'x;\'""=1'),
        ("x;\0=1", "x;'\0=1"),
        ("x;\uff1d1", "x;'\uff1d1"),
        ("-1;=2", "'-1;'=2"),
        ("\t=1", "'\t'=1"),
        ("x;-1-1;-2", "x;'-1-1;-2"),
    ],
)
def test_parts_that_another_delimiter_would_make_a_cell_are_guarded(cell: str, guarded: str) -> None:
    assert guard(cell) == guarded


@pytest.mark.parametrize(
    "cell",
    [
        *("", "a", "1", "-12.50", "+3", "-1,234.50", "-1e5", "'", "'a", " =1", "-5%"),
        *("a;-1;+2", "a|-12.50", "a; -b", "a;b=c", "x;''", "a\t\tb"),
    ],
)
def test_other_cells_and_numbers_are_left_alone(cell: str) -> None:
    assert guard(cell) == cell


@given(st.text(st.sampled_from("'=+-@\t\r\n;|\"\0\uff1da1.,")) | st.text())
def test_taking_the_guard_off_is_the_exact_reverse(cell: str) -> None:
    assert unguard(guard(cell)) == cell


def test_results_have_the_inputs_columns_then_the_documented_ones(tmp_path: Path) -> None:
    write(tmp_path, ("a", "=b"), [result(("1", "=2"), FAILED, number=17)])
    (line,) = read_csv(tmp_path / "results.csv")
    assert list(line) == ["a", "'=b", *RESULT_COLUMNS]
    expected = {
        "a": "1",
        "'=b": "'=2",
        "row": "17",
        "status": "failed",
        "http_status": "404",
        "error_code": "800111",
        "error_description": "gone, for good",
        "attempts": "2",
        "request_id": guid(8),
        "correlation_id": guid(9),
        "started_at": AT,
        "finished_at": AT,
    }
    assert {name: line[name] for name in expected} == expected
    assert line["advice"].startswith("Check the ids of this row")


def test_lines_end_with_a_bare_line_feed_and_quotes_are_rare(tmp_path: Path) -> None:
    write(tmp_path, ("a", "b"), [result(("x y", "p,q"), FAILED)])
    content = (tmp_path / "results.csv").read_bytes()
    assert b"\r" not in content
    assert b'x y,"p,q",2,failed,404,800111,"gone, for good",' in content


def test_a_carriage_return_in_a_cell_survives(tmp_path: Path) -> None:
    write(tmp_path, ("a", "b"), [result(("x\ry", "p\r\nq"))])
    content = (tmp_path / "results.csv").read_bytes().decode()
    assert list(csv.reader(io.StringIO(content, newline="")))[1][:2] == ["x\ry", "p\r\nq"]


def test_failed_rows_are_in_both_files_and_the_others_in_one(tmp_path: Path) -> None:
    rows = [result(("1",)), result(("2",), FAILED), result(("3",))]
    counts = write(tmp_path, ("a",), rows)
    assert [line["a"] for line in read_csv(tmp_path / "results.csv")] == ["1", "2", "3"]
    assert [line["a"] for line in read_csv(tmp_path / "failed.csv")] == ["2"]
    assert results_csv.counts_by_status(counts) == {
        **{status.value: 0 for status in Status},
        "accepted": 2,
        "failed": 1,
    }
    assert (counts.codes, counts.exit_code) == ({"800111": 1}, 1)


def test_every_row_without_success_is_among_the_failed_ones_whether_it_has_a_code_or_not(tmp_path: Path) -> None:
    untouched = Outcome(Status.NOT_ATTEMPTED, 0, None)
    same_as_failed = Outcome(Status.DUPLICATE, 0, None)
    rows = [result(("1",), untouched), result(("2",)), result(("3",), same_as_failed), result(("4",), FAILED)]
    write(tmp_path, ("a",), rows)
    assert [line["a"] for line in read_csv(tmp_path / "failed.csv")] == ["1", "3", "4"]


def test_a_duplicate_of_a_row_that_ended_well_is_no_failure(tmp_path: Path) -> None:
    duplicate = ResultRow(3, ("1",), Outcome(Status.DUPLICATE, 0, None), succeeded=True, excluded_by_limit=False)
    assert write(tmp_path, ("a",), [result(("1",)), duplicate]).exit_code == 0
    assert read_csv(tmp_path / "failed.csv") == []


def test_without_failures_failed_csv_has_a_header_only(tmp_path: Path) -> None:
    counts = write(tmp_path, ("a",), [result(("1",))])
    assert (tmp_path / "failed.csv").read_text() == ",".join(("a", *RESULT_COLUMNS)) + "\n"
    assert counts.exit_code == 0


def test_what_only_the_limit_left_out_is_no_failure(tmp_path: Path) -> None:
    untouched = Outcome(Status.NOT_ATTEMPTED, 0, None)
    assert write(tmp_path, ("a",), [result(("1",), untouched, excluded=True)]).exit_code == 0
    assert write(tmp_path, ("a",), [result(("1",), untouched)]).exit_code == 1


def test_files_of_a_run_are_private_and_a_copy_follows_the_umask(tmp_path: Path) -> None:
    copy = tmp_path / "copy.csv"
    write(tmp_path, ("a",), [result(("1",))])
    results_csv.copy(tmp_path, copy)
    assert (tmp_path / "results.csv").stat().st_mode & 0o777 == 0o600
    assert copy.stat().st_mode & 0o077 != 0
    assert copy.read_bytes() == (tmp_path / "results.csv").read_bytes()


def test_rows_stay_in_the_order_of_the_input(tmp_path: Path) -> None:
    plain = [PlainRow(ordinal, ordinal + 1, b'["a"]', "", "accepted", 202, "", 1, "", "", "", "") for ordinal in (1, 3)]
    with results_csv.writing(tmp_path, ("a",), [ResultChunk(plain, {2: result(("b",), FAILED, number=3)})]) as counts:
        pass
    assert [values["row"] for values in read_csv(tmp_path / "results.csv")] == ["2", "3", "4"]
    assert (counts.statuses, counts.unsuccessful) == ({"accepted": 2, "failed": 1}, 1)


def test_a_write_that_breaks_leaves_the_older_files_untouched(tmp_path: Path) -> None:
    write(tmp_path, ("a",), [result(("old",))])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail_after_first() -> Iterator[ResultRow]:
        yield result(("new",))
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write(tmp_path, ("a",), fail_after_first())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_error_before_the_end_of_the_context_leaves_the_older_files_untouched(tmp_path: Path) -> None:
    write(tmp_path, ("a",), [result(("old",))])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OSError, match="No space"), results_csv.writing(tmp_path, ("a",), as_chunks([result(("new",))])):
        raise OSError(28, "No space left on device")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


_cell = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=10) | st.text(
    st.sampled_from("'=+-@\t\r\n,\"; a1"), max_size=6
)


@given(
    rows=st.lists(st.lists(_cell, min_size=2, max_size=2), max_size=10), names=st.lists(_cell, min_size=2, max_size=2)
)
def test_a_results_file_is_a_valid_input_with_every_cell_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], names: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("round")
    header = (*HEADER, *(f"{name}~{number}" for number, name in enumerate(names)))
    input_rows = [(*row(guid(number)), *cells) for number, cells in enumerate(rows)]
    write(folder, header, [result(cells, FAILED) for cells in input_rows])
    input_file = InputFile(folder / "failed.csv", max_rows=100)
    assert [input_row.cells for input_row in input_file.rows()] == input_rows
    assert input_file.header == header
