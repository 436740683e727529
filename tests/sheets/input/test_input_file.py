"""Reading input files: every row in its place, every problem in message, nothing guessed."""

from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.errors import InputRefusedError
from bulkreact.models import InputRow, Operation
from bulkreact.partnercenter.request_ids import RequestIds
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.input.text import csv_table as text_module
from bulkreact.sheets.result_columns import RESULT_COLUMNS
from tests.support.ids import guid, row, target, write_csv

IDS = "customer_id,subscription_id,entitlement_id"
LINE = ",".join(row(guid(1)))


def take(path: Path, max_rows: int = 1000) -> tuple[InputFile, list[InputRow]]:
    input_file = InputFile(path, max_rows=max_rows)
    return input_file, list(input_file.rows())


def write_file(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "input.csv"
    path.write_bytes(text.encode(encoding))
    return path


def numbers(folder: Path, text: str) -> list[tuple[int, str]]:
    return [(input_row.number, input_row.problem_code) for input_row in take(write_file(folder, text))[1]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_plain_file_is_read_with_and_without_a_mark_and_with_any_line_ends(
    tmp_path: Path, encoding: str, end: str
) -> None:
    _, rows = take(write_file(tmp_path, f"name,{IDS}{end}Zürich,{LINE}{end}", encoding))
    assert [(input_row.number, input_row.cells[0]) for input_row in rows] == [(2, "Zürich")]
    assert rows[0].target is not None


@pytest.mark.parametrize(
    "header",
    [
        "entitlement_id,note,CUSTOMER_ID,Subscription_Id",
        "Entitlement ID,note,CustomerId,subscription-id",
        " entitlement_id ,note,Customer Id,subscriptionid",
    ],
)
def test_columns_are_found_in_any_order_and_spelling(tmp_path: Path, header: str) -> None:
    customer, subscription, entitlement = row(guid(1))
    _, rows = take(write_file(tmp_path, f"{header}\n{entitlement},n,{customer},{subscription}\n"))
    assert rows[0].target
    assert rows[0].target.customer_id == customer
    assert rows[0].target.subscription_id == subscription
    assert rows[0].target.entitlement_id == entitlement


def test_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    text = f'\n{IDS},note\n{LINE},"a\nb\nc"\n\n,,,\n{LINE},"x, y"\n   ,,,\n{LINE},\n'
    assert numbers(tmp_path, text) == [(3, ""), (6, ""), (8, "")]


@pytest.mark.parametrize("cell", ["x" * 131_073, '"' + "y, " * 100_000 + '"'])
def test_a_cell_may_be_as_long_as_the_file(tmp_path: Path, cell: str) -> None:
    _, rows = take(write_file(tmp_path, f"{IDS},note\n{LINE},{cell}\n{LINE},\n"))
    assert [input_row.cells[3] for input_row in rows] == [cell.strip('"'), ""]


def test_a_trailing_comma_shifts_nothing(tmp_path: Path) -> None:
    _, rows = take(write_file(tmp_path, f"{IDS}\n{LINE},\n{LINE}\n"))
    assert [input_row.cells for input_row in rows] == [row(guid(1)), row(guid(1))]


def test_a_row_with_more_cells_than_the_header_is_invalid(tmp_path: Path) -> None:
    assert numbers(tmp_path, f"{IDS}\n{LINE},extra\n{LINE}\n") == [(2, "ragged-row"), (3, "")]


def test_a_repeated_header_is_no_row(tmp_path: Path) -> None:
    assert numbers(tmp_path, f"{IDS}\n{LINE}\n{IDS.upper()}\n{LINE}\n") == [(2, ""), (4, "")]


def test_notes_are_rows_without_ids_and_totals_are_not(tmp_path: Path) -> None:
    text = f"{IDS},note\n{LINE},\n,,,a note\n,,,Total: 1\n"
    assert numbers(tmp_path, text) == [(2, ""), (3, "no-ids")]


def test_all_defects_of_a_row_are_named_and_damage_goes_first(tmp_path: Path) -> None:
    _, rows = take(write_file(tmp_path, f"{IDS}\n,abc,1.5E+10\n"))
    assert rows[0].problem_code == "invalid-subscription-id"
    assert "customer_id is empty; subscription_id is not a GUID: 'abc'; entitlement_id is not a GUID" in rows[0].problem


def test_ids_that_look_like_numbers_stay_text(tmp_path: Path) -> None:
    dashless = "12345678901234567890123456789e12"
    _, rows = take(write_file(tmp_path, f"{IDS},amount\n{dashless},{guid(2)},{guid(3)},007\n"))
    assert rows[0].cells == (dashless, guid(2), guid(3), "007")
    assert rows[0].target
    assert rows[0].target.customer_id == "12345678-9012-3456-7890-123456789e12"


@pytest.mark.parametrize("cell", ["NA", "null", "None", "nan", "TRUE", "1e5", "  spaced  ", "'quoted", "=1+1"])
def test_other_cells_are_carried_through_untouched(tmp_path: Path, cell: str) -> None:
    _, rows = take(write_csv(tmp_path / "input.csv", [(*row(guid(1)), cell)], (*IDS.split(","), "note")))
    assert rows[0].cells[3] == cell


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"customer_id,subscription_id\na,b\n",
            "row 1: missing in the header: entitlement_id. The header has: 'customer_id', 'subscription_id'",
        ),
        (b"customer_id;subscription_id\na;b\n", "missing in the header: entitlement_id"),
        (b"customer_id,Customer ID,subscription_id,entitlement_id\n", "2 columns claim to be customer_id"),
        (b"PK\x03\x04rest", "is no Excel workbook that could be read"),
        (b"\xd0\xcf\x11\xe0rest", "is an Excel workbook of the old kind"),
        (b"customer_id,\xff\xfe\n", "missing in the header"),
        (b"\x7fELF\x02\x01\x01\x00\xff\xff", "is not a text file"),
        (b"caf\xe9,\x81\x8d\n", "is no text that could be read"),
        (b"\x1f\x8bthis is no archive", "cannot be unpacked"),
        (IDS.encode() + b'\n"never closed,1,2\n', "a quotation mark that is not closed"),
    ],
)
def test_a_file_that_cannot_be_understood_gets_a_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "input.csv"
    path.write_bytes(content)
    with pytest.raises(InputRefusedError, match=r"input\.csv") as refusal:
        take(path)
    assert message in str(refusal.value)


