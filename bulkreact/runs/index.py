"""Lists the runs of a reports folder, and caches their journals' metadata in an index file.

An entry counts only while its journal is unchanged; the file is rewritten if it is missing, damaged or of another
version. Without write access to the folder there is no index.
"""

import os
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Self

from msgspec import DecodeError, Struct, ValidationError, msgpack

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.metadata import RunMetadata, SessionRecord
from bulkreact.batch.journal.reading import JOURNAL_NAME, JournalReader
from bulkreact.errors import JournalUnreadableError
from bulkreact.models import RunState
from bulkreact.sheets.output import results_csv
from bulkreact.timestamps import utc_now

INDEX_NAME = ".runs.sqlite3"
_VERSION = 1000 * schema.VERSION + 3
_TABLE = """
CREATE TABLE IF NOT EXISTS runs (
    name TEXT PRIMARY KEY, mtime INTEGER NOT NULL, size INTEGER NOT NULL, inode INTEGER NOT NULL, wal TEXT NOT NULL,
    created_at TEXT NOT NULL, retry_of TEXT, counted INTEGER NOT NULL, content BLOB NOT NULL
) STRICT, WITHOUT ROWID
"""
_BUSY_SECONDS = 1.0
# A file changed twice within one tick of its file system's clock looks unchanged; the coarsest one ticks every 2 s.
_SETTLED_NANOSECONDS = 3_000_000_000
_LARGEST = 2**63 - 1
_RUN_FOLDER = re.compile(r"\d{8}T\d{6}Z-.*")


class RunCounts(Struct, frozen=True, array_like=True):
    """How the rows of a run ended: the number of each status, and the resulting exit code."""

    statuses: dict[str, int]
    exit_code: int


class RunRecord(Struct, frozen=True, array_like=True):
    """What a run's journal records; ``session`` is the latest that sent rows, ``counts`` is None unless requested.

    ``has_unknown``: answers are still lost. ``has_transferred``: another run has taken over such rows.
    """

    metadata: RunMetadata
    session: SessionRecord | None = None
    has_unknown: bool = False
    has_transferred: bool = False
    counts: RunCounts | None = None


_decode = msgpack.Decoder(RunRecord).decode


class Run(Struct, frozen=True, dict=True):
    """A run in a reports folder; its record is decoded on demand: of thousands a command needs a few."""

    reports: Path
    name: str
    created_at: str
    retry_of: str | None
    counted: bool
    stored: bytes

    @classmethod
    def of(cls, folder: Path, record: RunRecord) -> Self:
        """Return the run in a folder with a record."""
        metadata, counted = record.metadata, record.counts is not None
        return cls(folder.parent, folder.name, metadata.created_at, metadata.retry_of, counted, msgpack.encode(record))

    @cached_property
    def record(self) -> RunRecord:
        """Return the journal's record; it is read if the index has a bad one."""
        try:
            return _decode(self.stored)
        except (DecodeError, ValidationError):
            return read_run(self.folder, counting=self.counted).record

    @property
    def metadata(self) -> RunMetadata:
        """Return the run's metadata."""
        return self.record.metadata

    @property
    def session(self) -> SessionRecord | None:
        """Return the latest session that sent rows."""
        return self.record.session

    @property
    def folder(self) -> Path:
        """Return the folder of the run."""
        return self.reports / self.name

    @property
    def is_finished(self) -> bool:
        """Return whether the run finished; a stopped or killed run did not."""
        return self.session is not None and self.session.state is RunState.FINISHED

    @property
    def can_be_resumed(self) -> bool:
        """Return whether there is something left to send: the run did not finish, or an answer is still lost."""
        return not self.is_finished or self.record.has_unknown

    @property
    def age(self) -> timedelta:
        """Return how long ago the run was created."""
        return utc_now() - datetime.fromisoformat(self.created_at)


@dataclass(frozen=True, slots=True)
class RunList:
    """The runs of a reports folder, newest first, and why other folders that look like runs cannot be read."""

    runs: list[Run] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)


# Modification time, size and inode of a journal, and the same of its write-ahead log as text.
_Signature = tuple[int, int, int, str]
_Entry = tuple[str, int, int, int, str, str, str | None, int, bytes]


