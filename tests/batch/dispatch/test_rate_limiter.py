"""The spacing of calls: even, never above the ceiling, and without catching up."""

import asyncio
from itertools import pairwise

import pytest

from bulkreact.batch.dispatch.rate_limiter import RateLimiter
from tests.support.virtual_time import now, run


async def _nothing() -> None:
    """Do nothing before a permit."""


async def _acquire(limiter: RateLimiter, number: int, workers: int = 16) -> list[float]:
    times: list[float] = []

    async def work() -> None:
        while len(times) < number:
            await limiter.acquire(_nothing)
            times.append(round(now(), 6))

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())
    return times[:number]


def _most_in_any_second(times: list[float]) -> int:
    return max(sum(begin <= time < begin + 1 - 1e-5 for time in times) for begin in times)


@pytest.mark.parametrize("rate", [5.0, 20.0, 200.0])
def test_no_second_has_more_calls_than_the_rate(rate: float) -> None:
    times = run(_acquire(RateLimiter(rate), int(rate * 10)))
    assert _most_in_any_second(times) <= rate * 1.05 + 1


@pytest.mark.parametrize("rate", [5.0, 20.0, 200.0, 1000.0])
def test_none_of_the_rate_is_wasted(rate: float) -> None:
    times = run(_acquire(RateLimiter(rate), int(rate * 10)))
    assert len(times) / (times[-1] + 1 / rate) == pytest.approx(rate, rel=0.005)


def test_calls_of_a_slow_rate_are_evenly_spaced_from_the_very_first() -> None:
    times = run(_acquire(RateLimiter(5.0), 20))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == pytest.approx([0.2] * 19)


def test_without_a_ceiling_every_permit_comes_at_once() -> None:
    assert set(run(_acquire(RateLimiter(None), 100))) == {0.0}


def test_a_lowered_rate_applies_to_the_next_permit() -> None:
    async def scenario() -> list[float]:
        limiter = RateLimiter(10.0)
        await _acquire(limiter, 10, workers=1)
        limiter.adaptive_rate.rate = 2.0
        return await _acquire(limiter, 5, workers=1)

    times = run(scenario())
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == pytest.approx([0.5] * 4)


def test_closing_wakes_all_waiters() -> None:
    async def scenario() -> float:
        limiter = RateLimiter(0.1)
        asyncio.get_running_loop().call_later(3, limiter.close)
        await _acquire(limiter, 20)
        return round(now(), 3)

    assert run(scenario()) == 3


def test_permits_do_not_accumulate_during_a_wait_before_one() -> None:
    async def scenario() -> list[float]:
        limiter = RateLimiter(5.0)
        times: list[float] = []
        waited: list[float] = []

        async def wait_once() -> None:
            if len(times) == 3 and not waited:
                waited.append(now())
                await asyncio.sleep(7)

        async def work() -> None:
            for _ in range(2):
                await limiter.acquire(wait_once)
                times.append(round(now(), 6))

        async with asyncio.TaskGroup() as group:
            for _ in range(16):
                group.create_task(work())
        return times

    times = run(scenario())
    assert times[3] - times[2] >= 7
    # Idle time is not caught up with.
    assert _most_in_any_second(times) <= 5 + 2


def test_after_a_pause_calls_are_spaced_like_all_others() -> None:
    async def scenario() -> list[float]:
        limiter = RateLimiter(5.0)
        await _acquire(limiter, 2)
        await asyncio.sleep(60)
        return await _acquire(limiter, 5)

    times = run(scenario())
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.2 - 0.0201


def test_the_first_pace_of_a_run_without_a_ceiling_begins_with_a_gap() -> None:
    async def scenario() -> float:
        limiter = RateLimiter(None)
        await _acquire(limiter, 20)
        limiter.adaptive_rate.speed_up(0)
        limiter.adaptive_rate.slow_down(1.0)
        limiter.adaptive_rate.resume(10)
        began = now()
        await _acquire(limiter, 1, workers=1)
        return now() - began

    assert run(scenario()) >= 1
