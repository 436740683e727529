"""Pages of a journal's rows against the plain way: every row is read and judged."""

from collections.abc import Iterable
from unittest.mock import patch

from bulkreact.batch.journal import result_pages
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.row_pages import RowFilter
from bulkreact.models import Status

BY_OUTCOME = (
    *(RowFilter(status=status.value) for status in Status),
    *(RowFilter(code=code) for code in ("no-answer", "no-ids", "800111", "http-503")),
    RowFilter(well=True),
    RowFilter(well=False),
    RowFilter(well=False, status="duplicate"),
)


def find_wrong_pages(journal: JournalReader, filters: Iterable[RowFilter] = BY_OUTCOME) -> list[RowFilter]:
    """Return the filters of which a page, read row by row from hardly any window, is not what it should be."""
    rows = list(enumerate(journal.result_rows(), 1))
    with patch.object(result_pages, "_WINDOW", 1), patch.object(result_pages, "_FEW", 1):
        return [
            row_filter
            for row_filter in filters
            if [page_row.ordinal for page_row in journal.result_page(row_filter, after=0, limit=1000)]
            != [ordinal for ordinal, row in rows if row_filter.accepts(row)]
        ]
