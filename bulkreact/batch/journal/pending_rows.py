"""Selects a journal's open rows and orders them for sending."""

import sqlite3
from collections.abc import Iterator

from msgspec import Struct

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.call_log import load_progress
from bulkreact.batch.journal.schema import IS_LEFT_OPEN, STEP_NAMES
from bulkreact.batch.progress import RowProgress, initial_row_progress
from bulkreact.batch.row_source import CustomerStream
from bulkreact.models import Outcome, Status, Target
from bulkreact.partnercenter.protocol import WRITES
from bulkreact.partnercenter.request_ids import RequestIds
from bulkreact.partnercenter.subscription import Subscription
from bulkreact.partnercenter.verdicts import Verdict
from bulkreact.wording import plural

_CHUNK = 1000
# ``sendable``: rows of this run with a target, no duplicates. ``step_calls``: calls of a row, without polling.
# ``unsettled``: never settled, settled by an answer that stopped the run, or with an answer still lost; ``calls``: what
# its row takes at least, as a suspended subscription is read before it is updated.
# ``unfinished``: thousands of rows of which not all were settled. Of a million rows with 1,000 left these are a few, and
# the open ones are found in 0.06 s instead of 0.47.
_VIEWS = (
    """
CREATE TEMP VIEW IF NOT EXISTS unfinished AS
WITH RECURSIVE thousands (first, last) AS (
    SELECT 1, 1000 UNION ALL SELECT last + 1, last + 1000 FROM thousands WHERE last < (SELECT max(ordinal) FROM rows)
)
SELECT first, last FROM thousands
WHERE (SELECT count(DISTINCT ordinal) FROM outcomes WHERE ordinal BETWEEN first AND last) < 1000
""",
    """
CREATE TEMP VIEW IF NOT EXISTS sendable AS
SELECT * FROM rows WHERE +problem_code = '' AND duplicate_of IS NULL AND handed_to IS NULL
""",
    f"CREATE TEMP VIEW IF NOT EXISTS step_calls AS SELECT ordinal FROM calls WHERE operation IN ({STEP_NAMES})",  # noqa: S608 - our own names
    f"""
CREATE TEMP VIEW IF NOT EXISTS unsettled AS
SELECT customer_id, ordinal, left_out, 1 + (entitlement_id = '') AS calls
FROM unfinished CROSS JOIN sendable ON ordinal BETWEEN first AND last
WHERE NOT EXISTS (SELECT 1 FROM outcomes WHERE outcomes.ordinal = sendable.ordinal)
UNION ALL
SELECT customer_id, ordinal, left_out, 1 + (entitlement_id = '') AS calls FROM outcomes CROSS JOIN sendable USING (ordinal)
WHERE ({IS_LEFT_OPEN})
    AND outcomes.id = (SELECT max(id) FROM outcomes AS latest WHERE latest.ordinal = outcomes.ordinal)
""",  # noqa: S608 - our own names
)
_COUNTS = "count(*), count(DISTINCT customer_id), coalesce(sum(calls), 0), min(customer_id)"
_COUNT_UNSETTLED = f"SELECT {_COUNTS} FROM temp.unsettled WHERE left_out = 0 OR :with_excluded"  # noqa: S608 - our own names
_SELECT_OPEN = """
CREATE TEMP TABLE open_rows AS
SELECT customer_id, ordinal, ordinal AS position, 0 AS priority, NULL AS parent, calls
FROM temp.unsettled WHERE +left_out = 0
"""
# A row waits for its parent in the same run, unless the parent was seen active or the row was already sent.
_AWAITING_PARENT = f"""
SELECT below.ordinal, above.ordinal AS parent
FROM rows AS below JOIN temp.sendable AS above ON above.customer_id = below.customer_id
    AND above.subscription_id = below.subscription_id AND above.entitlement_id = ''
LEFT JOIN outcomes ON outcomes.id = (SELECT max(id) FROM outcomes AS latest WHERE latest.ordinal = above.ordinal)
WHERE below.entitlement_id <> '' AND above.left_out = 0
    AND coalesce(outcomes.status, '') NOT IN ('{Status.REACTIVATED}', '{Status.ALREADY_ACTIVE}')
    AND NOT EXISTS (SELECT 1 FROM temp.step_calls WHERE step_calls.ordinal = below.ordinal)
"""  # noqa: S608 - our own names
_COUNT_AWAITING_PARENT = f"""
SELECT count(*) FROM ({_AWAITING_PARENT}) JOIN temp.unsettled USING (ordinal) WHERE +left_out = 0
"""  # noqa: S608 - our own names
FIND_PARENTS = f"""
UPDATE temp.open_rows SET parent = waiting.parent FROM ({_AWAITING_PARENT}) AS waiting
WHERE waiting.ordinal = open_rows.ordinal
"""  # noqa: S608 - our own names
# By deadline; those before :soon have priority 0. A parent inherits the deadlines of its children,
# which form a separate stream and need none.
_SORT_BY_DEADLINE = """
WITH deadlines AS (
    SELECT open_rows.ordinal, nullif(rows.deadline, '') AS own, open_rows.parent
    FROM temp.open_rows JOIN rows USING (ordinal)
), earliest AS (
    SELECT ordinal, min(deadline) AS deadline FROM (
        SELECT ordinal, own AS deadline FROM deadlines WHERE own IS NOT NULL
        UNION ALL SELECT parent, own FROM deadlines WHERE parent IS NOT NULL AND own IS NOT NULL
    ) GROUP BY ordinal
), ordered AS (
    SELECT open_rows.ordinal, open_rows.parent IS NULL AND coalesce(earliest.deadline >= :soon, 1) AS priority,
        row_number() OVER (ORDER BY earliest.deadline NULLS LAST, open_rows.ordinal) AS position
    FROM temp.open_rows LEFT JOIN earliest USING (ordinal)
)
UPDATE temp.open_rows SET position = ordered.position, priority = ordered.priority FROM ordered
WHERE ordered.ordinal = open_rows.ordinal
"""
_SORT_CUSTOMERS = """
CREATE TEMP TABLE customer_order AS
SELECT customer_id, priority FROM temp.open_rows WHERE parent IS NULL
GROUP BY customer_id, priority ORDER BY priority, min(position)
"""
_CUSTOMERS = "SELECT rowid, customer_id, priority FROM temp.customer_order WHERE rowid > ? ORDER BY rowid LIMIT ?"
_NEXT = """
SELECT rows.ordinal, rows.number, rows.customer_id, rows.subscription_id, rows.entitlement_id, rows.request_id,
    rows.of_read, rows.lost, rows.restore_auto_renew, open_rows.position,
    CASE WHEN :any_calls THEN EXISTS (SELECT 1 FROM temp.step_calls WHERE step_calls.ordinal = rows.ordinal)
        ELSE 0 END AS has_calls
FROM temp.open_rows CROSS JOIN rows USING (ordinal)
WHERE open_rows.customer_id = :customer AND open_rows.priority = :priority AND open_rows.parent IS :parent
    AND open_rows.position > :after AND (NOT :only_with_calls OR has_calls)
ORDER BY open_rows.position LIMIT :limit
"""
_NO_LIMIT = -1


