"""Reading a journal's rows: those still open, in order to send them, and all of them, in order to report."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from bulkreact.batch.policy import Progress, settles_loss, unfinished
from bulkreact.batch.schema import BEGUN, WRITE_WORDS
from bulkreact.models import SUCCESSES, Answer, Call, Operation, Outcome, ResultRow, Status, Target
from bulkreact.partnercenter.bodies import DESCRIPTION_LENGTH
from bulkreact.partnercenter.protocol import WRITES
from bulkreact.partnercenter.verdicts import Contested, Transient

_CHUNK = 1000
_SENDABLE = (
    "rows.problem_code = '' AND rows.duplicate_of IS NULL AND rows.handed_to IS NULL "
    "AND (rows.left_out = 0 OR :with_left_out)"
)
_LATEST_OUTCOME = "(SELECT max(id) FROM outcomes WHERE outcomes.ordinal = {ordinal})"

# Open: never settled, settled by an answer that stopped the run, or with an answer still lost.
_MAKE_OPEN = f"""
CREATE TEMP TABLE open_rows AS
SELECT rows.customer_id, rows.ordinal FROM rows
LEFT JOIN outcomes ON outcomes.id = {_LATEST_OUTCOME.format(ordinal="rows.ordinal")}
WHERE {_SENDABLE} AND (outcomes.id IS NULL OR outcomes.reopen = 1 OR outcomes.status = 'unknown')
"""  # noqa: S608 - our own names
_MAKE_ORDER = """
CREATE TEMP TABLE customer_order AS
SELECT customer_id FROM open_rows GROUP BY customer_id ORDER BY min(ordinal)
"""
_NEXT_OF_CUSTOMER = f"""
SELECT rows.ordinal, rows.number, rows.customer_id, rows.subscription_id, rows.entitlement_id, rows.request_id,
    rows.lost, {BEGUN}
FROM open_rows JOIN rows ON rows.ordinal = open_rows.ordinal
WHERE open_rows.customer_id = ? AND open_rows.ordinal > ?
"""  # noqa: S608 - our own names
_ONLY_BEGUN = f" AND {BEGUN}"
_CALLS_OF_ROW = """
SELECT calls.id, calls.operation, calls.request_id, calls.correlation_id, calls.started_at, answers.finished_at,
    answers.verdict, answers.http_status, answers.code, answers.description, answers.business, answers.departed,
    answers.lost
FROM calls LEFT JOIN answers ON answers.call = calls.id WHERE calls.ordinal = ? ORDER BY calls.id
"""
_WRITE_CALLS = f"""
SELECT customer_id, subscription_id, entitlement_id, calls.request_id, calls.started_at
FROM calls JOIN rows USING (ordinal)
WHERE operation IN ({WRITE_WORDS}) ORDER BY calls.id
"""  # noqa: S608 - our own names
_RESULTS = f"""
SELECT rows.ordinal, rows.number, rows.cells, rows.problem_code, rows.problem, rows.left_out, rows.lost, rows.request_id,
    rows.duplicate_of, firsts.number, firsts.left_out,
    CASE WHEN outcomes.reopen OR outcomes.status = 'unknown' THEN EXISTS (
        SELECT 1 FROM calls AS later WHERE later.ordinal = outcomes.ordinal AND later.id > coalesce(outcomes.call, 0)
        AND later.operation IN ({WRITE_WORDS})
    ) ELSE 0 END,
    outcomes.status, outcomes.attempts, outcomes.code, outcomes.description,
    calls.id, calls.request_id, calls.correlation_id, calls.started_at, answers.finished_at, answers.http_status,
    answers.verdict, rows.handed_to, rows.customer_id
