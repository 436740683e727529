"""The workers of a discovery: every list is read at the pace of any other call, and kept when it is complete."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from bulkreact.batch.discovery.findings import ReadFailure
from bulkreact.batch.discovery.listing import CustomerList, CustomerReading, DiscoveryFilter, ReadTask
from bulkreact.batch.discovery.store import DiscoveryStore, UnreadCustomers
from bulkreact.batch.dispatch.exchange import CallResult
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.dispatch.rate_limiter import RateLimiter
from bulkreact.batch.dispatch.reaction import Answered, RefreshToken, react
from bulkreact.batch.dispatch.worker_pool import CallBudget, WorkerPool, call_budget
from bulkreact.batch.environment import COMPLETED, Phase, RunEnvironment, StopReason
from bulkreact.batch.halt import DenialBreaker, DeniedRow
from bulkreact.batch.journal.writer import Writer
from bulkreact.batch.policy import RetryIn
from bulkreact.batch.row_source import CustomerStream, RowSource
from bulkreact.models import Call, Outcome, Status
from bulkreact.partnercenter import verdicts
from bulkreact.settings import Limits, Service
from bulkreact.timestamps import iso

TaskT = TypeVar("TaskT", bound=ReadTask)


@dataclass(frozen=True, slots=True)
class DiscoveryJob:
    """What a discovery works with; ``beginning`` is told of each phase before its first call, and ends with it."""

    store: DiscoveryStore
    criteria: DiscoveryFilter
    environment: RunEnvironment
    service: Service
    limits: Limits
    begin_phase: Callable[[Phase], AbstractContextManager[None]]


async def discover(job: DiscoveryJob) -> tuple[StopReason, ReadFailure | None]:
    """Read the list of customers, unless it is known, and all customers who are not.

    Returns why it stopped, and why the list of customers could not be read, if so.
    """
    limits = job.limits
    flow = call_budget(limits, RateLimiter(limits.calls_per_second))
    writer = Writer(job.store.path)
    try:
        if not job.store.is_listed:
            ending, trouble = await _list(job, flow, writer)
            if ending != COMPLETED or trouble:
                return ending, trouble
        return await _read(job, flow, writer), None
    finally:
        await writer.close()


async def _list(job: DiscoveryJob, flow: CallBudget, writer: Writer) -> tuple[StopReason, ReadFailure | None]:
    gathering = job.store
    customers = CustomerList()

    async def keep(task: CustomerList) -> None:
        before = task.taken
        entries, nameless = task.drain()
        statements = gathering.page_statements(entries, after=before, without_id=nameless)
        if task.finished and not task.trouble:
            statements.extend(gathering.listed_statements(job.environment.now()))
        await writer.commit(*statements)

    reader = _Reader("Listing customers", _Alone(customers), job, flow, keep, total=0)
    with job.begin_phase(reader.phase):
        return await reader.run(), customers.trouble


async def _read(job: DiscoveryJob, flow: CallBudget, writer: Writer) -> StopReason:
    gathering = job.store

    async def keep(task: CustomerReading) -> None:
        if task.finished:
            await writer.commit(
                *gathering.read_statements(
                    task.position, task.targets(), task.troubles, without_id=task.without_id, now=job.environment.now()
                )
            )

    unread, known = gathering.unread_count, gathering.customer_count
    # What an earlier process was granted counts as well: then it is not the account that lacks permission.
    streak = DenialBreaker(customers=known, succeeded=known > unread)
    source = _Readings(gathering, job.criteria)
    reader = _Reader("Reading customers", source, job, flow, keep, total=unread, streak=streak)
    with job.begin_phase(reader.phase):
        return await reader.run()


class _Reader(Generic[TaskT]):
    """Reads the tasks of one queue to their ends; what was read is handed to ``keep`` after every answer.

    A ``streak`` of missing permissions ends it; without one, the first of them does.
    """

    def __init__(
        self,
        title: str,
        source: RowSource[TaskT],
        job: DiscoveryJob,
        flow: CallBudget,
        keep: Callable[[TaskT], Awaitable[None]],
        *,
        total: int,
        streak: DenialBreaker | None = None,
    ) -> None:
        self._edges = job.environment
        self._service = job.service
        self._attempts = job.limits.attempts
        self._keep = keep
        # What is begun is soon complete: little is read twice after a kill, and little is kept in memory.
        limits = job.limits
        self._queue = Queue(
            source, per_customer=limits.per_customer, clock=job.environment.monotonic, active_customers=1
        )
        self._workers = WorkerPool(
            title, self._queue, total=total, budget=flow, environment=job.environment, call=self._call
        )
        self._streak = streak

    @property
    def phase(self) -> Phase:
        """Return what can be watched and interrupted."""
        return self._workers

    async def run(self) -> StopReason:
        """Work until everything is read or somebody stops; calls in flight are always allowed to end."""
        return await self._workers.run()

    async def _call(self, task: TaskT) -> None:
        self._workers.progress.calls += 1
        exchange = await self._exchange(task)
        self._workers.record_answer(task, exchange)
        reaction = react(
            exchange.verdict,
            failures=task.failures,
            token_refused=task.token_refused,
            attempts=self._attempts,
            chance=self._edges.chance(),
        )
        task.token_refused = isinstance(reaction, RefreshToken)
        task.failures += isinstance(reaction, RetryIn)
        if not isinstance(reaction, Answered):
            if await self._workers.apply(task, reaction, exchange, abort_reason=_abort_reason(exchange)):
                await self._refuse(task, exchange)
        elif isinstance(exchange.verdict, verdicts.Accepted):
            if self._streak:
                self._streak.record_answer(success=True)
            await self._go_on(task)
        else:
            await self._refuse(task, exchange)

    async def _exchange(self, task: TaskT) -> CallResult:
        started, started_at = self._edges.monotonic(), iso(self._edges.now())
        ids = self._edges.new_id(), self._edges.new_id()
        request = task.request(self._service, request_id=ids[0], correlation_id=ids[1])
        reply = await self._edges.send(request)
        now = self._edges.now()
        verdict = task.judge(reply, self._service, now=now)
        return CallResult(request.operation, Call(0, *ids, started_at, iso(now), verdict.answer), verdict, started)

    async def _refuse(self, task: TaskT, exchange: CallResult) -> None:
        """Go on without what a call was to bring; a streak of missing permissions is the account's fault."""
        task.refuse(exchange.call, exchange.verdict)
        outcome = Outcome(Status.FAILED, 1, exchange.call)
        if isinstance(exchange.verdict, verdicts.PermissionRefused):
            if not self._streak or self._streak.record_denial(DeniedRow(task.position, task.customer_id, outcome)):
                self._workers.abort(_abort_reason(exchange))
        elif self._streak:
            self._streak.record_answer(success=False)
        await self._go_on(task)

    async def _go_on(self, task: TaskT) -> None:
        task.failures = 0
        await self._keep(task)
        if not task.finished:
            self._queue.wait(task, self._edges.monotonic())
            return
        self._workers.progress.settled += 1
        self._workers.progress.failures += task.troubled
        self._queue.done(task)


