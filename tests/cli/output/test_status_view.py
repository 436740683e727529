"""The state of a run that is under way, read from its journal: what its rows wait for, and how it is watched."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from msgspec.structs import astuple, replace
from rich.console import Console

from bulkreact.batch.environment import OutageRecord, WaitReason, WaitState
from bulkreact.batch.journal import schema
from bulkreact.batch.journal.checksums import with_checksum
from bulkreact.batch.journal.journal import Journal, create, finalize
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.cli.commands import status
from bulkreact.cli.output import status_view
from bulkreact.cli.output.progress_reports import reporting_progress
from bulkreact.cli.output.status_view import WatchClock, measure_progress, snapshot_lines, watch_run
from bulkreact.models import InputRow, Response, Status, Target
from bulkreact.runs.run_snapshot import RunSnapshot, read_snapshot
from bulkreact.settings import Limits, Verification
from bulkreact.sheets.output.results_csv import RowCounts
from bulkreact.timestamps import iso_milliseconds
from tests.support.ids import guid, metadata, row, scenario_id, target, write_csv
from tests.support.program import Program
from tests.support.virtual_run import VirtualRun

NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def wait_states(virtual_run: VirtualRun, targets: list[Target], **limits: object) -> list[tuple[WaitState, WaitState]]:
    """Work on a run; return what waits every minute, as the process knows it and as its journal has it."""
    virtual_run.create_journal(targets)
    states: list[tuple[WaitState, WaitState]] = []

    def read_journal() -> WaitState:
        with JournalReader(virtual_run.folder) as journal:
            return journal.waiting_rows(1)

    virtual_run.show = lambda phase: reporting_progress(
        phase, lambda snapshot: states.append((snapshot.waits, read_journal()))
    )
    virtual_run.work(Limits(**limits))  # type: ignore[arg-type]
    return states


def test_the_journal_knows_which_rows_are_busy(tmp_path: Path) -> None:
    targets = [target(guid(number), number) for number in range(9)] + [target(scenario_id(409), 1)]
    states = wait_states(VirtualRun(tmp_path), targets, calls_per_second=10)[:3]
    assert [stored.rows for _, stored in states] == [known.rows for known, _ in states] == [{WaitReason.BUSY: 1}] * 3


def test_the_journal_knows_which_rows_wait_for_their_parent(tmp_path: Path) -> None:
    parent = scenario_id(1202)
    targets = [Target(guid(1), parent, "")] + [Target(guid(1), parent, guid(10 + child)) for child in range(4)]
    waiting = Verification(after=60, every=100, timeout=300)
    known, stored = wait_states(VirtualRun(tmp_path), targets, waiting=waiting, calls_per_second=5)[0]
    assert stored.rows == known.rows == {WaitReason.PARENT: 4}


def test_the_journal_knows_which_customer_is_throttled(tmp_path: Path) -> None:
    virtual_run, blocked = VirtualRun(tmp_path), target(guid(1), 1)
    limited = Response(429, "", {"retry-after": "200"}, b"")
    virtual_run.answer = lambda sent: limited if blocked.customer_id in sent.path and sent.at < 100 else None
    known, stored = wait_states(virtual_run, [target(guid(2), 2), blocked, target(guid(3), 2)])[0]
    assert stored.rows.keys() == known.rows.keys() == {WaitReason.THROTTLED}
    assert (stored.customers, stored.customer) == (known.customers, known.customer) == (1, blocked.customer_id)


def test_nothing_waits_in_a_run_that_has_ended(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    wait_states(virtual_run, [target(scenario_id(409), 1), target(scenario_id(1503), 2), target(guid(1), 3)])
    with JournalReader(tmp_path) as journal:
        assert journal.waiting_rows(1) == WaitState()


@pytest.fixture
def running(tmp_path: Path) -> RunSnapshot:
    """A run of three rows that this process has just begun."""
    create(tmp_path, [InputRow(number, ("", "", ""), target(guid(number))) for number in range(2, 5)])
    finalize(tmp_path, metadata())
    with Journal(tmp_path) as journal:
        journal.begin_session(command="run", version="1", configured_per_minute=300, now=iso_milliseconds(NOW))
        return read_snapshot(tmp_path, NOW)


def waiting(snapshot: RunSnapshot, waits: WaitState) -> RunSnapshot:
    return replace(snapshot, waits=waits)


def ended(snapshot: RunSnapshot) -> RunSnapshot:
    return replace(snapshot, session=None)


@dataclass
class VirtualClock:
    """A clock that only sleeping moves."""

    time: float = 0.0

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    @property
    def clock(self) -> WatchClock:
        return WatchClock(lambda: self.time, self.sleep)


def read_for(clock: VirtualClock, running: RunSnapshot, seconds: float) -> Callable[[], RunSnapshot]:
    """Return a reader of a run that goes on for so long."""
    return lambda: running if clock.time < seconds else ended(running)


def test_a_run_under_way_says_what_its_rows_wait_for(running: RunSnapshot) -> None:
    busy = waiting(running, WaitState({WaitReason.BUSY: 1, WaitReason.PARENT: 2}))
    assert list(snapshot_lines(busy))[-2:] == [
        "Open:    3 rows, calls in flight: 0",
        "3 rows wait: 1 busy, 2 for their parent",
    ]
    assert busy.to_dict()["waiting"] == {"busy": 1, "parent": 2}


@pytest.mark.usefixtures("running")
def test_an_outage_is_said_with_its_beginning_and_the_next_probe(tmp_path: Path) -> None:
    outage = OutageRecord(iso_milliseconds(NOW - 90 * SECOND), "", iso_milliseconds(NOW + 12 * SECOND), 3, "http-503")
    with Journal(tmp_path) as journal:
        values = (1, *astuple(outage)[:5])
        journal.connection.execute(schema.SAVE_OUTAGE, with_checksum(values))
        snapshot = read_snapshot(tmp_path, NOW)
    lines = list(snapshot_lines(snapshot))
    assert any(line.startswith("Outage:  Partner Center is down since 08:58:30 UTC (http-503)") for line in lines)
    assert lines[-1] == "Partner Center is down: 3 rows wait; probe 4 in 0:12"
    assert snapshot.to_dict()["held"] == "outage"
    assert measure_progress(snapshot).seconds_left is None


def test_watching_without_a_terminal_writes_a_line_a_minute_until_the_run_ends(
    running: RunSnapshot, capsys: pytest.CaptureFixture[str]
) -> None:
    virtual = VirtualClock()
    last = watch_run(read_for(virtual, running, 150), Console(file=StringIO()), as_json=False, clock=virtual.clock)
    assert not last.is_active
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all("Reactivating  0/3  -:-- left  0 failed" in line for line in lines)


def test_watching_for_programs_writes_an_object_a_line(
    running: RunSnapshot, capsys: pytest.CaptureFixture[str]
) -> None:
    virtual = VirtualClock()
    watch_run(read_for(virtual, running, 70), Console(file=StringIO()), as_json=True, clock=virtual.clock)
    assert [json.loads(line)["open"] for line in capsys.readouterr().out.splitlines()] == [3, 3]


def test_watching_on_a_terminal_redraws_rows_time_left_and_failures(running: RunSnapshot) -> None:
    virtual, written = VirtualClock(), StringIO()
    console = Console(file=written, width=60, force_terminal=True, color_system=None)
    busy = waiting(running, WaitState({WaitReason.BUSY: 1}))
    watch_run(read_for(virtual, busy, 3), console, as_json=False, clock=virtual.clock)
    assert written.getvalue().count("0/3  -:-- left  0 failed") >= 3
    assert "1 row waits: busy" in written.getvalue()


def test_watching_ends_when_its_reader_has_left(running: RunSnapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_view, "reader_has_left", lambda: True)
    assert watch_run(lambda: running, Console(file=StringIO()), as_json=False) is running


def test_a_run_that_takes_long_to_read_is_read_seldom(running: RunSnapshot) -> None:
    virtual, reads = VirtualClock(), list[float]()

    def read() -> RunSnapshot:
        reads.append(virtual.time)
        virtual.sleep(2)
        return running if len(reads) < 3 else ended(running)

    watch_run(read, Console(file=StringIO()), as_json=False, clock=virtual.clock)
    assert reads == [0, 20, 40]


def test_rows_that_are_only_watched_are_open_until_they_are_seen_active(running: RunSnapshot) -> None:
    counts = RowCounts()
    counts.statuses.update({Status.ACCEPTED: 2, Status.REACTIVATED: 1})
    verifying = replace(running, overview=replace(running.overview, counts=counts), open=0)
    progress = measure_progress(verifying)
    assert (progress.title, progress.settled, progress.total) == ("Verifying", 1, 3)


def test_ctrl_c_ends_the_watching_and_not_the_run(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(read: Callable[[], RunSnapshot], *_: object, **__: object) -> None:
        read()
        raise KeyboardInterrupt

    write_csv(program.folder / "input.csv", [row(guid(1))])
    program("run", "input.csv", "--simulate")
    monkeypatch.setattr(status, "watch_run", interrupt)
    result = program("status", "--watch")
    assert result.code == 130
    assert "accepted" in result.out
    assert result.err == "Only the watching was ended: the run goes on.\n"


def test_a_run_that_nobody_works_on_is_shown_once(program: Program) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1))])
    program("run", "input.csv", "--simulate")
    assert program("status", "--watch").out == program("status").out
    assert json.loads(program("status", "--watch", "--json").out)["state"] == "finished"
    assert program("status", "--watch", "--all").code == 2
