"""Files appear whole or not at all, and nothing is left of a process that was killed while it wrote one."""

import errno
import os
import stat
from pathlib import Path

import pytest

from bulkreact.atomic_write import drafting, remove_abandoned, replacing

posix = pytest.mark.skipif(os.name == "nt", reason="Windows renames nothing that is open, so drafts have no locks")


def write(path: Path, text: str) -> None:
    """Replace a file."""
    with replacing(path, private=True) as file:
        file.write(text)


def test_an_error_leaves_the_older_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    write(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write(path, "half \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_the_draft_of_a_dead_process_is_gone_after_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    (tmp_path / ".results.csv.partial").write_text("half of something")
    write(path, "whole")
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_the_draft_of_a_process_at_work_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    with replacing(path, private=True) as first:
        first.write("first")
        write(path, "second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_a_link_in_the_place_of_a_draft_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("precious")
    (tmp_path / ".results.csv.partial").symlink_to(other)
    write(tmp_path / "results.csv", "whole")
    assert other.read_text() == "precious"
    assert (tmp_path / "results.csv").read_text() == "whole"


@posix
def test_a_link_to_nothing_in_the_place_of_a_draft_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".results.csv.partial").symlink_to(tmp_path / "nothing")
    write(tmp_path / "results.csv", "whole")
    assert (tmp_path / "results.csv").read_text() == "whole"
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "draft").symlink_to(tmp_path / "nothing")
    with pytest.raises(FileExistsError), drafting(tmp_path / "draft"):
        pass
    remove_abandoned(tmp_path / "draft")
    assert not (tmp_path / "nothing").exists()


@posix
def test_another_name_of_a_file_in_the_place_of_a_draft_loses_only_that_name(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("precious")
    os.link(other, tmp_path / ".results.csv.partial")
    write(tmp_path / "results.csv", "whole")
    assert other.read_text() == "precious"


def test_a_folder_is_removed_unless_it_was_renamed(tmp_path: Path) -> None:
    with drafting(tmp_path / "one"):
        (tmp_path / "one" / "file").touch()
    with drafting(tmp_path / "two"):
        (tmp_path / "two").rename(tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@posix
def test_only_an_abandoned_folder_is_removed(tmp_path: Path) -> None:
    abandoned = tmp_path / "abandoned"
    abandoned.mkdir()
    (abandoned / "file").touch()
    with drafting(tmp_path / "at-work"):
        remove_abandoned(tmp_path / "at-work")
        remove_abandoned(abandoned)
        assert [path.name for path in tmp_path.iterdir()] == ["at-work"]


def test_the_complete_draft_is_shown_before_it_replaces_the_file(tmp_path: Path) -> None:
    path, shown = tmp_path / "failed.csv", list[tuple[bytes, bool]]()
    with replacing(
        path, private=True, complete=lambda draft: shown.append((draft.read_bytes(), path.exists()))
    ) as file:
        file.write("text")
    assert shown == [(b"text", False)]


@posix
@pytest.mark.parametrize(
    ("number", "is_refused"),
    [(errno.EINVAL, False), (errno.ENOSYS, False), (errno.EOPNOTSUPP, False), (errno.EIO, True)],
)
def test_a_file_system_that_syncs_no_folders_is_used_all_the_same_and_a_failing_disk_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_refused: bool
) -> None:
    sync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    if is_refused:
        with pytest.raises(OSError, match=os.strerror(number)):
            write(tmp_path / "results.csv", "whole")
    else:
        write(tmp_path / "results.csv", "whole")
    assert (tmp_path / "results.csv").read_text() == "whole"
