"""Journals that name each other as retries, or as the owners of their rows: every command ends, and sends nothing twice."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.marks import mostly_soak
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, ids_by_path, run
from tests.support.seals import seal_again

ONCE = ("--attempts", "1")
COMMANDS = [
    ("status",),
    ("resume", *FAST),
    ("verify", "--rate", "off", "--verify-timeout", "1s", "--verify-every", "0.2s"),
    ("retry", "--all-failed", *FAST, *ONCE),
    ("results",),
]


def change(folder: Path, sql: str, *values: str) -> None:
    """Change a journal so that its checksums are right."""
    with closing(sqlite3.connect(folder / "journal.sqlite3")) as connection, connection:
        connection.execute(sql, values)
        seal_again(connection)


@pytest.fixture
def runs(program: Program, partner: Partner) -> tuple[Path, Path]:
    """Return a run and a retry of it that has its refused row."""
    first = run(program, partner, [800111, "a"], *ONCE).run
    program("retry", first.name, *FAST, *ONCE, "--all-failed")
    (second,) = (path.parent for path in first.parent.glob("[!.]*/journal.sqlite3") if path.parent != first)
    return first, second


@pytest.mark.parametrize("command", mostly_soak(COMMANDS), ids=lambda command: command[0])
def test_a_run_that_is_its_own_retry_is_damaged(
    program: Program, partner: Partner, runs: tuple[Path, Path], command: tuple[str, ...]
) -> None:
    _, second = runs
    calls = len(partner.requests())
    change(second, "UPDATE run SET retry_of = id")
    ended = program.spawn(command[0], second.name, *command[1:])
    assert (ended.code, len(partner.requests())) == (2, calls)
    assert "damaged: the run is said to be a retry of itself" in ended.err


@pytest.mark.parametrize("command", mostly_soak(COMMANDS), ids=lambda command: command[0])
def test_runs_that_are_retries_of_each_other_are_worked_on_to_an_end(
    program: Program, partner: Partner, runs: tuple[Path, Path], command: tuple[str, ...]
) -> None:
    first, second = runs
    change(first, "UPDATE run SET retry_of = ?", second.name)
    ended = program.spawn(command[0], first.name, *command[1:])
    assert ended.code in {0, 1, 2}, ended.err
    assert "Traceback" not in ended.err
    assert {path: len(ids) - len(set(ids)) for path, ids in ids_by_path(partner).items()} == dict.fromkeys(
        ids_by_path(partner), 0
    )


@pytest.mark.parametrize("command", mostly_soak(COMMANDS), ids=lambda command: command[0])
def test_rows_that_runs_took_over_from_each_other_are_sent_by_neither(
    program: Program, partner: Partner, runs: tuple[Path, Path], command: tuple[str, ...]
) -> None:
    first, second = runs
    calls = len(partner.requests())
    change(second, "UPDATE rows SET handed_to = ?", first.name)
    ended = program.spawn(command[0], first.name, *command[1:])
    assert ended.code in {0, 1, 2}, ended.err
    assert "Traceback" not in ended.err
    assert len(partner.requests()) == calls


def test_prune_removes_runs_that_are_retries_of_each_other(program: Program, runs: tuple[Path, Path]) -> None:
    first, second = runs
    change(first, "UPDATE run SET retry_of = ?", second.name)
    change(second, "UPDATE rows SET handed_to = ?", first.name)
    assert "Removed 2 runs." in program.spawn("prune", "--older-than", "0s", "--yes").out


def test_a_retry_ends_its_search_for_rows_that_others_took_over_from_each_other(
    program: Program, runs: tuple[Path, Path]
) -> None:
    first, second = runs
    before = set(first.parent.glob("[!.]*/journal.sqlite3"))
    program("retry", second.name, *FAST, *ONCE, "--all-failed", "--limit", "0")
    (third,) = (path.parent for path in set(first.parent.glob("[!.]*/journal.sqlite3")) - before)
    change(second, "UPDATE rows SET handed_to = ?", first.name)
    ended = program.spawn("resume", third.name, *FAST)
    assert ended.code == 1, ended.err
