"""The verification of a run: reads accepted rows until they are active or the time is over."""

from collections.abc import Sequence
from uuid import UUID

from bulkreact.batch.dispatch.exchange import CallExecutor, CallResult
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.dispatch.reaction import Unanswered
from bulkreact.batch.dispatch.worker_pool import CallBudget, WorkerPool
from bulkreact.batch.environment import Phase, RunEnvironment, StopReason
from bulkreact.batch.journal.watched_rows import WatchedRow
from bulkreact.batch.verify.poller import ActivationPoller
from bulkreact.batch.verify.subscription_watch import Ended, SubscriptionWatch
from bulkreact.models import Status


class Verifier:
    """Reads every watched row of one journal until it is active or the time is over."""

    def __init__(
        self,
        *,
        run_uuid: UUID,
        queue: Queue[SubscriptionWatch],
        executor: CallExecutor,
        budget: CallBudget,
        environment: RunEnvironment,
        attempts: int,
        total: int,
        title: str = "Verifying",
    ) -> None:
        self._executor = executor
        self._environment = environment
        self._pool = WorkerPool(title, queue, total=total, budget=budget, environment=environment, call=self._call)
        self._poller = ActivationPoller(
            self._pool,
            executor=executor,
            environment=environment,
            attempts=attempts,
            run_uuid=run_uuid,
            settled=self._settled,
            apply=self._apply,
        )

    async def run(self) -> StopReason:
        """Work until every row is settled or the run is stopped; the other rows then stay as they were."""
        return await self._pool.run()

    @property
    def phase(self) -> Phase:
        """Return what can be watched and interrupted."""
        return self._pool

    async def _call(self, watch: SubscriptionWatch) -> None:
        self._pool.progress.calls += 1
        await self._poller.call(watch)

    async def _settled(self, ended: Sequence[Ended], unchanged: Sequence[WatchedRow]) -> None:
        self._pool.progress.settled += len(ended) + len(unchanged)
        for row, outcome in ended:
            self._pool.progress.failures += outcome.status is Status.PENDING
            self._environment.on_settled(row.number, outcome)

    async def _apply(
        self, watch: SubscriptionWatch, reaction: Unanswered, result: CallResult, abort_reason: str
    ) -> None:
        """Act on a call without an answer; close the watches of a scope that is throttled for too long."""
        abandoned = await self._pool.apply(watch, reaction, result, abort_reason=abort_reason)
        if abandoned is None:
            return
        closed = [abandoned_watch.close() for abandoned_watch in abandoned.items]
        ended = [end for ends, _ in closed for end in ends]
        await self._executor.recorder.settle(*((row.ordinal, outcome) for row, outcome in ended))
        self._pool.queue.done(watch)
        await self._settled(ended, [row for _, unchanged in closed for row in unchanged])
