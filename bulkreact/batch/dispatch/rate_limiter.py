"""The pace of all calls together: evenly spaced, lower after throttling, creeping back up to the ceiling."""

import asyncio
from collections.abc import Awaitable, Callable

from aiolimiter import AsyncLimiter

SLOW_DOWN = 0.7
# The share of the ceiling that one clean answer gives back.
SPEED_UP = 0.005
# Near the rate that was too much last time it is less, from so much below that rate to so much above it.
CAREFULLY = 0.00005
_NEAR = 0.05
FLOOR_PER_SECOND = 0.1
# The limiter is exchanged only for a rate that differs by more than this share.
_NOTICEABLE = 0.02


class AdaptiveRate:
    """Decides the rate, in calls per second."""

    def __init__(self, ceiling: float) -> None:
        self.ceiling = ceiling
        self.rate = ceiling
        self._too_much = 0.0

    def slow_down(self) -> None:
        """Lower the rate after everybody was throttled."""
        self._too_much = self.rate
        self.rate = min(self.ceiling, max(FLOOR_PER_SECOND, self.rate * SLOW_DOWN))

    def speed_up(self) -> None:
        """Raise the rate a little after a clean answer, and less than that near what was too much."""
        near = self._too_much < self.ceiling and abs(self.rate - self._too_much) <= _NEAR * self._too_much
        self.rate = min(self.ceiling, self.rate + self.ceiling * (CAREFULLY if near else SPEED_UP))


class RateLimiter:
    """Hands out turns at the rate of its pace; without a ceiling every turn comes at once."""

    def __init__(self, calls_per_second: float | None) -> None:
        self.adaptive_rate = AdaptiveRate(calls_per_second) if calls_per_second is not None else None
        self._limiter: AsyncLimiter | None = None
        self._limiter_rate = 0.0
        # One waiter in the limiter at a time: a changed rate then holds from the next turn on.
        self._turn = asyncio.Lock()
        self._timeout: asyncio.Timeout | None = None
        self._closed = asyncio.Event()

    async def acquire(self, before: Callable[[], Awaitable[None]]) -> None:
        """Wait for the next turn, or until there are no more of them.

        Whoever is next does what must be done ``before``: turns are not handed out meanwhile, and so not hoarded.
        """
        if self.adaptive_rate is None:
            await before()
            return
        async with self._turn:
            if self._closed.is_set():
                return
            await before()
            if self._closed.is_set():
                return
            limiter = self._limiter
            rate = self.adaptive_rate.rate
            if limiter is None or abs(rate - self._limiter_rate) > _NOTICEABLE * self._limiter_rate:
                limiter = await self._replace_limiter(rate)
            if limiter.has_capacity():
                await limiter.acquire()
                return
            try:
                async with asyncio.timeout(None) as self._timeout:
                    await limiter.acquire()
            except TimeoutError:
                # The turns were closed: whoever comes back without one will not use it.
                return
            finally:
                self._timeout = None

    def close(self) -> None:
        """Send everybody home who waits for a turn: none will be used any more."""
        self._closed.set()
        if self._timeout:
            self._timeout.reschedule(asyncio.get_running_loop().time())

    def reopen(self) -> None:
        """Hand out turns again, at the pace that was reached: another phase begins."""
        self._closed.clear()

    async def _replace_limiter(self, rate: float) -> AsyncLimiter:
        # A bucket of two spaces evenly up to 500 calls a second; a larger one keeps its share above that.
        bucket = max(2.0, rate / 50)
        limiter = AsyncLimiter(bucket, bucket / rate)
        # An empty bucket would let a burst of its size through: fill it, at the very start but for one call.
        await limiter.acquire(bucket - 1 if self._limiter is None else bucket)
        self._limiter, self._limiter_rate = limiter, rate
        return limiter
