"""Which calls must wait after a 429, and how long: a customer's, or all of the partner's. No I/O; times in seconds."""

from collections.abc import Iterator
from enum import StrEnum
from itertools import islice, takewhile
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

# Customers throttled within this time of each other mean that the partner is throttled.
WINDOW_SECONDS = 10.0
WAIT_WITHOUT_HEADER_SECONDS = 2.0
WAIT_CEILING_SECONDS = 120.0
_JITTER_SECONDS = 0.25
_REPEAT_CEILING_SECONDS = 30.0
# This many throttled customers mean the partner, even with non-429 answers to others in between.
_CUSTOMERS_FOR_CERTAIN = 3


class ThrottleScope(StrEnum):
    """Whose calls a throttle pauses."""

    CUSTOMER = "customer"
    PARTNER = "partner"


class ThrottleDecision(Struct, frozen=True):
    """The reaction to a 429: pause the scope until a time, or abandon it; ``slow_down``: also lower the rate."""

    scope: ThrottleScope
    until: float
    abandon: bool = False
    slow_down: bool = False


class ThrottleEpisode(Struct):
    """A scope that has got only 429 answers since ``since``.

    Reads are throttled later than writes: if a write was throttled (``write``), only a write shows that it is over.
    """

    since: float
    latest: float
    paused_at: float
    until: float
    count: int = 1
    too_long: bool = False
    write: bool = False

    @classmethod
    def begin(cls, now: float, *, write: bool) -> Self:
        """Return an episode that begins with a 429."""
        return cls(since=now, latest=now, paused_at=now, until=now, write=write)

    def extend(self, *, started: float, now: float, write: bool) -> None:
        """Add a 429 to a call started at ``started``; a call in flight during the pause is not a repetition."""
        self.latest = now
        self.write |= write
        if started >= self.until:
            self.count += 1
            self.paused_at = now

    def is_ended_by(self, *, started: float, write: bool) -> bool:
        """Return whether an answer other than 429 ends the episode."""
        return started >= self.paused_at and write >= self.write


