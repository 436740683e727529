"""Dependencies between rows: when a row is sent whose parent is in the run, and how it ends if it cannot be sent."""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import assert_never

from msgspec.structs import replace

from bulkreact.batch.dispatch.call_executor import CallExecutor, CallResult
from bulkreact.batch.dispatch.reaction import Unanswered
from bulkreact.batch.dispatch.worker_pool import WorkerPool
from bulkreact.batch.environment import RunEnvironment, WaitReason
from bulkreact.batch.journal.pending_rows import PendingRow, PendingRows
from bulkreact.batch.policy import PARENT_WAITS, AwaitParent, Finish, RetryIn, Step, outcome_if_deferred
from bulkreact.batch.progress import RowProgress, Sent
from bulkreact.batch.run.parents import ParentState, ParentSubscription, ParentSubscriptions
from bulkreact.batch.verify.poller import ActivationPoller
from bulkreact.batch.verify.subscription_watch import PollSchedule, SubscriptionWatch, WatchResult
from bulkreact.models import SUCCESSES, Outcome, Status
from bulkreact.partnercenter.request_ids import RequestIds
from bulkreact.partnercenter.verdicts import Accepted, CustomerRefused, PermissionRefused, StatusRead, Verdict
from bulkreact.settings import Limits

Item = PendingRow | SubscriptionWatch


def child_step(
    parent: ParentSubscription, *, otherwise: Outcome, refused_before: bool, is_cycle: bool, retry_after: float
) -> Step:
    """Return the step of a row whose parent must be active first.

    ``refused_before``: the service refused the row because its parent is not active; ``otherwise`` is its outcome then.

    | parent           | refused before | is cycle | step                                                           |
    |------------------|----------------|----------|----------------------------------------------------------------|
    | active           | no             | any      | send now                                                       |
    | active           | yes            | any      | send after ``retry_after``: not known as active everywhere yet |
    | ended            | no             | any      | end with the parent's outcome for children                     |
    | ended            | yes            | any      | end with ``otherwise``                                         |
    | open or accepted | any            | no       | wait                                                           |
    | open or accepted | no             | yes      | send now: none of these rows can go first                      |
    | open or accepted | yes            | yes      | end with ``otherwise``                                         |
    """
    match parent.state:
        case ParentState.ACTIVE:
            return RetryIn(retry_after if refused_before else 0.0)
        case ParentState.ENDED:
            return Finish(otherwise if refused_before else parent.child_outcome())
        case ParentState.OPEN | ParentState.ACCEPTED:
            if not is_cycle:
                return AwaitParent(otherwise)
            return Finish(otherwise) if refused_before else RetryIn(0.0)
        case _:
            assert_never(parent.state)


def is_cycle(waits: Mapping[int, int], child: int, parent: int) -> bool:
    """Return whether a row would wait for itself; ``waits`` are the parents of the waiting rows."""
    ancestor: int | None = parent
    while ancestor is not None and ancestor != child:
        ancestor = waits.get(ancestor)
    return ancestor is not None


def unsent_outcome(progress: RowProgress, outcome: Outcome) -> Outcome:
    """Return the outcome of a row that will not be sent: an earlier call or loss counts more than ``outcome``."""
    was_sent = progress.lost or isinstance(progress.stage, Sent)
    return replace(outcome_if_deferred(progress), reopen=outcome.reopen) if was_sent else outcome


