"""A pool of workers over one queue: each waits for a permit, makes a call, and applies the reaction."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Generic, TypeVar, assert_never

from msgspec import Struct

from bulkreact.batch.dispatch.call_budget import CallBudget
from bulkreact.batch.dispatch.call_executor import CallResult
from bulkreact.batch.dispatch.outage_watch import OutageWatch
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.dispatch.reaction import (
    AbortRun,
    ApplyThrottle,
    AwaitProof,
    AwaitService,
    Reaction,
    RenewToken,
    StopRun,
    Unanswered,
    react,
)
from bulkreact.batch.dispatch.throttle import ThrottleScope
from bulkreact.batch.environment import COMPLETED, PhaseProgress, RunEnvironment, StopReason, WaitReason, WaitState
from bulkreact.batch.policy import RetryIn
from bulkreact.batch.row_source import Item
from bulkreact.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, CredentialsRefusedError
from bulkreact.models import RunState
from bulkreact.partnercenter.protocol import CHANGES
from bulkreact.partnercenter.verdicts import Throttled, TokenRefused, Transient, is_answer

Result = TypeVar("Result")


class AbandonedScope(Struct, Generic[Item], frozen=True):
    """A scope throttled for longer than the run waits: the current item, and the others with calls on record."""

    scope: ThrottleScope
    items: list[Item]


class WorkerPool(Generic[Item]):
    """Takes items and passes each to ``call``, which returns it to the queue; one phase of a run.

    ``customers`` is the number of customers with items. ``flush`` waits until the recorded answers are durable; None if
    nothing is recorded. ``awaited`` is what rows wait for that have no call of their own to be made.
    """

    def __init__(
        self,
        title: str,
        queue: Queue[Item],
        *,
        total: int,
        customers: int,
        budget: CallBudget,
        environment: RunEnvironment,
        call: Callable[[Item], Awaitable[None]],
        flush: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.title = title
        self.progress = PhaseProgress(total)
        self.queue = queue
        self.stop_reason: StopReason | None = None
        self._budget = budget
        self._environment = environment
        self._call = call
        self._flush = flush
        self.awaited = WaitReason.ACTIVATION
        self._outages = OutageWatch(queue, environment, max_outage=budget.max_outage, customers=customers)
        self._stopped = asyncio.Event()

    async def run(self) -> StopReason:
        """Work until the queue is empty or the phase is stopped; calls in flight always finish.

        The first call goes alone: what is wrong with proxy, certificate or token is met once.
        """
        if self._budget.is_first:
            self.queue.send_one_at_a_time()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._budget.concurrency):
                    group.create_task(self._work())
        except ExceptionGroup as failures:
            first = failures.exceptions[0]
            for other in sorted({*map(repr, failures.exceptions)} - {repr(first)}):
                first.add_note(f"Another worker failed at the same time: {other}")
            raise first from first.__cause__
        return self.stop_reason or COMPLETED

    @property
    def stopping(self) -> bool:
        """Return whether the pool was stopped."""
        return self.stop_reason is not None

    def stop(self, stop_reason: StopReason) -> None:
        """Start no more calls; the first reason counts."""
        self.stop_reason = self.stop_reason or stop_reason
        self._stopped.set()
        self.queue.close()
        self._budget.rate_limiter.close()

    def interrupt(self, *, terminated: bool) -> None:
        """Stop because of a signal."""
        ended = (EXIT_TERMINATED, "SIGTERM") if terminated else (EXIT_INTERRUPTED, "Ctrl-C")
        self.stop(StopReason(RunState.INTERRUPTED, *ended))

    def abort(self, reason: str) -> None:
        """Stop because credentials, permissions or the way were refused."""
        self.stop(StopReason(RunState.ABORTED, CredentialsRefusedError.exit_code, reason))

    def note_answer(self, item: Item, result: CallResult) -> None:
        """Record an answer of the service, when it is durable; calls without one are ignored.

        It ends an outage; if it is no 429, it also clears the customer's throttle and raises the rate.
        """
        verdict = result.verdict
        if not is_answer(verdict):
            return
        was_down = self._outages.is_down
        is_up = self._outages.record_answer(result)
        if isinstance(verdict, Throttled):
            return
        if is_up and not isinstance(verdict, TokenRefused):
            self.queue.send_all(result.started)
        write = result.operation in CHANGES
        now, rate = self._environment.monotonic(), self._budget.rate_limiter.adaptive_rate
        if self._budget.throttle.record_answer(item.customer_id, started=result.started, write=write):
            rate.resume(now)
        if was_down and is_up:
            rate.begin_again(now)
        rate.speed_up(now)
        self.queue.record_answer(result.beside)

    def react(
        self, item: Item, result: CallResult, *, failures: tuple[int, ...], token_refused: bool
    ) -> tuple[Reaction, int]:
        """Return what to do next with a call, see reaction.react, and its series of suspected calls, or 0."""
        trouble, verdict, chance = None, result.verdict, self._environment.chance()
        if isinstance(verdict, Transient) and (verdict.unavailable or verdict.by_gateway):
            trouble = self._outages.record_trouble(item, result, verdict, failures, chance=chance)
        reaction = react(
            verdict,
            failures=self._outages.count_failures(failures),
            token_refused=token_refused,
            limits=self._budget.attempt_limits,
            chance=chance,
            trouble=trouble.kind if trouble else None,
            may_be_outage=self.queue.has_other_work(in_flight=1),
        )
        return reaction, trouble.number if trouble else 0

    def seconds_down(self, since: float) -> float:
        """Return how long there was an outage in this phase since a monotonic time."""
        return self._outages.seconds_down(since)

    def was_outage(self, suspicion: int) -> bool:
        """Return whether a series of suspected calls was part of an outage."""
        return self._outages.covers(suspicion)

    async def apply(
        self, item: Item, reaction: Unanswered, result: CallResult, *, abort_reason: str
    ) -> AbandonedScope[Item] | None:
        """Return the item to the queue as a reaction requires, or abort the run for ``abort_reason``.

        If the scope is abandoned instead, return it: the caller settles its items and marks the current one as done.
        """
        match reaction:
            case RetryIn(delay=0):
                self.queue.requeue_first(item)
            case RetryIn(delay=delay):
                self.queue.wait(item, self._environment.monotonic() + delay)
            case ApplyThrottle(retry_after=retry_after):
                return self._apply_throttle(item, result, retry_after)
            case RenewToken():
                # The others wait until this one shows whether a new token helps.
                self.queue.send_one_at_a_time(item)
                await self.unless_stopped(partial(self._environment.renew_token, result.started))
                await self._ensure_token()
                self.queue.requeue_first(item)
            case AwaitService():
                if stop_reason := self._outages.await_service(item):
                    self.stop(stop_reason)
            case AwaitProof():
                self.queue.suspend(item)
            case AbortRun():
                self.queue.done(item)
                self.abort(abort_reason)
            case StopRun(reason=reason):
                self.queue.requeue_first(item)
                self.abort(reason)
            case _:
                assert_never(reaction)
        return None

    def _apply_throttle(self, item: Item, result: CallResult, retry_after: float | None) -> AbandonedScope[Item] | None:
        """Pause the throttled scope, or abandon it when it is throttled for longer than the run waits."""
        decision = self._budget.throttle.record_429(
            item.customer_id,
            started=result.started,
            now=self._environment.monotonic(),
            retry_after=retry_after,
            chance=self._environment.chance(),
            # A 503 is a throttle only when it is known to concern everybody.
            is_only_customer=isinstance(result.verdict, Transient) or self.queue.is_only_customer(item.customer_id),
            write=result.operation in CHANGES,
        )
        if decision.slow_down:
            self._slow_down(result.beside, retry_after)
        elif decision.scope is ThrottleScope.PARTNER:
            self.queue.limit.cap(result.beside)
        if decision.abandon:
            by_customer = decision.scope is ThrottleScope.CUSTOMER
            dropped = self.queue.drop(item.customer_id) if by_customer else self.queue.drop_all()
            return AbandonedScope(decision.scope, [item, *dropped])
        if decision.scope is ThrottleScope.CUSTOMER:
            self.queue.send_all(result.started)
            self.queue.hold_customer(item.customer_id, decision.until)
        else:
            # The next call shows whether the pause was long enough.
            self.queue.send_one_at_a_time()
            self.queue.hold_all(decision.until)
        self.queue.wait(item, decision.until, WaitReason.THROTTLED)
        return None

    def _slow_down(self, beside: int, retry_after: float | None) -> None:
        """Lower the limit of calls in flight after a refusal beside so many, and the rate if that may be to blame."""
        limit, rate = self.queue.limit, self._budget.rate_limiter.adaptive_rate
        was_lowered = limit.is_lowered
        if not limit.lower(beside, self._budget.concurrency):
            rate.slow_down(self._environment.monotonic(), retry_after)
        elif not was_lowered:
            rate.start_again()

    def wait_state(self) -> WaitState:
        """Return what waits."""
        now, progress = self._environment.monotonic(), self.progress
        waits = self.queue.wait_state(now, open_rows=progress.total - progress.settled, otherwise=self.awaited)
        return self._outages.describe(waits)

    async def unless_stopped(self, wait: Callable[[], Coroutine[Any, Any, Result]]) -> Result | None:
        """Wait for something other than a call, but only until the pool is stopped."""
        if self._stopped.is_set():
            return None
        task = asyncio.ensure_future(wait())
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        return task.result() if task.done() else None

    async def _ensure_token(self) -> None:
        """Make sure that there is a token for the next call, or abort."""
        if self._environment.is_token_fresh():
            return
        if error := await self.unless_stopped(self._environment.ensure_token):
            self.abort(error)

    async def _work(self) -> None:
        while item := self.queue.take_now() or await self._take():
            # Without a ceiling there is no permit to wait for, so nothing can have changed meanwhile.
            unlimited = self._budget.rate_limiter.is_unlimited and self._environment.is_token_fresh()
            if candidate := item if unlimited else await self._acquire(item):
                await self._call(candidate)

    async def _acquire(self, item: Item) -> Item | None:
        """Wait for a permit and return the item to use it for: another one if this one may no longer be sent."""
        await self._budget.rate_limiter.acquire(self._ensure_token)
        candidate: Item | None = item
        while candidate and not self.queue.may_send(candidate):
            # It was paused or dropped, or the pool stopped, while it waited for the permit.
            self.queue.put_back(candidate)
            candidate = self.queue.take_now()
        return candidate

    async def _take(self) -> Item | None:
        # The wait may be long or the last one: errors of recording must surface before it.
        if self._flush:
            await self._flush()
        return await self.queue.take()
