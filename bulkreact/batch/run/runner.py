"""Sends a run: calls each pending row until it is settled or the run stops."""

from collections.abc import Awaitable
from functools import partial

from msgspec.structs import replace

from bulkreact.batch import policy
from bulkreact.batch.dispatch.call_budget import CallBudget
from bulkreact.batch.dispatch.call_executor import CallExecutor, CallResult
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.dispatch.reaction import AbortRun, Answered, AwaitProof, Unanswered
from bulkreact.batch.dispatch.throttle import ThrottleScope
from bulkreact.batch.dispatch.worker_pool import AbandonedScope, WorkerPool
from bulkreact.batch.environment import COMPLETED, RunEnvironment, StopReason, WaitReason
from bulkreact.batch.halt import DenialBreaker, DeniedRow, FailureThreshold
from bulkreact.batch.journal.pending_rows import PendingRow, PendingRows, next_request_id
from bulkreact.batch.policy import AwaitParent, Finish, Step
from bulkreact.batch.progress import RowProgress, advance
from bulkreact.batch.run.dependencies import DependencyTracker, Item
from bulkreact.batch.run.parents import ParentSubscriptions
from bulkreact.batch.verify.activation import FRESH_SECONDS
from bulkreact.batch.verify.subscription_watch import SubscriptionWatch
from bulkreact.errors import HaltedError
from bulkreact.models import SUCCESSES, AutoRenew, Operation, Outcome, RunState, Status
from bulkreact.partnercenter.error_codes.local_codes import THROTTLED
from bulkreact.partnercenter.protocol import NO_CONTEXT, STEPS, CallContext
from bulkreact.partnercenter.request_ids import RequestIds
from bulkreact.partnercenter.response_bodies import DESCRIPTION_LENGTH
from bulkreact.partnercenter.verdicts import CustomerRefused, PermissionRefused, StatusRead, Transient, Verdict
from bulkreact.settings import Limits
from bulkreact.wording import plural


