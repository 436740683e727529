"""Outages in virtual time: calls are held, one at a time probes, and no row fails."""

from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from bulkreact.batch.journal.journal_file import read_only
from bulkreact.models import NoResponse, Reply, Request, Response, RunState, Status
from bulkreact.settings import Limits, Verification
from bulkreact.simulator.partnercenter.service import Behaviour
from bulkreact.timestamps import seconds_between
from tests.support.ids import guid, scenario_id, target
from tests.support.marks import mostly_soak
from tests.support.virtual_run import Killed, SentCall, VirtualRun

ROWS = 300
RATE = 10.0
BEGIN = 8.0
LIMITS = Limits(calls_per_second=RATE)
KINDS: dict[str, Reply] = {
    "503": Response(503, "", {}, b""),
    "503 with Retry-After": Response(503, "", {"retry-after": "20"}, b""),
    "502": Response(502, "", {}, b"<html>Bad gateway</html>"),
    "504": Response(504, "", {}, b""),
    "refused": NoResponse(sent=False, code="unreachable", description="connection refused"),
    "reset": NoResponse(sent=True, code="connection-lost", description="reset by peer"),
    "no answer": NoResponse(sent=True, code="timed-out", description="no answer came within the time-out"),
}


def is_down(sent: SentCall, end: float, begin: float = BEGIN) -> bool:
    return begin <= sent.at < end


def run_through_outage(
    folder: Path, kind: str, seconds: float, *, customers: int = 30, limits: Limits = LIMITS
) -> VirtualRun:
    """Run through an outage that begins after eight seconds."""
    virtual_run = VirtualRun(folder)
    virtual_run.create_journal([target(guid(number), number % customers) for number in range(ROWS)])
    end = BEGIN + seconds
    virtual_run.answer = lambda sent: KINDS[kind] if is_down(sent, end) else None
    virtual_run.work(limits)
    return virtual_run


def statuses(virtual_run: VirtualRun) -> Counter[Status]:
    return Counter(row.outcome.status for row in virtual_run.rows())


@pytest.mark.parametrize("customers", mostly_soak([30, 1]))
@pytest.mark.parametrize("seconds", mostly_soak([60.0, 120.0]))
@pytest.mark.parametrize("kind", KINDS)
def test_after_an_outage_every_row_is_accepted_in_good_time(
    tmp_path: Path, kind: str, seconds: float, customers: int
) -> None:
    virtual_run = run_through_outage(tmp_path, kind, seconds, customers=customers)
    useless = sum(is_down(sent, BEGIN + seconds) for sent in virtual_run.sent)
    assert statuses(virtual_run) == {Status.ACCEPTED: ROWS}
    assert useless <= ROWS / 100 + 10
    assert virtual_run.now <= 1.15 * (ROWS / RATE + seconds) + 5
    assert len(virtual_run.service.call_log.effects) == ROWS


