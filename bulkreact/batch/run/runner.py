"""The sending of a run: each open row is called until it is settled, or the run stops."""

from collections.abc import Awaitable
from functools import partial
from uuid import UUID

from msgspec.structs import replace

from bulkreact.batch import policy
from bulkreact.batch.dispatch.exchange import CallExecutor, CallResult
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.dispatch.reaction import AbortRun, Answered, Unanswered, react
from bulkreact.batch.dispatch.throttle import Scope
from bulkreact.batch.dispatch.worker_pool import Abandoned, CallBudget, WorkerPool
from bulkreact.batch.environment import COMPLETED, Phase, RunEnvironment, StopReason
from bulkreact.batch.halt import DenialBreaker, DeniedRow, FailureThreshold
from bulkreact.batch.journal.pending_rows import PendingRow, PendingRows, request_id
from bulkreact.batch.policy import AwaitParent, Finish, RowProgress, Step
from bulkreact.batch.run.dependencies import DependencyTracker, Item
from bulkreact.batch.run.parents import ParentSubscriptions
from bulkreact.batch.verify.activation import FRESH_SECONDS
from bulkreact.batch.verify.subscription_watch import SubscriptionWatch
from bulkreact.errors import HaltedError
from bulkreact.models import SUCCESSES, AutoRenew, Operation, Outcome, RunState, Status
from bulkreact.partnercenter.error_codes.local_codes import THROTTLED
from bulkreact.partnercenter.protocol import NO_CONTEXT, STEPS, CallContext
from bulkreact.partnercenter.response_bodies import DESCRIPTION_LENGTH
from bulkreact.partnercenter.verdicts import CustomerRefused, PermissionRefused, StatusRead, Verdict
from bulkreact.settings import Limits


