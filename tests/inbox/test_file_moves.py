"""Moving files out of an inbox, also on file systems without hard links and to another disk."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest

from bulkreact.errors import InputRefusedError
from bulkreact.inbox import file_moves, folder
from bulkreact.inbox.folder import Folder, open_inbox
from bulkreact.inbox.foreign_file import FileChangedError, FileSnapshot, take_snapshot


@pytest.fixture(params=["links", "no links", "another disk"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Simulate a kind of file system."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    rename = os.rename

    def refuse_other_disk(source: str, target: str, **folders: int) -> None:
        if not source.endswith(".partial"):
            raise OSError(errno.EXDEV, "another disk")
        rename(source, target, **folders)

    kind = str(request.param)
    monkeypatch.setattr(os, "link", os.link if kind == "links" else refuse)
    monkeypatch.setattr(os, "rename", refuse_other_disk if kind == "another disk" else rename)
    return kind


@pytest.fixture(params=[True, False], ids=["relative calls", "paths"])
def inbox(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """Open the folder, also as on a system without calls relative to a descriptor."""
    monkeypatch.setattr(folder, "_HAS_RELATIVE_CALLS", request.param)
    with open_inbox(tmp_path) as opened:
        yield opened


def subfolder(inbox: Folder, name: str) -> Folder:
    """Return a subfolder."""
    opened = inbox.subfolder(name, create=True)
    assert opened
    return opened


def drop(inbox: Folder, name: str, text: str) -> FileSnapshot:
    """Put a file into the folder."""
    (inbox.path / name).write_text(text)
    file = take_snapshot(inbox, name)
    assert file
    return file


def write_text(path: Path, text: str) -> Path:
    """Write a file."""
    path.write_text(text)
    return path


def read_files(folder: Path) -> dict[str, str]:
    """Return the files of a folder, and what is in them."""
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


@pytest.mark.usefixtures("system")
def test_moving_overwrites_nothing(inbox: Folder) -> None:
    done = subfolder(inbox, "done")
    write_text(done.path / "a.csv", "old")
    write_text(done.path / "a-2.csv", "older")
    path = file_moves.move(inbox, drop(inbox, "a.csv", "new"), done)
    assert path == done.path / "a-3.csv"
    assert read_files(inbox.path) == {}
    assert read_files(done.path) == {"a.csv": "old", "a-2.csv": "older", "a-3.csv": "new"}


@pytest.mark.usefixtures("system")
def test_copying_overwrites_nothing_and_is_done_once(inbox: Folder) -> None:
    results, done = write_text(inbox.path / "results.csv", "new"), subfolder(inbox, "done")
    path = done.path / "x.results.csv"
    assert file_moves.copy(results, done, path.name) == file_moves.copy(results, done, path.name) == path
    write_text(path, "edited")
    assert file_moves.copy(results, done, path.name) == done.path / "x.results-2.csv"
    assert read_files(done.path) == {"x.results.csv": "edited", "x.results-2.csv": "new"}


@pytest.mark.usefixtures("system")
def test_a_reason_lies_beside_its_file(inbox: Folder) -> None:
    failed = subfolder(inbox, "failed")
    first = file_moves.move_with_note(inbox, drop(inbox, "a.csv", "1"), failed, "no rows")
    second = file_moves.move_with_note(inbox, drop(inbox, "a.csv", "2"), failed, "no header")
    assert (first.name, second.name) == ("a.csv", "a-2.csv")
    assert read_files(failed.path) == {
        "a.csv": "1",
        "a.csv.txt": "no rows\n",
        "a-2.csv": "2",
        "a-2.csv.txt": "no header\n",
    }


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders")
def test_a_pipe_with_the_name_of_the_results_holds_nothing_up(inbox: Folder) -> None:
    results, done = write_text(inbox.path / "results.csv", "new"), subfolder(inbox, "done")
    os.mkfifo(done.path / "x.results.csv")
    assert file_moves.copy(results, done, "x.results.csv").name == "x.results-2.csv"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_nothing_is_written_through_a_link_with_the_name_of_the_results_or_the_reason(inbox: Folder) -> None:
    results, failed = write_text(inbox.path / "results.csv", "new"), subfolder(inbox, "failed")
    victim = write_text(inbox.path / "victim", "mine")
    (failed.path / "x.results.csv").symlink_to(victim)
    (failed.path / "a.csv.txt").symlink_to(victim)
    file_moves.copy(results, failed, "x.results.csv")
    file_moves.move_with_note(inbox, drop(inbox, "a.csv", "1"), failed, "no rows")
    assert victim.read_text() == "mine"
    assert {"x.results-2.csv": "new", "a-2.csv": "1", "a-2.csv.txt": "no rows\n"}.items() <= read_files(
        failed.path
    ).items()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_in_the_place_of_a_subfolder_is_refused(inbox: Folder) -> None:
    (inbox.path / "done").symlink_to(inbox.path)
    with pytest.raises(InputRefusedError, match=r"Nothing is moved to .*done"):
        inbox.subfolder("done", create=True)


@contextmanager
def happening_before(instant: tuple[str, int], event: Callable[[], object]) -> Iterator[None]:
    """Let something happen right before the nth call of a method of the folder."""
    method, nth = instant
    original, calls = getattr(Folder, method), 0

    def late(self: Folder, name: str, *others: object) -> object:
        nonlocal calls
        calls += 1
        if calls == nth:
            event()
        return original(self, name, *others)

    with patch.object(Folder, method, late):
        yield


at_every_instant = pytest.mark.parametrize(
    "instant",
    [("link", 1), ("rename", 1), ("open_file", 1), ("open_file", 2), *(("status", nth) for nth in range(1, 12))],
    ids=lambda instant: "-".join(map(str, instant)),
)


@pytest.mark.usefixtures("system")
@at_every_instant
def test_a_file_that_takes_the_place_of_another_is_not_moved(inbox: Folder, instant: tuple[str, int]) -> None:
    done, file = subfolder(inbox, "done"), drop(inbox, "a.csv", "old")
    new = write_text(inbox.path / "new.csv", "new")
    with happening_before(instant, partial(new.replace, inbox.path / "a.csv")), suppress(FileChangedError):
        file_moves.move(inbox, file, done)
    assert "new" in read_files(inbox.path).values()
    assert read_files(done.path) in ({}, {"a.csv": "old"})


@pytest.mark.usefixtures("system")
@at_every_instant
def test_what_is_written_to_a_file_while_it_is_moved_is_not_lost(inbox: Folder, instant: tuple[str, int]) -> None:
    done, file = subfolder(inbox, "done"), drop(inbox, "a.csv", "old")
    happened: list[int] = []
    event = partial((inbox.path / "a.csv").write_text, "new")
    with happening_before(instant, lambda: happened.append(event())), suppress(FileChangedError):
        file_moves.move(inbox, file, done)
    left = [*read_files(inbox.path).values(), *read_files(done.path).values()]
    assert "new" in left or (left == ["old"] and not happened)
    assert all(path.suffix == ".csv" for path in inbox.path.rglob("*.*"))


@pytest.mark.parametrize("system", ["another disk"], indirect=True)
@pytest.mark.usefixtures("system")
def test_no_copy_is_kept_of_what_has_changed_meanwhile(inbox: Folder) -> None:
    done, file, publish = subfolder(inbox, "done"), drop(inbox, "a.csv", "old"), file_moves._publish

    def write_late(*arguments: object) -> bool:
        published = publish(*arguments)  # type: ignore[arg-type]
        write_text(inbox.path / "a.csv", "new")
        return published

    with patch.object(file_moves, "_publish", write_late), pytest.raises(FileChangedError):
        file_moves.move(inbox, file, done)
    assert (read_files(inbox.path), read_files(done.path)) == ({"a.csv": "new"}, {})


@pytest.mark.parametrize("name", ["..", "../x.csv", "/etc/passwd", "done/x.csv", ""])
def test_no_name_leads_out_of_the_folder(inbox: Folder, name: str) -> None:
    with pytest.raises(OSError, match="It is no name of an entry"):
        inbox.open_file(name)
    assert take_snapshot(inbox, name) is None


def test_without_relative_calls_a_folder_in_the_place_of_another_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "_HAS_RELATIVE_CALLS", False)
    with open_inbox(tmp_path) as inbox:
        done = subfolder(inbox, "done")
        done.path.rename(tmp_path / "real")
        done.path.mkdir()
        with pytest.raises(OSError, match="The folder was replaced"):
            file_moves.copy(write_text(tmp_path / "results.csv", "new"), done, "x.results.csv")
    assert read_files(done.path) == {}


@pytest.mark.parametrize(
    ("name", "stem"), [("a.csv", "a"), ("a.b.xlsx", "a.b"), ("a.csv.gz", "a"), ("A.CSV.GZ", "A"), ("noend", "noend")]
)
def test_the_stem_is_what_people_call_a_file(name: str, stem: str) -> None:
    assert file_moves.stem_of(name) == stem
