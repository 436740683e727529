"""Reads from a journal when its calls were made: one spell a process, cut into slices of time."""

import sqlite3
from datetime import datetime

from msgspec.structs import replace

from bulkreact.models import SessionTimeline

# People read whole seconds, minutes and hours.
_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_SLICES = 60
# Calls of a fast run share their milliseconds: they are sorted once, and what follows has less to go through.
_COUNTS = """
WITH moments (session, moment, calls, throttled) AS MATERIALIZED (
    SELECT session, started_at, count(*), count(*) FILTER (WHERE verdict = 'Throttled')
    FROM calls LEFT JOIN answers ON answers.call = calls.id
    WHERE coalesce(departed, 1) GROUP BY session, started_at
), spells AS MATERIALIZED (
    SELECT session, min(moment) AS began, julianday(min(moment)) AS day,
        slice_seconds(min(moment), max(moment)) AS seconds, count(*) OVER () AS number
    FROM moments GROUP BY session ORDER BY session DESC LIMIT ?
)
SELECT number, session, command, began, seconds,
    CAST(((julianday(moment) - day) * 86400 + 0.0001) / seconds AS INTEGER) AS slice, sum(calls), sum(throttled)
FROM spells JOIN sessions ON sessions.id = session CROSS JOIN moments USING (session)
GROUP BY session, slice ORDER BY session
"""


def slice_seconds(seconds: float) -> int:
    """Return how long the slices of a spell are, so that there are not too many of them."""
    days = int(seconds // 86400) + 1
    return next((width for width in _WIDTHS if seconds / width < _SLICES), 86400 * (days // _SLICES + 1))


def session_timelines(connection: sqlite3.Connection, *, limit: int) -> tuple[list[SessionTimeline], int]:
    """Return the latest spells of a run, ``limit`` at most, in order of time, and how many earlier ones there are.

    Calls that never left are none. Time goes by the wall clock, which may have been put back meanwhile.
    """
    connection.create_function("slice_seconds", 2, _width, deterministic=True)
    shown: dict[int, SessionTimeline] = {}
    counted: dict[int, dict[int, tuple[int, int]]] = {}
    found = connection.execute(_COUNTS, (limit,)).fetchall()
    for _, session, command, began, width, place, calls, throttled in found:
        shown[session] = SessionTimeline(command, began, width, ())
        counted.setdefault(session, {})[place] = calls, throttled
    return [
        replace(spell, buckets=tuple(counted[session].get(n, (0, 0)) for n in range(max(counted[session]) + 1)))
        for session, spell in shown.items()
    ], found[0][0] - len(shown) if found else 0


def _width(began: str, ended: str) -> int:
    return slice_seconds((datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds())
