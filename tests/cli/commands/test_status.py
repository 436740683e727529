"""Looking at a run: while it is worked on, after a kill, at rest, and from where nothing can be written."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.ids import guid, row, write_csv
from tests.support.program import Partner, Program, ProgramResult
from tests.support.run_commands import FAST, read_calls, row_statuses, run, wait_until


def content(process: ProgramResult) -> dict[str, object]:
    """Return what status says to programs."""
    assert process.code == 0, process.err
    status: dict[str, object] = json.loads(process.out)
    return status


ROWS = 600


def start(program: Program, partner: Partner) -> "subprocess.Popen[str]":
    """Start a run that takes half a minute, and wait until it is well under way."""
    write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(ROWS)])
    process = program.start("run", "input.csv", "--base-url", partner.base_url, "--yes", "--rate", "20/s")
    wait_until(lambda: len(partner.requests()) >= 10)
    return process


def test_a_running_run_is_shown_and_not_disturbed(program: Program, partner: Partner) -> None:
    process = start(program, partner)
    as_json = content(program("status", "--json"))
    as_text = program("status")
    process.send_signal(signal.SIGTERM)
    ended = program.wait(process)
    assert ended.code == 143, ended.err
    assert as_json["state"] == "running"
    assert as_json["run_id"] == ended.run.name
    assert as_json["process_id"] == process.pid
    assert as_json["exit_code"] is None
    counts, open_rows = as_json["counts"], as_json["open"]
    assert isinstance(counts, dict)
    assert isinstance(open_rows, int)
    assert counts["accepted"] >= 9
    assert counts["unknown"] == counts["not_attempted"] == 0
    assert sum(counts.values()) + open_rows == ROWS
    assert f"Run {ended.run.name}: running, process {process.pid}" in as_text.out
    assert as_text.err == ""
    assert len(partner.service.call_log.effects) == row_statuses(ended.run).count("accepted") >= counts["accepted"]


def test_a_finished_run_is_shown_as_its_summary_has_it(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a", 800111, 1503], "--attempts", "1")
    status = content(program("status", process.run.name, "--json"))
    shown = {name: value for name, value in process.summary.items() if name != "files"}
    assert {name: status[name] for name in shown} == shown
    assert (status["open"], status["in_flight"], status["process_id"]) == (0, 0, None)
    assert f"bulkreact retry {process.run.name}" in program("status").out


def test_a_killed_run_is_shown_with_the_command_that_continues_it(program: Program, partner: Partner) -> None:
    process = start(program, partner)
    process.kill()
    ended = program.wait(process)
    status = content(program("status", "--json"))
    assert (status["state"], status["exit_code"]) == ("interrupted", 130)
    counts = status["counts"]
    assert isinstance(counts, dict)
    assert sum(counts.values()) == ROWS
    assert status["open"] == ROWS - counts["accepted"]
    assert f"bulkreact resume {ended.run.name}" in program("status").out
    program("results", ended.run.name)
    assert counts["not_attempted"] == row_statuses(ended.run).count("not_attempted")


def test_an_interrupted_run_names_the_command_that_continues_it(program: Program, partner: Partner) -> None:
    process = start(program, partner)
    process.send_signal(signal.SIGINT)
    ended = program.wait(process)
    shown = program("status", ended.run)
    assert f"Run {ended.run.name}: interrupted" in shown.out
    assert f"bulkreact resume {ended.run.name}" in shown.out


def test_without_any_run_there_is_nothing_to_show(program: Program) -> None:
    process = program("status")
    assert (process.code, process.out) == (2, "")
    assert "There is no run" in process.err


def test_an_unknown_run_is_refused(program: Program, partner: Partner) -> None:
    run(program, partner, ["a"])
    assert program("status", "2020").code == 2


def test_a_run_that_was_killed_and_is_being_verified_is_not_running(program: Program, partner: Partner) -> None:
    partner.service.behaviour = Behaviour(activation_delay=3600)
    process = start(program, partner)
    process.kill()
    ended = program.wait(process)
    verify = program.start("verify", ended.run.name, *FAST, "--verify-timeout", "60", "--verify-every", "1")
    wait_until(lambda: len(read_calls(partner, "")) >= 5)
    status = content(program("status", "--json"))
    shown = program("status").out
    refused = program("results", ended.run.name)
    verify.send_signal(signal.SIGINT)
    assert program.wait(verify).code == 130
    assert (status["state"], status["process_id"]) == ("interrupted", verify.pid)
    assert f"Process {verify.pid} is reading the present status of accepted subscriptions" in shown
    assert refused.code == 5


def test_results_are_not_written_beside_the_process_that_will_write_them(program: Program, partner: Partner) -> None:
    process = start(program, partner)
    assert program("results", next((program.folder / "reports").glob("2*")).name).code == 5
    assert not list((program.folder / "reports").glob("**/*.json"))
    process.send_signal(signal.SIGTERM)
    assert program.wait(process).code == 143


@pytest.mark.parametrize("damage", ["format", "bytes"])
def test_a_run_that_cannot_be_read_is_named_and_not_passed_over_in_silence(
    program: Program, partner: Partner, damage: str
) -> None:
    older = run(program, partner, [900329]).run
    journal = older / "journal.sqlite3"
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("PRAGMA user_version = 1")
    if damage == "bytes":
        journal.write_bytes(b"this is no database" * 1000)
    for command in (("status",), ("resume", *FAST), ("results", older.name), ("verify", older.name, *FAST)):
        refused = program(*command)
        assert refused.code == 2
        assert older.name in refused.err
    assert older.name in program("run", "input.csv", "--base-url", partner.base_url, *FAST).err


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """Return a folder that other users can enter: every session of pytest closes its own folders to them."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can become somebody else")
def test_another_users_run_can_be_read_and_its_results_written_elsewhere(partner: Partner, public_folder: Path) -> None:
    program = Program(public_folder)
    process = run(program, partner, ["a", 800111])
    for folder in (program.folder, program.folder / "reports", process.run):
        folder.chmod(0o755)
    (process.run / "journal.sqlite3").chmod(0o644)
    elsewhere = public_folder / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o777)
    # That user may not be able to read the program: it is loaded before the switch.
    code = (
        "import os, encodings.idna, shlex, textwrap, traceback; from bulkreact.cli import error_exit, main\n"
        "from bulkreact.cli.commands import results, resume, status, verify\n"
        "from bulkreact.sheets.output.report_html import template; template()\n"
        "os.setgid(65534); os.setuid(65534); main()"
    )

    def run_as_another_user(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=program.folder,
            env={**os.environ, "BULKREACT_ACCESS_TOKEN": "x", "BULKREACT_STATE_DIR": str(elsewhere / "state")},
            capture_output=True,
            text=True,
            check=False,
        )

    shown = run_as_another_user("status", "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["counts"]["accepted"] == 1
    assert run_as_another_user("results", process.run.name).returncode == 74
    assert run_as_another_user("resume", process.run.name).returncode == 0
    assert run_as_another_user("verify", process.run.name).returncode == 2
    written = run_as_another_user("results", process.run.name, "--to", elsewhere / "results")
    assert written.returncode == 0, written.stderr
    assert (elsewhere / "results" / "results.csv").read_bytes() == (process.run / "results.csv").read_bytes()
