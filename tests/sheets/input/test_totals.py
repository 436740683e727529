"""Totals below a table are no rows, and a remark names them; everything else with content is a row."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.models import InputRow
from bulkreact.plain_rows import PlainRows
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.input.row_checks import NO_IDS
from bulkreact.sheets.input.totals import is_total, leave_out_totals
from tests.support.ids import HEADER, guid, row, target, write_csv
from tests.support.program import Program
from tests.support.run_commands import row_statuses
from tests.support.workbooks import TABLE, row_xml, sheet_xml, write_workbook

WORDS = """total, grand total, subtotal, sum, Summe, Gesamt, Gesamtsumme, Zwischensumme, total général, somme, suma,
totale, somma, soma, totaal, som, razem, 合計, 総計, 小計""".replace("\n", " ").split(", ")
LINES = [("Contoso", *row(guid(number))) for number in (1, 2)]
BLANK = ("", "", "")


def read(folder: Path, *lines: tuple[str, ...]) -> tuple[InputFile, list[tuple[int, str]]]:
    input_file = InputFile(write_csv(folder / "input.csv", lines, ("Name", *HEADER)), max_rows=100, name="input.csv")
    return input_file, [(input_row.number, input_row.problem_code) for input_row in input_file.rows()]


@pytest.mark.parametrize("word", WORDS)
def test_a_total_in_any_language_is_left_out_with_a_remark(tmp_path: Path, word: str) -> None:
    for text in (word, word.upper(), f"{word.title()}: 2", f" {word} (2)"):
        input_file, rows = read(tmp_path, *LINES, (text, *BLANK))
        assert rows == [(2, ""), (3, "")]
        assert (input_file.count, input_file.codes, input_file.errors) == (2, {}, [])
        assert input_file.remark == "input.csv has a total, row 4: left out, as no row with ids follows."


@pytest.mark.parametrize(
    "text", ["Summit Ltd", "Totally", "Sumatra", "Note: total", "Somewhere", "2", "", "Gesamtheit"]
)
def test_other_words_are_rows(tmp_path: Path, text: str) -> None:
    input_file, rows = read(tmp_path, *LINES, (text, *BLANK), ("note", *BLANK))
    assert rows[-1] == (5, "no-ids")
    assert len(rows) == (4 if text else 3)
    assert input_file.remark == ""


def test_only_totals_below_the_last_row_with_ids_are_left_out(tmp_path: Path) -> None:
    total, note = ("Total", *BLANK), ("a note", *BLANK)
    broken = ("Contoso", "", "", "4.892E+92")
    input_file, rows = read(tmp_path, LINES[0], total, note, LINES[1], total, broken, total, note, ("Sum", *BLANK))
    assert rows == [
        (2, ""),
        (3, "no-ids"),
        (4, "no-ids"),
        (5, ""),
        (6, "no-ids"),
        (7, "damaged-by-excel"),
        (9, "no-ids"),
    ]
    assert input_file.codes == {"no-ids": 4, "damaged-by-excel": 1}
    assert [error.number for error in input_file.errors] == [3, 4, 6, 7, 9]
    assert input_file.remark == "input.csv has totals, rows 8, 10: left out, as no row with ids follows."


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("Total", "", "2", "", ""), True),
        (("2", "Total: 2", "", "", ""), True),
        (("", "Total", "", "2", "x"), True),
        (("", "", "", "1,204", "Total"), True),
        (("Total", "Contoso", "", "", ""), False),
        (("Total", "4.892E+92", "", "", ""), False),
        (("Total", "123456789012345000", "", "", ""), False),
        (("Total", guid(1), "", "", ""), False),
        (("", "n/a", "", "", "Total"), False),
    ],
)
def test_a_total_has_nothing_that_may_have_been_an_id(cells: tuple[str, ...], expected: bool) -> None:
    assert is_total(cells, cells[1:4]) is expected


def test_a_total_in_a_workbook_is_left_out(tmp_path: Path) -> None:
    rows = [row_xml(cells, number) for number, cells in enumerate([*TABLE, ("", "", "", "", "Total"), ("Sum",)], 1)]
    path = write_workbook(tmp_path / "input.xlsx", sheet_xml(rows))
    input_file = InputFile(path, max_rows=3)
    assert len(list(input_file.rows())) == 3
    assert "has totals, rows 5-6: left out" in input_file.remark


def test_a_run_with_a_total_ends_well_and_says_so(program: Program) -> None:
    write_csv(program.folder / "input.csv", [*LINES, ("Total", *BLANK)], ("Name", *HEADER))
    process = program("run", "input.csv", "--simulate", "--rate", "off")
    assert process.code == 0, process.err
    assert row_statuses(process.run) == ["accepted"] * 2
    assert process.summary["input"]["rows"] == 2  # type: ignore[index]
    assert "input.csv has a total, row 4: left out" in process.err
    assert program("plan", "input.csv").code == 0


_rows = st.lists(st.sampled_from(["ids", "total", "note"]), max_size=12)


@given(kinds=_rows, size=st.integers(1, 4))
def test_rows_keep_their_order_and_only_the_last_totals_go(kinds: list[str], size: int) -> None:
    last = max((index for index, kind in enumerate(kinds) if kind == "ids"), default=-1)
    expected = [index for index, kind in enumerate(kinds) if kind != "total" or index < last]
    rows = [
        InputRow(index, (), target(guid(1)) if kind == "ids" else None, "" if kind == "ids" else NO_IDS)
        for index, kind in enumerate(kinds)
    ]
    totals = {index for index, kind in enumerate(kinds) if kind == "total"}
    batches = (in_bulk(rows[index : index + size]) for index in range(0, len(rows), size))
    assert [input_row.number for batch in leave_out_totals(batches, totals) for input_row in batch] == expected


def in_bulk(rows: list[InputRow]) -> PlainRows | list[InputRow]:
    """Return rows in bulk if all have ids."""
    if not all(row.target for row in rows):
        return rows
    return PlainRows([row.number for row in rows], [[""] * len(rows)], [[guid(1)] * len(rows)] * 3)
