"""Buckets that limit how often something may be done. The time is an argument."""

from math import ceil

from msgspec import Struct


class _Level(Struct):
    tokens: float
    at: float


class Bucket:
    """One bucket for each key: ``size`` at once, refilled within ``seconds``; keys that are full again are forgotten."""

    _MANY = 1000

    def __init__(self, size: int, seconds: float) -> None:
        self._size = size
        self._rate = size / seconds
        self._levels: dict[str, _Level] = {}

    def wait_for(self, key: str, now: float) -> int:
        """Take one from a key's bucket and return 0, or return after how many seconds there will be one."""
        if len(self._levels) > self._MANY:
            full = [name for name, level in self._levels.items() if self._filled(level, now) >= self._size]
            for name in full:
                del self._levels[name]
        level = self._levels.setdefault(key, _Level(self._size, now))
        level.tokens, level.at = self._filled(level, now), now
        if level.tokens < 1:
            return max(1, ceil((1 - level.tokens) / self._rate))
        level.tokens -= 1
        return 0

    def _filled(self, level: _Level, now: float) -> float:
        return min(float(self._size), level.tokens + (now - level.at) * self._rate)


class Door:
    """Closes for a minute after five wrong attempts."""

    _ATTEMPTS = 5
    _SECONDS = 60.0

    def __init__(self) -> None:
        self._wrong = 0
        self._closed_until = 0.0

    def wait_for(self, now: float) -> int:
        """Return for how many more seconds the door is closed, 0 if it is open."""
        return max(0, ceil(self._closed_until - now))

    def record_wrong(self, now: float) -> None:
        """Count a wrong attempt."""
        self._wrong += 1
        if self._wrong >= self._ATTEMPTS:
            self._wrong, self._closed_until = 0, now + self._SECONDS

    def record_right(self) -> None:
        """Forget the wrong attempts."""
        self._wrong = 0
