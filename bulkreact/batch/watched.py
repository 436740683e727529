"""Reading a journal's rows whose activation is still to be seen, grouped by the subscription they stand in."""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bulkreact.batch.rows import progress_of, result_of, result_rows
from bulkreact.models import Outcome, Status, Target
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.protocol import ACTIVE, WRITES
from bulkreact.partnercenter.verdicts import Verdict

# A row whose answer was lost may be active as well as one that was accepted.
WATCHED = frozenset({Status.ACCEPTED, Status.PENDING, Status.UNKNOWN})

_MAKE_GROUPS = """
CREATE TEMP TABLE watched AS
SELECT customer_id, min(ordinal) OVER (PARTITION BY customer_id, subscription_id) AS first, ordinal
FROM temp.watched_ordinals JOIN rows USING (ordinal)
"""
_CUSTOMERS = "SELECT customer_id FROM temp.watched GROUP BY customer_id ORDER BY min(ordinal)"
_GROUPS = "SELECT DISTINCT first FROM temp.watched WHERE customer_id = ? AND first > ? ORDER BY first LIMIT ?"
_MEMBERS = """
SELECT ordinal, rows.subscription_id, rows.entitlement_id FROM temp.watched JOIN rows USING (ordinal)
WHERE watched.customer_id = ? AND watched.first = ? ORDER BY ordinal
"""
_WITHOUT_LIMIT = -1


@dataclass(frozen=True, slots=True)
class Watched:
    """One row whose activation is to be seen, and what it has so far.

    ``contested`` says that the service would not take it again after an answer of ours was lost.
    """

    ordinal: int
    number: int
    outcome: Outcome
    contested: bool

    @property
    def may_end_pending(self) -> bool:
        """Tell whether not being seen active is an end; any other lost call is settled by sending it again."""
        return self.outcome.status is not Status.UNKNOWN or self.contested


@dataclass(slots=True)
class Group:
    """The watched rows of one subscription, by their entitlements' ids, and how their present reading stands.

    ``due`` is the monotonic moment of the first reading. ``by_list`` says that one call may read them all; ``unread``
    are those still to be read one by one; ``seen`` says in words what was found of each. ``failures`` counts the
    transient ones since the last call that was answered.
    """

    ordinal: int
    customer_id: str
    subscription_id: str
    members: dict[str, Watched]
    due: float
    by_list: bool = True
    reading: bool = False
    unread: deque[str] = field(default_factory=deque)
    seen: dict[str, str] = field(default_factory=dict)
    failures: int = 0
    token_refused: bool = False

    @property
    def begun(self) -> bool:
        """Return true: rows that were accepted are never simply forgotten."""
        return True

    def target(self, entitlement_id: str) -> Target:
        """Return one member as the target of a call."""
        return Target(self.customer_id, self.subscription_id, entitlement_id)

    def begin(self) -> None:
        """Begin a reading of all members: by their list, unless that has been of no use before."""
        self.reading = True
        self.unread = deque() if self.by_list and len(self.members) > 1 else deque(self.members)

    def take(self, entitlement_id: str | None, verdict: Verdict, *, at: str) -> list[str]:
        """Note what a read of one member, or of the list, has told at a time; return the members that are active."""
        words: Mapping[str, str] = {}
        self.failures, self.token_refused = 0, False
        if entitlement_id:
            self.unread.popleft()
        match verdict:
            case verdicts.Found(word=word) if entitlement_id:
                words = {entitlement_id: word}
            case verdicts.Listed(words=words):
                self._read_singly([one for one in self.members if one not in words])
            case _ if entitlement_id:
                self.seen[entitlement_id] = f"at {at} it could not be read ({verdict.answer.code})"
            case _:
                self._read_singly(list(self.members))
        self.seen.update({one: f"at {at} its status was {words[one]!r}" for one in self.members if one in words})
        self.reading = bool(self.unread)
        return [one for one in self.members if words.get(one) == ACTIVE]

    def _read_singly(self, members: list[str]) -> None:
        """Read some members one by one; a list that names none of them is not asked for again."""
        self.unread = deque(members)
        self.by_list = len(members) < len(self.members)


class WatchedRows:
    """The watched rows of a journal in groups, as the queue wants them.

    ``due`` tells when rows accepted at a time (None: at no known one) are to be read for the first time.
    """

    def __init__(self, connection: sqlite3.Connection, *, due: Callable[[datetime | None], float]) -> None:
        self._connection = connection
        self._due = due
        for table in ("watched_ordinals", "watched"):
            connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
        connection.execute("CREATE TEMP TABLE watched_ordinals (ordinal INTEGER PRIMARY KEY)")
        ordinals = (
            (ordinal,) for ordinal, row in enumerate(result_rows(connection), 1) if row.outcome.status in WATCHED
        )
        connection.executemany("INSERT INTO temp.watched_ordinals VALUES (?)", ordinals)
        connection.execute(_MAKE_GROUPS)
        connection.execute("CREATE INDEX temp.watched_of_customer ON watched (customer_id, first)")

    def count(self) -> int:
        """Return how many rows are watched."""
        return int(self._connection.execute("SELECT count(*) FROM temp.watched").fetchone()[0])

    def customers(self) -> Iterator[str]:
        """Yield the customers with watched rows, in the order of the input."""
        yield from [customer_id for (customer_id,) in self._connection.execute(_CUSTOMERS)]

    def rows(self, customer_id: str, after: int, limit: int) -> list[Group]:
        """Return the next groups of a customer, which are ordered by their first rows."""
        firsts = self._connection.execute(_GROUPS, (customer_id, after, limit)).fetchall()
        return [self._group(customer_id, first) for (first,) in firsts]

    def begun(self, customer_id: str, after: int) -> list[Group]:
        """Return all groups of a customer behind an ordinal: each of them was sent before."""
        return self.rows(customer_id, after, _WITHOUT_LIMIT)

    def _group(self, customer_id: str, first: int) -> Group:
        found = self._connection.execute(_MEMBERS, (customer_id, first)).fetchall()
        members = {entitlement_id: self._watched(ordinal) for ordinal, _, entitlement_id in found}
        accepted = [one.outcome.call.finished_at for one in members.values() if one.outcome.call]
        latest = max((moment for moment in accepted if moment), default=None)
        due = self._due(datetime.fromisoformat(latest) if latest else None)
        return Group(first, customer_id, found[0][1], members, due)

    def _watched(self, ordinal: int) -> Watched:
        row = result_of(self._connection, ordinal)
        contested = progress_of(self._connection, ordinal, lost=False).operation not in WRITES
        return Watched(ordinal, row.number, row.outcome, contested)
