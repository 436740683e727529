"""Computes the rectangles of the report's charts, in view box units. No I/O."""

from collections.abc import Sequence

from msgspec import Struct

from bulkreact.models import SessionTimeline

WIDTH = 1000
HEIGHT = 100
# One row of a million must still be visible.
_NARROWEST = 6
_LOWEST = 2
# The share of its bucket that a bar fills.
_BAR_WIDTH = 0.86


class Rect(Struct, frozen=True):
    """A rectangle; ``y`` counts from the top."""

    x: float
    y: float
    width: float
    height: float


class Bar(Struct, frozen=True):
    """A bucket of time: all its calls from the bottom up, the throttled ones at the top."""

    after_seconds: int
    calls: int
    throttled: int
    all_calls: Rect
    throttled_calls: Rect


def bar_segments(numbers: Sequence[int]) -> list[Rect]:
    """Return segments that share the width in proportion to numbers above 0, none too narrow to be visible."""
    total = sum(numbers)
    widths = [max(number / total * WIDTH, _NARROWEST) for number in numbers]
    scale = WIDTH / sum(widths) if widths else 1
    segments = []
    x = 0.0
    for width in widths:
        segments.append(Rect(round(x, 2), 0, round(width * scale, 2), HEIGHT))
        x += width * scale
    return segments


def timeline_bars(session: SessionTimeline) -> list[Bar]:
    """Return a bar for every bucket of a session, the busiest one as high as the chart."""
    busiest = max(calls for calls, _ in session.buckets)
    width = WIDTH / len(session.buckets)
    bars = []
    for index, (calls, throttled) in enumerate(session.buckets):
        total_height, throttled_height = (max(n / busiest * HEIGHT, _LOWEST) if n else 0 for n in (calls, throttled))
        rects = (
            Rect(
                round(index * width, 2),
                round(HEIGHT - total_height, 2),
                round(width * _BAR_WIDTH, 2),
                round(height, 2),
            )
            for height in (total_height, throttled_height)
        )
        bars.append(Bar(index * session.bucket_seconds, calls, throttled, *rects))
    return bars
