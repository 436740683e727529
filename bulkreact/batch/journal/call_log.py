"""Reads the calls of a journal's rows: the progress of each row."""

import sqlite3
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.batch.journal.schema import CHANGE_NAMES
from bulkreact.batch.progress import RowProgress, after_call, initial_row_progress
from bulkreact.models import Answer, Call, Operation, Outcome, Target
from bulkreact.partnercenter.protocol import STEPS, safe_location
from bulkreact.partnercenter.verdicts import AmbiguousRefusal, stored_name

_CALLS_OF_ROW = """
SELECT calls.id, calls.operation, calls.request_id, calls.correlation_id, calls.started_at, answers.finished_at,
    answers.verdict, answers.http_status, answers.code, answers.description, answers.business, answers.departed,
    answers.lost
FROM calls LEFT JOIN answers ON answers.call = calls.id WHERE calls.ordinal = ? ORDER BY calls.id
"""
_ANSWERED = """
SELECT count(*) FROM calls JOIN answers ON answers.call = calls.id
WHERE calls.ordinal = ? AND calls.operation = ? AND answers.business = 1
"""
_LOCATION = "SELECT location FROM answers WHERE call = ?"
_WRITE_CALLS = f"""
SELECT operation, customer_id, subscription_id, entitlement_id, calls.request_id, calls.started_at
FROM calls JOIN rows USING (ordinal)
WHERE operation IN ({CHANGE_NAMES}) ORDER BY calls.id
"""  # noqa: S608 - our own names


def load_progress(connection: sqlite3.Connection, ordinal: int, target: Target, *, lost: bool) -> RowProgress:
    """Derive a row's progress from its calls; ``lost``: the answer to an earlier run's call was lost.

    Snapshots of subscriptions are not stored: the next step is to read the subscription again.
    """
    progress = first = initial_row_progress(target, lost=lost)
    for stored in map(_StoredCall._make, connection.execute(_CALLS_OF_ROW, (ordinal,))):
        if (operation := Operation(stored.operation)) not in STEPS:
            continue
        answer = Answer(stored.http_status, stored.code or "", stored.description or "", business=bool(stored.business))
        if stored.finished_at is None:
            answer = Answer(None, "no-answer", "the program ended before the answer was recorded", business=False)
        call = Call(
            stored.id, stored.request_id, stored.correlation_id, stored.started_at, stored.finished_at or "", answer
        )
        progress = after_call(
            replace(progress, operation=operation),
            call,
            verdict=stored.verdict or "",
            sent=stored.departed != 0,
            lost=stored.lost != 0,
        )
        is_ambiguous = stored.verdict == stored_name(AmbiguousRefusal)
        progress = replace(progress, operation=Operation.GET_ENTITLEMENT if is_ambiguous else first.operation)
    return progress


def count_answers(connection: sqlite3.Connection, ordinal: int, operation: Operation) -> int:
    """Return how many business answers a row's calls of one kind have."""
    return int(connection.execute(_ANSWERED, (ordinal, operation)).fetchone()[0])


def load_location(connection: sqlite3.Connection, outcome: Outcome) -> str:
    """Return the path in the answer to a row's last write call, empty if there is none."""
    row = connection.execute(_LOCATION, (outcome.call.id,)).fetchone() if outcome.call else None
    # Read back from disk, it is input like any other.
    return safe_location(str(row[0])) if row else ""


class WriteCall(Struct, frozen=True):
    """A recorded write call with its target, request id and time."""

    operation: Operation
    target: Target
    request_id: str
    started_at: datetime


def write_calls(connection: sqlite3.Connection) -> list[WriteCall]:
    """Return every recorded write call, in the order in which they were made."""
    return [
        WriteCall(Operation(operation), Target(*ids), request_id, datetime.fromisoformat(started_at))
        for operation, *ids, request_id, started_at in connection.execute(_WRITE_CALLS)
    ]


class _StoredCall(NamedTuple):
    """One row of _CALLS_OF_ROW; the columns of the answer are None if there is none."""

    id: int
    operation: str
    request_id: str
    correlation_id: str
    started_at: str
    finished_at: str | None
    verdict: str | None
    http_status: int | None
    code: str | None
    description: str | None
    business: int | None
    departed: int | None
    lost: int | None
