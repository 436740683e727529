"""When a 503 is a throttle and not a sign of an outage."""

from bulkreact.batch.dispatch.hidden_throttle import HiddenThrottle


def refuse(throttle: HiddenThrottle, *times: float) -> list[bool]:
    """Return for each 503 of customers in turn whether it is a throttle."""
    return [throttle.is_throttle("ab"[number % 2], started=time, finished=time) for number, time in enumerate(times)]


def find(throttle: HiddenThrottle) -> None:
    throttle.record_answer(0, ends_outage=True)
    assert refuse(throttle, 1) == [True]


def test_five_of_several_customers_among_other_answers_are_a_throttle() -> None:
    throttle = HiddenThrottle(customers=2)
    assert refuse(throttle, 0, 1, 2, 3) == [False] * 4
    throttle.record_answer(3.5, ends_outage=False)
    assert refuse(throttle, 4) == [True]


def test_five_without_another_answer_or_of_one_customer_or_far_apart_are_none() -> None:
    assert refuse(HiddenThrottle(customers=2), 0, 1, 2, 3, 4) == [False] * 5
    throttle = HiddenThrottle(customers=2)
    throttle.record_answer(3.5, ends_outage=False)
    assert not any(throttle.is_throttle("a", started=time, finished=time) for time in range(5))
    throttle = HiddenThrottle(customers=1)
    throttle.record_answer(11, ends_outage=False)
    assert refuse(throttle, 0, 3, 6, 9, 12) == [False] * 5


def test_other_trouble_in_between_says_that_it_is_none() -> None:
    throttle = HiddenThrottle(customers=2)
    throttle.record_answer(3.5, ends_outage=False)
    refuse(throttle, 0, 1, 2, 3)
    throttle.record_other_trouble()
    assert refuse(throttle, 4) == [False]


def test_once_found_it_is_told_from_an_outage_by_the_latest_answer() -> None:
    throttle = HiddenThrottle(customers=2)
    find(throttle)
    throttle.record_answer(100, ends_outage=False)
    assert refuse(throttle, 110, 111) == [True, False]


def test_pauses_that_do_not_help_show_that_there_is_none() -> None:
    throttle = HiddenThrottle(customers=2)
    find(throttle)
    for number in range(10):
        throttle.record_answer(2 + number, ends_outage=False)
        assert refuse(throttle, 2.5 + number) == [True]
    assert refuse(throttle, 13, 14) == [False, False]


def test_a_throttle_that_lets_enough_calls_pass_stays_one() -> None:
    throttle = HiddenThrottle(customers=2)
    find(throttle)
    for number in range(30):
        for _ in range(11):
            throttle.record_answer(2 + number, ends_outage=False)
        assert refuse(throttle, 2.5 + number) == [True]
