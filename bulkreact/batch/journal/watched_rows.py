"""Selects a journal's rows whose activation is to be verified, and groups them by subscription."""

from msgspec import Struct

from bulkreact.batch.journal.call_log import count_answers, load_location, load_progress
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.row_results import load_result, result_rows
from bulkreact.batch.journal.schema import LATEST_OUTCOME
from bulkreact.models import AutoRenew, Operation, Outcome, Status, Target
from bulkreact.partnercenter.protocol import STEPS

# A row whose answer was lost may be active too.
WATCHED = frozenset({Status.ACCEPTED, Status.PENDING, Status.UNKNOWN})

# Accepted or seen active, but still without the requested auto-renewal.
_TO_RESTORE = f"""
SELECT rows.ordinal FROM rows JOIN outcomes ON outcomes.id = {LATEST_OUTCOME.format(ordinal="rows.ordinal")}
WHERE rows.restore_auto_renew AND outcomes.auto_renew = '{AutoRenew.OFF}' AND rows.handed_to IS NULL
    AND outcomes.status <> '{Status.ALREADY_ACTIVE}'
"""  # noqa: S608 - our own names
_GROUP = """
CREATE TEMP TABLE watched AS
SELECT customer_id, min(ordinal) OVER (PARTITION BY customer_id, subscription_id) AS first, ordinal
FROM temp.watched_ordinals JOIN rows USING (ordinal)
"""
_CUSTOMERS = "SELECT customer_id FROM temp.watched GROUP BY customer_id ORDER BY min(ordinal)"
_GROUPS = "SELECT DISTINCT first FROM temp.watched WHERE customer_id = ? AND first > ? ORDER BY first LIMIT ?"
_MEMBERS = "SELECT ordinal FROM temp.watched WHERE customer_id = ? AND first = ? ORDER BY ordinal"
_TARGET = "SELECT customer_id, subscription_id, entitlement_id, restore_auto_renew FROM rows WHERE ordinal = ?"


class WatchedRow(Struct, frozen=True):
    """One row whose activation is to be verified, from the journal.

    ``is_ambiguous``: its last answer leaves open whether the call before it took effect. ``location`` is the path of
    the operation that the service named, ``restore_attempts`` counts the answers to switching auto-renewal on.
    """

    ordinal: int
    number: int
    target: Target
    outcome: Outcome
    is_ambiguous: bool = False
    restore_auto_renew: bool = False
    location: str = ""
    restore_attempts: int = 0


class WatchSelection:
    """The rows to be verified: all accepted ones (``everything``), and with ``restoring`` those to be restored."""

    def __init__(self, journal: JournalReader, *, everything: bool, restoring: bool) -> None:
        self._journal = journal
        self._connection = connection = journal.connection
        for table in ("watched_ordinals", "watched"):
            connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
        connection.execute("CREATE TEMP TABLE watched_ordinals (ordinal INTEGER PRIMARY KEY)")
        if everything:
            ordinals = (
                (ordinal,) for ordinal, row in enumerate(result_rows(connection), 1) if row.outcome.status in WATCHED
            )
            connection.executemany("INSERT INTO temp.watched_ordinals VALUES (?)", ordinals)
        if restoring:
            connection.execute(f"INSERT OR IGNORE INTO temp.watched_ordinals {_TO_RESTORE}")
        connection.execute(_GROUP)
        connection.execute("CREATE INDEX temp.watched_of_customer ON watched (customer_id, first)")

    def count(self) -> int:
        """Return how many rows are selected."""
        return int(self._connection.execute("SELECT count(*) FROM temp.watched").fetchone()[0])

    def customer_count(self) -> int:
        """Return how many customers have selected rows."""
        return int(self._connection.execute("SELECT count(DISTINCT customer_id) FROM temp.watched").fetchone()[0])

    def customers(self) -> list[str]:
        """Return the customers with selected rows, in the order of the input."""
        return [customer_id for (customer_id,) in self._connection.execute(_CUSTOMERS)]

    def groups(self, customer_id: str, after: int, limit: int) -> list[list[WatchedRow]]:
        """Return the rows of a customer's next subscriptions whose first rows follow ``after``; limit -1: all."""
        firsts = self._connection.execute(_GROUPS, (customer_id, after, limit)).fetchall()
        return [
            [
                load_watch(self._journal, ordinal)
                for (ordinal,) in self._connection.execute(_MEMBERS, (customer_id, first))
            ]
            for (first,) in firsts
        ]


def to_restore(journal: JournalReader) -> bool:
    """Return whether there are subscriptions whose auto-renewal must be switched on again."""
    return bool(journal.connection.execute(f"SELECT EXISTS ({_TO_RESTORE})").fetchone()[0])


def load_watch(journal: JournalReader, ordinal: int) -> WatchedRow:
    """Load one row to be verified in its current state."""
    connection = journal.connection
    customer_id, subscription_id, entitlement_id, restore = connection.execute(_TARGET, (ordinal,)).fetchone()
    target = Target(customer_id, subscription_id, entitlement_id)
    row = load_result(connection, ordinal)
    return WatchedRow(
        ordinal,
        row.number,
        target,
        row.outcome,
        is_ambiguous=load_progress(connection, ordinal, target, lost=False).operation not in STEPS,
        restore_auto_renew=bool(restore),
        location="" if entitlement_id else load_location(connection, row.outcome),
        restore_attempts=count_answers(connection, ordinal, Operation.RESTORE_AUTO_RENEW) if restore else 0,
    )
