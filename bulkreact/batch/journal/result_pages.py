"""Reads a run's rows a page at a time: frequent ones by walking, rare ones from the records that may match.

Nothing in a journal is sorted by outcome, and an index would cost every run. To read all outcomes once is ten times
as fast as to look up those of each row: 90 ms for a million.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping

from msgspec.json import encode as encode_json

from bulkreact.batch.journal.row_pages import PageRow, RowFilter
from bulkreact.batch.journal.row_results import IS_COMPLETE, IS_OVERTAKEN, RESULTS, StoredRow, build_result
from bulkreact.models import SUCCESSES, ResultRow

_CHUNK = 1000
_WINDOW = 10_000
_LAST = 2**62
_FEW = 100
# What of a request id is worth looking for.
_PART_OF_ID = re.compile(r"[0-9a-f-]{8,36}", re.IGNORECASE)
_WELL = f"outcomes.status IN ({', '.join(sorted(repr(status.value) for status in SUCCESSES))})"
# What is derived for a row cannot be filtered here: such rows come along, and are filtered afterwards.
_IS_DERIVED = f"NOT coalesce({IS_COMPLETE} AND NOT {IS_OVERTAKEN}, 0)"
_STORED = f"""
(:status = '' OR outcomes.status = :status) AND (:code = '' OR outcomes.code = :code)
    AND (:well IS NULL OR ({_WELL}) = :well)
"""
_WITH_ID = "SELECT DISTINCT ordinal FROM calls NOT INDEXED WHERE ordinal > :after AND request_id LIKE :text ESCAPE '~'"
_PAGE = f"""
{RESULTS} WHERE rows.ordinal > :after AND rows.ordinal <= :until AND (:customer = '' OR rows.customer_id = :customer)
    AND (:text = '' OR rows.cells LIKE :text ESCAPE '~' OR rows.ordinal IN (SELECT value FROM json_each(:with_id))) AND ({_STORED} OR {_IS_DERIVED})
ORDER BY rows.ordinal LIMIT {_CHUNK}
"""  # noqa: S608 - our own names
# Until all rows were sent, some have no outcome yet, or one of an earlier process.
_IS_OPEN = """
NOT coalesce((SELECT state = 'finished' FROM sessions WHERE command <> 'verify' ORDER BY id DESC LIMIT 1), 0)
"""
_SETTLED = f"""
SELECT ordinal FROM outcomes NOT INDEXED WHERE ordinal > :after
    AND ({_STORED} OR {_IS_OPEN} AND (reopen OR status = 'unknown'))
    AND id = (SELECT max(id) FROM outcomes AS latest WHERE latest.ordinal = outcomes.ordinal)
ORDER BY ordinal
"""  # noqa: S608 - our own names
_OTHERS = f"""
SELECT ordinal FROM rows WHERE :status IN ('', 'deferred', 'duplicate', 'invalid', 'not_attempted', 'unknown')
    AND ordinal > :after AND ordinal <= :until
    AND (problem_code <> '' OR duplicate_of IS NOT NULL OR left_out OR handed_to IS NOT NULL
        OR {_IS_OPEN} AND NOT EXISTS (SELECT 1 FROM outcomes WHERE outcomes.ordinal = rows.ordinal))
"""  # noqa: S608 - our own names
_ROW = f"{RESULTS} WHERE rows.ordinal = ?"
_IDS = "SELECT customer_id, subscription_id, entitlement_id FROM rows WHERE ordinal = ?"


def result_page(connection: sqlite3.Connection, row_filter: RowFilter, *, after: int, limit: int) -> list[PageRow]:
    """Return the rows after an ordinal that a filter accepts, at most ``limit``."""
    page: list[PageRow] = []
    for row in _matching_rows(connection, row_filter, after):
        result = build_result(connection, row)
        if row_filter.accepts(result):
            page.append(_page_row(connection, row.ordinal, result))
        if len(page) == limit:
            break
    return page


def like_pattern(text: str) -> str:
    """Return the pattern of LIKE for JSON that has a text in it, empty for an empty one."""
    in_json = encode_json(text)[1:-1].decode()
    for char in "~%_":
        in_json = in_json.replace(char, f"~{char}")
    return f"%{in_json}%" if text else ""


def _matching_rows(connection: sqlite3.Connection, row_filter: RowFilter, after: int) -> Iterator[StoredRow]:
    """Yield the rows that a filter may accept."""
    values = {
        "status": row_filter.status,
        "code": row_filter.code,
        "well": row_filter.well,
        "customer": row_filter.customer,
        "text": like_pattern(row_filter.text),
        "after": after,
    }
    is_by_outcome_alone = row_filter.has_outcome and not (row_filter.customer or row_filter.text)
    until = after + _WINDOW if is_by_outcome_alone else _LAST
    with_id = connection.execute(_WITH_ID, values) if _PART_OF_ID.fullmatch(row_filter.text) else ()
    values |= {"until": until, "with_id": encode_json([ordinal for (ordinal,) in with_id]).decode()}
    while chunk := connection.execute(_PAGE, values).fetchall():
        yield from (StoredRow(*row) for row in chunk)
        values["after"] = chunk[-1][0]
    if is_by_outcome_alone:
        for ordinal in _candidates(connection, values | {"after": until}):
            yield StoredRow(*connection.execute(_ROW, (ordinal,)).fetchone())


def _candidates(connection: sqlite3.Connection, values: Mapping[str, object]) -> Iterator[int]:
    """Yield the rows that may have an outcome, in their order; no more of the input is read than a page needs."""
    settled, after = [ordinal for (ordinal,) in connection.execute(_SETTLED, values)], values["after"]
    for index in range(0, len(settled) + 1, _FEW):
        batch = settled[index : index + _FEW]
        until = batch[-1] if len(batch) == _FEW else _LAST
        others = connection.execute(_OTHERS, {**values, "after": after, "until": until})
        yield from sorted({*batch, *(ordinal for (ordinal,) in others)})
        after = until


def _page_row(connection: sqlite3.Connection, ordinal: int, result: ResultRow) -> PageRow:
    customer, subscription, entitlement = connection.execute(_IDS, (ordinal,)).fetchone()
    return PageRow(ordinal, customer or "", subscription or "", entitlement or "", result)
