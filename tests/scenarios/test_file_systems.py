"""File systems that refuse what others do: the run works, or a sentence says what to do, before anything was sent."""

import errno
import os
import re
import sqlite3
import stat
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bulkreact.batch.journal.journal import LOCK_NAME
from bulkreact.runs.publication import known_runs
from tests.support.ids import guid, row, write_csv
from tests.support.inboxes import count_calls, drop_file, file_names, inbox_folder, sweep
from tests.support.program import Partner, Program, ProgramResult
from tests.support.run_commands import FAST, row_statuses, run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other calls")
Refuse = Callable[[str, Callable[[str], bool], int], None]


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Let a function of a module fail where its first argument is a path, or an open file, that is chosen."""

    def install(name: str, is_chosen: Callable[[str], bool], number: int) -> None:
        function = getattr(os, name)

        def refused(first: object, *more: object, **named: object) -> object:
            path = str(Path(f"/proc/self/fd/{first}").readlink()) if isinstance(first, int) else str(first)
            if is_chosen(path):
                raise OSError(number, os.strerror(number), path)
            return function(first, *more, **named)

        monkeypatch.setattr(os, name, refused)

    return install


def run_one(program: Program, partner: Partner, *options: str) -> ProgramResult:
    """Run a file of one row."""
    write_csv(program.folder / "input.csv", [row(guid(1))])
    return program("run", "input.csv", "--base-url", partner.base_url, *FAST, *options)


def is_folder(path: str) -> bool:
    return stat.S_ISDIR(Path(path).stat().st_mode)


def assert_nothing_began(program: Program, partner: Partner, process: ProgramResult, reason: str) -> None:
    """Assert that a command was refused in words, that nothing was sent, and that no run is left, nor a draft."""
    assert process.code == 2, process.err
    assert f"{reason}. Nothing was sent. " in process.err
    assert partner.requests() == []
    assert list((program.folder / "reports").glob("*20*")) == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not name open files")
@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
def test_a_run_works_where_folders_cannot_be_synced(
    program: Program, partner: Partner, refuse: Refuse, number: int
) -> None:
    refuse("fsync", is_folder, number)
    process = run_one(program, partner)
    assert process.code == 0, process.err
    assert len(partner.requests()) == 1


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not name open files")
@pytest.mark.parametrize("options", [(), ("--new",)])
def test_a_run_whose_name_is_not_durable_does_not_begin(
    program: Program, partner: Partner, refuse: Refuse, options: tuple[str, ...]
) -> None:
    refuse("fsync", lambda path: path.endswith("/reports"), errno.EIO)
    process = run_one(program, partner, *options)
    assert_nothing_began(program, partner, process, "reports cannot be written: Input/output error")


@pytest.mark.parametrize("options", [(), ("--new",)])
def test_a_run_that_cannot_get_its_name_does_not_begin(
    program: Program, partner: Partner, refuse: Refuse, options: tuple[str, ...]
) -> None:
    refuse("rename", lambda path: path.endswith(".draft"), errno.EPERM)
    process = run_one(program, partner, *options)
    assert_nothing_began(program, partner, process, "reports cannot be written: Operation not permitted")


@pytest.mark.parametrize("options", [(), ("--new",)])
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_a_run_that_cannot_be_locked_does_not_begin(
    program: Program, partner: Partner, monkeypatch: pytest.MonkeyPatch, number: int, options: tuple[str, ...]
) -> None:
    import fcntl  # noqa: PLC0415 - Windows has none

    lock = fcntl.flock

    def refuse_in_reports(descriptor: int, how: int) -> None:
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if path.endswith((LOCK_NAME, ".runs.lock")):
            raise OSError(number, os.strerror(number))
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", refuse_in_reports)
    process = run_one(program, partner, *options)
    verb = "written" if options else "locked"
    assert_nothing_began(program, partner, process, f"reports cannot be {verb}: {os.strerror(number)}")


def test_a_new_run_whose_folder_became_read_only_is_kept_and_both_commands_for_it_are_named(
    program: Program, partner: Partner, refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[str]()

    def is_second(path: str) -> bool:
        opened.extend([path] if path.endswith(LOCK_NAME) else [])
        return path in opened[1:]

    refuse("open", is_second, errno.EROFS)
    process = run_one(program, partner)
    monkeypatch.undo()
    assert process.code == 74, process.err
    assert f"bulkreact resume {process.run.name}" in process.err
    assert f"bulkreact results reports/{process.run.name}" in process.err
    assert partner.requests() == []
    assert program("run", "input.csv", "--base-url", partner.base_url, *FAST).code == 0
    assert len(partner.requests()) == 1


def test_who_has_the_lock_of_a_partner_need_not_be_recorded(program: Program, partner: Partner, refuse: Refuse) -> None:
    opened = list[str]()

    def is_second(path: str) -> bool:
        opened.extend([path] if path.endswith(".json") and "/locks/" in path else [])
        return path in opened[1:]

    refuse("open", is_second, errno.ENOSPC)
    assert run_one(program, partner).code == 0
    assert len(opened) == 2


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO])
def test_what_the_system_refuses_is_a_sentence_and_no_bug(
    program: Program, partner: Partner, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(_: Path) -> None:
        raise OSError(number, os.strerror(number), "reports")

    monkeypatch.setattr("bulkreact.runs.publication.folder_names", refuse)
    process = run_one(program, partner)
    assert (process.code, process.err.splitlines()[-1]) == (
        2,
        f"Error: {os.strerror(number)} (reports). Fix the cause, then try again.",
    )
    assert partner.requests() == []


def test_where_swept_files_cannot_be_moved_no_run_begins(program: Program, partner: Partner, refuse: Refuse) -> None:
    drop_file(program, "a.csv", 100)
    refuse("mkdir", lambda path: path.endswith("done"), errno.ENOSPC)
    process = sweep(program, partner)
    assert_nothing_began(program, partner, process, "inputs/done: No space left on device")
    assert file_names(inbox_folder(program)) == ["a.csv"]


def test_what_the_system_refuses_for_one_file_does_not_stop_the_next(
    program: Program, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop_file(program, "a.csv", 100)
    drop_file(program, "b.csv", 300, age=60)
    refused = list[Path]()

    def refuse_once(reports: Path) -> frozenset[str]:
        refused.append(reports)
        if len(refused) == 1:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), "reports")
        return known_runs(reports)

    monkeypatch.setattr("bulkreact.inbox.new_files.known_runs", refuse_once)
    process = sweep(program, partner)
    assert process.code == 2
    assert "Error: a.csv: Too many open files (reports). Fix the cause, then try again." in process.err.splitlines()
    assert [count_calls(partner, 100), count_calls(partner, 300)] == [[0, 0], [1, 1]]
    assert sweep(program, partner).code == 0
    assert count_calls(partner, 100) == [1, 1]


def test_a_full_reports_folder_is_named_while_a_journal_is_made(
    program: Program, partner: Partner, refuse: Refuse
) -> None:
    refuse("open", lambda path: path.endswith("journal.sqlite3"), errno.ENOSPC)
    process = run_one(program, partner)
    assert_nothing_began(program, partner, process, "reports cannot be written: No space left on device")


@pytest.mark.parametrize("command", [("plan", "input.csv"), ("plan", "-"), ("run", "-", "--simulate")])
def test_where_no_temporary_folder_can_be_made_another_is_asked_for(
    program: Program, refuse: Refuse, command: tuple[str, ...]
) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1))])
    refuse("mkdir", lambda path: str(Path(path).parent) == tempfile.gettempdir(), errno.EROFS)
    process = program(*command, stdin=(program.folder / "input.csv").read_text())
    assert process.code == 2
    assert "No temporary folder can be made: Read-only file system. Nothing was sent. Name a folder" in process.err


@pytest.mark.parametrize(
    ("options", "described"), [((), "The temporary folder "), (("--keep", "kept"), "--keep kept ")]
)
def test_a_plan_for_which_there_is_no_room_is_refused(
    program: Program, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], described: str
) -> None:
    def create(*_: object) -> None:
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise full

    write_csv(program.folder / "input.csv", [row(guid(1))])
    monkeypatch.setattr("bulkreact.runs.input_reader.create", create)
    process = program("plan", "input.csv", *options)
    assert process.code == 2
    assert re.search(rf"Error: {described}.*cannot be written: the disk is full\. ", process.err)


@pytest.mark.parametrize("number", [sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR])
def test_an_unfinished_run_that_the_system_refuses_to_read_is_not_begun_anew(
    program: Program, partner: Partner, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    # Its answers are lost, so that the same command continues it.
    first = run(program, partner, [1599], "--attempts", "1")
    assert row_statuses(first.run) == ["unknown"]
    calls, connect = len(partner.requests()), sqlite3.connect
    refusal = sqlite3.OperationalError()
    refusal.sqlite_errorcode = number

    def refuse_run(path: str | Path, *, uri: bool = False, **options: object) -> object:
        if first.run.name in str(path):
            raise refusal
        return partial(connect, path, uri=uri)(**options)

    monkeypatch.setattr(sqlite3, "connect", refuse_run)
    second = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    monkeypatch.undo()
    assert second.code == 2
    assert f"{first.run.name} may be an unfinished run of this input. The journal in" in second.err
    assert len(partner.requests()) == calls
    program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--attempts", "1")
    assert len({call["request_id"] for call in partner.requests()}) == 1


def test_a_log_that_the_system_refuses_to_read_is_not_called_damaged(
    program: Program, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(program, partner, [1599], "--attempts", "1")

    def refuse(_: Path) -> bytes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    process = program("resume", first.run.name, *FAST)
    assert process.code == 2
    assert "is not accessible: Too many open files." in process.err
    assert "damaged" not in process.err
