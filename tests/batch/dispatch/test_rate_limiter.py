"""The pace: evenly spaced, never above the rate, lower after throttling and back up again."""

import asyncio
from itertools import pairwise

import pytest

from bulkreact.batch.dispatch.rate_limiter import AdaptiveRate, RateLimiter
from tests.support.virtual_time import now, run


async def _nothing() -> None:
    """Have nothing to do before a turn."""


async def _turns(pacer: RateLimiter, number: int, workers: int = 16) -> list[float]:
    moments: list[float] = []

    async def work() -> None:
        while len(moments) < number:
            await pacer.acquire(_nothing)
            moments.append(round(now(), 6))

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())
    return moments[:number]


def _most_in_any_second(moments: list[float]) -> int:
    return max(sum(begin <= moment < begin + 1 - 1e-5 for moment in moments) for begin in moments)


@pytest.mark.parametrize("rate", [5.0, 20.0, 200.0])
def test_no_second_holds_more_calls_than_the_rate(rate: float) -> None:
    moments = run(_turns(RateLimiter(rate), int(rate * 10)))
    assert _most_in_any_second(moments) <= rate * 1.05 + 1


@pytest.mark.parametrize("rate", [5.0, 20.0, 200.0, 1000.0])
def test_none_of_the_rate_is_wasted(rate: float) -> None:
    moments = run(_turns(RateLimiter(rate), int(rate * 10)))
    assert len(moments) / (moments[-1] + 1 / rate) == pytest.approx(rate, rel=0.005)


def test_calls_of_a_slow_rate_are_evenly_spaced_from_the_very_first() -> None:
    moments = run(_turns(RateLimiter(5.0), 20))
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert gaps == pytest.approx([0.2] * 19)


def test_without_a_ceiling_every_turn_comes_at_once() -> None:
    assert set(run(_turns(RateLimiter(None), 100))) == {0.0}


def test_a_lowered_pace_holds_from_the_next_turn_on() -> None:
    async def scenario() -> list[float]:
        pacer = RateLimiter(10.0)
        await _turns(pacer, 10, workers=1)
        assert pacer.adaptive_rate
        pacer.adaptive_rate.rate = 2.0
        return await _turns(pacer, 5, workers=1)

    moments = run(scenario())
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert gaps == pytest.approx([0.5] * 4)


def test_nobody_waits_for_a_turn_that_will_not_be_used() -> None:
    async def scenario() -> float:
        pacer = RateLimiter(0.1)
        asyncio.get_running_loop().call_later(3, pacer.close)
        await _turns(pacer, 20)
        return round(now(), 3)

    assert run(scenario()) == 3


def test_the_pace_falls_by_a_share_and_creeps_back_to_its_ceiling() -> None:
    pace = AdaptiveRate(10.0)
    pace.slow_down()
    assert pace.rate == pytest.approx(7.0)
    for _ in range(59):
        pace.speed_up()
    assert 9.9 < pace.rate < 10.0
    pace.speed_up()
    pace.speed_up()
    assert pace.rate == 10.0


def test_the_pace_never_falls_to_nothing() -> None:
    pace = AdaptiveRate(5.0)
    for _ in range(1000):
        pace.slow_down()
    assert pace.rate == pytest.approx(0.1)


def test_what_is_waited_for_before_a_turn_lets_nobody_hoard_turns() -> None:
    async def scenario() -> list[float]:
        pacer = RateLimiter(5.0)
        moments: list[float] = []
        waited: list[float] = []

        async def wait_once() -> None:
            if len(moments) == 3 and not waited:
                waited.append(now())
                await asyncio.sleep(7)

        async def work() -> None:
            for _ in range(2):
                await pacer.acquire(wait_once)
                moments.append(round(now(), 6))

        async with asyncio.TaskGroup() as group:
            for _ in range(16):
                group.create_task(work())
        return moments

    moments = run(scenario())
    assert moments[3] - moments[2] >= 7
    # What was idle is not caught up with.
    assert _most_in_any_second(moments) <= 5 + 2


def test_near_what_was_too_much_the_pace_creeps_more_slowly() -> None:
    pace = AdaptiveRate(10.0)
    pace.slow_down()
    pace.slow_down()
    for _ in range(100):
        pace.speed_up()
    # 7.0 was too much.
    assert 6.65 < pace.rate < 6.8


def test_what_was_too_much_long_ago_holds_the_pace_back_no_more() -> None:
    pace = AdaptiveRate(10.0)
    pace.slow_down()
    pace.slow_down()
    for _ in range(2000):
        pace.speed_up()
    assert pace.rate == 10.0
