"""Which calls wait after a 429, and how long."""

import pytest

from bulkreact.batch.dispatch.throttle import Throttle, ThrottleDecision, ThrottleScope, wait


def _throttle() -> Throttle:
    return Throttle(max_retry_after=300, max_throttle=1800)


def _throttled(
    throttle: Throttle,
    customer: str,
    now: float,
    *,
    started: float | None = None,
    retry_after: float | None = 10,
    alone: bool = False,
) -> ThrottleDecision:
    return throttle.record_429(
        customer,
        started=now if started is None else started,
        now=now,
        retry_after=retry_after,
        chance=0,
        is_only_customer=alone,
    )


def test_a_first_429_pauses_its_customer_alone_for_as_long_as_it_says() -> None:
    assert _throttled(_throttle(), "a", 100) == ThrottleDecision(ThrottleScope.CUSTOMER, 110)


def test_a_429_of_another_customer_soon_after_pauses_the_partner_and_slows_down() -> None:
    throttle = _throttle()
    _throttled(throttle, "a", 100)
    assert _throttled(throttle, "b", 101) == ThrottleDecision(ThrottleScope.PARTNER, 111, slow_down=True)


def test_a_clean_answer_in_between_shows_that_two_customers_are_throttled_each_for_itself() -> None:
    throttle = _throttle()
    _throttled(throttle, "a", 100)
    throttle.record_answer("c", started=100.5)
    assert _throttled(throttle, "b", 101).scope is ThrottleScope.CUSTOMER


def test_three_customers_within_the_window_are_the_partner_despite_clean_answers() -> None:
    throttle = _throttle()
    _throttled(throttle, "a", 100)
    throttle.record_answer("z", started=100.5)
    _throttled(throttle, "b", 101)
    throttle.record_answer("z", started=101.5)
    assert _throttled(throttle, "c", 102).scope is ThrottleScope.PARTNER


@pytest.mark.parametrize(("seconds", "scope"), [(4, ThrottleScope.PARTNER), (6, ThrottleScope.CUSTOMER)])
def test_three_customers_within_the_window_are_the_partner_even_if_the_first_were_answered_since(
    seconds: float, scope: ThrottleScope
) -> None:
    throttle = _throttle()
    for number, customer in enumerate("ab"):
        _throttled(throttle, customer, 100 + number * seconds, retry_after=1)
        throttle.record_answer(customer, started=101 + number * seconds)
    assert _throttled(throttle, "c", 100 + 2 * seconds).scope is scope


@pytest.mark.parametrize(
    ("customer", "now", "started", "scope"),
    [
        ("a", 105, 100, ThrottleScope.PARTNER),
        ("z", 105, 104, ThrottleScope.PARTNER),
        ("z", 112, 109, ThrottleScope.PARTNER),
        ("z", 130, 129, ThrottleScope.CUSTOMER),
    ],
)
def test_a_429_while_the_partner_is_paused_concerns_the_partner(
    customer: str, now: float, started: float, scope: ThrottleScope
) -> None:
    throttle = _throttle()
    _throttled(throttle, "a", 100)
    _throttled(throttle, "b", 101)
    assert _throttled(throttle, customer, now, started=started).scope is scope


@pytest.mark.parametrize(("write", "abandoned"), [(True, False), (False, True)])
def test_only_a_write_ends_the_throttle_of_a_write(write: bool, abandoned: bool) -> None:
    throttle = _throttle()
    _throttled(throttle, "a", 100)
    throttle.record_answer("a", started=200, write=write)
    assert _throttled(throttle, "a", 1900).abandon is abandoned


def test_a_429_of_another_customer_much_later_holds_only_that_one() -> None:
    throttle = _throttle()
    _throttled(throttle, "a", 100)
    throttle.record_answer("a", started=111)
    assert _throttled(throttle, "b", 130).scope is ThrottleScope.CUSTOMER


