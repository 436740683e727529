"""Tables of sheets in chunks: the same rows with the same types, whatever chunks hold and in whatever order rows come."""

import io
from collections.abc import Iterator, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import Decoder

from bulkreact.models import CellType, ColumnType, TypedCell
from bulkreact.sheets.input.read_limits import ReadLimits
from bulkreact.sheets.input.workbook import sheet_table, xml_text
from bulkreact.sheets.input.workbook.cell_values import CellReader, RowShape
from bulkreact.sheets.input.workbook.column_types import ColumnTypes
from bulkreact.sheets.input.workbook.sheet_rows import SheetRows
from bulkreact.sheets.input.workbook.sheet_table import SheetTable
from bulkreact.sheets.input.workbook.workbook_messages import Choice, Job, Rows, TableHead
from bulkreact.typed_cells import type_cells
from tests.support.workbooks import sheet_xml

FORMATS = (0, "0.00", "dd.mm.yyyy", "[h]:mm")
JOB = Job(compressed=False, sheet=None, hidden=None, head_rows=20, limits=ReadLimits())
# Cells of one column as they are stored, with their types, formats and texts.
STORED = (
    ("n", 0, "5"),
    ("n", 1, "12.5"),
    ("n", 2, "46082"),
    ("n", 3, "1.5"),
    ("n", 2, "46082.123456789"),
    ("b", 0, "1"),
    ("str", 0, "text"),
    ("str", 1, "7"),
    ("str", 2, "2026-03-01"),
    ("str", 0, "TRUE"),
)

TypedRow = tuple[int, tuple[str, ...], list[TypedCell]]


@pytest.fixture(autouse=True, params=[150, 1 << 18], ids=["plain", "parsed"], scope="module")
def blocks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Read short blocks, of which the parser only sees the first, and long ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xml_text, "_BLOCK", request.param)
        yield


def read(content: str, columns: frozenset[int] = frozenset()) -> tuple[TableHead, list[TypedRow], SheetTable]:
    table = SheetTable(Choice("A", 0), JOB, columns)
    rows = SheetRows(io.BytesIO(content.encode()), "A", CellReader((), counts_from_1904=False), FORMATS)
    head, *replies = table.read(rows)
    assert isinstance(head, TableHead)
    decode = Decoder(Rows).decode
    chunks = [decode(reply) if isinstance(reply, bytes) else reply for reply in replies]
    assert all(isinstance(chunk, Rows) for chunk in chunks)
    return head, [row for chunk in chunks if isinstance(chunk, Rows) for row in typed_rows(chunk)], table


def column_of(cell: TypedCell) -> int:
    return cell.column


def typed_rows(chunk: Rows) -> list[TypedRow]:
    types = [chunk.column_types[index] for index in chunk.types]
    return [
        (number, cells, sorted(type_cells(kinds, cells, tuple(chunk.others.get(number, ()))), key=column_of))
        for number, cells, kinds in zip(chunk.numbers, chunk.cells, types, strict=True)
    ]


def cell_xml(reference: str, cell: tuple[str, int, str]) -> str:
    stored, style, value = cell
    return f'<c r="{reference}" s="{style}" t="{stored}"><v>{value}</v></c>'


def sheet_of(rows: Sequence[tuple[int, Sequence[int | None]]]) -> str:
    """Return a sheet with a header and rows of cells by their indexes in STORED."""
    lines = ['<row r="1"><c r="B1" t="str"><v>a</v></c><c r="C1" t="str"><v>b</v></c></row>']
    for number, cells in rows:
        xml = [cell_xml(f"{'BCD'[i]}{number}", STORED[cell]) for i, cell in enumerate(cells) if cell is not None]
        lines.append(f'<row r="{number}">{"".join(xml)}</row>')
    return sheet_xml(lines)


_cells = st.lists(st.none() | st.sampled_from(range(len(STORED))), min_size=2, max_size=3)


@given(
    rows=st.lists(_cells, max_size=12), order=st.randoms(use_true_random=False), size=st.sampled_from([0, 10, 1 << 20])
)
def test_rows_have_the_types_of_their_cells_whatever_their_order_and_chunks(
    rows: list[list[int | None]], order: Random, size: int
) -> None:
    numbered = list(enumerate(rows, 2))
    expected = [
        (number - 1, tuple(cell for cell, _ in cells), [typed for _, typed in cells])
        for number, cells in ((number, [expect(cell) for cell in (*row, None)[:3]]) for number, row in numbered)
        if any(cell for cell, _ in cells)
    ]
    order.shuffle(numbered)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet_table, "_CHUNK_SIZE", size)
        _, found, table = read(sheet_of(numbered), frozenset({1, 2, 3}))
    assert not table.is_wider
    assert [(number, cells) for number, cells, _ in found] == [(number, cells) for number, cells, _ in expected]
    assert [[describe(cell) for cell in typed] for *_, typed in found] == [
        [(index, *kind) for index, kind in enumerate(kinds) if kind] for *_, kinds in expected
    ]


def expect(index: int | None) -> tuple[str, tuple[float, str | int, bool] | None]:
    """Return the text of a cell, and what else it is."""
    if index is None:
        return "", None
    stored, style, value = STORED[index]
    text = {"46082": "2026-03-01", "1.5": "1 day, 12:00:00", "46082.123456789": "2026-03-01 02:57:46.667000"}.get(
        value, value
    )
    if stored == "str":
        return value, None
    return ("TRUE" if stored == "b" else text), (float(value), FORMATS[style], stored == "b")


def describe(cell: TypedCell) -> tuple[int, float, str | int, bool]:
    return cell.column, float(cell.value), cell.number_format, cell.is_truth_value


def test_a_column_whose_first_cell_is_far_below_is_seen_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_table, "_CHUNK_SIZE", 10)
    content = sheet_of([*((number, (0, 1)) for number in range(2, 30)), (30, (0, 1, 2))])
    _, _, table = read(content)
    assert table.is_wider
    head, rows, table = read(content, frozenset(table.columns))
    assert not table.is_wider
    assert head.header == ("a", "b", "")
    assert [cells for _, cells, _ in rows[-2:]] == [("5", "12.5", ""), ("5", "12.5", "2026-03-01")]


def test_types_change_only_where_a_cell_has_another_one() -> None:
    types = ColumnTypes(1, 3)
    number, text = RowShape([1, 2], [("n", "0.00"), ("n", 0)]), RowShape([1, 2], [("n", "0.00"), ("str", 0)])
    first = types.update(number, ["", "1", "2"])
    assert first == (ColumnType(0, CellType.NUMBER, "0.00"), ColumnType(1, CellType.NUMBER, 0))
    assert types.update(text, ["", "1", "none"]) is first
    assert types.update(number, ["", "3", "4"]) is first
    assert types.update(text, ["", "1", "5"]) == first[:1]
    assert types.update(number, ["", "3", "4"]) == first
