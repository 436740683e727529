"""Reads from a journal when its calls were made: one spell a process, cut into slices of time."""

import sqlite3
from datetime import datetime
from itertools import chain

from bulkreact.models import Spell

# People read whole seconds, minutes and hours.
_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_SLICES = 60
_SPELLS = """
SELECT calls.session, sessions.command, min(calls.started_at), max(calls.started_at)
FROM calls JOIN sessions ON sessions.id = calls.session LEFT JOIN answers ON answers.call = calls.id
WHERE coalesce(departed, 1) GROUP BY calls.session ORDER BY calls.session
"""
_COUNTS = """
WITH spells (session, began, seconds) AS (VALUES {})
SELECT session, CAST(((julianday(started_at) - julianday(began)) * 86400 + 0.0001) / seconds AS INTEGER) AS slice,
    count(*), count(*) FILTER (WHERE verdict = 'Throttled')
FROM calls JOIN spells USING (session) LEFT JOIN answers ON answers.call = calls.id
WHERE coalesce(departed, 1) GROUP BY session, slice
"""


def slice_seconds(seconds: float) -> int:
    """Return how long the slices of a spell are, so that there are not too many of them."""
    days = int(seconds // 86400) + 1
    return next((width for width in _WIDTHS if seconds / width < _SLICES), 86400 * (days // _SLICES + 1))


def spells(connection: sqlite3.Connection, *, limit: int) -> tuple[list[Spell], int]:
    """Return the latest spells of a run, ``limit`` at most, in order of time, and how many earlier ones there are.

    Calls that never left are none. Time goes by the wall clock, which may have been put back meanwhile.
    """
    found = connection.execute(_SPELLS).fetchall()
    shown = {session: (command, began, _width(began, ended)) for session, command, began, ended in found[-limit:]}
    if not shown:
        return [], 0
    values = list(chain.from_iterable((session, began, width) for session, (_, began, width) in shown.items()))
    sql = _COUNTS.format(", ".join("(?, ?, ?)" for _ in shown))
    counted: dict[int, dict[int, tuple[int, int]]] = {session: {} for session in shown}
    for session, number, calls, throttled in connection.execute(sql, values):
        counted[session][number] = calls, throttled
    return [
        Spell(command, began, width, tuple(counted[session].get(n, (0, 0)) for n in range(max(counted[session]) + 1)))
        for session, (command, began, width) in shown.items()
    ], len(found) - len(shown)


def _width(began: str, ended: str) -> int:
    return slice_seconds((datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds())
