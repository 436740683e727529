"""The workers of one run: each takes a row, makes one call, keeps the answer, and does what the policy says."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from bulkreact.batch import policy
from bulkreact.batch.brakes import FailureThreshold, PermissionStreak, Refusal
from bulkreact.batch.pacing import Pacer
from bulkreact.batch.policy import Again, Hold, Renew, Settle, Step, Stop
from bulkreact.batch.queue import Queue, Row
from bulkreact.batch.recorder import Recorder
from bulkreact.batch.rows import request_id
from bulkreact.batch.throttle import Scope, Throttle
from bulkreact.errors import (
    EXIT_INTERRUPTED,
    EXIT_SUCCESS,
    EXIT_TERMINATED,
    CredentialsRefusedError,
    HaltedError,
)
from bulkreact.models import FAILURES, SUCCESSES, Call, Outcome, Reply, Request, RunState, Status
from bulkreact.partnercenter.bodies import DESCRIPTION_LENGTH
from bulkreact.partnercenter.protocol import WRITES, build_request, judge
from bulkreact.partnercenter.verdicts import CustomerRefused, PermissionRefused, Throttled, Verdict
from bulkreact.settings import Limits, Service


@dataclass(frozen=True, slots=True)
class Edges:
    """What a runner is handed from outside: the wire, the token, two clocks, chance and fresh GUIDs.

    ``now`` is the wall clock (aware, UTC), ``monotonic`` counts seconds, ``chance`` is uniform in [0, 1).
    ``renew`` fetches a fresh token unless that happened since the given monotonic moment; ``settled`` is told of
    every row that was settled by a call.
    """

    send: Callable[[Request], Awaitable[Reply]]
    renew: Callable[[float], Awaitable[None]]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    chance: Callable[[], float]
    new_id: Callable[[], str]
    settled: Callable[[Row, Outcome], None]


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the workers stopped; ``exit_code`` is 0 when every row was settled, however it ended."""

    state: RunState
    exit_code: int
    reason: str


COMPLETED = Ending(RunState.FINISHED, EXIT_SUCCESS, "complete")


@dataclass(slots=True)
class Tally:
    """What the terminal shows while a run goes on; rows of this session only."""

    total: int
    settled: int = 0
    failures: int = 0
    calls: int = 0


