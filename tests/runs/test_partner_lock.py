"""One run per partner at a time: the second names the first, waits if asked to, and survives its kill."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from bulkreact.cli.commands import run
from bulkreact.runs.input_reader import open_input
from bulkreact.sheets.input.read_limits import ReadLimits
from tests.support.ids import guid, row, write_csv
from tests.support.marks import mostly_soak
from tests.support.program import Partner, Program, ProgramResult
from tests.support.run_commands import FAST, wait_until


def write(program: Program, name: str, first: int, count: int) -> Path:
    """Write an input file."""
    return write_csv(program.folder / name, [row(guid(first + index), index) for index in range(count)])


def hold(program: Program, partner: Partner) -> "subprocess.Popen[str]":
    """Start a run that takes half a minute, and wait until it is well under way."""
    write(program, "long.csv", 5000, 300)
    process = program.start("run", "long.csv", "--base-url", partner.base_url, "--yes", "--rate", "10/s")
    wait_until(lambda: len(partner.requests()) >= 3)
    return process


def end(program: Program, process: "subprocess.Popen[str]") -> None:
    """End a run as people do."""
    process.send_signal(signal.SIGTERM)
    assert program.wait(process).code == 143


def run_of(program: Program) -> str:
    """Return the id of the only run."""
    (folder,) = (program.folder / "reports").glob("2*")
    return folder.name


def wait_message(process: "subprocess.Popen[str]") -> str:
    """Return the sentence in which a process says that it waits for another."""
    assert process.stderr
    return next(line for line in process.stderr if "Waiting until it has ended." in line)


def test_a_second_run_names_the_first_and_sends_nothing(program: Program, partner: Partner) -> None:
    first = hold(program, partner)
    write(program, "short.csv", 1, 1)
    second = program("run", "short.csv", "--base-url", partner.base_url, *FAST)
    (holder,) = (program.folder / "state" / "locks").glob("*.json")
    since = json.loads(holder.read_text())["started_at"]
    run = run_of(program)
    end(program, first)
    assert second.code == 5
    assert f"process {first.pid}, {run}, since {since}" in second.err
    assert not [call for call in partner.requests() if guid(1) in call["path"]]


@pytest.mark.parametrize("command", mostly_soak(["retry", "resume", "verify"]))
def test_every_command_that_calls_the_partner_comes_second(program: Program, partner: Partner, command: str) -> None:
    first = hold(program, partner)
    second = program(command, run_of(program), *FAST)
    end(program, first)
    # A run that is being worked on has not ended, so that a retry of it is refused before or for that reason.
    assert second.code == 5
    assert f"process {first.pid}" in second.err


def test_a_waiting_run_starts_when_the_other_has_ended(program: Program, partner: Partner) -> None:
    first = hold(program, partner)
    write(program, "short.csv", 1, 1)
    second = program.start("run", "short.csv", "--base-url", partner.base_url, *FAST, "--wait")
    message = wait_message(second)
    end(program, first)
    ended = second.wait(120)
    second.communicate()
    assert f"process {first.pid}" in message
    assert ended == 0
    own = [guid(1) in call["path"] for call in partner.requests()]
    assert own[-1]
    assert own.count(True) == 1


@pytest.mark.soak
def test_a_waiting_run_can_be_stopped(program: Program, partner: Partner) -> None:
    first = hold(program, partner)
    write(program, "short.csv", 1, 1)
    second = program.start("run", "short.csv", "--base-url", partner.base_url, *FAST, "--wait")
    wait_message(second)
    second.send_signal(signal.SIGTERM)
    assert second.wait(120) == 143
    second.communicate()
    end(program, first)
    assert not [call for call in partner.requests() if guid(1) in call["path"]]


@pytest.mark.soak
def test_waiting_can_be_asked_for_by_the_environment(program: Program, partner: Partner) -> None:
    first = hold(program, partner)
    write(program, "short.csv", 1, 1)
    program.environment["BULKREACT_WAIT"] = "1"
    second = program.start("run", "short.csv", "--base-url", partner.base_url, *FAST)
    wait_message(second)
    end(program, first)
    assert program.wait(second).code == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_lock_ends_with_the_process_that_had_it(program: Program, partner: Partner) -> None:
    first = hold(program, partner)
    first.kill()
    program.wait(first)
    write(program, "short.csv", 1, 1)
    second = program("run", "short.csv", "--base-url", partner.base_url, *FAST)
    assert second.code == 0, second.err


def test_another_partner_is_not_waited_for(program: Program, partner: Partner) -> None:
    first = hold(program, partner)
    write(program, "short.csv", 1, 1)
    other = program("run", "short.csv", "--base-url", partner.base_url, *FAST, "--tenant-id", "other.example")
    end(program, first)
    assert other.code == 0, other.err


def test_nobody_waits_for_the_input_of_another_run(program: Program, partner: Partner) -> None:
    write(program, "input.csv", 1, 1)
    write(program, "other.csv", 2, 1)
    command, others = ("--base-url", partner.base_url, *FAST), list[ProgramResult]()

    @contextmanager
    def open_slowly(source: str, limits: ReadLimits) -> Iterator[Path]:
        others.append(program.spawn("run", "other.csv", *command))
        with open_input(source, limits) as path:
            yield path

    with patch.object(run, "open_input", open_slowly):
        process = program("run", "-", *command, stdin=(program.folder / "input.csv").read_text())
    assert (process.code, [other.code for other in others]) == (0, [0])
    assert len(partner.requests()) == 2