class Runner:
    """Settles every pending row of a journal, or stops and leaves the rest pending."""

    def __init__(
        self,
        *,
        request_ids: RequestIds,
        pending_rows: PendingRows,
        parents: ParentSubscriptions,
        executor: CallExecutor,
        budget: CallBudget,
        environment: RunEnvironment,
        limits: Limits,
        denial_breaker: DenialBreaker,
    ) -> None:
        pending = pending_rows.count()
        self._queue: Queue[Item] = Queue(pending_rows, per_customer=limits.per_customer, clock=environment.monotonic)
        self._request_ids = request_ids
        self._executor = executor
        self._environment = environment
        self._limits = limits
        self._threshold = FailureThreshold(limits.halt, after=limits.halt_after)
        self._denial_breaker = denial_breaker
        self.pool = WorkerPool(
            "Reactivating",
            self._queue,
            total=pending.rows,
            customers=pending.customers,
            budget=budget,
            environment=environment,
            call=self._call,
            flush=executor.recorder.flush,
        )
        self.pool.awaited = WaitReason.PARENT
        self._dependencies = DependencyTracker(
            parents,
            pending_rows,
            self.pool,
            executor=executor,
            environment=environment,
            limits=limits,
            request_ids=request_ids,
            apply=self._apply,
        )

    async def run(self) -> StopReason:
        """Work until every row is settled or the run is stopped; calls in flight always finish."""
        await self._dependencies.begin()
        stop_reason = await self.pool.run()
        if self.pool.stopping:
            await self._dependencies.stop()
        # If the last row exceeds the threshold there is nothing left to halt.
        return COMPLETED if stop_reason.state is RunState.HALTED and self._queue.empty else stop_reason

    def _call(self, item: Item) -> Awaitable[None]:
        if isinstance(item, PendingRow) and (failure := item.last_failure):
            item.last_failure = None
            if not self.pool.was_outage(item.progress.retries.failures[-1]):
                return self._settle_failed(item, *failure)
        self.pool.progress.calls += 1
        return self._dependencies.call(item) if isinstance(item, SubscriptionWatch) else self._send(item)

    async def _send(self, row: PendingRow) -> None:
        """Make the next call of a row: it is durable before it is sent, and its answer before the next step."""
        before = row.progress = self._up_to_date(row)
        own_id = next_request_id(self._request_ids, row) if before.operation in STEPS else ""
        context = CallContext(subscription=row.subscription) if row.subscription else NO_CONTEXT
        result = await self._executor.call(
            row.ordinal, before.operation, row.target, request_id=own_id, context=context
        )
        verdict = result.verdict
        if isinstance(verdict, StatusRead):
            row.subscription, row.read_at = verdict.subscription, self._environment.monotonic()
        reaction, suspicion = self.pool.react(
            row, result, failures=before.retries.failures, token_refused=before.token_refused
        )
        row.progress = advance(before, verdict, result.call, suspicion=suspicion)
        if isinstance(reaction, Answered):
            await self._follow(row, self._decide(before, row, verdict), result)
            return
        if isinstance(reaction, AwaitProof):
            step = self._decide(before, row, verdict)
            row.last_failure = (step.outcome, verdict) if isinstance(step, Finish) else None
        outcome = policy.outcome_if_aborted(before, row.progress) if isinstance(reaction, AbortRun) else None
        settled = [(row.ordinal, outcome)] if outcome else []
        await self._executor.recorder.record_answer(result.call, verdict, settled=settled)
        self.pool.note_answer(row, result)
        if outcome:
            self._threshold.add(outcome)
            self._report(row, outcome)
        await self._apply(row, reaction, result, f"row {row.number}: {result.error}")

    def _decide(self, before: RowProgress, row: PendingRow, verdict: Verdict) -> Step:
        """Return the step after an answer, or after the last allowed failure."""
        if isinstance(verdict, Transient) and (verdict.retry_after or 0.0) > self._limits.max_retry_after:
            return Finish(policy.outcome_if_deferred(row.progress))
        return policy.decide(before, row.progress, verdict)

    async def _follow(self, row: PendingRow, decided: Step, result: CallResult) -> None:
        """Record an answer, with the outcome if it settles the row, and take the next step."""
        step, parent = self._dependencies.resolve(_with_auto_renew(decided, row), row, result.verdict)
        if isinstance(step, Finish):
            await self._settle(row, step.outcome, result)
            return
        await self._executor.recorder.record_answer(result.call, result.verdict)
        self.pool.note_answer(row, result)
        if not isinstance(step, AwaitParent):
            await self._apply(row, step, result, f"row {row.number}: {result.error}")
        elif parent is None:
            raise AssertionError("a row can only wait for a parent of this run")
        else:
            await self._dependencies.wait(row, parent, step.outcome_without_wait)

    async def _apply(self, item: Item, reaction: Unanswered, result: CallResult, reason: str) -> None:
        if abandoned := await self.pool.apply(item, reaction, result, abort_reason=reason):
            await self._defer(item, abandoned)

    async def _settle(self, row: PendingRow, outcome: Outcome, result: CallResult) -> None:
        """Record the outcome of a row and apply it; it is reported when it is durable."""
        call, verdict = result.call, result.verdict
        is_step = result.operation in STEPS
        settled = [(row.ordinal, outcome)]
        if is_step:
            settled.extend(self._check_permissions(row, outcome, verdict))
        report = partial(self._report, row, outcome)
        if row.target.entitlement_id:
            # No other row depends on it, and it is durable before any later call is sent.
            self._executor.recorder.record_answer_later(call, verdict, settled=settled, on_durable=report)
        else:
            await self._executor.recorder.record_answer(call, verdict, settled=settled)
            report()
        self.pool.note_answer(row, result)
        await self._apply_outcome(row, outcome, verdict)
        if is_step and isinstance(verdict, CustomerRefused):
            await self._refuse_customer(row, outcome)
        if self._threshold.is_exceeded:
            self._halt()

    async def _settle_failed(self, row: PendingRow, outcome: Outcome, verdict: Verdict) -> None:
        """Settle a row whose last attempt was no part of an outage; the answer to that was recorded when it came."""
        self._check_permissions(row, outcome, verdict)
        await self._executor.recorder.settle((row.ordinal, outcome))
        self._report(row, outcome)
        await self._apply_outcome(row, outcome, verdict)
        if self._threshold.is_exceeded:
            self._halt()

    async def _apply_outcome(self, row: PendingRow, outcome: Outcome, verdict: Verdict) -> None:
        self._threshold.add(outcome)
        # The queue cannot become empty before the row is returned.
        await self._dependencies.on_settled(row, outcome, verdict, may_reopen=self._denial_breaker.is_watching)
        self._queue.done(row)

    def _up_to_date(self, row: PendingRow) -> RowProgress:
        """Return the progress of a row, reset to its read if the snapshot is missing or too old for an update."""
        if row.progress.operation is not Operation.REACTIVATE_SUBSCRIPTION:
            return row.progress
        # At a low rate every snapshot is too old by then: one more read is enough.
        old = self._environment.monotonic() - row.read_at > FRESH_SECONDS and not row.read_again
        row.read_again = old
        if row.subscription is None or old:
            return replace(row.progress, operation=Operation.GET_SUBSCRIPTION)
        return row.progress

    def _check_permissions(self, row: PendingRow, outcome: Outcome, verdict: Verdict) -> list[tuple[int, Outcome]]:
        """Return the outcomes to reopen if successive missing permissions abort the run.

        They are recorded together with the last of these answers.
        """
        if not isinstance(verdict, PermissionRefused):
            self._denial_breaker.record_answer(success=outcome.status in SUCCESSES)
            return []
        if not self._denial_breaker.record_denial(DeniedRow(row.ordinal, row.target.customer_id, outcome)):
            return []
        denials = self._denial_breaker.denials
        self.pool.abort(f"{len(denials)} rows in succession were refused for lack of permission ({outcome.code})")
        return [(denied.ordinal, replace(denied.outcome, reopen=True)) for denied in denials]

    def _report(self, row: PendingRow, outcome: Outcome) -> None:
        self.pool.progress.count(outcome)
        self._environment.on_settled(row.number, outcome)

    async def _settle_unsent(self, customer_id: str | None, outcome: Outcome) -> None:
        rows = await self._executor.recorder.settle_unsent(customer_id, outcome)
        self.pool.progress.count(outcome, rows=rows)
        await self._dependencies.on_customer_dropped(customer_id)

    async def _refuse_customer(self, row: PendingRow, outcome: Outcome) -> None:
        """Settle the unsent rows of a customer with the same refusal."""
        customer_id = row.target.customer_id
        self._queue.drop_unsent(customer_id)
        description = f"not sent: row {row.number} of the same customer was answered: {outcome.description}"
        unsent = Outcome(Status.FAILED, 0, None, outcome.code, description[:DESCRIPTION_LENGTH])
        await self._settle_unsent(customer_id, unsent)

    def _halt(self) -> None:
        failures, settled = self._threshold.failures, self._threshold.settled
        code = self._threshold.codes.most_common(1)[0][0]
        reason = f"{failures:,} of {plural(settled, 'row')} failed, most often with {code}: more than --halt-on-failures allows"
        self.pool.stop(StopReason(RunState.HALTED, HaltedError.exit_code, reason))

    async def _defer(self, item: Item, abandoned: AbandonedScope[Item]) -> None:
        """Defer the rows of an abandoned scope; those in flight follow when they too are throttled."""
        scope = abandoned.scope
        customer_id = item.customer_id if scope is ThrottleScope.CUSTOMER else None
        self._dependencies.forget(watch for watch in abandoned.items if isinstance(watch, SubscriptionWatch))
        rows = [row for row in abandoned.items if isinstance(row, PendingRow)]
        outcomes = [(row, policy.outcome_if_deferred(row.progress)) for row in rows]
        await self._executor.recorder.settle(*((row.ordinal, outcome) for row, outcome in outcomes))
        description = f"not sent: the {scope.value} is throttled for longer than this run waits"
        await self._settle_unsent(customer_id, Outcome(Status.DEFERRED, 0, None, THROTTLED, description))
        self._queue.done(item)
        for row, outcome in outcomes:
            self._threshold.add(outcome)
            self._report(row, outcome)


def _with_auto_renew(step: Step, row: PendingRow) -> Step:
    """Add to the outcome of a reactivated subscription that its auto-renewal is off."""
    if not isinstance(step, Finish) or row.subscription is None or not row.subscription.auto_renew_disabled:
        return step
    statuses = {Status.ACCEPTED, Status.REACTIVATED}
    if row.restore_auto_renew:
        # An active subscription may be without it on purpose, so it is reported only on request.
        statuses.add(Status.ALREADY_ACTIVE)
    return Finish(replace(step.outcome, auto_renew=AutoRenew.OFF)) if step.outcome.status in statuses else step
