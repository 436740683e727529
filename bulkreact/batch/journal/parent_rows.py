"""Reads from a journal the parent rows: subscriptions that other rows of the run wait for."""

from msgspec import Struct

from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.schema import HAS_SUBSCRIPTIONS, LATEST_OUTCOME
from bulkreact.models import Status

_PARENTS = f"""
SELECT rows.ordinal, rows.number, rows.customer_id, rows.subscription_id, outcomes.status, outcomes.code,
    outcomes.reopen, outcomes.session, EXISTS (SELECT 1 FROM temp.open_rows WHERE open_rows.ordinal = rows.ordinal)
FROM rows LEFT JOIN outcomes ON outcomes.id = {LATEST_OUTCOME.format(ordinal="rows.ordinal")}
WHERE rows.entitlement_id = '' AND rows.duplicate_of IS NULL AND rows.handed_to IS NULL AND rows.left_out = 0
"""  # noqa: S608 - our own names
_OF_SUBSCRIPTION = f"{_PARENTS} AND rows.customer_id = ? AND rows.subscription_id = ?"
_OF_ORDINAL = f"{_PARENTS} AND rows.ordinal = ?"
_SETTLED_BEFORE = """
SELECT DISTINCT parent FROM temp.open_rows WHERE parent IS NOT NULL
    AND parent NOT IN (SELECT ordinal FROM temp.open_rows)
"""


class ParentRow(Struct, frozen=True):
    """The row of a subscription; ``status`` and ``session`` are None without an outcome.

    ``is_open``: it was open when the pending rows were selected.
    """

    ordinal: int
    number: int
    customer_id: str
    subscription_id: str
    status: Status | None
    code: str
    reopen: bool
    session: int | None
    is_open: bool


class ParentRows:
    """The subscriptions among the rows of a journal; the pending rows must already be selected."""

    def __init__(self, journal: JournalReader) -> None:
        self._connection = journal.connection
        self._exist = bool(self._connection.execute(HAS_SUBSCRIPTIONS).fetchone()[0])

    def find(self, customer_id: str, subscription_id: str) -> ParentRow | None:
        """Return the row of a subscription, None if the run has none."""
        return self._load(_OF_SUBSCRIPTION, customer_id, subscription_id) if self._exist else None

    def of_row(self, ordinal: int) -> ParentRow | None:
        """Return a row by its ordinal, None if it is not a subscription's or not to be sent."""
        return self._load(_OF_ORDINAL, ordinal)

    def settled_before(self) -> list[int]:
        """Return the rows that others still wait for although an earlier process settled them."""
        return [ordinal for (ordinal,) in self._connection.execute(_SETTLED_BEFORE)]

    def _load(self, sql: str, *key: str | int) -> ParentRow | None:
        stored = self._connection.execute(sql, key).fetchone()
        if stored is None:
            return None
        ordinal, number, customer_id, subscription_id, status, code, reopen, session, is_open = stored
        status = Status(status) if status else None
        return ParentRow(
            ordinal, number, customer_id, subscription_id, status, code or "", bool(reopen), session, bool(is_open)
        )
