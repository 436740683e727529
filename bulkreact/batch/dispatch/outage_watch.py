"""Holds a queue during an outage, lets one call probe at a time, and reports every change."""

from datetime import timedelta
from typing import Generic

from msgspec.structs import replace

from bulkreact.batch.dispatch.call_executor import CallResult
from bulkreact.batch.dispatch.gateway_breaker import GatewayBreaker
from bulkreact.batch.dispatch.outage import Outage, OutageDetector, Trouble, TroubledCall, TroubleKind
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.environment import OutageRecord, RunEnvironment, StopReason, WaitReason, WaitState
from bulkreact.batch.row_source import Item
from bulkreact.errors import ServiceUnavailableError
from bulkreact.models import Answer, RunState
from bulkreact.partnercenter.protocol import CHANGES
from bulkreact.partnercenter.verdicts import Throttled, Transient
from bulkreact.timestamps import iso_milliseconds
from bulkreact.wording import printable

_AFTER_OTHERS_SECONDS = 0.001
_PROBES_PER_ITEM = 4
_CAUSE_LENGTH = 200


class OutageWatch(Generic[Item]):
    """Watches the calls of a phase with rows of a number of ``customers``."""

    def __init__(self, queue: Queue[Item], environment: RunEnvironment, *, max_outage: float, customers: int) -> None:
        self._queue = queue
        self._environment = environment
        self._detector = OutageDetector(max_outage=max_outage, customers=customers)
        self._gateway = GatewayBreaker(customers=customers)
        self._max_outage = max_outage
        self._of_one_customer = customers == 1
        self._number = 0
        self._since = ""
        self._past: list[tuple[float, float]] = []

    def record_trouble(
        self, item: Item, result: CallResult, verdict: Transient, failures: tuple[int, ...], *, chance: float
    ) -> Trouble:
        """Record a call without an answer of the service; hold all calls if it is part of an outage."""
        if verdict.by_gateway:
            is_blocked = self._gateway.record_page(item.customer_id)
            return Trouble(TroubleKind.BLOCKED if is_blocked else TroubleKind.SUSPECTED, 0)
        before, now = self._detector.outage, self._environment.monotonic()
        call = TroubledCall(
            item.customer_id,
            result.started,
            now,
            verdict.answer,
            write=result.operation in CHANGES,
            retry_after=verdict.retry_after,
            earlier=failures,
        )
        trouble = self._detector.record_trouble(call, chance=chance)
        outage = self._detector.outage
        if outage and outage != before:
            self._queue.send_one_at_a_time()
            self._queue.hold_all(outage.next_probe)
            self._queue.release_suspended()
            self._report(outage)
        return trouble

    def record_answer(self, result: CallResult) -> bool:
        """Record an answer of the service; return whether there is no outage, or not any more."""
        self._gateway.record_answer()
        now = self._environment.monotonic()
        ended = self._detector.record_answer(
            started=result.started,
            now=now,
            write=result.operation in CHANGES,
            throttled=isinstance(result.verdict, Throttled),
        )
        if ended:
            self._past.append((ended.since, now))
            self._report(ended, ended_at=now)
        if not self._detector.is_suspecting:
            self._queue.release_suspended()
        return self._detector.outage is None

    @property
    def is_down(self) -> bool:
        """Return whether there is an outage."""
        return self._detector.outage is not None

    def seconds_down(self, since: float) -> float:
        """Return how long there was an outage since a monotonic time."""
        outage = self._detector.outage
        present = [(outage.since, self._environment.monotonic())] if outage else []
        return sum(max(0.0, end - max(begin, since)) for begin, end in [*self._past, *present])

    def await_service(self, item: Item) -> StopReason | None:
        """Return an item of an outage to the queue; return why to stop when the outage has lasted for too long."""
        now, outage = self._environment.monotonic(), self._detector.outage
        if outage is None:
            self._queue.wait(item, now, WaitReason.OUTAGE)
            return None
        if outage.probes % _PROBES_PER_ITEM:
            # One item probes several times, so that an outage affects few of them.
            self._queue.requeue_first(item)
        else:
            # After the others: an item with trouble of its own is a bad probe.
            self._queue.wait(item, max(now, outage.next_probe) + _AFTER_OTHERS_SECONDS, WaitReason.OUTAGE)
        if not outage.gives_up:
            return None
        reason = (
            f"Partner Center is down since {self._since} ({outage.answer.code}), for longer than --max-outage allows"
        )
        return StopReason(RunState.INTERRUPTED, ServiceUnavailableError.exit_code, reason)

    def describe(self, waits: WaitState) -> WaitState:
        """Return what waits, given that all wait for the next probe during an outage."""
        outage = self._detector.outage
        if outage is None:
            return waits
        now = self._environment.monotonic()
        return replace(
            waits,
            held=WaitReason.OUTAGE,
            next_seconds=max(0.0, outage.next_probe - now),
            attempt=outage.probes + 1,
            gives_up_seconds=max(0.0, outage.since + self._max_outage - now),
        )

    def covers(self, suspicion: int) -> bool:
        """Return whether a series of suspected calls was part of an outage."""
        return self._detector.covers(suspicion)

    def count_failures(self, failures: tuple[int, ...]) -> int:
        """Return how many failures of an item count: those that were part of an outage do not."""
        return self._detector.count_failures(failures)

    def _report(self, outage: Outage, *, ended_at: float | None = None) -> None:
        now, wall = self._environment.monotonic(), self._environment.now()

        def at(time: float) -> str:
            return iso_milliseconds(wall + timedelta(seconds=time - now))

        if outage.number != self._number:
            # The two clocks drift apart, and this time names the outage: it is read once.
            self._number, self._since = outage.number, at(outage.since)
        is_over = ended_at is not None
        self._environment.on_outage(
            OutageRecord(
                since=self._since,
                ended_at=at(ended_at) if ended_at is not None else "",
                next_probe_at="" if is_over or outage.gives_up else at(outage.next_probe),
                probes=outage.probes + is_over,
                cause=_describe_cause(outage.answer),
                gives_up_at="" if is_over or outage.gives_up else at(outage.since + self._max_outage),
                of_one_customer=self._of_one_customer,
            )
        )


def _describe_cause(answer: Answer) -> str:
    """Return what showed an outage, on one line; the page of a gateway is not quoted."""
    description = "" if answer.description.lstrip().startswith("<") else printable(answer.description)[:_CAUSE_LENGTH]
    return ": ".join(filter(None, (answer.code, description)))
