"""The whole program as people run it: a real process, a real port, and what is left on the disk."""

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkreact.models import Status
from bulkreact.sheets.result_columns import RESULT_COLUMNS
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.ids import HEADER, guid, read_csv, row, scenario_id, write_csv
from tests.support.program import CANARY, PROJECT, Partner, Program, file_size_limit
from tests.support.run_commands import FAST, ids_by_path, row_results, row_statuses, run, wait_until

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_the_readmes_main_command_ends_well(program: Program) -> None:
    process = program("run", PROJECT / "inputs" / "sample.csv", "--simulate")
    assert process.code == 0, process.err
    assert process.out == ""
    lines = read_csv(process.run / "results.csv")
    input_rows = read_csv(PROJECT / "inputs" / "sample.csv")
    assert [{name: line[name] for name in input_rows[0]} for line in lines] == input_rows
    assert [line["row"] for line in lines] == [str(number) for number in range(2, 2 + len(input_rows))]
    assert {line["status"] for line in lines} == {"accepted", "already_active"}
    summary = process.summary
    assert (summary["state"], summary["exit_code"]) == ("finished", 0)
    calls = summary["calls"]
    assert isinstance(calls, dict)
    assert calls["throttled"] >= 2
    assert calls["retried"] >= 4
    assert (program.folder / "reports" / "latest.json").read_text() == (process.run / "summary.json").read_text()


def test_the_incident_shows_every_ending_and_fails_in_less_than_half(program: Program) -> None:
    process = program("run", PROJECT / "inputs" / "incident.csv", "--simulate", "--rate", "off")
    assert process.code == 1, process.err
    counts = Counter(line["status"] for line in read_csv(process.run / "results.csv"))
    assert set(counts) == set(Status) - {Status.PENDING, Status.NOT_ATTEMPTED}
    assert counts["failed"] * 2 < counts.total()
    assert "Traceback" not in process.err


def test_results_and_summary_say_what_happened(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a", 800111, "a", 208])
    assert process.code == 1
    assert list(read_csv(process.run / "results.csv")[0]) == [*HEADER, *RESULT_COLUMNS]
    assert row_results(process) == [
        ("accepted", "202", "", "1"),
        ("failed", "404", "800111", "1"),
        ("accepted", "202", "", "1"),
        ("already_active", "400", "", "1"),
    ]
    for line in read_csv(process.run / "results.csv"):
        assert GUID.fullmatch(line["request_id"])
        assert GUID.fullmatch(line["correlation_id"])
        assert TIMESTAMP.fullmatch(line["started_at"])
        assert line["started_at"] <= line["finished_at"]
    summary = process.summary
    assert summary["run_id"] == process.run.name
    assert re.fullmatch(r"\d{8}T\d{6}Z-input-[0-9a-f]{4}", process.run.name)
    assert summary["counts"] == {
        **{status.value: 0 for status in Status},
        "accepted": 2,
        "failed": 1,
        "already_active": 1,
    }
    assert summary["error_codes"] == {"800111": 1}
    assert summary["calls"] == {"sent": 5, "retried": 0, "throttled": 0}
    assert summary["input"] == {"name": "input.csv", "sha256": summary["input"]["sha256"], "rows": 4}  # type: ignore[index]
    assert summary["target"] == {
        "cloud": "global",
        "base_url": partner.base_url,
        "api_version": "v1",
        "tenant_id": None,
        "simulated": False,
    }
    assert set(summary) == {
        *(
            "run_id",
            "version",
            "command",
            "retry_of",
            "corrects",
            "state",
            "exit_code",
            "reason",
            "input",
            "target",
            "operator",
            "started_at",
        ),
        *("finished_at", "counts", "error_codes", "taken_over", "calls", "pace", "outages", "files"),
    }
    assert partner.service.call_log.violations == []


def test_results_carry_the_ids_that_were_sent(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a", 503, 599, 208])
    sent = {call["request_id"]: call["correlation_id"] for call in partner.requests()}
    lines = read_csv(process.run / "results.csv")
    assert {line["request_id"]: line["correlation_id"] for line in lines} == sent


@pytest.mark.parametrize("tail", [408, 429, 2429, 500, 502, 503, 504, 597, 599, 1597, 3597, 3599, 401, 800094])
def test_a_call_without_a_business_answer_is_repeated_under_its_request_id(
    program: Program, partner: Partner, tail: int
) -> None:
    process = run(program, partner, [tail])
    assert process.code == 0, process.err
    calls = partner.requests(tail)
    assert len(calls) > 1
    assert len({call["request_id"] for call in calls}) == 1
    assert len({call["correlation_id"] for call in calls}) == len(calls)
    assert row_results(process) == [("accepted", "202", "", str(len(calls)))]
    assert len(partner.service.call_log.effects) == 1


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (1503, ("failed", "503", "http-503", "2")),
        (4597, ("failed", "404", "gateway-404", "2")),
        (5597, ("accepted", "202", "", "1")),
        (6597, ("accepted", "202", "", "1")),
        (1504, ("unknown", "504", "http-504", "2")),
        (1599, ("unknown", "", "connection-lost", "2")),
        (501, ("failed", "501", "0", "2")),
        (2599, ("reactivated", "400", "", "2")),
        (4599, ("unknown", "400", "900337", "2")),
        (900337, ("failed", "400", "900337", "1")),
        (900278, ("deferred", "409", "900278", "1")),
        (27009, ("deferred", "409", "27009", "1")),
        (6429, ("deferred", "429", "http-429", "1")),
        (2597, ("failed", "302", "unexpected-redirect", "1")),
        (900335, ("failed", "403", "900335", "1")),
        (596, ("failed", "404", "800111", "1")),
        (200, ("accepted", "200", "", "1")),
    ],
)
def test_every_outcome_is_reported_as_it_is(
    program: Program, partner: Partner, tail: int, expected: tuple[str, str, str, str]
) -> None:
    process = run(program, partner, [tail], "--attempts", "2")
    assert row_results(process) == [expected]
    assert process.code == (0 if expected[0] in {"accepted", "reactivated"} else 1)
    assert "Traceback" not in process.err