def test_what_is_only_called_like_a_workbook_is_not_asked_for_its_encoding(tmp_path: Path) -> None:
    path = tmp_path / "input.XLSX"
    path.write_bytes(b"caf\xe9,\x81\x8d\n")
    with pytest.raises(
        InputRefusedError, match=r"input\.XLSX is called like a workbook and is none: .* as \.xlsx, or ask"
    ):
        take(path)


def test_a_missing_file_and_a_folder_get_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="does not exist"):
        take(tmp_path / "none.csv")
    with pytest.raises(InputRefusedError, match="is a folder"):
        take(tmp_path)


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", IDS, f"{IDS}\n", f"{IDS}\n,,\n\n"])
def test_a_file_without_rows_has_none(tmp_path: Path, content: str) -> None:
    assert take(write_file(tmp_path, content))[1] == []


def test_too_many_rows_are_refused_with_both_numbers(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="has 5 rows, more than the 4 that --max-rows allows"):
        take(write_file(tmp_path, f"{IDS}\n" + f"{LINE}\n" * 5), max_rows=4)


def test_the_digest_is_of_the_valid_ids_in_their_order_and_of_nothing_else(tmp_path: Path) -> None:
    first, second = row(guid(1)), row(guid(2))
    base = take(write_csv(tmp_path / "a.csv", [first, second]))[0].digest
    named = [("Ann", *(cell.upper() for cell in first)), ("Bob", "x", "", ""), ("Bob", *second)]
    assert take(write_csv(tmp_path / "b.csv", named, ("name", *IDS.split(","))))[0].digest == base
    assert take(write_csv(tmp_path / "c.csv", [second, first]))[0].digest != base
    assert take(write_csv(tmp_path / "d.csv", [first]))[0].digest != base


def test_rows_are_the_same_however_the_file_is_cut_into_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(*row(guid(number)), "a\nb", f"00{number}") for number in range(50)]
    path = write_csv(tmp_path / "input.csv", rows, (*IDS.split(","), "note", "number"))
    whole = take(path)[1]
    assert [input_row.cells for input_row in whole] == rows
    monkeypatch.setattr(text_module, "_CHUNK_CELLS", 12)
    assert take(path)[1] == whole


LOST = RequestIds(UUID(guid(9))).derive(1, Operation.REACTIVATE_ENTITLEMENT, target(guid(1)), 0)


def _results_file(folder: Path, **cells: str) -> Path:
    values = {**dict.fromkeys(RESULT_COLUMNS, ""), "row": "9", **cells}
    header = (*IDS.split(","), "note", *RESULT_COLUMNS)
    return write_csv(folder / "failed.csv", [(*row(guid(1)), "'=1+1", *values.values())], header)


