"""Whether the service, or the way to it, is down for everybody, and when it is tried again. No I/O; times are monotonic."""

from enum import Enum, auto
from http import HTTPStatus
from itertools import count

from msgspec import Struct, field
from msgspec.structs import replace

from bulkreact.batch.dispatch.hidden_throttle import HiddenThrottle
from bulkreact.models import Answer

CALLS_TO_DETECT = 3
FIRST_PROBE_SECONDS = 5.0
PROBE_SHARE = 1 / 8
PROBE_CEILING_SECONDS = 60.0
# The number of calls that a throttle refused: they count against no row either.
THROTTLED = -1
# So much above an eighth that an outage of two minutes costs a dozen calls in all.
_JITTER = (1.1, 1.25)


class TroubledCall(Struct, frozen=True):
    """A call that met 502, 503, 504, a time-out, or a lost or refused connection.

    ``earlier`` names the series of calls that earlier failures of the item belong to, 0 for failures of another kind.
    """

    customer_id: str
    started: float
    finished: float
    answer: Answer
    write: bool = True
    retry_after: float | None = None
    earlier: tuple[int, ...] = ()


class TroubleKind(Enum):
    """What a call without an answer of the service is part of."""

    SUSPECTED = auto()
    OUTAGE = auto()
    THROTTLE = auto()
    # A gateway answers all calls.
    BLOCKED = auto()


class Trouble(Struct, frozen=True):
    """What a troubled call is part of: ``number`` names the series of calls without an answer in between."""

    kind: TroubleKind
    number: int


class Outage(Struct, frozen=True):
    """An outage: since the start of its first call; detected at ``detected``; ``gives_up``: it lasts for too long."""

    number: int
    since: float
    detected: float
    next_probe: float
    answer: Answer
    write: bool = True
    probes: int = 0
    gives_up: bool = False


class _Silence(Struct):
    """Successive calls without an answer of the service in between."""

    number: int
    since: float
    calls: int = 0
    write: bool = False
    customers: set[str] = field(default_factory=set)
    not_before: float = float("-inf")

    def add(self, call: TroubledCall, *, counts: bool) -> None:
        self.since = min(self.since, call.started)
        if counts:
            self.calls += 1
            self.customers.add(call.customer_id)
        self.write |= call.write
        self.not_before = max(self.not_before, _not_before(call))


