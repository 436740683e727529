"""The ledger of sweeps, next to the runs: which contents had a run, and whether their input files were moved.

Every step is durable before the next one, so that after a crash the next sweep knows what is left to do.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from bulkreact.batch.journal.writer import connect_sqlite
from bulkreact.errors import InputRefusedError, ResultsNotWrittenError
from bulkreact.timestamps import iso_milliseconds

LEDGER = "sweeps.sqlite3"
_VERSION = 1
# The target of simulated runs.
SIMULATED = "simulated"


class FilingStage(StrEnum):
    """The progress of a content; a stage is recorded once it is durable.

    ``PREPARED``: its run is about to be created. ``STARTED``: the run exists. ``ENDED``: its results are written.
    ``FILED``: its input file was moved.
    """

    PREPARED = "prepared"
    STARTED = "begun"
    ENDED = "ended"
    FILED = "settled"


_TABLES = f"""
CREATE TABLE inboxes (
    folder BLOB PRIMARY KEY,
    began_at TEXT NOT NULL,
    last_new_at TEXT
) STRICT;

CREATE TABLE entries (
    run_id TEXT PRIMARY KEY,
    content TEXT NOT NULL,
    target TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    inbox BLOB NOT NULL,
    name BLOB NOT NULL,
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    stage TEXT NOT NULL CHECK (stage IN ({", ".join(f"'{stage}'" for stage in FilingStage)}))
) STRICT;
CREATE INDEX entries_by_content ON entries (content);

CREATE TABLE left_in_place (
    inbox BLOB NOT NULL,
    name BLOB NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (inbox, name, sha256)
) STRICT;

PRAGMA user_version = {_VERSION};
"""
_COLUMNS = "run_id, content, target, tenant_id, inbox, name, sha256, stage"
# A time to come was read off a clock that was wrong; until then nobody would miss new files.
_FIRST_SWEEP = """
INSERT INTO inboxes (folder, began_at) VALUES (?, ?) ON CONFLICT DO UPDATE
SET began_at = min(began_at, excluded.began_at), last_new_at = min(last_new_at, excluded.began_at)
WHERE max(began_at, coalesce(last_new_at, '')) > excluded.began_at
"""
_INSERT = f"INSERT INTO entries ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"  # noqa: S608 - a constant


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
        self._write(_FIRST_SWEEP, self.inbox, iso_milliseconds(now))

    def record_activity(self, now: datetime) -> None:
        """Record that the inbox had something new."""
        self._write("UPDATE inboxes SET last_new_at = ? WHERE folder = ?", iso_milliseconds(now), self.inbox)

    def last_activity(self) -> datetime:
        """Return when the inbox last had something new, else when it was first swept."""
        sql = "SELECT coalesce(last_new_at, began_at) FROM inboxes WHERE folder = ?"
        return datetime.fromisoformat(self._connection.execute(sql, (self.inbox,)).fetchone()[0])

    def prepare(self, entry: LedgerEntry) -> None:
        """Record a run that is about to be created, unless already recorded."""
        self._write(_INSERT, *astuple(entry))

    def set_stage(self, run_id: str, stage: FilingStage) -> None:
        """Record the stage of a run's file."""
        self._write("UPDATE entries SET stage = ? WHERE run_id = ?", stage, run_id)

    def mark_filed(self, entry: LedgerEntry) -> None:
        """Record that a run's file was moved, for earlier runs of the same file too."""
        sql = "UPDATE entries SET stage = ? WHERE (inbox, name, sha256) = (?, ?, ?) AND stage <> ?"
        self._write(sql, FilingStage.FILED, entry.inbox, entry.name, entry.sha256, FilingStage.PREPARED)

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
        self._write("INSERT INTO left_in_place VALUES (?, ?, ?) ON CONFLICT DO NOTHING", self.inbox, name, sha256)

    def is_left_in_place(self, name: bytes, sha256: str) -> bool:
        """Return whether a file stays in the inbox and needs nothing more."""
        sql = "SELECT 1 FROM left_in_place WHERE (inbox, name, sha256) = (?, ?, ?)"
        return self._connection.execute(sql, (self.inbox, name, sha256)).fetchone() is not None

    def _entries(self, where: str, *values: str | bytes) -> list[LedgerEntry]:
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM entries {where}", values)  # noqa: S608 - constants
        return [replace(LedgerEntry(*columns), stage=FilingStage(columns[-1])) for columns in rows]

    def _write(self, sql: str, *values: str | bytes) -> None:
        try:
            self._connection.execute(sql, values)
        except sqlite3.OperationalError as error:
            raise ResultsNotWrittenError(
                f"The ledger of sweeps could not be written: {error}. Fix the cause, then sweep again."
            ) from error


@contextmanager
def open_ledger(reports: Path, inbox: Path) -> Iterator[Ledger]:
    """Open the ledger of a reports folder for one inbox, creating it if needed; InputRefusedError if that fails."""
    path = reports / LEDGER
    try:
        reports.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = connect_sqlite(path)
        _create_tables(connection, path)
    except OSError as error:
        raise InputRefusedError(
            f"The reports folder {reports} cannot be written: {error.strerror}. Choose another with --reports."
        ) from None
    except sqlite3.Error as error:
        raise InputRefusedError(f"The ledger {path} cannot be used: {error}. Nothing was sent.") from None
    with closing(connection):
        yield Ledger(connection, inbox)


def _create_tables(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        for statement in _TABLES.split(";"):
            connection.execute(statement)
    connection.execute("COMMIT")
    if version not in {0, _VERSION}:
        raise InputRefusedError(
            f"The ledger {path} has format {version}, this program reads format {_VERSION}: use the version of "
            "bulkreact that made it."
        )


def unfiled_run_ids(reports: Path) -> frozenset[str]:
    """Return the runs whose input files a sweep has not moved yet."""
    path = reports / LEDGER
    if not path.is_file():
        return frozenset()
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT run_id FROM entries WHERE stage <> ?", (FilingStage.FILED,))
            return frozenset(run_id for (run_id,) in rows)
    except sqlite3.Error as error:
        raise InputRefusedError(f"The ledger {path} cannot be read: {error}.") from None
