"""Reading a journal's rows with their outcomes, in order to report."""

import sqlite3
from collections.abc import Iterator
from itertools import starmap

from msgspec import Struct
from msgspec.json import Decoder
from msgspec.structs import replace

from bulkreact.batch.journal.call_log import load_progress
from bulkreact.batch.journal.schema import LATEST_OUTCOME, STEP_WORDS
from bulkreact.batch.policy import outcome_if_open
from bulkreact.models import SUCCESSES, Answer, AutoRenew, Call, Outcome, ResultRow, Status, Target
from bulkreact.partnercenter.response_bodies import DESCRIPTION_LENGTH
from bulkreact.partnercenter.verdicts import Transient, stored_name

_CHUNK = 1000
_decoded = Decoder(tuple[str, ...]).decode
# Asking an enumeration for its member takes three times as long.
_STATUSES = {status.value: status for status in Status}
_AUTO_RENEWS = {word.value: word for word in AutoRenew}
_PASSING = stored_name(Transient)
# Every column costs as much as finding its line: what few rows need is asked apart. The cells go to their decoder as
# the bytes that they are.
_RESULTS = f"""
SELECT rows.ordinal, rows.number, CAST(rows.cells AS BLOB),
    rows.problem_code = '' AND rows.duplicate_of IS NULL AND rows.handed_to IS NULL
        AND outcomes.status <> '{Status.NOT_ATTEMPTED}',
    CASE WHEN outcomes.reopen OR outcomes.status = 'unknown' THEN EXISTS (
        SELECT 1 FROM calls AS later WHERE later.ordinal = outcomes.ordinal AND later.session > outcomes.session
        AND later.operation IN ({STEP_WORDS})
    ) ELSE 0 END,
    CASE WHEN rows.of_read OR rows.duplicate_of IS NOT NULL THEN '' ELSE rows.request_id END, rows.customer_id,
    outcomes.status, outcomes.attempts, outcomes.code, outcomes.description, outcomes.auto_renew,
    calls.id, calls.request_id, calls.correlation_id, calls.started_at, answers.finished_at, answers.http_status,
    answers.verdict
FROM rows
LEFT JOIN outcomes ON outcomes.id = {LATEST_OUTCOME.format(ordinal="coalesce(rows.duplicate_of, rows.ordinal)")}
LEFT JOIN calls ON calls.id = outcomes.call
LEFT JOIN answers ON answers.call = calls.id
"""  # noqa: S608 - our own names
_PARTICULARS = """
SELECT rows.problem_code, rows.problem, rows.left_out, rows.lost, rows.handed_to, rows.duplicate_of, firsts.number,
    firsts.left_out, rows.customer_id, rows.subscription_id, rows.entitlement_id
FROM rows LEFT JOIN rows AS firsts ON firsts.ordinal = rows.duplicate_of WHERE rows.ordinal = ?
"""
_RESULTS_AFTER = f"{_RESULTS} WHERE rows.ordinal > ? ORDER BY rows.ordinal LIMIT ?"
_RESULT_OF = f"{_RESULTS} WHERE rows.ordinal = ?"


def result_rows(connection: sqlite3.Connection) -> Iterator[ResultRow]:
    """Yield every row of the input with its outcome, in input order."""
    after = 0
    while chunk := list(starmap(_StoredRow, connection.execute(_RESULTS_AFTER, (after, _CHUNK)))):
        for found in chunk:
            yield _result_row(connection, found)
        after = chunk[-1].ordinal


def load_result(connection: sqlite3.Connection, ordinal: int) -> ResultRow:
    """Return one row of the input with its outcome."""
    return _result_row(connection, _StoredRow(*connection.execute(_RESULT_OF, (ordinal,)).fetchone()))


class _StoredRow(Struct, frozen=True, gc=False):
    """A line of _RESULTS; what comes from the outcome and its call is None when there is none.

    ``plain`` tells that the stored outcome is the row's own and all there is to say, unless it was ``overtaken``.
    ``carried`` is the request id that the row hands on.
    """

    ordinal: int
    number: int
    cells: bytes
    plain: int | None
    overtaken: int
    # The id of a reading is of no use to whoever cannot tell that it was one.
    carried: str
    customer_id: str | None
    status: str | None
    attempts: int
    code: str
    description: str
    auto_renew: str
    call: int | None
    request_id: str
    correlation_id: str
    started_at: str
    finished_at: str | None
    http_status: int | None
    verdict: str | None


class CallDetails(Struct, frozen=True):
    """The line of _PARTICULARS: what else is on record of a row."""

    problem_code: str
    problem: str
    left_out: int
    lost: int
    handed_to: str | None
    duplicate_of: int | None
    first_number: int | None
    first_left_out: int | None
    customer_id: str | None
    subscription_id: str | None
    entitlement_id: str | None

    @property
    def target(self) -> Target:
        """Return what the row wants; that of an invalid one is empty."""
        return Target(self.customer_id or "", self.subscription_id or "", self.entitlement_id or "")


def _result_row(connection: sqlite3.Connection, found: _StoredRow) -> ResultRow:
    stored = _stored_outcome(found)
    if stored is None or not found.plain:
        return _derived_row(connection, found, stored)
    return ResultRow(
        found.number,
        _decoded(found.cells),
        stored,
        stored.status in SUCCESSES,
        excluded_by_limit=False,
        transient=found.verdict == _PASSING,
        request_id=found.carried,
        customer_id=found.customer_id or "",
    )


def _derived_row(connection: sqlite3.Connection, found: _StoredRow, stored: Outcome | None) -> ResultRow:
    """Return a row of which something else is to be said than what is stored as its outcome."""
    more = CallDetails(*connection.execute(_PARTICULARS, (found.ordinal,)).fetchone())
    cells = _decoded(found.cells)
    if more.problem_code:
        outcome = Outcome(Status.INVALID, 0, None, more.problem_code, more.problem)
        return ResultRow(found.number, cells, outcome, succeeded=False, excluded_by_limit=False)
    settled_by = more.duplicate_of or found.ordinal
    outcome = stored or outcome_if_open(load_progress(connection, settled_by, more.target, lost=bool(more.lost)))
    succeeded = outcome.status in SUCCESSES
    # A row whose call was lost in an earlier run is unknown, whatever keeps it from being sent in this one.
    untouched = outcome.status is Status.NOT_ATTEMPTED
    left_out = untouched and bool(more.first_left_out if more.duplicate_of else more.left_out)
    if left_out and not more.duplicate_of:
        outcome = replace(outcome, description="left out by --limit")
    if more.duplicate_of:
        words = f"same target as row {more.first_number}, which has the outcome"
        outcome = Outcome(Status.DUPLICATE, 0, None, "", words)
    if more.handed_to:
        words = ": ".join(filter(None, [f"taken over by run {more.handed_to}", outcome.description]))
        outcome = replace(outcome, description=words[:DESCRIPTION_LENGTH])
    return ResultRow(
        found.number,
        cells,
        outcome,
        succeeded,
        left_out,
        settled=stored is not None or left_out,
        transient=found.verdict == _PASSING,
        request_id=found.carried,
        transferred_to=more.handed_to or "",
        customer_id=found.customer_id or "",
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
