"""The verification of a run: accepted rows are read until they are active, or the time for that is over."""

from datetime import datetime

from bulkreact.batch.edges import Edges, Ending, Phase
from bulkreact.batch.policy import backoff
from bulkreact.batch.queue import Queue
from bulkreact.batch.throttle import Scope
from bulkreact.batch.watched import Group, Watched
from bulkreact.batch.wire import Exchange, Wire
from bulkreact.batch.workers import Flow, Workers
from bulkreact.models import Operation, Outcome, Status
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.bodies import DESCRIPTION_LENGTH
from bulkreact.partnercenter.verdicts import Verdict
from bulkreact.settings import Verification


class Timetable:
    """When watched rows are read; monotonic seconds, counted from the moment at which watching begins."""

    def __init__(self, verification: Verification, edges: Edges) -> None:
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


class Verifier:
    """Reads every watched row of one journal until it is active or the time is over."""

    def __init__(
        self,
        *,
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
        self._attempts = attempts
        self._workers = Workers(title, queue, total=total, flow=flow, edges=edges, call=self._call)

    async def run(self) -> Ending:
        """Work until every row is settled or the run is stopped; what is not settled then stays as it was."""
        return await self._workers.run()

    @property
    def phase(self) -> Phase:
        """Return what can be watched and interrupted."""
        return self._workers

    async def _call(self, group: Group) -> None:
        """Make the next call of a group's reading, and keep its answer together with what it settles."""
        if not group.reading:
            group.begin()
        one = next(iter(group.unread), None)
        # The list is asked for in the name of the first member.
        target = group.target(one or next(iter(group.members)))
        operation = Operation.GET_ENTITLEMENT if one else Operation.LIST_ENTITLEMENTS
        self._workers.tally.calls += 1
        exchange = await self._wire.call(group.members[target.entitlement_id].ordinal, operation, target)
        unanswered = self._is_unanswered(group, exchange.verdict)
        settled = [] if unanswered else self._read(group, one, exchange)
        outcomes = [(watched.ordinal, outcome) for watched, outcome in settled]
        await self._wire.recorder.answered(exchange.call, exchange.verdict, settled=outcomes)
        self._workers.heed(group, exchange)
        self._settled(settled)
        if unanswered:
            await self._repeat(group, exchange)
        elif group.members:
            self._queue.wait(group, self._edges.monotonic() if group.reading else self._timetable.next())
        else:
            self._queue.done(group)

    def _is_unanswered(self, group: Group, verdict: Verdict) -> bool:
        """Tell whether a verdict says nothing of the targets: the same call is then made again, or none at all."""
        match verdict:
            case verdicts.Transient():
                return group.failures + 1 < self._attempts
            case _:
                return isinstance(verdict, verdicts.Throttled | verdicts.TokenRefused | verdicts.Fatal)

    def _read(self, group: Group, one: str | None, exchange: Exchange) -> list[tuple[Watched, Outcome]]:
        """Take what was read out of the group; return the rows that are settled by it."""
        settled = []
        for entitlement_id in group.take(one, exchange.verdict, at=exchange.call.finished_at):
            watched = group.members.pop(entitlement_id)
            before = watched.outcome
            settled.append((watched, Outcome(Status.REACTIVATED, before.attempts, before.call)))
        over = not group.reading and exchange.started >= self._timetable.deadline
        return settled + (self._end(group) if over else [])

    def _end(self, group: Group) -> list[tuple[Watched, Outcome]]:
        """Return how the members of a group end that is watched no longer.

        Lost calls among them stay as they are, and so does what was never read.
        """
        ended = []
        for entitlement_id, watched in group.members.items():
            before, seen = watched.outcome, group.seen.get(entitlement_id)
            words = f"not seen active: {seen}"[:DESCRIPTION_LENGTH]
            if seen and watched.may_end_pending:
                outcome = Outcome(Status.PENDING, before.attempts, before.call, before.code, words)
                ended.append((watched, outcome))
        self._workers.tally.settled += len(group.members) - len(ended)
        group.members.clear()
        return ended

    def _settled(self, settled: list[tuple[Watched, Outcome]]) -> None:
        for watched, outcome in settled:
            self._workers.tally.settled += 1
            self._workers.tally.failures += outcome.status is Status.PENDING
            self._edges.settled(watched.number, outcome)

    async def _repeat(self, group: Group, exchange: Exchange) -> None:
        """Hand a group back to the queue whose call must be made again, or stop."""
        answer = exchange.verdict.answer
        refused_before = group.token_refused
        group.token_refused = isinstance(exchange.verdict, verdicts.TokenRefused)
        match exchange.verdict:
            case verdicts.Throttled(retry_after=retry_after):
                if scope := self._workers.hold(group, exchange, retry_after):
                    await self._give_up(group, scope)
            case verdicts.TokenRefused() if not refused_before:
                await self._workers.renew(exchange.started)
                self._queue.wait(group, self._edges.monotonic())
            case verdicts.Transient():
                group.failures += 1
                pause = backoff(group.failures, self._edges.chance())
                self._queue.wait(group, self._edges.monotonic() + pause)
            case _:
                self._queue.done(group)
                self._workers.refuse(f"reading how a subscription stands: {answer.code}: {answer.description}")

    async def _give_up(self, group: Group, scope: Scope) -> None:
        """End the groups of a scope that is throttled for longer than the run waits."""
        groups = self._workers.give_up(group, scope)
        settled = [one for each in groups for one in self._end(each)]
        await self._wire.recorder.settle(*((watched.ordinal, outcome) for watched, outcome in settled))
        self._queue.done(group)
        self._settled(settled)
