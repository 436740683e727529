"""Formats the lines of rows that simply succeeded, for speed alone: 2.0 us of processor time each, like others 4.6. No I/O."""

from functools import lru_cache

from bulkreact.result_chunk import PlainRow
from bulkreact.sheets.output.csv_writer import guarded_line
from bulkreact.sheets.result_columns import result_cells

# All that may need a quote or a guard, except commas and a leading dash; \xef leads signs of full width. JSON escapes
# quotation marks and control characters.
_SUSPECT = b"\\;|'=+@\xef"


def plain_line(row: PlainRow, failed_file: str) -> bytes:
    """Return the line of a row in results.csv, with its line feed."""
    stored = row.stored_cells
    if len(stored.translate(None, _SUSPECT)) == len(stored) and b'"-' not in stored:
        cells = stored[2:-2].replace(b'","', b",")
        # Brackets and quotes are gone: all commas were between cells.
        if len(stored) - len(cells) == 2 * stored.count(b",") + 4:
            outcome = _outcome_cells(row.status, row.http_status, row.auto_renew, failed_file)
            own = f",{row.number},{outcome},{row.attempts},{row.request_id},{row.correlation_id},{row.started_at},{row.finished_at}\n"
            return cells + own.encode()
    return guarded_line(result_cells(row.to_result(), failed_file)).encode()


@lru_cache(maxsize=64)
def _outcome_cells(status: str, http_status: int | None, auto_renew: str, failed_file: str) -> str:
    """Return the cells from the status to the advice as CSV."""
    row = PlainRow(0, 0, b"[]", "", status, http_status, auto_renew, 0, "", "", "", "")
    return guarded_line(result_cells(row.to_result(), failed_file)[1:6])[:-1]
