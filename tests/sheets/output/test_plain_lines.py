"""The lines of rows that simply succeeded are those that any other way of writing them gives."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.json import encode as encode_json
from msgspec.structs import replace

from bulkreact.result_chunk import PlainRow
from bulkreact.sheets.output.csv_writer import csv_line, guarded_line
from bulkreact.sheets.output.plain_lines import plain_line
from bulkreact.sheets.result_columns import result_cells
from tests.support.ids import AT, guid

ROW = PlainRow(1, 2, b"[]", guid(1), "accepted", 202, "", 1, guid(2), guid(3), AT, AT)


def line_of(row: PlainRow) -> str:
    """Return the line as of a row that needs a second look."""
    return guarded_line(result_cells(row.to_result(), "failed.xlsx"))


@given(st.lists(st.text(max_size=6) | st.text(st.sampled_from("'=+-@\t\r\n,\";|\0\\\uff1dü1"), max_size=4), max_size=5))
@example([])
@example([""])
@example(["", "", ""])
@example([",", ""])
@example(["-1", "a"])
@example(["a", "-x"])
@example(["a;-x"])
@example(["a|=x"])
@example(['a","b', ","])
@example(["\uff0dx"])
@example(["+49 x"])
@example(["=x"])
@example(["@x"])
@example(["'-x"])
def test_a_line_is_that_of_its_guarded_cells(cells: list[str]) -> None:
    row = replace(ROW, stored_cells=encode_json(cells))
    assert plain_line(row, "failed.xlsx").decode() == line_of(row)


@pytest.mark.parametrize("stored", [b'["a", "b"]', b'["a", "b, c"]', b'["M\\u00fcller","-x"]'])
def test_cells_of_an_older_journal_are_read_as_json(stored: bytes) -> None:
    row = replace(ROW, stored_cells=stored)
    assert plain_line(row, "failed.xlsx").decode() == line_of(row)


@pytest.mark.parametrize(
    ("status", "http_status", "auto_renew"),
    [
        ("accepted", 202, ""),
        ("already_active", 200, ""),
        ("reactivated", 200, "still-off"),
        ("reactivated", None, "off"),
    ],
)
def test_what_to_do_about_a_row_is_told_as_of_any_other(status: str, http_status: int | None, auto_renew: str) -> None:
    row = replace(ROW, status=status, http_status=http_status, auto_renew=auto_renew)
    assert plain_line(row, "failed.xlsx").decode() == line_of(row)


def test_most_lines_need_no_second_look() -> None:
    row = replace(ROW, stored_cells=encode_json([guid(1), "Müller & Söhne", "12.50", ""]))
    expected = csv_line([guid(1), "Müller & Söhne", "12.50", "", "2", "accepted", "202", "", "", "", "1"])
    assert plain_line(row, "x").decode() == f"{expected[:-1]},{guid(2)},{guid(3)},{AT},{AT}\n"
