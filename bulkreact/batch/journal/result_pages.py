"""Reads a run's rows a page at a time: frequent ones by walking, rare ones from the records that may match.

Nothing in a journal is sorted by outcome, and an index would cost every run. To read all outcomes once is ten times
as fast as to look up those of each row: 60 ms for a million.
"""

import re
import sqlite3
from collections.abc import Iterator
from itertools import starmap

from msgspec.json import encode as encode_json

from bulkreact.batch.journal.row_pages import PageRow, RowFilter
from bulkreact.batch.journal.row_results import IS_OVERTAKEN, RESULTS, StoredRow, build_result
from bulkreact.batch.journal.schema import IS_SPECIAL
from bulkreact.batch.journal.text_search import like_pattern, ranges_with
from bulkreact.models import SUCCESSES, ResultRow

_WINDOW = 5000
# What of a request id is worth looking for.
_PART_OF_ID = re.compile(r"[0-9a-f-]{8,36}", re.IGNORECASE)
_WELL = f"outcomes.status IN ({', '.join(sorted(repr(status.value) for status in SUCCESSES))})"
_WITH_ID = "SELECT DISTINCT ordinal FROM calls NOT INDEXED WHERE ordinal > :after AND request_id LIKE :text ESCAPE '~'"
_NOT_SENT = ":status IN ('', 'not_attempted') AND :code = ''"
# Whether a row may be accepted, as ``derive`` says: what it cannot tell is filtered afterwards.
_MAY_MATCH = f"""
CASE WHEN rows.problem_code <> '' THEN :status IN ('', 'invalid') AND :code IN ('', rows.problem_code)
WHEN rows.duplicate_of IS NOT NULL THEN :status IN ('', 'duplicate') AND :code = ''
    AND (:well IS NULL OR outcomes.id IS NULL OR ({_WELL}) = :well)
WHEN outcomes.id IS NULL THEN
    rows.lost OR {_NOT_SENT} AND (:well IS NULL OR rows.left_out = :well)
    OR EXISTS (SELECT 1 FROM calls WHERE calls.ordinal = rows.ordinal)
WHEN {IS_OVERTAKEN} THEN 1
ELSE :status IN ('', outcomes.status) AND :code IN ('', outcomes.code)
    AND (:well IS NULL OR ({_WELL}) = :well)
END
"""  # noqa: S608 - our own names
_PAGE = f"""
{RESULTS} WHERE rows.ordinal > :after AND rows.ordinal <= :until AND (:customer = '' OR rows.customer_id = :customer)
    AND (:text = '' OR rows.cells LIKE :text ESCAPE '~' OR rows.ordinal IN (SELECT value FROM json_each(:with_id)))
    AND {_MAY_MATCH}
ORDER BY rows.ordinal
"""  # noqa: S608 - our own names
# Until all rows were sent, some have no outcome yet, or one of an earlier process.
_IS_OPEN = """
SELECT NOT coalesce((SELECT state = 'finished' FROM sessions WHERE command <> 'verify' ORDER BY id DESC LIMIT 1), 0)
"""
# That an outcome is not the latest one is rare among successes, and to see it takes longer than all the rest.
_SETTLED = f"""
SELECT ordinal FROM outcomes NOT INDEXED WHERE ordinal > :after
    AND (
        :status IN ('', status) AND :code IN ('', code) AND (:well IS NULL OR ({_WELL}) = :well)
        OR :is_open AND (reopen OR status = 'unknown')
    )
    AND (:well IS 1 OR id = (SELECT max(id) FROM outcomes AS latest WHERE latest.ordinal = outcomes.ordinal))
"""  # noqa: S608 - our own names
_SPECIAL = f"""
SELECT ordinal FROM rows WHERE :status IN ('', 'deferred', 'duplicate', 'invalid', 'not_attempted', 'unknown')
    AND ordinal > :after AND ({IS_SPECIAL})
"""  # noqa: S608 - our own names
_IN_FLIGHT = (
    "SELECT ordinal FROM calls WHERE :is_open AND ordinal > :after AND ordinal NOT IN (SELECT ordinal FROM outcomes)"
)
# All of these are accepted: a page needs no more.
_UNSENT = f"""
SELECT ordinal FROM (
    SELECT ordinal FROM rows WHERE :is_open AND {_NOT_SENT} AND :well IS NOT 1 AND ordinal > :after
        AND NOT ({IS_SPECIAL}) AND NOT EXISTS (SELECT 1 FROM outcomes WHERE outcomes.ordinal = rows.ordinal)
        AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.ordinal = rows.ordinal)
    ORDER BY ordinal LIMIT :limit
)
"""  # noqa: S608 - our own names
_CANDIDATES = f"""
{RESULTS} WHERE rows.ordinal IN ({_SETTLED} UNION ALL {_SPECIAL} UNION ALL {_IN_FLIGHT} UNION ALL {_UNSENT})
    AND {_MAY_MATCH}
ORDER BY rows.ordinal
"""
_IDS = "SELECT customer_id, subscription_id, entitlement_id FROM rows WHERE ordinal = ?"


def result_page(connection: sqlite3.Connection, row_filter: RowFilter, *, after: int, limit: int) -> list[PageRow]:
    """Return the rows after an ordinal that a filter accepts, at most ``limit``."""
    page: list[PageRow] = []
    for row in _matching_rows(connection, row_filter, after, limit):
        result = build_result(connection, row)
        if row_filter.accepts(result):
            page.append(_page_row(connection, row.ordinal, result))
        if len(page) == limit:
            break
    return page


def _matching_rows(
    connection: sqlite3.Connection, row_filter: RowFilter, after: int, limit: int
) -> Iterator[StoredRow]:
    """Yield the rows that a filter may accept, in their order: at least those of a page of ``limit`` rows."""
    text = row_filter.text
    values = {
        "status": row_filter.status,
        "code": row_filter.code,
        "well": row_filter.well,
        "customer": row_filter.customer,
        "text": like_pattern(text),
        "with_id": "[]",
        "limit": limit,
        "is_open": connection.execute(_IS_OPEN).fetchone()[0],
    }
    if row_filter.has_outcome and not (row_filter.customer or text):
        until = after + _WINDOW
        yield from starmap(StoredRow, connection.execute(_PAGE, {**values, "after": after, "until": until}))
        yield from starmap(StoredRow, connection.execute(_CANDIDATES, {**values, "after": until}))
        return
    with_id = list[int]()
    if _PART_OF_ID.fullmatch(text):
        with_id = [ordinal for (ordinal,) in connection.execute(_WITH_ID, {**values, "after": after})]
        values["with_id"] = encode_json(with_id).decode()
    for begin, end in ranges_with(connection, text, after=after, also=with_id):
        yield from starmap(StoredRow, connection.execute(_PAGE, {**values, "after": begin, "until": end}))


def _page_row(connection: sqlite3.Connection, ordinal: int, result: ResultRow) -> PageRow:
    customer, subscription, entitlement = connection.execute(_IDS, (ordinal,)).fetchone()
    return PageRow(ordinal, customer or "", subscription or "", entitlement or "", result)
