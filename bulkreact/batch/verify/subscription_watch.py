"""The watched rows of a subscription as a queue item: what was seen of them, and their outcomes."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from bulkreact.batch.journal.watched_rows import WatchedRow
from bulkreact.batch.policy import RetryIn
from bulkreact.batch.verify.activation import ActivationWatch, AutoRenewRestore, Next, WatchStep, auto_renew_when_active
from bulkreact.models import AutoRenew, Operation, Outcome, Status
from bulkreact.partnercenter.protocol import CallContext
from bulkreact.partnercenter.response_bodies import DESCRIPTION_LENGTH
from bulkreact.partnercenter.verdicts import TokenRefused, Transient, Verdict
from bulkreact.settings import Verification


class PollSchedule(Struct, frozen=True):
    """When watched rows are read, in monotonic seconds; ``started`` is the same time as ``started_at``."""

    verification: Verification
    started: float
    started_at: datetime

    @property
    def deadline(self) -> float:
        """Return when the watch ends."""
        return self.started + self.verification.timeout

    def first(self, accepted: datetime | None) -> float:
        """Return when to read a row first; ``accepted`` is None if no answer is known."""
        after = self.verification.after
        elapsed = (self.started_at - accepted).total_seconds() if accepted else after
        return min(self.deadline, self.started + max(0.0, after - max(0.0, elapsed)))

    def next(self, now: float) -> float:
        """Return when to read a row again that was not active, at the latest at the deadline."""
        return max(now, min(self.deadline, now + self.verification.every))


_NOT_RESTORED = frozenset({AutoRenew.OFF, AutoRenew.UNTOUCHED})


class WatchResult(NamedTuple):
    """The settled rows of a watch with their outcomes, and those that stay as they are and are no longer watched."""

    ended: Sequence[tuple[WatchedRow, Outcome]] = ()
    unwatched: Sequence[WatchedRow] = ()


class WatchCall(NamedTuple):
    """The next call of a watch, made for a row; ``request_sequence`` is None for a read, which gets a new request id.

    ``failures`` and ``token_refused`` are those of earlier calls of its kind; see RetryCounts.
    """

    row: WatchedRow
    operation: Operation
    context: CallContext
    failures: tuple[int, ...]
    token_refused: bool
    request_sequence: int | None = None


class SubscriptionWatch(Struct):
    """The watched rows of one subscription by entitlement id; the subscription itself has the empty id.

    ``due`` is the monotonic time of the first read, ``seen`` describes what was last read of each member, ``failures``
    are the transient ones since the last answered read. ``restore`` is None if auto-renewal is not restored.
    """

    position: int
    customer_id: str
    members: dict[str, WatchedRow]
    activation: ActivationWatch
    schedule: PollSchedule
    due: float
    restore: AutoRenewRestore | None = None
    seen: dict[str, str] = field(default_factory=dict)
    failures: tuple[int, ...] = ()
    token_refused: bool = False

    @property
    def has_calls(self) -> bool:
        """Return true: accepted rows are never dropped silently."""
        return True

    @property
    def attempts(self) -> int:
        """Return 0: it is read as often as its schedule says."""
        return 0

    def next_call(self, now: float) -> WatchCall:
        """Return the call to make now: the update of a fresh snapshot, or the next read."""
        if self.restore:
            if snapshot := self.restore.to_send(now):
                operation, context = Operation.RESTORE_AUTO_RENEW, CallContext(subscription=snapshot)
                # A read in between does not show that the token is good: the update was refused with it.
                failures, token_refused = self.restore.failures, self.restore.token_refused
                return WatchCall(
                    self.members[""], operation, context, failures, token_refused, self.restore.request_sequence
                )
            self.restore = self.restore.before_read()
        if not self.activation.unread:
            self.activation = self.activation.start(self.members)
        member, context = self.activation.unread[0], CallContext(location=self.activation.location)
        # A list is recorded for the first of its entitlements.
        row = self.members[next(filter(None, self.members)) if member is None else member]
        return WatchCall(row, self.activation.operation, context, self.failures, self.token_refused)

    def apply(
        self, call: WatchCall, verdict: Verdict, *, at: str, now: float, started: float
    ) -> tuple[WatchResult, Next]:
        """Apply an answer; return the rows that it settles and the next step. ``started`` is when the call was sent."""
        if self.restore and call.request_sequence is not None:
            return self._apply_update(self.restore, verdict)
        self.failures, self.token_refused = (), False
        self.activation, read = self.activation.apply(verdict, self.members, at=at, restore=self.restore is not None)
        self.seen.update(read.seen)
        if self.restore:
            self.restore = self.restore.after_read(read.subscription, now=now)
        restore_is_due = self.restore is not None and self.restore.snapshot is not None
        ended = [
            self._settle_reactivated(
                member, auto_renew_when_active(read.subscription, self.members[member].outcome.auto_renew)
            )
            for member in read.active
            if member or not restore_is_due
        ]
        step = self.activation.next(
            members_left=bool(self.members),
            restore_is_due=restore_is_due,
            time_is_over=started >= self.schedule.deadline,
        )
        expired = self.close() if step is WatchStep.GIVE_UP else WatchResult()
        return WatchResult([*ended, *expired.ended], expired.unwatched), step

    def apply_unanswered(self, call: WatchCall, verdict: Verdict, *, suspicion: int = 0) -> None:
        """Count a call that must be repeated; ``suspicion`` is its series of suspected calls, or 0."""
        if self.restore and call.request_sequence is not None:
            self.restore = self.restore.apply(verdict, suspicion=suspicion)
        self.token_refused = isinstance(verdict, TokenRefused)
        if isinstance(verdict, Transient):
            self.failures = (*self.failures, suspicion)

    def _apply_update(self, restore: AutoRenewRestore, verdict: Verdict) -> tuple[WatchResult, Next]:
        self.restore = restore = restore.apply(verdict)
        step = restore.next(verdict)
        if isinstance(step, RetryIn):
            return WatchResult(), step
        return WatchResult([self._settle_reactivated("", step)]), RetryIn(0.0) if self.members else WatchStep.ALL_ACTIVE

    def close(self) -> WatchResult:
        """End the watch with the outcomes of its members.

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
                ended.append(self._settle_reactivated(member, AutoRenew.STILL_OFF))
            elif seen and (row.is_ambiguous or row.outcome.status in {Status.ACCEPTED, Status.PENDING}):
                description = f"not seen active: {seen}"[:DESCRIPTION_LENGTH]
                ended.append((row, replace(row.outcome, status=Status.PENDING, description=description)))
            else:
                unchanged.append(row)
        self.members.clear()
        return WatchResult(ended, unchanged)

    def _settle_reactivated(self, member: str, auto_renew: AutoRenew) -> tuple[WatchedRow, Outcome]:
        row = self.members.pop(member)
        before = row.outcome
        return row, Outcome(Status.REACTIVATED, before.attempts, before.call, auto_renew=auto_renew)


def watch_rows(rows: Sequence[WatchedRow], schedule: PollSchedule, *, restoring: bool = False) -> SubscriptionWatch:
    """Return the watch of one subscription's rows, at the position of the first."""
    first, members = rows[0], {row.target.entitlement_id: row for row in rows}
    subscription = members.get("")
    location, restore, is_updated = "", None, False
    if subscription:
        location, outcome = subscription.location, subscription.outcome
        if restoring and subscription.restore_auto_renew and outcome.auto_renew in _NOT_RESTORED:
            restore = AutoRenewRestore(request_sequence=subscription.restore_attempts)
            http_status = outcome.call and outcome.call.answer.http_status
            is_updated = outcome.status is Status.REACTIVATED or http_status == HTTPStatus.OK
    finished = [row.outcome.call.finished_at for row in rows if row.outcome.call]
    accepted = max(filter(None, finished), default=None)
    # A finished update needs no time to take effect.
    due = float("-inf") if is_updated else schedule.first(datetime.fromisoformat(accepted) if accepted else None)
    activation = ActivationWatch(first.target.subscription_id, location)
    return SubscriptionWatch(first.ordinal, first.target.customer_id, members, activation, schedule, due, restore)
