"""Reading a journal's rows with their outcomes, in order to report."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from bulkreact.batch.calls import progress_of
from bulkreact.batch.policy import unfinished
from bulkreact.batch.schema import LATEST_OUTCOME, STEP_WORDS
from bulkreact.models import SUCCESSES, Answer, AutoRenew, Call, Outcome, ResultRow, Status, Target
from bulkreact.partnercenter.bodies import DESCRIPTION_LENGTH
from bulkreact.partnercenter.verdicts import Transient

_CHUNK = 1000
_decoded = json.JSONDecoder().decode
# Asking an enumeration for its member takes three times as long.
_STATUSES = {status.value: status for status in Status}
_AUTO_RENEWS = {word.value: word for word in AutoRenew}
_RESULTS = f"""
SELECT rows.ordinal, rows.number, rows.cells, rows.problem_code, rows.problem, rows.left_out, rows.lost, rows.of_read,
    rows.request_id,
    rows.duplicate_of, firsts.number, firsts.left_out,
    CASE WHEN outcomes.reopen OR outcomes.status = 'unknown' THEN EXISTS (
        SELECT 1 FROM calls AS later WHERE later.ordinal = outcomes.ordinal AND later.session > outcomes.session
        AND later.operation IN ({STEP_WORDS})
    ) ELSE 0 END,
    outcomes.status, outcomes.attempts, outcomes.code, outcomes.description,
    calls.id, calls.request_id, calls.correlation_id, calls.started_at, answers.finished_at, answers.http_status,
    answers.verdict, rows.handed_to, rows.customer_id, rows.subscription_id, rows.entitlement_id,
    outcomes.auto_renew
FROM rows
LEFT JOIN rows AS firsts ON firsts.ordinal = rows.duplicate_of
LEFT JOIN outcomes ON outcomes.id = {LATEST_OUTCOME.format(ordinal="coalesce(rows.duplicate_of, rows.ordinal)")}
LEFT JOIN calls ON calls.id = outcomes.call
LEFT JOIN answers ON answers.call = calls.id
"""  # noqa: S608 - our own names
_RESULTS_AFTER = f"{_RESULTS} WHERE rows.ordinal > ? ORDER BY rows.ordinal LIMIT ?"
_RESULT_OF = f"{_RESULTS} WHERE rows.ordinal = ?"


def row_count(connection: sqlite3.Connection) -> int:
    """Return how many rows the input has."""
    return int(connection.execute("SELECT count(*) FROM rows").fetchone()[0])


def result_rows(connection: sqlite3.Connection) -> Iterator[ResultRow]:
    """Yield every row of the input with its outcome, in input order."""
    after = 0
    while chunk := [_StoredRow._make(found) for found in connection.execute(_RESULTS_AFTER, (after, _CHUNK))]:
        for found in chunk:
            yield _result_row(connection, found)
        after = chunk[-1].ordinal


def result_of(connection: sqlite3.Connection, ordinal: int) -> ResultRow:
    """Return one row of the input with its outcome."""
    return _result_row(connection, _StoredRow._make(connection.execute(_RESULT_OF, (ordinal,)).fetchone()))


class _StoredRow(NamedTuple):
    """A line of _RESULTS; what comes from the outcome and its call is None when there is none."""

    ordinal: int
    number: int
    cells: str
    problem_code: str
    problem: str
    left_out: int
    lost: int
    of_read: int
    carried: str
    duplicate_of: int | None
    first_number: int | None
    first_left_out: int | None
    overtaken: int
    status: str | None
    attempts: int
    code: str
    description: str
    call: int | None
    request_id: str
    correlation_id: str
    started_at: str
    finished_at: str | None
    http_status: int | None
    verdict: str | None
    handed_to: str | None
    customer_id: str | None
    subscription_id: str | None
    entitlement_id: str | None
    auto_renew: str

    @property
    def target(self) -> Target:
        """Return what the row wants; that of an invalid one is empty."""
        return Target(self.customer_id or "", self.subscription_id or "", self.entitlement_id or "")


def _result_row(connection: sqlite3.Connection, found: _StoredRow) -> ResultRow:
    cells = tuple(_decoded(found.cells))
    if found.problem_code:
        outcome = Outcome(Status.INVALID, 0, None, found.problem_code, found.problem)
        return ResultRow(found.number, cells, outcome, succeeded=False, left_out=False)
    settled_by = found.duplicate_of or found.ordinal
    stored = _stored_outcome(found)
    outcome = stored or unfinished(progress_of(connection, settled_by, found.target, lost=bool(found.lost)))
    succeeded = outcome.status in SUCCESSES
    # A row whose call was lost in an earlier run is unknown, whatever keeps it from being sent in this one.
    untouched = outcome.status is Status.NOT_ATTEMPTED
    left_out = untouched and bool(found.first_left_out if found.duplicate_of else found.left_out)
    if left_out and not found.duplicate_of:
        outcome = replace(outcome, description="left out by --limit")
    if found.duplicate_of:
        words = f"same target as row {found.first_number}, which has the outcome"
        outcome = Outcome(Status.DUPLICATE, 0, None, "", words)
    # The id of a reading is of no use to whoever cannot tell that it was one.
    carried = "" if found.duplicate_of or found.of_read else found.carried
    passing = found.verdict == Transient.__name__
    settled = stored is not None or left_out
    if found.handed_to:
        words = ": ".join(filter(None, [f"taken over by run {found.handed_to}", outcome.description]))
        outcome = replace(outcome, description=words[:DESCRIPTION_LENGTH])
    return ResultRow(
        found.number,
        cells,
        outcome,
        succeeded,
        left_out,
        settled,
        passing,
        carried,
        found.handed_to or "",
        found.customer_id or "",
    )


def _stored_outcome(found: _StoredRow) -> Outcome | None:
    if found.status is None or found.overtaken:
        # Never settled, or sent again since by a process that did not settle it.
        return None
    call = None
    if found.call is not None:
        answer = Answer(found.http_status, found.code, found.description, business=False)
        call = Call(
            found.call, found.request_id, found.correlation_id, found.started_at, found.finished_at or "", answer
        )
    status, auto_renew = _STATUSES[found.status], _AUTO_RENEWS[found.auto_renew]
    return Outcome(status, found.attempts, call, found.code, found.description, auto_renew=auto_renew)