class Runner:
    """Settles every open row of one journal, or stops and leaves the rest open."""

    def __init__(
        self,
        *,
        run_uuid: UUID,
        recorder: Recorder,
        queue: Queue,
        edges: Edges,
        service: Service,
        limits: Limits,
        total: int,
        streak: PermissionStreak,
    ) -> None:
        self.queue = queue
        self.tally = Tally(total)
        self.pacer = Pacer(limits.calls_per_second)
        self._run_uuid = run_uuid
        self._recorder = recorder
        self._edges = edges
        self._service = service
        self._limits = limits
        self._throttle = Throttle(max_retry_after=limits.max_retry_after, max_throttle=limits.max_throttle)
        self._threshold = FailureThreshold(limits.halt, after=limits.halt_after)
        self._streak = streak
        self._ending: Ending | None = None

    async def run(self) -> Ending:
        """Work until every row is settled or the run is stopped; calls in flight are always allowed to end."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._limits.concurrency):
                    group.create_task(self._work())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        if self._ending and self._ending.state is RunState.HALTED and self.queue.empty:
            return COMPLETED
        return self._ending or COMPLETED

    @property
    def stopping(self) -> bool:
        """Tell whether the run ends before its time."""
        return self._ending is not None

    def interrupt(self, *, terminated: bool) -> None:
        """Hand out no more rows: somebody asked the program to end."""
        code, word = (EXIT_TERMINATED, "SIGTERM") if terminated else (EXIT_INTERRUPTED, "Ctrl-C")
        self._stop(Ending(RunState.INTERRUPTED, code, word))

    def _stop(self, ending: Ending) -> None:
        self._ending = self._ending or ending
        self.queue.close()
        self.pacer.close()

    async def _work(self) -> None:
        while row := await self.queue.take():
            await self.pacer.turn()
            candidate: Row | None = row
            while candidate and not self.queue.may_send(candidate):
                # Held, dropped or stopped while it waited for the turn: let another row have it.
                self.queue.put_back(candidate)
                candidate = self.queue.take_now()
            if candidate:
                await self._call(candidate)

    async def _call(self, row: Row) -> None:
        """Make the next call of a row: first durable, then sent; first the answer durable, then forgotten."""
        before = row.progress
        started, started_at = self._edges.monotonic(), iso(self._edges.now())
        request = build_request(
            before.operation,
            row.target,
            request_id=request_id(self._run_uuid, row) if before.operation in WRITES else self._edges.new_id(),
            correlation_id=self._edges.new_id(),
            api_version=self._service.api_version,
            locale=self._service.locale,
        )
        ids = request.headers["MS-RequestId"], request.headers["MS-CorrelationId"]
        call_id = await self._recorder.begin(
            row.ordinal, before.operation, request_id=ids[0], correlation_id=ids[1], started_at=started_at
        )
        self.tally.calls += 1
        reply = await self._edges.send(request)
        now = self._edges.now()
        verdict = judge(before.operation, reply, now=now)
        call = Call(call_id, *ids, started_at, iso(now), verdict.answer)
        row.progress = policy.advance(before, verdict, call)
        step = policy.decide(before, row.progress, verdict, attempts=self._limits.attempts, chance=self._edges.chance())
        settled = [(row.ordinal, step.outcome)] if isinstance(step, Settle | Stop) else []
        if before.operation in WRITES:
            settled.extend(self._watch_permissions(row, step, verdict))
        await self._recorder.answered(call_id, verdict, finished_at=call.finished_at, settled=settled)
        await self._follow(row, step, verdict, started)
        if isinstance(step, Settle):
            await self._consequences(row, step.outcome, verdict if before.operation in WRITES else None)

    def _watch_permissions(self, row: Row, step: Step, verdict: Verdict) -> list[tuple[int, Outcome]]:
        """Return the outcomes to be opened again when a streak of missing permissions stops the run.

        They go into the journal together with the answer that completes the streak.
        """
        if not isinstance(step, Settle):
            return []
        if not isinstance(verdict, PermissionRefused):
            self._streak.answered(success=step.outcome.status in SUCCESSES)
            return []
        if not self._streak.refused(Refusal(row.ordinal, row.target.customer_id, step.outcome)):
            return []
        refusals = self._streak.refusals
        words = f"{len(refusals)} rows in succession were refused for lack of permission ({step.outcome.code})"
        self._stop(Ending(RunState.ABORTED, CredentialsRefusedError.exit_code, words))
        return [(one.ordinal, replace(one.outcome, reopen=True)) for one in refusals]

    async def _follow(self, row: Row, step: Step, verdict: Verdict, started: float) -> None:
        if not isinstance(verdict, Throttled) and verdict.answer.http_status is not None:
            self._throttle.answered(row.target.customer_id, started=started)
            if self.pacer.pace:
                self.pacer.pace.speed_up()
        match step:
            case Settle(outcome=outcome):
                self.queue.done(row)
                self._settled(row, outcome)
            case Again(delay=delay):
                self.queue.wait(row, self._edges.monotonic() + delay)
            case Hold(retry_after=retry_after):
                await self._hold(row, retry_after, started)
            case Renew():
                await self._edges.renew(started)
                self.queue.wait(row, self._edges.monotonic())
            case Stop(outcome=outcome):
                self.queue.done(row)
                self._settled(row, outcome)
                words = f"row {row.number}: {verdict.answer.code}: {verdict.answer.description}"
                self._stop(Ending(RunState.ABORTED, CredentialsRefusedError.exit_code, words))
            case _:
                assert_never(step)

    def _settled(self, row: Row, outcome: Outcome) -> None:
        self._count(outcome)
        self._threshold.add(outcome)
        self._edges.settled(row, outcome)

    async def _settle_unsent(self, customer_id: str | None, outcome: Outcome) -> None:
        self._count(outcome, rows=await self._recorder.settle_unsent(customer_id, outcome))

    def _count(self, outcome: Outcome, rows: int = 1) -> None:
        self.tally.settled += rows
        if outcome.status in FAILURES:
            self.tally.failures += rows

    async def _consequences(self, row: Row, outcome: Outcome, verdict: Verdict | None) -> None:
        """Do what a settled row means for the others; ``verdict`` is that of a write call."""
        if isinstance(verdict, CustomerRefused):
            customer_id = row.target.customer_id
            self.queue.drop_unsent(customer_id)
            words = f"not sent: row {row.number} of the same customer was answered: {outcome.description}"
            unsent = Outcome(Status.FAILED, 0, None, outcome.code, words[:DESCRIPTION_LENGTH])
            await self._settle_unsent(customer_id, unsent)
        if self._threshold.passed:
            failures, settled = self._threshold.failures, self._threshold.settled
            code = self._threshold.codes.most_common(1)[0][0]
            words = f"{failures} of {settled} rows failed, most often with {code}: more than --halt-on-failures allows"
            self._stop(Ending(RunState.HALTED, HaltedError.exit_code, words))

    async def _hold(self, row: Row, retry_after: float | None, started: float) -> None:
        customer_id = row.target.customer_id
        ruling = self._throttle.throttled(
            customer_id,
            started=started,
            now=self._edges.monotonic(),
            retry_after=retry_after,
            chance=self._edges.chance(),
            alone=self.queue.alone(customer_id),
        )
        if ruling.slow_down and self.pacer.pace:
            self.pacer.pace.slow_down()
        if ruling.give_up:
            await self._give_up(row, ruling.scope)
            return
        if ruling.scope is Scope.CUSTOMER:
            self.queue.hold(customer_id, ruling.until)
        else:
            self.queue.hold_everybody(ruling.until)
        self.queue.wait(row, ruling.until)

    async def _give_up(self, row: Row, scope: Scope) -> None:
        """Defer the rows of a throttled scope that are not in flight; those in flight come to the same end."""
        customer_id = row.target.customer_id if scope is Scope.CUSTOMER else None
        begun = [row, *(self.queue.drop(customer_id) if customer_id else self.queue.drop_everybody())]
        outcomes = [(one, policy.given_up(one.progress)) for one in begun]
        await self._recorder.settle(*((one.ordinal, outcome) for one, outcome in outcomes))
        own = outcomes[0][1]
        words = f"not sent: {scope.value} is throttled for longer than this run waits"
        await self._settle_unsent(customer_id, Outcome(Status.DEFERRED, 0, None, own.code, words))
        self.queue.done(row)
        for one, outcome in outcomes:
            self._settled(one, outcome)


def iso(moment: datetime) -> str:
    """Return a UTC moment as ISO 8601 with milliseconds and ``Z``."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
