"""Another program watches and stops a process through files alone, whatever the process does at that moment."""

import asyncio
import json
import os
import shutil
import signal
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from bulkreact.batch.locks import partner_lock
from bulkreact.runs.control_folder import ControlFolder
from bulkreact.simulator.partnercenter.service import Behaviour
from bulkreact.timestamps import utc_now
from tests.support.background_loop import serving
from tests.support.ids import guid, row, write_csv
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, row_statuses, wait_until
from tests.support.slow_partner import slow_partner

SLOW = ("--yes", "--rate", "20/s", "--control", "control")
STOPPED = 143


@pytest.fixture
def other() -> Iterator[ThreadPoolExecutor]:
    """Yield a thread for what another program does."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def progress(folder: Path) -> dict[str, object]:
    """Return the report in a control folder."""
    content: dict[str, object] = json.loads((folder / "progress.json").read_text())
    return content


def has_phase(folder: Path, phase: str) -> bool:
    """Return whether a report says what its process does."""
    with suppress(FileNotFoundError):
        return progress(folder)["phase"] == phase
    return False


def write(program: Program, count: int) -> None:
    """Write an input with one invalid row and one duplicate besides."""
    rows = [row(guid(number), number % 3) for number in range(count)]
    write_csv(program.folder / "input.csv", [*rows, rows[0], ("a", "b", "c")])


def stop_when(condition: Callable[[], bool], *files: Path) -> None:
    """Ask a process to stop when something has happened."""
    wait_until(condition)
    for file in files:
        file.touch()


def test_a_report_tells_of_all_rows_and_names_none(program: Program, partner: Partner) -> None:
    write(program, 4)
    result = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--control", "new/control")
    folder = program.folder / "new" / "control"
    report = progress(folder)
    assert {
        name: report[name] for name in ("run_id", "phase", "total", "settled", "failures", "calls", "stopping")
    } == {
        "run_id": result.run.name,
        "phase": "writing",
        "total": 6,
        "settled": 6,
        "failures": 0,
        "calls": 4,
        "stopping": False,
    }
    assert report["pid"] == os.getpid()
    text = (folder / "progress.json").read_text()
    assert not [cell for number in range(4) for cell in row(guid(number), number % 3) if cell in text]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "progress.json")] == [0o700, 0o600]
    assert [path.name for path in folder.iterdir()] == ["progress.json"]


def test_stop_lets_calls_in_flight_end(program: Program, partner: Partner, other: ThreadPoolExecutor) -> None:
    write(program, 100)
    control = program.folder / "control"
    asked = other.submit(stop_when, lambda: len(partner.requests()) >= 3, control / "stop")
    result = program("run", "input.csv", "--base-url", partner.base_url, *SLOW)
    asked.result()
    assert (result.code, result.summary["state"], result.summary["exit_code"]) == (STOPPED, "interrupted", STOPPED)
    accepted = row_statuses(result.run).count("accepted")
    assert (accepted, progress(control)["stopping"]) == (len(partner.requests()), True)
    # One row is invalid, and one a duplicate of the first.
    assert progress(control)["settled"] == accepted + 2
    (control / "stop").unlink()
    resumed = program("resume", *FAST, "--control", "control")
    assert (resumed.code, progress(control)["settled"], progress(control)["total"]) == (1, 102, 102), resumed.err
    assert progress(control)["calls"] == 100 - accepted


@pytest.mark.parametrize("files", [["stop-now"], ["stop", "stop-now"]])
def test_stop_now_gives_calls_in_flight_up(
    program: Program, loop: asyncio.AbstractEventLoop, other: ThreadPoolExecutor, files: list[str]
) -> None:
    write(program, 1)
    with serving(loop, slow_partner(latency=1000)) as partner:
        asked = other.submit(
            stop_when, lambda: bool(partner.ids), *(program.folder / "control" / name for name in files)
        )
        result = program("run", "input.csv", "--base-url", partner.base_url, *SLOW)
        asked.result()
    assert result.code == STOPPED, result.err
    assert row_statuses(result.run) == ["unknown", "duplicate", "invalid"]


def test_stop_works_without_signals_of_the_system(
    program: Program, partner: Partner, other: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on Windows.
    monkeypatch.delattr(signal, "pthread_kill")
    write(program, 100)
    asked = other.submit(stop_when, lambda: len(partner.requests()) >= 3, program.folder / "control" / "stop")
    result = program("run", "input.csv", "--base-url", partner.base_url, *SLOW)
    asked.result()
    assert (result.code, result.summary["state"]) == (STOPPED, "interrupted")


def test_a_run_that_waits_for_another_says_for_which_and_can_be_stopped(program: Program, partner: Partner) -> None:
    write(program, 1)
    control = program.folder / "control"
    holder = partner_lock(
        program.folder / "state" / "locks", base_url=partner.base_url, tenant_id="", now=lambda: "2026-03-01T12:00:00Z"
    )
    with holder as record_run:
        record_run("20260301T120000Z-long-0000")
        process = program.start("run", "input.csv", "--base-url", partner.base_url, "--wait", *SLOW)
        wait_until(lambda: has_phase(control, "waiting"))
        report = progress(control)
        (control / "stop").touch()
        result = program.wait(process)
    assert (report["pid"], report["run_id"], report["total"]) == (process.pid, None, 0)
    assert "20260301T120000Z-long-0000, since 2026-03-01T12:00:00Z" in str(report["words"])
    assert (result.code, partner.requests()) == (STOPPED, [])
    assert "Nothing was sent." in result.err


def test_a_run_that_reads_its_input_can_be_stopped(program: Program, partner: Partner) -> None:
    control, (read, write_end) = program.folder / "control", os.pipe()
    with os.fdopen(read) as stdin, os.fdopen(write_end, "w"):
        process = program.start("run", "-", "--base-url", partner.base_url, *SLOW, stdin=stdin)
        wait_until(lambda: has_phase(control, "preparing"))
        (control / "stop").touch()
        result = program.wait(process)
    assert (result.code, list(result.reports.glob("*"))) == (STOPPED, []), result.err


@pytest.mark.parametrize("name", ["stop", "stop-now"])
@pytest.mark.parametrize(
    "command", [("run", "input.csv"), ("resume",), ("retry",), ("verify",), ("discover", "--out", "found.csv")]
)
def test_a_file_that_is_there_already_is_obeyed(
    program: Program, partner: Partner, command: tuple[str, ...], name: str
) -> None:
    write(program, 1)
    (program.folder / "control").mkdir()
    (program.folder / "control" / name).touch()
    os.utime(program.folder / "control" / name, (0, 0))
    yes = () if command[0] == "discover" else ("--yes",)
    result = program(*command, "--base-url", partner.base_url, *yes, "--control", "control")
    assert (result.code, partner.service.call_log.calls) == (STOPPED, []), result.err
    assert not result.reports.exists()


def test_a_verification_is_reported_and_stopped(
    program: Program, start_partner: Callable[[Behaviour], Partner], other: ThreadPoolExecutor
) -> None:
    partner = start_partner(Behaviour(activation_delay=1000))
    write(program, 3)
    control = program.folder / "control"
    run = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    asked = other.submit(stop_when, lambda: has_phase(control, "verifying"), control / "stop")
    options = ("--verify-timeout", "1h", "--verify-every", "1s", "--control", "control")
    result = program("verify", "--base-url", partner.base_url, *options)
    asked.result()
    assert (result.code, progress(control)["run_id"]) == (STOPPED, run.run.name), result.err
    assert (progress(control)["total"], progress(control)["settled"]) == (5, 2)


def test_a_discovery_is_reported(program: Program, partner: Partner) -> None:
    result = program(
        "discover", "--base-url", partner.base_url, "--rate", "off", "--out", "f.csv", "--control", "control"
    )
    report = progress(program.folder / "control")
    assert (result.code, report["run_id"]) == (0, None), result.err
    assert report["settled"] == report["total"] != 0


def test_a_run_goes_on_when_its_folder_is_gone(program: Program, partner: Partner, other: ThreadPoolExecutor) -> None:
    write(program, 40)

    def remove() -> None:
        wait_until(lambda: len(partner.requests()) >= 3)
        shutil.rmtree(program.folder / "control")

    removed = other.submit(remove)
    result = program("run", "input.csv", "--base-url", partner.base_url, *SLOW)
    removed.result()
    assert (result.code, len(partner.requests())) == (1, 40), result.err


def test_a_folder_that_cannot_be_made_is_refused(program: Program, partner: Partner) -> None:
    write(program, 1)
    result = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--control", "input.csv/control")
    assert (result.code, "--control" in result.err, partner.requests()) == (2, True, []), result.err


def test_a_report_of_another_program_is_left_alone(program: Program, partner: Partner) -> None:
    write(program, 1)
    (program.folder / "control").mkdir()
    (program.folder / "control" / "progress.json").write_text('{"mine": 1}')
    result = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--control", "control")
    assert (result.code, "--control" in result.err, partner.requests()) == (2, True, []), result.err
    assert progress(program.folder / "control") == {"mine": 1}


@pytest.mark.parametrize(("system", "code"), [("nt", 0), ("posix", 2)])
def test_a_report_that_is_being_read_stops_no_run_on_windows(
    program: Program, partner: Partner, monkeypatch: pytest.MonkeyPatch, system: str, code: int
) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1))])
    replace = Path.replace

    def refuse(path: Path, target: Path) -> Path:
        if target.name == "progress.json":
            raise PermissionError
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr("bulkreact.runs.control_folder.os", SimpleNamespace(name=system, getpid=os.getpid))
    result = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--control", "control")
    assert result.code == code, result.err


async def test_work_that_begins_after_stop_now_is_stopped_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signals = list[int]()
    monkeypatch.setattr(signal, "pthread_kill", lambda _thread, number: signals.append(number))
    (tmp_path / "stop-now").touch()
    control, forced = ControlFolder(tmp_path, utc_now), asyncio.Event()
    loop = asyncio.get_running_loop()

    class Work:
        """Work that begins late."""

        def force(self) -> None:
            """Record it."""
            loop.call_soon_threadsafe(forced.set)

    with control.watching():
        control.attach(Work())
        await forced.wait()
    assert signals == [signal.SIGTERM]
