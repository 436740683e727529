"""Time that goes on evenly: setting the system's clock does not change it, and it does not stop while the machine sleeps."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from bulkreact import timestamps

# Linux' monotonic clock stops while the machine sleeps, that of macOS does not; Windows has neither name.
_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def elapsed() -> float:
    """Return seconds since an arbitrary time."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


class SteadyClock:
    """A wall clock that is read once and then goes on by itself."""

    def __init__(self, now: Callable[[], datetime] | None = None, seconds: Callable[[], float] = elapsed) -> None:
        self._began_at, self._seconds = (now or timestamps.utc_now)(), seconds
        self._began = seconds()

    def __call__(self) -> datetime:
        """Return the time."""
        return self._began_at + timedelta(seconds=self._seconds() - self._began)

    def timestamp(self) -> float:
        """Return the time in seconds since 1970."""
        return self().timestamp()
