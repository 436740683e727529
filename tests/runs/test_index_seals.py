"""Runs at rest, which a listing only looks at from outside, and the runs that are related to an input."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bulkreact.batch.journal.journal import Journal, create, finalize
from bulkreact.batch.journal.reading import JournalReader, RestingJournalReader
from bulkreact.errors import JournalUnreadableError
from bulkreact.models import InputRow, RunState
from bulkreact.runs import index_entries, run_record
from bulkreact.runs.index import (
    list_named_runs,
    list_old_runs,
    list_open_runs,
    list_related_runs,
    list_runs,
    newest_runs,
)
from tests.support.ids import AT, guid, metadata, target

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows changes the times of folders later")


def make_run(reports: Path, name: str, *, finished: bool = True, **changes: object) -> Path:
    """Make a run that nobody has touched for a minute."""
    folder = reports / name
    folder.mkdir(parents=True)
    create(folder, [InputRow(2, ("x",), target(guid(1)))])
    finalize(folder, metadata(**{"id": name, "header": ("a",), **changes}))
    if finished:
        work(folder, ends=True)
    rest(folder)
    return folder


def work(folder: Path, *, ends: bool) -> None:
    """Let a process work on a run."""
    with Journal(folder) as journal:
        session = journal.begin_session(command="run", version="1", configured_per_minute=None, now=AT)
        if ends:
            journal.end_session(session, state=RunState.FINISHED, exit_code=0, reason="", now=AT)


def rest(folder: Path) -> None:
    """Make a run look as if nobody had touched it for a minute."""
    then = time.time() - 60
    for path in (*folder.iterdir(), folder):
        os.utime(path, (then, min(then, path.stat().st_mtime)))


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the runs whose journals were looked at more closely than from outside, as it happens."""
    names: list[str] = []
    signature = index_entries._signature

    def recording(journal: str, *, has_log: bool) -> object:
        names.append(Path(journal).parent.name)
        return signature(journal, has_log=has_log)

    monkeypatch.setattr(index_entries, "_signature", recording)
    return names


def test_a_run_at_rest_is_examined_once(tmp_path: Path, examined: list[str]) -> None:
    folder = make_run(tmp_path, "a")
    before = sorted(folder.iterdir())
    assert list_runs(tmp_path) == list_runs(tmp_path)
    assert examined == ["a"]
    assert sorted(folder.iterdir()) == before


def test_a_run_at_rest_that_cannot_be_opened_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(JournalUnreadableError):
        RestingJournalReader(tmp_path / "gone")


def test_a_run_at_rest_that_a_process_works_on_again_is_seen(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "a")
    assert list_runs(tmp_path).runs[0].is_finished
    work(folder, ends=False)
    assert not list_runs(tmp_path).runs[0].is_finished


def test_a_run_that_a_process_is_working_on_is_not_taken_for_one_at_rest(tmp_path: Path, examined: list[str]) -> None:
    folder = make_run(tmp_path, "a")
    with Journal(folder) as journal:
        assert journal.metadata.id == "a"
        rest(folder)
        assert list_runs(tmp_path).runs[0].is_finished
        assert list_runs(tmp_path).runs[0].is_finished
        assert examined == ["a", "a"]
        journal.begin_session(command="run", version="1", configured_per_minute=None, now=AT)
        assert not list_runs(tmp_path).runs[0].is_finished


def test_an_empty_log_that_a_reader_has_left_is_removed(tmp_path: Path, examined: list[str]) -> None:
    folder = make_run(tmp_path, "a")
    list_runs(tmp_path)
    with JournalReader(folder) as journal:
        assert journal.metadata.id == "a"
    rest(folder)
    assert (folder / "journal.sqlite3-wal").exists()
    list_runs(tmp_path)
    assert not (folder / "journal.sqlite3-wal").exists()
    rest(folder)
    list_runs(tmp_path)
    list_runs(tmp_path)
    assert examined == ["a", "a", "a"]


def test_what_changes_while_it_is_read_at_rest_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, "a")

    class Overtaken(RestingJournalReader):
        def __exit__(self, *error: object) -> None:
            super().__exit__(None, None, None)
            work(self.folder, ends=False)

    monkeypatch.setattr(run_record, "RestingJournalReader", Overtaken)
    assert not list_runs(tmp_path).runs[0].is_finished


