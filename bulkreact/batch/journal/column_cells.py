"""Reads the cells of one column of a journal's rows before they are sent."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from msgspec.json import Decoder

from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.batch.journal.writer import connect_sqlite
from bulkreact.models import TypedCell

INVALID, DUPLICATE, LEFT_OUT = "invalid", "duplicate", "left_out"
_CELLS = f"""
SELECT CASE WHEN problem_code <> '' THEN '{INVALID}' WHEN duplicate_of IS NOT NULL THEN '{DUPLICATE}'
    WHEN left_out THEN '{LEFT_OUT}' ELSE customer_id END,
    number, json_extract(rows.cells, ?), typed_cells.cells
FROM rows LEFT JOIN typed_cells ON typed_cells.ordinal = rows.ordinal ORDER BY rows.ordinal
"""  # noqa: S608 - our own names
_decode_typed = Decoder(tuple[TypedCell, ...]).decode

# The customer, or why the row is not sent; its number; its cell; what cells of the row are besides text.
ColumnCell = tuple[str, int, str, tuple[TypedCell, ...]]


def column_cells(folder: Path, column: int) -> Iterator[ColumnCell]:
    """Yield a column's cell of every row, in input order; duplicates must already be marked."""
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection:
        for key, number, cell, typed in connection.execute(_CELLS, (f"$[{column}]",)):
            yield key, number, cell, _decode_typed(typed) if typed else ()
