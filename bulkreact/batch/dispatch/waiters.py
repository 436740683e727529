"""Workers that wait for an item: woken one by one, or when the next item can become ready."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable


class Waiters:
    """The waiting workers of a queue; ``on_time`` is called when the time of ``schedule`` has come."""

    def __init__(self, clock: Callable[[], float], on_time: Callable[[], None]) -> None:
        self._clock = clock
        self._on_time = on_time
        self._futures: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def join(self) -> asyncio.Future[None]:
        """Return a future that is done when this waiter is woken."""
        future = asyncio.get_running_loop().create_future()
        self._futures.append(future)
        return future

    def wake_one(self) -> None:
        """Wake the waiter that has waited longest."""
        while self._futures:
            future = self._futures.popleft()
            if not future.done():
                future.set_result(None)
                return

    def wake_all(self) -> None:
        """Wake every waiter: more than one item may be ready."""
        while self._futures:
            self.wake_one()

    def schedule(self, times: Iterable[float]) -> None:
        """Set the timer to the earliest of these times, instead of any earlier setting."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        earliest = min(times, default=None)
        if earliest is not None and self._futures:
            delay = max(0.0, earliest - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_time)