def test_answers_to_other_calls_are_nobodys(program: Program, partner: Partner) -> None:
    process = run(program, partner, [*[1595] * 30, 595], "--halt-on-failures", "off", "--concurrency", "2")
    # A row that met an answer that was not its own was sent once more.
    results = [row_result[:3] for row_result in row_results(process)]
    assert results == [*[("failed", "404", "800111")] * 30, ("accepted", "202", "")]
    assert {len(set(ids)) for ids in ids_by_path(partner).values()} == {1}
    assert len(partner.service.call_log.effects) == 1


def test_a_server_that_is_not_there_was_never_reached(program: Program) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1))])
    process = program("run", "input.csv", "--base-url", "http://127.0.0.1:9", *FAST, "--attempts", "2")
    assert process.code == 1
    assert row_results(process) == [("failed", "", "unreachable", "0")]


def test_a_call_that_is_not_answered_in_time_is_unknown(program: Program, partner: Partner) -> None:
    process = run(program, partner, [1598], "--attempts", "2", "--timeout", "0.3")
    assert row_results(process) == [("unknown", "", "timed-out", "2")]


@pytest.mark.parametrize("tail", [900329, 900420, 900421, 2401, 1401, 800001, 900309])
def test_refused_credentials_stop_the_run_and_it_can_be_resumed(program: Program, partner: Partner, tail: int) -> None:
    process = run(program, partner, [tail, *["a"] * 5], "--concurrency", "1")
    assert process.code == 3
    assert process.summary["state"] == "aborted"
    counts = Counter(status for status, *_ in row_results(process))
    assert counts["failed"] == 1
    assert counts["not_attempted"] >= 3
    assert f"bulkreact resume {process.run.name}" in process.err
    again = program("resume", *FAST, "--concurrency", "1")
    assert again.code == 3
    ids = [call["request_id"] for call in partner.requests(tail)]
    assert (len(set(ids)) == 1) is (tail in {900420, 900421, 2401, 1401, 800001})


def test_five_refusals_for_lack_of_permission_stop_the_run(program: Program, partner: Partner) -> None:
    process = run(program, partner, [900335, 2032, 900150, 900308, 900335, *["a"] * 5], "--concurrency", "1")
    assert process.code == 3
    assert Counter(status for status, *_ in row_results(process)) == {"failed": 5, "not_attempted": 5}
    assert len(partner.requests()) == 5


