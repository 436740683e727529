"""Who waits after a 429, and how long."""

import pytest

from bulkreact.batch.dispatch.throttle import Scope, Throttle, ThrottleDecision, wait


def _throttle() -> Throttle:
    return Throttle(max_retry_after=300, max_throttle=1800)


def _hit(
    throttle: Throttle,
    customer: str,
    now: float,
    *,
    started: float | None = None,
    retry_after: float | None = 10,
    alone: bool = False,
) -> ThrottleDecision:
    return throttle.throttled(
        customer,
        started=now if started is None else started,
        now=now,
        retry_after=retry_after,
        chance=0,
        alone=alone,
    )


def test_a_first_429_holds_its_customer_alone_for_as_long_as_it_says() -> None:
    assert _hit(_throttle(), "a", 100) == ThrottleDecision(Scope.CUSTOMER, 110)


def test_a_429_of_another_customer_soon_after_holds_everybody_and_slows_down() -> None:
    throttle = _throttle()
    _hit(throttle, "a", 100)
    assert _hit(throttle, "b", 101) == ThrottleDecision(Scope.EVERYBODY, 111, slow_down=True)


def test_a_clean_answer_in_between_shows_that_two_customers_are_throttled_each_for_itself() -> None:
    throttle = _throttle()
    _hit(throttle, "a", 100)
    throttle.answered("c", started=100.5)
    assert _hit(throttle, "b", 101).scope is Scope.CUSTOMER


def test_three_customers_within_the_window_are_everybody_despite_clean_answers() -> None:
    throttle = _throttle()
    _hit(throttle, "a", 100)
    throttle.answered("z", started=100.5)
    _hit(throttle, "b", 101)
    throttle.answered("z", started=101.5)
    assert _hit(throttle, "c", 102).scope is Scope.EVERYBODY


def test_a_429_of_another_customer_much_later_holds_only_that_one() -> None:
    throttle = _throttle()
    _hit(throttle, "a", 100)
    throttle.answered("a", started=111)
    assert _hit(throttle, "b", 130).scope is Scope.CUSTOMER


def test_the_only_customer_left_is_everybody() -> None:
    assert _hit(_throttle(), "a", 100, alone=True) == ThrottleDecision(Scope.EVERYBODY, 110, slow_down=True)


def test_calls_that_were_under_way_do_not_slow_the_pace_again() -> None:
    throttle = _throttle()
    _hit(throttle, "a", 100)
    assert _hit(throttle, "b", 101).slow_down
    assert not _hit(throttle, "c", 102, started=100).slow_down


def test_a_longer_wait_than_allowed_gives_the_scope_up_at_once() -> None:
    assert _hit(_throttle(), "a", 100, retry_after=172_800) == ThrottleDecision(Scope.CUSTOMER, 100, give_up=True)


def test_nothing_but_429_for_too_long_gives_the_scope_up() -> None:
    throttle = _throttle()
    assert not _hit(throttle, "a", 100).give_up
    assert not _hit(throttle, "a", 1000).give_up
    assert _hit(throttle, "a", 1900).give_up


def test_a_wait_that_is_too_long_gives_everybody_up_only_with_three_customers() -> None:
    throttle = _throttle()
    assert _hit(throttle, "a", 100, retry_after=9999) == ThrottleDecision(Scope.CUSTOMER, 100, give_up=True)
    assert _hit(throttle, "b", 101, retry_after=9999) == ThrottleDecision(Scope.CUSTOMER, 101, give_up=True)
    assert _hit(throttle, "c", 102, retry_after=9999).scope is Scope.EVERYBODY


def test_one_absurd_wait_among_ordinary_ones_gives_up_one_customer() -> None:
    throttle = _throttle()
    for name in "abc":
        _hit(throttle, name, 100, retry_after=2)
    assert _hit(throttle, "d", 101, retry_after=10.0**10) == ThrottleDecision(Scope.CUSTOMER, 101, give_up=True)


def test_what_the_last_customer_has_waited_counts_when_it_becomes_everybody() -> None:
    throttle = _throttle()
    assert _hit(throttle, "a", 100, retry_after=None).until == 110
    assert _hit(throttle, "a", 110, retry_after=None, alone=True).until == 130
    assert _hit(throttle, "a", 1900, alone=True).give_up


def test_a_clean_answer_ends_the_patience_anew() -> None:
    throttle = _throttle()
    _hit(throttle, "a", 100)
    throttle.answered("a", started=200)
    assert not _hit(throttle, "a", 1900).give_up


@pytest.mark.parametrize(("count", "seconds"), [(1, 10), (2, 20), (3, 40), (4, 80), (5, 120), (50, 120)])
def test_without_a_named_time_the_wait_doubles_up_to_two_minutes(count: int, seconds: float) -> None:
    assert wait(None, count, 0) == seconds
    assert seconds <= wait(None, count, 0.999) <= 120


@pytest.mark.parametrize("count", [1, 2, 5, 100])
def test_a_named_time_is_never_cut_short(count: int) -> None:
    assert wait(57, count, 0) == 57
    assert 57 < wait(57, count, 0.999) < 57 + 31
