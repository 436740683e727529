"""What a journal says of throttling over time, and of the processes that worked on a run."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.checksums import with_checksum
from bulkreact.batch.journal.journal import Journal
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.run_history import RunProcess, ThrottlePeriod
from bulkreact.models import RunState, Status
from tests.support.ids import AT, guid
from tests.support.made_runs import make_run


def at(second: float) -> str:
    return f"2026-03-01T12:{int(second) // 60:02}:{second % 60:06.3f}Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a run that made one call of each of its rows, long ago."""
    return make_run(tmp_path / "run", 10, Status.ACCEPTED)


def add_calls(folder: Path, calls: Sequence[tuple[float, float, str]]) -> None:
    """Add a process with calls that began and were answered at these seconds."""
    with Journal(folder) as journal:
        session = journal.begin_session(command="resume", version="1", configured_per_minute=None, now=at(0))
        connection = journal.connection
        connection.execute("BEGIN")
        for number, (began, answered, verdict) in enumerate(calls, 100 * session):
            call = (number, session, 1, "reactivate-entitlement", guid(number), guid(number), at(began))
            connection.execute(schema.INSERT_CALL, with_checksum(call))
            answer = (number, at(answered), verdict, 429, "", "", 0, 1, 0, "")
            connection.execute(schema.INSERT_ANSWER, with_checksum(answer))
        connection.execute("COMMIT")


def periods(folder: Path, limit: int = 9) -> tuple[ThrottlePeriod, ...]:
    with JournalReader(folder) as journal:
        return journal.throttle_periods(limit=limit)


def test_calls_throttled_shortly_after_each_other_are_one_period(folder: Path) -> None:
    first = [
        (0, 1, "Throttled"),
        (0, 2, "Throttled"),
        (10, 11, "Accepted"),
        (31, 32, "Throttled"),
        (62, 63, "Accepted"),
    ]
    add_calls(folder, [*first, (200, 201, "Throttled")])
    assert periods(folder) == (ThrottlePeriod(at(1), at(62), 3, 30), ThrottlePeriod(at(201), at(201), 1, 0))
    assert periods(folder, limit=1) == (ThrottlePeriod(at(201), at(201), 1, 0),)


def test_another_process_has_periods_of_its_own(folder: Path) -> None:
    add_calls(folder, [(0, 1, "Throttled")])
    add_calls(folder, [(5, 6, "Throttled"), (6, 7, "Accepted")])
    assert periods(folder) == (ThrottlePeriod(at(1), at(1), 1, 0), ThrottlePeriod(at(6), at(6), 1, 0))


def test_a_run_that_nobody_throttled_has_none(folder: Path) -> None:
    assert periods(folder) == ()


def test_the_latest_processes_are_read_in_their_order(folder: Path) -> None:
    with Journal(folder) as journal:
        session = journal.begin_session(command="verify", version="1", configured_per_minute=None, now=at(1))
        journal.end_session(session, state=RunState.INTERRUPTED, exit_code=130, reason="interrupted", now=at(9))
    add_calls(folder, [])
    with JournalReader(folder) as journal:
        assert journal.processes(limit=3) == (
            RunProcess("run", AT, AT, "finished", ""),
            RunProcess("verify", at(1), at(9), "interrupted", "interrupted"),
            RunProcess("resume", at(0), "", "", ""),
        )
        assert [process.command for process in journal.processes(limit=1)] == ["resume"]
