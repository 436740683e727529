"""The rate that the partner turned out to allow: found soon, and again when it changes."""

from math import inf

import pytest

from bulkreact.batch.dispatch.adaptive_rate import FLOOR_PER_SECOND, AdaptiveRate


def answer(rate: AdaptiveRate, begin: float, seconds: float) -> float:
    """Let calls at the present rate be answered for so many seconds; return when the last one was."""
    now = begin
    while now < begin + seconds:
        rate.speed_up(now)
        now += 1 / min(rate.rate, 100)
    return now


def throttle(rate: AdaptiveRate, now: float, pause: float) -> None:
    rate.slow_down(now)
    rate.resume(now + pause)


def test_without_a_throttle_the_rate_is_the_ceiling() -> None:
    rate = AdaptiveRate(10.0)
    answer(rate, 0, 60)
    assert rate.rate == 10.0
    assert AdaptiveRate(None).rate == inf


def test_without_a_ceiling_the_first_throttle_gives_a_pace_the_one_achieved() -> None:
    rate = AdaptiveRate(None)
    for number in range(100):
        rate.speed_up(number / 200)
    throttle(rate, 0.5, 9.5)
    assert rate.rate == pytest.approx(9.5)


def test_the_present_rate_is_kept_during_the_pause() -> None:
    rate = AdaptiveRate(40.0)
    rate.slow_down(1.0)
    assert rate.rate == 40.0


def test_the_next_rate_lies_between_what_was_allowed_and_what_was_refused() -> None:
    rate = AdaptiveRate(40.0)
    now = answer(rate, 0, 2.5)
    throttle(rate, now, 7.5)
    assert 10 < rate.rate < 40
    assert rate.rate == pytest.approx((9.6 * 40) ** 0.5, rel=0.02)


def test_a_rate_that_was_allowed_for_a_while_is_raised() -> None:
    rate = AdaptiveRate(40.0)
    throttle(rate, answer(rate, 0, 1), 10)
    before = rate.rate
    answer(rate, 11, 1.4)
    assert rate.rate == before
    answer(rate, 12.4, 0.5)
    assert rate.rate > before


def test_the_ceiling_is_reached_again_and_never_passed() -> None:
    rate = AdaptiveRate(10.0)
    throttle(rate, answer(rate, 0, 5), 60)
    answer(rate, 65, 300)
    assert rate.rate == 10.0


def test_the_rate_never_falls_to_zero() -> None:
    rate = AdaptiveRate(5.0)
    for number in range(1000):
        throttle(rate, 100.0 * number, 90)
    assert rate.rate >= FLOOR_PER_SECOND


@pytest.mark.parametrize("limit", [3.0, 10.0, 30.0])
def test_a_limit_is_found_and_kept_near_and_found_again_when_it_is_raised(limit: float) -> None:
    rate, now, throttles = AdaptiveRate(40.0), 0.0, 0
    while now < 120:
        rate.speed_up(now)
        now += 1 / rate.rate
        if rate.rate > limit:
            throttle(rate, now, 1)
            now, throttles = now + 1, throttles + 1
    assert 0.8 * limit < rate.rate <= limit
    assert throttles <= 12
    answer(rate, now, 120)
    assert rate.rate == 40.0


@pytest.mark.parametrize(("ceiling", "tried"), [(0.4, 0.2), (2.0, 1.0), (9.0, 3.0), (None, 1.0)])
def test_a_run_that_begins_with_a_refusal_does_not_crawl(ceiling: float | None, tried: float) -> None:
    rate = AdaptiveRate(ceiling)
    rate.slow_down(0.0)
    rate.resume(1.0)
    assert rate.rate == pytest.approx(tried)


@pytest.mark.parametrize(("ceiling", "tried"), [(80.0, 10.0), (None, 8.0)])
def test_where_the_rate_is_hardly_to_blame_it_is_near_what_it_was_in_seconds(
    ceiling: float | None, tried: float
) -> None:
    rate = AdaptiveRate(ceiling)
    rate.speed_up(0.0)
    rate.start_again()
    rate.resume(2.0)
    assert rate.rate == pytest.approx(tried)
    answer(rate, 2.0, 3.5)
    assert rate.rate >= 60


def test_a_pause_that_was_not_for_the_rate_leaves_it() -> None:
    rate = AdaptiveRate(40.0)
    answer(rate, 0, 5)
    rate.resume(7.0)
    assert rate.rate == 40.0


def test_the_time_of_an_outage_is_no_part_of_the_pace_achieved() -> None:
    rate = AdaptiveRate(None)
    rate.speed_up(0.0)
    rate.begin_again(60.0)
    for number in range(100):
        rate.speed_up(60 + number / 200)
    throttle(rate, 60.5, 9.5)
    assert rate.rate == pytest.approx(9.5)


def test_the_first_window_shows_the_limit_itself() -> None:
    rate = AdaptiveRate(40.0)
    for number in range(20):
        rate.speed_up(number / 40)
    rate.slow_down(0.5, retry_after=1.0)
    rate.resume(1.7)
    assert rate.rate == pytest.approx(0.97 * 20)


def test_what_was_answered_at_several_rates_is_no_window() -> None:
    rate = AdaptiveRate(None)
    rate.speed_up(0.0)
    rate.start_again()
    rate.resume(2.0)
    now = answer(rate, 2.0, 3.0)
    rate.slow_down(now, retry_after=1.0)
    rate.resume(now + 1)
    assert rate.rate > 16.0