class OutageDetector:
    """Detects outages from the calls of a phase with rows of a number of ``customers``.

    | state       | call without an answer of the service                    | then                                        |
    |-------------|----------------------------------------------------------|---------------------------------------------|
    | no outage   | started before the latest outage was over                | it is part of that one                      |
    | no outage   | 503 that is a throttle, see HiddenThrottle               | throttle                                    |
    | no outage   | the third in succession, of two customers if there are   | outage: probe after Retry-After, else 5 s   |
    | no outage   | any other                                                | suspected, until an answer or an outage     |
    | outage      | started before it was detected                           | part of it; its Retry-After is respected    |
    | outage      | a probe                                                  | probe after Retry-After, else 5 s and an    |
    |             |                                                          | eighth of its length, and jitter            |
    | outage      | a probe, when ``max_outage`` is over or would be         | give up                                     |

    Any answer ends a series of suspected calls, unless it belongs to an older call. It ends an outage if the call was
    started after the detection, and is a write if a write was affected: reads may work for longer than writes.
    """

    def __init__(self, *, max_outage: float, customers: int) -> None:
        self.outage: Outage | None = None
        self._max_outage = max_outage
        self._customers_to_detect = min(customers, 2)
        self._numbers = count(1)
        self._silence: _Silence | None = None
        self._outages: set[int] = set()
        self._latest: int = 0
        self._over_at = float("-inf")
        self._throttle = HiddenThrottle(customers=self._customers_to_detect)

    def record_trouble(self, call: TroubledCall, *, chance: float) -> Trouble:
        """Record a call without an answer of the service; return what it is part of."""
        if self.outage:
            self.outage = self._continue(self.outage, call, chance)
            return Trouble(TroubleKind.OUTAGE, self.outage.number)
        if call.started < self._over_at:
            return Trouble(TroubleKind.OUTAGE, self._latest)
        # An item that met trouble before, while others were answered, has trouble of its own.
        is_own = any(map(self._is_own_trouble, call.earlier))
        if not is_own and self._is_throttle(call):
            return Trouble(TroubleKind.THROTTLE, THROTTLED)
        silence = self._silence = self._silence or _Silence(next(self._numbers), call.started)
        silence.add(call, counts=not is_own)
        if silence.calls < CALLS_TO_DETECT or len(silence.customers) < self._customers_to_detect:
            return Trouble(TroubleKind.SUSPECTED, silence.number)
        self._outages.add(silence.number)
        self._latest = silence.number
        self.outage = self._schedule(
            Outage(silence.number, silence.since, call.finished, 0.0, call.answer, silence.write),
            call.finished,
            FIRST_PROBE_SECONDS + chance,
            not_before=silence.not_before,
        )
        return Trouble(TroubleKind.OUTAGE, silence.number)

    def record_answer(
        self, *, started: float, now: float, write: bool = True, throttled: bool = False
    ) -> Outage | None:
        """Record an answer of the service to a call started at ``started``; return the outage that it ends."""
        ends_outage = self.outage is not None and started >= self.outage.detected and write >= self.outage.write
        self._throttle.record_answer(now, ends_outage=ends_outage and not throttled)
        if self.outage is None:
            if self._silence and started >= self._silence.since:
                self._silence = None
            return None
        if not ends_outage:
            return None
        ended, self.outage, self._silence = self.outage, None, None
        self._over_at = now
        return ended

    @property
    def is_suspecting(self) -> bool:
        """Return whether a series of calls may turn out to be an outage."""
        return self._silence is not None and self.outage is None

    def covers(self, number: int) -> bool:
        """Return whether a series of calls was part of an outage or a throttle: then it counts against no row."""
        return number == THROTTLED or number in self._outages

    def count_failures(self, failures: tuple[int, ...]) -> int:
        """Return how many failures of an item count: those that were part of an outage do not."""
        return sum(not self.covers(number) for number in failures)

    def _is_own_trouble(self, number: int) -> bool:
        suspected = self._silence.number if self._silence else 0
        return number not in {0, suspected} and not self.covers(number)

    def _is_throttle(self, call: TroubledCall) -> bool:
        if call.answer.http_status != HTTPStatus.SERVICE_UNAVAILABLE:
            self._throttle.record_other_trouble()
            return False
        return self._throttle.is_throttle(call.customer_id, started=call.started, finished=call.finished)

    def _continue(self, outage: Outage, call: TroubledCall, chance: float) -> Outage:
        if call.started < outage.detected:
            return replace(outage, next_probe=max(outage.next_probe, _not_before(call)))
        probed = replace(outage, answer=call.answer, probes=outage.probes + 1, write=outage.write or call.write)
        share = FIRST_PROBE_SECONDS + (call.finished - outage.since) * PROBE_SHARE
        least, most = _JITTER
        seconds = min(PROBE_CEILING_SECONDS, share * (least + (most - least) * chance))
        return self._schedule(probed, call.finished, seconds, not_before=_not_before(call))

    def _schedule(self, outage: Outage, now: float, seconds: float, *, not_before: float) -> Outage:
        """Return the outage with its next probe, the last one when ``max_outage`` is over."""
        end = outage.since + self._max_outage
        probe_at = not_before if not_before > now else min(now + seconds, end)
        return replace(outage, next_probe=max(now, probe_at), gives_up=now >= end or probe_at > end)


def _not_before(call: TroubledCall) -> float:
    return float("-inf") if call.retry_after is None else call.finished + call.retry_after
