"""Reads a journal's rows with their outcomes, for results and reports."""

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import starmap

from msgspec import Struct
from msgspec.json import Decoder
from msgspec.json import encode as encode_json
from msgspec.structs import replace

from bulkreact.batch.journal.call_log import load_progress
from bulkreact.batch.journal.schema import LATEST_OUTCOME, STEP_NAMES
from bulkreact.batch.journal.stored_types import StoredTypes, TypesReader
from bulkreact.batch.policy import outcome_if_open
from bulkreact.models import SUCCESSES, Answer, AutoRenew, Call, Outcome, ResultRow, Status, Target
from bulkreact.partnercenter.response_bodies import DESCRIPTION_LENGTH
from bulkreact.partnercenter.verdicts import Transient, stored_name
from bulkreact.typed_cells import type_cells

_CHUNK = 1000
_decode_cells = Decoder(tuple[str, ...]).decode
# A dict lookup is three times as fast as calling the enumeration.
_STATUSES = {status.value: status for status in Status}
_AUTO_RENEWS = {auto_renew.value: auto_renew for auto_renew in AutoRenew}
_TRANSIENT = stored_name(Transient)
# The stored outcome is complete and the row's own, and no later process has sent the row again.
IS_COMPLETE = f"""
rows.problem_code = '' AND rows.duplicate_of IS NULL AND rows.handed_to IS NULL
    AND outcomes.status <> '{Status.NOT_ATTEMPTED}'
"""
IS_OVERTAKEN = f"""
CASE WHEN outcomes.reopen OR outcomes.status = 'unknown' THEN EXISTS (
    SELECT 1 FROM calls AS later WHERE later.ordinal = outcomes.ordinal AND later.session > outcomes.session
    AND later.operation IN ({STEP_NAMES})
) ELSE 0 END
"""  # noqa: S608 - our own names
# Every column costs as much as finding the row: what few rows need is a separate query. The cells are decoded
# from bytes.
RESULTS = f"""
SELECT rows.ordinal, rows.number, CAST(rows.cells AS BLOB),
    {IS_COMPLETE}, {IS_OVERTAKEN},
    CASE WHEN rows.of_read OR rows.duplicate_of IS NOT NULL OR rows.problem_code <> '' THEN '' ELSE rows.request_id END, rows.customer_id,
    outcomes.status, outcomes.attempts, outcomes.code, outcomes.description, outcomes.auto_renew,
    calls.id, calls.request_id, calls.correlation_id, calls.started_at, answers.finished_at, answers.http_status,
    answers.verdict
FROM rows
LEFT JOIN outcomes ON outcomes.id = {LATEST_OUTCOME.format(ordinal="coalesce(rows.duplicate_of, rows.ordinal)")}
LEFT JOIN calls ON calls.id = outcomes.call
LEFT JOIN answers ON answers.call = calls.id
"""  # noqa: S608 - our own names
_DETAILS = """
SELECT rows.problem_code, rows.problem, rows.left_out, rows.lost, coalesce(firsts.handed_to, rows.handed_to),
    rows.duplicate_of, firsts.number,
    firsts.left_out, rows.customer_id, rows.subscription_id, rows.entitlement_id
FROM rows LEFT JOIN rows AS firsts ON firsts.ordinal = rows.duplicate_of WHERE rows.ordinal = ?
"""
_RESULTS_AFTER = f"{RESULTS} WHERE rows.ordinal > ? ORDER BY rows.ordinal LIMIT ?"
_RESULT_OF = f"{RESULTS} WHERE rows.ordinal = ?"
_RESULTS_OF = f"{RESULTS} WHERE rows.ordinal IN (SELECT value FROM json_each(?)) ORDER BY rows.ordinal"  # noqa: S608 - our own names
# The first row and the number of each group of rows that count alike; rows of which more must be read are by themselves.
# A row costs a tenth of what it does one by one.
_GROUPS = f"""
SELECT min(rows.ordinal), count(*)
FROM rows LEFT JOIN outcomes ON outcomes.id = {LATEST_OUTCOME.format(ordinal="rows.ordinal")}
LEFT JOIN answers ON answers.call = outcomes.call
GROUP BY rows.problem_code, outcomes.status, outcomes.code, answers.http_status, answers.verdict, CASE
    WHEN rows.problem_code <> '' THEN 0
    WHEN rows.duplicate_of IS NOT NULL OR rows.handed_to IS NOT NULL OR {IS_OVERTAKEN} THEN rows.ordinal
    WHEN outcomes.id IS NULL AND (rows.lost OR EXISTS (SELECT 1 FROM calls WHERE calls.ordinal = rows.ordinal))
        THEN rows.ordinal
    ELSE -rows.left_out
END
"""  # noqa: S608 - our own names


def result_rows(connection: sqlite3.Connection) -> Iterator[ResultRow]:
    """Yield every row of the input with its outcome, in input order."""
    after = 0
    while chunk := list(starmap(StoredRow, connection.execute(_RESULTS_AFTER, (after, _CHUNK)))):
        for row in chunk:
            yield build_result(connection, row)
        after = chunk[-1].ordinal


def results_of(connection: sqlite3.Connection, ordinals: Iterable[int]) -> Iterator[tuple[int, ResultRow]]:
    """Yield some rows with their ordinals, in input order."""
    rows = connection.execute(_RESULTS_OF, (encode_json(list(ordinals)).decode(),))
    return ((row.ordinal, build_result(connection, row)) for row in starmap(StoredRow, rows))


def result_groups(connection: sqlite3.Connection) -> Iterator[tuple[ResultRow, int]]:
    """Yield rows for counting, with how many there are of each: the first of those that are alike."""
    groups = connection.execute(_GROUPS)
    while batch := dict(groups.fetchmany(_CHUNK)):
        yield from ((row, batch[ordinal]) for ordinal, row in results_of(connection, batch))


