"""The ledger of sweeps, next to the runs: which contents had a run, and whether their input files were moved.

Every step is durable before the next one, so that after a crash the next sweep knows what is left to do.
"""

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from pathlib import Path

from bulkreact.batch.journal.checksums import checksum_sql
from bulkreact.batch.journal.journal_file import is_damage, open_uri
from bulkreact.batch.journal.metadata import SWEEP
from bulkreact.batch.journal.write_ahead_log import damage_of_log
from bulkreact.batch.journal.writer import connect_sqlite, translating_write_errors
from bulkreact.errors import InputRefusedError, JournalNotWrittenError, ResultsNotWrittenError
from bulkreact.file_access import foreign_access
from bulkreact.inbox import ledger_schema
from bulkreact.inbox.ledger_schema import FilingStage
from bulkreact.runs.index import list_runs
from bulkreact.timestamps import iso_milliseconds
from bulkreact.wording import describe_error

LEDGER = "sweeps.sqlite3"
# The target of simulated runs.
SIMULATED = "simulated"
_NO_ROWS = hashlib.sha256().hexdigest()


def content_of(digest: str, sha256: str) -> str:
    """Return the key of a content: the digest of its rows, or that of the file if it has no rows to send."""
    return f"file {sha256}" if digest == _NO_ROWS else digest


def target_name(base_url: str, api_version: str, *, simulated: bool) -> str:
    """Return the name of a partner API."""
    return SIMULATED if simulated else f"{base_url} {api_version}"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A content that had a run: its target, its inbox and its file name.

    ``content`` is the digest of what was sent. ``inbox`` and ``name`` are bytes because paths need not be valid text.
    """

    run_id: str
    content: str
    target: str
    tenant_id: str
    inbox: bytes
    name: bytes
    sha256: str
    stage: FilingStage

    @property
    def file_name(self) -> str:
        """Return the file's name as Python represents it."""
        return os.fsdecode(self.name)


class Ledger:
    """An open ledger, for one inbox; other processes may have it open for others."""

    def __init__(self, connection: sqlite3.Connection, inbox: Path) -> None:
        self._connection = connection
        self.inbox = os.fsencode(inbox.resolve())

    def record_first_sweep(self, now: datetime) -> None:
        """Record when this inbox was first swept, unless already recorded; recorded times to come become ``now``."""
        self._write(ledger_schema.insert("inboxes"), self.inbox, iso_milliseconds(now), None)
        self._write(ledger_schema.LIMIT_TIMES, self.inbox, iso_milliseconds(now))

    def record_activity(self, now: datetime) -> None:
        """Record that the inbox had something new."""
        self._write(ledger_schema.RECORD_ACTIVITY, self.inbox, iso_milliseconds(now))

    def last_activity(self) -> datetime:
        """Return when the inbox last had something new, else when it was first swept."""
        sql = "SELECT coalesce(last_new_at, began_at) FROM inboxes WHERE folder = ?"
        with _reporting_errors():
            return datetime.fromisoformat(self._connection.execute(sql, (self.inbox,)).fetchone()[0])

    def prepare(self, entry: LedgerEntry) -> None:
        """Record a run that is about to be created, unless already recorded."""
        self._write(ledger_schema.insert("entries"), *astuple(entry))

    def set_stage(self, run_id: str, stage: FilingStage) -> None:
        """Record the stage of a run's file."""
        self._write(ledger_schema.STAGE_OF_RUN, stage, run_id)

    def mark_filed(self, entry: LedgerEntry) -> None:
        """Record that a run's file was moved, for earlier runs of the same file too."""
        self._write(
            ledger_schema.STAGE_OF_FILE, FilingStage.FILED, entry.inbox, entry.name, entry.sha256, FilingStage.PREPARED
        )

    def delete_prepared(self, run_id: str) -> None:
        """Delete a run that was never created."""
        self._write("DELETE FROM entries WHERE run_id = ? AND stage = ?", run_id, FilingStage.PREPARED)

    def find_unfiled(self) -> list[LedgerEntry]:
        """Return the entries of this inbox whose files were not moved yet, oldest first."""
        return self._entries("WHERE inbox = ? AND stage <> ? ORDER BY rowid", self.inbox, FilingStage.FILED)

    def runs_of(self, content: str, target: str) -> list[LedgerEntry]:
        """Return the runs of a content at a target, newest first."""
        where = "WHERE content = ? AND target = ? AND stage <> ? ORDER BY rowid DESC"
        return self._entries(where, content, target, FilingStage.PREPARED)

    def mark_left_in_place(self, name: bytes, sha256: str) -> None:
        """Record that a file stays in the inbox and needs nothing more."""
        self._write(ledger_schema.insert("left_in_place"), self.inbox, name, sha256)

    def is_left_in_place(self, name: bytes, sha256: str) -> bool:
        """Return whether a file stays in the inbox and needs nothing more."""
        sql = "SELECT 1 FROM left_in_place WHERE (inbox, name, sha256) = (?, ?, ?)"
        with _reporting_errors():
            return self._connection.execute(sql, (self.inbox, name, sha256)).fetchone() is not None

    def begin_reading(self, name: bytes, sha256: str) -> int:
        """Record that a file is about to be read; return how many times that was begun and did not end."""
        sql = "SELECT begun FROM readings WHERE (inbox, name, sha256) = (?, ?, ?)"
        with _reporting_errors():
            begun = self._connection.execute(sql, (self.inbox, name, sha256)).fetchone()
        self._write(ledger_schema.BEGIN_READING, self.inbox, name, sha256, 1)
        return begun[0] if begun else 0

    def end_reading(self, name: bytes, sha256: str) -> None:
        """Record that the process has survived a file."""
        self._write("DELETE FROM readings WHERE (inbox, name, sha256) = (?, ?, ?)", self.inbox, name, sha256)

    def _entries(self, where: str, *values: str | bytes) -> list[LedgerEntry]:
        sql = f"SELECT {ledger_schema.COLUMNS} FROM entries {where}"  # noqa: S608 - constants
        with _reporting_errors():
            rows = self._connection.execute(sql, values).fetchall()
        return [replace(LedgerEntry(*columns), stage=FilingStage(columns[-1])) for columns in rows]

    def _write(self, sql: str, *values: str | bytes | int | None) -> None:
        with _reporting_errors():
            self._connection.execute(sql, values)