def test_a_results_file_loses_its_result_columns_and_its_guards(tmp_path: Path) -> None:
    input_file, rows = take(_results_file(tmp_path, status="failed", http_status="404", request_id=guid(9)))
    assert input_file.header == (*IDS.split(","), "note")
    assert rows[0].cells == (*row(guid(1)), "=1+1")
    assert (rows[0].number, rows[0].request_id, rows[0].outcome_unknown) == (2, "", False)


@pytest.mark.parametrize(
    ("status", "http_status", "carried", "lost"),
    [
        ("unknown", "", True, True),
        ("unknown", "503", True, True),
        ("unknown", "400", False, True),
        ("failed", "503", True, False),
        ("deferred", "429", True, False),
        ("failed", "401", True, False),
        ("failed", "302", True, False),
        ("not_attempted", "", True, False),
        ("failed", "404", False, False),
        ("deferred", "409", False, False),
        ("accepted", "202", False, False),
    ],
)
def test_a_request_id_without_a_business_answer_is_carried_on(
    tmp_path: Path, status: str, http_status: str, carried: bool, lost: bool
) -> None:
    path = _results_file(tmp_path, status=status, http_status=http_status, request_id=LOST.upper())
    rows = take(path)[1]
    assert (rows[0].request_id, rows[0].outcome_unknown) == (LOST if carried else "", lost)


def test_a_proxys_page_did_not_end_the_request_id_whatever_its_status(tmp_path: Path) -> None:
    cells = {"status": "unknown", "http_status": "200", "error_code": "unreadable-answer", "request_id": LOST}
    rows = take(_results_file(tmp_path, **cells))[1]
    assert (rows[0].request_id, rows[0].outcome_unknown) == (LOST, True)


@pytest.mark.parametrize("name", ["Request ID", "Http Status", "Error-Code", "Status!"])
def test_a_column_that_is_called_nearly_like_ours_comes_back_and_hides_none(tmp_path: Path, name: str) -> None:
    values = {**dict.fromkeys(RESULT_COLUMNS, ""), "row": "9", "status": "unknown", "request_id": LOST}
    header = (name, *IDS.split(","), *RESULT_COLUMNS)
    path = write_csv(tmp_path / "failed.csv", [("theirs", *row(guid(1)), *values.values())], header)
    input_file, rows = take(path)
    assert input_file.header == (name, *IDS.split(","))
    assert (rows[0].cells[0], rows[0].request_id, rows[0].outcome_unknown) == ("theirs", LOST, True)


def test_a_request_id_that_is_none_is_not_carried_into_a_header(tmp_path: Path) -> None:
    rows = take(_results_file(tmp_path, status="unknown", request_id="x\r\nEvil: 1"))[1]
    assert rows[0].request_id == ""


@pytest.mark.parametrize(
    ("copies", "named"), [(0, ""), (1, "a new request id for row 3:"), (2, "new request ids for rows 3-4:")]
)
def test_rows_whose_request_ids_are_not_carried_on_are_named(tmp_path: Path, copies: int, named: str) -> None:
    values = {**dict.fromkeys(RESULT_COLUMNS, ""), "status": "unknown", "request_id": LOST}
    ids = [row(guid(number)) for number in range(1, 2 + copies)]
    path = write_csv(
        tmp_path / "failed.csv", [(*each, *values.values()) for each in ids], (*IDS.split(","), *RESULT_COLUMNS)
    )
    input_file, rows = take(path)
    assert [input_row.request_id for input_row in rows] == [LOST] + [""] * copies
    assert named in input_file.remark
    assert bool(named) is bool(input_file.remark)


def test_input_columns_with_result_names_are_kept_under_another_name(tmp_path: Path) -> None:
    header = (*IDS.split(","), "Status", "row", "input.row")
    input_file, rows = take(write_csv(tmp_path / "input.csv", [(*row(guid(1)), "open", "7", "8")], header))
    assert input_file.header == (*IDS.split(","), "input.Status", "input.input.row", "input.row")
    assert rows[0].cells[3:] == ("open", "7", "8")


_cell = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)


@given(rows=st.lists(st.lists(_cell, min_size=2, max_size=2), max_size=12))
def test_every_cell_of_any_table_is_read_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("table") / "input.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{IDS},one,two\n")
        for cells in rows:
            quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
            file.write(f"{LINE},{quoted}\n")
    taken = take(path)[1]
    assert [input_row.cells[3:] for input_row in taken] == [tuple(cells) for cells in rows]
    assert [input_row.number for input_row in taken] == list(range(2, 2 + len(rows)))
