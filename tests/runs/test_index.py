"""The index of a reports folder: what it remembers, when it is not believed, and that it is never needed."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest

from bulkreact.batch.journal.journal import Journal, create, finalize
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.models import InputRow, RunState
from bulkreact.runs import index, index_file, run_record
from bulkreact.runs.index import indexed_run, list_newest_runs, list_runs
from bulkreact.runs.index_file import INDEX_NAME
from tests.support.ids import AT, guid, metadata, target


def make_run(reports: Path, number: int) -> Path:
    """Make a run whose journal was last changed a minute ago."""
    folder = reports / f"20260301T12{number:02d}00Z-test-0000"
    folder.mkdir(parents=True)
    create(folder, [InputRow(2, ("x",), target(guid(number)))])
    finalize(folder, metadata(id=folder.name, created_at=f"2026-03-01T12:{number:02d}:00.000Z", header=("a",)))
    settle(folder)
    return folder


def settle(folder: Path) -> None:
    """Make a journal look as if nothing had written to it for a while; each call makes another time of it."""
    settle.calls = getattr(settle, "calls", 0) + 1  # type: ignore[attr-defined]
    then = time.time() - 60 + settle.calls / 1000  # type: ignore[attr-defined]
    for file in folder.glob("journal.sqlite3*"):
        os.utime(file, (then, then))


def end_session(folder: Path) -> None:
    """Let a process work on a run and end it."""
    with Journal(folder) as journal:
        session = journal.begin_session(command="run", version="1", configured_per_minute=None, now=AT)
        journal.end_session(session, state=RunState.FINISHED, exit_code=0, reason="", now=AT)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the runs whose journals were opened, as they are opened."""
    names: list[str] = []

    class Counting(JournalReader):
        def __init__(self, folder: Path) -> None:
            names.append(folder.name)
            super().__init__(folder)

    monkeypatch.setattr(run_record, "JournalReader", Counting)
    return names


def names(reports: Path) -> list[str]:
    return [run.name for run in list_runs(reports).runs]


def test_an_unchanged_journal_is_opened_once(tmp_path: Path, opened: list[str]) -> None:
    first, second = make_run(tmp_path, 1), make_run(tmp_path, 2)
    assert names(tmp_path) == [second.name, first.name]
    assert sorted(opened) == [first.name, second.name]
    assert names(tmp_path) == [second.name, first.name]
    assert len(opened) == 2
    assert list_runs(tmp_path).runs[0].metadata == metadata(
        id=second.name, created_at="2026-03-01T12:02:00.000Z", header=("a",)
    )
    assert (tmp_path / INDEX_NAME).stat().st_mode & 0o777 == 0o600


def test_a_journal_that_was_changed_is_read_again(tmp_path: Path, opened: list[str]) -> None:
    folder = make_run(tmp_path, 1)
    assert not list_runs(tmp_path).runs[0].is_finished
    end_session(folder)
    assert list_runs(tmp_path).runs[0].is_finished
    settle(folder)
    assert list_runs(tmp_path).runs[0].is_finished
    assert list_runs(tmp_path).runs[0].is_finished
    assert len(opened) == 3


def test_a_journal_of_which_only_the_log_has_changed_is_read_again(tmp_path: Path) -> None:
    folder = make_run(tmp_path, 1)
    end_session(folder)
    settle(folder)
    assert list_runs(tmp_path).runs[0].is_finished
    with Journal(folder) as journal:
        journal.begin_session(command="run", version="1", configured_per_minute=None, now=AT)
        assert not list_runs(tmp_path).runs[0].is_finished


def test_what_has_just_been_written_is_not_yet_remembered(tmp_path: Path, opened: list[str]) -> None:
    end_session(make_run(tmp_path, 1))
    list_runs(tmp_path)
    list_runs(tmp_path)
    assert len(opened) == 2


def test_rows_are_counted_when_that_is_asked_for_and_then_remembered(tmp_path: Path, opened: list[str]) -> None:
    make_run(tmp_path, 1)
    assert list_runs(tmp_path).runs[0].record.counts is None
    for _ in range(2):
        counts = list_runs(tmp_path, counting=True).runs[0].record.counts
        assert counts is not None
        assert (sum(counts.statuses.values()), counts.statuses["not_attempted"], counts.exit_code) == (1, 1, 1)
    assert len(opened) == 2


def test_a_run_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    gone, stays = make_run(tmp_path, 1), make_run(tmp_path, 2)
    list_runs(tmp_path)
    gone.rename(tmp_path.parent / "elsewhere")
    assert names(tmp_path) == [stays.name]
    with closing(sqlite3.connect(tmp_path / INDEX_NAME)) as connection:
        assert connection.execute("SELECT name FROM runs").fetchall() == [(stays.name,)]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"this is no database" * 1000),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: _execute(path, "PRAGMA user_version = 1"),
        lambda path: _execute(path, "DROP TABLE runs"),
    ],
    ids=["no database", "cut off", "empty", "missing", "another version", "no table"],
)
def test_an_unusable_index_is_rebuilt(tmp_path: Path, spoil: object, opened: list[str]) -> None:
    for number in range(1, 4):
        make_run(tmp_path, number)
    before = list_runs(tmp_path)
    assert callable(spoil)
    spoil(tmp_path / INDEX_NAME)
    assert list_runs(tmp_path) == before
    assert list_runs(tmp_path) == before
    assert len(opened) == 6


