"""How targets stand at present: each is read once, paced like any other call, and nothing is kept in a journal."""

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
from bulkreact.batch.verify.poller import PollSchedule
from bulkreact.batch.verify.verifier import Verifier
from bulkreact.batch.verify.watch_list import SubscriptionWatch, WatchedRow
from bulkreact.models import Call, Operation, Outcome, Status, Target
from bulkreact.partnercenter.verdicts import Listed, StatusRead, Verdict
from bulkreact.settings import Limits, Service, Verification

ONCE = Verification(after=0, timeout=0)


async def spot_check(
    targets: Mapping[int, Target],
    *,
    edges: RunEnvironment,
    service: Service,
    limits: Limits,
    beginning: Callable[[Phase], AbstractContextManager[None]],
) -> tuple[StopReason, dict[int, StatusRead]]:
    """Read targets, by the numbers of their rows; return why it stopped, and what was found of them.

    What could not be read has none, and only subscriptions tell when their term ends.
    """
    groups = _grouped(targets)
    notes = InMemoryRecorder(groups)
    verifier = Verifier(
        queue=Queue(_Groups(groups), per_customer=limits.per_customer, clock=edges.monotonic),
        timetable=PollSchedule(ONCE, edges),
        wire=CallExecutor(recorder=notes, edges=edges, service=service),
        flow=CallBudget(
            RateLimiter(limits.calls_per_second),
            Throttle(max_retry_after=limits.max_retry_after, max_throttle=limits.max_throttle),
            limits.concurrency,
        ),
        edges=edges,
        attempts=limits.attempts,
        total=len(targets),
        title="Reading",
        # Nothing is written, so no request id is derived from it.
        run_uuid=UUID(int=0),
    )
    with beginning(verifier.phase):
        ending = await verifier.run()
    return ending, notes.found


def _grouped(targets: Mapping[int, Target]) -> list[SubscriptionWatch]:
    """Return the targets by their subscriptions, in the order of the first of each."""
    groups: dict[tuple[str, str], SubscriptionWatch] = {}
    for number, target in targets.items():
        key = target.customer_id, target.subscription_id
        if key not in groups:
            groups[key] = SubscriptionWatch(number, *key, {}, due=float("-inf"))
        # What is read as active is done with, like a row that was accepted; any other is looked at no second time.
        accepted = Outcome(Status.ACCEPTED, 0, None)
        groups[key].members[target.entitlement_id] = WatchedRow(number, number, accepted, is_ambiguous=False)
    return list(groups.values())


class _Groups:
    """The groups as the queue wants them: by customer, and ordered by their first rows."""

    def __init__(self, groups: Sequence[SubscriptionWatch]) -> None:
        self._of: dict[str, list[SubscriptionWatch]] = {}
        for group in groups:
            self._of.setdefault(group.customer_id, []).append(group)

    def streams(self) -> Iterator[CustomerStream]:
        """Yield the customers in the order of the input."""
        yield from map(CustomerStream, self._of)

    def rows(self, stream: CustomerStream, after: int, limit: int) -> list[SubscriptionWatch]:
        """Return the next groups of a customer."""
        return self.begun(stream, after)[:limit]

    def begun(self, stream: CustomerStream, after: int) -> list[SubscriptionWatch]:
        """Return all groups of a customer behind a row."""
        return [group for group in self._of[stream.customer_id] if group.position > after]


class InMemoryRecorder(Recorder):
    """Keeps in mind what a recorder would write down: which target a call is for, and what was read of it."""

    def __init__(self, groups: Iterable[SubscriptionWatch]) -> None:
        self.found: dict[int, StatusRead] = {}
        self._numbers = {
            watched.number: {one: member.number for one, member in group.members.items()}
            for group in groups
            for watched in group.members.values()
        }
        self._calls: dict[int, int] = {}
        self._ids = count(1)

    async def record_call(
        self, ordinal: int, operation: Operation, *, request_id: str, correlation_id: str, started_at: str
    ) -> int:
        """Note a call that is about to leave; nothing hangs on its being durable."""
        del operation, request_id, correlation_id, started_at
        call = next(self._ids)
        self._calls[call] = ordinal
        return call

    async def answered(self, call: Call, verdict: Verdict, *, settled: Iterable[tuple[int, Outcome]] = ()) -> None:
        """Note what was read."""
        del settled
        number = self._calls.pop(call.id)
        match verdict:
            case StatusRead():
                self.found[number] = verdict
            case Listed(answer=answer, statuses=words):
                told = {own: words[one] for one, own in self._numbers[number].items() if one in words}
                self.found.update({own: StatusRead(answer, word) for own, word in told.items()})

    async def settle(self, *settled: tuple[int, Outcome]) -> None:
        """Keep nothing: what could not be read has no word."""
