"""The verification of a run: accepted rows are read until they are active, or the time for that is over."""

from collections.abc import Sequence
from uuid import UUID

from bulkreact.batch.dispatch.exchange import Wire
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.dispatch.throttle import Scope
from bulkreact.batch.dispatch.worker_pool import Flow, Workers
from bulkreact.batch.environment import Edges, Ending, Phase
from bulkreact.batch.verify.poller import Ended, Host, Timetable, Watching
from bulkreact.batch.verify.watch_list import Group, Watched
from bulkreact.models import Status


class Verifier:
    """Reads every watched row of one journal until it is active or the time is over."""

    def __init__(  # noqa: PLR0913 - all that a phase works with
        self,
        *,
        run_uuid: UUID,
        queue: Queue[Group],
        timetable: Timetable,
        wire: Wire,
        flow: Flow,
        edges: Edges,
        attempts: int,
        total: int,
        title: str = "Verifying",
    ) -> None:
        self._queue = queue
        self._timetable = timetable
        self._wire = wire
        self._edges = edges
        workers = self._workers = Workers(title, queue, total=total, flow=flow, edges=edges, call=self._call)
        host = Host(
            queue.wait,
            queue.go_on,
            queue.done,
            workers.heed,
            workers.hold,
            self._give_up,
            workers.renew,
            workers.refuse,
            self._ended,
        )
        self._watching = Watching(host, wire=wire, edges=edges, attempts=attempts, run_uuid=run_uuid)

    async def run(self) -> Ending:
        """Work until every row is settled or the run is stopped; what is not settled then stays as it was."""
        return await self._workers.run()

    @property
    def phase(self) -> Phase:
        """Return what can be watched and interrupted."""
        return self._workers

    async def _call(self, group: Group) -> None:
        self._workers.tally.calls += 1
        await self._watching.call(group, self._timetable)

    async def _ended(self, ended: Sequence[Ended], left: Sequence[Watched]) -> None:
        self._workers.tally.settled += len(ended) + len(left)
        for watched, outcome in ended:
            self._workers.tally.failures += outcome.status is Status.PENDING
            self._edges.settled(watched.number, outcome)

    async def _give_up(self, group: Group, scope: Scope) -> None:
        """End the groups of a scope that is throttled for longer than the run waits."""
        ends = [self._watching.end(one) for one in self._workers.give_up(group, scope)]
        ended = [one for settled, _ in ends for one in settled]
        await self._wire.recorder.settle(*((watched.ordinal, outcome) for watched, outcome in ended))
        self._queue.done(group)
        await self._ended(ended, [one for _, left in ends for one in left])
