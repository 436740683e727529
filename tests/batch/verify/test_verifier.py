"""Watching activation: real processes against the simulator, and the timetable in virtual time."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkreact.batch.dispatch import queue
from bulkreact.batch.environment import Phase
from bulkreact.models import Response, Status
from bulkreact.settings import Limits, Verification
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.ids import guid, read_csv, row, scenario_id, target, write_csv
from tests.support.program import Partner, Program
from tests.support.run_commands import (
    FAST,
    ids_by_path,
    latest_run,
    read_calls,
    row_results,
    row_statuses,
    run,
    wait_until,
)
from tests.support.virtual_run import SentCall, VirtualRun

QUICKLY = ("--verify", "--verify-after", "0.2", "--verify-every", "0.2")
LIST = "/azureEntitlements"


def test_accepted_rows_are_watched_until_they_are_active(
    program: Program, start_partner: Callable[[Behaviour], Partner]
) -> None:
    partner = start_partner(Behaviour(activation_delay=1))
    process = run(program, partner, ["a", 503, 208, 800111], *QUICKLY)
    assert process.code == 1
    assert row_results(process) == [
        ("reactivated", "202", "", "1"),
        ("reactivated", "202", "", "3"),
        ("already_active", "400", "", "1"),
        ("failed", "404", "800111", "1"),
    ]
    assert process.summary["calls"]["retried"] == 2  # type: ignore[index]
    written = {line["request_id"] for line in read_csv(process.run / "results.csv")}
    assert written == {call["request_id"] for call in partner.requests()}
    assert partner.service.call_log.violations == []


def test_all_active_is_a_success(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a"] * 3, *QUICKLY)
    assert (process.code, process.summary["state"]) == (0, "finished")
    assert row_statuses(process.run) == ["reactivated"] * 3


def test_rows_that_do_not_become_active_in_time_are_pending(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a", 1202, 3202], *QUICKLY, "--verify-timeout", "3")
    assert process.code == 1
    assert row_statuses(process.run) == ["reactivated", "pending", "pending"]
    messages = [line["error_description"] for line in read_csv(process.run / "results.csv")]
    assert "its status was 'inactive'" in messages[1]
    assert "its status was 'warming'" in messages[2]
    assert f"bulkreact verify {process.run.name}" in process.err
    assert [line["status"] for line in read_csv(process.run / "failed.csv")] == ["pending", "pending"]


def test_entitlements_of_one_subscription_are_read_by_one_call(program: Program, partner: Partner) -> None:
    rows = [*(row(guid(number), 1) for number in range(5)), row(guid(9), 2)]
    write_csv(program.folder / "input.csv", rows)
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--verify", "--verify-after", "2.5")
    assert row_statuses(process.run) == ["reactivated"] * 6
    assert len(read_calls(partner, LIST)) == 1
    assert len(read_calls(partner, guid(9))) == 1
    assert len(read_calls(partner, "")) == 2


def test_a_transient_failure_of_a_read_is_repeated(program: Program, partner: Partner) -> None:
    process = run(program, partner, [4202, "a", "a", 4202], *QUICKLY)
    assert row_statuses(process.run) == ["reactivated"] * 4


def test_a_lost_answer_that_took_effect_is_seen_and_one_that_did_not_stays_unknown(
    program: Program, start_partner: Callable[[Behaviour], Partner]
) -> None:
    partner = start_partner(Behaviour(activation_delay=0))
    process = run(program, partner, [1599, 1504], "--attempts", "1")
    assert row_statuses(process.run) == ["unknown", "unknown"]
    again = program("verify", process.run.name, *FAST)
    assert again.code == 1
    assert row_statuses(process.run) == ["reactivated", "unknown"]
    resumed = program("resume", *FAST, "--attempts", "1")
    assert resumed.code == 1
    assert [len(ids) for ids in ids_by_path(partner).values()] == [1, 2]


@pytest.mark.parametrize(("options", "status"), [((), "unknown"), ((*QUICKLY, "--verify-timeout", "1"), "pending")])
def test_an_ambiguous_refusal_after_a_lost_answer_is_pending_only_when_the_row_was_watched(
    program: Program, partner: Partner, options: tuple[str, ...], status: str
) -> None:
    process = run(program, partner, [4599], *options)
    assert row_results(process) == [(status, "400", "900337", "2")]
    again = program("verify", process.run.name, *FAST)
    assert (again.code, row_results(process)) == (1, [("pending", "400", "900337", "2")])


def test_verify_reads_once_and_again_days_later(
    program: Program, start_partner: Callable[[Behaviour], Partner]
) -> None:
    partner = start_partner(Behaviour(activation_delay=3600))
    process = run(program, partner, ["a"] * 4)
    assert process.code == 0
    first = program("verify", process.run.name, *FAST)
    assert first.code == 1
    assert row_statuses(process.run) == ["pending"] * 4
    heartbeat = program.folder / "reports" / "latest.json"
    assert json.loads(heartbeat.read_text())["exit_code"] == 1
    partner.service.behaviour = Behaviour(activation_delay=0)
    second = program("verify", process.run.name, *FAST)
    assert second.code == 0
    assert row_statuses(process.run) == ["reactivated"] * 4
    assert read_csv(process.run / "failed.csv") == []
    assert process.summary["exit_code"] == 0
    assert json.loads(heartbeat.read_text()) == process.summary
    assert len(partner.requests()) == 4
    assert program("verify", process.run.name, *FAST).code == 0
    assert len(read_calls(partner, "")) == 6


def test_verifying_needs_credentials_but_no_confirmation(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a"])
    program.environment["BULKREACT_ACCESS_TOKEN"] = ""
    assert program("verify", process.run.name).code == 2
    program.environment["BULKREACT_ACCESS_TOKEN"] = "x"
    assert program("verify", process.run.name).code in {0, 1}


def test_an_older_run_that_is_verified_does_not_become_the_heartbeat(program: Program, partner: Partner) -> None:
    older = run(program, partner, ["a"]).run
    write_csv(program.folder / "b.csv", [row(guid(5))])
    assert program("run", "b.csv", "--base-url", partner.base_url, *FAST).code == 0
    heartbeat = (program.folder / "reports" / "latest.json").read_bytes()
    program("verify", older, *FAST, "--verify-timeout", "30", "--verify-after", "0", "--verify-every", "0.2")
    assert row_statuses(older) == ["reactivated"]
    assert (program.folder / "reports" / "latest.json").read_bytes() == heartbeat


def test_a_run_that_was_halted_stays_so_when_it_is_verified(program: Program, partner: Partner) -> None:
    tails: list[int | str] = ["a", *[1500] * 4, *["a"] * 5]
    options = ("--attempts", "1", "--concurrency", "1", "--halt-after", "2")
    process = run(program, partner, tails, *options)
    assert process.code == 4
    again = program("verify", process.run.name, *FAST, "--verify-timeout", "30", "--verify-every", "0.2")
    assert again.code == 1
    assert "reactivated" in row_statuses(process.run)
    assert "accepted" not in row_statuses(process.run)
    assert (process.summary["state"], process.summary["exit_code"]) == ("halted", 4)
    assert f"bulkreact resume {process.run.name}" in again.err
    sent = len(partner.requests())
    assert program("resume", *FAST, "--halt-on-failures", "off", "--attempts", "1").code == 1
    assert len(partner.requests()) > sent
    assert process.summary["state"] == "finished"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_watching_that_is_interrupted_leaves_rows_accepted_and_can_be_continued(
    program: Program, start_partner: Callable[[Behaviour], Partner], number: signal.Signals, code: int
) -> None:
    partner = start_partner(Behaviour(activation_delay=3600))
    write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(4)])
    process = program.start("run", "input.csv", "--base-url", partner.base_url, *FAST, *QUICKLY)
    wait_until(lambda: len(read_calls(partner, "")) >= 8)
    process.send_signal(number)
    ended = program.wait(process)
    assert ended.code == code
    assert row_statuses(ended.run) == ["accepted"] * 4
    assert "The run was interrupted: all rows were sent, only the watching of accepted ones was stopped: " in ended.err
    assert f"bulkreact resume {ended.run.name} --verify" in ended.err
    partner.service.behaviour = Behaviour(activation_delay=0)
    again = program("resume", *FAST, *QUICKLY)
    assert again.code == 0, again.err
    assert row_statuses(ended.run) == ["reactivated"] * 4
    assert len(partner.requests()) == 4


def test_watching_that_is_killed_is_continued_by_the_same_command(
    program: Program, start_partner: Callable[[Behaviour], Partner]
) -> None:
    partner = start_partner(Behaviour(activation_delay=3600))
    write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(4)])
    command = ("run", "input.csv", "--base-url", partner.base_url, *FAST, *QUICKLY)
    process = program.start(*command)
    wait_until(lambda: len(read_calls(partner, "")) >= 8)
    process.kill()
    program.wait(process)
    partner.service.behaviour = Behaviour(activation_delay=0)
    again = program(*command)
    assert again.code == 0, again.err
    assert row_statuses(again.run) == ["reactivated"] * 4
    assert len(partner.requests()) == 4


def test_a_simulated_run_can_be_verified_later(program: Program) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1)), row(guid(2)), row(scenario_id(1202))])
    process = program("run", "input.csv", "--simulate", "--rate", "off")
    assert row_statuses(process.run) == ["accepted"] * 3
    again = program("verify", process.run.name, "--verify-timeout", "3", "--verify-every", "0.5", "--rate", "off")
    assert again.code == 1, again.err
    assert row_statuses(latest_run(program)) == ["reactivated", "reactivated", "pending"]


def test_watching_for_no_time_at_all_is_refused(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a"], "--verify", "--verify-every", "0")
    assert process.code == 2
    assert "--verify-every" in process.err
    assert not partner.service.call_log.calls


def test_results_that_cannot_be_written_after_verifying_are_written_later(program: Program, partner: Partner) -> None:
    process = run(program, partner, [1202])
    (process.run / "results.csv").unlink()
    (process.run / "results.csv").mkdir()
    again = program("verify", process.run.name, *FAST)
    assert again.code == 74
    assert "bulkreact results" in again.err
    (process.run / "results.csv").rmdir()
    assert program("results", process.run.name).code == 0
    assert row_statuses(process.run) == ["pending"]


def watch(virtual_run: VirtualRun, count: int = 1, **times: float) -> list[float]:
    """Send and watch rows of as many customers; return when they were read, counted from the first call."""
    virtual_run.create_journal([target(guid(number), number) for number in range(count)])
    limits = Limits(calls_per_second=None, verify=Verification(**times))
    virtual_run.work(limits)
    return [round(sent.at - virtual_run.sent[0].at, 1) for sent in virtual_run.sent if sent.method == "GET"]


def test_rows_are_read_after_a_minute_and_then_every_minute_until_the_time_is_over(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=99_999))
    assert watch(virtual_run, after=60, every=60, timeout=250) == [60.1, 120.1, 180.2, 240.2, 250.1]
    (row,) = virtual_run.rows()
    assert row.outcome.status is Status.PENDING


def test_a_row_is_not_read_again_once_it_is_active(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=130))
    assert watch(virtual_run) == [60.1, 120.1, 180.2]
    (row,) = virtual_run.rows()
    assert row.outcome.status is Status.REACTIVATED


def test_a_row_that_was_accepted_long_ago_is_read_at_once_and_at_least_once(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    virtual_run.create_journal([target(guid(1))])
    virtual_run.work(Limits(calls_per_second=None))
    virtual_run.now += 100_000
    before = virtual_run.now
    virtual_run.work(Limits(calls_per_second=None, verify=Verification(timeout=0)), send=False, command="verify")
    assert virtual_run.now - before < 1
    assert [row.outcome.status for row in virtual_run.rows()] == [Status.REACTIVATED]


def test_reads_keep_to_the_rate_of_the_run(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    virtual_run.create_journal([target(guid(number), number) for number in range(60)])
    virtual_run.work(Limits(calls_per_second=2, verify=Verification(after=0)))
    times = [sent.at for sent in virtual_run.sent]
    assert len(times) == 120
    assert 58 < times[-1] - times[0] < 62


def test_reads_keep_to_the_rate_although_the_last_row_passed_the_threshold(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    virtual_run.create_journal([target(guid(n) if n < 10 else scenario_id(800111, n), n) for n in range(21)])
    limits = Limits(calls_per_second=2, concurrency=1, halt_after=20, verify=Verification(after=0))
    assert virtual_run.work(limits).exit_code == 0
    times = [sent.at for sent in virtual_run.sent if sent.method == "GET"]
    assert len(times) == 10
    assert times[-1] - times[0] > 4


def test_a_throttled_read_pauses_its_customer(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    refused = iter([Response(429, "", {"retry-after": "30"}, b"")])
    virtual_run.answer = lambda sent: next(refused, None) if sent.method == "GET" else None
    assert watch(virtual_run, after=10) == [10.1, pytest.approx(40.3, abs=0.3)]
    assert [row.outcome.status for row in virtual_run.rows()] == [Status.REACTIVATED]


def test_reads_that_are_throttled_for_too_long_leave_the_rows_as_they_were(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    virtual_run.answer = lambda sent: (
        Response(429, "", {"retry-after": "172800"}, b"") if sent.method == "GET" else None
    )
    assert watch(virtual_run, 4, after=10) == [10.1] * 4
    assert {row.outcome.status for row in virtual_run.rows()} == {Status.ACCEPTED}


def test_what_was_read_before_a_throttle_that_lasts_too_long_is_pending(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=99_999))
    refusal = Response(429, "", {"retry-after": "172800"}, b"")
    virtual_run.answer = lambda sent: refusal if sent.method == "GET" and sent.at > 90 else None
    assert watch(virtual_run) == [60.1, 120.1]
    (row,) = virtual_run.rows()
    assert row.outcome.status is Status.PENDING
    assert row.outcome.description == "not seen active: at 2026-03-01T12:01:00.100Z its status was 'inactive'"


def test_the_first_read_is_not_later_than_the_timeout(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    assert watch(virtual_run, after=60, every=60, timeout=30) == [30.1]


def test_a_row_that_cannot_be_read_is_described_as_unreadable(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.answer = lambda sent: Response(404, "", {}, b"") if sent.method == "GET" else None
    watch(virtual_run, timeout=60)
    (row,) = virtual_run.rows()
    assert row.outcome.status is Status.PENDING
    assert "could not be read (http-404)" in row.outcome.description


def test_every_read_has_a_request_id_of_its_own(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=200))
    watch(virtual_run, 5)
    ids = [sent.request_id for sent in virtual_run.sent]
    assert len(ids) == len(set(ids)) == 25


@pytest.mark.parametrize(("status", "calls"), [(403, 1), (401, 2)])
def test_a_fatal_answer_to_a_read_stops_the_watching_and_leaves_rows_accepted(
    tmp_path: Path, status: int, calls: int
) -> None:
    virtual_run = VirtualRun(tmp_path)
    refusal = Response(status, "", {}, b'{"code":900329,"description":"x"}' if status == 403 else b"")
    virtual_run.answer = lambda sent: refusal if sent.method == "GET" else None
    assert len(watch(virtual_run)) == calls
    assert virtual_run.phases[-1].stopping
    assert [row.outcome.status for row in virtual_run.rows()] == [Status.ACCEPTED]


def test_a_read_that_fails_again_and_again_is_tried_as_often_as_a_call_and_then_in_a_minute(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    failures = iter([Response(500, "", {}, b"")] * 5)
    virtual_run.answer = lambda sent: next(failures, None) if sent.method == "GET" else None
    times = watch(virtual_run, timeout=600)
    assert len(times) == 6
    assert times[4] - times[0] < 30
    assert times[5] - times[4] == pytest.approx(60, abs=1)
    assert [row.outcome.status for row in virtual_run.rows()] == [Status.REACTIVATED]


def test_the_members_of_a_refused_list_are_read_one_by_one(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    virtual_run.answer = lambda sent: Response(404, "", {}, b"") if sent.path.endswith(LIST) else None
    virtual_run.create_journal([target(guid(number)) for number in range(3)])
    virtual_run.work(Limits(calls_per_second=None, verify=Verification()))
    assert [row.outcome.status for row in virtual_run.rows()] == [Status.REACTIVATED] * 3
    assert [sent.status for sent in virtual_run.sent if sent.method == "GET"] == [404, 200, 200, 200]


def test_a_refused_list_is_not_requested_again(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=200))
    virtual_run.answer = lambda sent: Response(404, "", {}, b"") if sent.path.endswith(LIST) else None
    virtual_run.create_journal([target(guid(number)) for number in range(3)])
    virtual_run.work(Limits(calls_per_second=None, verify=Verification()))
    assert sum(sent.path.endswith(LIST) for sent in virtual_run.sent) == 1


def test_the_members_of_an_unreadable_list_are_read_one_by_one(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    virtual_run.answer = lambda sent: Response(200, "", {}, b"<html>") if sent.path.endswith(LIST) else None
    virtual_run.create_journal([target(guid(number)) for number in range(3)])
    virtual_run.work(Limits(calls_per_second=None, attempts=2, verify=Verification()))
    assert [row.outcome.status for row in virtual_run.rows()] == [Status.REACTIVATED] * 3


def test_a_gap_in_a_list_does_not_cost_a_call_for_every_member(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=99_999))
    virtual_run.create_journal([*(target(guid(number)) for number in range(50)), target(scenario_id(2202))])
    virtual_run.work(Limits(calls_per_second=None, verify=Verification(timeout=180)))
    assert sum(sent.method == "GET" for sent in virtual_run.sent) == 2 * 3


def test_a_customer_with_waiting_rows_does_not_delay_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "ACTIVE_CUSTOMERS", 4)
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=300))
    times = watch(virtual_run, 40)
    assert sum(time < 70 for time in times) == 40


def test_a_member_missing_from_a_list_is_read_separately_at_once(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    virtual_run.create_journal([target(guid(1)), target(scenario_id(2202)), target(guid(2))])
    virtual_run.work(Limits(calls_per_second=None, verify=Verification()))
    read = [(round(sent.at, 1), sent.path.rsplit("/", 1)[1]) for sent in virtual_run.sent if sent.method == "GET"]
    assert read == [(60.2, "azureEntitlements"), (60.2, scenario_id(2202))]
    assert [row.outcome.status for row in virtual_run.rows()] == [Status.REACTIVATED] * 3


def test_an_interruption_ends_the_watching_at_once(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=99_999))

    def interrupt(sent: SentCall) -> None:
        phase: Phase = virtual_run.phases[-1]
        if sent.method == "GET":
            phase.interrupt(terminated=False)

    virtual_run.on_call = interrupt
    assert watch(virtual_run, 5) == [60.1] * 5
    assert [row.outcome.status for row in virtual_run.rows()] == [Status.ACCEPTED] * 5
