"""Time as the program records it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bulkreact.timestamps import SteadyClock, seconds_between

START = datetime(2026, 3, 1, tzinfo=UTC)


@given(st.lists(st.integers(-100_000, 100_000), min_size=2))
def test_a_steady_clock_never_goes_back_and_loses_no_time(steps: list[int]) -> None:
    system, shown = START, []

    def now() -> datetime:
        return system

    clock = SteadyClock(now)
    for step in steps:
        system += timedelta(seconds=step)
        shown.append(clock())
    for (earlier, later), step in zip(pairwise(shown), steps[1:], strict=True):
        assert (later - earlier).total_seconds() == max(0, step)


def test_there_is_no_time_between_two_clocks_that_disagree() -> None:
    earlier, later = "2026-03-01T11:00:00.000Z", "2026-03-01T12:00:00.500Z"
    assert seconds_between(earlier, later) == 3600.5
    assert seconds_between(later, earlier) == 0
