"""The ledger of sweeps: damage is refused, a ledger that is gone is made again, and earlier ones are read."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bulkreact.batch.journal.writer import connect_sqlite
from bulkreact.errors import InputRefusedError, ResultsNotWrittenError
from bulkreact.inbox import ledger_schema
from bulkreact.inbox.ledger import LEDGER, Ledger, LedgerEntry, open_ledger, unfiled_run_ids
from bulkreact.inbox.ledger_schema import FilingStage
from tests.support.ids import guid
from tests.support.inboxes import count_calls, drop_file, file_names, inbox_folder, sweep
from tests.support.program import Partner, Program

ENTRY = LedgerEntry("first", "c" * 64, "simulated", guid(1), b"inbox", b"a.csv", "5" * 64, FilingStage.PREPARED)


def make_ledger(reports: Path) -> Path:
    """Make a ledger with a record of each kind."""
    with open_ledger(reports, reports / "inbox") as ledger:
        ledger.prepare(ENTRY)
        ledger.set_stage("first", FilingStage.STARTED)
        ledger.mark_left_in_place(b"b.csv", "6" * 64)
    return reports / LEDGER


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"c" * 64, b"c" * 63 + b"b"),
        (b"begun", b"bggun"),
        (b"b.csv", b"c.csv"),
        (b"first", b"fisst"),
        (b"stage TEXT", b"stagf TEXT"),
    ],
    ids=["content", "stage", "file", "run", "definition"],
)
@pytest.mark.parametrize("opening", [lambda reports: open_ledger(reports, reports).__enter__(), unfiled_run_ids])
def test_a_damaged_ledger_is_refused_with_what_to_do(
    tmp_path: Path, before: bytes, after: bytes, opening: Callable[[Path], object]
) -> None:
    path = make_ledger(tmp_path)
    path.write_bytes(path.read_bytes().replace(before, after))
    with pytest.raises(InputRefusedError, match=r"is damaged.*or remove it"):
        opening(tmp_path)


@pytest.mark.parametrize("opening", [lambda reports: open_ledger(reports, reports).__enter__(), unfiled_run_ids])
def test_what_is_no_file_is_no_ledger(tmp_path: Path, opening: Callable[[Path], object]) -> None:
    (tmp_path / LEDGER).mkdir()
    with pytest.raises(InputRefusedError, match=r"ledger .* cannot be used: .*\. Nothing was sent\. Fix that, or"):
        opening(tmp_path)


@pytest.mark.parametrize(
    "use",
    [
        Ledger.last_activity,
        Ledger.find_unfiled,
        lambda ledger: ledger.is_left_in_place(b"b.csv", "6" * 64),
        lambda ledger: ledger.begin_reading(b"b.csv", "6" * 64),
        lambda ledger: ledger.mark_left_in_place(b"c.csv", "6" * 64),
    ],
)
def test_a_ledger_that_fails_ends_the_sweep(tmp_path: Path, use: Callable[[Ledger], object]) -> None:
    with open_ledger(tmp_path, tmp_path / "inbox") as ledger:
        with closing(connect_sqlite(tmp_path / LEDGER)) as other:
            for table in ledger_schema.RECORDS:
                other.execute(f"DROP TABLE {table}")
        with pytest.raises(
            ResultsNotWrittenError, match=r"The ledger of sweeps could not be used: .* then sweep again"
        ):
            use(ledger)


def test_a_ledger_of_an_earlier_version_gets_checksums(tmp_path: Path) -> None:
    path = make_ledger(tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE readings")
        for table in ledger_schema.RECORDS.keys() - {"readings"}:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
        connection.execute("PRAGMA user_version = 1")
    assert unfiled_run_ids(tmp_path) == {"first"}
    with open_ledger(tmp_path, tmp_path / "inbox") as ledger:
        assert ledger.runs_of("c" * 64, "simulated")[0].stage is FilingStage.STARTED
    path.write_bytes(path.read_bytes().replace(b"begun", b"bggun"))
    with pytest.raises(InputRefusedError, match="is damaged"):
        unfiled_run_ids(tmp_path)


def test_a_ledger_whose_log_is_damaged_is_refused(tmp_path: Path) -> None:
    path = make_ledger(tmp_path)
    with closing(connect_sqlite(path)) as connection:
        for stage in ("ended", "settled", "begun"):
            connection.execute("UPDATE entries SET stage = ?", (stage,))
        log = path.with_name(f"{path.name}-wal").read_bytes()
    path.with_name(f"{path.name}-wal").write_bytes(log[:100] + bytes([log[100] ^ 1]) + log[101:])
    with pytest.raises(InputRefusedError, match="transactions are missing in its log"), open_ledger(tmp_path, tmp_path):
        pass


def test_a_ledger_that_was_removed_is_made_again_from_the_runs(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100)
    assert sweep(program, partner).code == 0
    (program.folder / "reports" / LEDGER).unlink()
    drop_file(program, "a-again.csv", 100)
    process = sweep(program, partner)
    assert "is not run again" in process.err
    assert count_calls(partner, 100) == [1, 1]
    assert file_names(inbox_folder(program)) == []
