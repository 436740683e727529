"""Reading the present status of targets once, at the rate of any other call and without a journal."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import count
from uuid import UUID

from bulkreact.batch.dispatch.exchange import CallExecutor
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.dispatch.rate_limiter import RateLimiter
from bulkreact.batch.dispatch.throttle import Throttle
from bulkreact.batch.dispatch.worker_pool import CallBudget
from bulkreact.batch.environment import Phase, RunEnvironment, StopReason
from bulkreact.batch.journal.recorder import Recorder
from bulkreact.batch.row_source import CustomerStream
from bulkreact.batch.verify.activation import ActivationWatch
from bulkreact.batch.verify.poller import PollSchedule
from bulkreact.batch.verify.subscription_watch import SubscriptionWatch, WatchedRow
from bulkreact.batch.verify.verifier import Verifier
from bulkreact.models import Call, Operation, Outcome, Status, Target
from bulkreact.partnercenter.verdicts import Listed, StatusRead, Verdict
from bulkreact.settings import Limits, Service, Verification

ONCE = Verification(after=0, timeout=0)


async def spot_check(
    targets: Mapping[int, Target],
    *,
    environment: RunEnvironment,
    service: Service,
    limits: Limits,
    beginning: Callable[[Phase], AbstractContextManager[None]],
) -> tuple[StopReason, dict[int, StatusRead]]:
    """Read targets by row number; return why the reading stopped, and the statuses by row number.

    A target that could not be read has no status; only a subscription has a deadline.
    """
    watches = _watches(targets)
    recorder = InMemoryRecorder(watches)
    verifier = Verifier(
        queue=Queue(_WatchSource(watches), per_customer=limits.per_customer, clock=environment.monotonic),
        schedule=PollSchedule(ONCE, environment),
        executor=CallExecutor(recorder=recorder, edges=environment, service=service),
        budget=CallBudget(
            RateLimiter(limits.calls_per_second),
            Throttle(max_retry_after=limits.max_retry_after, max_throttle=limits.max_throttle),
            limits.concurrency,
        ),
        environment=environment,
        attempts=limits.attempts,
        total=len(targets),
        title="Reading",
        # Without writes no request id is derived from it.
        run_uuid=UUID(int=0),
    )
    with beginning(verifier.phase):
        stop_reason = await verifier.run()
    return stop_reason, recorder.statuses


def _watches(targets: Mapping[int, Target]) -> list[SubscriptionWatch]:
    """Return the targets by subscription, in the order of the first of each."""
    watches: dict[tuple[str, str], SubscriptionWatch] = {}
    for number, target in targets.items():
        key = target.customer_id, target.subscription_id
        if key not in watches:
            activation = ActivationWatch(target.subscription_id)
            watches[key] = SubscriptionWatch(number, target.customer_id, {}, activation, due=float("-inf"))
        # As accepted rows: those read as active are done, the others are not read a second time.
        accepted = Outcome(Status.ACCEPTED, 0, None)
        watches[key].members[target.entitlement_id] = WatchedRow(number, number, accepted, is_ambiguous=False)
    return list(watches.values())


class _WatchSource:
    """The watches as the queue reads them: by customer, in the order of their first rows."""

    def __init__(self, watches: Sequence[SubscriptionWatch]) -> None:
        self._by_customer: dict[str, list[SubscriptionWatch]] = {}
        for watch in watches:
            self._by_customer.setdefault(watch.customer_id, []).append(watch)

    def streams(self) -> Iterator[CustomerStream]:
        """Yield the customers in the order of the input."""
        yield from map(CustomerStream, self._by_customer)

    def rows(self, stream: CustomerStream, after: int, limit: int) -> list[SubscriptionWatch]:
        """Return the next watches of a customer."""
        return self.begun(stream, after)[:limit]

    def begun(self, stream: CustomerStream, after: int) -> list[SubscriptionWatch]:
        """Return all watches of a customer after a position."""
        return [watch for watch in self._by_customer[stream.customer_id] if watch.position > after]


class InMemoryRecorder(Recorder):
    """Remembers in memory which target each call is for, and the status that was read."""

    def __init__(self, watches: Iterable[SubscriptionWatch]) -> None:
        self.statuses: dict[int, StatusRead] = {}
        self._numbers = {
            row.number: {member_id: member.number for member_id, member in watch.members.items()}
            for watch in watches
            for row in watch.members.values()
        }
        self._rows: dict[int, int] = {}
        self._ids = count(1)

    async def record_call(
        self, ordinal: int, operation: Operation, *, request_id: str, correlation_id: str, started_at: str
    ) -> int:
        """Remember a call that is about to leave; reads need not be durable."""
        del operation, request_id, correlation_id, started_at
        call = next(self._ids)
        self._rows[call] = ordinal
        return call

    async def answered(self, call: Call, verdict: Verdict, *, settled: Iterable[tuple[int, Outcome]] = ()) -> None:
        """Remember the statuses read."""
        del settled
        number = self._rows.pop(call.id)
        match verdict:
            case StatusRead():
                self.statuses[number] = verdict
            case Listed(answer=answer, statuses=statuses):
                for member_id, member_number in self._numbers[number].items():
                    if member_id in statuses:
                        self.statuses[member_number] = StatusRead(answer, statuses[member_id])

    async def settle(self, *settled: tuple[int, Outcome]) -> None:
        """Record nothing: a target that could not be read has no status."""
