"""When the service counts as down, when it is tried again, and which calls are part of that."""

import pytest

from bulkreact.batch.dispatch.outage import OutageDetector, Trouble, TroubledCall, TroubleKind
from bulkreact.models import Answer

SUSPECTED, OUTAGE, THROTTLE = TroubleKind.SUSPECTED, TroubleKind.OUTAGE, TroubleKind.THROTTLE


def detect(*, customers: int = 9, max_outage: float = 1800) -> OutageDetector:
    return OutageDetector(max_outage=max_outage, customers=customers)


def trouble(
    detector: OutageDetector,
    customer: str,
    started: float,
    *,
    finished: float | None = None,
    status: int | None = 503,
    write: bool = True,
    retry_after: float | None = None,
    earlier: tuple[int, ...] = (),
) -> Trouble:
    return detector.record_trouble(
        TroubledCall(
            customer,
            started,
            started if finished is None else finished,
            Answer(status, f"http-{status}", "", business=False),
            write=write,
            retry_after=retry_after,
            earlier=earlier,
        ),
        chance=0,
    )


def begin_outage(detector: OutageDetector, *, retry_after: float | None = None) -> None:
    """Let three calls at 100, 101 and 102 show an outage."""
    for number, customer in enumerate("aba"):
        trouble(detector, customer, 100 + number, retry_after=retry_after)


def probe_delay(detector: OutageDetector, now: float) -> float:
    assert detector.outage
    return detector.outage.next_probe - now


@pytest.mark.parametrize("status", [502, 503, 504, None])
def test_three_calls_of_two_customers_without_an_answer_are_an_outage(status: int | None) -> None:
    detector = detect()
    kinds = [trouble(detector, customer, at, status=status).kind for at, customer in enumerate("aba")]
    assert kinds == [SUSPECTED, SUSPECTED, OUTAGE]
    assert detector.outage
    assert (detector.outage.since, detector.outage.detected, detector.outage.next_probe) == (0, 2, 7)


def test_all_of_one_customer_are_no_outage_while_there_are_others() -> None:
    detector = detect()
    assert {trouble(detector, "a", at).kind for at in range(9)} == {SUSPECTED}
    assert trouble(detector, "b", 9).kind is OUTAGE


def test_a_run_of_one_customer_needs_no_second() -> None:
    detector = detect(customers=1)
    assert [trouble(detector, "a", at).kind for at in range(3)] == [SUSPECTED, SUSPECTED, OUTAGE]


def test_an_answer_in_between_begins_the_count_anew() -> None:
    detector = detect()
    assert not [trouble(detector, *call) for call in [("a", 0), ("b", 1)] if detector.outage]
    detector.record_answer(started=1.5, now=1.8)
    assert [trouble(detector, *call).kind for call in [("a", 2), ("b", 3), ("a", 4)]] == [SUSPECTED, SUSPECTED, OUTAGE]


def test_a_late_answer_to_an_older_call_proves_nothing() -> None:
    detector = detect()
    trouble(detector, "a", 10)
    trouble(detector, "b", 11)
    detector.record_answer(started=9, now=11.5)
    assert trouble(detector, "a", 12).kind is OUTAGE


def test_a_row_with_trouble_of_its_own_is_no_sign_of_an_outage() -> None:
    detector = detect()
    own = [trouble(detector, customer, at).number for at, customer in enumerate("ab")]
    detector.record_answer(started=5, now=5)
    assert {trouble(detector, "ab"[at % 2], 6 + at, earlier=(own[at % 2],)).kind for at in range(9)} == {SUSPECTED}


def test_the_failures_of_an_outage_do_not_count_even_those_that_came_first() -> None:
    detector = detect()
    first = trouble(detector, "a", 0).number
    detector.record_answer(started=1, now=1)
    numbers = tuple(trouble(detector, customer, 2 + at).number for at, customer in enumerate("aba"))
    assert detector.count_failures((0, first, *numbers)) == 2


def test_what_comes_back_late_is_still_part_of_the_outage() -> None:
    detector = detect()
    begin_outage(detector)
    detector.record_answer(started=107, now=108)
    late = trouble(detector, "c", 99, finished=120)
    assert (late.kind, detector.count_failures((late.number,))) == (OUTAGE, 0)
    assert trouble(detector, "c", 121, status=502).kind is SUSPECTED


@pytest.mark.parametrize(("started", "write", "over"), [(101, True, False), (107, False, False), (107, True, True)])
def test_only_an_answer_to_a_later_write_ends_the_outage_of_writes(started: float, write: bool, over: bool) -> None:
    detector = detect()
    begin_outage(detector)
    detector.record_answer(started=started, now=108, write=write)
    assert (detector.outage is None) is over


@pytest.mark.parametrize(
    ("at", "seconds"), [(107, 6.4625), (120, 8.25), (180, 16.5), (340, 38.5), (580, 60), (1500, 60), (1870, 30)]
)
def test_it_is_probed_after_an_eighth_of_its_length_and_a_little_more(at: float, seconds: float) -> None:
    detector = detect()
    begin_outage(detector)
    trouble(detector, "a", at)
    assert probe_delay(detector, at) == pytest.approx(seconds)


def test_retry_after_is_respected_first_and_later_and_where_it_comes_late() -> None:
    detector = detect()
    begin_outage(detector, retry_after=40)
    assert probe_delay(detector, 102) == 40
    trouble(detector, "c", 101, finished=110, retry_after=50)
    assert probe_delay(detector, 110) == 50
    trouble(detector, "c", 160, retry_after=90)
    assert probe_delay(detector, 160) == 90


def test_only_probes_are_counted_as_such() -> None:
    detector = detect()
    begin_outage(detector)
    trouble(detector, "c", 101.5, finished=103)
    trouble(detector, "c", 107)
    assert detector.outage
    assert detector.outage.probes == 1


@pytest.mark.parametrize(
    ("at", "retry_after", "gives_up"), [(399, None, False), (400, None, True), (200, 199, False), (200, 201, True)]
)
def test_it_gives_up_when_it_has_lasted_for_too_long_or_would_have(
    at: float, retry_after: float | None, gives_up: bool
) -> None:
    detector = detect(max_outage=300)
    begin_outage(detector)
    trouble(detector, "a", at, retry_after=retry_after)
    assert detector.outage
    assert detector.outage.gives_up is gives_up


def test_a_503_soon_after_an_accepted_probe_is_a_throttle_from_then_on() -> None:
    detector = detect()
    begin_outage(detector)
    detector.record_answer(started=107, now=107)
    assert trouble(detector, "a", 116).kind is THROTTLE
    detector.record_answer(started=300, now=300)
    assert trouble(detector, "a", 309).kind is THROTTLE
    assert detector.count_failures((trouble(detector, "a", 309).number,)) == 0
    assert trouble(detector, "a", 311).kind is SUSPECTED


@pytest.mark.parametrize(("status", "at", "throttled"), [(502, 108, False), (503, 118, False), (503, 108, True)])
def test_other_trouble_after_an_outage_is_no_throttle(status: int, at: float, throttled: bool) -> None:
    detector = detect()
    begin_outage(detector)
    detector.record_answer(started=107, now=107, throttled=throttled)
    assert trouble(detector, "a", at, status=status).kind is SUSPECTED
