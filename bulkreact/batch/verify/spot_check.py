"""Reads the current status of targets once, at the configured rate and without a journal."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import count
from uuid import UUID

from msgspec.structs import replace

from bulkreact.batch.dispatch.call_budget import call_budget
from bulkreact.batch.dispatch.call_executor import CallExecutor
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.dispatch.rate_limiter import RateLimiter
from bulkreact.batch.environment import Phase, RunEnvironment, StopReason
from bulkreact.batch.journal.recorder import Recorder
from bulkreact.batch.journal.watched_rows import WatchedRow
from bulkreact.batch.row_source import CustomerStream
from bulkreact.batch.verify.subscription_watch import PollSchedule, SubscriptionWatch, watch_rows
from bulkreact.batch.verify.verifier import Verifier
from bulkreact.models import Call, Operation, Outcome, Status, Target
from bulkreact.partnercenter.request_ids import RequestIds
from bulkreact.partnercenter.verdicts import Listed, StatusRead, Verdict
from bulkreact.settings import Limits, Service, Verification

ONCE = Verification(after=0, timeout=0)


async def spot_check(
    targets: Mapping[int, Target],
    *,
    environment: RunEnvironment,
    service: Service,
    limits: Limits,
    begin_phase: Callable[[Phase], AbstractContextManager[None]],
) -> tuple[StopReason, dict[int, StatusRead]]:
    """Read targets by row number; return why the reading stopped, and the statuses by row number.

    A target that could not be read has no status; only a subscription has a deadline.
    """
    recorder = InMemoryRecorder(targets)
    source = _WatchSource(targets, PollSchedule(ONCE, environment.monotonic(), environment.now()))
    verifier = Verifier(
        queue=Queue(source, per_customer=limits.per_customer, clock=environment.monotonic),
        executor=CallExecutor(recorder=recorder, environment=environment, service=service),
        budget=call_budget(limits, RateLimiter(limits.calls_per_second)),
        environment=environment,
        total=len(targets),
        customers=len({target.customer_id for target in targets.values()}),
        title="Reading",
        # Without writes no request id is derived from it.
        request_ids=RequestIds(UUID(int=0)),
    )
    with begin_phase(verifier.pool):
        return await verifier.pool.run(), recorder.statuses


class _WatchSource:
    """The watches of targets as a queue source: by customer, in the order of their first rows."""

    def __init__(self, targets: Mapping[int, Target], schedule: PollSchedule) -> None:
        # As accepted rows: those read as active are done, the others are not read a second time.
        accepted = Outcome(Status.ACCEPTED, 0, None)
        groups: dict[tuple[str, str], list[WatchedRow]] = {}
        for number, target in targets.items():
            row = WatchedRow(number, number, target, accepted)
            groups.setdefault((target.customer_id, target.subscription_id), []).append(row)
        self._by_customer: dict[str, list[SubscriptionWatch]] = {}
        for (customer_id, _), rows in groups.items():
            self._by_customer.setdefault(customer_id, []).append(watch_rows(rows, schedule))

    def streams(self) -> Iterator[CustomerStream]:
        """Yield the customers in the order of the input."""
        yield from map(CustomerStream, self._by_customer)

    def rows(self, stream: CustomerStream, after: int, limit: int) -> list[SubscriptionWatch]:
        """Return the next watches of a customer."""
        return self.items_with_calls(stream, after)[:limit]

    def items_with_calls(self, stream: CustomerStream, after: int) -> list[SubscriptionWatch]:
        """Return all watches of a customer after a position."""
        return [watch for watch in self._by_customer[stream.customer_id] if watch.position > after]


class InMemoryRecorder(Recorder):
    """Keeps in memory which target each call is for, and the status that was read."""

    def __init__(self, targets: Mapping[int, Target]) -> None:
        self.statuses: dict[int, StatusRead] = {}
        self._targets = targets
        self._numbers = {target: number for number, target in targets.items()}
        self._calls: dict[int, int] = {}
        self._call_ids = count(1)

    async def record_call(
        self, ordinal: int, operation: Operation, *, request_id: str, correlation_id: str, started_at: str
    ) -> int:
        """Remember a call before it is sent; reads need not be durable."""
        del operation, request_id, correlation_id, started_at
        call_id = next(self._call_ids)
        self._calls[call_id] = ordinal
        return call_id

    async def record_answer(self, call: Call, verdict: Verdict, *, settled: Iterable[tuple[int, Outcome]] = ()) -> None:
        """Remember the statuses that were read."""
        del settled
        number = self._calls.pop(call.id)
        match verdict:
            case StatusRead():
                self.statuses[number] = verdict
            case Listed(answer=answer, statuses=statuses):
                for entitlement_id, status in statuses.items():
                    target = replace(self._targets[number], entitlement_id=entitlement_id)
                    if target in self._numbers:
                        self.statuses[self._numbers[target]] = StatusRead(answer, status)

    async def settle(self, *settled: tuple[int, Outcome]) -> None:
        """Record nothing: a target that could not be read has no status."""