def test_an_entry_that_makes_no_sense_is_read_from_the_journal(tmp_path: Path) -> None:
    make_run(tmp_path, 1)
    (before,) = list_runs(tmp_path).runs
    _execute(tmp_path / INDEX_NAME, "UPDATE runs SET content = x'00'")
    assert list_runs(tmp_path).runs[0].record == before.record


def _execute(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(sql)
        connection.commit()


def test_a_folder_that_cannot_be_written_needs_no_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_run(tmp_path, 1)

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert names(tmp_path) == [folder.name]
    assert not (tmp_path / INDEX_NAME).exists()


def test_a_missing_or_empty_folder_has_no_runs_and_gets_no_index(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "missing").runs == []
    assert list_runs(tmp_path).runs == []
    assert not list(tmp_path.iterdir())


def test_a_journal_that_cannot_be_read_is_named_every_time(tmp_path: Path) -> None:
    good, bad = make_run(tmp_path, 1), make_run(tmp_path, 2)
    list_runs(tmp_path)
    (bad / "journal.sqlite3").write_bytes(b"this is no database" * 1000)
    for _ in range(2):
        listed = list_runs(tmp_path)
        assert [run.name for run in listed.runs] == [good.name]
        assert list(listed.unreadable) == [bad]


def test_an_index_that_is_in_use_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_file, "_BUSY_SECONDS", 0.05)
    first = make_run(tmp_path, 1)
    list_runs(tmp_path)
    second = make_run(tmp_path, 2)
    with closing(sqlite3.connect(tmp_path / INDEX_NAME, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert names(tmp_path) == [second.name, first.name]
        connection.execute("ROLLBACK")
    assert names(tmp_path) == [second.name, first.name]


def test_several_at_once_see_the_same_runs(tmp_path: Path) -> None:
    made = sorted((make_run(tmp_path, number).name for number in range(8)), reverse=True)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(names, [tmp_path] * 8)) == [made] * 8
    assert names(tmp_path) == made


_WORK = """
import os, signal, sys
from pathlib import Path
from unittest.mock import patch
from bulkreact.batch.journal.journal import Journal
from tests.support.ids import AT
journal = Journal(Path(sys.argv[1]))
journal.begin_session(command="run", version="1", configured_per_minute=None, now=AT)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL there")
def test_what_a_killed_process_has_written_is_seen(tmp_path: Path, opened: list[str]) -> None:
    folder = make_run(tmp_path, 1)
    assert list_runs(tmp_path).runs[0].session is None
    killed = subprocess.run([sys.executable, "-c", _WORK, folder], check=False)
    assert killed.returncode == -signal.SIGKILL
    settle(folder)
    for _ in range(2):
        (run,) = list_runs(tmp_path).runs
        assert run.session is not None
        assert run.session.state is None
    assert len(opened) == 2


def newest(reports: Path, *, since: str = "") -> list[tuple[str, RunState | None]]:
    """Return the runs from a time on as they are listed bit by bit: their names and how they ended."""
    with patch.object(index, "_CHUNK", 2):
        runs = list(list_newest_runs(reports, lambda facts: facts.created_at >= since))
    return [(run.name, run.session.state if run.session else None) for run in runs]


@pytest.mark.parametrize("damaged", [False, True])
def test_runs_that_are_listed_bit_by_bit_are_those_of_the_whole_list(tmp_path: Path, *, damaged: bool) -> None:
    folders = [make_run(tmp_path, number) for number in range(6)]
    # The name that somebody gives it tells nothing of it.
    folders[0].rename(tmp_path / "moved")
    list_runs(tmp_path, counting=True)
    shutil.rmtree(folders[1])
    shutil.rmtree(folders[5])
    end_session(folders[2])
    settle(folders[2])
    # It was made after the others, and is found between them.
    new = make_run(tmp_path, 1)
    if damaged:
        with closing(sqlite3.connect(tmp_path / INDEX_NAME)) as connection, connection:
            connection.execute("UPDATE runs SET facts_checksum = 0, checksum = 0")
    found, recent = newest(tmp_path), newest(tmp_path, since="2026-03-01T12:04:00")
    is_damaged = index_file.load_all(tmp_path).is_damaged
    names = [*(folder.name for folder in folders[4:1:-1]), new.name, "moved"]
    assert found == [(name, RunState.FINISHED if name == folders[2].name else None) for name in names]
    assert [run for run in recent if run[0] != new.name] == [found[0], found[-1]]
    assert ([run.name for run in list_runs(tmp_path).runs], is_damaged) == (names, False)


def test_of_runs_that_nobody_asks_for_nothing_is_read(tmp_path: Path, opened: list[str]) -> None:
    folders = [make_run(tmp_path, number) for number in range(6)]
    list_runs(tmp_path, counting=True)
    for folder in folders:
        end_session(folder)
    opened.clear()
    with patch.object(index, "_CHUNK", 2):
        first = next(list_newest_runs(tmp_path, lambda facts: facts.name != folders[5].name))
    assert (first.name, set(opened)) == (folders[4].name, {folders[4].name, folders[3].name})


def test_a_single_run_is_read_again_only_when_it_has_changed(tmp_path: Path, opened: list[str]) -> None:
    folder = make_run(tmp_path, 1)
    names = [run.name if (run := indexed_run(tmp_path, name)) else None for name in (folder.name, folder.name, "other")]
    read = list(opened)
    end_session(folder)
    opened.clear()
    changed = indexed_run(tmp_path, folder.name)
    assert (names, read, opened) == ([folder.name, folder.name, None], [folder.name], [folder.name])
    assert changed
    assert changed.is_finished
