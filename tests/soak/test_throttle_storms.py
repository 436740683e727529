"""Throttle storms in virtual time: waits are kept, no other customer is delayed, nothing is repeated."""

from collections import Counter
from itertools import count
from pathlib import Path

import pytest
from msgspec.structs import replace

from bulkreact.models import Response, Status
from bulkreact.settings import Limits
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.ids import guid, scenario_id, target
from tests.support.virtual_run import SentCall, VirtualRun

LIMITS = Limits(calls_per_second=10)


def count_throttled(virtual_run: VirtualRun) -> int:
    """Return how many calls were answered 429."""
    return sum(sent.status == 429 for sent in virtual_run.sent)


def statuses(virtual_run: VirtualRun) -> Counter[Status]:
    """Return how the rows ended."""
    return Counter(row.outcome.status for row in virtual_run.rows())


@pytest.mark.parametrize(
    ("header", "body", "least", "most"),
    [
        ("7", b"", 7, 8),
        ("0", b"", 2, 2.3),
        ("-5", b"", 2, 2.3),
        ("soon", b"", 2, 2.3),
        ("nan", b"", 2, 2.3),
        ("1e3", b"", 2, 2.3),
        (None, b"", 2, 2.3),
        (None, b'{"statusCode":429,"message":"Rate limit is exceeded. Try again in 57 seconds."}', 57, 58),
        ("0", b'{"statusCode":429,"message":"Rate limit is exceeded. Try again in 20 seconds."}', 20, 21),
        ("Sun, 01 Mar 2026 12:00:30 GMT", b"", 29, 31),
        ("Sat, 28 Feb 2026 12:00:00 GMT", b"", 2, 2.3),
    ],
)
def test_whatever_a_429_says_the_row_waits_sensibly(
    tmp_path: Path, header: str | None, body: bytes, least: float, most: float
) -> None:
    virtual_run = VirtualRun(tmp_path)
    refusals = iter([Response(429, "", {"retry-after": header} if header is not None else {}, body)])
    virtual_run.answer = lambda _sent: next(refusals, None)
    virtual_run.create_journal([target(guid(1))])
    virtual_run.work(LIMITS)
    first, second = virtual_run.sent
    assert least <= second.at - first.at <= most
    assert first.request_id == second.request_id
    assert statuses(virtual_run) == {Status.ACCEPTED: 1}


def test_two_days_are_not_waited_for(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([target(scenario_id(6429, number)) for number in range(5)])
    virtual_run.work(LIMITS)
    assert statuses(virtual_run) == {Status.DEFERRED: 5}
    assert virtual_run.now < 5


def test_an_endless_429_is_abandoned_after_half_an_hour(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.answer = lambda _sent: Response(429, "", {"retry-after": "60"}, b"")
    virtual_run.create_journal([target(guid(number), number % 5) for number in range(50)])
    virtual_run.work(LIMITS)
    assert statuses(virtual_run) == {Status.DEFERRED: 50}
    assert 1800 <= virtual_run.now < 2100
    assert count_throttled(virtual_run) < 150


def test_a_throttled_customer_delays_no_other(tmp_path: Path) -> None:
    def time_others(folder: Path, *, storm: bool) -> float:
        virtual_run = VirtualRun(folder)
        folder.mkdir()
        ours = target(guid(0), 0).customer_id

        def answer(sent: SentCall) -> Response | None:
            return (
                Response(429, "", {"retry-after": "60"}, b"") if storm and ours in sent.path and sent.at < 60 else None
            )

        virtual_run.answer = answer
        virtual_run.create_journal([target(guid(number), number % 20) for number in range(400)])
        virtual_run.work(LIMITS)
        assert statuses(virtual_run) == {Status.ACCEPTED: 400}
        return max(sent.at for sent in virtual_run.sent if ours not in sent.path)

    assert time_others(tmp_path / "storm", storm=True) <= 1.05 * time_others(tmp_path / "calm", storm=False)


@pytest.mark.soak
@pytest.mark.parametrize("window", [1.0, 60.0])
def test_a_limit_that_falls_and_rises_in_mid_run_is_followed(tmp_path: Path, window: float) -> None:
    """The limit is 20 calls a second, falls to 5 after 2,000 calls, and is 20 again after 3,000."""
    virtual_run = VirtualRun(tmp_path, Behaviour(partner_limit=int(20 * window), window=window))
    calls = count(1)

    def change(_sent: SentCall) -> None:
        number = next(calls)
        if number in {2000, 3000}:
            limit = int((5 if number == 2000 else 20) * window)
            virtual_run.service.behaviour = replace(virtual_run.service.behaviour, partner_limit=limit)

    virtual_run.on_call = change
    virtual_run.create_journal([target(guid(number), number % 50) for number in range(6000)])
    virtual_run.work(Limits(calls_per_second=20))
    assert statuses(virtual_run) == {Status.ACCEPTED: 6000}
    assert len(virtual_run.service.call_log.effects) == 6000
    assert virtual_run.service.call_log.violations == []
    assert count_throttled(virtual_run) < 0.05 * len(virtual_run.sent)
    # 2,000 calls at 20, 1,000 at 5 and 3,000 at 20 a second, if none of the limit were wasted.
    assert virtual_run.now < 1.35 * (2000 / 20 + 1000 / 5 + 3000 / 20)


@pytest.mark.soak
def test_limits_of_customers_and_of_the_partner_at_once_lose_nothing(tmp_path: Path) -> None:
    rules = Behaviour(partner_limit=300, customer_limit=20, window=60, fault_share=0.1, seed=5)
    virtual_run = VirtualRun(tmp_path, rules)
    virtual_run.create_journal([target(guid(number), number % 30) for number in range(1500)])
    virtual_run.work(replace(LIMITS, attempts=50))
    assert statuses(virtual_run) == {Status.ACCEPTED: 1500}
    assert len(virtual_run.service.call_log.effects) == 1500
    assert {len(set(ids)) for ids in _ids_by_path(virtual_run).values()} == {1}


def _ids_by_path(virtual_run: VirtualRun) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {}
    for sent in virtual_run.sent:
        ids.setdefault(sent.path, []).append(sent.request_id)
    return ids
