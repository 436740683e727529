"""Reading from a journal how the subscriptions stand that other rows of the run wait for."""

from collections.abc import Callable, Iterator
from datetime import datetime
from enum import Enum, auto

from msgspec import Struct

from bulkreact.batch.journal.parent_rows import ParentRow, ParentRows
from bulkreact.batch.journal.pending_rows import PendingRow
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.verify.watch_list import SubscriptionWatch, group_of
from bulkreact.models import Outcome, Status, Target
from bulkreact.partnercenter.error_codes.local_codes import PARENT_FAILED, PARENT_NOT_ACTIVE
from bulkreact.partnercenter.verdicts import ParentInactive, StatusRead, Verdict

_ACTIVE = frozenset({Status.REACTIVATED, Status.ALREADY_ACTIVE})


class ParentState(Enum):
    """How a subscription stands for whoever waits for it."""

    OPEN = auto()
    ACCEPTED = auto()
    ACTIVE = auto()
    ENDED = auto()


class ParentSubscription(Struct, frozen=True):
    """A subscription of the run that others wait for; ``status`` is None while nothing is known of it."""

    ordinal: int
    number: int
    customer_id: str
    subscription_id: str
    status: Status | None
    code: str
    reopen: bool
    standing: ParentState

    @property
    def target(self) -> Target:
        """Return it as the target of a call."""
        return Target(self.customer_id, self.subscription_id, "")

    def child_outcome(self) -> Outcome:
        """Return how a row ends that was not sent because this one did not come back."""
        name = f"not sent: row {self.number}, the subscription above it,"
        if self.status in {Status.ACCEPTED, Status.PENDING}:
            return Outcome(Status.DEFERRED, 0, None, PARENT_NOT_ACTIVE, f"{name} was not seen active in time")
        code = f" ({self.code})" if self.code else ""
        # One that is sent again when the run is continued takes them along.
        reopen = self.reopen or self.status is Status.UNKNOWN
        words = f"{name} ended as {self.status}{code}"
        return Outcome(Status.NOT_ATTEMPTED, 0, None, PARENT_FAILED, words, reopen=reopen)

    def deferred_child_outcome(self) -> Outcome:
        """Return how a row stands that waited for this one when the run ended."""
        words = f"not sent: it waited for row {self.number}, the subscription above it"
        return Outcome(Status.DEFERRED, 0, None, PARENT_NOT_ACTIVE, words, reopen=True)


class ParentSubscriptions:
    """The subscriptions among the rows of one journal; ``session`` is the process that sends them."""

    def __init__(self, journal: JournalReader, *, session: int) -> None:
        self._journal = journal
        self._rows = ParentRows(journal)
        self._session = session
        # What was seen active although its row has only been accepted.
        self._active: set[int] = set()
        self._waits: dict[int, int] = {}

    def parent_of(self, row: PendingRow, verdict: Verdict) -> ParentSubscription | None:
        """Return the subscription of the run that must be active before a row goes on, None when there is none."""
        parent_id = row.subscription.parent_id if row.subscription else ""
        match verdict:
            case ParentInactive() if row.target.entitlement_id:
                return self.find(row.customer_id, row.target.subscription_id)
            case ParentInactive() | StatusRead():
                return self.find(row.customer_id, parent_id) if parent_id else None
            case _:
                return None

    def find(self, customer_id: str, subscription_id: str) -> ParentSubscription | None:
        """Return a subscription of the run as it stands now, None when it is not one of its rows."""
        return self._parent(self._rows.find(customer_id, subscription_id))

    def of_row(self, ordinal: int) -> ParentSubscription | None:
        """Return the subscription of a row as it stands now."""
        return self._parent(self._rows.of_row(ordinal))

    def settled_before(self) -> Iterator[ParentSubscription]:
        """Yield the subscriptions that rows still wait for although an earlier process has settled them."""
        yield from filter(None, map(self.of_row, self._rows.settled_before()))

    def group(self, parent: ParentSubscription, *, due: Callable[[datetime | None], float]) -> SubscriptionWatch:
        """Return a subscription of the run to be watched."""
        return group_of(self._journal, [parent.ordinal], due=due)

    def seen_active(self, ordinal: int) -> None:
        """Note that the subscription of a row is active."""
        self._active.add(ordinal)

    def try_wait(self, ordinal: int, parent: int) -> bool:
        """Note that a row waits for another, and tell whether it may: in a ring everybody would wait for ever."""
        above: int | None = parent
        while above is not None:
            if above == ordinal:
                return False
            above = self._waits.get(above)
        self._waits[ordinal] = parent
        return True

    def stop_waiting(self, ordinal: int) -> None:
        """Note that a row waits no longer."""
        self._waits.pop(ordinal, None)

    def _parent(self, row: ParentRow | None) -> ParentSubscription | None:
        if row is None:
            return None
        standing = self._standing(row.ordinal, row.status, by_this=row.session == self._session, is_open=row.is_open)
        return ParentSubscription(
            row.ordinal, row.number, row.customer_id, row.subscription_id, row.status, row.code, row.reopen, standing
        )

    def _standing(self, ordinal: int, status: Status | None, *, by_this: bool, is_open: bool) -> ParentState:
        if ordinal in self._active or status in _ACTIVE:
            return ParentState.ACTIVE
        if status is None or (is_open and not by_this):
            return ParentState.OPEN
        return ParentState.ACCEPTED if status is Status.ACCEPTED else ParentState.ENDED
