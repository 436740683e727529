"""How many calls a partner allows at the same time: found by one refusal, and raised with patience."""

from math import inf

from bulkreact.batch.dispatch.in_flight_limit import InFlightLimit


def answer(limit: InFlightLimit, beside: int, answers: int = 1) -> int:
    """Let calls be answered beside so many others; return how often that raised the limit."""
    return sum(limit.record_answer(beside) for _ in range(answers))


def test_without_a_throttle_there_is_no_limit() -> None:
    limit = InFlightLimit()
    assert answer(limit, 15, 1000) == 0
    assert limit.calls == inf


def test_a_refusal_beside_more_than_ever_was_answered_shows_the_limit() -> None:
    limit = InFlightLimit()
    answer(limit, 1, 5)
    assert limit.lower(2, 16)
    assert limit.calls == 2


def test_others_refused_at_the_same_time_show_it_better() -> None:
    limit = InFlightLimit()
    answer(limit, 1)
    assert limit.lower(9, 16)
    for beside in (12, 2, 5):
        limit.cap(beside)
    assert limit.calls == 2
    limit.cap(1)
    assert limit.calls == 2


def test_a_refusal_beside_as_many_as_were_answered_is_that_of_the_rate() -> None:
    limit = InFlightLimit()
    answer(limit, 4)
    assert not limit.lower(4, 16)
    assert limit.calls == 8
    assert not limit.lower(0, 16)
    assert limit.calls == 4


def test_some_calls_are_always_allowed_whatever_the_rate() -> None:
    limit = InFlightLimit()
    for _ in range(9):
        limit.lower(0, 16)
    assert limit.calls == 3


def test_it_is_raised_only_by_answers_to_as_many_as_allowed() -> None:
    limit = InFlightLimit()
    limit.lower(0, 8)
    assert answer(limit, 2, 100) == 0
    assert answer(limit, 3, 19) == 0
    assert answer(limit, 3) == 1
    assert limit.calls == 5


def test_what_was_refused_is_tried_again_four_times_as_late() -> None:
    limit = InFlightLimit()
    for answers in (80, 320, 1280):
        assert limit.lower(2, 16)
        assert answer(limit, 1, answers - 1) == 0
        assert answer(limit, 1) == 1
        assert limit.calls == 3
