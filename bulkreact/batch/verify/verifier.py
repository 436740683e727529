"""Verifies a run: reads accepted rows until they are active or the time is up."""

from bulkreact.batch.dispatch.call_budget import CallBudget
from bulkreact.batch.dispatch.call_executor import CallExecutor, CallResult
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.dispatch.reaction import Unanswered
from bulkreact.batch.dispatch.worker_pool import WorkerPool
from bulkreact.batch.environment import VERIFYING, RunEnvironment
from bulkreact.batch.verify.poller import ActivationPoller
from bulkreact.batch.verify.subscription_watch import SubscriptionWatch, WatchResult
from bulkreact.models import Status
from bulkreact.partnercenter.request_ids import RequestIds


class Verifier:
    """Reads every watched row until it is active or the time is up; if stopped, the others stay as they were."""

    def __init__(
        self,
        *,
        request_ids: RequestIds,
        queue: Queue[SubscriptionWatch],
        executor: CallExecutor,
        budget: CallBudget,
        environment: RunEnvironment,
        total: int,
        customers: int,
        title: str = VERIFYING,
    ) -> None:
        self._executor = executor
        self._environment = environment
        self.pool = WorkerPool(
            title,
            queue,
            total=total,
            customers=customers,
            budget=budget,
            environment=environment,
            call=self._call,
        )
        self._poller = ActivationPoller(
            self.pool,
            executor=executor,
            environment=environment,
            request_ids=request_ids,
            on_settled=self._on_settled,
            apply=self._apply,
        )

    async def _call(self, watch: SubscriptionWatch) -> None:
        self.pool.progress.calls += 1
        await self._poller.call(watch)

    async def _on_settled(self, settled: WatchResult) -> None:
        self.pool.progress.settled += len(settled.ended) + len(settled.unwatched)
        for row, outcome in settled.ended:
            self.pool.progress.failures += outcome.status is Status.PENDING
            self._environment.on_settled(row.number, outcome)

    async def _apply(
        self, watch: SubscriptionWatch, reaction: Unanswered, result: CallResult, abort_reason: str
    ) -> None:
        """Handle a call without an answer; close the watches of a scope that is throttled for too long."""
        abandoned = await self.pool.apply(watch, reaction, result, abort_reason=abort_reason)
        if abandoned is None:
            return
        closed = [abandoned_watch.close() for abandoned_watch in abandoned.items]
        ended = [end for settled in closed for end in settled.ended]
        await self._executor.recorder.settle(*((row.ordinal, outcome) for row, outcome in ended))
        self.pool.queue.done(watch)
        await self._on_settled(WatchResult(ended, [row for settled in closed for row in settled.unwatched]))
