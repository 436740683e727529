"""Counts the calls of a run and measures its rate, from its journal."""

import sqlite3

from bulkreact.batch.journal.metadata import VERIFY, latest_session
from bulkreact.batch.journal.schema import CHANGE_NAMES, STEP_NAMES
from bulkreact.timestamps import seconds_between

# The calls of a run and its rate, as in the summary.
Traffic = tuple[dict[str, int], dict[str, float | None]]
# A read counts as a retry only if the previous one was not answered. Polling never counts, nor does
# what never left: more calls cannot be repeated than are sent.
# Most rows have one call: sorting only the others takes a sixth of the time.
_CALLS = f"""
WITH later AS (
    SELECT operation, lag(coalesce(business, 0)) OVER (PARTITION BY ordinal, operation ORDER BY calls.id) AS earlier
    FROM calls LEFT JOIN answers ON answers.call = calls.id
    WHERE coalesce(departed, 1) AND ordinal IN (SELECT ordinal FROM calls GROUP BY ordinal HAVING count(*) > 1)
), answered AS (
    SELECT count(*) FILTER (WHERE NOT departed) AS unsent, count(*) FILTER (WHERE verdict = 'Throttled') AS throttled
    FROM answers
)
SELECT (SELECT count(*) FROM calls) - unsent,
    (SELECT count(*) FROM later WHERE earlier IS NOT NULL AND (operation IN ({STEP_NAMES}) OR NOT earlier)),
    throttled
FROM answered
"""  # noqa: S608 - our own names
# The rate of sending: polling follows other rules.
_LATEST_CALLS = f"""
SELECT count(*), min(started_at), max(started_at) FROM calls WHERE session = :session AND id <= (
    SELECT max(id) FROM calls WHERE session = :session AND operation IN ({STEP_NAMES})
)
"""  # noqa: S608 - our own names
_RENEWED = f"""
SELECT count(DISTINCT ordinal) FROM (
    SELECT ordinal FROM calls WHERE operation IN ({CHANGE_NAMES})
    GROUP BY ordinal, operation HAVING min(request_id) <> max(request_id)
)
"""  # noqa: S608 - our own names
# A killed process worked at least until its last call.
_SESSIONS = """
SELECT started_at, coalesce(ended_at, (
    SELECT coalesce(finished_at, calls.started_at) FROM calls LEFT JOIN answers ON answers.call = calls.id
    WHERE calls.session = sessions.id ORDER BY calls.id DESC LIMIT 1
), started_at)
FROM sessions WHERE command <> :verify
"""


def working_seconds(connection: sqlite3.Connection) -> float:
    """Return how long processes have worked at sending the rows of a run, without the time in between."""
    return sum(seconds_between(*times) for times in connection.execute(_SESSIONS, {"verify": VERIFY}))


def count_renewed_ids(connection: sqlite3.Connection) -> int:
    """Return how many rows were sent under more than one request id."""
    return int(connection.execute(_RENEWED).fetchone()[0])


def traffic(connection: sqlite3.Connection, configured_per_minute: float | None) -> Traffic:
    """Return the calls of a run, and the rate of the latest session that sent rows, for JSON."""
    sent, retried, throttled = connection.execute(_CALLS).fetchone()
    session = latest_session(connection)
    values = {"session": session.id if session else None}
    count, first, last = connection.execute(_LATEST_CALLS, values).fetchone()
    achieved = None
    if count > 1 and first != last:
        achieved = round((count - 1) / seconds_between(first, last) * 60, 1)
    return (
        {"sent": sent, "retried": retried, "throttled": throttled},
        {"configured_per_minute": configured_per_minute, "achieved_per_minute": achieved},
    )
