"""Reads from a journal what the rows of a running run wait for, as far as their latest answers say."""

import sqlite3
from collections import Counter

from bulkreact.batch.environment import WaitReason, WaitState
from bulkreact.batch.journal.pending_rows import count_awaiting_parent
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.verdicts import stored_name

_REASONS = {
    stored_name(verdicts.Throttled): WaitReason.THROTTLED,
    stored_name(verdicts.Transient): WaitReason.BUSY,
    stored_name(verdicts.NotReady): WaitReason.BUSY,
    stored_name(verdicts.Conflict): WaitReason.BUSY,
    stored_name(verdicts.ParentInactive): WaitReason.PARENT,
}
# Rows with no newer call, and without an outcome of the session: they are to be sent again.
_WAITING = f"""
SELECT answers.verdict, count(*), count(DISTINCT rows.customer_id), min(rows.customer_id)
FROM answers JOIN calls ON calls.id = answers.call JOIN rows USING (ordinal)
WHERE answers.verdict IN ({", ".join(f"'{name}'" for name in _REASONS)}) AND calls.session = :session
    AND NOT EXISTS (SELECT 1 FROM calls AS later WHERE later.ordinal = calls.ordinal AND later.id > calls.id)
    AND NOT EXISTS (
        SELECT 1 FROM outcomes WHERE outcomes.ordinal = calls.ordinal AND outcomes.session = :session
    )
GROUP BY answers.verdict
"""  # noqa: S608 - our own names


def waiting_rows(connection: sqlite3.Connection, session: int) -> WaitState:
    """Return how many rows wait in a session and why; when their next calls are due is not recorded."""
    rows: Counter[WaitReason] = Counter()
    customers, customer = 0, ""
    for verdict, number, of_customers, first in connection.execute(_WAITING, {"session": session}):
        reason = _REASONS[verdict]
        rows[reason] += number
        if reason is WaitReason.THROTTLED:
            customers, customer = of_customers, first
    rows[WaitReason.PARENT] += count_awaiting_parent(connection)
    return WaitState(rows=+rows, customers=customers, customer=customer)
