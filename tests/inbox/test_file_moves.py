"""Putting files where they belong, also where the file system knows no second names, or the place is on another disk."""

import errno
import os
from pathlib import Path

import pytest

from bulkreact.inbox import file_moves


@pytest.fixture(params=["links", "no links", "another disk"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the file system be of one kind or another."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    rename = Path.rename

    def from_here(self: Path, target: Path) -> Path:
        if not self.name.endswith(".partial"):
            raise OSError(errno.EXDEV, "another disk")
        return rename(self, target)

    kind = str(request.param)
    monkeypatch.setattr(os, "link", os.link if kind == "links" else refuse)
    monkeypatch.setattr(Path, "rename", from_here if kind == "another disk" else rename)
    return kind


def written(path: Path, text: str) -> Path:
    """Write a file."""
    path.write_text(text)
    return path


def content(folder: Path) -> dict[str, str]:
    """Return the files of a folder, and what is in them."""
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


@pytest.mark.usefixtures("system")
def test_moving_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "done").mkdir()
    written(tmp_path / "done" / "a.csv", "old")
    written(tmp_path / "done" / "a-2.csv", "older")
    place = file_moves.move(written(tmp_path / "a.csv", "new"), tmp_path / "done")
    assert place == tmp_path / "done" / "a-3.csv"
    assert content(tmp_path) == {}
    assert content(tmp_path / "done") == {"a.csv": "old", "a-2.csv": "older", "a-3.csv": "new"}


@pytest.mark.usefixtures("system")
def test_copying_overwrites_nothing_and_is_done_once(tmp_path: Path) -> None:
    results = written(tmp_path / "results.csv", "new")
    place = tmp_path / "done" / "x.results.csv"
    assert file_moves.copy(results, place) == file_moves.copy(results, place) == place
    written(place, "edited")
    assert file_moves.copy(results, place) == tmp_path / "done" / "x.results-2.csv"
    assert content(tmp_path / "done") == {"x.results.csv": "edited", "x.results-2.csv": "new"}


@pytest.mark.usefixtures("system")
def test_a_reason_lies_beside_its_file(tmp_path: Path) -> None:
    first = file_moves.move_with_note(written(tmp_path / "a.csv", "1"), tmp_path / "failed", "no rows")
    second = file_moves.move_with_note(written(tmp_path / "a.csv", "2"), tmp_path / "failed", "no header")
    assert (first.name, second.name) == ("a.csv", "a-2.csv")
    assert content(tmp_path / "failed") == {
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