def test_only_related_runs_are_looked_at(tmp_path: Path, examined: list[str]) -> None:
    make_run(tmp_path, "same", digest="a" * 64)
    make_run(tmp_path, "other")
    make_run(tmp_path, "open", finished=False)
    make_run(tmp_path, "open-other-name", finished=False, input_name="other.csv")
    make_run(tmp_path, "retry", retry_of="other")
    list_runs(tmp_path)
    make_run(tmp_path, "new")
    examined.clear()
    related = list_related_runs(tmp_path, digest="a" * 64, input_name="test.csv").runs
    assert {run.name for run in related} == {"same", "open", "retry", "new"}
    assert examined == ["new"]
    assert {run.name for run in list_related_runs(tmp_path).runs} == {"retry"}


def test_only_runs_that_a_name_may_mean_are_looked_at(tmp_path: Path, examined: list[str]) -> None:
    make_run(tmp_path, "20260301T120000Z-a-0001")
    make_run(tmp_path, "20260302T120000Z-a-0002", input_name="other.csv")
    make_run(tmp_path, "renamed", id="20260303T120000Z-a-0003")
    list_runs(tmp_path)
    make_run(tmp_path, "20260304T120000Z-a-0004")
    examined.clear()
    for name, expected in (("20260301", "1"), ("0002", "2"), ("other.csv", "2"), ("0003", "3"), ("0004", "4")):
        runs = list_named_runs(tmp_path, name).runs
        assert expected in {run.metadata.id[-1] for run in runs}
        assert {run.metadata.id[-1] for run in runs} <= {expected, "3", "4"}
    assert examined == ["20260304T120000Z-a-0004"]


def test_open_runs_are_found_whatever_the_index_says_of_them(tmp_path: Path, examined: list[str]) -> None:
    reopened, continued = make_run(tmp_path, "a"), make_run(tmp_path, "b", finished=False)
    make_run(tmp_path, "c")
    make_run(tmp_path, "d", finished=False)
    list_runs(tmp_path)
    work(reopened, ends=False)
    work(continued, ends=True)
    examined.clear()
    runs = list_open_runs(tmp_path).runs
    assert {run.name: run.can_be_resumed for run in runs} == {"a": True, "b": False, "d": True}
    assert sorted(examined) == ["a", "b"]


def test_related_runs_that_are_gone_or_have_changed_are_seen(tmp_path: Path) -> None:
    folder, gone = make_run(tmp_path, "a"), make_run(tmp_path, "b")
    list_runs(tmp_path)
    work(folder, ends=False)
    gone.rename(tmp_path / ".b")
    (run,) = list_related_runs(tmp_path, digest="1" * 64).runs
    assert run.name == "a"
    assert not run.is_finished
    assert [run.name for run in list_runs(tmp_path).runs] == ["a"]


def test_the_newest_run_is_found_by_its_name_and_within_a_second_by_its_journal(
    tmp_path: Path, examined: list[str]
) -> None:
    for name, milliseconds in (("20260301T120000Z-a-0001", 1), ("20260301T120000Z-a-0000", 2)):
        make_run(tmp_path, name, created_at=f"2026-03-01T12:00:00.00{milliseconds}Z")
    older = make_run(tmp_path, "20260301T115959Z-z-0000", created_at="2026-03-01T11:59:59.999Z")
    unreadable = tmp_path / "20260301T120001Z-a-0000"
    unreadable.mkdir()
    (unreadable / "journal.sqlite3").write_bytes(b"this is no database" * 1000)
    newest = ["20260301T120000Z-a-0000", "20260301T120000Z-a-0001", older.name]
    assert [run.name for run in newest_runs(tmp_path)] == newest
    assert examined == []
    (tmp_path / newest[2]).rename(tmp_path / "renamed")
    assert [run.name for run in newest_runs(tmp_path)] == [*newest[:2], "renamed"]


def test_of_young_runs_only_retries_are_looked_at_when_old_ones_are_wanted(tmp_path: Path, examined: list[str]) -> None:
    for number, year in enumerate((2024, 2025, 2026)):
        make_run(tmp_path, f"{year}0101T000000Z-in-000{number}", created_at=f"{year}-01-01T00:00:00.000Z")
    retry = "20260102T000000Z-in-0009"
    make_run(tmp_path, retry, created_at="2026-01-02T00:00:00.000Z", retry_of="20240101T000000Z-in-0000")
    list_runs(tmp_path, counting=True)
    before = datetime(2025, 6, 1, tzinfo=UTC)
    assert [run.name[:8] for run in list_old_runs(tmp_path, before=before).runs] == ["20260102", "20250101", "20240101"]
    make_run(tmp_path, "20230101T000000Z-in-0007", created_at="2023-01-01T00:00:00.000Z")
    del examined[:]
    assert [run.name[:4] for run in list_old_runs(tmp_path, before=before).runs] == ["2026", "2025", "2024", "2023"]
    assert set(examined) == {"20230101T000000Z-in-0007"}
