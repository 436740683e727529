"""The rate of all calls together: evenly spaced, lowered after throttling, rising slowly to the ceiling."""

import asyncio
from collections.abc import Awaitable, Callable

from aiolimiter import AsyncLimiter

SLOW_DOWN = 0.7
# One non-429 answer raises the rate by this share of the ceiling,
SPEED_UP = 0.005
# and by this share within 5 % of the rate that was last throttled.
SPEED_UP_NEAR_LIMIT = 0.00005
_NEAR = 0.05
FLOOR_PER_SECOND = 0.1
# The limiter is replaced only if the rate differs by more than this share.
_NOTICEABLE = 0.02


class AdaptiveRate:
    """Decides the rate, in calls per second."""

    def __init__(self, ceiling: float) -> None:
        self.ceiling = ceiling
        self.rate = ceiling
        self._throttled_at = 0.0

    def slow_down(self) -> None:
        """Lower the rate after the partner was throttled."""
        self._throttled_at = self.rate
        self.rate = min(self.ceiling, max(FLOOR_PER_SECOND, self.rate * SLOW_DOWN))

    def speed_up(self) -> None:
        """Raise the rate after a non-429 answer."""
        is_near_limit = (
            self._throttled_at < self.ceiling and abs(self.rate - self._throttled_at) <= _NEAR * self._throttled_at
        )
        self.rate = min(self.ceiling, self.rate + self.ceiling * (SPEED_UP_NEAR_LIMIT if is_near_limit else SPEED_UP))


class RateLimiter:
    """Issues permits at the adaptive rate; immediately if there is no ceiling."""

    def __init__(self, calls_per_second: float | None) -> None:
        self.adaptive_rate = AdaptiveRate(calls_per_second) if calls_per_second is not None else None
        self._limiter: AsyncLimiter | None = None
        self._limiter_rate = 0.0
        # Only one waiter is in the limiter at a time, so a changed rate applies to the next permit.
        self._lock = asyncio.Lock()
        self._timeout: asyncio.Timeout | None = None
        self._closed = False

    async def acquire(self, before: Callable[[], Awaitable[None]]) -> None:
        """Wait for the next permit, or until the limiter is closed.

        ``before`` runs first, and no permits are issued meanwhile, so they do not accumulate.
        """
        if self.adaptive_rate is None:
            await before()
            return
        async with self._lock:
            if not self._closed:
                await before()
            if self._closed:
                return
            limiter = self._limiter
            rate = self.adaptive_rate.rate
            if limiter is None or abs(rate - self._limiter_rate) > _NOTICEABLE * self._limiter_rate:
                limiter = await self._replace_limiter(rate)
            try:
                async with asyncio.timeout(None) as self._timeout:
                    await limiter.acquire()
            except TimeoutError:
                # Closed: the caller checks whether it may still send.
                return
            finally:
                self._timeout = None

    def close(self) -> None:
        """Wake all waiters; no more permits are issued."""
        self._closed = True
        if self._timeout:
            self._timeout.reschedule(asyncio.get_running_loop().time())

    def reopen(self) -> None:
        """Issue permits again for another phase, at the rate reached so far."""
        self._closed = False

    async def _replace_limiter(self, rate: float) -> AsyncLimiter:
        # A bucket of two spaces evenly up to 500 calls a second; a larger one keeps its share above that.
        bucket = max(2.0, rate / 50)
        limiter = AsyncLimiter(bucket, bucket / rate)
        # An empty bucket would let through a burst of its size: fill it, at the start except for one call.
        await limiter.acquire(bucket - 1 if self._limiter is None else bucket)
        self._limiter, self._limiter_rate = limiter, rate
        return limiter
