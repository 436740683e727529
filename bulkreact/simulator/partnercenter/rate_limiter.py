"""The gateway's limits: counts calls per window, and answers 429 above them."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from bulkreact.simulator.partnercenter.answers import ScriptedAnswer
from bulkreact.simulator.partnercenter.response_bodies import throttle_body

PARTNER = ""


class _Window(Struct):
    started_at: float
    calls: int = 0


class CallLimiter:
    """Counts calls by customer id, and all calls under ``PARTNER``; ``clock`` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[str, _Window] = {}
        self._blocked_until: dict[str, float] = {}

    def throttle(self, limits: Mapping[str, int], window: float) -> ScriptedAnswer | None:
        """Return the 429 for a call that counts against these limits (0: none) per window of seconds, if exceeded."""
        now = self._clock()
        for key, limit in limits.items():
            remaining = max(self._blocked_until.get(key, 0.0) - now, self._count(key, limit, window, now))
            if remaining > 0:
                seconds = int(remaining) + 1
                headers = {"Content-Type": "application/json", "Retry-After": str(seconds)}
                return ScriptedAnswer(429, throttle_body(seconds), headers)
        return None

    def block(self, key: str, seconds: float) -> None:
        """Answer 429 for a number of seconds, whatever the limits."""
        self._blocked_until[key] = max(self._blocked_until.get(key, 0.0), self._clock() + seconds)

    def _count(self, key: str, limit: int, seconds: float, now: float) -> float:
        """Count a call, and return the seconds left of its window if it exceeds the limit, else 0."""
        window = self._windows.get(key)
        if window is None or now - window.started_at >= seconds:
            window = self._windows[key] = _Window(now)
        # Rejected calls count against the limit too.
        window.calls += 1
        return window.started_at + seconds - now if limit and window.calls > limit else 0.0
