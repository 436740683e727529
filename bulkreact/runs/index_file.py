"""The index file of a reports folder: one entry for each run. One that does not prove itself is made anew."""

import os
import sqlite3
from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct, field, json

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.checksums import checksum
from bulkreact.batch.journal.journal_file import is_damage
from bulkreact.file_access import foreign_access

INDEX_NAME = ".runs.sqlite3"
_VERSION = 1000 * schema.VERSION + 7
_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    name TEXT PRIMARY KEY, seal INTEGER NOT NULL, created_at TEXT NOT NULL, retry_of TEXT, digest TEXT NOT NULL,
    input_name TEXT NOT NULL, is_open INTEGER NOT NULL, mtime INTEGER NOT NULL, size INTEGER NOT NULL,
    inode INTEGER NOT NULL, wal TEXT NOT NULL, counted INTEGER NOT NULL, content BLOB NOT NULL,
    facts_checksum INTEGER NOT NULL, checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS facts ON runs (
    name, seal, created_at, retry_of, digest, input_name, is_open, facts_checksum
)
"""
_FACTS = """
SELECT name, seal, created_at, retry_of, digest, input_name, is_open, facts_checksum FROM runs INDEXED BY facts
"""
_ENTRIES = """
SELECT name, seal, created_at, retry_of, digest, input_name, is_open, mtime, size, inode, wal, counted, content, checksum
FROM runs
"""
_NAMED = "WHERE name IN (SELECT value FROM json_each(?))"
_BUSY_SECONDS = 1.0


class Facts(NamedTuple):
    """What tells whether a run is wanted, without its entry. ``seal``, ``is_open``: as when it was last looked at."""

    name: str
    seal: int
    created_at: str
    retry_of: str | None
    digest: str
    input_name: str
    is_open: int


class Entry(NamedTuple):
    """What is known of one run, while its journal's modification time, size, inode and log (``wal``) are the same.

    They are, as long as the modification time of its folder is ``seal``, if that is not 0. It begins with its Facts.
    """

    name: str
    seal: int
    created_at: str
    retry_of: str | None
    digest: str
    input_name: str
    is_open: int
    mtime: int
    size: int
    inode: int
    wal: str
    counted: int
    content: bytes

    @property
    def signature(self) -> tuple[int, int, int, str]:
        """Return the signature of the journal from which the entry was made."""
        return self.mtime, self.size, self.inode, self.wal


class StoredIndex(Struct, frozen=True):
    """The entries of the runs that were asked for, and the seals of the others, by name.

    Every run that is in neither must be looked at. ``is_damaged``: the file must be made anew, and said nothing.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    is_damaged: bool = False


class _MismatchError(Exception):
    """A record of the index does not match its checksum."""


def load_all(reports: Path) -> StoredIndex:
    """Return all entries, none if the index cannot be used."""
    return load(reports, None)


def load(reports: Path, is_wanted: Callable[[Facts], object] | None) -> StoredIndex:
    """Return the entries of runs that are wanted; nothing if the index cannot be used."""
    return _load(reports, lambda connection: _read(connection, is_wanted))


def load_named(reports: Path, names: Collection[str]) -> StoredIndex:
    """Return the entries of runs with certain names; nothing if the index cannot be used."""
    return _load(reports, lambda connection: StoredIndex(_named_entries(connection, names)))


def _load(reports: Path, read: Callable[[sqlite3.Connection], StoredIndex]) -> StoredIndex:
    try:
        with closing(_connect(reports, "ro")) as connection:
            connection.execute("BEGIN")
            if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                return StoredIndex()
            return read(connection)
    except sqlite3.Error as error:
        return StoredIndex(is_damaged=is_damage(error))
    except (UnicodeDecodeError, _MismatchError):
        return StoredIndex(is_damaged=True)
    except OSError:
        return StoredIndex()


def _read(connection: sqlite3.Connection, is_wanted: Callable[[Facts], object] | None) -> StoredIndex:
    if is_wanted is None:
        return StoredIndex(_entries(connection.execute(_ENTRIES)))
    wanted, others = list[str](), dict[str, int]()
    # What is passed over is as important as what is found: a run that is hidden would be sent once more.
    for *values, found in connection.execute(_FACTS):
        if checksum(*values) != found:
            raise _MismatchError
        facts = Facts._make(values)
        if is_wanted(facts):
            wanted.append(facts.name)
        else:
            others[facts.name] = facts.seal
    return StoredIndex(_named_entries(connection, wanted), others)


def _named_entries(connection: sqlite3.Connection, names: Collection[str]) -> dict[str, Entry]:
    return _entries(connection.execute(f"{_ENTRIES} {_NAMED}", (json.encode(names).decode(),)))


def _entries(rows: sqlite3.Cursor) -> dict[str, Entry]:
    entries = dict[str, Entry]()
    for *values, found in rows:
        if checksum(*values) != found:
            raise _MismatchError
        entry = Entry._make(values)
        entries[entry.name] = entry
    return entries


def save(reports: Path, changed: Collection[Entry], *, removed: Iterable[str], anew: bool = False) -> None:
    """Write entries into the index, ``anew`` or if it is damaged into a new one; leave an unwritable one as it is."""
    for _ in range(2):
        try:
            if anew:
                _remove(reports)
            os.close(os.open(reports / INDEX_NAME, os.O_CREAT | os.O_RDWR, 0o600))
            _write(reports, changed, removed)
        except sqlite3.Error as error:
            if not is_damage(error):
                # In use, on a full disk, or in a read-only folder.
                return
            anew = True
        except OSError:
            return
        else:
            return


def _remove(reports: Path) -> None:
    # With the log of an interrupted write: it would be written back into the new file.
    for name in (INDEX_NAME, f"{INDEX_NAME}-journal"):
        (reports / name).unlink(missing_ok=True)


def _write(reports: Path, changed: Collection[Entry], removed: Iterable[str]) -> None:
    with closing(_connect(reports, "rw")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            connection.execute("DROP TABLE IF EXISTS runs")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.executemany("DELETE FROM runs WHERE name = ?", ((name,) for name in removed))
        records = ((*entry, checksum(*entry[: len(Facts._fields)]), checksum(*entry)) for entry in changed)
        marks = ", ".join("?" for _ in range(len(Entry._fields) + 2))
        connection.executemany(f"INSERT OR REPLACE INTO runs VALUES ({marks})", records)  # noqa: S608 - only marks
        connection.execute("COMMIT")


def _connect(reports: Path, mode: str) -> sqlite3.Connection:
    if foreign_access(reports / INDEX_NAME):
        # It would say where the calls of our runs go.
        raise PermissionError
    uri = f"{(reports / INDEX_NAME).absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
