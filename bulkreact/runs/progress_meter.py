"""Measures the progress of a phase: the present pace, and the time left. No I/O."""

from collections import deque
from typing import NamedTuple

from msgspec import Struct

from bulkreact.batch.environment import Phase, WaitReason, WaitState

# The pace shown is the present one; rows settle less evenly than calls are made.
PACE_SECONDS = 10.0
SETTLING_SECONDS = 30.0


class ProgressSnapshot(Struct, frozen=True):
    """The progress of a phase at one moment.

    ``calls_per_minute`` is that of the last ten seconds. ``seconds_left`` is None if unknown; ``at_least``: rows wait
    for something, after which they may wait again.
    """

    title: str
    settled: int
    total: int
    failures: int
    calls: int
    calls_per_minute: float
    seconds_left: float | None
    at_least: bool
    waits: WaitState
    stopping: bool = False

    @property
    def open(self) -> int:
        """Return how many rows are not settled."""
        return self.total - self.settled


class _Sample(NamedTuple):
    time: float
    calls: int
    settled: int


class ProgressMeter:
    """Measures a phase since a monotonic time, from a sample whenever it is asked."""

    def __init__(self, phase: Phase, now: float) -> None:
        self._phase = phase
        self._started = _Sample(now, phase.progress.calls, phase.progress.settled)
        self._samples = deque([self._started])

    def measure(self, now: float) -> ProgressSnapshot:
        """Return the progress at a time."""
        progress, waits = self._phase.progress, self._phase.wait_state()
        latest = _Sample(now, progress.calls, progress.settled)
        while len(self._samples) > 1 and self._samples[1].time <= now - SETTLING_SECONDS:
            self._samples.popleft()
        before = next(
            (sample for sample in reversed(self._samples) if sample.time <= now - PACE_SECONDS), self._started
        )
        per_second = _rate(latest.settled - self._samples[0].settled, now - self._samples[0].time)
        self._samples.append(latest)
        overall = _rate(latest.settled - self._started.settled, now - self._started.time)
        seconds_left, at_least = estimate_time_left(progress.total - progress.settled, per_second or overall, waits)
        return ProgressSnapshot(
            self._phase.title,
            progress.settled,
            progress.total,
            progress.failures,
            progress.calls,
            60 * _rate(latest.calls - before.calls, now - before.time),
            seconds_left,
            at_least,
            waits,
            self._phase.stopping,
        )


def _rate(count: int, seconds: float) -> float:
    # The first moments say little.
    return count / max(seconds, 1.0)


def estimate_time_left(open_rows: int, rows_per_second: float, waits: WaitState) -> tuple[float | None, bool]:
    """Return the seconds until all rows are settled, None if unknown, and whether that is only the least."""
    if not open_rows:
        return 0.0, False
    if waits.held is WaitReason.OUTAGE:
        return None, False
    longest = waits.longest_seconds or 0.0
    if waits.is_tail and longest:
        return longest, True
    if not rows_per_second:
        return (longest, True) if longest else (None, False)
    sending = open_rows / rows_per_second + (waits.next_seconds or 0.0 if waits.held else 0.0)
    return max(sending, longest), longest > sending
