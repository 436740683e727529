"""Types of cells in a journal: read in any order, and from journals that have those of every row."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode

from bulkreact.batch.journal.stored_types import StoredTypes, TypesReader, encode_types
from bulkreact.models import CellType, ColumnType, InputRow, TypedCell

TABLE = "CREATE TABLE typed_cells (ordinal INTEGER PRIMARY KEY, cells TEXT, checksum INTEGER)"
COLUMNS = [(), (ColumnType(0, CellType.NUMBER, "0.00"),), (ColumnType(0, CellType.DATE, 14),)]
CELLS = [(), (TypedCell(1, "1.5", "[h]:mm"),)]


@pytest.fixture(scope="module")
def journal() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(TABLE)
        yield connection


@given(
    rows=st.lists(st.tuples(st.sampled_from(COLUMNS), st.sampled_from(CELLS)), min_size=1, max_size=12),
    data=st.data(),
)
def test_types_hold_until_they_change(
    journal: sqlite3.Connection,
    rows: list[tuple[tuple[ColumnType, ...], tuple[TypedCell, ...]]],
    data: st.DataObject,
) -> None:
    journal.execute("DELETE FROM typed_cells")
    before: tuple[ColumnType, ...] = ()
    stored = []
    for ordinal, (columns, cells) in enumerate(rows, 1):
        row = InputRow(ordinal + 1, (), None, typed_cells=cells, column_types=columns)
        stored += [(ordinal, encode_types(row), 0)] if cells or columns != before else []
        before = columns
    journal.executemany("INSERT INTO typed_cells VALUES (?, ?, ?)", stored)
    reader = TypesReader(journal)
    for ordinal in (*range(1, len(rows) + 1), *data.draw(st.permutations(range(1, len(rows) + 1)))):
        assert reader.read(ordinal) == StoredTypes(*rows[ordinal - 1])


def test_those_of_every_row_are_read() -> None:
    with closing(sqlite3.connect(":memory:")) as journal:
        journal.execute(TABLE)
        cells = encode(CELLS[1]).decode()
        journal.executemany("INSERT INTO typed_cells VALUES (?, ?, 0)", [(2, cells), (4, cells)])
        reader = TypesReader(journal)
        assert [reader.read(ordinal).cells for ordinal in range(1, 6)] == [(), CELLS[1], (), CELLS[1], ()]


def test_a_journal_without_types_has_none() -> None:
    with closing(sqlite3.connect(":memory:")) as journal:
        assert TypesReader(journal).read(3) == StoredTypes()
