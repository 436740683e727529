"""A long journal that the last process left in order is checked while its rows are sent, any other one before."""

import sqlite3
from pathlib import Path

import pytest

from bulkreact.batch.journal import background_check, fingerprint
from bulkreact.batch.journal.fingerprint import has_fingerprint, save_fingerprint
from tests.scenarios.test_damaged_journals import change_a_bit
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, latest_run, row_statuses, run


@pytest.fixture
def folder(program: Program, partner: Partner, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a run with one of its four rows sent, and a journal that counts as long."""
    monkeypatch.setattr(fingerprint, "LEAST_BYTES", 0)
    run(program, partner, ["a", "b", "c", "d"], "--limit", "1")
    return latest_run(program)


def test_a_run_that_was_left_in_order_goes_on_and_is_left_in_order(
    program: Program, partner: Partner, folder: Path
) -> None:
    assert has_fingerprint(folder)
    process = program("resume", folder.name, *FAST)
    assert (process.code, row_statuses(folder)) == (0, ["accepted"] * 4), process.err
    assert len(partner.requests()) == 4
    assert has_fingerprint(folder)
    assert "Removed 1 run." in program("prune", "--older-than", "0s", "--yes").out


@pytest.mark.parametrize("command", ["resume", "verify"])
@pytest.mark.parametrize("text", [b"accepted", b"reactivate-entitlement"])
def test_damage_that_shows_while_rows_are_sent_stops_them_and_nothing_is_reported(
    program: Program, partner: Partner, folder: Path, command: str, text: bytes
) -> None:
    change_a_bit(folder, text)
    save_fingerprint(sqlite3.connect(folder / "journal.sqlite3"), folder)
    results = (folder / "results.csv").read_bytes()
    process = program(command, folder.name, "--rate", "1/min", *FAST[2 if command == "resume" else 3 :])
    assert (process.code, "is damaged" in process.err) == (2, True), process.err
    assert (folder / "results.csv").read_bytes() == results
    calls = len(partner.requests())
    assert calls < 4
    assert not has_fingerprint(folder)
    process = program("resume", folder.name, *FAST)
    assert (process.code, len(partner.requests())) == (2, calls), process.err


def test_damage_since_the_last_process_is_found_before_anything_is_sent(
    program: Program, partner: Partner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(background_check, "BackgroundCheck")
    change_a_bit(folder, b"accepted")
    process = program("resume", folder.name, *FAST)
    assert (process.code, len(partner.requests())) == (2, 1), process.err
