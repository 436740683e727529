"""What to do next with an accepted subscription: read it until it is active, then restore auto-renewal. No I/O."""

from collections.abc import Collection, Mapping, Sequence
from enum import Enum, auto

from msgspec import Struct, field
from msgspec.structs import replace

from bulkreact.batch.policy import CONFLICTS, NOT_READY_SECONDS, RetryIn
from bulkreact.models import AutoRenew, Operation
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.subscription import ACTIVE, Subscription
from bulkreact.partnercenter.verdicts import Verdict

# A subscription that was read longer ago is read again before it is sent back: it may have changed meanwhile.
FRESH_SECONDS = 60.0


class WatchStep(Enum):
    """The step after an answer, unless the next call is made after a delay."""

    # Switch auto-renewal on before any other call: the ETag just read expires soon.
    RESTORE_NOW = auto()
    # Read the remaining members again according to the schedule.
    POLL_NEXT_ROUND = auto()
    # The deadline has passed: the remaining members end as last seen.
    GIVE_UP = auto()
    # No member is left.
    ALL_ACTIVE = auto()


Next = RetryIn | WatchStep


class ReadResult(Struct, frozen=True):
    """The result of a read: the active members, what was seen of each member, and the subscription if it was read."""

    active: Sequence[str] = ()
    seen: Mapping[str, str] = field(default_factory=dict)
    subscription: Subscription | None = None


class ActivationWatch(Struct, frozen=True):
    """The reads that the current round over a subscription's members still has to make.

    A member is an entitlement's id, or "" for the subscription itself; None in ``unread`` is the list of all
    entitlements, which ``use_list`` allows. ``location`` is the path of the operation that the service named for the
    subscription, if any.
    """

    subscription_id: str
    location: str = ""
    use_list: bool = True
    unread: tuple[str | None, ...] = ()

    def start(self, members: Collection[str]) -> "ActivationWatch":
        """Return the start of a round: the subscription, then its entitlements, in one call if possible."""
        subscription = [""] if "" in members else []
        entitlements = _entitlements(members)
        unread = [*subscription, None] if self.use_list and len(entitlements) > 1 else [*subscription, *entitlements]
        return replace(self, unread=tuple(unread))

    @property
    def operation(self) -> Operation:
        """Return the operation of the next read."""
        match self.unread[0]:
            case None:
                return Operation.LIST_ENTITLEMENTS
            case "":
                return Operation.WATCH_OPERATION if self.location else Operation.WATCH_SUBSCRIPTION
            case _:
                return Operation.GET_ENTITLEMENT

    def apply(
        self, verdict: Verdict, members: Collection[str], *, at: str, restore: bool
    ) -> tuple["ActivationWatch", ReadResult]:
        """Return the state after an answer to the next read at time ``at``, and the result.

        | read      | answer                                     | effect                                                |
        |-----------|--------------------------------------------|-------------------------------------------------------|
        | operation | no status of this subscription             | forget the operation, read the subscription instead   |
        | operation | active, and auto-renewal is to be restored | the same: the update needs the subscription's text    |
        | a member  | its status                                 | the status is seen                                    |
        | a member  | anything else                              | seen as unreadable                                    |
        | list      | statuses                                   | they are seen; members not listed are read one by one |
        | list      | anything else, or no member in it          | read all members one by one from now on               |
        """
        if self.operation is Operation.WATCH_OPERATION and not self._is_conclusive(verdict, restore=restore):
            return replace(self, location=""), ReadResult()
        member, unread = self.unread[0], self.unread[1:]
        entitlements = _entitlements(members)
        subscription: Subscription | None = None
        statuses: Mapping[str, str] = {}
        match verdict:
            case verdicts.StatusRead(status=status, subscription=subscription) if member is not None:
                statuses = {member: status}
            case verdicts.Listed(statuses=listed):
                statuses = {name: listed[name] for name in entitlements if name in listed}
        seen = {name: f"at {at} its status was {status!r}" for name, status in statuses.items()}
        if member is None:
            missing = [name for name in entitlements if name not in statuses]
            after = replace(self, unread=(*unread, *missing), use_list=bool(statuses))
        else:
            after = replace(self, unread=unread)
            seen = seen or {member: f"at {at} it could not be read ({verdict.answer.code})"}
        active = [name for name, status in statuses.items() if status == ACTIVE]
        return after, ReadResult(active, seen, subscription)

    def next(self, *, members_left: bool, restore_is_due: bool, time_is_over: bool) -> Next:
        """Return the step after an answered read.

        | members left | restore is due | round unread | time is up   | next            |
        |--------------|----------------|--------------|--------------|-----------------|
        | yes          | yes            | any          | any          | RESTORE_NOW     |
        | no           | -              | -            | -            | ALL_ACTIVE      |
        | yes          | no             | yes          | any          | RetryIn(0)      |
        | yes          | no             | no           | no           | POLL_NEXT_ROUND |
        | yes          | no             | no           | yes          | GIVE_UP         |
        """
        if restore_is_due:
            return WatchStep.RESTORE_NOW
        if not members_left:
            return WatchStep.ALL_ACTIVE
        if self.unread:
            return RetryIn(0.0)
        return WatchStep.GIVE_UP if time_is_over else WatchStep.POLL_NEXT_ROUND

    def _is_conclusive(self, verdict: Verdict, *, restore: bool) -> bool:
        match verdict:
            case verdicts.StatusRead(status=status, subscription=Subscription(id=subscription_id)):
                return subscription_id == self.subscription_id and not (status == ACTIVE and restore)
            case _:
                return False


