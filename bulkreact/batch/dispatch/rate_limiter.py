"""Issues permits for calls, evenly spaced, at a rate that may change at any time."""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf

from aiolimiter import AsyncLimiter

from bulkreact.batch.dispatch.adaptive_rate import AdaptiveRate

# The limiter is replaced only if the rate differs by more than this share.
_NOTICEABLE = 0.02


class RateLimiter:
    """Issues permits at the adaptive rate; immediately while that is infinite."""

    def __init__(self, calls_per_second: float | None) -> None:
        self.adaptive_rate = AdaptiveRate(calls_per_second)
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
        if self.is_unlimited:
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

    @property
    def is_unlimited(self) -> bool:
        """Return whether permits are issued immediately."""
        return self.adaptive_rate.rate == inf

    def close(self) -> None:
        """Wake all waiters; no more permits are issued."""
        self._closed = True
        if self._timeout:
            self._timeout.reschedule(asyncio.get_running_loop().time())

    def reopen(self) -> None:
        """Issue permits again for another phase, at the rate reached so far."""
        self._closed = False

    async def _replace_limiter(self, rate: float) -> AsyncLimiter:
        # Room for what a late timer delays by 20 ms: with more, calls after a pause would follow in pairs.
        bucket = 1 + rate / 50
        limiter = AsyncLimiter(bucket, bucket / rate)
        # An empty bucket would let through a burst of its size: fill it, at the start except for one call.
        is_first = self._limiter is None and not self.adaptive_rate.was_throttled
        await limiter.acquire(bucket - 1 if is_first else bucket)
        self._limiter, self._limiter_rate = limiter, rate
        return limiter