def test_a_success_before_shows_that_permissions_are_not_missing_everywhere(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a", *[900335] * 7], "--concurrency", "1")
    assert process.code == 1
    assert len(partner.requests()) == 8


def test_a_customer_that_is_refused_is_not_asked_about_again(program: Program, partner: Partner) -> None:
    tails: list[int | str] = ["a", 20002, "a", "a", "a", "a", "a", "a", "a"]
    process = run(program, partner, tails, "--concurrency", "1")
    assert process.code == 1
    lines = read_csv(process.run / "results.csv")
    refused = [line for line in lines if line["error_code"] == "20002"]
    assert [line["row"] for line in refused] == ["3", "6", "9"]
    assert [line["attempts"] for line in refused] == ["1", "0", "0"]
    assert all("row 3 of the same customer" in line["error_description"] for line in refused[1:])
    assert all(line["advice"] for line in refused)
    assert len(partner.requests()) == 7


def test_too_many_failures_halt_the_run_and_it_can_be_continued(program: Program, partner: Partner) -> None:
    tails: list[int | str] = [*[800111] * 12, *["a"] * 8, *["a"] * 10]
    process = run(program, partner, tails, "--concurrency", "1", "--halt-after", "10", "--halt-on-failures", "40%")
    assert process.code == 4
    assert process.summary["state"] == "halted"
    calls = len(partner.requests())
    assert 10 <= calls < 30
    again = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--halt-on-failures", "off")
    assert "Continuing the unfinished run" in again.err
    assert again.code == 1
    assert Counter(status for status, *_ in row_results(again)) == {"failed": 12, "accepted": 18}
    assert Counter(call["request_id"] for call in partner.requests()).most_common(1)[0][1] == 1


def test_a_threshold_passed_by_the_very_last_row_halts_nothing(program: Program, partner: Partner) -> None:
    process = run(program, partner, [800111] * 4, "--halt-after", "4", "--concurrency", "1")
    assert (process.code, process.summary["state"]) == (1, "finished")


def test_invalid_and_duplicate_rows_are_reported_and_not_sent(program: Program, partner: Partner) -> None:
    first = row(guid(1))
    rows = [
        first,
        (first[0], "", first[2]),
        tuple(cell.upper() for cell in first),
        ("x", *first[1:]),
        ("a note", "", ""),
    ]
    write_csv(program.folder / "input.csv", rows)
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    assert process.code == 1
    lines = read_csv(process.run / "results.csv")
    assert [(line["status"], line["error_code"]) for line in lines] == [
        ("accepted", ""),
        ("invalid", "missing-subscription-id"),
        ("duplicate", ""),
        ("invalid", "invalid-customer-id"),
        ("invalid", "invalid-customer-id"),
    ]
    assert lines[2]["error_description"] == "same target as row 2, which has the outcome"
    assert lines[2]["customer_id"] == first[0].upper()
    assert {status: count for status, count in process.summary["counts"].items() if count} == {  # type: ignore[attr-defined]
        "accepted": 1,
        "duplicate": 1,
        "invalid": 3,
    }
    assert len(partner.requests()) == 1
    assert "row 3: subscription_id is empty" in process.err
    assert [line["row"] for line in read_csv(process.run / "failed.csv")] == ["3", "5", "6"]


def test_rows_that_are_all_invalid_are_written_without_a_call(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [("x", "y", "z")])
    process = program("run", "input.csv", "--base-url", partner.base_url)
    assert (process.code, len(partner.requests())) == (1, 0)
    assert row_results(process) == [("invalid", "", "invalid-customer-id", "0")]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", (), "has no rows. If that is as it should be, add --allow-empty"),
        ("customer_id,subscription_id,entitlement_id\n", (), "has no rows"),
        ("customer_id,subscription_id\nx,y\n", (), "missing in the header: entitlement_id"),
        (None, (), "does not exist"),
        ("customer_id,subscription_id,entitlement_id\nx,y,z\n", ("--strict",), "row 2: customer_id is not a GUID: 'x'"),
        (
            "customer_id,subscription_id,entitlement_id\nx,y,z\nx,y,z\n",
            ("--max-rows", "1"),
            "has 2 rows, more than the 1",
        ),
        ("x", ("--base-url", "http://partner.example"), "is not encrypted"),
        ("x", ("--base-url", "https://user@partner.example"), "has no user"),
        ("x", ("--rate", "fast"), "is not a rate"),
        ("x", ("--rate", "0/min"), "is not a rate"),
        ("x", ("--timeout", "soon"), "is not a duration"),
        ("x", ("--timeout", "0"), "--timeout must be greater"),
        ("x", ("--api-version", "../v1"), "is not an API version"),
        ("x", ("--results", "no/such/folder/r.csv"), "there is no folder"),
        ("x", ("--no-such-option",), "There is no option"),
        ("x", ("--simulate", "--base-url", "https://partner.example"), "exclude each other"),
    ],
)
def test_what_is_refused_gets_a_sentence_and_leaves_nothing_behind(
    program: Program, content: str | None, options: tuple[str, ...], message: str
) -> None:
    if content is not None:
        (program.folder / "input.csv").write_text(content)
    process = program("run", "input.csv", "--yes", *options)
    assert process.code == 2
    assert message in " ".join(process.err.split())
    assert "Traceback" not in process.err
    assert not [path for path in process.reports.glob("**/*") if path.is_file()]
    assert not list(process.reports.glob("*"))


def test_without_credentials_nothing_is_sent(program: Program, partner: Partner) -> None:
    program.environment["BULKREACT_ACCESS_TOKEN"] = " "
    process = run(program, partner, ["a"])
    assert process.code == 2
    assert "BULKREACT_ACCESS_TOKEN" in process.err
    assert partner.requests() == []


def test_without_a_terminal_and_without_yes_nothing_is_sent(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1), 1), row(guid(2), 2)])
    process = program("run", "input.csv", "--base-url", partner.base_url)
    assert process.code == 2
    assert f"Reactivate 2 subscriptions of 2 customers at {partner.base_url}?" in process.err
    assert "--yes" in process.err
    assert partner.requests() == []
    assert not list(process.reports.glob("*"))


