"""Rows that are read column by column: as if they were looked at one by one."""

import pytest

from bulkreact.models import CellType, ColumnType, InputRow, Target
from bulkreact.sheets.input.plain_columns import digest_lines, find_plain_rows
from tests.support.ids import guid, row

ROWS = [row(guid(number)) for number in (1, 2, 3)]
TYPES = (ColumnType(3, CellType.NUMBER, "0.00"),)


def columns_of(note: str = "a, b") -> list[list[str]]:
    return [list(cells) for cells in zip(*((*ids, note) for ids in ROWS), strict=True)]


@pytest.mark.parametrize("types", [(), TYPES])
def test_plain_rows_have_targets_and_the_lines_of_these_in_the_digest(types: tuple[ColumnType, ...]) -> None:
    found = find_plain_rows([2, 3, 5], columns_of(), (2, 0, 1), types)
    assert found
    rows = list(found)
    assert rows == [
        InputRow(number, (*ids, "a, b"), Target(ids[2], ids[0], ids[1]), column_types=types)
        for number, ids in zip([2, 3, 5], ROWS, strict=True)
    ]
    assert [len(part) for part in found.parts(2)] == [2, 1]
    assert [single for part in found.parts(2) for single in part] == rows
    assert digest_lines(found) == "".join(single.target.digest_line for single in rows if single.target)


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("cell", ["", guid(1).upper(), f" {guid(1)}", f"{guid(1)}\n{guid(2)}"])
def test_a_row_with_an_id_that_must_be_looked_at_is_not_plain(index: int, cell: str) -> None:
    columns = columns_of()
    columns[index][1] = cell
    assert find_plain_rows([2, 3, 4], columns, (0, 1, 2), ()) is None


@pytest.mark.parametrize("note", ["a\nb", "a\rb"])
def test_a_row_with_a_line_break_is_not_plain(note: str) -> None:
    assert find_plain_rows([2, 3, 4], columns_of(note), (0, 1, 2), ()) is None
