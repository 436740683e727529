"""Moving files out of an inbox, also on file systems without hard links and to another disk."""

import errno
import os
from pathlib import Path

import pytest

from bulkreact.inbox import file_moves


@pytest.fixture(params=["links", "no links", "another disk"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Simulate a kind of file system."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    rename = Path.rename

    def refuse_other_disk(self: Path, target: Path) -> Path:
        if not self.name.endswith(".partial"):
            raise OSError(errno.EXDEV, "another disk")
        return rename(self, target)

    kind = str(request.param)
    monkeypatch.setattr(os, "link", os.link if kind == "links" else refuse)
    monkeypatch.setattr(Path, "rename", refuse_other_disk if kind == "another disk" else rename)
    return kind


def write_text(path: Path, text: str) -> Path:
    """Write a file."""
    path.write_text(text)
    return path


def read_files(folder: Path) -> dict[str, str]:
    """Return the files of a folder, and what is in them."""
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


@pytest.mark.usefixtures("system")
def test_moving_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "done").mkdir()
    write_text(tmp_path / "done" / "a.csv", "old")
    write_text(tmp_path / "done" / "a-2.csv", "older")
    path = file_moves.move(write_text(tmp_path / "a.csv", "new"), tmp_path / "done")
    assert path == tmp_path / "done" / "a-3.csv"
    assert read_files(tmp_path) == {}
    assert read_files(tmp_path / "done") == {"a.csv": "old", "a-2.csv": "older", "a-3.csv": "new"}


@pytest.mark.usefixtures("system")
def test_copying_overwrites_nothing_and_is_done_once(tmp_path: Path) -> None:
    results = write_text(tmp_path / "results.csv", "new")
    path = tmp_path / "done" / "x.results.csv"
    assert file_moves.copy(results, path) == file_moves.copy(results, path) == path
    write_text(path, "edited")
    assert file_moves.copy(results, path) == tmp_path / "done" / "x.results-2.csv"
    assert read_files(tmp_path / "done") == {"x.results.csv": "edited", "x.results-2.csv": "new"}


@pytest.mark.usefixtures("system")
def test_a_reason_lies_beside_its_file(tmp_path: Path) -> None:
    first = file_moves.move_with_note(write_text(tmp_path / "a.csv", "1"), tmp_path / "failed", "no rows")
    second = file_moves.move_with_note(write_text(tmp_path / "a.csv", "2"), tmp_path / "failed", "no header")
    assert (first.name, second.name) == ("a.csv", "a-2.csv")
    assert read_files(tmp_path / "failed") == {
        "a.csv": "1",
        "a.csv.txt": "no rows\n",
        "a-2.csv": "2",
        "a-2.csv.txt": "no header\n",
    }


@pytest.mark.parametrize(
    ("name", "stem"), [("a.csv", "a"), ("a.b.xlsx", "a.b"), ("a.csv.gz", "a"), ("A.CSV.GZ", "A"), ("noend", "noend")]
)
def test_the_stem_is_what_people_call_a_file(name: str, stem: str) -> None:
    assert file_moves.stem_of(name) == stem
