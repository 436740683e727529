"""The watched rows of one subscription as an item of the queue: what was seen of them, and how they end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

from msgspec.structs import replace

from bulkreact.batch.journal.watched_rows import WatchedRow
from bulkreact.batch.policy import RetryIn
from bulkreact.batch.verify.activation import ActivationWatch, AutoRenewRestore, Next, WatchStep, auto_renew_when_active
from bulkreact.models import AutoRenew, Outcome, Status
from bulkreact.partnercenter.response_bodies import DESCRIPTION_LENGTH
from bulkreact.partnercenter.verdicts import Verdict
from bulkreact.settings import Verification


@dataclass(frozen=True, slots=True)
class PollSchedule:
    """When watched rows are read, in monotonic seconds; ``started`` is the same time as ``started_at``."""

    verification: Verification
    started: float
    started_at: datetime

    @property
    def deadline(self) -> float:
        """Return when the time is over."""
        return self.started + self.verification.timeout

    def first(self, accepted: datetime | None) -> float:
        """Return when to read a row first; ``accepted`` is None where no answer is known."""
        after = self.verification.after
        elapsed = (self.started_at - accepted).total_seconds() if accepted else after
        return min(self.deadline, self.started + max(0.0, after - max(0.0, elapsed)))

    def next(self, now: float) -> float:
        """Return when to read a row again that was not active, at the latest at the deadline."""
        return max(now, min(self.deadline, now + self.verification.every))


_NOT_RESTORED = frozenset({AutoRenew.OFF, AutoRenew.UNTOUCHED})
# A row and how it ends.
Ended = tuple[WatchedRow, Outcome]


@dataclass(slots=True)
class SubscriptionWatch:
    """The watched rows of one subscription by entitlement id; the subscription itself has the empty id.

    ``due`` is the monotonic time of the first read, ``seen`` describes what was last read of each member, ``failures``
    counts the transient ones since the last read that was answered. ``restore`` is None when auto-renewal is left alone.
    """

    position: int
    customer_id: str
    members: dict[str, WatchedRow]
    activation: ActivationWatch
    schedule: PollSchedule
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
        has_members = bool(self.members)
        step = self.activation.next(members_left=has_members, restore_is_due=restore_is_due, time_is_over=time_is_over)
        return ended, step

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


def watch_rows(rows: Sequence[WatchedRow], schedule: PollSchedule, *, restoring: bool = False) -> SubscriptionWatch:
    """Return the watch of one subscription's rows, in the position of the first."""
    first, members = rows[0], {row.target.entitlement_id: row for row in rows}
    subscription = members.get("")
    location, restore, is_updated = "", None, False
    if subscription:
        location, outcome = subscription.location, subscription.outcome
        if restoring and subscription.restore_auto_renew and outcome.auto_renew in _NOT_RESTORED:
            restore = AutoRenewRestore(intent=subscription.restore_attempts)
            http_status = outcome.call and outcome.call.answer.http_status
            is_updated = outcome.status is Status.REACTIVATED or http_status == HTTPStatus.OK
    finished = [row.outcome.call.finished_at for row in rows if row.outcome.call]
    accepted = max(filter(None, finished), default=None)
    # A finished update needs no time to take effect.
    due = float("-inf") if is_updated else schedule.first(datetime.fromisoformat(accepted) if accepted else None)
    activation = ActivationWatch(first.target.subscription_id, location)
    return SubscriptionWatch(first.ordinal, first.target.customer_id, members, activation, schedule, due, restore)
