"""Edited files are set aside; what was written is never taken for edited, whatever its time and whoever was killed."""

import os
from pathlib import Path

import pytest

from bulkreact.atomic_write import replacing
from bulkreact.sheets.output.edited_files import WRITTEN, note_digest, set_aside_edited

NAME = "failed.csv"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / NAME


def write(path: Path, text: str) -> None:
    with replacing(path, private=True, complete=note_digest(path.parent, path.name)) as file:
        file.write(text)


def set_aside(path: Path) -> Path | None:
    return set_aside_edited(path.parent, path.name, summary=path.with_name("summary.json"))


def write_until_the_replacement(path: Path, text: str) -> None:
    """Write a file with a process that is killed after the digest is durable and before the file is in its place."""
    draft = path.with_name("draft")
    draft.write_text(text)
    note_digest(path.parent, path.name)(draft)


@pytest.mark.parametrize("newer_by", [-3600, 0, 3600])
def test_a_written_file_is_not_edited_whatever_its_time(path: Path, newer_by: int) -> None:
    path.with_name("summary.json").write_text("{}")
    write(path, "written")
    time = path.with_name("summary.json").stat().st_mtime + newer_by
    os.utime(path, (time, time))
    assert set_aside(path) is None


def test_an_edited_file_is_set_aside_though_it_is_older_than_the_summary(path: Path) -> None:
    write(path, "written")
    path.write_text("edited")
    os.utime(path, (0, 0))
    path.with_name("summary.json").write_text("{}")
    assert set_aside(path) == path.with_name("failed.edited-1.csv")
    write(path, "written again")
    assert set_aside(path) is None
    path.write_text("edited again")
    assert set_aside(path) == path.with_name("failed.edited-2.csv")


def test_files_of_processes_that_were_killed_before_they_replaced_them_are_not_edited(path: Path) -> None:
    write(path, "first")
    write_until_the_replacement(path, "second")
    write_until_the_replacement(path, "third")
    assert set_aside(path) is None
    path.write_text("third")
    assert set_aside(path) is None
    path.write_text("second")
    assert set_aside(path) == path.with_name("failed.edited-1.csv")


def test_a_file_that_was_never_written_is_the_users(path: Path) -> None:
    write(path.with_name("results.xlsx"), "written")
    path.write_text("mine")
    assert set_aside(path) == path.with_name("failed.edited-1.csv")


@pytest.mark.parametrize("content", [None, "", "[]", '{"failed.csv": 1}'])
@pytest.mark.parametrize(("newer_by", "edited"), [(-1, False), (0, False), (1, True)])
def test_without_digests_a_file_that_is_newer_than_the_summary_is_edited(
    path: Path, content: str | None, newer_by: int, *, edited: bool
) -> None:
    noted = path.with_name(WRITTEN)
    noted.write_text(content or "")
    noted.unlink() if content is None else None
    path.write_text("some")
    path.with_name("summary.json").write_text("{}")
    os.utime(path.with_name("summary.json"), (1_000, 1_000))
    os.utime(path, (1_000 + newer_by, 1_000 + newer_by))
    assert (set_aside(path) is not None) is edited
    assert path.exists() is not edited


def test_no_file_is_not_edited(path: Path) -> None:
    assert set_aside(path) is None
