"""Reads what happened during a run from its journal: which processes worked on it, and when it was throttled."""

import sqlite3
from collections import deque
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.timestamps import seconds_between

_PROCESSES = """
SELECT command, started_at, coalesce(ended_at, ''), coalesce(state, ''), coalesce(reason, '')
FROM sessions ORDER BY id DESC LIMIT ?
"""
# The next call that began after the answer; those in flight meanwhile are few, and a clock may have been set back.
_THROTTLED = """
SELECT calls.session, answers.finished_at, coalesce((
    SELECT started_at FROM calls AS later
    WHERE later.id > calls.id AND later.id <= calls.id + 1000 AND later.session = calls.session
        AND later.started_at >= answers.finished_at
    ORDER BY later.id LIMIT 1
), answers.finished_at)
FROM answers JOIN calls ON calls.id = answers.call
WHERE verdict = 'Throttled' ORDER BY calls.session, answers.finished_at
"""
# Calls that were throttled within so many seconds of each other are one period.
_APART = 60


class ThrottlePeriod(Struct, frozen=True):
    """A time in which Partner Center throttled calls, until the next call after that; times are UTC, ISO 8601.

    ``pause_seconds`` is the longest time after such an answer in which nothing was sent.
    """

    since: str
    until: str
    calls: int
    pause_seconds: float


class RunProcess(Struct, frozen=True):
    """One process that worked on a run; what is known of its end is empty while it works, and after a kill."""

    command: str
    started_at: str
    ended_at: str
    state: str
    reason: str


def run_processes(connection: sqlite3.Connection, *, limit: int) -> tuple[RunProcess, ...]:
    """Return the latest processes that worked on a run, in their order."""
    return tuple(RunProcess(*row) for row in connection.execute(_PROCESSES, (limit,)).fetchall()[::-1])


def throttle_periods(connection: sqlite3.Connection, *, limit: int) -> tuple[ThrottlePeriod, ...]:
    """Return the latest periods in which Partner Center throttled a run, in their order."""
    return tuple(deque(_periods(connection), maxlen=limit))


def _periods(connection: sqlite3.Connection) -> Iterator[ThrottlePeriod]:
    latest, period = None, None
    for session, answered_at, resumed_at in connection.execute(_THROTTLED):
        pause = seconds_between(answered_at, resumed_at)
        if period and session == latest and seconds_between(period.until, answered_at) <= _APART:
            period = replace(
                period,
                until=max(period.until, resumed_at),
                calls=period.calls + 1,
                pause_seconds=max(period.pause_seconds, pause),
            )
            continue
        if period:
            yield period
        latest, period = session, ThrottlePeriod(answered_at, resumed_at, 1, pause)
    if period:
        yield period
