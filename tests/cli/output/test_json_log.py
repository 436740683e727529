"""Log lines for programs: one JSON object a line, whatever happens, and nothing of a quiet success."""

import json
import os
import signal
import subprocess
from collections import Counter
from contextlib import suppress

import pytest

from tests.support.ids import guid, read_csv, row, write_csv
from tests.support.program import CANARY, Partner, Program, ProgramResult
from tests.support.run_commands import FAST, run, wait_until

AS_JSON = ("--log-format", "json")


def lines(process: ProgramResult) -> list[dict[str, object]]:
    """Return the log lines of a process; each of them must be one."""
    log: list[dict[str, object]] = [json.loads(line) for line in process.err.splitlines()]
    assert all({"time", "level", "event"} <= set(line) for line in log)
    return log


def select_event(log: list[dict[str, object]], event: str) -> list[dict[str, object]]:
    """Return the lines of one event."""
    return [line for line in log if line["event"] == event]


def test_every_row_and_every_step_is_one_object_a_line(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a", 800111, 1599], "--attempts", "1", *AS_JSON, "--progress")
    assert (process.code, process.out) == (1, "")
    log = lines(process)
    rows = {line["row"]: line for line in select_event(log, "row.settled")}
    results = read_csv(process.run / "results.csv")
    for name in ("request_id", "correlation_id", "status"):
        assert [str(rows[number][name]) for number in (2, 3, 4)] == [line[name] for line in results]
    assert [rows[number].get("http_status") for number in (2, 3, 4)] == [202, 404, None]
    assert [rows[number].get("error_code") for number in (2, 3, 4)] == [None, "800111", "connection-lost"]
    assert {line["run_id"] for line in rows.values()} == {process.run.name}
    (end,) = select_event(log, "run.ended")
    assert (end["level"], end["exit_code"], end["state"]) == ("warning", 1, "finished")
    assert end["counts"] == process.summary["counts"]
    assert [len(select_event(log, event)) for event in ("run.began", "phase.began", "phase.ended")] == [1, 1, 1]
    assert CANARY not in process.err


def test_invalid_rows_are_lines_as_well(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1)), ("x", *row(guid(2))[1:])])
    log = lines(program("run", "input.csv", "--base-url", partner.base_url, *FAST, *AS_JSON))
    (line,) = select_event(log, "row.invalid")
    assert (line["row"], line["error_code"]) == (3, "invalid-customer-id")


def test_a_quiet_success_writes_nothing_and_a_quiet_failure_its_end(program: Program, partner: Partner) -> None:
    assert run(program, partner, ["a"], *AS_JSON, "-q").err == ""
    assert [line["event"] for line in lines(run(program, partner, [800111], *AS_JSON, "-q", "--new"))] == ["run.ended"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("no-such-file.csv", *AS_JSON), "does not exist"),
        (("--log-format=json", "x.csv", "--rate", "fast"), "is not a rate"),
        (("--no-such-option", *AS_JSON), "There is no option"),
        ((*AS_JSON,), "Missing argument"),
    ],
)
def test_what_is_refused_is_one_line_as_well(program: Program, options: tuple[str, ...], message: str) -> None:
    process = program("run", *options)
    assert process.code == 2
    *_, line = lines(process)
    assert (line["level"], line["event"]) == ("error", "error")
    assert message in str(line["message"])


@pytest.mark.parametrize("variable", ["BULKREACT_LOG_FORMAT", "BULKREACT_RUN_LOG_FORMAT"])
def test_the_format_can_come_from_the_environment(program: Program, variable: str) -> None:
    program.environment[variable] = "json"
    assert lines(program("run", "no-such-file.csv"))


def test_the_format_can_come_from_the_configuration_file(program: Program) -> None:
    (program.folder / "bulkreact.toml").write_text('log_format = "json"\n')
    assert len(lines(program("run", "x.csv", "--rate", "fast"))) == 1


def test_an_interrupted_run_says_so_in_lines(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(100)])
    process = program.start("run", "input.csv", "--base-url", partner.base_url, "--yes", "--rate", "10/s", *AS_JSON)
    wait_until(lambda: len(partner.requests()) >= 3)
    process.send_signal(signal.SIGTERM)
    ended = program.wait(process)
    log = lines(ended)
    assert ended.code == 143
    assert log[-1]["event"] == "run.ended"
    assert (log[-1]["exit_code"], log[-1]["state"], log[-1]["level"]) == (143, "interrupted", "error")
    assert Counter(str(line["status"]) for line in select_event(log, "row.settled"))["accepted"] >= 3


@pytest.mark.parametrize("command", ["resume", pytest.param("retry", marks=pytest.mark.soak), "verify"])
def test_the_commands_that_follow_a_run_speak_so_too(program: Program, partner: Partner, command: str) -> None:
    partner.service.behaviour = partner.service.behaviour.__class__(activation_delay=0)
    process = run(program, partner, [1599, "a"], "--attempts", "1")
    again = program(command, process.run.name, *FAST, *AS_JSON, "--max-outage", "0")
    assert select_event(lines(again), "run.ended")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes")
@pytest.mark.parametrize("form", [(), AS_JSON], ids=["text", "json"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_the_input_is_read_is_reported_in_the_format_asked_for(
    program: Program, number: signal.Signals, code: int, form: tuple[str, ...]
) -> None:
    os.mkfifo(program.folder / "pipe")
    process = program.start("run", "pipe", "--simulate", *form)
    with (program.folder / "pipe").open("wb"):
        # The first one may come while a module loads, where Python loses what its handler raises.
        while process.poll() is None:
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
    ended = program.wait(process)
    assert ended.code == code
    reported = [str(line["message"]) for line in lines(ended)] if form else ended.err.splitlines()
    assert reported[-1] == "Interrupted. Nothing was sent."