def _abort_reason(exchange: CallResult) -> str:
    return f"HTTP {exchange.call.answer.http_status}, {exchange.error}"


class _Alone:
    """The list of customers, as the queue wants it."""

    def __init__(self, task: CustomerList) -> None:
        self._task = task

    def streams(self) -> Iterator[CustomerStream]:
        """Yield the only stream there is."""
        yield CustomerStream(self._task.customer_id)

    def rows(self, stream: CustomerStream, after: int, limit: int) -> list[CustomerList]:
        """Return the task, once."""
        del stream, limit
        return [self._task] if after < self._task.position else []

    def begun(self, stream: CustomerStream, after: int) -> list[CustomerList]:
        """Return nothing: a list that was not read to its end is read anew."""
        del stream, after
        return []


class _Readings:
    """The customers that are still to be read, as the queue wants them."""

    def __init__(self, gathering: DiscoveryStore, wanted: DiscoveryFilter) -> None:
        self._gathering = gathering
        self._unread = UnreadCustomers(gathering)
        self._wanted = wanted

    def streams(self) -> Iterator[CustomerStream]:
        """Yield one for each of them, in the order of the list."""
        return map(CustomerStream, self._unread.customers())

    def rows(self, stream: CustomerStream, after: int, limit: int) -> list[CustomerReading]:
        """Return the reading of a customer, once."""
        del limit
        customer_id = stream.customer_id
        key = self._unread.key(customer_id)
        wanted = self._wanted
        if wanted.only is not None:
            wanted = replace(wanted, only=self._gathering.wanted(customer_id))
        return [CustomerReading(key, customer_id, wanted)] if after < key else []

    def begun(self, stream: CustomerStream, after: int) -> list[CustomerReading]:
        """Return nothing: a customer who was not read to the end is read anew."""
        del stream, after
        return []
