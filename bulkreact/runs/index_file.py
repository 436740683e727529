"""The index file of a reports folder: one entry for each run; a damaged file is replaced, an unusable one ignored."""

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bulkreact.batch.journal import schema
from bulkreact.file_access import foreign_access

INDEX_NAME = ".runs.sqlite3"
_VERSION = 1000 * schema.VERSION + 5
_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    name TEXT PRIMARY KEY, seal INTEGER NOT NULL, mtime INTEGER NOT NULL, size INTEGER NOT NULL,
    inode INTEGER NOT NULL, wal TEXT NOT NULL, created_at TEXT NOT NULL, retry_of TEXT, digest TEXT NOT NULL,
    input_name TEXT NOT NULL, is_open INTEGER NOT NULL, counted INTEGER NOT NULL, content BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS seals ON runs (name, seal);
CREATE INDEX IF NOT EXISTS runs_by_digest ON runs (digest);
CREATE INDEX IF NOT EXISTS open_runs ON runs (input_name) WHERE is_open;
CREATE INDEX IF NOT EXISTS retries ON runs (retry_of) WHERE retry_of IS NOT NULL
"""
_RELATED = """
SELECT * FROM runs WHERE rowid IN (
    SELECT rowid FROM runs WHERE digest = ?
    UNION SELECT rowid FROM runs WHERE is_open AND input_name = ?
    UNION SELECT rowid FROM runs WHERE retry_of IS NOT NULL
)
"""
_NAMED = """
SELECT * FROM runs WHERE substr(name, 1, length(?1)) = ?1 OR substr(name, -length(?1)) = ?1 OR input_name = ?1
    OR name NOT GLOB '????????T??????Z-*'
"""
_BUSY_SECONDS = 1.0


class Entry(NamedTuple):
    """What is known of one run, while its journal's modification time, size, inode and log (``wal``) are the same.

    They are, as long as the modification time of its folder is ``seal``, if that is not 0.
    """

    name: str
    seal: int
    mtime: int
    size: int
    inode: int
    wal: str
    created_at: str
    retry_of: str | None
    digest: str
    input_name: str
    is_open: int
    counted: int
    content: bytes

    @property
    def signature(self) -> tuple[int, int, int, str]:
        """Return the signature of the journal from which the entry was made."""
        return self.mtime, self.size, self.inode, self.wal


@dataclass(frozen=True, slots=True)
class StoredIndex:
    """The seals of all runs in the index by their names, and the entries of those that were asked for."""

    seals: dict[str, int] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)


def load_all(reports: Path) -> StoredIndex:
    """Return all entries, none if the index cannot be used."""
    return _load(reports, "SELECT * FROM runs")


def load_related(reports: Path, *, digest: str, input_name: str) -> StoredIndex:
    """Return the entries with a digest, of an input name if they are open, and of retries."""
    return _load(reports, _RELATED, digest, input_name)


def load_open(reports: Path) -> StoredIndex:
    """Return the entries that are open or not sealed."""
    return _load(reports, "SELECT * FROM runs WHERE is_open OR seal = 0")


def load_old(reports: Path, *, before: str) -> StoredIndex:
    """Return the entries of runs created before a time, and of retries."""
    return _load(reports, "SELECT * FROM runs WHERE created_at < ? OR retry_of IS NOT NULL", before)


def load_named(reports: Path, name: str) -> StoredIndex:
    """Return the entries whose names begin or end so, those of an input name, and those of renamed folders."""
    return _load(reports, _NAMED, name)


def _load(reports: Path, sql: str, *values: str) -> StoredIndex:
    with suppress(sqlite3.Error, OSError), closing(_connect(reports, "ro")) as connection:
        connection.execute("BEGIN")
        if connection.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
            seals = dict(connection.execute("SELECT name, seal FROM runs"))
            entries = map(Entry._make, connection.execute(sql, values))
            return StoredIndex(seals, {entry.name: entry for entry in entries})
    return StoredIndex()


def save(reports: Path, changed: Iterable[Entry], *, removed: Iterable[str]) -> None:
    """Write entries into the index; a damaged index is replaced, an unwritable one is left as it is."""
    path = reports / INDEX_NAME
    for _ in range(2):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            _write(reports, changed, removed)
        except sqlite3.OperationalError:
            # In use, on a full disk, or in a read-only folder.
            return
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)
        except OSError:
            return
        else:
            return


def _write(reports: Path, changed: Iterable[Entry], removed: Iterable[str]) -> None:
    with closing(_connect(reports, "rw")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            connection.execute("DROP TABLE IF EXISTS runs")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.executemany("DELETE FROM runs WHERE name = ?", ((name,) for name in removed))
        marks = ", ".join("?" for _ in Entry._fields)
        connection.executemany(f"INSERT OR REPLACE INTO runs VALUES ({marks})", changed)  # noqa: S608 - only marks
        connection.execute("COMMIT")


def _connect(reports: Path, mode: str) -> sqlite3.Connection:
    if foreign_access(reports / INDEX_NAME):
        # It would say where the calls of our runs go.
        raise sqlite3.OperationalError("others can write it")
    uri = f"{(reports / INDEX_NAME).absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