class DependencyTracker:
    """Lets rows wait for their parents, and polls an accepted parent until it is active.

    ``apply`` handles a call without an answer.
    """

    def __init__(
        self,
        parents: ParentSubscriptions,
        pending_rows: PendingRows,
        pool: WorkerPool[Item],
        *,
        executor: CallExecutor,
        environment: RunEnvironment,
        limits: Limits,
        request_ids: RequestIds,
        apply: Callable[[Item, Unanswered, CallResult, str], Awaitable[None]],
    ) -> None:
        self._parents = parents
        self._pending_rows = pending_rows
        self._pool = pool
        self._queue = pool.queue
        self._recorder = executor.recorder
        self._environment = environment
        self._limits = limits
        self._poller = ActivationPoller(
            pool,
            executor=executor,
            environment=environment,
            request_ids=request_ids,
            on_settled=self._on_poll_settled,
            apply=apply,
        )
        self._watched: set[int] = set()
        self._waits: dict[int, int] = {}

    async def begin(self) -> None:
        """Restore the waiting rows that an earlier process left."""
        for parent in self._parents.settled_before():
            await self._watch_or_fail_children(parent)

    async def call(self, watch: SubscriptionWatch) -> None:
        """Poll a parent once, unless no row waits for it any more."""
        if self._is_awaited(watch.position, watch.customer_id):
            await self._poller.call(watch)
        else:
            self._queue.done(watch)

    def forget(self, watches: Iterable[SubscriptionWatch]) -> None:
        """Forget watches that the queue dropped, so that their subscriptions can be watched again."""
        self._watched.difference_update(watch.position for watch in watches)

    def resolve(self, step: Step, row: PendingRow, verdict: Verdict) -> tuple[Step, ParentSubscription | None]:
        """Return a row's step given its parent, and the parent if the row has to wait for it."""
        match step, verdict:
            case AwaitParent(outcome_without_wait=otherwise), _:
                parent = self._parents.parent_of(row, verdict)
                may_wait = parent is not None and row.progress.retries.parent_waits <= PARENT_WAITS
                return (step, parent) if may_wait else (Finish(otherwise), None)
            case RetryIn(), StatusRead():
                parent = self._parents.parent_of(row, verdict)
                if parent and parent.state is not ParentState.ACTIVE:
                    return AwaitParent(parent.child_outcome()), parent
        return step, None

    async def wait(self, row: PendingRow, parent: ParentSubscription, otherwise: Outcome) -> None:
        """Let the current row wait for its parent, or do what is possible without waiting."""
        parent = self._parents.of_row(parent.ordinal) or parent
        step = child_step(
            parent,
            otherwise=otherwise,
            refused_before=row.progress.retries.parent_waits > 0,
            is_cycle=is_cycle(self._waits, row.ordinal, parent.ordinal),
            retry_after=self._limits.waiting.every,
        )
        match step:
            case RetryIn(delay=0):
                self._queue.requeue_first(row)
            case RetryIn(delay=delay):
                self._queue.wait(row, self._environment.monotonic() + delay, WaitReason.PARENT)
            case Finish(outcome=outcome):
                await self._settle_with_children([row], outcome)
                self._queue.done(row)
            case AwaitParent():
                self._waits[row.ordinal] = parent.ordinal
                row.subscription = None
                self._queue.park(row, parent.ordinal)
                if parent.state is ParentState.ACCEPTED:
                    self._watch(parent)
            case _:
                assert_never(step)

    async def on_settled(self, row: PendingRow, outcome: Outcome, verdict: Verdict, *, may_reopen: bool) -> None:
        """Apply the outcome of the current row to the rows that wait for it.

        ``may_reopen``: the run may yet stop for lack of permission and the row be sent again.
        """
        # The unsent rows of a refused customer have a different outcome.
        skipped = row.target.entitlement_id or outcome.reopen or isinstance(verdict, CustomerRefused)
        if skipped or not self._is_awaited(row.ordinal, row.customer_id):
            return
        if outcome.status in SUCCESSES - {Status.ACCEPTED} or (isinstance(verdict, Accepted) and verdict.active):
            self._release(row.ordinal, row.customer_id)
        elif parent := self._parents.of_row(row.ordinal):
            reopen = parent.reopen or (may_reopen and isinstance(verdict, PermissionRefused))
            await self._watch_or_fail_children(replace(parent, reopen=reopen))

    async def on_customer_dropped(self, customer_id: str | None) -> None:
        """Fail the rows that wait for a row that was settled unsent."""
        for ordinal in self._queue.awaited_parents(customer_id):
            parent = self._parents.of_row(ordinal)
            if parent and parent.state is ParentState.ENDED:
                await self._fail_children(parent)

    async def stop(self) -> None:
        """Record that rows wait for an accepted parent because the run ends before it is active."""
        parents = filter(None, map(self._parents.of_row, self._watched))
        accepted = [parent for parent in parents if parent.state is ParentState.ACCEPTED]
        await self._recorder.settle_children(*((parent.target, parent.deferred_child_outcome()) for parent in accepted))

    def _is_awaited(self, ordinal: int, customer_id: str) -> bool:
        """Return whether a row still waits for another: one that was never sent, or one that is parked."""
        unsent = self._pending_rows.is_awaited(ordinal) and not self._queue.is_dropped(customer_id)
        return unsent or bool(self._queue.parked_items(customer_id, ordinal))

    async def _on_poll_settled(self, settled: WatchResult) -> None:
        active = {row.ordinal for row, outcome in settled.ended if outcome.status is Status.REACTIVATED}
        for row in [*(row for row, _ in settled.ended), *settled.unwatched]:
            parent = self._parents.of_row(row.ordinal)
            if parent and row.ordinal in active:
                self._release(parent.ordinal, parent.customer_id)
            elif parent:
                await self._fail_children(parent)

    def _release(self, ordinal: int, customer_id: str) -> None:
        """Send the rows that wait for an active parent."""
        self._parents.seen_active(ordinal)
        for row in self._queue.parked_items(customer_id, ordinal):
            if isinstance(row, PendingRow):
                self._waits.pop(row.ordinal, None)
        self._queue.release(customer_id, ordinal)

    async def _watch_or_fail_children(self, parent: ParentSubscription) -> None:
        if parent.state is ParentState.ACCEPTED:
            self._watch(parent)
        else:
            await self._fail_children(parent)

    def _watch(self, parent: ParentSubscription) -> None:
        """Poll an accepted parent until it is active, once for all rows that wait for it."""
        if parent.ordinal not in self._watched:
            self._watched.add(parent.ordinal)
            now, at = self._environment.monotonic(), self._environment.now()
            self._queue.add(self._parents.watch(parent, PollSchedule(self._limits.waiting, now, at)))

    async def _fail_children(self, parent: ParentSubscription) -> None:
        await self._settle_with_children(*await self._take_children(parent))

    async def _take_children(self, parent: ParentSubscription) -> tuple[list[PendingRow], Outcome]:
        """Settle the unsent rows that wait for a parent; return those with calls on record, and their outcome."""
        outcome = parent.child_outcome()
        self._pool.progress.count(outcome, rows=await self._recorder.settle_children((parent.target, outcome)))
        parked = self._queue.unpark(parent.customer_id, parent.ordinal)
        return [row for row in parked if isinstance(row, PendingRow)], outcome

    async def _settle_with_children(self, rows: Sequence[PendingRow], outcome: Outcome) -> None:
        """Settle rows without sending them, then the rows that wait for them, and so on."""
        queue = deque([(rows, outcome)])
        while queue:
            rows, outcome = queue.popleft()
            outcomes = [(row, unsent_outcome(row.progress, outcome)) for row in rows]
            await self._recorder.settle(*((row.ordinal, end) for row, end in outcomes))
            for row, settled in outcomes:
                self._waits.pop(row.ordinal, None)
                self._pool.progress.count(settled)
                self._environment.on_settled(row.number, settled)
                if self._is_awaited(row.ordinal, row.customer_id) and (parent := self._parents.of_row(row.ordinal)):
                    queue.append(await self._take_children(parent))
