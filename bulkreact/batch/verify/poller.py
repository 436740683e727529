"""Polls accepted subscriptions: makes each call of a watch, records the answer and returns the watch to the queue."""

from collections.abc import Awaitable, Callable
from typing import assert_never

from bulkreact.batch.dispatch.call_executor import CallExecutor, CallResult
from bulkreact.batch.dispatch.reaction import Answered, Unanswered
from bulkreact.batch.dispatch.worker_pool import WorkerPool
from bulkreact.batch.environment import RunEnvironment, WaitReason
from bulkreact.batch.journal.pending_rows import PendingRow
from bulkreact.batch.policy import RetryIn
from bulkreact.batch.verify.activation import Next, WatchStep
from bulkreact.batch.verify.subscription_watch import SubscriptionWatch, WatchResult
from bulkreact.partnercenter.request_ids import RequestIds


class ActivationPoller:
    """Makes the calls of watches, one at a time for each, and records answers with outcomes.

    ``on_settled`` receives the rows that each answer settles, ``apply`` handles a call without an answer.
    """

    def __init__(
        self,
        pool: WorkerPool[SubscriptionWatch] | WorkerPool[PendingRow | SubscriptionWatch],
        *,
        executor: CallExecutor,
        environment: RunEnvironment,
        request_ids: RequestIds,
        on_settled: Callable[[WatchResult], Awaitable[None]],
        apply: Callable[[SubscriptionWatch, Unanswered, CallResult, str], Awaitable[None]],
    ) -> None:
        self._pool = pool
        self._executor = executor
        self._environment = environment
        self._request_ids = request_ids
        self._settled = on_settled
        self._apply = apply

    async def call(self, watch: SubscriptionWatch) -> None:
        """Make the next call of a watch; its answer is durable before the next step."""
        call = watch.next_call(self._environment.monotonic())
        ordinal, request_sequence = call.row.ordinal, call.request_sequence
        request_id = (
            ""
            if request_sequence is None
            else self._request_ids.derive(ordinal, call.operation, call.row.target, request_sequence)
        )
        result = await self._executor.call(
            ordinal, call.operation, call.row.target, request_id=request_id, context=call.context
        )
        reaction, suspicion = self._pool.react(watch, result, failures=call.failures, token_refused=call.token_refused)
        if not isinstance(reaction, Answered):
            watch.apply_unanswered(call, result.verdict, suspicion=suspicion)
            await self._record(watch, result, WatchResult())
            await self._apply(watch, reaction, result, f"reading the status of a subscription: {result.error}")
            return
        # An outage uses up no time of the watch.
        down = self._pool.seconds_down(watch.schedule.started)
        settled, step = watch.apply(
            call,
            result.verdict,
            at=result.call.finished_at,
            now=self._environment.monotonic(),
            started=result.started - down,
        )
        await self._record(watch, result, settled)
        await self._settled(settled)
        self._follow(watch, step)

    async def _record(self, watch: SubscriptionWatch, result: CallResult, settled: WatchResult) -> None:
        outcomes = [(row.ordinal, outcome) for row, outcome in settled.ended]
        await self._executor.recorder.record_answer(result.call, result.verdict, settled=outcomes)
        self._pool.note_answer(watch, result)

    def _follow(self, watch: SubscriptionWatch, step: Next) -> None:
        """Return a watch to the queue."""
        now = self._environment.monotonic()
        match step:
            case WatchStep.RESTORE_NOW:
                self._pool.queue.requeue_first(watch)
            case RetryIn(delay=delay):
                self._pool.queue.wait(watch, now + delay, WaitReason.ACTIVATION)
            case WatchStep.POLL_NEXT_ROUND:
                down = self._pool.seconds_down(watch.schedule.started)
                self._pool.queue.wait(watch, watch.schedule.next(now - down) + down, WaitReason.ACTIVATION)
            case WatchStep.GIVE_UP | WatchStep.ALL_ACTIVE:
                self._pool.queue.done(watch)
            case _:
                assert_never(step)
