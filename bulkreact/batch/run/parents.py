"""Reads from a journal the state of the parents that other rows of the run wait for."""

from collections.abc import Iterator
from enum import Enum, auto

from msgspec.structs import asdict

from bulkreact.batch.journal.parent_rows import ParentRow, ParentRows
from bulkreact.batch.journal.pending_rows import PendingRow
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.watched_rows import load_watch
from bulkreact.batch.verify.subscription_watch import PollSchedule, SubscriptionWatch, watch_rows
from bulkreact.models import Outcome, Status, Target
from bulkreact.partnercenter.error_codes.local_codes import PARENT_FAILED, PARENT_NOT_ACTIVE
from bulkreact.partnercenter.verdicts import ParentInactive, StatusRead, Verdict

_ACTIVE = frozenset({Status.REACTIVATED, Status.ALREADY_ACTIVE})


class ParentState(Enum):
    """The state of a parent, as far as its children are concerned."""

    OPEN = auto()
    ACCEPTED = auto()
    ACTIVE = auto()
    ENDED = auto()


class ParentSubscription(ParentRow, frozen=True):
    """A subscription of the run that other rows wait for."""

    state: ParentState

    @property
    def target(self) -> Target:
        """Return the target of a call for the subscription."""
        return Target(self.customer_id, self.subscription_id, "")

    def child_outcome(self) -> Outcome:
        """Return the outcome of a row that was not sent because this parent did not become active.

        | status of parent  | status        | code              | sent again when the run is resumed |
        |-------------------|---------------|-------------------|------------------------------------|
        | accepted, pending | deferred      | parent-not-active | no                                 |
        | unknown           | not attempted | parent-failed     | yes, as the parent is              |
        | any other         | not attempted | parent-failed     | if the parent is                   |
        """
        prefix = f"not sent: row {self.number}, the subscription above it,"
        if self.status in {Status.ACCEPTED, Status.PENDING}:
            return Outcome(Status.DEFERRED, 0, None, PARENT_NOT_ACTIVE, f"{prefix} was not seen active in time")
        code = f" ({self.code})" if self.code else ""
        reopen = self.reopen or self.status is Status.UNKNOWN
        description = f"{prefix} ended as {self.status}{code}"
        return Outcome(Status.NOT_ATTEMPTED, 0, None, PARENT_FAILED, description, reopen=reopen)

    def deferred_child_outcome(self) -> Outcome:
        """Return the outcome of a row that waits for this parent when the run ends."""
        description = f"not sent: it waited for row {self.number}, the subscription above it"
        return Outcome(Status.DEFERRED, 0, None, PARENT_NOT_ACTIVE, description, reopen=True)


def parent_state(status: Status | None, *, seen_active: bool, is_open: bool, of_this_session: bool) -> ParentState:
    """Return the state of a parent from its latest outcome; ``is_open``: the row was open when the session started.

    | parent                              | state    |
    |-------------------------------------|----------|
    | seen active, or settled as active   | ACTIVE   |
    | no outcome                          | OPEN     |
    | open, outcome of an earlier session | OPEN     |
    | accepted                            | ACCEPTED |
    | any other outcome                   | ENDED    |
    """
    if seen_active or status in _ACTIVE:
        return ParentState.ACTIVE
    if status is None or (is_open and not of_this_session):
        return ParentState.OPEN
    return ParentState.ACCEPTED if status is Status.ACCEPTED else ParentState.ENDED


class ParentSubscriptions:
    """The subscriptions among the rows of one journal; ``session`` is the process that sends them."""

    def __init__(self, journal: JournalReader, *, session: int) -> None:
        self._journal = journal
        self._rows = ParentRows(journal)
        self._session = session
        # Seen active while their outcome is still accepted.
        self._active: set[int] = set()

    def parent_of(self, row: PendingRow, verdict: Verdict) -> ParentSubscription | None:
        """Return the subscription of the run that must be active before a row is sent, None if there is none."""
        match verdict:
            case ParentInactive() if row.target.entitlement_id:
                parent_id = row.target.subscription_id
            case ParentInactive() | StatusRead():
                parent_id = row.subscription.parent_id if row.subscription else ""
            case _:
                return None
        return self._parent(self._rows.find(row.customer_id, parent_id)) if parent_id else None

    def of_row(self, ordinal: int) -> ParentSubscription | None:
        """Return the subscription of a row with its current state."""
        return self._parent(self._rows.of_row(ordinal))

    def settled_before(self) -> Iterator[ParentSubscription]:
        """Yield the subscriptions that rows still wait for although an earlier process settled them."""
        yield from filter(None, map(self.of_row, self._rows.settled_before()))

    def watch(self, parent: ParentSubscription, schedule: PollSchedule) -> SubscriptionWatch:
        """Return the watch of a parent's activation."""
        return watch_rows([load_watch(self._journal, parent.ordinal)], schedule)

    def seen_active(self, ordinal: int) -> None:
        """Record that the subscription of a row is active."""
        self._active.add(ordinal)

    def _parent(self, row: ParentRow | None) -> ParentSubscription | None:
        if row is None:
            return None
        state = parent_state(
            row.status,
            seen_active=row.ordinal in self._active,
            is_open=row.is_open,
            of_this_session=row.session == self._session,
        )
        return ParentSubscription(**asdict(row), state=state)
