"""Reading a journal's rows whose activation is still to be seen, grouped by the subscription they stand in."""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bulkreact.batch.journal.call_log import answered, load_progress, location_of
from bulkreact.batch.journal.row_results import load_result, result_rows
from bulkreact.batch.journal.schema import LATEST_OUTCOME
from bulkreact.batch.row_source import CustomerStream
from bulkreact.models import AutoRenew, Operation, Outcome, Status, Target
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.protocol import STEPS
from bulkreact.partnercenter.subscription import ACTIVE, Subscription
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
SELECT ordinal FROM temp.watched WHERE customer_id = ? AND first = ? ORDER BY ordinal
"""
_TARGET = "SELECT customer_id, subscription_id, entitlement_id, restore_auto_renew FROM rows WHERE ordinal = ?"
# Accepted or seen active, and still without the auto-renewal that was asked for.
_TO_RESTORE = f"""
SELECT rows.ordinal FROM rows JOIN outcomes ON outcomes.id = {LATEST_OUTCOME.format(ordinal="rows.ordinal")}
WHERE rows.restore_auto_renew AND outcomes.auto_renew = '{AutoRenew.OFF}' AND rows.handed_to IS NULL
    AND outcomes.status <> '{Status.ALREADY_ACTIVE}'
"""  # noqa: S608 - our own names
_WITHOUT_LIMIT = -1
# An update that was answered so is done, not only begun.
_UPDATED = 200


@dataclass(frozen=True, slots=True)
class WatchedRow:
    """One row whose activation is to be seen, and what it has so far.

    ``contested`` says that the service would not take it again after an answer of ours was lost, ``restore`` that the
    auto-renewal is to be switched on again once it is active.
    """

    ordinal: int
    number: int
    outcome: Outcome
    is_ambiguous: bool
    restore: bool = False

    @property
    def may_end_pending(self) -> bool:
        """Tell whether not being seen active is an end; any other lost call is settled by sending it again."""
        return self.outcome.status in {Status.ACCEPTED, Status.PENDING} or self.is_ambiguous


@dataclass(slots=True)
class SubscriptionWatch:
    """The watched rows of one subscription, by their entitlements' ids, and how their present reading stands.

    The subscription itself has the empty id; ``location`` is the path of the operation that tells how it stands, where
    the service has named one. ``due`` is the monotonic moment of the first reading. ``by_list`` says that one call may
    read all entitlements; ``unread`` is what this reading still has to do, None standing for the list; ``seen`` says in
    words what was found of each. ``failures`` counts the transient ones since the last call that was answered.
    ``itself`` is the subscription as it was read last; ``to_renew`` the same, when it is active and its auto-renewal is
    to be switched on, read at the monotonic moment ``read_at``, and ``read_again`` after it had grown old. What that met is counted apart, as readings in between may
    go well: ``restorings`` its answers, ``conflicts`` and ``setbacks`` those in the way; ``was_active`` stays true then.
    """

    position: int
    customer_id: str
    subscription_id: str
    members: dict[str, WatchedRow]
    due: float
    by_list: bool = True
    location: str = ""
    unread: deque[str | None] = field(default_factory=deque)
    seen: dict[str, str] = field(default_factory=dict)
    failures: int = 0
    token_refused: bool = False
    subscription: Subscription | None = None
    pending_auto_renew: Subscription | None = None
    read_at: float = 0.0
    read_again: bool = False
    was_active: bool = False
    restore_attempts: int = 0
    conflicts: int = 0
    restore_failures: int = 0
    renewal_refused: bool = False

    @property
    def begun(self) -> bool:
        """Return true: rows that were accepted are never simply forgotten."""
        return True

    def target(self, entitlement_id: str) -> Target:
        """Return one member as the target of a call."""
        return Target(self.customer_id, self.subscription_id, entitlement_id)

    @property
    def reading(self) -> bool:
        """Tell whether a reading of all members has begun and not ended."""
        return bool(self.unread)

    @property
    def listed(self) -> list[str]:
        """Return the members that a list of the subscription's entitlements has in it."""
        return [one for one in self.members if one]

    @property
    def operation(self) -> Operation:
        """Return the next call of the present reading."""
        match self.unread[0]:
            case None:
                return Operation.LIST_ENTITLEMENTS
            case "":
                return Operation.WATCH_OPERATION if self.location else Operation.WATCH_SUBSCRIPTION
            case _:
                return Operation.GET_ENTITLEMENT

    def begin(self) -> None:
        """Begin a reading of all members: entitlements by their list, unless that has been of no use before."""
        itself = [""] if "" in self.members else []
        listed = self.listed
        self.unread = deque([*itself, None] if self.by_list and len(listed) > 1 else [*itself, *listed])

    def discard_snapshot(self) -> None:
        """Begin whatever comes next with how the subscription is then."""
        self.pending_auto_renew = None

    def auto_renew_of(self, entitlement_id: str) -> AutoRenew:
        """Return what is to be said of the auto-renewal of a member that was just seen active."""
        if entitlement_id or self.subscription is None:
            return AutoRenew.UNTOUCHED
        if self.subscription.auto_renew_disabled:
            return AutoRenew.OFF
        # Found switched on: somebody has done it, perhaps a call of ours that was lost.
        off = self.members[""].outcome.auto_renew is AutoRenew.OFF
        return AutoRenew.RESTORED if off else AutoRenew.UNTOUCHED

    def apply_read(self, entitlement_id: str | None, verdict: Verdict, *, at: str) -> list[str]:
        """Note what a read of one member, or of the list, has told at a time; return the members that are active."""
        words: Mapping[str, str] = {}
        self.failures, self.token_refused = 0, False
        if self.operation is Operation.WATCH_OPERATION and not self._tells(verdict):
            # The subscription itself decides, and the operation has nothing to say of it.
            self.location = ""
            return []
        self.unread.popleft()
        match verdict:
            case verdicts.StatusRead(status=word, subscription=subscription) if entitlement_id is not None:
                words = {entitlement_id: word}
                self._note(subscription)
            case verdicts.Listed(statuses=words):
                self._read_singly([one for one in self.listed if one not in words])
            case _ if entitlement_id is not None:
                self.seen[entitlement_id] = f"at {at} it could not be read ({verdict.answer.code})"
            case _:
                self._read_singly(self.listed)
        self.seen.update({one: f"at {at} its status was {words[one]!r}" for one in self.members if one in words})
        return [one for one in self.members if words.get(one) == ACTIVE]

    def _tells(self, verdict: Verdict) -> bool:
        """Tell whether the answer of an operation is the subscription, and enough for what is to be done with it."""
        match verdict:
            case verdicts.StatusRead(status=word, subscription=Subscription(id=one)):
                return one == self.subscription_id and not (word == ACTIVE and self.members[""].restore)
            case _:
                return False

    def _note(self, subscription: Subscription | None) -> None:
        self.subscription = subscription or self.subscription
        if (
            subscription
            and self.members[""].restore
            and subscription.status == ACTIVE
            and subscription.auto_renew_disabled
        ):
            self.pending_auto_renew, self.was_active = subscription, True

    def _read_singly(self, members: list[str]) -> None:
        """Read some members one by one; a list that names none of them is not asked for again."""
        self.unread.extend(members)
        self.by_list = len(members) < len(self.listed)


