"""Reading a journal's open rows, in the order in which they are to be sent."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from msgspec import Struct

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.call_log import intended_id, load_progress
from bulkreact.batch.journal.schema import BEGUN, LATEST_OUTCOME
from bulkreact.batch.policy import RowProgress, initial_progress
from bulkreact.batch.row_source import CustomerStream
from bulkreact.models import Status, Target
from bulkreact.partnercenter.protocol import WRITES
from bulkreact.partnercenter.subscription import Subscription

_CHUNK = 1000
_SENDABLE = (
    "rows.problem_code = '' AND rows.duplicate_of IS NULL AND rows.handed_to IS NULL "
    "AND (rows.left_out = 0 OR :with_left_out)"
)

# Open: never settled, settled by an answer that stopped the run, or with an answer still lost.
_OPEN = f"""
SELECT rows.customer_id, rows.ordinal, rows.ordinal AS place, 0 AS band, NULL AS parent FROM rows
WHERE {_SENDABLE} AND NOT EXISTS (SELECT 1 FROM outcomes WHERE outcomes.ordinal = rows.ordinal)
UNION ALL
SELECT rows.customer_id, rows.ordinal, rows.ordinal, 0, NULL FROM outcomes CROSS JOIN rows USING (ordinal)
WHERE (outcomes.reopen = 1 OR outcomes.status = 'unknown') AND {_SENDABLE}
    AND outcomes.id = {LATEST_OUTCOME.format(ordinal="rows.ordinal")}
"""  # noqa: S608 - our own names
_MAKE_OPEN = f"CREATE TEMP TABLE open_rows AS {_OPEN}"
_COUNT_OPEN = f"SELECT count(*), count(DISTINCT customer_id) FROM ({_OPEN})"  # noqa: S608 - our own names
# A row below a subscription of the same run waits for it, unless that was seen active or a call of its own was made.
FIND_PARENTS = f"""
UPDATE temp.open_rows SET parent = found.parent FROM (
    SELECT below.ordinal, above.ordinal AS parent
    FROM rows AS below JOIN rows AS above ON above.customer_id = below.customer_id
        AND above.subscription_id = below.subscription_id AND above.entitlement_id = ''
    LEFT JOIN outcomes ON outcomes.id = {LATEST_OUTCOME.format(ordinal="above.ordinal")}
    WHERE below.entitlement_id <> '' AND above.problem_code = '' AND above.duplicate_of IS NULL
        AND above.handed_to IS NULL AND (above.left_out = 0 OR :with_left_out)
        AND coalesce(outcomes.status, '') NOT IN ('{Status.REACTIVATED}', '{Status.ALREADY_ACTIVE}')
        AND NOT {BEGUN.replace("rows.ordinal", "below.ordinal")}
) AS found WHERE found.ordinal = open_rows.ordinal
"""  # noqa: S608 - our own names
# What is deleted first goes first, and what is deleted soon before everything else; with it whatever it waits for.
_BY_URGENCY = """
WITH deadlines AS (
    SELECT open_rows.ordinal, nullif(rows.deadline, '') AS own, open_rows.parent
    FROM temp.open_rows JOIN rows USING (ordinal)
), needs AS (
    SELECT ordinal, min(deadline) AS deadline FROM (
        SELECT ordinal, own AS deadline FROM deadlines WHERE own IS NOT NULL
        UNION ALL SELECT parent, own FROM deadlines WHERE parent IS NOT NULL AND own IS NOT NULL
    ) GROUP BY ordinal
), ordered AS (
    SELECT open_rows.ordinal, coalesce(needs.deadline >= :soon, 1) AS band,
        row_number() OVER (ORDER BY needs.deadline NULLS LAST, open_rows.ordinal) AS place
    FROM temp.open_rows LEFT JOIN needs USING (ordinal)
)
UPDATE temp.open_rows SET place = ordered.place, band = ordered.band FROM ordered
WHERE ordered.ordinal = open_rows.ordinal
"""
_MAKE_ORDER = """
CREATE TEMP TABLE customer_order AS
SELECT customer_id, band FROM temp.open_rows WHERE parent IS NULL GROUP BY customer_id, band ORDER BY band, min(place)
"""
_NEXT = """
SELECT rows.ordinal, rows.number, rows.customer_id, rows.subscription_id, rows.entitlement_id, rows.request_id,
    rows.of_read, rows.lost, rows.restore_auto_renew, open_rows.place, {begun}
