"""The rows of a run that wait for another row of it: when they go on, and how they end if they cannot."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from msgspec.structs import replace

from bulkreact.batch.dispatch.exchange import CallExecutor, CallResult
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.dispatch.reaction import Unanswered
from bulkreact.batch.dispatch.worker_pool import WorkerPool
from bulkreact.batch.environment import RunEnvironment
from bulkreact.batch.journal.pending_rows import PendingRow, PendingRows
from bulkreact.batch.policy import PARENT_WAITS, AwaitParent, Finish, RetryIn, Step, outcome_if_deferred
from bulkreact.batch.run.parents import ParentState, ParentSubscription, ParentSubscriptions
from bulkreact.batch.verify.poller import ActivationPoller, Ended, Host, PollSchedule
from bulkreact.batch.verify.watch_list import SubscriptionWatch, WatchedRow
from bulkreact.models import SUCCESSES, Outcome, Status
from bulkreact.partnercenter.verdicts import Accepted, CustomerRefused, PermissionRefused, StatusRead, Verdict
from bulkreact.settings import Limits

Item = PendingRow | SubscriptionWatch


@dataclass(frozen=True, slots=True)
class OutcomeListener:
    """Who hears what becomes of rows that were never sent: one that is handed back, or many that are not in hand."""

    settled: Callable[[PendingRow, Outcome], None]
    counted: Callable[[Outcome, int], None]
    apply: Callable[[Item, Unanswered, CallResult, str], Awaitable[None]]


class DependencyTracker:
    """Lets rows wait for the subscriptions above them, which it watches for that if it must."""

    def __init__(
        self,
        family: ParentSubscriptions,
        open_rows: PendingRows,
        workers: WorkerPool[Item],
        *,
        wire: CallExecutor,
        edges: RunEnvironment,
        limits: Limits,
        run_uuid: UUID,
        told: OutcomeListener,
    ) -> None:
        self._family = family
        self._open_rows = open_rows
        self._queue: Queue[Item] = workers.queue
        self._wire = wire
        self._edges = edges
        self._limits = limits
        self._told = told
        queue = self._queue
        host = Host(
            queue.wait,
            queue.requeue_first,
            queue.done,
            workers.record_answer,
            told.apply,
            self._ended,
        )
        self._watching = ActivationPoller(host, wire=wire, edges=edges, attempts=limits.attempts, run_uuid=run_uuid)
        self._timetables: dict[int, PollSchedule] = {}

    async def begin(self) -> None:
        """Go on where an earlier process has left rows waiting."""
        for parent in self._family.settled_before():
            if parent.standing is ParentState.ACCEPTED:
                self._watch(parent)
            else:
                await self._fail_children(parent)

    async def call(self, group: SubscriptionWatch) -> None:
        """Make the next call to see whether a subscription is active, unless nobody waits for it any more."""
        if self._is_awaited(group.position, group.customer_id):
            await self._watching.call(group, self._timetables[group.position])
        else:
            self._queue.done(group)

    def forget(self, groups: Iterable[SubscriptionWatch]) -> None:
        """Take note that subscriptions are watched no longer, whoever may come to wait for them."""
        for group in groups:
            self._timetables.pop(group.position, None)

    def resolve(self, step: Step, row: PendingRow, verdict: Verdict) -> tuple[Step, ParentSubscription | None]:
        """Return what a step comes to, with the subscription of this run that it waits for if it waits for one."""
        match step:
            case AwaitParent(otherwise=otherwise):
                parent = self._family.parent_of(row, verdict)
                if parent is None or row.progress.parent_waits > PARENT_WAITS:
                    return Finish(otherwise), None
                return step, parent
            case RetryIn() if isinstance(verdict, StatusRead):
                parent = self._family.parent_of(row, verdict)
                if parent and parent.standing is not ParentState.ACTIVE:
                    return AwaitParent(parent.child_outcome()), parent
                return step, None
            case _:
                return step, None

    async def wait(self, row: PendingRow, parent: ParentSubscription, otherwise: Outcome) -> None:
        """Let a row in hand wait for its parent; ``otherwise`` is how it ends when that does not come back."""
        now = self._edges.monotonic()
        found = self._family.of_row(parent.ordinal) or parent
        if found.standing is ParentState.ACTIVE:
            # Not known as such everywhere, if the service has just said otherwise.
            self._queue.wait(row, now + (self._limits.waiting.every if row.progress.parent_waits else 0.0))
        elif found.standing is ParentState.ENDED:
            await self._settle([row], otherwise if row.progress.parent_waits else found.child_outcome())
            self._queue.done(row)
        elif self._family.try_wait(row.ordinal, found.ordinal):
            row.subscription = None
            self._queue.park(row, found.ordinal)
            if found.standing is ParentState.ACCEPTED:
                self._watch(found)
        elif row.progress.parent_waits:
            # They stand on each other: none of them will ever be the first.
            await self._settle([row], otherwise)
            self._queue.done(row)
        else:
            self._queue.requeue_first(row)

    async def settled(self, row: PendingRow, outcome: Outcome, verdict: Verdict, *, may_reopen: bool) -> None:
        """Do what the end of a row, still in hand, means for those that wait for it.

        ``may_reopen`` says that a missing permission may turn out to be the account's fault, and the row be sent again.
        """
        if row.target.entitlement_id or outcome.reopen or not self._is_awaited(row.ordinal, row.customer_id):
            return
        if isinstance(verdict, CustomerRefused):
            # That ends all that was not sent of the customer, and in another way.
            return
        if outcome.status in SUCCESSES - {Status.ACCEPTED} or (isinstance(verdict, Accepted) and verdict.active):
            self._release(row.ordinal, row.customer_id)
        elif parent := self._family.of_row(row.ordinal):
            if parent.standing is ParentState.ACCEPTED:
                self._watch(parent)
            else:
                again = may_reopen and isinstance(verdict, PermissionRefused)
                await self._fail_children(replace(parent, reopen=parent.reopen or again))

    async def on_customer_dropped(self, customer_id: str | None) -> None:
        """Look after the rows that wait for one which was settled without having been sent."""
        for ordinal in self._queue.awaited(customer_id):
            parent = self._family.of_row(ordinal)
            if parent and parent.standing is ParentState.ENDED:
                await self._fail_children(parent)

    async def stop(self) -> None:
        """Write down of the rows that wait for an accepted subscription that they do; the run ends before it is active."""
        parents = [parent for ordinal in self._timetables if (parent := self._family.of_row(ordinal))]
        waited = [(one.target, one.deferred_child_outcome()) for one in parents if one.standing is ParentState.ACCEPTED]
        await self._wire.recorder.settle_children(*waited)

    def _is_awaited(self, ordinal: int, customer_id: str) -> bool:
        """Tell whether a row still waits for another: one that was never sent, or one that is parked."""
        unsent = self._open_rows.is_awaited(ordinal) and not self._queue.is_dropped(customer_id)
        return unsent or bool(self._queue.parked(customer_id, ordinal))

    def _release(self, ordinal: int, customer_id: str) -> None:
        self._family.seen_active(ordinal)
        for row in self._queue.parked(customer_id, ordinal):
            if isinstance(row, PendingRow):
                self._family.stop_waiting(row.ordinal)
        self._queue.release(customer_id, ordinal)

    def _watch(self, parent: ParentSubscription) -> None:
        """Read an accepted subscription until it is active, once for all that wait for it."""
        if parent.ordinal in self._timetables:
            return
        timetable = self._timetables[parent.ordinal] = PollSchedule(self._limits.waiting, self._edges)
        self._queue.add(self._family.group(parent, due=timetable.first))

    async def _ended(self, ended: Sequence[Ended], left: Sequence[WatchedRow]) -> None:
        for watched, outcome in ended:
            if outcome.status is Status.REACTIVATED:
                parent = self._family.of_row(watched.ordinal)
                self._release(watched.ordinal, parent.customer_id if parent else "")
        for watched in [*left, *(watched for watched, outcome in ended if outcome.status is not Status.REACTIVATED)]:
            if parent := self._family.of_row(watched.ordinal):
                await self._fail_children(parent)

    async def _fail_children(self, parent: ParentSubscription) -> None:
        """End the rows that wait for a subscription which does not come back."""
        outcome = parent.child_outcome()
        self._told.counted(outcome, await self._wire.recorder.settle_children((parent.target, outcome)))
        rows = [one for one in self._queue.unpark(parent.customer_id, parent.ordinal) if isinstance(one, PendingRow)]
        await self._settle(rows, outcome)

    async def _settle(self, rows: Sequence[PendingRow], outcome: Outcome) -> None:
        """End rows, and whoever waits for them in turn."""
        ends = [(row, _end(row, outcome)) for row in rows]
        await self._wire.recorder.settle(*((row.ordinal, end) for row, end in ends))
        for row, end in ends:
            self._family.stop_waiting(row.ordinal)
            self._told.settled(row, end)
            if self._is_awaited(row.ordinal, row.customer_id) and (parent := self._family.of_row(row.ordinal)):
                await self._fail_children(parent)


def _end(row: PendingRow, outcome: Outcome) -> Outcome:
    """Return how a row ends that is not sent: one that was sent before stays what it was, and so does a lost call."""
    progress = row.progress
    was_sent = progress.lost or (progress.call is not None and not progress.only_read)
    return replace(outcome_if_deferred(progress), reopen=outcome.reopen) if was_sent else outcome