class WatchList:
    """The watched rows of a journal in groups, as the queue wants them.

    ``due`` tells when rows accepted at a time (None: at no known one) are to be read for the first time. ``everything``
    watches all that was accepted; without it only what is to be followed by the restoring of auto-renewal, which
    ``restoring`` allows.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        due: Callable[[datetime | None], float],
        everything: bool = True,
        restoring: bool = False,
    ) -> None:
        self._connection = connection
        self._due = due
        self._restoring = restoring
        for table in ("watched_ordinals", "watched"):
            connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
        connection.execute("CREATE TEMP TABLE watched_ordinals (ordinal INTEGER PRIMARY KEY)")
        ordinals = (
            (ordinal,) for ordinal, row in enumerate(result_rows(connection), 1) if row.outcome.status in WATCHED
        )
        if everything:
            connection.executemany("INSERT INTO temp.watched_ordinals VALUES (?)", ordinals)
        if restoring:
            connection.execute(f"INSERT OR IGNORE INTO temp.watched_ordinals {_TO_RESTORE}")
        connection.execute(_MAKE_GROUPS)
        connection.execute("CREATE INDEX temp.watched_of_customer ON watched (customer_id, first)")

    def count(self) -> int:
        """Return how many rows are watched."""
        return int(self._connection.execute("SELECT count(*) FROM temp.watched").fetchone()[0])

    def streams(self) -> Iterator[CustomerStream]:
        """Yield the customers with watched rows, in the order of the input."""
        yield from [CustomerStream(customer_id) for (customer_id,) in self._connection.execute(_CUSTOMERS)]

    def rows(self, stream: CustomerStream, after: int, limit: int) -> list[SubscriptionWatch]:
        """Return the next groups of a customer, which are ordered by their first rows."""
        firsts = self._connection.execute(_GROUPS, (stream.customer_id, after, limit)).fetchall()
        return [self._group(stream.customer_id, first) for (first,) in firsts]

    def begun(self, stream: CustomerStream, after: int) -> list[SubscriptionWatch]:
        """Return all groups of a customer behind a place: each of them was sent before."""
        return self.rows(stream, after, _WITHOUT_LIMIT)

    def _group(self, customer_id: str, first: int) -> SubscriptionWatch:
        ordinals = [ordinal for (ordinal,) in self._connection.execute(_MEMBERS, (customer_id, first))]
        return group_of(self._connection, ordinals, due=self._due, restoring=self._restoring)


def to_restore(connection: sqlite3.Connection) -> bool:
    """Tell whether there are subscriptions whose auto-renewal is to be switched on again."""
    return bool(connection.execute(f"SELECT EXISTS ({_TO_RESTORE})").fetchone()[0])


def group_of(
    connection: sqlite3.Connection,
    ordinals: list[int],
    *,
    due: Callable[[datetime | None], float],
    restoring: bool = False,
) -> SubscriptionWatch:
    """Return rows of one subscription as they stand in a journal, to be watched; the first one gives them their place."""
    members: dict[str, WatchedRow] = {}
    location = ""
    for ordinal in ordinals:
        target, watched = _watched(connection, ordinal, restoring=restoring)
        members[target.entitlement_id] = watched
        if not target.entitlement_id:
            location = location_of(connection, watched.outcome)
    accepted = [one.outcome.call.finished_at for one in members.values() if one.outcome.call]
    latest = max((moment for moment in accepted if moment), default=None)
    itself = members.get("")
    restore = itself is not None and itself.restore
    return SubscriptionWatch(
        ordinals[0],
        target.customer_id,
        target.subscription_id,
        members,
        due=float("-inf")
        if restore and _is_updated(itself)
        else due(datetime.fromisoformat(latest) if latest else None),
        location=location,
        restore_attempts=answered(connection, itself.ordinal, Operation.RESTORE_AUTO_RENEW)
        if itself and restore
        else 0,
    )


def _watched(connection: sqlite3.Connection, ordinal: int, *, restoring: bool) -> tuple[Target, WatchedRow]:
    *ids, wanted = connection.execute(_TARGET, (ordinal,)).fetchone()
    customer_id, subscription_id, entitlement_id = ids
    target = Target(customer_id, subscription_id, entitlement_id)
    row = load_result(connection, ordinal)
    contested = load_progress(connection, ordinal, target, lost=False).operation not in STEPS
    restore = restoring and bool(wanted) and row.outcome.auto_renew in {AutoRenew.OFF, AutoRenew.UNTOUCHED}
    return target, WatchedRow(ordinal, row.number, row.outcome, contested, restore)


def _is_updated(watched: WatchedRow | None) -> bool:
    """Tell whether there is nothing to wait for before a row's subscription is looked at."""
    outcome = watched.outcome if watched else None
    call = outcome.call if outcome else None
    return outcome is not None and (
        outcome.status is Status.REACTIVATED or (call is not None and call.answer.http_status == _UPDATED)
    )
