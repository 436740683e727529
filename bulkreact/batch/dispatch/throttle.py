"""Who must wait after a 429, and how long: one customer, or everybody; pure, times in seconds of one clock."""

from dataclasses import dataclass, replace
from enum import StrEnum

# Throttles of different customers within this time are one throttle of the partner.
WINDOW_SECONDS = 10.0
WAIT_WITHOUT_HEADER_SECONDS = 10.0
WAIT_CEILING_SECONDS = 120.0
_JITTER_SECONDS = 0.25
_REPEAT_CEILING_SECONDS = 30.0
# So many throttled customers mean everybody, also with clean answers of others in between.
_CUSTOMERS_FOR_CERTAIN = 3


class Scope(StrEnum):
    """Whom a throttle concerns."""

    CUSTOMER = "customer"
    EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True)
class ThrottleDecision:
    """What a 429 leads to: hold the scope until a time, or give it up; perhaps lower the pace."""

    scope: Scope
    until: float
    give_up: bool = False
    slow_down: bool = False


@dataclass(slots=True)
class ThrottleEpisode:
    """A scope that has been answered nothing but 429 since ``since``.

    Reads are throttled later than writes: where a write was throttled (``write``), only a write tells that it is over.
    """

    since: float
    latest: float
    held_at: float
    until: float
    count: int = 1
    too_long: bool = False
    write: bool = False


class Throttle:
    """Remembers who was throttled; forgets a scope at its first clean answer."""

    def __init__(self, *, max_retry_after: float, max_throttle: float) -> None:
        self._max_retry_after = max_retry_after
        self._max_throttle = max_throttle
        self._customers: dict[str, ThrottleEpisode] = {}
        self._everybody: ThrottleEpisode | None = None
        self._clean_started = float("-inf")

    def throttled(
        self,
        customer: str,
        *,
        started: float,
        now: float,
        retry_after: float | None,
        chance: float,
        alone: bool,
        write: bool = True,
    ) -> ThrottleDecision:
        """Rule on a 429 to a call begun at ``started``; ``alone`` says that no other customer has open rows."""
        own = self._customers[customer] = self._extended(self._customers.get(customer), started=started, now=now)
        own.write = own.write or write
        too_long = own.too_long = retry_after is not None and retry_after > self._max_retry_after
        if not (alone or self._is_everybody(customer, started=started, now=now, too_long=too_long)):
            return self._rule(Scope.CUSTOMER, own, now=now, retry_after=retry_after, chance=chance, slow_down=False)
        # A call that was on its way when everybody was held tells nothing new about the pace.
        new = self._everybody is None or started >= self._everybody.held_at
        if self._everybody:
            self._everybody = self._extended(self._everybody, started=started, now=now)
            self._everybody.write = self._everybody.write or write
        else:
            # What this customer has waited already counts for everybody as well.
            self._everybody = replace(own, held_at=now)
        return self._rule(
            Scope.EVERYBODY, self._everybody, now=now, retry_after=retry_after, chance=chance, slow_down=new
        )

    def answered(self, customer: str, *, started: float, write: bool = True) -> None:
        """Note an answer other than 429 to a call begun at ``started``."""
        self._clean_started = max(self._clean_started, started)
        own = self._customers.get(customer)
        if own and started >= own.held_at and write >= own.write:
            del self._customers[customer]
        if self._everybody and started >= self._everybody.held_at and write >= self._everybody.write:
            self._everybody = None

    def _is_everybody(self, customer: str, *, started: float, now: float, too_long: bool) -> bool:
        if too_long:
            # Everybody would be given up for it: that takes several customers who were told the same.
            told = [one for name, one in self._customers.items() if name != customer and one.too_long]
            return sum(self._clean_started <= one.latest for one in told) + 1 >= _CUSTOMERS_FOR_CERTAIN
        if self._everybody and (started < self._everybody.until or now < self._everybody.until):
            return True
        others = [
            episode
            for name, episode in self._customers.items()
            if name != customer and now - episode.latest <= WINDOW_SECONDS
        ]
        # A clean answer to a call begun after the other's 429 shows that the partner as a whole was not throttled.
        unbroken = [episode for episode in others if self._clean_started <= episode.latest]
        return bool(unbroken) or len(others) + 1 >= _CUSTOMERS_FOR_CERTAIN

    def _extended(self, episode: ThrottleEpisode | None, *, started: float, now: float) -> ThrottleEpisode:
        if episode is None:
            return ThrottleEpisode(since=now, latest=now, held_at=now, until=now)
        episode.latest = now
        if started >= episode.until:
            episode.count += 1
            episode.held_at = now
        return episode

    def _rule(
        self,
        scope: Scope,
        episode: ThrottleEpisode,
        *,
        now: float,
        retry_after: float | None,
        chance: float,
        slow_down: bool,
    ) -> ThrottleDecision:
        too_long = retry_after is not None and retry_after > self._max_retry_after
        if too_long or now - episode.since >= self._max_throttle:
            return ThrottleDecision(scope, now, give_up=True, slow_down=slow_down)
        episode.until = max(episode.until, now + wait(retry_after, episode.count, chance))
        return ThrottleDecision(scope, episode.until, slow_down=slow_down)


def wait(retry_after: float | None, count: int, chance: float) -> float:
    """Return the seconds a scope waits at its ``count``-th 429 in succession.

    Repeated rejections count against the limit, so repetitions add an exponential back-off to what was asked for.
    """
    doublings = min(count - 1, 16)
    if retry_after is None:
        return min(WAIT_CEILING_SECONDS, WAIT_WITHOUT_HEADER_SECONDS * 2.0**doublings * (1 + chance / 10))
    repeated = min(_REPEAT_CEILING_SECONDS, 2.0 ** (doublings - 1)) if doublings else 0.0
    return retry_after + chance * (_JITTER_SECONDS + repeated)
