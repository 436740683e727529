"""The system's clock is set back: while a run is at work, between two processes, and below what was recorded before."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from bulkreact import timestamps
from bulkreact.batch.discovery.store import DiscoveryStore
from bulkreact.inbox.ledger import open_ledger
from tests.support.ids import guid, read_csv, row, write_csv
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, latest_run, run

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@contextmanager
def clock_set_back(after: int) -> Iterator[None]:
    """Set the clock back by an hour once it was read so often."""
    read, now = 0, timestamps.utc_now

    def utc_now() -> datetime:
        nonlocal read
        read += 1
        return now() - timedelta(hours=1 if read > after else 0)

    with patch.object(timestamps, "utc_now", utc_now):
        yield


def run_ahead(program: Program, partner: Partner) -> None:
    """Make a run while the clock is a day ahead."""
    with patch.object(timestamps, "utc_now", lambda: datetime.now(UTC) + timedelta(days=1)):
        assert run(program, partner, ["a"]).code == 0


def durations(program: Program) -> list[float]:
    """Return how long each run took, in seconds."""
    return [run["duration_seconds"] for run in json.loads(program("status", "--all", "--json").out)["runs"]]


def test_no_call_and_no_run_ends_before_it_begins(program: Program, partner: Partner) -> None:
    with clock_set_back(after=9):
        process = run(program, partner, ["a"] * 20, "--metrics", "m.prom")
    assert process.code == 0, process.err
    lines = read_csv(process.run / "results.csv")
    assert all(line["started_at"] <= line["finished_at"] for line in lines)
    started, finished = str(process.summary["started_at"]), str(process.summary["finished_at"])
    assert started <= min(line["started_at"] for line in lines)
    assert max(line["finished_at"] for line in lines) <= finished
    (seconds,) = durations(program)
    assert 0 < seconds < 600


def test_a_later_process_with_an_earlier_clock_ends_no_run_before_it_began(program: Program, partner: Partner) -> None:
    begun = run(program, partner, ["a"] * 2, "--limit", "1")
    with clock_set_back(after=0):
        again = program("resume", *FAST, "--metrics", "m.prom")
    assert again.code == 0, again.err
    assert begun.summary["started_at"] == begun.summary["finished_at"]
    shown = json.loads(program("status", "--json").out)
    assert shown["started_at"] <= shown["finished_at"]
    # The first process worked for a moment; the second one adds nothing, and takes nothing away.
    (seconds,) = durations(program)
    assert 0 <= seconds < 600
    text = (program.folder / "m.prom").read_text()
    (duration,) = (line for line in text.splitlines() if line.startswith("bulkreact_last_run_duration_seconds{"))
    assert duration.endswith(" 0.0")


def test_new_files_are_missed_although_the_clock_was_ahead(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    with open_ledger(tmp_path / "reports", tmp_path / "inbox") as ledger:
        ledger.record_first_sweep(NOW + timedelta(days=300))
        ledger.record_activity(NOW + timedelta(days=365))
        ledger.record_first_sweep(NOW)
        assert ledger.last_activity() == NOW
        ledger.record_first_sweep(NOW + timedelta(days=1))
        assert ledger.last_activity() == NOW


def test_what_was_discovered_at_a_time_to_come_is_read_again(tmp_path: Path) -> None:
    path, ahead = tmp_path / "x.sqlite3", NOW + timedelta(days=1)
    with DiscoveryStore(path, now=ahead) as store:
        store.set_customers([guid(1)], [], now=ahead)
        for sql, values in store.read_statements(store.key(guid(1)), [], [], without_id=0, now=ahead):
            store.connection.execute(sql, values)
        assert store.unread_count == 0
    with DiscoveryStore(path, now=NOW) as store:
        assert (store.is_listed, store.unread_count) == (False, 1)


def test_the_latest_run_is_not_one_of_a_time_to_come(program: Program, partner: Partner) -> None:
    run_ahead(program, partner)
    write_csv(program.folder / "other.csv", [row(guid(9))])
    assert program("run", "other.csv", "--base-url", partner.base_url, *FAST).code == 0
    names = sorted(path.parent.name for path in program.folder.glob("reports/*/journal.sqlite3"))
    assert latest_run(program).name == names[0]
    assert json.loads(program("status", "--json").out)["run_id"] == names[0]


def test_a_run_of_a_time_to_come_is_pruned_only_when_that_time_has_passed(program: Program, partner: Partner) -> None:
    run_ahead(program, partner)
    assert program("prune", "--older-than", "0s", "--yes").out == "There is nothing to remove.\n"
    with patch("bulkreact.cli.commands.prune.utc_now", lambda: datetime.now(UTC) + timedelta(days=3)):
        assert "Removed 1 run." in program("prune", "--older-than", "1d", "--yes").out