class AutoRenewRestore(Struct, frozen=True):
    """The state of switching a subscription's auto-renewal on again.

    ``snapshot`` is the subscription to send back, read at the monotonic time ``read_at``; ``read_twice``: an earlier
    snapshot was too old. ``request_sequence`` counts the business answers to the update and names its request id.
    """

    request_sequence: int = 0
    snapshot: Subscription | None = None
    read_at: float = 0.0
    read_twice: bool = False
    seen_active: bool = False
    failures: tuple[int, ...] = ()
    conflicts: int = 0
    token_refused: bool = False

    def to_send(self, now: float) -> Subscription | None:
        """Return the subscription to send back now, None if it must be read first.

        At a low rate a snapshot is always too old: reading it twice is enough.
        """
        is_old = now - self.read_at > FRESH_SECONDS and not self.read_twice
        return None if is_old else self.snapshot

    def before_read(self) -> "AutoRenewRestore":
        """Return the state before a read: an earlier snapshot will not be sent."""
        return replace(self, snapshot=None, read_twice=self.snapshot is not None)

    def after_read(self, subscription: Subscription | None, *, now: float) -> "AutoRenewRestore":
        """Return the state after a read: an active subscription without auto-renewal will be sent back."""
        if subscription and subscription.status == ACTIVE and subscription.auto_renew_disabled:
            return replace(self, snapshot=subscription, read_at=now, seen_active=True)
        return self

    def apply(self, verdict: Verdict, *, suspicion: int = 0) -> "AutoRenewRestore":
        """Return the state after an answer to the update; ``suspicion`` is its series of suspected calls, or 0."""
        failures = (*self.failures, suspicion) if isinstance(verdict, verdicts.Transient) else self.failures
        return replace(
            self,
            snapshot=None,
            request_sequence=self.request_sequence + verdict.answer.business,
            failures=failures,
            conflicts=self.conflicts + isinstance(verdict, verdicts.Conflict | verdicts.NotReady),
            token_refused=isinstance(verdict, verdicts.TokenRefused),
        )

    def next(self, verdict: Verdict) -> RetryIn | AutoRenew:
        """Return the step after an answer to the update: another call, or the row's final auto-renewal.

        | answer        | conflicts       | next                       |
        |---------------|-----------------|----------------------------|
        | accepted      | any             | AutoRenew.RESTORED         |
        | conflict      | up to CONFLICTS | RetryIn(0)                 |
        | not ready     | up to CONFLICTS | RetryIn(NOT_READY_SECONDS) |
        | anything else | any             | AutoRenew.STILL_OFF        |
        """
        match verdict:
            case verdicts.Accepted():
                return AutoRenew.RESTORED
            case verdicts.Conflict() if self.conflicts <= CONFLICTS:
                return RetryIn(0.0)
            case verdicts.NotReady() if self.conflicts <= CONFLICTS:
                return RetryIn(NOT_READY_SECONDS)
            case _:
                return AutoRenew.STILL_OFF


def auto_renew_when_active(subscription: Subscription | None, before: AutoRenew) -> AutoRenew:
    """Return the auto-renewal of a row just seen active; ``subscription`` is None for an entitlement.

    Off before and on now: it was switched on meanwhile, perhaps by an update of ours whose answer was lost.
    """
    if subscription is None:
        return AutoRenew.UNTOUCHED
    if subscription.auto_renew_disabled:
        return AutoRenew.OFF
    return AutoRenew.RESTORED if before is AutoRenew.OFF else AutoRenew.UNTOUCHED


def _entitlements(members: Collection[str]) -> list[str]:
    return [member for member in members if member]
