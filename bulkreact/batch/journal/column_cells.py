"""Reads the cells of one column of a journal's rows before they are sent."""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.batch.journal.stored_types import TypesReader
from bulkreact.batch.journal.writer import connect_sqlite
from bulkreact.models import TypedCell
from bulkreact.typed_cells import type_cells

TO_SEND, INVALID, DUPLICATE, LEFT_OUT = "to_send", "invalid", "duplicate", "left_out"
_CELLS = f"""
SELECT CASE WHEN problem_code <> '' THEN '{INVALID}' WHEN duplicate_of IS NOT NULL THEN '{DUPLICATE}'
    WHEN left_out THEN '{LEFT_OUT}' ELSE '{TO_SEND}' END,
    ordinal, number, json_extract(cells, :path)
FROM rows ORDER BY rows.ordinal
"""  # noqa: S608 - our own names
# SQLite sorts what is too large for memory in a file.
_CELLS_BY_CUSTOMER = """
SELECT customer_id, ordinal, number, json_extract(cells, :path) FROM rows
WHERE problem_code = '' AND duplicate_of IS NULL AND left_out = 0
    AND (:customers IS NULL OR customer_id IN (SELECT value FROM json_each(:customers)))
ORDER BY customer_id
"""

# Whether and why not the row is sent, or its customer; its number; its cell; what cells of the row are besides text.
ColumnCell = tuple[str, int, str, tuple[TypedCell, ...]]


def column_cells(folder: Path, column: int) -> Iterator[ColumnCell]:
    """Yield a column's cell of every row, in input order; duplicates must already be marked."""
    yield from _read(folder, _CELLS, column)


def cells_by_customer(folder: Path, column: int, customers: Iterable[str] | None = None) -> Iterator[ColumnCell]:
    """Yield a column's cell of every row to be sent, by customer; those of all customers, if none are given."""
    chosen = None if customers is None else json.dumps(list(customers))
    yield from _read(folder, _CELLS_BY_CUSTOMER, column, chosen)


def _read(folder: Path, sql: str, column: int, customers: str | None = None) -> Iterator[ColumnCell]:
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection:
        types = TypesReader(connection)
        values = {"path": f"$[{column}]", "customers": customers}
        for key, ordinal, number, cell in connection.execute(sql, values):
            stored = types.read(ordinal)
            columns = [kind for kind in stored.columns if kind.column == column]
            yield key, number, cell, type_cells(columns, {column: cell}, stored.cells)