def list_runs(reports: Path, *, counting: bool = False) -> RunList:
    """Return the runs of a reports folder; with ``counting`` also how their rows ended. Opens only changed journals."""
    entries, settled_before = _load(reports), time.time_ns() - _SETTLED_NANOSECONDS
    listed, changed, root = RunList(), list[_Entry](), str(reports)
    for name in _folder_names(reports):
        try:
            signature = _signature(f"{root}/{name}/{JOURNAL_NAME}")
            if signature is None:
                continue
            entry = entries.pop(name, None)
            if entry and entry[1:5] == signature and entry[7] >= counting:
                run = Run(reports, name, entry[5], entry[6], bool(entry[7]), entry[8])
            else:
                run = read_run(reports / name, counting=counting)
                if name.isascii() and _is_settled(signature, settled_before):
                    changed.append((name, *signature, run.created_at, run.retry_of, counting, run.stored))
            listed.runs.append(run)
        except (OSError, JournalUnreadableError) as error:
            if _RUN_FOLDER.fullmatch(name):
                listed.unreadable[reports / name] = str(error)
    if changed or entries:
        _save(reports, changed, removed=entries)
    # Not by id: that has only whole seconds.
    listed.runs.sort(key=attrgetter("created_at"), reverse=True)
    return listed


def read_run(folder: Path, *, counting: bool = False) -> Run:
    """Return the run in a folder, read from its journal; raises JournalUnreadableError and OSError."""
    with JournalReader(folder) as journal:
        unknown, counts = journal.unknown_count(), None
        if counting:
            counted = results_csv.count_rows(journal.result_rows())
            counts = RunCounts(results_csv.counts_by_status(counted), counted.exit_code)
        record = RunRecord(journal.metadata, journal.latest_session(), unknown.own > 0, unknown.transferred > 0, counts)
        return Run.of(folder, record)


def _folder_names(reports: Path) -> Iterator[str]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(reports) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and not entry.is_file(follow_symlinks=False):
                yield entry.name


def _signature(journal: str) -> _Signature | None:
    """Return a signature that changes whenever a journal does, None if there is none."""
    file = _stat(journal)
    if file is None:
        return None
    # Asking first costs half of what a missing file costs otherwise.
    log = _stat(f"{journal}-wal") if os.access(f"{journal}-wal", os.F_OK) else None
    # Readers leave an empty log behind.
    wal = f"{log.st_mtime_ns} {log.st_size} {log.st_ino}" if log and log.st_size else ""
    return file.st_mtime_ns, file.st_size, file.st_ino & _LARGEST, wal


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - making 35,000 Path objects takes longer than the calls
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_settled(signature: _Signature, before: int) -> bool:
    mtime, _, _, wal = signature
    return max(mtime, int(wal.partition(" ")[0] or 0)) < before


def _load(reports: Path) -> dict[str, _Entry]:
    """Return the index entries by folder name, none if the index cannot be used."""
    path = reports / INDEX_NAME
    with suppress(sqlite3.Error, OSError), closing(_connect(path, "ro")) as connection:
        if connection.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
            sql = "SELECT name, mtime, size, inode, wal, created_at, retry_of, counted, content FROM runs"
            return {entry[0]: entry for entry in connection.execute(sql)}
    return {}


def _save(reports: Path, changed: list[_Entry], *, removed: Mapping[str, object]) -> None:
    """Write entries into the index; a damaged index is replaced, an unwritable one is left as it is."""
    path = reports / INDEX_NAME
    for _ in range(2):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            _write(path, changed, removed)
        except sqlite3.OperationalError:
            # In use, on a full disk, or in a read-only folder.
            return
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)
        except OSError:
            return
        else:
            return


def _write(path: Path, changed: list[_Entry], removed: Mapping[str, object]) -> None:
    with closing(_connect(path, "rw")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            connection.execute("DROP TABLE IF EXISTS runs")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute(_TABLE)
        connection.executemany("DELETE FROM runs WHERE name = ?", ((name,) for name in removed))
        connection.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", changed)
        connection.execute("COMMIT")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
