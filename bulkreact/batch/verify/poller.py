"""Polling accepted subscriptions: makes each call of a watch, records its answer and hands the watch back to the queue."""

from collections.abc import Awaitable, Callable, Sequence
from typing import assert_never
from uuid import UUID

from bulkreact.batch.dispatch.exchange import CallExecutor, CallResult
from bulkreact.batch.dispatch.reaction import Answered, Reaction, RefreshToken, Unanswered, react
from bulkreact.batch.dispatch.worker_pool import WorkerPool
from bulkreact.batch.environment import RunEnvironment
from bulkreact.batch.journal.call_log import intended_id
from bulkreact.batch.journal.pending_rows import PendingRow
from bulkreact.batch.journal.watched_rows import WatchedRow
from bulkreact.batch.policy import RetryIn
from bulkreact.batch.verify.activation import AutoRenewRestore, Next, WatchStep
from bulkreact.batch.verify.subscription_watch import Ended, SubscriptionWatch
from bulkreact.models import Operation
from bulkreact.partnercenter.protocol import CallContext
from bulkreact.partnercenter.subscription import Subscription
from bulkreact.partnercenter.verdicts import Verdict


class ActivationPoller:
    """Makes the calls of watches, one at a time for each, and records their answers with the outcomes.

    ``settled`` receives the rows that have ended, and those that are no longer watched and stay as they are; ``apply``
    acts on a call without an answer.
    """

    def __init__(
        self,
        pool: WorkerPool[SubscriptionWatch] | WorkerPool[PendingRow | SubscriptionWatch],
        *,
        executor: CallExecutor,
        environment: RunEnvironment,
        attempts: int,
        run_uuid: UUID,
        settled: Callable[[Sequence[Ended], Sequence[WatchedRow]], Awaitable[None]],
        apply: Callable[[SubscriptionWatch, Unanswered, CallResult, str], Awaitable[None]],
    ) -> None:
        self._pool = pool
        self._executor = executor
        self._environment = environment
        self._attempts = attempts
        self._run_uuid = run_uuid
        self._settled = settled
        self._apply = apply

    async def call(self, watch: SubscriptionWatch) -> None:
        """Make the next call of a watch."""
        restore = watch.restore
        if restore and (snapshot := restore.to_send(self._environment.monotonic())):
            await self._restore(watch, restore, snapshot)
        else:
            await self._read(watch)

    async def _read(self, watch: SubscriptionWatch) -> None:
        row = watch.begin_read()
        context = CallContext(location=watch.activation.location)
        result = await self._executor.call(row.ordinal, watch.activation.operation, row.target, context=context)
        reaction = self._react(result.verdict, failures=watch.failures, token_refused=watch.token_refused)
        if not isinstance(reaction, Answered):
            await self._repeat(watch, reaction, result)
            return
        ended, step = watch.apply_read(
            result.verdict,
            at=result.call.finished_at,
            now=self._environment.monotonic(),
            time_is_over=result.started >= watch.schedule.deadline,
        )
        await self._finish(watch, result, ended, step)

    async def _restore(self, watch: SubscriptionWatch, restore: AutoRenewRestore, snapshot: Subscription) -> None:
        """Switch auto-renewal on again, in the subscription that was just read as active."""
        row, operation, context = watch.members[""], Operation.RESTORE_AUTO_RENEW, CallContext(subscription=snapshot)
        request_id = intended_id(self._run_uuid, row.ordinal, operation, restore.intent)
        result = await self._executor.call(row.ordinal, operation, row.target, request_id=request_id, context=context)
        # A read in between does not show that the token is good: the update was refused with it.
        reaction = self._react(result.verdict, failures=restore.failures, token_refused=restore.token_refused)
        watch.restore = restore = restore.apply(result.verdict)
        if not isinstance(reaction, Answered):
            await self._repeat(watch, reaction, result)
            return
        ended, step = watch.apply_restore(restore, result.verdict)
        await self._finish(watch, result, ended, step)

    def _react(self, verdict: Verdict, *, failures: int, token_refused: bool) -> Reaction:
        attempts, chance = self._attempts, self._environment.chance()
        return react(verdict, failures=failures, token_refused=token_refused, attempts=attempts, chance=chance)

    async def _repeat(self, watch: SubscriptionWatch, reaction: Unanswered, result: CallResult) -> None:
        """Record a call without an answer, and have it made again or the run stopped."""
        await self._record(watch, result, [])
        watch.token_refused = isinstance(reaction, RefreshToken)
        watch.failures += isinstance(reaction, RetryIn)
        await self._apply(watch, reaction, result, f"reading the status of a subscription: {result.error}")

    async def _finish(self, watch: SubscriptionWatch, result: CallResult, ended: list[Ended], step: Next) -> None:
        """Record an answer together with the outcomes that it leads to, then do what follows."""
        late, unchanged = watch.close() if step is WatchStep.GIVE_UP else ([], [])
        ended += late
        await self._record(watch, result, ended)
        await self._settled(ended, unchanged)
        match step:
            case WatchStep.RESTORE_NOW:
                self._pool.queue.requeue_first(watch)
            case RetryIn(delay=delay):
                self._pool.queue.wait(watch, self._environment.monotonic() + delay)
            case WatchStep.POLL_NEXT_ROUND:
                self._pool.queue.wait(watch, watch.schedule.next(self._environment.monotonic()))
            case WatchStep.GIVE_UP | WatchStep.ALL_ACTIVE:
                self._pool.queue.done(watch)
            case _:
                assert_never(step)

    async def _record(self, watch: SubscriptionWatch, result: CallResult, ended: Sequence[Ended]) -> None:
        outcomes = [(row.ordinal, outcome) for row, outcome in ended]
        await self._executor.recorder.answered(result.call, result.verdict, settled=outcomes)
        self._pool.record_answer(watch, result)