FROM temp.open_rows JOIN rows ON rows.ordinal = open_rows.ordinal
WHERE open_rows.customer_id = :customer AND open_rows.place > :after
"""
_OF_STREAM = " AND open_rows.band = :band AND open_rows.parent IS NULL"
_OF_STREAM_BELOW = " AND open_rows.parent = :below"
_ONLY_BEGUN = f" AND {BEGUN}"


class PendingRow(Struct):
    """One row to be sent: what it wants, how far it has come, and its place in the order of sending.

    ``request_id`` is one carried on from an earlier run, ``of_read`` says that it was a reading's. ``subscription`` is
    what was read to be updated, at the monotonic moment ``read_at``; ``read_again`` says that it had grown old before.
    """

    ordinal: int
    number: int
    target: Target
    request_id: str
    request_id_is_for_read: bool
    progress: RowProgress
    position: int
    restore_auto_renew: bool = False
    due: float = 0.0
    subscription: Subscription | None = None
    read_at: float = 0.0
    read_again: bool = False

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


def open_count(connection: sqlite3.Connection, *, with_left_out: bool = False) -> OpenCount:
    """Return how many rows of how many customers are open, without putting them in order."""
    return OpenCount(*connection.execute(_COUNT_OPEN, {"with_left_out": with_left_out}).fetchone())


class PendingRows:
    """The open rows of a journal, as the queue wants them.

    Rows that wait for another have a stream of their own, which nobody asks for before its time. ``soon`` (UTC, ISO
    8601) orders the rows by what is deleted first, and sends what is deleted before that time before all others.
    """

    def __init__(self, connection: sqlite3.Connection, *, with_left_out: bool = False, soon: str = "") -> None:
        self._connection = connection
        # Of most runs nothing was sent when they begin: then no row needs to be asked for.
        self._any_begun = bool(connection.execute("SELECT EXISTS (SELECT 1 FROM calls)").fetchone()[0])
        self._next = _NEXT.format(begun=BEGUN if self._any_begun else "0")
        for table in ("open_rows", "customer_order"):
            connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
        connection.execute(_MAKE_OPEN, {"with_left_out": with_left_out})
        if connection.execute(schema.HAS_SUBSCRIPTIONS).fetchone()[0]:
            connection.execute("CREATE INDEX temp.open_rows_by_ordinal ON open_rows (ordinal)")
            connection.execute(FIND_PARENTS, {"with_left_out": with_left_out})
            connection.execute("CREATE INDEX temp.open_rows_below ON open_rows (parent, place)")
        if soon:
            connection.execute(_BY_URGENCY, {"soon": soon})
        connection.execute("CREATE INDEX temp.open_rows_of_customer ON open_rows (customer_id, band, place)")
        connection.execute(_MAKE_ORDER)

    def count(self) -> OpenCount:
        """Return how many rows of how many customers are open."""
        rows = self._connection.execute("SELECT count(*) FROM temp.open_rows").fetchone()[0]
        customers = self._connection.execute("SELECT count(DISTINCT customer_id) FROM temp.open_rows").fetchone()[0]
        return OpenCount(rows, customers)

    def streams(self) -> Iterator[CustomerStream]:
        """Yield the streams of rows that wait for nobody, in the order in which they are to be sent."""
        after = 0
        while chunk := self._connection.execute(
            "SELECT rowid, customer_id, band FROM temp.customer_order WHERE rowid > ? ORDER BY rowid LIMIT ?",
            (after, _CHUNK),
        ).fetchall():
            yield from (CustomerStream(customer_id, band) for _, customer_id, band in chunk)
            after = chunk[-1][0]

    def rows(self, stream: CustomerStream, after: int, limit: int) -> list[PendingRow]:
        """Return the next open rows of a stream behind a place."""
        return self._read(stream, after, f" ORDER BY open_rows.place LIMIT {limit}")

    def begun(self, stream: CustomerStream, after: int) -> list[PendingRow]:
        """Return those open rows of a stream behind a place that were sent by an earlier process."""
        return self._read(stream, after, _ONLY_BEGUN) if self._any_begun else []

    def is_awaited(self, ordinal: int) -> bool:
        """Tell whether rows wait for one from the beginning."""
        found = self._connection.execute(
            "SELECT EXISTS (SELECT 1 FROM temp.open_rows WHERE parent = ?)", (ordinal,)
        ).fetchone()
        return bool(found[0])

    def _read(self, stream: CustomerStream, after: int, rest: str) -> list[PendingRow]:
        sql = f"{self._next}{_OF_STREAM if stream.parent is None else _OF_STREAM_BELOW}{rest}"
        values = {"customer": stream.customer_id, "band": stream.band, "below": stream.parent, "after": after}
        rows = []
        for ordinal, number, customer, subscription, entitlement, *wishes, place, is_begun in self._connection.execute(
            sql, values
        ):
            carried, of_read, lost, restore = wishes
            target, was_lost = Target(customer, subscription, entitlement), bool(lost)
            # Only a row that was sent before has calls to look for.
            progress = initial_progress(target, lost=was_lost)
            if is_begun:
                progress = load_progress(self._connection, ordinal, target, lost=was_lost)
            rows.append(PendingRow(ordinal, number, target, carried, bool(of_read), progress, place, bool(restore)))
        return rows


def request_id(run_uuid: UUID, row: PendingRow) -> str:
    """Return the request id of the row's next step: one per row, operation and intent, the same after any crash."""
    operation, progress = row.progress.operation, row.progress
    of_read = operation not in WRITES
    intent = progress.reads if of_read else progress.intent
    if row.request_id and row.request_id_is_for_read == of_read and intent == 0:
        return row.request_id
    return intended_id(run_uuid, row.ordinal, operation, intent)
