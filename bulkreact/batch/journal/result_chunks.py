"""Reads rows for result files, for speed alone: those that simply succeeded, as most do, are only read as stored.

Results and report of a million rows take 7 s of processor time, with a ResultRow for each of them 10.3 s.
"""

import sqlite3
from collections.abc import Iterator
from itertools import islice, starmap

from bulkreact.batch.journal.row_results import IS_COMPLETE, results_of, typed_rows
from bulkreact.models import SUCCESSES
from bulkreact.result_chunk import PlainRow, ResultChunk

_CHUNK = 1000
_LAST = "SELECT coalesce(max(ordinal), 0) FROM rows"
_PLAIN = f"""
SELECT rows.ordinal, rows.number, CAST(rows.cells AS BLOB), rows.customer_id, outcomes.status, answers.http_status,
    outcomes.auto_renew, outcomes.attempts, calls.request_id, calls.correlation_id, calls.started_at, answers.finished_at
FROM (SELECT max(id) AS id FROM outcomes WHERE ordinal > :after AND ordinal <= :until GROUP BY ordinal) AS latest
CROSS JOIN outcomes ON outcomes.id = latest.id
CROSS JOIN rows ON rows.ordinal = outcomes.ordinal
CROSS JOIN calls ON calls.id = outcomes.call
CROSS JOIN answers ON answers.call = calls.id
WHERE {IS_COMPLETE} AND NOT outcomes.reopen
    AND outcomes.status IN ({", ".join(sorted(repr(status.value) for status in SUCCESSES))})
    AND outcomes.code = '' AND outcomes.description = ''
"""  # noqa: S608 - our own names


def result_chunks(connection: sqlite3.Connection) -> Iterator[ResultChunk]:
    """Yield every row of the input with its outcome; chunks are in input order."""
    (last,) = connection.execute(_LAST).fetchone()
    for after in range(0, last, _CHUNK):
        until = min(last, after + _CHUNK)
        plain = list(starmap(PlainRow, connection.execute(_PLAIN, {"after": after, "until": until})))
        others = set(range(after + 1, until + 1)).difference(row.ordinal for row in plain)
        yield ResultChunk(plain, dict(results_of(connection, others)) if others else {})


def typed_chunks(connection: sqlite3.Connection) -> Iterator[ResultChunk]:
    """Yield every row with what its cells are besides text, in input order."""
    rows = enumerate(typed_rows(connection), 1)
    while chunk := dict(islice(rows, _CHUNK)):
        yield ResultChunk([], chunk)
