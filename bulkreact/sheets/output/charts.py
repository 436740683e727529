"""Decides where the pieces of the report's drawings lie, in the units of their view boxes; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bulkreact.models import SessionTimeline

WIDTH = 1000
HEIGHT = 100
# One row of a million is to be seen as well.
_NARROWEST = 6
_LOWEST = 2


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle; ``y`` counts from the top."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A slice of time: its calls from the bottom up, the throttled ones among them at the top."""

    after_seconds: int
    calls: int
    throttled: int
    all_calls: Rect
    throttled_calls: Rect


def bar_segments(numbers: Sequence[int]) -> list[Rect]:
    """Return pieces side by side that share the width as the numbers (not 0) do, none too narrow to be seen."""
    total = sum(numbers)
    wanted = [max(number / total * WIDTH, _NARROWEST) for number in numbers]
    scale = WIDTH / sum(wanted) if wanted else 1
    pieces = []
    x = 0.0
    for width in wanted:
        pieces.append(Rect(round(x, 2), 0, round(width * scale, 2), HEIGHT))
        x += width * scale
    return pieces


def timeline_bars(spell: SessionTimeline) -> list[Bar]:
    """Return the slices of a spell side by side, the busiest one as high as the drawing."""
    busiest = max(calls for calls, _ in spell.buckets)
    width = WIDTH / len(spell.buckets)
    drawn = []
    for number, (calls, throttled) in enumerate(spell.buckets):
        x, wide = round(number * width, 2), round(width * 0.86, 2)
        high = max(calls / busiest * HEIGHT, _LOWEST) if calls else 0
        marked = max(throttled / busiest * HEIGHT, _LOWEST) if throttled else 0
        drawn.append(
            Bar(
                number * spell.bucket_seconds,
                calls,
                throttled,
                Rect(x, round(HEIGHT - high, 2), wide, round(high, 2)),
                Rect(x, round(HEIGHT - high, 2), wide, round(marked, 2)),
            )
        )
    return drawn