def test_the_only_customer_left_is_the_partner() -> None:
    assert _throttled(_throttle(), "a", 100, alone=True) == ThrottleDecision(ThrottleScope.PARTNER, 110, slow_down=True)


def test_calls_that_were_under_way_do_not_slow_the_pace_again() -> None:
    throttle = _throttle()
    _throttled(throttle, "a", 100)
    assert _throttled(throttle, "b", 101).slow_down
    assert not _throttled(throttle, "c", 102, started=100).slow_down


def test_a_pause_that_was_too_short_says_nothing_about_the_rate() -> None:
    throttle = _throttle()
    _throttled(throttle, "a", 100)
    _throttled(throttle, "b", 101)
    assert not _throttled(throttle, "c", 112).slow_down


@pytest.mark.parametrize(("now", "scope"), [(120, ThrottleScope.PARTNER), (140, ThrottleScope.CUSTOMER)])
def test_a_429_soon_after_the_partner_was_throttled_concerns_it_again(now: float, scope: ThrottleScope) -> None:
    throttle = _throttle()
    _throttled(throttle, "a", 100)
    _throttled(throttle, "b", 101)
    assert throttle.record_answer("a", started=112)
    assert not throttle.record_answer("a", started=113)
    assert _throttled(throttle, "z", now).scope is scope


def test_a_longer_wait_than_allowed_abandons_the_scope_at_once() -> None:
    assert _throttled(_throttle(), "a", 100, retry_after=172_800) == ThrottleDecision(
        ThrottleScope.CUSTOMER, 100, abandon=True
    )


def test_nothing_but_429_for_too_long_abandons_the_scope() -> None:
    throttle = _throttle()
    assert not _throttled(throttle, "a", 100).abandon
    assert not _throttled(throttle, "a", 1000).abandon
    assert _throttled(throttle, "a", 1900).abandon


def test_a_wait_that_is_too_long_abandons_the_partner_only_with_three_customers() -> None:
    throttle = _throttle()
    assert _throttled(throttle, "a", 100, retry_after=9999) == ThrottleDecision(
        ThrottleScope.CUSTOMER, 100, abandon=True
    )
    assert _throttled(throttle, "b", 101, retry_after=9999) == ThrottleDecision(
        ThrottleScope.CUSTOMER, 101, abandon=True
    )
    assert _throttled(throttle, "c", 102, retry_after=9999).scope is ThrottleScope.PARTNER


def test_one_absurd_wait_among_ordinary_ones_abandons_one_customer() -> None:
    throttle = _throttle()
    for customer in "abc":
        _throttled(throttle, customer, 100, retry_after=2)
    assert _throttled(throttle, "d", 101, retry_after=10.0**10) == ThrottleDecision(
        ThrottleScope.CUSTOMER, 101, abandon=True
    )


def test_what_the_last_customer_has_waited_counts_for_the_partner() -> None:
    throttle = _throttle()
    assert _throttled(throttle, "a", 100, retry_after=None).until == 102
    assert _throttled(throttle, "a", 102, retry_after=None, alone=True).until == 106
    assert _throttled(throttle, "a", 1900, alone=True).abandon


def test_a_clean_answer_ends_the_episode() -> None:
    throttle = _throttle()
    _throttled(throttle, "a", 100)
    throttle.record_answer("a", started=200)
    assert not _throttled(throttle, "a", 1900).abandon


@pytest.mark.parametrize(("count", "seconds"), [(1, 2), (2, 4), (3, 8), (6, 64), (7, 120), (50, 120)])
def test_without_a_named_time_the_wait_doubles_up_to_two_minutes(count: int, seconds: float) -> None:
    assert wait(None, count, 0) == seconds
    assert seconds <= wait(None, count, 0.999) <= 120


@pytest.mark.parametrize("count", [1, 2, 5, 100])
def test_a_named_time_is_never_cut_short(count: int) -> None:
    assert wait(57, count, 0) == 57
    assert 57 < wait(57, count, 0.999) < 57 + 31