class Runner:
    """Settles every open row of one journal, or stops and leaves the rest open."""

    def __init__(
        self,
        *,
        run_uuid: UUID,
        pending_rows: PendingRows,
        parents: ParentSubscriptions,
        executor: CallExecutor,
        budget: CallBudget,
        environment: RunEnvironment,
        limits: Limits,
        denial_breaker: DenialBreaker,
    ) -> None:
        total = pending_rows.count().rows
        self._queue: Queue[Item] = Queue(pending_rows, per_customer=limits.per_customer, clock=environment.monotonic)
        self._run_uuid = run_uuid
        self._executor = executor
        self._environment = environment
        self._limits = limits
        self._threshold = FailureThreshold(limits.halt, after=limits.halt_after)
        self._denial_breaker = denial_breaker
        self._pool = WorkerPool(
            "Reactivating",
            self._queue,
            total=total,
            budget=budget,
            environment=environment,
            call=self._call,
            flush=executor.recorder.flushed,
        )
        self._dependencies = DependencyTracker(
            parents,
            pending_rows,
            self._pool,
            executor=executor,
            environment=environment,
            limits=limits,
            run_uuid=run_uuid,
            apply=self._apply,
        )

    async def run(self) -> StopReason:
        """Work until every row is settled or the run is stopped; calls in flight are always allowed to end."""
        await self._dependencies.begin()
        ending = await self._pool.run()
        if self._pool.stopping:
            await self._dependencies.stop()
        # A threshold that the very last row has passed halts nothing.
        return COMPLETED if ending.state is RunState.HALTED and self._queue.empty else ending

    @property
    def phase(self) -> Phase:
        """Return what can be watched and interrupted."""
        return self._pool

    def _call(self, item: Item) -> Awaitable[None]:
        self._pool.progress.calls += 1
        return self._dependencies.call(item) if isinstance(item, SubscriptionWatch) else self._send(item)

    async def _send(self, row: PendingRow) -> None:
        """Make the next call of a row: it is durable before it leaves, and its answer before anybody is told."""
        before = row.progress = self._up_to_date(row)
        ours = request_id(self._run_uuid, row) if before.operation in STEPS else ""
        particulars = CallContext(subscription=row.subscription) if row.subscription else NO_CONTEXT
        exchange = await self._executor.call(
            row.ordinal, before.operation, row.target, request_id=ours, context=particulars
        )
        verdict = exchange.verdict
        if isinstance(verdict, StatusRead):
            row.subscription, row.read_at = verdict.subscription, self._environment.monotonic()
        row.progress = policy.advance(before, verdict, exchange.call)
        reaction = react(
            verdict,
            failures=before.retries.failures,
            token_refused=before.token_refused,
            attempts=self._limits.attempts,
            chance=self._environment.chance(),
        )
        if isinstance(reaction, Answered):
            await self._follow(row, policy.decide(before, row.progress, verdict), exchange)
            return
        outcome = policy.outcome_if_aborted(before, row.progress) if isinstance(reaction, AbortRun) else None
        settled = [(row.ordinal, outcome)] if outcome else []
        await self._executor.recorder.answered(exchange.call, verdict, settled=settled)
        self._pool.record_answer(row, exchange)
        if outcome:
            self._threshold.add(outcome)
            self._report(row, outcome)
        await self._apply(row, reaction, exchange, f"row {row.number}: {exchange.error}")

    async def _follow(self, row: PendingRow, decided: Step, exchange: CallResult) -> None:
        """Record an answer together with the outcome if it settles the row, then do what follows from it."""
        step, parent = self._dependencies.resolve(_with_auto_renew(decided, row), row, exchange.verdict)
        if isinstance(step, Finish):
            await self._settle(row, step.outcome, exchange)
            return
        await self._executor.recorder.answered(exchange.call, exchange.verdict)
        self._pool.record_answer(row, exchange)
        if not isinstance(step, AwaitParent):
            await self._apply(row, step, exchange, f"row {row.number}: {exchange.error}")
        elif parent is None:
            raise AssertionError("a row can only wait for a parent of this run")
        else:
            await self._dependencies.wait(row, parent, step.otherwise)

    async def _apply(self, item: Item, reaction: Unanswered, exchange: CallResult, reason: str) -> None:
        if abandoned := await self._pool.apply(item, reaction, exchange, abort_reason=reason):
            await self._defer(item, abandoned)

    async def _settle(self, row: PendingRow, outcome: Outcome, exchange: CallResult) -> None:
        """Write down how a row has ended, and do what that means; nobody is told of it before it is durable."""
        call, verdict = exchange.call, exchange.verdict
        of_step = exchange.operation in STEPS
        settled = [(row.ordinal, outcome)]
        if of_step:
            settled.extend(self._watch_permissions(row, outcome, verdict))
        told = partial(self._report, row, outcome)
        if row.target.entitlement_id:
            # No other row asks the journal for it, and no call leaves that begins later before it is durable.
            self._executor.recorder.record_answer_later(call, verdict, settled=settled, then=told)
        else:
            await self._executor.recorder.answered(call, verdict, settled=settled)
            told()
        self._pool.record_answer(row, exchange)
        self._threshold.add(outcome)
        # As long as the row is in hand the queue does not end.
        await self._dependencies.settled(row, outcome, verdict, may_reopen=self._denial_breaker.is_watching)
        self._queue.done(row)
        if of_step and isinstance(verdict, CustomerRefused):
            await self._refuse_customer(row, outcome)
        if self._threshold.is_passed:
            self._halt()

    def _up_to_date(self, row: PendingRow) -> RowProgress:
        """Return the progress of a row, put back to its reading when what was read is too old to go back."""
        if row.progress.operation is not Operation.REACTIVATE_SUBSCRIPTION:
            return row.progress
        # At a low pace it may always be so: reading once more is enough.
        old = self._environment.monotonic() - row.read_at > FRESH_SECONDS and not row.read_again
        row.read_again = old
        if row.subscription is None or old:
            return replace(row.progress, operation=Operation.GET_SUBSCRIPTION)
        return row.progress

    def _watch_permissions(self, row: PendingRow, outcome: Outcome, verdict: Verdict) -> list[tuple[int, Outcome]]:
        """Return the outcomes to be opened again when a streak of missing permissions stops the run.

        They go into the journal together with the answer that completes the streak.
        """
        if not isinstance(verdict, PermissionRefused):
            self._denial_breaker.record_answer(success=outcome.status in SUCCESSES)
            return []
        if not self._denial_breaker.record_denial(DeniedRow(row.ordinal, row.target.customer_id, outcome)):
            return []
        refusals = self._denial_breaker.denials
        self._pool.abort(f"{len(refusals)} rows in succession were refused for lack of permission ({outcome.code})")
        return [(one.ordinal, replace(one.outcome, reopen=True)) for one in refusals]

    def _report(self, row: PendingRow, outcome: Outcome) -> None:
        self._pool.progress.count(outcome)
        self._environment.on_settled(row.number, outcome)

    async def _settle_unsent(self, customer_id: str | None, outcome: Outcome) -> None:
        rows = await self._executor.recorder.settle_unsent(customer_id, outcome)
        self._pool.progress.count(outcome, rows=rows)

    async def _refuse_customer(self, row: PendingRow, outcome: Outcome) -> None:
        """End the rows of a customer that were never sent as one of them has ended."""
        customer_id = row.target.customer_id
        self._queue.drop_unsent(customer_id)
        words = f"not sent: row {row.number} of the same customer was answered: {outcome.description}"
        unsent = Outcome(Status.FAILED, 0, None, outcome.code, words[:DESCRIPTION_LENGTH])
        await self._settle_unsent(customer_id, unsent)
        await self._dependencies.on_customer_dropped(customer_id)

    def _halt(self) -> None:
        failures, settled = self._threshold.failures, self._threshold.settled
        code = self._threshold.codes.most_common(1)[0][0]
        words = f"{failures} of {settled} rows failed, most often with {code}: more than --halt-on-failures allows"
        self._pool.stop(StopReason(RunState.HALTED, HaltedError.exit_code, words))

    async def _defer(self, item: Item, abandoned: Abandoned[Item]) -> None:
        """Defer the rows of an abandoned scope that are not in flight; those in flight come to the same end."""
        scope = abandoned.scope
        customer_id = item.customer_id if scope is Scope.CUSTOMER else None
        rows = [row for row in abandoned.items if isinstance(row, PendingRow)]
        self._dependencies.forget(group for group in abandoned.items if isinstance(group, SubscriptionWatch))
        outcomes = [(one, policy.outcome_if_deferred(one.progress)) for one in rows]
        await self._executor.recorder.settle(*((one.ordinal, outcome) for one, outcome in outcomes))
        words = f"not sent: the {scope.value} is throttled for longer than this run waits"
        await self._settle_unsent(customer_id, Outcome(Status.DEFERRED, 0, None, THROTTLED, words))
        await self._dependencies.on_customer_dropped(customer_id)
        self._queue.done(item)
        for one, outcome in outcomes:
            self._threshold.add(outcome)
            self._report(one, outcome)


def _with_auto_renew(step: Step, row: PendingRow) -> Step:
    """Return a step that brings a subscription back with what is to be said of its auto-renewal."""
    if row.subscription is None or not row.subscription.auto_renew_disabled:
        return step
    came_back = {Status.ACCEPTED, Status.REACTIVATED}
    # What was active before may be without it on purpose: that is told to those who asked.
    told = came_back | {Status.ALREADY_ACTIVE} if row.restore_auto_renew else came_back
    if isinstance(step, Finish) and step.outcome.status in told:
        return Finish(replace(step.outcome, auto_renew=AutoRenew.OFF))
    return step