def test_calls_that_hang_are_no_more_than_were_in_flight(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([target(guid(number), number % 30) for number in range(ROWS)])
    started: list[float] = []
    end = BEGIN + 60

    def hang(_request: Request) -> float:
        started.append(virtual_run.now)
        return 20.0 if is_down(SentCall(virtual_run.now, "", "", "", ""), end) else 0.0

    virtual_run.delay = hang
    virtual_run.answer = lambda sent: KINDS["no answer"] if is_down(sent, end + 20, BEGIN + 20) else None
    virtual_run.work(LIMITS)
    assert statuses(virtual_run) == {Status.ACCEPTED: ROWS}
    assert sum(BEGIN <= at < end for at in started) <= LIMITS.concurrency + ROWS / 100 + 10
    assert virtual_run.now <= 1.15 * (ROWS / RATE + 60) + 5 + 20


def test_one_call_probes_at_a_time_and_after_retry_after_alone(tmp_path: Path) -> None:
    virtual_run = run_through_outage(tmp_path, "503 with Retry-After", 60)
    first, *probes = [sent.at for sent in virtual_run.sent if is_down(sent, BEGIN + 60)][2:]
    assert len(probes) == 2
    assert probes[0] - first >= 20
    assert probes[1] - probes[0] >= 20


@pytest.mark.parametrize("kind", KINDS)
def test_not_even_a_single_attempt_is_used_up(tmp_path: Path, kind: str) -> None:
    virtual_run = run_through_outage(tmp_path, kind, 60, limits=Limits(calls_per_second=RATE, attempts=1))
    assert statuses(virtual_run) == {Status.ACCEPTED: ROWS}


@pytest.mark.parametrize("kind", ["503", "reset"])
def test_a_call_keeps_its_request_id_through_an_outage(tmp_path: Path, kind: str) -> None:
    virtual_run = run_through_outage(tmp_path, kind, 60)
    ids = {(sent.path, sent.request_id) for sent in virtual_run.sent}
    assert len(ids) == ROWS


def test_an_outage_at_the_very_first_call_is_met_by_three_calls(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([target(guid(number), number) for number in range(40)])
    virtual_run.answer = lambda sent: KINDS["refused"] if sent.at < 4 else None
    virtual_run.work(Limits(calls_per_second=None))
    assert sum(sent.at < 4 for sent in virtual_run.sent) == 3
    assert statuses(virtual_run) == {Status.ACCEPTED: 40}


@pytest.mark.parametrize(
    ("kind", "status"), [("refused", Status.NOT_ATTEMPTED), ("503", Status.DEFERRED), ("reset", Status.UNKNOWN)]
)
def test_an_outage_that_is_too_long_ends_the_run_and_one_resume_sends_everything(
    tmp_path: Path, kind: str, status: Status
) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([target(guid(number), number) for number in range(40)])
    virtual_run.answer = lambda sent: KINDS[kind] if sent.at >= 1 else None
    stop_reason = virtual_run.work(Limits(calls_per_second=RATE, max_outage=600))
    assert (stop_reason.state, stop_reason.exit_code) == (RunState.INTERRUPTED, 75)
    assert "is down since 2026-03-01T12:00:0" in stop_reason.reason
    assert 600 <= virtual_run.now <= 605
    first = virtual_run.outages[0]
    assert seconds_between(first.since, first.gives_up_at) == pytest.approx(600, abs=0.01)
    assert not first.of_one_customer
    assert set(statuses(virtual_run)) == {Status.ACCEPTED, Status.NOT_ATTEMPTED, status}
    assert statuses(virtual_run)[Status.ACCEPTED] + statuses(virtual_run)[Status.NOT_ATTEMPTED] >= 30
    virtual_run.answer = lambda _sent: None
    assert virtual_run.work(LIMITS).state is RunState.FINISHED
    assert statuses(virtual_run) == {Status.ACCEPTED: 40}
    assert len({(sent.path, sent.request_id) for sent in virtual_run.sent}) == 40


def test_a_row_whose_last_attempt_was_no_part_of_an_outage_fails_after_it(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([*(target(guid(number), number) for number in range(9)), target(scenario_id(1503), 9)])
    virtual_run.work(Limits(calls_per_second=RATE, attempts=1))
    assert statuses(virtual_run) == {Status.ACCEPTED: 9, Status.FAILED: 1}
    assert len(virtual_run.sent) == 10


@pytest.mark.parametrize("tails", [[1503] * 3, [1503, 1504, 1599]])
def test_rows_with_trouble_of_their_own_fail_as_ever(tmp_path: Path, tails: list[int]) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal(
        [
            target(scenario_id(tail, number) if tail else guid(number), number)
            for number, tail in enumerate([0, *(row for tail in tails for row in (tail, 0, 0, 0))])
        ]
    )
    assert virtual_run.work(LIMITS).state is RunState.FINISHED
    assert virtual_run.outages == []
    assert statuses(virtual_run)[Status.ACCEPTED] == 10


def test_a_single_row_waits_for_the_time_that_a_503_names(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([target(guid(1)), target(guid(2))])
    busy = iter([Response(503, "", {"retry-after": "17"}, b"")])
    virtual_run.answer = lambda sent: next(busy, None) if sent.path.endswith(f"{guid(2)}/reactivate") else None
    virtual_run.work(LIMITS)
    first, second = [sent.at for sent in virtual_run.sent if guid(2) in sent.path]
    assert 17 <= second - first < 18


def test_a_row_that_is_asked_to_wait_for_too_long_is_deferred(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([target(guid(1)), target(guid(2), 2)])
    busy = Response(503, "", {"retry-after": "9999"}, b"")
    virtual_run.answer = lambda sent: busy if sent.path.endswith(f"{guid(2)}/reactivate") else None
    virtual_run.work(LIMITS)
    assert [row.outcome.status for row in virtual_run.rows()] == [Status.ACCEPTED, Status.DEFERRED]


def read_outages(folder: Path) -> list[tuple[str, str, str, int, str]]:
    with closing(read_only(folder)) as connection:
        return connection.execute("SELECT since, ended_at, next_probe_at, probes, cause FROM outages").fetchall()


def test_an_outage_is_reported_and_recorded_while_it_lasts_and_when_it_is_over(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([target(guid(number), number) for number in range(40)])
    virtual_run.answer = lambda sent: KINDS["502"] if is_down(sent, 21, 1) else None
    seen: list[object] = []
    virtual_run.on_call = lambda sent: seen.append(read_outages(tmp_path)) if 10 < sent.at < 21 else None
    virtual_run.work(LIMITS)
    assert [(outage.probes, bool(outage.next_probe_at), bool(outage.ended_at)) for outage in virtual_run.outages] == [
        (0, True, False),
        (1, True, False),
        (2, True, False),
        (3, False, True),
    ]
    assert len({outage.since for outage in virtual_run.outages}) == 1
    ((since, ended_at, next_probe_at, probes, cause),) = read_outages(tmp_path)
    assert (since[:18], ended_at[:18], next_probe_at, probes) == (
        "2026-03-01T12:00:0",
        "2026-03-01T12:00:2",
        "",
        3,
    )
    # The page of a gateway is not quoted.
    assert cause == "http-502"
    assert seen


def test_reading_is_held_as_sending_is(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([target(guid(number), number) for number in range(40)])
    virtual_run.answer = lambda sent: KINDS["503"] if sent.method == "GET" and sent.at < 120 else None
    virtual_run.work(Limits(calls_per_second=RATE, verify=Verification(after=10)))
    assert statuses(virtual_run) == {Status.REACTIVATED: 40}
    assert sum(sent.status == 503 for sent in virtual_run.sent) <= 12


def test_an_outage_uses_up_no_time_of_the_verification(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=270))
    virtual_run.create_journal([target(guid(number), number) for number in range(10)])
    virtual_run.answer = lambda sent: KINDS["503"] if sent.method == "GET" and sent.at < 200 else None
    verification = Verification(after=10, every=30, timeout=100)
    virtual_run.work(Limits(calls_per_second=RATE, verify=verification))
    assert statuses(virtual_run) == {Status.REACTIVATED: 10}


def test_time_without_an_outage_is_all_that_the_verification_has(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=1000))
    virtual_run.create_journal([target(guid(number), number) for number in range(10)])
    virtual_run.answer = lambda sent: KINDS["503"] if sent.method == "GET" and sent.at < 200 else None
    verification = Verification(after=10, every=30, timeout=100)
    virtual_run.work(Limits(calls_per_second=RATE, verify=verification))
    assert statuses(virtual_run) == {Status.PENDING: 10}
    assert 290 <= virtual_run.now <= 400


def test_the_time_of_an_outage_is_no_part_of_the_pace_that_a_throttle_after_it_finds(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([target(guid(number)) for number in range(ROWS)])
    throttled: list[float] = []

    def answer(sent: SentCall) -> Reply | None:
        if is_down(sent, 60):
            return KINDS["503"]
        if sent.at < 80 or throttled:
            return None
        throttled.append(sent.at)
        return Response(429, "", {"retry-after": "1"}, b"")

    virtual_run.answer = answer
    virtual_run.work(LIMITS)
    assert statuses(virtual_run) == {Status.ACCEPTED: ROWS}
    assert sum(0 < sent.at - throttled[0] <= 2.5 for sent in virtual_run.sent) >= 0.7 * RATE


def test_a_kill_in_an_outage_leaves_the_way_open(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([target(guid(number), number) for number in range(20)])
    virtual_run.answer = lambda sent: KINDS["reset"] if sent.at > 1 else None
    virtual_run.kills_process = lambda: virtual_run.now > 15
    with pytest.raises(Killed):
        virtual_run.work(LIMITS)
    virtual_run.kills_process = lambda: False
    virtual_run.answer = lambda _sent: None
    virtual_run.work(LIMITS)
    assert statuses(virtual_run) == {Status.ACCEPTED: 20}
    assert len({(sent.path, sent.request_id) for sent in virtual_run.sent}) == 20