def test_a_reports_folder_that_cannot_be_made_is_refused(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1))])
    options = ("--base-url", partner.base_url, *FAST, "--reports", "input.csv/reports")
    process = program("run", "input.csv", *options)
    assert process.code == 2
    assert "cannot be written" in process.err
    assert partner.requests() == []


def test_an_empty_input_is_a_success_when_that_is_allowed(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [])
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--allow-empty")
    assert process.code == 0
    assert process.summary["counts"] == dict.fromkeys(Status, 0)


@pytest.mark.soak
def test_a_signal_while_everything_is_in_flight_loses_nothing(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(scenario_id(598, number), number) for number in range(3)])
    process = program.start("run", "input.csv", "--base-url", partner.base_url, "--yes")
    wait_until(lambda: len(partner.requests()) == 3)
    process.send_signal(signal.SIGINT)
    ended = program.wait(process)
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert {status for status, *_ in row_results(ended)} == {"accepted"}


def test_an_edited_failed_csv_is_set_aside(program: Program, partner: Partner) -> None:
    process = run(program, partner, [1599, 800111], "--attempts", "1")
    (process.run / "failed.csv").write_text("my corrections")
    again = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--attempts", "1")
    assert (process.run / "failed.edited-1.csv").read_text() == "my corrections"
    assert "failed.edited-1.csv" in again.err
    assert len(read_csv(process.run / "failed.csv")) == 2


def test_an_unfinished_run_is_continued_although_a_newer_one_of_its_rows_has_finished(
    program: Program, partner: Partner
) -> None:
    run(program, partner, [599, "a"], "--attempts", "1")
    command = ("run", "input.csv", "--base-url", partner.base_url, *FAST)
    assert program(*command, "--new").code in {0, 1}
    again = program(*command)
    assert "Continuing the unfinished run" in again.err
    first, *others = ids_by_path(partner)[partner.requests(599)[0]["path"]]
    assert first in others


def test_the_same_rows_run_again_are_said_to_be_so(program: Program, partner: Partner) -> None:
    run(program, partner, ["a"])
    again = run(program, partner, ["a"])
    assert "The same rows were run before and finished" in again.err


