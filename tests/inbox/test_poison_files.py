"""Files that the program does not survive, or that meet a bug: put aside, and the others are run."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest

from bulkreact.batch.journal.writer import connect_sqlite
from bulkreact.inbox.ledger import LEDGER, open_ledger
from bulkreact.inbox.reading import FileFailedError, read_guarded
from bulkreact.runs import input_reader
from tests.support.inboxes import count_calls, drop_file, file_names, inbox_folder, sweep, sweep_options
from tests.support.instants import kill_at
from tests.support.program import Partner, Program


def begun(program: Program) -> list[int]:
    """Return what the ledger records of readings that did not end."""
    with closing(connect_sqlite(program.folder / "reports" / LEDGER)) as connection:
        return [count for (count,) in connection.execute("SELECT begun FROM readings")]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_file_that_killed_two_sweeps_is_put_aside_and_the_others_are_run(program: Program, partner: Partner) -> None:
    drop_file(program, "poison.csv", 1, age=7200)
    drop_file(program, "good.csv", 11)
    reading = ("bulkreact.runs.input_reader.load_input", 0, 1)
    for death in (1, 2):
        kill_at(program, reading, "sweep", *sweep_options(partner))
        assert begun(program) == [death]
        assert file_names(inbox_folder(program)) == ["good.csv", "poison.csv"]
    third = sweep(program, partner)
    assert third.code == 2
    assert "poison.csv was being read each time when the program was ended from outside, 2 times" in third.err
    assert "Save the table alone as 'CSV UTF-8'" in (inbox_folder(program) / "failed" / "poison.csv.txt").read_text()
    assert count_calls(partner, 1) == [0, 0]
    assert count_calls(partner, 11) == [1, 1]
    (inbox_folder(program) / "failed" / "poison.csv").rename(inbox_folder(program) / "poison.csv")
    assert sweep(program, partner).code == 0
    assert count_calls(partner, 1) == [1, 1]


def test_that_a_file_is_about_to_be_read_is_durable_before_it_is(tmp_path: Path) -> None:
    seen: list[int] = []

    def read() -> None:
        with closing(sqlite3.connect(tmp_path / LEDGER)) as other:
            seen.extend(count for (count,) in other.execute("SELECT begun FROM readings"))

    with open_ledger(tmp_path, tmp_path / "inbox") as ledger:
        read_guarded(ledger, b"a.csv", "5" * 64, "a.csv", read)
        read()
        for _ in range(2):
            ledger.begin_reading(b"a.csv", "5" * 64)
        read_guarded(ledger, b"b.csv", "5" * 64, "b.csv", lambda: None)
        read_guarded(ledger, b"a.csv", "6" * 64, "a.csv", lambda: None)
    assert seen == [1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit(143)])
def test_a_signal_is_no_death(tmp_path: Path, error: BaseException) -> None:
    def read() -> None:
        raise error

    with open_ledger(tmp_path, tmp_path / "inbox") as ledger:
        for _ in range(4):
            with pytest.raises((KeyboardInterrupt, SystemExit)):
                read_guarded(ledger, b"a.csv", "5" * 64, "a.csv", read)
        assert ledger.begin_reading(b"a.csv", "5" * 64) == 0


@pytest.fixture(params=[LookupError, UnboundLocalError, MemoryError, RecursionError])
def buggy_reader(request: pytest.FixtureRequest) -> Iterator[str]:
    """Make the second file that is read meet a bug; return its class."""
    load_input = input_reader.load_input

    def load(draft: Path, name: str, *rest: object, **more: object) -> object:
        if "bug" in name:
            raise request.param("5eed0000 is a secret of the file")
        return load_input(draft, name, *rest, **more)  # type: ignore[arg-type]

    with patch("bulkreact.cli.commands.sweep.load_input", load):
        yield request.param.__name__


def test_a_bug_while_reading_is_the_refusal_of_that_file_only(
    program: Program, partner: Partner, buggy_reader: str
) -> None:
    for number, name in enumerate(("first.csv", "bug.csv", "last.csv")):
        drop_file(program, name, 1 + 10 * number, age=7200 - number)
    result = sweep(program, partner)
    assert result.code == 70
    assert (
        f"bug.csv met a bug of bulkreact while it was read: {buggy_reader} in test_poison_files.py, line" in result.err
    )
    assert "Traceback (most recent call last)" in result.err
    assert file_names(inbox_folder(program)) == []
    assert file_names(inbox_folder(program) / "failed") == ["bug.csv", "bug.csv.txt"]
    reason = (inbox_folder(program) / "failed" / "bug.csv.txt").read_text()
    assert "5eed0000" not in reason
    assert "Traceback" not in reason
    assert [count_calls(partner, first) for first in (1, 11, 21)] == [[1, 1], [0, 0], [1, 1]]
    assert sweep(program, partner).code == 0


def test_what_the_machine_refuses_is_no_bug_of_the_file(tmp_path: Path) -> None:
    def read() -> None:
        raise OSError(28, "No space left on device")

    with open_ledger(tmp_path, tmp_path / "inbox") as ledger, pytest.raises(OSError, match="No space"):
        read_guarded(ledger, b"a.csv", "5" * 64, "a.csv", read)


def test_another_error_of_a_library_is_one_of_the_file(tmp_path: Path) -> None:
    def read() -> None:
        raise OSError("negative seek value -1")

    with open_ledger(tmp_path, tmp_path / "inbox") as ledger, pytest.raises(FileFailedError, match="OSError in"):
        read_guarded(ledger, b"a.csv", "5" * 64, "a.csv", read)


def test_a_ledger_without_readings_gets_them(tmp_path: Path) -> None:
    with open_ledger(tmp_path, tmp_path / "inbox"):
        pass
    with closing(connect_sqlite(tmp_path / LEDGER)) as connection:
        connection.execute("DROP TABLE readings")
        connection.execute("PRAGMA user_version = 2")
    with open_ledger(tmp_path, tmp_path / "inbox") as ledger:
        assert ledger.begin_reading(b"a.csv", "5" * 64) == 0
    with open_ledger(tmp_path, tmp_path / "inbox") as ledger:
        assert ledger.begin_reading(b"a.csv", "5" * 64) == 1