class Throttle:
    """Tracks which scopes are throttled, each until its first non-429 answer."""

    def __init__(self, *, max_retry_after: float, max_throttle: float) -> None:
        self._max_retry_after = max_retry_after
        self._max_throttle = max_throttle
        # In the order of their latest 429.
        self._customers: dict[str, ThrottleEpisode] = {}
        # When each was throttled last within the window, the latest at the end; also those that were answered since.
        self._recent: dict[str, float] = {}
        self._partner: ThrottleEpisode | None = None
        self._clean_started = float("-inf")
        self._partner_free_since = float("-inf")

    def record_429(
        self,
        customer: str,
        *,
        started: float,
        now: float,
        retry_after: float | None,
        chance: float,
        is_only_customer: bool,
        write: bool = True,
    ) -> ThrottleDecision:
        """React to a 429 to a call started at ``started``; ``is_only_customer``: no other customer has open rows.

        | 429                                                                   | scope    |
        |-----------------------------------------------------------------------|----------|
        | no other customer has open rows                                       | partner  |
        | Retry-After too long, as for two others, and no non-429 answer since  | partner  |
        | Retry-After too long, otherwise                                       | customer |
        | the partner is paused, or was when the call started, or just before   | partner  |
        | of a second customer within the window, no non-429 answer since       | partner  |
        | of a third customer within the window                                 | partner  |
        | any other                                                             | customer |
        """
        too_long = retry_after is not None and retry_after > self._max_retry_after
        self._note_recent(customer, now)
        episode = self._customers.pop(customer, None)
        if episode:
            episode.extend(started=started, now=now, write=write)
        else:
            episode = ThrottleEpisode.begin(now, write=write)
        episode.too_long = too_long
        self._customers[customer] = episode
        scope, slow_down = ThrottleScope.CUSTOMER, False
        if is_only_customer or self._concerns_partner(customer, started=started, now=now, too_long=too_long):
            # A call that was in flight when the partner was paused says nothing new about the rate.
            # Later ones say that the pause was too short, and nothing about the rate.
            scope, slow_down = ThrottleScope.PARTNER, self._partner is None
            if self._partner:
                self._partner.extend(started=started, now=now, write=write)
            else:
                # The time that an only customer has already waited counts for the partner too.
                since = episode if is_only_customer else ThrottleEpisode.begin(now, write=write)
                self._partner = replace(since, paused_at=now)
            episode = self._partner
        if too_long or now - episode.since >= self._max_throttle:
            return ThrottleDecision(scope, now, abandon=True, slow_down=slow_down)
        episode.until = max(episode.until, now + wait(retry_after, episode.count, chance))
        return ThrottleDecision(scope, episode.until, slow_down=slow_down)

    def record_answer(self, customer: str, *, started: float, write: bool = True) -> bool:
        """Record a non-429 answer to a call started at ``started``; return whether it ends the partner's throttle."""
        self._clean_started = max(self._clean_started, started)
        episode = self._customers.get(customer)
        if episode and episode.is_ended_by(started=started, write=write):
            del self._customers[customer]
        if self._partner and self._partner.is_ended_by(started=started, write=write):
            self._partner = None
            self._partner_free_since = started
            return True
        return False

    def _concerns_partner(self, customer: str, *, started: float, now: float, too_long: bool) -> bool:
        # The latest first, and only as many as decide: thousands may be throttled.
        others = (episode for other, episode in reversed(self._customers.items()) if other != customer)
        if too_long:
            return self._is_too_long_for_partner(others)
        return self._is_partner_paused(started, now) or self._is_throttled_together(others, now)

    def _is_too_long_for_partner(self, others: Iterator[ThrottleEpisode]) -> bool:
        """Return whether enough customers got a Retry-After that is too long: the partner would be abandoned."""
        too_long = (other for other in takewhile(self._is_without_success, others) if other.too_long)
        return len(list(islice(too_long, _CUSTOMERS_FOR_CERTAIN - 1))) == _CUSTOMERS_FOR_CERTAIN - 1

    def _is_partner_paused(self, started: float, now: float) -> bool:
        """Return whether the partner is paused, or was when a call started or shortly before."""
        if self._partner is None:
            return started - self._partner_free_since <= WINDOW_SECONDS
        return min(started, now) < self._partner.until

    def _is_throttled_together(self, others: Iterator[ThrottleEpisode], now: float) -> bool:
        """Return whether enough other customers were throttled within the window."""
        if len(self._recent) >= _CUSTOMERS_FOR_CERTAIN:
            return True
        recent = takewhile(lambda other: now - other.latest <= WINDOW_SECONDS, others)
        return any(map(self._is_without_success, recent))

    def _note_recent(self, customer: str, now: float) -> None:
        self._recent.pop(customer, None)
        self._recent[customer] = now
        while now - self._recent[oldest := next(iter(self._recent))] > WINDOW_SECONDS:
            del self._recent[oldest]

    def _is_without_success(self, episode: ThrottleEpisode) -> bool:
        """Return whether no call that started after a 429 was answered otherwise: that shows that not all are throttled."""
        return self._clean_started <= episode.latest


def wait(retry_after: float | None, count: int, chance: float) -> float:
    """Return the seconds a scope waits at its ``count``-th successive 429.

    Rejected calls count against the limit too, so repetitions add an exponential back-off to the requested wait.
    """
    doublings = min(count - 1, 16)
    if retry_after is None:
        return min(WAIT_CEILING_SECONDS, WAIT_WITHOUT_HEADER_SECONDS * 2.0**doublings * (1 + chance / 10))
    repeated = min(_REPEAT_CEILING_SECONDS, 2.0 ** (doublings - 1)) if doublings else 0.0
    return retry_after + chance * (_JITTER_SECONDS + repeated)
