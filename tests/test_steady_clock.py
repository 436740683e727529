"""Time that goes on evenly, whatever happens to the system's clock."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact import steady_clock
from bulkreact.steady_clock import SteadyClock, elapsed

START = datetime(2026, 3, 29, 0, 59, tzinfo=UTC)


@given(steps=st.lists(st.integers(-100_000, 100_000)), seconds=st.integers(0, 100_000))
def test_setting_the_clock_changes_nothing(steps: list[int], seconds: int) -> None:
    system, passed = START, 5.0
    clock = SteadyClock(lambda: system, lambda: passed)
    passed += seconds
    for step in steps:
        system += timedelta(seconds=step)
        assert clock() == START + timedelta(seconds=seconds)
    assert clock.timestamp() == START.timestamp() + seconds


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="the clock that goes on during sleep is Linux's")
def test_time_passes_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "clock_gettime", {time.CLOCK_BOOTTIME: 7.0}.__getitem__)
    assert elapsed() == 7


def test_without_such_a_clock_it_is_the_monotonic_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady_clock, "_CLOCK", None)
    monkeypatch.setattr(time, "monotonic", lambda: 42.0)
    assert elapsed() == 42
