"""Reads the rows of a run for a retry: which are worth it, which request ids they keep, and which other runs settled."""

import sqlite3
from collections.abc import Iterator

from msgspec import Struct

from bulkreact.batch.journal.call_log import load_progress
from bulkreact.batch.journal.result_chunks import result_chunks
from bulkreact.batch.journal.row_results import add_types
from bulkreact.batch.journal.schema import LATEST_OUTCOME
from bulkreact.batch.journal.stored_types import TypesReader
from bulkreact.batch.progress import OnlyRead
from bulkreact.models import SUCCESSES, InputRow, ResultRow, Status, Target

_NEVER_SENT = frozenset({Status.INVALID, Status.DUPLICATE})
_TARGET = """
SELECT customer_id, subscription_id, entitlement_id, lost, restore_auto_renew, deadline FROM rows WHERE ordinal = ?
"""
_SUCCEEDED = f"outcomes.status IN ({', '.join(sorted(repr(status.value) for status in SUCCESSES))})"
_OF_ROWS = f"""
FROM rows LEFT JOIN outcomes ON outcomes.id = {LATEST_OUTCOME.format(ordinal="rows.ordinal")}
LEFT JOIN calls ON calls.id = outcomes.call LEFT JOIN sessions ON sessions.id = outcomes.session
WHERE rows.problem_code = '' AND rows.duplicate_of IS NULL
"""
_OPEN = f"SELECT json_group_array(DISTINCT subscription_id) {_OF_ROWS} AND {_SUCCEEDED} IS NOT 1"
# Of a million rows few are open: only these cost more than being passed over.
_SUCCESSES = f"""
SELECT customer_id, subscription_id, entitlement_id, coalesce(calls.started_at, sessions.started_at) {_OF_ROWS}
AND rows.subscription_id IN (SELECT value FROM json_each(?)) AND {_SUCCEEDED}
"""  # noqa: S608 - our own names


class Candidate(Struct, frozen=True):
    """A row by its number, its status, and the row as a retry would send it, None if the retry does not take it.

    ``transferred_to`` is the run that took the row over and knows its current status. ``sent_at`` is when the call
    that decided its status was sent, empty if none was.
    """

    number: int
    status: Status
    row: InputRow | None
    transferred_to: str
    sent_at: str


class Success(Struct, frozen=True, gc=False):
    """A target that a run has reactivated, and when it was sent, or else when that run was working."""

    target: Target
    sent_at: str


def candidates(connection: sqlite3.Connection, *, all_failed: bool) -> Iterator[Candidate]:
    """Yield the rows of a run that are neither invalid nor duplicates, in input order.

    A retry takes those that may now succeed, with ``all_failed`` also those that failed permanently.
    """
    types = TypesReader(connection)
    for chunk in result_chunks(connection):
        found = {
            row.ordinal: Candidate(row.number, Status(row.status), None, "", row.started_at) for row in chunk.plain
        }
        for ordinal, row in chunk.others.items():
            if row.outcome.status in _NEVER_SENT:
                continue
            is_taken = row.worth_retrying or (all_failed and row.outcome.status is Status.FAILED)
            # Of a million rows few are taken, and each costs three questions.
            taken = _input_row(connection, ordinal, add_types(row, types.read(ordinal))) if is_taken else None
            sent_at = row.outcome.call.started_at if row.outcome.call else ""
            found[ordinal] = Candidate(row.number, row.outcome.status, taken, row.transferred_to, sent_at)
        yield from (found[ordinal] for ordinal in sorted(found))


def open_subscriptions(connection: sqlite3.Connection) -> str:
    """Return the subscriptions of the rows that did not succeed, as a list in JSON."""
    return str(connection.execute(_OPEN).fetchone()[0])


def successes(connection: sqlite3.Connection, subscriptions: str) -> Iterator[Success]:
    """Yield the targets in some subscriptions, a list in JSON, that a run has reactivated."""
    for *ids, sent_at in connection.execute(_SUCCESSES, (subscriptions,)):
        yield Success(Target(*ids), sent_at)


def _input_row(connection: sqlite3.Connection, ordinal: int, row: ResultRow) -> InputRow:
    *ids, lost, restore, deadline = connection.execute(_TARGET, (ordinal,)).fetchone()
    customer_id, subscription_id, entitlement_id = ids
    target = Target(customer_id, subscription_id, entitlement_id)
    progress = load_progress(connection, ordinal, target, lost=bool(lost))
    call, only_read = progress.call, isinstance(progress.stage, OnlyRead)
    # The request id of an earlier run's write outlives the reads that this run made before its write.
    keeps_request_id = only_read and bool(row.request_id)
    unanswered = "" if call is None or call.answer.business else call.request_id
    carried = row.request_id if call is None or keeps_request_id else unanswered
    return InputRow(
        row.number,
        row.cells,
        target,
        request_id=carried,
        request_id_is_for_read=only_read and not keeps_request_id,
        outcome_unknown=progress.lost,
        restore_auto_renew=bool(restore),
        deadline=deadline,
        typed_cells=row.typed_cells,
    )
