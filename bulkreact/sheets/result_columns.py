"""The columns that results add to those of the input, and their cells. No I/O."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from bulkreact.models import AutoRenew, ResultRow, Status
from bulkreact.partnercenter.error_codes.lookup import FAILED_FILE, advice, auto_renew_advice, name_failed_file

_FIRST_COLUMNS = (
    "row",
    "status",
    "http_status",
    "error_code",
    "error_description",
    "advice",
    "attempts",
    "request_id",
    "correlation_id",
    "started_at",
    "finished_at",
)
# Those of every version, the oldest first: files with any of them are still about. A new column makes a new entry.
COLUMN_VERSIONS: tuple[tuple[str, ...], ...] = (_FIRST_COLUMNS,)
RESULT_COLUMNS = COLUMN_VERSIONS[-1]
NUMERIC_COLUMNS = frozenset({"row", "http_status", "attempts"})


def result_cells(row: ResultRow, failed_file: str = FAILED_FILE) -> list[str]:
    """Return the cells of a row in the results, the input's and then ours, unguarded.

    ``failed_file`` is where failed rows are corrected.
    """
    outcome, call = row.outcome, row.outcome.call
    http_status = call.answer.http_status if call else None
    return [
        *row.cells,
        str(row.number),
        outcome.status,
        "" if http_status is None else str(http_status),
        outcome.code,
        outcome.description,
        f"Look at run {row.transferred_to}: it has taken this row over."
        if row.transferred_to
        else _advice(outcome.status, http_status, outcome.code, outcome.auto_renew, failed_file),
        str(outcome.attempts),
        call.request_id if call else row.request_id,
        call.correlation_id if call else "",
        call.started_at if call else "",
        call.finished_at if call else "",
    ]


def find_result_columns(header: Iterable[str], versions: Sequence[tuple[str, ...]] = COLUMN_VERSIONS) -> dict[str, int]:
    """Return the indexes of the result columns in a results file's header; empty for any other file.

    The newest version that is there as a whole counts. Only exact names do: a user's column like 'Request ID' is not
    ours. Ours are the last of their name.
    """
    indexes = {name.strip().casefold(): index for index, name in enumerate(header)}
    columns = next((columns for columns in reversed(versions) if indexes.keys() >= set(columns)), ())
    return {name: indexes[name] for name in columns}


# Thousands of rows end alike; the service's codes are unbounded, the cache is not.
@lru_cache(maxsize=1024)
def _advice(status: Status, http_status: int | None, code: str, auto_renew: AutoRenew, failed_file: str) -> str:
    """Return what to do about a row, and about the auto-renewal of a reactivated subscription."""
    what_to_do = name_failed_file(advice(status, http_status, code), failed_file)
    return " ".join(filter(None, [what_to_do, auto_renew_advice(auto_renew)]))