def test_a_limit_leaves_the_rest_for_a_resume(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a"] * 5, "--limit", "2")
    assert (process.code, process.summary["state"]) == (0, "finished")
    assert Counter(status for status, *_ in row_results(process)) == {"accepted": 2, "not_attempted": 3}
    assert f"Send 3 rows that --limit left out with: bulkreact resume {process.run.name}" in process.err
    again = program("resume", process.run.name[:12], *FAST)
    assert again.code == 0
    assert Counter(status for status, *_ in row_results(again)) == {"accepted": 5}
    third = program("resume", *FAST)
    assert third.code == 0
    assert "has nothing to continue" in third.err
    assert len(partner.requests()) == 5


def test_the_results_can_be_written_elsewhere_too(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a"], "--results", "copy.csv")
    assert (program.folder / "copy.csv").read_bytes() == (process.run / "results.csv").read_bytes()


def test_the_results_never_overwrite_the_input(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a"], "--results", "./input.csv")
    assert process.code == 2
    assert "would overwrite the input" in process.err
    assert partner.requests() == []


def test_result_files_are_private_and_the_heartbeat_is_not(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a"])
    assert process.run.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in process.run.iterdir()} == {0o600}
    assert (process.reports / "latest.json").stat().st_mode & 0o044


def test_quiet_says_nothing_when_all_is_well_and_something_when_not(program: Program, partner: Partner) -> None:
    well = run(program, partner, ["a"], "-q")
    assert (well.code, well.out, well.err) == (0, "", "")
    bad = program(
        "run",
        str(write_csv(program.folder / "b.csv", [row(scenario_id(800111))])),
        "--base-url",
        partner.base_url,
        *FAST,
        "-q",
    )
    assert bad.code == 1
    assert "failed" in bad.err


def test_verbose_shows_how_every_row_ended(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a", 800111], "-v")
    assert "row 2: accepted HTTP 202" in process.err
    assert "row 3: failed HTTP 404 800111" in process.err


def test_failed_rows_are_a_valid_input_and_unknown_ones_keep_their_request_id(
    program: Program, partner: Partner
) -> None:
    process = run(program, partner, [1599, 800111, "a"], "--attempts", "1")
    failed = program.folder / "again.csv"
    failed.write_bytes((process.run / "failed.csv").read_bytes())
    program("run", "again.csv", "--base-url", partner.base_url, *FAST, "--attempts", "1", "--reports", "second")
    assert len({call["request_id"] for call in partner.requests(1599)}) == 1
    assert len({call["request_id"] for call in partner.requests(800111)}) == 2
    (results,) = (program.folder / "second").glob("*/results.csv")
    assert list(read_csv(results)[0]) == [*HEADER, *RESULT_COLUMNS]


def test_unknown_rows_are_settled_by_running_the_same_file_again(program: Program, partner: Partner) -> None:
    process = run(program, partner, [599, "a"], "--attempts", "1")
    assert row_results(process)[0] == ("unknown", "", "connection-lost", "1")
    again = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    assert "Continuing the unfinished run" in again.err
    assert (again.code, row_results(again)[0]) == (0, ("accepted", "202", "", "2"))
    assert len({call["request_id"] for call in partner.requests(599)}) == 1
    assert len(partner.requests()) == 3


def test_a_finished_run_is_not_continued(program: Program, partner: Partner) -> None:
    run(program, partner, ["a"])
    run(program, partner, ["a"])
    assert len(list((program.folder / "reports").glob("*/journal.sqlite3"))) == 2


def test_a_killed_run_is_continued_by_the_same_command(program: Program, partner: Partner) -> None:
    tails: list[int | str] = ["a"] * 60
    write_csv(program.folder / "input.csv", [row(guid(number), number % 5) for number, _ in enumerate(tails)])
    command = ("run", "input.csv", "--base-url", partner.base_url, "--yes", "--rate", "50/s")
    process = program.start(*command)
    wait_until(lambda: len(partner.requests()) >= 10)
    process.send_signal(signal.SIGKILL)
    program.wait(process)
    killed_at = len(partner.requests())
    again = program(*command)
    assert killed_at < 60
    assert again.code == 0, again.err
    assert "Continuing the unfinished run" in again.err
    assert {status for status, *_ in row_results(again)} == {"accepted"}
    ids = Counter(call["request_id"] for call in partner.requests())
    assert len(ids) == 60
    assert len(partner.service.call_log.effects) == 60
    # Only calls in flight at the moment of the kill may have been repeated, under their old ids.
    assert ids.total() - 60 <= 16


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_calls_in_flight_end_and_writes_the_results(
    program: Program, partner: Partner, number: signal.Signals, code: int
) -> None:
    write_csv(
        program.folder / "input.csv", [row(scenario_id(598, 1)), *(row(guid(number), number) for number in range(30))]
    )
    process = program.start("run", "input.csv", "--base-url", partner.base_url, "--yes", "--rate", "10/s")
    wait_until(lambda: len(partner.requests()) >= 5)
    process.send_signal(number)
    ended = program.wait(process)
    assert ended.code == code
    assert ended.summary["state"] == "interrupted"
    counts = Counter(status for status, *_ in row_results(ended))
    assert set(counts) == {"accepted", "not_attempted"}
    assert counts["accepted"] == len(partner.requests())
    assert f"bulkreact resume {ended.run.name}" in ended.err
    again = program("resume", *FAST)
    assert again.code == 0
    assert len(partner.requests()) == 31


def test_a_second_signal_stops_at_once_and_the_run_can_still_be_resumed(program: Program, partner: Partner) -> None:
    write_csv(
        program.folder / "input.csv", [*(row(guid(number), number) for number in range(3)), row(scenario_id(1598, 1))]
    )
    process = program.start("run", "input.csv", "--base-url", partner.base_url, "--yes", "--rate", "off")
    wait_until(lambda: len(partner.requests()) == 4)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    assert any("Stopping" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    ended = program.wait(process)
    assert ended.code == 130
    assert row_results(ended)[-1] == ("unknown", "", "no-answer", "1")


def test_a_copy_that_cannot_be_written_keeps_nothing_from_the_runs_own_folder(
    program: Program, partner: Partner
) -> None:
    # Answered after three seconds.
    write_csv(program.folder / "input.csv", [row(scenario_id(598))])
    (program.folder / "there").mkdir()
    process = program.start("run", "input.csv", "--base-url", partner.base_url, "--yes", "--results", "there/copy.csv")
    wait_until(lambda: len(partner.requests()) == 1)
    (program.folder / "there").rmdir()
    (program.folder / "there").write_text("in the way")
    ended = program.wait(process)
    assert ended.code == 74
    assert "copy.csv" in ended.err
    assert row_statuses(ended.run) == ["accepted"]
    assert {"failed.csv", "summary.json", "report.html"} <= {path.name for path in ended.run.iterdir()}


def test_two_processes_do_not_work_on_the_same_run(program: Program, partner: Partner) -> None:
    write_csv(
        program.folder / "input.csv", [row(scenario_id(598, 1)), *(row(guid(number), number) for number in range(300))]
    )
    command = ("run", "input.csv", "--base-url", partner.base_url, "--yes", "--rate", "10/s")
    first = program.start(*command)
    wait_until(lambda: len(partner.requests()) >= 2)
    second = program(*command)
    assert second.code == 5
    first.send_signal(signal.SIGTERM)
    assert program.wait(first).code == 143


def test_two_runs_against_one_partner_exclude_each_other(program: Program, partner: Partner) -> None:
    write_csv(
        program.folder / "a.csv", [row(scenario_id(598, 1)), *(row(guid(number), number) for number in range(600))]
    )
    write_csv(program.folder / "b.csv", [row(guid(99))])
    first = program.start("run", "a.csv", "--base-url", partner.base_url, "--yes", "--rate", "10/s")
    wait_until(lambda: len(partner.requests()) >= 2)
    second = program("run", "b.csv", "--base-url", partner.base_url, *FAST, "--reports", "other")
    assert second.code == 5
    assert f"process {first.pid}, " in second.err
    assert not (program.folder / "other").exists()
    elsewhere = program("run", "b.csv", "--simulate", "--reports", "other")
    assert elsewhere.code == 0
    first.kill()
    program.wait(first)
    third = program("run", "b.csv", "--base-url", partner.base_url, *FAST, "--reports", "other")
    assert third.code == 0


@pytest.mark.soak
def test_a_signal_while_results_are_written_tears_nothing(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [("x", "y", str(number)) for number in range(20_000)])
    process = program.start("run", "input.csv", "--base-url", partner.base_url, *FAST)
    wait_until(lambda: bool(list(program.folder.glob("reports/[!.]*/.results.csv*.partial"))))
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    ended = program.wait(process)
    assert ended.code == 1
    assert len(row_results(ended)) == 20_000


def test_a_signal_while_the_input_is_read_leaves_nothing_behind(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(guid(number)) for number in range(90_000)])
    process = program.start("run", "input.csv", "--base-url", partner.base_url, *FAST)
    wait_until(lambda: bool(list(program.folder.glob("reports/.*.draft"))))
    process.send_signal(signal.SIGTERM)
    ended = program.wait(process)
    assert ended.code == 143
    assert not list(ended.reports.iterdir())
    assert partner.requests() == []


def test_any_number_of_signals_ends_without_a_traceback(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1)), row(scenario_id(1598, 1))])
    process = program.start("run", "input.csv", "--base-url", partner.base_url, *FAST)
    wait_until(lambda: len(partner.requests()) == 2)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    ended = program.wait(process)
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert row_results(ended) == [("accepted", "202", "", "1"), ("unknown", "", "no-answer", "1")]


def test_the_run_continues_when_its_output_is_closed(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(40)])
    process = program.start("run", "input.csv", "--base-url", partner.base_url, "--yes", "--rate", "50/s", "-v")
    assert process.stderr
    process.stderr.readline()
    process.stderr.close()
    assert process.wait(120) == 0
    assert process.stdout
    process.stdout.close()
    assert len(partner.service.call_log.effects) == 40


