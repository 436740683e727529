"""The sending of a run: each open row is called until it is settled, or the run stops."""

from dataclasses import replace
from typing import assert_never
from uuid import UUID

from bulkreact.batch import policy
from bulkreact.batch.brakes import FailureThreshold, PermissionStreak, Refusal
from bulkreact.batch.edges import COMPLETED, Edges, Ending, Phase
from bulkreact.batch.policy import Again, Hold, Renew, Settle, Step, Stop
from bulkreact.batch.queue import Queue
from bulkreact.batch.rows import Row, request_id
from bulkreact.batch.throttle import Scope
from bulkreact.batch.wire import Exchange, Wire
from bulkreact.batch.workers import Flow, Workers
from bulkreact.errors import HaltedError
from bulkreact.models import FAILURES, SUCCESSES, Outcome, RunState, Status
from bulkreact.partnercenter.bodies import DESCRIPTION_LENGTH
from bulkreact.partnercenter.protocol import WRITES
from bulkreact.partnercenter.verdicts import CustomerRefused, PermissionRefused, Verdict
from bulkreact.settings import Limits


class Runner:
    """Settles every open row of one journal, or stops and leaves the rest open."""

    def __init__(
        self,
        *,
        run_uuid: UUID,
        queue: Queue[Row],
        wire: Wire,
        flow: Flow,
        edges: Edges,
        limits: Limits,
        total: int,
        streak: PermissionStreak,
    ) -> None:
        self._queue = queue
        self._run_uuid = run_uuid
        self._wire = wire
        self._edges = edges
        self._limits = limits
        self._threshold = FailureThreshold(limits.halt, after=limits.halt_after)
        self._streak = streak
        self._workers = Workers("Reactivating", queue, total=total, flow=flow, edges=edges, call=self._call)

    async def run(self) -> Ending:
        """Work until every row is settled or the run is stopped; calls in flight are always allowed to end."""
        ending = await self._workers.run()
        # A threshold that the very last row has passed halts nothing.
        return COMPLETED if ending.state is RunState.HALTED and self._queue.empty else ending

    @property
    def phase(self) -> Phase:
        """Return what can be watched and interrupted."""
        return self._workers

    async def _call(self, row: Row) -> None:
        """Make the next call of a row: first durable, then sent; first the answer durable, then forgotten."""
        before = row.progress
        ours = request_id(self._run_uuid, row) if before.operation in WRITES else ""
        self._workers.tally.calls += 1
        exchange = await self._wire.call(row.ordinal, before.operation, row.target, request_id=ours)
        verdict = exchange.verdict
        row.progress = policy.advance(before, verdict, exchange.call)
        step = policy.decide(before, row.progress, verdict, attempts=self._limits.attempts, chance=self._edges.chance())
        settled = [(row.ordinal, step.outcome)] if isinstance(step, Settle | Stop) else []
        if before.operation in WRITES:
            settled.extend(self._watch_permissions(row, step, verdict))
        await self._wire.recorder.answered(exchange.call, verdict, settled=settled)
        self._workers.heed(row, exchange)
        await self._follow(row, step, exchange)
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
        self._workers.refuse(
            f"{len(refusals)} rows in succession were refused for lack of permission ({step.outcome.code})"
        )
        return [(one.ordinal, replace(one.outcome, reopen=True)) for one in refusals]

    async def _follow(self, row: Row, step: Step, exchange: Exchange) -> None:
        match step:
            case Settle(outcome=outcome):
                self._queue.done(row)
                self._settled(row, outcome)
            case Again(delay=delay):
                self._queue.wait(row, self._edges.monotonic() + delay)
            case Hold(retry_after=retry_after):
                if scope := self._workers.hold(row, exchange, retry_after):
                    await self._give_up(row, scope)
            case Renew():
                await self._workers.renew(exchange.started)
                self._queue.wait(row, self._edges.monotonic())
            case Stop(outcome=outcome):
                self._queue.done(row)
                self._settled(row, outcome)
                answer = exchange.verdict.answer
                self._workers.refuse(f"row {row.number}: {answer.code}: {answer.description}")
            case _:
                assert_never(step)

    def _settled(self, row: Row, outcome: Outcome) -> None:
        self._count(outcome)
        self._threshold.add(outcome)
        self._edges.settled(row.number, outcome)

    async def _settle_unsent(self, customer_id: str | None, outcome: Outcome) -> None:
        self._count(outcome, rows=await self._wire.recorder.settle_unsent(customer_id, outcome))

    def _count(self, outcome: Outcome, rows: int = 1) -> None:
        self._workers.tally.settled += rows
        if outcome.status in FAILURES:
            self._workers.tally.failures += rows

    async def _consequences(self, row: Row, outcome: Outcome, verdict: Verdict | None) -> None:
        """Do what a settled row means for the others; ``verdict`` is that of a write call."""
        if isinstance(verdict, CustomerRefused):
            customer_id = row.target.customer_id
            self._queue.drop_unsent(customer_id)
            words = f"not sent: row {row.number} of the same customer was answered: {outcome.description}"
            unsent = Outcome(Status.FAILED, 0, None, outcome.code, words[:DESCRIPTION_LENGTH])
            await self._settle_unsent(customer_id, unsent)
        if self._threshold.passed:
            failures, settled = self._threshold.failures, self._threshold.settled
            code = self._threshold.codes.most_common(1)[0][0]
            words = f"{failures} of {settled} rows failed, most often with {code}: more than --halt-on-failures allows"
            self._workers.stop(Ending(RunState.HALTED, HaltedError.exit_code, words))

    async def _give_up(self, row: Row, scope: Scope) -> None:
        """Defer the rows of a throttled scope that are not in flight; those in flight come to the same end."""
        customer_id = row.target.customer_id if scope is Scope.CUSTOMER else None
        outcomes = [(one, policy.given_up(one.progress)) for one in self._workers.give_up(row, scope)]
        await self._wire.recorder.settle(*((one.ordinal, outcome) for one, outcome in outcomes))
        own = outcomes[0][1]
        words = f"not sent: {scope.value} is throttled for longer than this run waits"
        await self._settle_unsent(customer_id, Outcome(Status.DEFERRED, 0, None, own.code, words))
        self._queue.done(row)
        for one, outcome in outcomes:
            self._settled(one, outcome)
