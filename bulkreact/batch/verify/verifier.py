"""The verification of a run: accepted rows are read until they are active, or the time for that is over."""

from collections.abc import Sequence
from uuid import UUID

from bulkreact.batch.dispatch.exchange import CallExecutor, CallResult
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.dispatch.reaction import Unanswered
from bulkreact.batch.dispatch.worker_pool import CallBudget, WorkerPool
from bulkreact.batch.environment import Phase, RunEnvironment, StopReason
from bulkreact.batch.verify.poller import ActivationPoller, Ended, Host, PollSchedule
from bulkreact.batch.verify.watch_list import SubscriptionWatch, WatchedRow
from bulkreact.models import Status


class Verifier:
    """Reads every watched row of one journal until it is active or the time is over."""

    def __init__(  # noqa: PLR0913 - all that a phase works with
        self,
        *,
        run_uuid: UUID,
        queue: Queue[SubscriptionWatch],
        timetable: PollSchedule,
        wire: CallExecutor,
        flow: CallBudget,
        edges: RunEnvironment,
        attempts: int,
        total: int,
        title: str = "Verifying",
    ) -> None:
        self._queue = queue
        self._timetable = timetable
        self._wire = wire
        self._edges = edges
        workers = self._workers = WorkerPool(title, queue, total=total, flow=flow, edges=edges, call=self._call)
        host = Host(
            queue.wait,
            queue.requeue_first,
            queue.done,
            workers.record_answer,
            self._apply,
            self._ended,
        )
        self._watching = ActivationPoller(host, wire=wire, edges=edges, attempts=attempts, run_uuid=run_uuid)

    async def run(self) -> StopReason:
        """Work until every row is settled or the run is stopped; what is not settled then stays as it was."""
        return await self._workers.run()

    @property
    def phase(self) -> Phase:
        """Return what can be watched and interrupted."""
        return self._workers

    async def _call(self, group: SubscriptionWatch) -> None:
        self._workers.progress.calls += 1
        await self._watching.call(group, self._timetable)

    async def _ended(self, ended: Sequence[Ended], left: Sequence[WatchedRow]) -> None:
        self._workers.progress.settled += len(ended) + len(left)
        for watched, outcome in ended:
            self._workers.progress.failures += outcome.status is Status.PENDING
            self._edges.settled(watched.number, outcome)

    async def _apply(self, group: SubscriptionWatch, reaction: Unanswered, exchange: CallResult, reason: str) -> None:
        """Act on a reaction; end the groups of a scope that is throttled for longer than the run waits."""
        abandoned = await self._workers.apply(group, reaction, exchange, abort_reason=reason)
        if abandoned is None:
            return
        ends = [self._watching.end(one) for one in abandoned.items]
        ended = [one for settled, _ in ends for one in settled]
        await self._wire.recorder.settle(*((watched.ordinal, outcome) for watched, outcome in ended))
        self._queue.done(group)
        await self._ended(ended, [one for _, left in ends for one in left])