def test_a_resume_that_is_not_agreed_to_changes_nothing(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a"] * 3, "--limit", "1")
    assert program("resume").code == 2
    assert program("results", process.run.name).code == 0
    assert process.summary["exit_code"] == 0


def test_resume_prefers_the_run_that_is_unfinished(program: Program, partner: Partner) -> None:
    first = run(program, partner, [900329])
    assert first.code == 3
    name = first.run.name
    write_csv(program.folder / "b.csv", [row(guid(5))])
    assert program("run", "b.csv", "--base-url", partner.base_url, *FAST).code == 0
    assert "Ids:     each row kept its request id: nothing was sent twice" in program("status").out
    assert program("resume", *FAST).code == 3
    assert len(partner.requests(900329)) == 2
    shown = program("status", name).out
    assert "Ids:     1 row got a second request id, as the answer to the first was final" in shown


def test_resume_without_any_run_has_nothing_to_continue(program: Program) -> None:
    process = program("resume", *FAST)
    assert (process.code, "nothing to continue" in process.err) == (0, True)


def test_rows_sent_by_an_earlier_process_outlive_the_refusal_of_their_customer(
    program: Program, partner: Partner
) -> None:
    slow = [row(scenario_id(1598, number), 1) for number in range(2)]
    rows = [row(guid(1), 1), *slow, row(scenario_id(20002), 1)]
    write_csv(program.folder / "input.csv", rows)
    command = ("run", "input.csv", "--base-url", partner.base_url, *FAST)
    process = program.start(*command, "--per-customer", "2")
    wait_until(lambda: len(partner.requests(1598)) == 2)
    process.kill()
    program.wait(process)
    again = program(*command, "--timeout", "0.3", "--attempts", "1", "--concurrency", "5", "--per-customer", "5")
    assert Counter(status for status, *_ in row_results(again)) == {"accepted": 1, "unknown": 2, "failed": 1}
    assert [attempts for status, _, _, attempts in row_results(again) if status == "unknown"] == ["2"] * 2
    third = program(*command, "--timeout", "0.3", "--attempts", "1")
    assert "Continuing the unfinished run" in third.err
    assert {len(set(ids)) for ids in ids_by_path(partner).values()} == {1}


def test_a_row_that_is_not_sent_hands_on_the_request_id_of_its_lost_call(program: Program, partner: Partner) -> None:
    process = run(program, partner, [1599, 1599], "--attempts", "1")
    for number in ("second", "third"):
        failed = program.folder / f"{number}.csv"
        failed.write_bytes((process.run / "failed.csv").read_bytes())
        options = ("--attempts", "1", "--limit", "0", "--reports", number, "--new")
        assert program("run", failed.name, "--base-url", partner.base_url, *FAST, *options).code == 1
        (folder,) = (path.parent for path in (program.folder / number).glob("[!.]*/journal.sqlite3"))
        lines = read_csv(folder / "failed.csv")
        assert [line["status"] for line in lines] == ["unknown", "unknown"]
        assert [[line["request_id"]] for line in lines] == list(ids_by_path(partner).values())


def test_an_outcome_that_was_overtaken_by_newer_calls_is_not_shown(program: Program, partner: Partner) -> None:
    process = run(program, partner, [1504], "--attempts", "1")
    assert row_results(process) == [("unknown", "504", "http-504", "1")]
    again = program.start("resume", *FAST)
    wait_until(lambda: len(partner.requests()) >= 3)
    again.kill()
    program.wait(again)
    assert program("results", process.run.name).code == 0
    ((status, _, _, attempts),) = row_results(process)
    assert (status, attempts) == ("unknown", str(len(partner.requests())))


def test_stopping_does_not_wait_for_the_pace(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(40)])
    process = program.start("run", "input.csv", "--base-url", partner.base_url, "--yes", "--rate", "1/min")
    wait_until(lambda: len(partner.requests()) == 1)
    process.send_signal(signal.SIGINT)
    assert program.wait(process).code == 130
    assert len(partner.requests()) == 1


