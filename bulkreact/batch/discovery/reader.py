"""Reads all customers of a discovery at the configured rate, and stores each one when it is complete."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.batch.discovery.listing import CustomerList, CustomerTask, DiscoveryFilter, ReadFailure, ReadTask
from bulkreact.batch.discovery.store import DiscoveryStore
from bulkreact.batch.dispatch.call_budget import CallBudget, call_budget
from bulkreact.batch.dispatch.call_executor import CallResult, OpenCalls, judge_reply
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.dispatch.rate_limiter import RateLimiter
from bulkreact.batch.dispatch.reaction import Answered, RenewToken
from bulkreact.batch.dispatch.worker_pool import WorkerPool
from bulkreact.batch.environment import COMPLETED, Phase, RunEnvironment, StopReason
from bulkreact.batch.halt import DenialBreaker, DeniedRow
from bulkreact.batch.journal.writer import Writer
from bulkreact.batch.row_source import CustomerStream
from bulkreact.models import Call, Outcome, Status
from bulkreact.partnercenter import verdicts
from bulkreact.settings import Limits, Service
from bulkreact.timestamps import iso_milliseconds

TaskT = TypeVar("TaskT", bound=ReadTask)


class DiscoveryJob(Struct, frozen=True):
    """Dependencies of a discovery; ``begin_phase`` is entered before the first call of a phase."""

    store: DiscoveryStore
    criteria: DiscoveryFilter
    environment: RunEnvironment
    service: Service
    limits: Limits
    begin_phase: Callable[[Phase], AbstractContextManager[None]]


async def discover(job: DiscoveryJob) -> tuple[StopReason, ReadFailure | None]:
    """Read the list of customers unless it is complete, then every unread customer.

    Returns why it stopped and, if the list of customers could not be read, why not. What an incomplete list lacks is
    the store's ``list_failure``.
    """
    budget = call_budget(job.limits, RateLimiter(job.limits.calls_per_second))
    writer = Writer(job.store.path)
    try:
        if not job.store.is_listed:
            stop_reason, failure = await _list_customers(job, budget, writer)
            if stop_reason != COMPLETED or failure:
                return stop_reason, failure
        return await _read_customers(job, budget, writer), None
    finally:
        await writer.close()


async def _list_customers(
    job: DiscoveryJob, budget: CallBudget, writer: Writer
) -> tuple[StopReason, ReadFailure | None]:
    store, customers = job.store, CustomerList()
    store.list_failure = None

    async def save(task: CustomerList) -> None:
        before = task.drained
        entries, without_id = task.drain()
        statements = store.page_statements(entries, after=before, without_id=without_id)
        if task.finished and not task.read_failures:
            statements.extend(store.listed_statements(job.environment.now()))
        await writer.commit(*statements)

    source = _TaskSource([customers.customer_id], lambda _: customers)
    reader = _TaskReader("Listing customers", source, job, budget, save, total=0)
    stop_reason = await reader.run()
    store.list_failure = next((failure for failure in customers.read_failures if failure.is_partial), None)
    return stop_reason, next((failure for failure in customers.read_failures if not failure.is_partial), None)


async def _read_customers(job: DiscoveryJob, budget: CallBudget, writer: Writer) -> StopReason:
    store = job.store

    def task(customer_id: str) -> CustomerTask:
        criteria = job.criteria
        if criteria.only is not None:
            criteria = replace(criteria, only=store.selected_subscriptions(customer_id))
        return CustomerTask(store.key(customer_id), customer_id, criteria)

    async def save(task: CustomerTask) -> None:
        if task.finished:
            key, now = task.position, job.environment.now()
            statements = store.read_statements(
                key, task.targets(), task.read_failures, without_id=task.without_id, now=now
            )
            await writer.commit(*statements)

    unread, known = store.unread_count, store.customer_count
    # An earlier process has read some customers, so the account has the permission.
    breaker = DenialBreaker(customers=known, succeeded=known > unread)
    source = _TaskSource(store.unread_ids(), task)
    return await _TaskReader("Reading customers", source, job, budget, save, total=unread, breaker=breaker).run()


class _TaskSource(Generic[TaskT]):
    """The tasks of a queue, one per customer; an unfinished task is read from the start, so none has calls on record."""

    def __init__(self, customer_ids: Iterable[str], task: Callable[[str], TaskT]) -> None:
        self._customer_ids = customer_ids
        self._task = task

    def streams(self) -> Iterator[CustomerStream]:
        """Yield a stream for each customer."""
        return map(CustomerStream, self._customer_ids)

    def rows(self, stream: CustomerStream, after: int, limit: int) -> list[TaskT]:
        """Return the task of a customer."""
        del after, limit
        return [self._task(stream.customer_id)]

    def items_with_calls(self, stream: CustomerStream, after: int) -> list[TaskT]:
        """Return nothing."""
        del stream, after
        return []


class _TaskReader(Generic[TaskT]):
    """Reads the tasks of a queue to the end and saves the result after every answer.

    ``breaker`` aborts it after too many missing permissions; without it, the first one does.
    """

    def __init__(
        self,
        title: str,
        source: _TaskSource[TaskT],
        job: DiscoveryJob,
        budget: CallBudget,
        save: Callable[[TaskT], Awaitable[None]],
        *,
        total: int,
        breaker: DenialBreaker | None = None,
    ) -> None:
        environment, limits = job.environment, job.limits
        self._job = job
        self._environment = environment
        self._save = save
        self._breaker = breaker
        # active_customers=1: finish one customer before the next, so a crash loses little and memory stays flat.
        clock = environment.monotonic
        self._queue = Queue(source, per_customer=limits.per_customer, clock=clock, active_customers=1)
        self._open_calls = OpenCalls(environment.send)
        self._pool = WorkerPool(
            title,
            self._queue,
            total=total,
            customers=total or 1,
            budget=budget,
            environment=environment,
            call=self._call,
        )

    async def run(self) -> StopReason:
        """Work until everything is read or the discovery is stopped; calls in flight always finish."""
        with self._job.begin_phase(self._pool):
            return await self._pool.run()

    async def _call(self, task: TaskT) -> None:
        self._pool.progress.calls += 1
        result = await self._send(task)
        failures = task.failures
        reaction, suspicion = self._pool.react(task, result, failures=failures, token_refused=task.token_refused)
        self._pool.note_answer(task, result)
        task.token_refused = isinstance(reaction, RenewToken)
        if isinstance(result.verdict, verdicts.Transient):
            task.failures = (*failures, suspicion)
        if not isinstance(reaction, Answered):
            if await self._pool.apply(task, reaction, result, abort_reason=_abort_reason(result)):
                await self._fail(task, result)
        elif isinstance(result.verdict, verdicts.Accepted):
            if self._breaker:
                self._breaker.record_answer(success=True)
            task.advance(result.call)
            await self._continue(task)
        else:
            await self._fail(task, result)

    async def _send(self, task: TaskT) -> CallResult:
        environment, service = self._environment, self._job.service
        started, started_at = environment.monotonic(), iso_milliseconds(environment.now())
        ids = environment.new_id(), environment.new_id()
        request = task.cursor.request(service, request_id=ids[0], correlation_id=ids[1])
        reply, beside = await self._open_calls.send(request)
        now = environment.now()
        verdict = await judge_reply(reply, partial(task.judge, reply, service, now=now))
        return CallResult(
            request.operation,
            Call(0, *ids, started_at, iso_milliseconds(now), verdict.answer),
            verdict,
            started,
            beside,
        )

    async def _fail(self, task: TaskT, result: CallResult) -> None:
        """Continue without what a call should have read, or abort for lack of permission."""
        task.fail(result.call, result.verdict)
        if isinstance(result.verdict, verdicts.PermissionRefused):
            denied = DeniedRow(task.position, task.customer_id, Outcome(Status.FAILED, 1, result.call))
            if not self._breaker or self._breaker.record_denial(denied):
                self._pool.abort(_abort_reason(result))
        elif self._breaker:
            self._breaker.record_answer(success=False)
        await self._continue(task)

    async def _continue(self, task: TaskT) -> None:
        task.failures = ()
        await self._save(task)
        if not task.finished:
            self._queue.wait(task, self._environment.monotonic())
            return
        self._pool.progress.settled += 1
        self._pool.progress.failures += bool(task.read_failures)
        self._queue.done(task)


def _abort_reason(result: CallResult) -> str:
    return f"HTTP {result.call.answer.http_status}, {result.error}"
