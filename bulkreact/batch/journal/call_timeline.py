"""Reads the timelines of a run's calls from its journal: one per session, in buckets of time."""

import sqlite3

from msgspec.structs import replace

from bulkreact.models import SessionTimeline
from bulkreact.timestamps import seconds_between

# Round numbers of seconds, minutes and hours.
_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_BUCKETS = 60
# Grouping by time first makes the rest cheaper. Calls of a fast run share their milliseconds; of a long run, whose
# buckets are minutes at least, the seconds are enough: half the time for a million calls in a day.
_COUNTS = """
WITH long (session) AS MATERIALIZED (
    SELECT id FROM sessions WHERE 24 * (julianday(coalesce(ended_at, (
        SELECT started_at FROM calls WHERE calls.session = sessions.id ORDER BY calls.id DESC LIMIT 1
    ))) - julianday(started_at)) > 1
), times (session, time, first, calls, throttled) AS MATERIALIZED (
    SELECT session, CASE WHEN session IN long THEN substr(started_at, 1, 19) ELSE started_at END AS time,
        min(started_at), count(*), count(*) FILTER (WHERE verdict = 'Throttled')
    FROM calls LEFT JOIN answers ON answers.call = calls.id
    WHERE coalesce(departed, 1) GROUP BY session, time
), timelines AS MATERIALIZED (
    SELECT session, min(first) AS began, julianday(min(time)) AS day,
        bucket_seconds(min(time), max(time)) AS seconds, count(*) OVER () AS number
    FROM times GROUP BY session ORDER BY session DESC LIMIT ?
)
SELECT number, session, command, began, seconds,
    CAST(((julianday(time) - day) * 86400 + 0.0001) / seconds AS INTEGER) AS bucket, sum(calls), sum(throttled)
FROM timelines JOIN sessions ON sessions.id = session CROSS JOIN times USING (session)
GROUP BY session, bucket ORDER BY session
"""


def bucket_seconds(seconds: float) -> int:
    """Return the bucket length that keeps the number of buckets small."""
    days = int(seconds // 86400) + 1
    return next((width for width in _WIDTHS if seconds / width < _BUCKETS), 86400 * (days // _BUCKETS + 1))


def session_timelines(connection: sqlite3.Connection, *, limit: int) -> tuple[list[SessionTimeline], int]:
    """Return the timelines of the latest sessions, at most ``limit``, in order, and the number of earlier ones.

    Unsent calls do not count. Times are wall clock times; the clock may have been set back meanwhile.
    """
    connection.create_function("bucket_seconds", 2, _width, deterministic=True)
    timelines: dict[int, SessionTimeline] = {}
    buckets: dict[int, dict[int, tuple[int, int]]] = {}
    counts = connection.execute(_COUNTS, (limit,)).fetchall()
    for _, session, command, began, width, bucket, calls, throttled in counts:
        timelines[session] = SessionTimeline(command, began, width, ())
        buckets.setdefault(session, {})[bucket] = calls, throttled
    return [
        replace(timeline, buckets=tuple(buckets[session].get(n, (0, 0)) for n in range(max(buckets[session]) + 1)))
        for session, timeline in timelines.items()
    ], counts[0][0] - len(timelines) if counts else 0


def _width(began: str, ended: str) -> int:
    return bucket_seconds(seconds_between(began, ended))