def test_every_option_can_come_from_the_environment(program: Program, partner: Partner) -> None:
    program.environment |= {
        "BULKREACT_RUN_BASE_URL": partner.base_url,
        "BULKREACT_RUN_YES": "1",
        "BULKREACT_RUN_RATE": "off",
        "BULKREACT_RUN_HALT_ON_FAILURES": "off",
        "BULKREACT_RUN_HALT_AFTER": "1",
        "BULKREACT_RUN_QUIET": "1",
        "BULKREACT_RUN_LIMIT": "2",
    }
    write_csv(program.folder / "input.csv", [row(scenario_id(800111, number)) for number in range(3)])
    assert program("run", "input.csv").code == 1
    assert len(partner.requests()) == 2


def test_results_that_cannot_be_written_are_written_later_from_the_journal(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(scenario_id(598)), row(guid(1))])
    process = program.start("run", "input.csv", "--base-url", partner.base_url, *FAST)
    wait_until(lambda: len(partner.requests()) == 1)
    (folder,) = (path.parent for path in program.folder.glob("reports/*/journal.sqlite3"))
    (folder / "results.csv").mkdir()
    ended = program.wait(process)
    assert ended.code == 74
    assert f"bulkreact results {Path('reports') / folder.name}" in ended.err
    assert not list(folder.glob("*.partial"))
    latest = program.folder / "reports" / "latest.json"
    assert json.loads(latest.read_text())["exit_code"] == 74
    (folder / "results.csv").rmdir()
    again = program("results", Path("reports") / folder.name)
    assert again.code == 0, again.err
    assert [status for status, *_ in row_results(ended)] == ["accepted", "accepted"]
    assert ended.summary["exit_code"] == 0
    assert json.loads(latest.read_text()) == ended.summary


def test_a_stopped_run_keeps_its_code_although_its_results_could_not_be_written(
    program: Program, partner: Partner
) -> None:
    rows = [row(scenario_id(598)), *(row(scenario_id(800111, number), number) for number in range(60))]
    write_csv(program.folder / "input.csv", rows)
    process = program.start("run", "input.csv", "--base-url", partner.base_url, *FAST, "--concurrency", "1")
    wait_until(lambda: len(partner.requests()) >= 1)
    (folder,) = (path.parent for path in program.folder.glob("reports/*/journal.sqlite3"))
    (folder / "results.csv").mkdir()
    ended = program.wait(process)
    assert ended.code == 74
    latest = program.folder / "reports" / "latest.json"
    assert [json.loads(latest.read_text())[name] for name in ("state", "exit_code")] == ["halted", 4]
    (folder / "results.csv").rmdir()
    assert program("results", folder.name).code == 0
    assert (ended.summary["state"], ended.summary["exit_code"]) == ("halted", 4)


def test_what_a_killed_process_left_half_written_is_cleared_away(program: Program, partner: Partner) -> None:
    process = run(program, partner, [1504], "--attempts", "1")
    partial = process.run / ".results.csv.0000.partial"
    partial.write_text("half")
    assert program("resume", *FAST, "--attempts", "1").code == 1
    assert not partial.exists()