@contextmanager
def _reporting_errors() -> Iterator[None]:
    """Raise ResultsNotWrittenError, which ends the sweep, if the disk is full, read-only or failing, or the file damaged."""
    try:
        with translating_write_errors():
            yield
    except JournalNotWrittenError as error:
        raise ResultsNotWrittenError(
            f"The ledger of sweeps could not be used: {describe_error(error.__cause__ or error)}. Fix the cause, then sweep again."
        ) from error


@contextmanager
def open_ledger(reports: Path, inbox: Path) -> Iterator[Ledger]:
    """Open the ledger of a reports folder for one inbox, creating it if needed; InputRefusedError if that fails.

    A new one begins with the runs of earlier sweeps that are in the reports folder: a ledger was there that is gone.
    """
    path = reports / LEDGER
    try:
        reports.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        if reason := foreign_access(path):
            raise InputRefusedError(
                f"Others may have written the ledger {path}: {reason}. Nothing was sent. Correct owner and mode, or move it "
                "elsewhere: a new one begins with the runs that are here."
            )
        if reason := damage_of_log(path):
            raise _damaged(path, reason)
        connection = connect_sqlite(path)
        ledger = Ledger(connection, inbox)
        _create_tables(connection, path, lambda: _entries_of_runs(reports, ledger.inbox))
    except OSError as error:
        if not os.path.lexists(path):
            raise InputRefusedError(
                f"The reports folder {reports} cannot be written: {error.strerror}. Choose another with --reports."
            ) from None
        raise _unusable(path, error) from None
    except sqlite3.Error as error:
        raise _unusable(path, error) from None
    with closing(connection):
        yield ledger


def _create_tables(
    connection: sqlite3.Connection, path: Path, entries_of_runs: Callable[[], Iterator[LedgerEntry]]
) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in {0, *ledger_schema.VERSIONS}:
        raise InputRefusedError(
            f"The ledger {path} has format {version}, this program reads format {ledger_schema.VERSION}: use the version of "
            "bulkreact that made it."
        )
    _check(connection, path)
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        for statement in ledger_schema.TABLES.split(";"):
            connection.execute(statement)
        connection.executemany(ledger_schema.insert("entries"), map(astuple, entries_of_runs()))
    elif version != ledger_schema.VERSION:
        for statement in ledger_schema.steps_from(version):
            connection.execute(statement)
    connection.execute("COMMIT")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise InputRefusedError unless the ledger is as it was written."""
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise _damaged(path, str(found))
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for table, columns in ledger_schema.tables_with_checksums(version).items():
        sql = f"SELECT 1 FROM {table} NOT INDEXED WHERE checksum IS NOT {checksum_sql(table, columns)} LIMIT 1"  # noqa: S608 - constants
        if connection.execute(sql).fetchone():
            raise _damaged(path, f"a record in {table} does not match its checksum")


def _damaged(path: Path, reason: str) -> InputRefusedError:
    return InputRefusedError(
        f"The ledger {path} is damaged: {reason}. Nothing was sent. Restore it from a backup, or remove it: the next sweep "
        "then makes it from the runs beside it."
    )


def _unusable(path: Path, error: sqlite3.Error | OSError) -> InputRefusedError:
    if isinstance(error, sqlite3.Error) and is_damage(error):
        return _damaged(path, describe_error(error))
    return InputRefusedError(
        f"The ledger {path} cannot be used: {describe_error(error)}. Nothing was sent. Fix that, or choose another folder "
        "with --reports."
    )


def _entries_of_runs(reports: Path, inbox: bytes) -> Iterator[LedgerEntry]:
    """Yield an entry for each finished run of a sweep; an unfinished one is found when its file is read again."""
    for run in reversed(list_runs(reports).runs):
        metadata = run.metadata
        if metadata.command == SWEEP and run.is_finished:
            yield LedgerEntry(
                metadata.id,
                content_of(metadata.digest, metadata.input_sha256),
                target_name(metadata.base_url, metadata.api_version, simulated=metadata.simulated),
                metadata.tenant_id or "",
                inbox,
                os.fsencode(metadata.input_name),
                metadata.input_sha256,
                FilingStage.FILED,
            )


def unfiled_run_ids(reports: Path) -> frozenset[str]:
    """Return the runs whose input files a sweep has not moved yet."""
    path = reports / LEDGER
    if not path.exists():
        return frozenset()
    try:
        with closing(open_uri(path, "mode=ro")) as connection:
            _check(connection, path)
            rows = connection.execute("SELECT run_id FROM entries WHERE stage <> ?", (FilingStage.FILED,))
            return frozenset(run_id for (run_id,) in rows)
    except sqlite3.Error as error:
        raise _unusable(path, error) from None