FROM rows
LEFT JOIN rows AS firsts ON firsts.ordinal = rows.duplicate_of
LEFT JOIN outcomes ON outcomes.id = {_LATEST_OUTCOME.format(ordinal="coalesce(rows.duplicate_of, rows.ordinal)")}
LEFT JOIN calls ON calls.id = outcomes.call
LEFT JOIN answers ON answers.call = calls.id
"""  # noqa: S608 - our own names
_RESULTS_AFTER = f"{_RESULTS} WHERE rows.ordinal > ? ORDER BY rows.ordinal LIMIT ?"
_RESULT_OF = f"{_RESULTS} WHERE rows.ordinal = ?"


@dataclass(slots=True)
class Row:
    """One row to be sent: what it wants and how far it has come."""

    ordinal: int
    number: int
    target: Target
    request_id: str
    progress: Progress
    due: float = 0.0

    @property
    def customer_id(self) -> str:
        """Return whose row it is."""
        return self.target.customer_id

    @property
    def begun(self) -> bool:
        """Tell whether a call of the row was made, by this or an earlier process."""
        return self.progress.call is not None


@dataclass(frozen=True, slots=True)
class OpenCount:
    """How much is still to be done."""

    rows: int
    customers: int


class OpenRows:
    """The open rows of a journal, as the queue wants them."""

    def __init__(self, connection: sqlite3.Connection, *, with_left_out: bool = False) -> None:
        self._connection = connection
        for table in ("open_rows", "customer_order"):
            connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
        connection.execute(_MAKE_OPEN, {"with_left_out": with_left_out})
        connection.execute("CREATE INDEX temp.open_rows_of_customer ON open_rows (customer_id, ordinal)")
        connection.execute(_MAKE_ORDER)

    def count(self) -> OpenCount:
        """Return how many rows of how many customers are open."""
        rows = self._connection.execute("SELECT count(*) FROM temp.open_rows").fetchone()[0]
        customers = self._connection.execute("SELECT count(*) FROM temp.customer_order").fetchone()[0]
        return OpenCount(rows, customers)

    def customers(self) -> Iterator[str]:
        """Yield the customers with open rows, in the order of the input."""
        after = 0
        while chunk := self._connection.execute(
            "SELECT rowid, customer_id FROM temp.customer_order WHERE rowid > ? ORDER BY rowid LIMIT ?", (after, _CHUNK)
        ).fetchall():
            yield from (customer_id for _, customer_id in chunk)
            after = chunk[-1][0]

    def rows(self, customer_id: str, after: int, limit: int) -> list[Row]:
        """Return the next open rows of a customer behind an ordinal."""
        return self._read(f"{_NEXT_OF_CUSTOMER} ORDER BY open_rows.ordinal LIMIT ?", (customer_id, after, limit))

    def begun(self, customer_id: str, after: int) -> list[Row]:
        """Return those open rows of a customer behind an ordinal that were sent by an earlier process."""
        return self._read(_NEXT_OF_CUSTOMER + _ONLY_BEGUN, (customer_id, after))

    def _read(self, sql: str, values: tuple[str | int, ...]) -> list[Row]:
        found = self._connection.execute(sql, values).fetchall()
        return [
            Row(
                ordinal,
                number,
                Target(customer, subscription, entitlement),
                request_id,
                progress_of(self._connection, ordinal, lost=bool(lost)) if begun else Progress(lost=bool(lost)),
            )
            for ordinal, number, customer, subscription, entitlement, request_id, lost, begun in found
        ]


def request_id(run_uuid: UUID, row: Row) -> str:
    """Return the request id of the row's next write call: one per row and intent, the same after any crash."""
    if row.request_id and row.progress.intent == 0:
        return row.request_id
    return str(uuid5(run_uuid, f"{row.ordinal}/{Operation.REACTIVATE_ENTITLEMENT}/{row.progress.intent}"))


def progress_of(connection: sqlite3.Connection, ordinal: int, *, lost: bool) -> Progress:
    """Derive how far a row has come from its calls; ``lost`` is what the input said of an earlier run's call."""
    progress = Progress(lost=lost)
    for found in map(_StoredCall._make, connection.execute(_CALLS_OF_ROW, (ordinal,))):
        if Operation(found.operation) not in WRITES:
            continue
        answer = Answer(found.http_status, found.code or "", found.description or "", business=bool(found.business))
        if found.finished_at is None:
            answer = Answer(None, "no-answer", "the program ended before the answer was kept", business=False)
        contested = found.verdict == Contested.__name__
        progress = Progress(
            operation=Operation.GET_ENTITLEMENT if contested else Operation.REACTIVATE_ENTITLEMENT,
            intent=progress.intent + answer.business,
            attempts=progress.attempts + (found.departed != 0),
            lost=found.lost != 0 or (progress.lost and not settles_loss(found.verdict or "", answer)),
            call=Call(
                found.id, found.request_id, found.correlation_id, found.started_at, found.finished_at or "", answer
            ),
        )
    return progress


def write_calls(connection: sqlite3.Connection) -> list[tuple[Target, str, datetime]]:
    """Return what every write call on record was for, its request id and when it began, in that order."""
    found = connection.execute(_WRITE_CALLS)
    return [(Target(*ids), ours, datetime.fromisoformat(began)) for *ids, ours, began in found]


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


class _StoredCall(NamedTuple):
    """A line of _CALLS_OF_ROW; what comes from the answer is None when there is none."""

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


class _StoredRow(NamedTuple):
    """A line of _RESULTS; what comes from the outcome and its call is None when there is none."""

    ordinal: int
    number: int
    cells: str
    problem_code: str
    problem: str
    left_out: int
    lost: int
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


def _result_row(connection: sqlite3.Connection, found: _StoredRow) -> ResultRow:
    cells = tuple(json.loads(found.cells))
    if found.problem_code:
        outcome = Outcome(Status.INVALID, 0, None, found.problem_code, found.problem)
        return ResultRow(found.number, cells, outcome, succeeded=False, left_out=False)
    settled_by = found.duplicate_of or found.ordinal
    stored = _stored_outcome(found)
    outcome = stored or unfinished(progress_of(connection, settled_by, lost=bool(found.lost)))
    succeeded = outcome.status in SUCCESSES
    # A row whose call was lost in an earlier run is unknown, whatever keeps it from being sent in this one.
    untouched = outcome.status is Status.NOT_ATTEMPTED
    left_out = untouched and bool(found.first_left_out if found.duplicate_of else found.left_out)
    if left_out and not found.duplicate_of:
        outcome = replace(outcome, description="left out by --limit")
    if found.duplicate_of:
        words = f"same target as row {found.first_number}, which has the outcome"
        outcome = Outcome(Status.DUPLICATE, 0, None, "", words)
    carried = "" if found.duplicate_of else found.carried
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
    return Outcome(Status(found.status), found.attempts, call, found.code, found.description)