def test_an_older_run_that_is_resumed_does_not_become_the_heartbeat(program: Program, partner: Partner) -> None:
    older = run(program, partner, [1504], "--attempts", "1").run
    write_csv(program.folder / "b.csv", [row(guid(5))])
    assert program("run", "b.csv", "--base-url", partner.base_url, *FAST).code == 0
    latest = program.folder / "reports" / "latest.json"
    heartbeat = latest.read_bytes()
    assert program("resume", older.name, *FAST, "--attempts", "1").code == 1
    assert latest.read_bytes() == heartbeat


def test_a_signal_that_loading_swallowed_still_stops_the_run(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1))])
    arguments = ["run", "input.csv", "--base-url", partner.base_url, *FAST]
    swallowed = f"import sys; from bulkreact import cli; sys.argv[1:] = {arguments!r}; cli.main([15])"
    process = subprocess.run(
        [sys.executable, "-c", swallowed],
        cwd=program.folder,
        env={"BULKREACT_ACCESS_TOKEN": CANARY, "BULKREACT_STATE_DIR": str(program.folder / "state")},
        check=False,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 143, process.stderr
    assert partner.requests() == []


def test_a_journal_that_cannot_grow_stops_the_run_with_everything_accounted_for(
    program: Program, partner: Partner
) -> None:
    write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(400)])
    with file_size_limit(700_000):
        process = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    assert process.code == 74, process.err
    assert "bulkreact resume" in process.err
    assert "bulkreact results" in process.err
    assert "Traceback" not in process.err
    assert 0 < len(partner.requests()) < 400
    again = program("resume", *FAST)
    assert again.code == 0, again.err
    assert all(len(set(ids)) == 1 for ids in ids_by_path(partner).values())
    assert len(partner.service.call_log.effects) == 400


def test_results_are_the_same_when_written_again_elsewhere(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a", 800111])
    again = program("results", process.run.name, "--to", "elsewhere")
    assert again.code == 0
    for name in ("results.csv", "failed.csv"):
        assert (program.folder / "elsewhere" / name).read_bytes() == (process.run / name).read_bytes()
    summary = json.loads((program.folder / "elsewhere" / "summary.json").read_text())
    assert {**summary, "files": {}} == {**process.summary, "files": {}}


def test_standard_input_is_read(program: Program, partner: Partner) -> None:
    path = write_csv(program.folder / "input.csv", [row(guid(1))])
    arguments = [sys.executable, "-m", "bulkreact", "run", "-", "--base-url", partner.base_url, *FAST]
    process = subprocess.run(
        arguments,
        input=path.read_bytes(),
        cwd=program.folder,
        env={"BULKREACT_ACCESS_TOKEN": CANARY, "BULKREACT_STATE_DIR": str(program.folder / "state")},
        check=False,
        capture_output=True,
    )
    assert process.returncode == 0, process.stderr
    (folder,) = program.folder.glob("reports/*-stdin-*")
    assert len(read_csv(folder / "results.csv")) == 1


def test_the_pace_is_kept_on_the_wire(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(30)])
    program("run", "input.csv", "--base-url", partner.base_url, "--yes", "--rate", "10/s")
    moments = [float(call["at"]) for call in partner.requests()]
    assert len(moments) == 30
    # The bucket holds two calls; a server on a busy machine may see both of them late.
    assert max(sum(begin <= time < begin + 1 for time in moments) for begin in moments) <= 12


def test_a_throttled_customer_does_not_hold_the_others_back(program: Program, partner: Partner) -> None:
    rows = [
        row(scenario_id(4429), 1),
        *(row(guid(number), 1) for number in range(3)),
        *(row(guid(number), 2) for number in range(10, 20)),
    ]
    write_csv(program.folder / "input.csv", rows)
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--concurrency", "1")
    assert process.code == 0
    others = [index for index, call in enumerate(partner.requests()) if rows[-1][0] in call["path"]]
    throttled = [index for index, call in enumerate(partner.requests()) if rows[0][0] in call["path"]]
    assert throttled[0] < others[-1] < throttled[1]


def test_limits_of_the_partner_are_waited_out(start_partner: Callable[[Behaviour], Partner], program: Program) -> None:
    partner = start_partner(Behaviour(partner_limit=10, window=1))
    process = run(program, partner, ["a"] * 30)
    assert process.code == 0
    assert len(partner.service.call_log.effects) == 30


@pytest.mark.soak
def test_random_faults_lose_and_repeat_nothing(start_partner: Callable[[Behaviour], Partner], program: Program) -> None:
    partner = start_partner(Behaviour(fault_share=0.3, seed=3))
    process = run(program, partner, ["a"] * 60, "--attempts", "12")
    assert process.code == 0, process.err
    effects = Counter(effect["entitlement_id"] for effect in partner.service.call_log.effects)
    assert (len(effects), effects.total()) == (60, 60)
    assert partner.service.call_log.violations == []
    ids = {(call["path"], call["request_id"]) for call in partner.requests()}
    assert len(ids) == 60
