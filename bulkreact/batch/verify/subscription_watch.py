"""The watched rows of one subscription as an item of the queue: what was seen of them, and how they end."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from bulkreact.batch.journal.watched_rows import WatchedRow
from bulkreact.batch.policy import RetryIn
from bulkreact.batch.verify.activation import ActivationWatch, AutoRenewRestore, Next, WatchStep, auto_renew_when_active
from bulkreact.models import AutoRenew, Outcome, Status
from bulkreact.partnercenter.response_bodies import DESCRIPTION_LENGTH
from bulkreact.partnercenter.verdicts import Verdict

# A row and how it ends.
Ended = tuple[WatchedRow, Outcome]


@dataclass(slots=True)
class SubscriptionWatch:
    """The watched rows of one subscription by entitlement id; the subscription itself has the empty id.

    ``due`` is the monotonic time of the first read, ``seen`` describes what was last read of each member, ``failures``
    counts the transient ones since the last read that was answered. ``restore`` is there when auto-renewal is to be
    switched on again.
    """

    position: int
    customer_id: str
    members: dict[str, WatchedRow]
    activation: ActivationWatch
    due: float
    restore: AutoRenewRestore | None = None
    seen: dict[str, str] = field(default_factory=dict)
    failures: int = 0
    token_refused: bool = False

    @property
    def begun(self) -> bool:
        """Return true: rows that were accepted are never dropped silently."""
        return True

    def begin_read(self) -> WatchedRow:
        """Begin the next read; return the row that it is recorded for, for a list that of the first entitlement."""
        if self.restore:
            self.restore = self.restore.before_read()
        if not self.activation.unread:
            self.activation = self.activation.start(self.members)
        member = self.activation.unread[0]
        return self.members[next(filter(None, self.members)) if member is None else member]

    def apply_read(self, verdict: Verdict, *, at: str, now: float, time_is_over: bool) -> tuple[list[Ended], Next]:
        """Take in the answer to the read that was begun; return the rows that it settles and what follows."""
        self.failures, self.token_refused = 0, False
        self.activation, read = self.activation.apply(verdict, self.members, at=at, restore=self.restore is not None)
        self.seen.update(read.seen)
        if self.restore:
            self.restore = self.restore.after_read(read.subscription, now=now)
        restore_is_due = self.restore is not None and self.restore.snapshot is not None
        ended = []
        for member in read.active:
            if member or not restore_is_due:
                before = self.members[member].outcome.auto_renew
                ended.append(self._reactivated(member, auto_renew_when_active(read.subscription, before)))
        members_left = bool(self.members)
        return ended, self.activation.next(
            members_left=members_left, restore_is_due=restore_is_due, time_is_over=time_is_over
        )

    def apply_restore(self, restore: AutoRenewRestore, verdict: Verdict) -> tuple[list[Ended], Next]:
        """Return the row that an answer to the update settles, if it does, and what follows."""
        step = restore.next(verdict)
        if isinstance(step, RetryIn):
            return [], step
        ended = [self._reactivated("", step)]
        return ended, RetryIn(0.0) if self.members else WatchStep.ALL_ACTIVE

    def close(self) -> tuple[list[Ended], list[WatchedRow]]:
        """End the watch; return how its members end, and those that stay as they were.

        | member                               | outcome                           |
        |--------------------------------------|-----------------------------------|
        | subscription that was seen active    | reactivated, auto-renew still off |
        | read, and accepted or ambiguous      | pending                           |
        | never read, or its own call was lost | stays: it may be sent again       |
        """
        ended, unchanged = [], []
        for member in list(self.members):
            row, seen = self.members[member], self.seen.get(member)
            if not member and self.restore and self.restore.seen_active:
                ended.append(self._reactivated(member, AutoRenew.STILL_OFF))
            elif seen and (row.is_ambiguous or row.outcome.status in {Status.ACCEPTED, Status.PENDING}):
                description = f"not seen active: {seen}"[:DESCRIPTION_LENGTH]
                ended.append((row, replace(row.outcome, status=Status.PENDING, description=description)))
            else:
                unchanged.append(row)
        self.members.clear()
        return ended, unchanged

    def _reactivated(self, member: str, auto_renew: AutoRenew) -> Ended:
        row = self.members.pop(member)
        before = row.outcome
        return row, Outcome(Status.REACTIVATED, before.attempts, before.call, auto_renew=auto_renew)
