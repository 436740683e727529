"""Reading a journal's rows whose activation is still to be seen, grouped by the subscription they stand in."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.watched_rows import StoredWatch, WatchSelection, load_watch
from bulkreact.batch.row_source import CustomerStream
from bulkreact.models import AutoRenew, Operation, Outcome, Status, Target
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.subscription import ACTIVE, Subscription
from bulkreact.partnercenter.verdicts import Verdict

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
        journal: JournalReader,
        *,
        due: Callable[[datetime | None], float],
        everything: bool = True,
        restoring: bool = False,
    ) -> None:
        self._journal = journal
        self._due = due
        self._restoring = restoring
        self._selection = WatchSelection(journal, everything=everything, restoring=restoring)

    def count(self) -> int:
        """Return how many rows are watched."""
        return self._selection.count()

    def streams(self) -> Iterator[CustomerStream]:
        """Yield the customers with watched rows, in the order of the input."""
        yield from map(CustomerStream, self._selection.customers())

    def rows(self, stream: CustomerStream, after: int, limit: int) -> list[SubscriptionWatch]:
        """Return the next groups of a customer, which are ordered by their first rows."""
        groups = self._selection.groups(stream.customer_id, after, limit)
        return [group_of(self._journal, ordinals, due=self._due, restoring=self._restoring) for ordinals in groups]

    def begun(self, stream: CustomerStream, after: int) -> list[SubscriptionWatch]:
        """Return all groups of a customer behind a place: each of them was sent before."""
        return self.rows(stream, after, _WITHOUT_LIMIT)


def group_of(
    journal: JournalReader,
    ordinals: list[int],
    *,
    due: Callable[[datetime | None], float],
    restoring: bool = False,
) -> SubscriptionWatch:
    """Return rows of one subscription as they stand in a journal, to be watched; the first one gives them their place."""
    stored = [load_watch(journal, ordinal) for ordinal in ordinals]
    members = {row.target.entitlement_id: _watched(row, restoring=restoring) for row in stored}
    accepted = [one.outcome.call.finished_at for one in members.values() if one.outcome.call]
    latest = max((moment for moment in accepted if moment), default=None)
    itself = members.get("")
    restore = itself is not None and itself.restore
    target = stored[0].target
    return SubscriptionWatch(
        ordinals[0],
        target.customer_id,
        target.subscription_id,
        members,
        due=float("-inf")
        if restore and _is_updated(itself)
        else due(datetime.fromisoformat(latest) if latest else None),
        location=next((row.location for row in stored if not row.target.entitlement_id), ""),
        restore_attempts=sum(row.restore_attempts for row in stored if not row.target.entitlement_id) if restore else 0,
    )


def _watched(row: StoredWatch, *, restoring: bool) -> WatchedRow:
    restore = restoring and row.restore_auto_renew and row.outcome.auto_renew in {AutoRenew.OFF, AutoRenew.UNTOUCHED}
    return WatchedRow(row.ordinal, row.number, row.outcome, row.is_ambiguous, restore)


def _is_updated(watched: WatchedRow | None) -> bool:
    """Tell whether there is nothing to wait for before a row's subscription is looked at."""
    outcome = watched.outcome if watched else None
    call = outcome.call if outcome else None
    return outcome is not None and (
        outcome.status is Status.REACTIVATED or (call is not None and call.answer.http_status == _UPDATED)
    )