def typed_rows(connection: sqlite3.Connection) -> Iterator[ResultRow]:
    """Yield every row as ``result_rows`` does, with what its cells are besides text."""
    types = TypesReader(connection)
    for ordinal, row in enumerate(result_rows(connection), 1):
        yield add_types(row, types.read(ordinal))


def add_types(row: ResultRow, stored: StoredTypes) -> ResultRow:
    """Return a row with what its cells are besides text."""
    typed_cells = type_cells(stored.columns, row.cells, stored.cells)
    return replace(row, typed_cells=typed_cells) if typed_cells else row


def load_result(connection: sqlite3.Connection, ordinal: int) -> ResultRow:
    """Return one row of the input with its outcome."""
    return build_result(connection, StoredRow(*connection.execute(_RESULT_OF, (ordinal,)).fetchone()))


class StoredRow(Struct, frozen=True, gc=False):
    """One row of RESULTS; the columns of the outcome and its call are None if there is none.

    ``is_complete``: the stored outcome is complete and the row's own, unless ``overtaken`` by a later process that
    sent the row again. ``carried`` is the request id carried on from an earlier run, empty for that of a read, which
    is usable only if it is known as one.
    """

    ordinal: int
    number: int
    cells: bytes
    is_complete: int | None
    overtaken: int
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


class RowDetails(Struct, frozen=True):
    """Further details of a row whose result is not simply its stored outcome."""

    problem_code: str = ""
    problem: str = ""
    left_out: int = 0
    lost: int = 0
    transferred_to: str | None = None
    duplicate_of: int | None = None
    first_number: int | None = None
    first_left_out: int | None = None
    customer_id: str | None = None
    subscription_id: str | None = None
    entitlement_id: str | None = None

    @property
    def target(self) -> Target:
        """Return the target of the row, an empty one if the row is invalid."""
        return Target(self.customer_id or "", self.subscription_id or "", self.entitlement_id or "")


class DerivedResult(Struct, frozen=True):
    """The result of a row; see ResultRow."""

    outcome: Outcome
    succeeded: bool
    excluded_by_limit: bool
    settled: bool


def derive(details: RowDetails, outcome: Outcome, *, is_stored: bool) -> DerivedResult:
    """Return the result of a row that is more than its stored outcome.

    ``outcome`` is the row's, for a duplicate that of the first row with its target: stored or derived from calls.
    The first matching line decides; the description of a row that another run took over begins with that run.

    ========================= ====================== ============ =================== ===================
    row                       outcome                succeeded    excluded_by_limit   settled
    ========================= ====================== ============ =================== ===================
    invalid                   invalid, its problem   no           no                  yes
    duplicate                 duplicate, first row   as the first as the first        as the first
    beyond --limit, not sent  not attempted          no           yes                 yes
    any other                 ``outcome``            by status    no                  if stored
    ========================= ====================== ============ =================== ===================

    A row beyond --limit whose call was lost in an earlier run is unknown, and not excluded.
    """
    if details.problem_code:
        invalid = Outcome(Status.INVALID, 0, None, details.problem_code, details.problem)
        return DerivedResult(invalid, succeeded=False, excluded_by_limit=False, settled=True)
    succeeded = outcome.status in SUCCESSES
    beyond_limit = details.first_left_out if details.duplicate_of else details.left_out
    excluded = outcome.status is Status.NOT_ATTEMPTED and bool(beyond_limit)
    if details.duplicate_of:
        description = f"same target as row {details.first_number}, which has the outcome"
        outcome = Outcome(Status.DUPLICATE, 0, None, "", description)
    elif excluded:
        outcome = replace(outcome, description="left out by --limit")
    if details.transferred_to:
        parts = [f"taken over by run {details.transferred_to}", outcome.description]
        outcome = replace(outcome, description=": ".join(filter(None, parts))[:DESCRIPTION_LENGTH])
    return DerivedResult(outcome, succeeded, excluded, settled=is_stored or excluded)


def build_result(connection: sqlite3.Connection, row: StoredRow) -> ResultRow:
    """Return a row with its outcome, stored or derived."""
    outcome = _stored_outcome(row)
    if outcome is not None and row.is_complete:
        return ResultRow(
            row.number,
            _decode_cells(row.cells),
            outcome,
            outcome.status in SUCCESSES,
            excluded_by_limit=False,
            transient=row.verdict == _TRANSIENT,
            request_id=row.carried,
            customer_id=row.customer_id or "",
        )
    details, is_stored = RowDetails(*connection.execute(_DETAILS, (row.ordinal,)).fetchone()), outcome is not None
    if outcome is None:
        ordinal = details.duplicate_of or row.ordinal
        outcome = outcome_if_open(load_progress(connection, ordinal, details.target, lost=bool(details.lost)))
    derived = derive(details, outcome, is_stored=is_stored)
    return ResultRow(
        row.number,
        _decode_cells(row.cells),
        derived.outcome,
        derived.succeeded,
        derived.excluded_by_limit,
        derived.settled,
        transient=row.verdict == _TRANSIENT,
        request_id=row.carried,
        transferred_to=details.transferred_to or "",
        customer_id=row.customer_id or "",
    )


def _stored_outcome(row: StoredRow) -> Outcome | None:
    if row.status is None or row.overtaken:
        return None
    call = None
    if row.call is not None:
        answer = Answer(row.http_status, row.code, row.description, business=False)
        call = Call(row.call, row.request_id, row.correlation_id, row.started_at, row.finished_at or "", answer)
    status, auto_renew = _STATUSES[row.status], _AUTO_RENEWS[row.auto_renew]
    return Outcome(status, row.attempts, call, row.code, row.description, auto_renew=auto_renew)
