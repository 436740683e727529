"""Waiting between the passes of a watch."""

import signal

import pytest

from bulkreact.inbox.sweep import wait_for_signal


def test_without_a_signal_the_whole_time_is_waited() -> None:
    naps: list[float] = []
    wait_for_signal(1.1, [], naps.append)
    assert sum(naps) == pytest.approx(1.1)


def test_a_signal_ends_the_wait_after_the_present_nap() -> None:
    naps: list[float] = []
    received: list[int] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        received.append(signal.SIGTERM)

    wait_for_signal(60, received, sleep)
    assert len(naps) == 1


def test_a_signal_that_came_before_is_not_waited_for() -> None:
    wait_for_signal(60, [signal.SIGTERM], lambda _: pytest.fail("slept"))
