"""Counts the calls of a run while they are made, at a cost that follows from what is new."""

import sqlite3

from msgspec import Struct

from bulkreact.batch.journal.schema import STEP_NAMES

_NEW = f"""
SELECT coalesce(max(id), :seen), count(*), total(operation IN ({STEP_NAMES}) AND EXISTS (
    SELECT 1 FROM calls AS earlier
    WHERE earlier.ordinal = calls.ordinal AND earlier.operation = calls.operation AND earlier.id < calls.id
)) FROM calls WHERE id > :seen
"""  # noqa: S608 - our own names
# No call before has an answer to come: a process that was killed gets none.
_ANSWERED = """
SELECT coalesce(min(calls.id) - 1, :seen) FROM calls LEFT JOIN answers ON answers.call = calls.id
WHERE calls.id > :answered AND answers.call IS NULL AND session = (SELECT max(id) FROM sessions)
"""
_ANSWERS = """
SELECT total(verdict = 'Throttled'), total(NOT departed) FROM answers WHERE call > :first AND call <= :last
"""


class CallCounts(Struct, frozen=True):
    """How many calls were made, how many of them again, and how many answers were throttled or never left.

    ``seen`` is the last call that is counted, ``answered`` the last one before which no answer is to come; ``sure`` are
    the throttled and the unsent ones up to that.
    """

    made: int = 0
    retried: int = 0
    throttled: int = 0
    unsent: int = 0
    seen: int = 0
    answered: int = 0
    sure: tuple[int, int] = (0, 0)


def count_calls(connection: sqlite3.Connection, before: CallCounts) -> CallCounts:
    """Return the counts with what is new since those before."""
    seen, made, retried = connection.execute(_NEW, {"seen": before.seen}).fetchone()
    (answered,) = connection.execute(_ANSWERED, {"seen": seen, "answered": before.answered}).fetchone()
    sure = _add(before.sure, connection.execute(_ANSWERS, {"first": before.answered, "last": answered}).fetchone())
    throttled, unsent = _add(sure, connection.execute(_ANSWERS, {"first": answered, "last": seen}).fetchone())
    return CallCounts(before.made + made, before.retried + int(retried), throttled, unsent, seen, answered, sure)


def _add(counts: tuple[int, int], more: tuple[float, float]) -> tuple[int, int]:
    return counts[0] + int(more[0]), counts[1] + int(more[1])
