"""Opens the file of a journal for reading, and says what an error of SQLite means for it."""

import os
import sqlite3
from pathlib import Path

from bulkreact.batch.journal.checksums import add_function
from bulkreact.errors import JournalDamagedError, JournalNotAccessibleError, JournalUnreadableError
from bulkreact.wording import describe_error

JOURNAL_NAME = "journal.sqlite3"
# The file may be in order: it is in use, in another user's folder, or on a failing disk.
_NOT_ACCESSIBLE = frozenset(
    {
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)
_PRIMARY_CODE = 0xFF


def read_only(folder: Path) -> sqlite3.Connection:
    """Open a journal for reading without disturbing a process that works on it."""
    path = folder / JOURNAL_NAME
    # In a read-only folder SQLite opens a WAL database without its log only as immutable.
    at_rest = not os.access(folder, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
    return open_uri(path, "immutable=1" if at_rest else "mode=ro")


def open_uri(path: Path, parameters: str) -> sqlite3.Connection:
    """Open a database with the parameters of a URI."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{parameters}", uri=True, isolation_level=None)
    add_function(connection)
    return connection


def folder_of(connection: sqlite3.Connection) -> Path:
    """Return the folder of an open database."""
    return Path(connection.execute("PRAGMA database_list").fetchone()[2]).parent


def damaged(folder: Path, reason: str) -> JournalDamagedError:
    """Return the refusal of a damaged journal."""
    return JournalDamagedError(
        f"The journal in {folder} is damaged: {reason}. Restore the folder from a backup, or begin anew with --new (in a "
        "sweep: --again), which sends again what it had sent."
    )


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error of SQLite means that the file is damaged, not that it is not accessible."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & _PRIMARY_CODE not in _NOT_ACCESSIBLE


def unreadable(folder: Path, error: sqlite3.Error) -> JournalUnreadableError:
    """Return what an error of SQLite means: a damaged journal, or one that is not accessible."""
    if is_damage(error):
        return damaged(folder, describe_error(error))
    return not_accessible(folder, error)


def not_accessible(folder: Path, error: sqlite3.Error | OSError) -> JournalNotAccessibleError:
    """Return the refusal of a journal that the system does not let us read."""
    return JournalNotAccessibleError(f"The journal in {folder} is not accessible: {describe_error(error)}.")
