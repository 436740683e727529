"""Pages and chunks of a journal's rows, to be compared with the plain way: every row is read and judged."""

from collections.abc import Iterable
from itertools import product
from unittest.mock import patch

from msgspec.json import encode as encode_json
from msgspec.structs import replace

from bulkreact.batch.journal import result_chunks, result_pages, text_search
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.row_pages import RowFilter
from bulkreact.models import ResultRow, Status
from bulkreact.sheets.result_columns import result_cells
from tests.support.ids import guid

BY_OUTCOME = (
    *(RowFilter(status=status.value) for status in Status),
    *(RowFilter(code=code) for code in ("no-answer", "no-ids", "800111", "http-503")),
    RowFilter(well=True),
    RowFilter(well=False),
    RowFilter(well=False, status="duplicate"),
)
# The last texts begin like an id: they are looked for in another way.
_BY_CELLS = tuple(
    RowFilter(customer=customer, text=text) for customer, text in product(("", guid(1001)), ("", "X", "00", "dE"))
)
FILTERS = tuple(
    replace(by_outcome, customer=by_cells.customer, text=by_cells.text)
    for by_outcome, by_cells in product((RowFilter(), *BY_OUTCOME), _BY_CELLS)
)


def find_wrong_pages(journal: JournalReader, filters: Iterable[RowFilter] = FILTERS) -> list[RowFilter]:
    """Return the filters of which a page, read row by row from hardly any window, is not what it should be."""
    rows = list(enumerate(journal.result_rows(), 1))
    with patch.object(result_pages, "_WINDOW", 1), patch.object(text_search, "_BLOCK", 2):
        return [
            row_filter
            for row_filter in filters
            if [page_row.ordinal for page_row in journal.result_page(row_filter, after=0, limit=1000)]
            != [ordinal for ordinal, row in rows if _is_wanted(row, row_filter)]
        ]


def _is_wanted(row: ResultRow, row_filter: RowFilter) -> bool:
    has_text = row_filter.text.lower() in encode_json(row.cells).decode().lower()
    return row_filter.accepts(row) and has_text and row_filter.customer in {"", row.customer_id}


def read_chunks(journal: JournalReader, size: int) -> list[list[str]]:
    """Return the cells of all rows in results, read in chunks of a size."""
    with patch.object(result_chunks, "_CHUNK", size):
        chunks = list(journal.result_chunks())
    plain = {row.ordinal: row.to_result() for chunk in chunks for row in chunk.plain}
    others = {ordinal: row for chunk in chunks for ordinal, row in chunk.others.items()}
    assert len(plain) + len(others) == journal.row_count()
    return [result_cells(row) for _, row in sorted((plain | others).items())]
