"""Two processes with folders for locks of their own, and one reports folder: a run of the same rows begins once."""

import threading
from pathlib import Path

import pytest
from filelock import FileLock

from bulkreact.batch.journal.journal import Journal, create, finalize
from bulkreact.batch.journal.metadata import RunMetadata
from bulkreact.batch.locks import REPORTS_LOCK
from bulkreact.cli.commands import resume
from bulkreact.errors import AlreadyRunningError
from bulkreact.models import InputRow, RunState
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.runs.publication import known_runs, publish_alone
from tests.runs.test_preparation import ACCESS
from tests.support.ids import AT, guid, metadata, row, target, write_csv
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, ids_by_path, latest_run, run

FIRST, SECOND = "20260301T120000Z-test-0001", "20260301T120000Z-test-0002"
TENANT = {"tenant_id": guid(1)}


def make_draft(reports: Path, run_id: str, **changes: object) -> tuple[Path, RunMetadata]:
    """Make the draft of a run."""
    draft = reports / f".{run_id}.draft"
    draft.mkdir(parents=True)
    create(draft, [InputRow(2, ("x",), target(guid(1)))])
    finalize(draft, made := metadata(id=run_id, header=("a",), **changes))
    return draft, made


def publish(
    reports: Path, run_id: str, known: frozenset[str], access: AuthorizedAccess = ACCESS, **changes: object
) -> Path:
    draft, made = make_draft(reports, run_id, **changes)
    return publish_alone(draft, made, access, known=known)


def test_of_two_processes_that_looked_at_the_same_time_one_begins_a_run(tmp_path: Path) -> None:
    known = known_runs(tmp_path)
    assert publish(tmp_path, FIRST, known) == tmp_path / FIRST
    with pytest.raises(AlreadyRunningError, match=FIRST):
        publish(tmp_path, SECOND, known)
    assert not (tmp_path / SECOND).exists()


def test_runs_of_other_rows_and_those_that_were_known_do_not_count(tmp_path: Path) -> None:
    known = known_runs(tmp_path)
    publish(tmp_path, FIRST, known, digest="e" * 64)
    publish(tmp_path, SECOND, known)
    assert publish(tmp_path, f"{SECOND}3", known_runs(tmp_path)).is_dir()


def test_publishing_waits_for_another_process_that_publishes(tmp_path: Path) -> None:
    known = known_runs(tmp_path)
    draft, made = make_draft(tmp_path, FIRST)
    second = make_draft(tmp_path, SECOND)
    lock = FileLock(tmp_path / REPORTS_LOCK, thread_local=False)
    lock.acquire()

    def publish_first() -> None:
        draft.rename(tmp_path / FIRST)
        lock.release()

    timer = threading.Timer(0.1, publish_first)
    timer.start()
    with pytest.raises(AlreadyRunningError, match=made.id):
        publish_alone(*second, ACCESS, known=known)
    timer.join()


@pytest.mark.soak
def test_two_processes_with_other_folders_for_locks_send_each_row_once(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(guid(number), number % 3) for number in range(30)])
    # The first run is still at work when the second looks, also on a busy machine.
    slow = ("--yes", "--rate", "5/s")
    processes = []
    for name in ("one", "two"):
        program.environment["BULKREACT_STATE_DIR"] = str(program.folder / name)
        processes.append(program.start("run", "input.csv", "--base-url", partner.base_url, *slow))
    ended = [program.wait(process) for process in processes]
    assert {process.code for process in ended} <= {0, 5}, [process.err for process in ended]
    assert [len(ids) for ids in ids_by_path(partner).values()] == [1] * 30


def test_a_run_that_another_process_has_ended_since_it_was_confirmed_is_left_alone(
    program: Program, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(program, partner, ["a", "b"], "--limit", "1")
    folder = latest_run(program)

    def confirm_late(*_: object, **__: object) -> object:
        with Journal(folder) as journal:
            session = journal.begin_session(command="resume", version="1", configured_per_minute=None, now=AT)
            journal.end_session(session, state=RunState.FINISHED, exit_code=0, reason="", now=AT)
        return lambda _count, _remark: None

    monkeypatch.setattr(resume, "confirmation", confirm_late)
    process = program("resume", folder.name, *FAST)
    assert (process.code, "Another process has worked on run" in process.err) == (5, True)
    assert len(partner.requests()) == 1
