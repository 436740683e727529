"""The watching of accepted targets: each is read until it is active or its time is over, whoever asks for that."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from bulkreact.batch.dispatch.exchange import CallExecutor, CallResult
from bulkreact.batch.dispatch.reaction import Answered, Reaction, RefreshToken, Unanswered, react
from bulkreact.batch.environment import RunEnvironment
from bulkreact.batch.journal.call_log import intended_id
from bulkreact.batch.policy import CONFLICTS, NOT_READY_SECONDS, RetryIn
from bulkreact.batch.verify.watch_list import SubscriptionWatch, WatchedRow
from bulkreact.models import AutoRenew, Operation, Outcome, Status
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.protocol import CallContext
from bulkreact.partnercenter.response_bodies import DESCRIPTION_LENGTH
from bulkreact.partnercenter.verdicts import Verdict
from bulkreact.settings import Verification

# What was read longer ago is read again before it goes back: somebody may have changed it meanwhile.
FRESH_SECONDS = 60.0
# A row and how it ends.
Ended = tuple[WatchedRow, Outcome]


class PollSchedule:
    """When watched rows are read; monotonic seconds, counted from the moment at which watching begins."""

    def __init__(self, verification: Verification, edges: RunEnvironment) -> None:
        self._verification = verification
        self._edges = edges
        self.deadline = edges.monotonic() + verification.timeout

    def first(self, accepted: datetime | None) -> float:
        """Return when a row is read for the first time that was accepted at a wall-clock time."""
        now = self._edges.monotonic()
        passed = (self._edges.now() - accepted).total_seconds() if accepted else self._verification.after
        return min(self.deadline, now + max(0.0, self._verification.after - max(0.0, passed)))

    def next(self) -> float:
        """Return when a row is read again that was not active: at the latest when the time is over."""
        now = self._edges.monotonic()
        return max(now, min(self.deadline, now + self._verification.every))


@dataclass(frozen=True, slots=True)
class Host:
    """What the phase does for the watching that goes on in it.

    ``wait``, ``go_on`` and ``done`` hand a group back to the queue; ``apply`` acts on a call that was not answered. ``ended`` is told which rows have ended, and which are watched no longer
    and stay as they are.
    """

    wait: Callable[[SubscriptionWatch, float], None]
    go_on: Callable[[SubscriptionWatch], None]
    done: Callable[[SubscriptionWatch], None]
    heed: Callable[[SubscriptionWatch, CallResult], None]
    apply: Callable[[SubscriptionWatch, Unanswered, CallResult, str], Awaitable[None]]
    ended: Callable[[Sequence[Ended], Sequence[WatchedRow]], Awaitable[None]]


class ActivationPoller:
    """Makes the calls of groups, one at a time for each, and keeps their answers together with what they settle."""

    def __init__(self, host: Host, *, wire: CallExecutor, edges: RunEnvironment, attempts: int, run_uuid: UUID) -> None:
        self._host = host
        self._wire = wire
        self._edges = edges
        self._attempts = attempts
        self._run_uuid = run_uuid

    async def call(self, group: SubscriptionWatch, timetable: PollSchedule) -> None:
        """Make the next call of a group."""
        old = self._edges.monotonic() - group.read_at > FRESH_SECONDS and not group.read_again
        if group.pending_auto_renew and not old:
            await self._restore(group)
            return
        group.read_again = group.pending_auto_renew is not None
        group.discard_snapshot()
        if not group.reading:
            group.begin()
        one = group.unread[0]
        operation = group.operation
        # The list is asked for in the name of the first member.
        target = group.target(group.listed[0] if one is None else one)
        exchange = await self._wire.call(
            group.members[target.entitlement_id].ordinal,
            operation,
            target,
            particulars=CallContext(location=group.location),
        )
        reaction = self._react(exchange.verdict, failures=group.failures, token_refused=group.token_refused)
        group.read_at = self._edges.monotonic()
        over = exchange.started >= timetable.deadline
        ended, left = self._read(group, one, exchange, over=over) if isinstance(reaction, Answered) else ([], [])
        await self._answered(group, exchange, ended)
        await self._host.ended(ended, left)
        if not isinstance(reaction, Answered):
            await self._repeat(group, reaction, exchange)
        elif group.pending_auto_renew:
            self._host.go_on(group)
        elif group.members:
            self._host.wait(group, self._edges.monotonic() if group.reading else timetable.next())
        else:
            self._host.done(group)

    def end(self, group: SubscriptionWatch) -> tuple[list[Ended], list[WatchedRow]]:
        """Return how the members of a group end that is watched no longer, and those that stay as they were.

        Lost calls among them stay so, and so does what was never read.
        """
        ended, left = [], []
        for entitlement_id, watched in group.members.items():
            before, seen = watched.outcome, group.seen.get(entitlement_id)
            if group.was_active and not entitlement_id:
                ended.append((watched, _active(before, AutoRenew.STILL_OFF)))
            elif seen and watched.may_end_pending:
                words = f"not seen active: {seen}"[:DESCRIPTION_LENGTH]
                ended.append((watched, replace(before, status=Status.PENDING, description=words)))
            else:
                left.append(watched)
        group.members.clear()
        return ended, left

    async def _answered(self, group: SubscriptionWatch, exchange: CallResult, ended: Sequence[Ended]) -> None:
        outcomes = [(watched.ordinal, outcome) for watched, outcome in ended]
        await self._wire.recorder.answered(exchange.call, exchange.verdict, settled=outcomes)
        self._host.heed(group, exchange)

    def _react(self, verdict: Verdict, *, failures: int, token_refused: bool) -> Reaction:
        attempts, chance = self._attempts, self._edges.chance()
        return react(verdict, failures=failures, token_refused=token_refused, attempts=attempts, chance=chance)

    def _read(
        self, group: SubscriptionWatch, one: str | None, exchange: CallResult, *, over: bool
    ) -> tuple[list[Ended], list[WatchedRow]]:
        """Take what was read out of the group; return the rows that are settled by it, and those given up."""
        ended = []
        for entitlement_id in group.apply_read(one, exchange.verdict, at=exchange.call.finished_at):
            watched = group.members[entitlement_id]
            if group.pending_auto_renew and not entitlement_id:
                continue
            ended.append((watched, _active(watched.outcome, group.auto_renew_of(entitlement_id))))
            del group.members[entitlement_id]
        if group.reading or group.pending_auto_renew or not over:
            return ended, []
        late, left = self.end(group)
        return ended + late, left

    async def _restore(self, group: SubscriptionWatch) -> None:
        """Switch the auto-renewal of a group's subscription on again, which has just been read as active."""
        watched, resource = group.members[""], group.pending_auto_renew
        operation = Operation.RESTORE_AUTO_RENEW
        exchange = await self._wire.call(
            watched.ordinal,
            operation,
            group.target(""),
            request_id=intended_id(self._run_uuid, watched.ordinal, operation, group.restore_attempts),
            particulars=CallContext(subscription=resource),
        )
        verdict = exchange.verdict
        reaction = self._react(verdict, failures=group.restore_failures, token_refused=group.renewal_refused)
        group.restore_attempts += verdict.answer.business
        group.restore_failures += isinstance(verdict, verdicts.Transient)
        busy = isinstance(verdict, verdicts.NotReady)
        changed = busy or isinstance(verdict, verdicts.Conflict)
        group.conflicts += changed
        ended: list[Ended] = []
        if isinstance(reaction, Answered) and not (changed and group.conflicts <= CONFLICTS):
            done = isinstance(verdict, verdicts.Accepted)
            ended = [(watched, _active(watched.outcome, AutoRenew.RESTORED if done else AutoRenew.STILL_OFF))]
            del group.members[""]
        group.discard_snapshot()
        await self._answered(group, exchange, ended)
        await self._host.ended(ended, [])
        if not isinstance(reaction, Answered):
            # A reading in between does not make a token good that an update was refused with.
            group.renewal_refused = isinstance(reaction, RefreshToken)
            await self._repeat(group, reaction, exchange)
        elif group.members:
            self._host.wait(group, self._edges.monotonic() + (NOT_READY_SECONDS if busy else 0.0))
        else:
            self._host.done(group)

    async def _repeat(self, group: SubscriptionWatch, reaction: Unanswered, exchange: CallResult) -> None:
        """Hand a group back to the queue whose call must be made again, or stop."""
        group.token_refused = isinstance(reaction, RefreshToken)
        group.failures += isinstance(reaction, RetryIn)
        await self._host.apply(group, reaction, exchange, f"reading the status of a subscription: {exchange.error}")


def _active(before: Outcome, auto_renew: AutoRenew) -> Outcome:
    return Outcome(Status.REACTIVATED, before.attempts, before.call, auto_renew=auto_renew)