class PendingRow(Struct):
    """One row to be sent, its progress, and its position in the order of sending.

    ``request_id`` is carried on from an earlier run, with ``request_id_is_for_read`` from a read there.
    ``last_failure`` is how it ends if its last attempt was no part of an outage. ``subscription`` is the snapshot to be
    updated, read at the monotonic time ``read_at``; ``read_again``: an earlier snapshot was too old.
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
    last_failure: tuple[Outcome, Verdict] | None = None

    @property
    def customer_id(self) -> str:
        """Return the customer that the row belongs to."""
        return self.target.customer_id

    @property
    def has_calls(self) -> bool:
        """Return whether this or an earlier process made a call for the row."""
        return self.progress.call is not None

    @property
    def attempts(self) -> int:
        """Return how often calls like the last one were made."""
        return self.progress.attempts


class OpenCount(Struct, frozen=True):
    """How many rows of how many customers are still to be sent, and with how many calls at least.

    ``customer`` is the only one, by id or name.
    """

    rows: int
    customers: int
    calls: int
    customer: str = ""

    @property
    def whose(self) -> str:
        """Return whose rows they are, for people: the only customer, or how many customers."""
        return f"customer {self.customer}" if self.customer else plural(self.customers, "customer")


def count_open_rows(connection: sqlite3.Connection, *, with_excluded: bool = False) -> OpenCount:
    """Return how many rows of how many customers are open, without sorting them."""
    _create_views(connection)
    return _open_count(connection.execute(_COUNT_UNSETTLED, {"with_excluded": with_excluded}).fetchone())


def count_awaiting_parent(connection: sqlite3.Connection) -> int:
    """Return how many open rows were not sent because they wait for their parent in the same run."""
    if not connection.execute(schema.HAS_SUBSCRIPTIONS).fetchone()[0]:
        return 0
    _create_views(connection)
    return int(connection.execute(_COUNT_AWAITING_PARENT).fetchone()[0])


def _open_count(counts: tuple[int, int, int, str]) -> OpenCount:
    rows, customers, calls, first = counts
    return OpenCount(rows, customers, calls, first if customers == 1 else "")


class PendingRows:
    """The open rows of a journal in the order of sending, by customer.

    Child rows form a separate stream, opened when their parent is active. With ``soon`` (UTC, ISO 8601) rows are
    ordered by deadline, and those deleted before that time are sent first.
    """

    def __init__(self, connection: sqlite3.Connection, *, soon: str = "") -> None:
        self._connection = connection
        # Without any call, as in most new runs, no row needs a lookup.
        self._any_calls = bool(connection.execute("SELECT EXISTS (SELECT 1 FROM calls)").fetchone()[0])
        _create_views(connection)
        for table in ("open_rows", "customer_order"):
            connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
        connection.execute(_SELECT_OPEN)
        if connection.execute(schema.HAS_SUBSCRIPTIONS).fetchone()[0]:
            connection.execute("CREATE INDEX temp.open_rows_by_ordinal ON open_rows (ordinal)")
            connection.execute(FIND_PARENTS)
            connection.execute("CREATE INDEX temp.open_rows_by_parent ON open_rows (parent)")
        if soon:
            connection.execute(_SORT_BY_DEADLINE, {"soon": soon})
        connection.execute(
            "CREATE INDEX temp.open_rows_by_stream ON open_rows (customer_id, priority, parent, position)"
        )
        connection.execute(_SORT_CUSTOMERS)

    def count(self) -> OpenCount:
        """Return how many rows of how many customers are open."""
        return _open_count(self._connection.execute(f"SELECT {_COUNTS} FROM temp.open_rows").fetchone())  # noqa: S608 - our own names

    def streams(self) -> Iterator[CustomerStream]:
        """Yield the streams of rows without a parent, in the order of sending."""
        after = 0
        while chunk := self._connection.execute(_CUSTOMERS, (after, _CHUNK)).fetchall():
            yield from (CustomerStream(customer_id, priority) for _, customer_id, priority in chunk)
            after = chunk[-1][0]

    def rows(self, stream: CustomerStream, after: int, limit: int) -> list[PendingRow]:
        """Return the next open rows of a stream after a position."""
        return self._load(stream, after, limit, only_with_calls=False)

    def items_with_calls(self, stream: CustomerStream, after: int) -> list[PendingRow]:
        """Return the open rows of a stream after a position that an earlier process sent."""
        return self._load(stream, after, _NO_LIMIT, only_with_calls=True) if self._any_calls else []

    def is_awaited(self, ordinal: int) -> bool:
        """Return whether other rows waited for a row when the run started."""
        sql = "SELECT EXISTS (SELECT 1 FROM temp.open_rows WHERE parent = ?)"
        return bool(self._connection.execute(sql, (ordinal,)).fetchone()[0])

    def _load(self, stream: CustomerStream, after: int, limit: int, *, only_with_calls: bool) -> list[PendingRow]:
        values = {
            "customer": stream.customer_id,
            "priority": stream.priority,
            "parent": stream.parent,
            "after": after,
            "limit": limit,
            "any_calls": self._any_calls,
            "only_with_calls": only_with_calls,
        }
        rows = []
        for ordinal, number, *ids, carried, of_read, lost, restore, position, has_calls in self._connection.execute(
            _NEXT, values
        ):
            customer_id, subscription_id, entitlement_id = ids
            target = Target(customer_id, subscription_id, entitlement_id)
            # Only a row that was sent before has calls to look for.
            progress = initial_row_progress(target, lost=bool(lost))
            if has_calls:
                progress = load_progress(self._connection, ordinal, target, lost=bool(lost))
            rows.append(PendingRow(ordinal, number, target, carried, bool(of_read), progress, position, bool(restore)))
        return rows


def _create_views(connection: sqlite3.Connection) -> None:
    # One by one: a script would end the transaction.
    for statement in _VIEWS:
        connection.execute(statement)


def next_request_id(request_ids: RequestIds, row: PendingRow) -> str:
    """Return the request id of the row's next call: one per row, operation and sequence, the same after any crash."""
    operation, progress = row.progress.operation, row.progress
    is_read = operation not in WRITES
    request_sequence = progress.reads if is_read else progress.request_sequence
    if row.request_id and row.request_id_is_for_read == is_read and request_sequence == 0:
        return row.request_id
    return request_ids.derive(row.ordinal, operation, row.target, request_sequence)
