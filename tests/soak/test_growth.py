"""Every command over a size and over twice as much: at most 2.3 times the time."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
from msgspec.structs import replace

from bulkreact.models import Status
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.ids import write_csv
from tests.support.inboxes import NO_SETTLING, drop_file
from tests.support.made_runs import make_run, make_runs, write_rows
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not hasattr(os, "wait4"), reason="Windows does not tell what a process has taken"),
]
_MOST = 2.3
_TURNS, _MOST_TURNS = 3, 9
_RUN = "20260301T120000Z-test-0000"
# Makes what a command works on in a folder, and returns its arguments.
Prepare = Callable[[Program, Partner, int], tuple[str, ...]]


def _input(program: Program, rows: int) -> str:
    return write_csv(program.folder / "input.csv", write_rows(rows)).name


def _made(program: Program, partner: Partner, rows: int, status: Status = Status.ACCEPTED) -> None:
    make_run(program.folder / "reports" / _RUN, rows, status, base_url=partner.base_url)


def _run(program: Program, partner: Partner, rows: int) -> tuple[str, ...]:
    return ("run", _input(program, rows), "--base-url", partner.base_url, *FAST)


def _plan(program: Program, _partner: Partner, rows: int) -> tuple[str, ...]:
    return ("plan", _input(program, rows), "--json", "--out", "plan.json")


def _resume(program: Program, partner: Partner, rows: int) -> tuple[str, ...]:
    assert program(*_run(program, partner, rows), "--limit", "0").code == 0
    return ("resume", *FAST)


def _retry(program: Program, partner: Partner, rows: int) -> tuple[str, ...]:
    _made(program, partner, rows, Status.FAILED)
    return ("retry", _RUN, "--limit", "0", *FAST)


def _verify(program: Program, partner: Partner, rows: int) -> tuple[str, ...]:
    _made(program, partner, rows)
    return ("verify", _RUN, *FAST)


def _results(program: Program, partner: Partner, rows: int) -> tuple[str, ...]:
    _made(program, partner, rows)
    return ("results", _RUN)


def _status(program: Program, partner: Partner, rows: int) -> tuple[str, ...]:
    _made(program, partner, rows)
    return ("status", "--json")


def _sweep(program: Program, partner: Partner, files: int) -> tuple[str, ...]:
    for number in range(files):
        drop_file(program, f"{number}.csv", 1000 * (number + 1))
    return ("sweep", "--base-url", partner.base_url, *FAST, *NO_SETTLING)


def _discover(_program: Program, partner: Partner, customers: int) -> tuple[str, ...]:
    partner.service.behaviour = replace(partner.service.behaviour, customers=customers)
    return ("discover", "--base-url", partner.base_url, "--rate", "off", "--out", "found.csv")


def _many(*arguments: str) -> Prepare:
    def prepare(program: Program, partner: Partner, runs: int) -> tuple[str, ...]:
        make_runs(program.folder / "reports", runs, base_url=partner.base_url)
        return arguments

    return prepare


def _run_beside_many(program: Program, partner: Partner, runs: int) -> tuple[str, ...]:
    make_runs(program.folder / "reports", runs, base_url=partner.base_url)
    return _run(program, partner, 20)


CASES: dict[str, tuple[int, Prepare]] = {
    "rows: run": (800, _run),
    "rows: plan": (20_000, _plan),
    "rows: resume": (800, _resume),
    "rows: retry": (10_000, _retry),
    "rows: verify": (1000, _verify),
    "rows: results": (15_000, _results),
    "rows: status": (40_000, _status),
    "files: sweep": (8, _sweep),
    "customers: discover": (150, _discover),
    "runs: run": (300, _run_beside_many),
    "runs: resume": (300, _many("resume", *FAST)),
    "runs: status": (300, _many("status")),
    "runs: status --all": (300, _many("status", "--all")),
    "runs: status of a beginning": (300, _many("status", "20260301T000000Z")),
    "runs: prune": (200, _many("prune", "--older-than", "1d", "--yes")),
}


def _cpu_seconds(program: Program, arguments: tuple[str, ...]) -> float:
    """Return the processor time of a command: a busy machine changes it less than the time that passes."""
    with (program.folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "bulkreact", *arguments],
            cwd=program.folder,
            env={**os.environ, **program.variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in {0, 1}, (program.folder / "output.txt").read_text()
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize("name", CASES)
def test_twice_as_much_takes_at_most_two_point_three_times_as_long(
    tmp_path: Path, start_partner: Callable[[Behaviour], Partner], name: str
) -> None:
    size, prepare = CASES[name]
    ratios: list[float] = []
    # One after the other, so that what else the machine does affects both sizes; more often if it is very busy.
    for turn in range(_MOST_TURNS):
        # A partner of its own for each: on a slow machine what the size before activated has become active.
        once, twice = (
            _seconds_of(tmp_path / f"{turn}-{rows}", start_partner(Behaviour()), prepare, rows)
            for rows in (size, 2 * size)
        )
        ratios.append(twice / once)
        if turn + 1 >= _TURNS and median(ratios) <= _MOST:
            return
    pytest.fail(f"{name}: {2 * size} take so many times as long as {size}: {ratios}")


def _seconds_of(folder: Path, partner: Partner, prepare: Prepare, size: int) -> float:
    program = Program(folder)
    folder.mkdir()
    seconds = _cpu_seconds(program, prepare(program, partner, size))
    shutil.rmtree(folder)
    return seconds
