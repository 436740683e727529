"""Further headers below the first, and rows inside a cell: what they hide is never sent, and never lost without a word."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bulkreact.errors import InputRefusedError
from bulkreact.models import InputRow
from bulkreact.sheets.input.customer_ids import customer_ids
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.input.input_options import InputOptions
from bulkreact.sheets.input.missing_ids import InputWithMissingIds
from bulkreact.sheets.result_columns import RESULT_COLUMNS
from tests.support.ids import HEADER, guid, row, write_csv
from tests.support.tables import Save

IDS = ",".join(HEADER)
SWAPPED = (HEADER[1], HEADER[0], HEADER[2])


def lines(*numbers: int) -> list[tuple[str, ...]]:
    return [(*row(guid(number)), f"Acme {number}") for number in numbers]


def take(path: Path, **options: object) -> list[InputRow]:
    input_file = InputFile(path, max_rows=100, name=path.name, options=InputOptions(**options))  # type: ignore[arg-type]
    return list(input_file.rows())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((*HEADER, "Name"), (*SWAPPED, "Name")),
        ((*HEADER, "Name"), ("Abonnement-ID", "Kunden-ID", "Berechtigungs-ID", "Name")),
        ((*HEADER, "Name"), ("Name", *HEADER)),
        ((*HEADER, "Name"), (HEADER[1], "Kunde", "Recht", "Name")),
        ((*HEADER, "Name"), (*HEADER, "kind")),
        ((*HEADER, "kind"), (*HEADER, "Name")),
        ((*HEADER, "kind", "deadline"), (*HEADER, "deadline", "kind")),
    ],
)
def test_a_second_header_with_other_columns_is_refused_with_its_row(
    save: Save, first: Sequence[str], second: Sequence[str]
) -> None:
    path = save([first, (*row(guid(1)), ""), second, (*row(guid(3)), "")])
    with pytest.raises(
        InputRefusedError, match=r": row 3 names the columns again, and others or in another order than row 1\."
    ):
        take(path)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((*HEADER, "Name"), (*HEADER, "Name")),
        ((*HEADER, "Name"), ("Kunden-ID", "Abonnement-ID", "Berechtigungs-ID", "Notiz")),
        ((*HEADER, "Name"), ("CUSTOMER ID", " subscription_id", "\u200bentitlement_id", "")),
        ((*HEADER, "kind"), HEADER),
    ],
)
def test_a_second_header_with_the_same_columns_is_no_row(
    save: Save, first: Sequence[str], second: Sequence[str]
) -> None:
    taken = take(save([first, row(guid(1)), second, row(guid(3))]))
    assert [(input_row.number, input_row.problem_code) for input_row in taken] == [(2, ""), (4, "")]


def test_a_second_table_beside_the_first_is_refused(save: Save) -> None:
    beside = [(*cells, "", *other) for cells, other in zip(lines(1, 2), [(*SWAPPED, "x"), *lines(3)], strict=True)]
    path = save([("a", "b"), (*HEADER, "Name", "", "", "", "", "y"), *beside])
    with pytest.raises(InputRefusedError, match=r": row 3 names the columns again"):
        take(path)


def test_results_put_together_with_other_columns_are_refused(tmp_path: Path) -> None:
    results = [*HEADER, *RESULT_COLUMNS]
    moved = [*HEADER, *RESULT_COLUMNS[1:], RESULT_COLUMNS[0]]
    with pytest.raises(InputRefusedError, match=r": row 2 names the columns again"):
        take(write_csv(tmp_path / "input.csv", [moved], results))
    assert take(write_csv(tmp_path / "input.csv", [results], results)) == []


def test_mapped_columns_are_compared_as_well(save: Save) -> None:
    first, second = ("Wer", *HEADER[1:]), (HEADER[1], "Wer", HEADER[2])
    named = {"customer_id": "Wer"}
    assert len(take(save([first, row(guid(1)), first, row(guid(2))]), columns=named)) == 2
    with pytest.raises(InputRefusedError, match=r": row 3 names the columns again"):
        take(save([first, row(guid(1)), second, row(guid(2))]), columns=named)


def test_a_table_to_complete_is_refused_for_a_second_header_too(save: Save) -> None:
    path = save([HEADER, row(""), SWAPPED, row("", 2)])
    with pytest.raises(InputRefusedError, match=r": row 3 names the columns again"):
        list(InputWithMissingIds(path, path.name, InputOptions(), text=True).rows())


def test_a_quotation_mark_that_swallows_rows_makes_its_row_invalid(tmp_path: Path) -> None:
    rows = [",".join(("Firma", *row(guid(number)), str(number))) for number in range(1, 7)]
    text = f'Name,{IDS},Nr\n{rows[0]}\n"{rows[1]}\n{rows[2]}\nRohre 5",{",".join(row(guid(4)))},4\n{rows[4]}\n'
    (tmp_path / "input.csv").write_text(text)
    input_file = InputFile(tmp_path / "input.csv", max_rows=100)
    taken = list(input_file.rows())
    assert [(input_row.number, input_row.problem_code) for input_row in taken] == [
        (2, ""),
        (3, "swallowed-rows"),
        (4, ""),
    ]
    assert "Name holds several lines of ids: 'Firma,5eed" in taken[1].problem
    assert "a quotation mark that opens in this row closes rows later" in taken[1].problem


@pytest.mark.parametrize("swallowing", [0, 4])
@pytest.mark.parametrize("kind", [None, "azure"])
def test_one_swallowed_row_is_enough(save: Save, swallowing: int, kind: str | None) -> None:
    cells = ["x", *row(guid(1)), "y"]
    cells[swallowing] = "5\nAcme," + ",".join(row(guid(2))) + ",\nTotal"
    taken = take(save([("Name", *HEADER, "Note"), cells, ("x", *row(guid(3)), "y")]), kind=kind)
    assert [input_row.problem_code for input_row in taken] == ["swallowed-rows", ""]


def test_a_row_that_begins_with_a_total_and_holds_rows_is_no_total(save: Save) -> None:
    taken = take(save([("Name", *HEADER), ("x", *row(guid(3))), ("Total\n" + "\n".join(row(guid(1))), "", "", "")]))
    assert [input_row.problem_code for input_row in taken] == ["", "swallowed-rows"]


@pytest.mark.parametrize(
    "note", ["a\nb", f"see {guid(5)}\nsecond line", f"{guid(5)} and {guid(6)}", f"{'0' * 32}{'1' * 32}\n"]
)
def test_a_note_of_several_lines_is_text(save: Save, note: str) -> None:
    taken = take(save([(*HEADER, "Note"), (*row(guid(1)), note)]))
    assert [(input_row.problem_code, input_row.cells[3]) for input_row in taken] == [("", note)]


def test_rows_inside_a_cell_are_neither_completed_nor_passed_over_in_a_list_of_customers(tmp_path: Path) -> None:
    swallowed = "x\n" + ",".join(row(guid(2)))
    path = write_csv(tmp_path / "input.csv", [(*row(""), swallowed)], (*HEADER, "Note"))
    completed = list(InputWithMissingIds(path, path.name, InputOptions(), text=True).rows())
    assert [completion.parent_ids for completion in completed] == [None]
    with pytest.raises(InputRefusedError, match=r"row 2 has a cell with several lines and an id"):
        customer_ids(path, InputOptions())


@pytest.mark.parametrize(
    ("header", "last", "codes"),
    [
        ((*HEADER, "Name"), ",".join(row(guid(2))), ["", ""]),
        ((*HEADER, "kind"), ",".join(row(guid(2))), ["", "ragged-row"]),
        (HEADER, ",".join(row(guid(2))[:2]), ["", "ragged-row"]),
        ((*HEADER, *RESULT_COLUMNS), ",".join(row(guid(2))) + ",3,unknown", ["", "ragged-row"]),
    ],
)
@pytest.mark.parametrize("kind", [None, "azure"])
def test_a_row_that_was_cut_off_before_a_cell_that_matters_is_invalid(
    tmp_path: Path, header: Sequence[str], last: str, codes: list[str], kind: str | None
) -> None:
    whole = ",".join(row(guid(1))) + "," * (len(header) - 3)
    (tmp_path / "input.csv").write_text(f"{','.join(header)}\n{whole}\n{last}")
    assert [input_row.problem_code for input_row in take(tmp_path / "input.csv", kind=kind)] == codes
