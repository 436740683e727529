"""The file of a server's record: one connection, and transactions that are on disk when they return."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from threading import RLock
from typing import TypeVar

from msgspec import Struct, convert
from msgspec.structs import asdict

from bulkreact.errors import InputRefusedError
from bulkreact.web.refusals import RequestRefusedError
from bulkreact.wording import describe_error

_VERSION = 1
RecordT = TypeVar("RecordT", bound=Struct)
_Value = str | int | float | None


class RecordFile:
    """The record of one server; every write is on disk when it returns."""

    def __init__(self, path: Path) -> None:
        self._lock = RLock()
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._connection = _connect(path)
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                schema = files(__package__).joinpath("schema.sql").read_text("utf-8")
                self._connection.executescript(f"BEGIN IMMEDIATE; {schema} COMMIT;")
            elif version != _VERSION:
                raise InputRefusedError(
                    f"{path} has format {version}, this program reads format {_VERSION}: use the version of bulkreact "
                    "that made it."
                )
        except (OSError, sqlite3.Error) as error:
            raise InputRefusedError(
                f"{path} cannot be opened: {describe_error(error)}. Choose another folder with --data."
            ) from None

    def close(self) -> None:
        """Close the file, when nobody is at work on it any more."""
        with self._lock:
            self._connection.close()

    def changed_elsewhere(self, *, wait: bool = True) -> int | None:
        """Return a number that changes when another process writes to the file; None instead of waiting for a writer."""
        if not self._lock.acquire(blocking=wait):
            return None
        try:
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        finally:
            self._lock.release()

    @property
    def revision(self) -> int:
        """Return a number that changes with everything that this server writes."""
        return self._connection.total_changes

    def _insert(self, table: str, record: Struct) -> None:
        names = record.__struct_fields__
        marks = ", ".join(f":{name}" for name in names)
        self._connection.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", asdict(record))  # noqa: S608 - our own names

    def _select(self, record: type[RecordT], rest: str, *values: _Value) -> list[RecordT]:
        names = record.__struct_fields__
        with self._lock:
            rows = self._connection.execute(f"SELECT {', '.join(names)} FROM {rest}", values).fetchall()  # noqa: S608 - our own names
        # SQLite has no booleans: lax conversion takes 0 and 1.
        if record.__struct_config__.array_like:
            return [convert(row, record, strict=False) for row in rows]
        return [convert(dict(zip(names, row, strict=True)), record, strict=False) for row in rows]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Hold a transaction; RequestRefusedError if the file cannot be written."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    # A full disk may have rolled it back, or have left it open.
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except (sqlite3.OperationalError, OSError) as error:
                raise RequestRefusedError(
                    "read-only",
                    f"The server cannot save it: {describe_error(error)}. Runs that have begun go on. Tell the server's "
                    "administrator.",
                ) from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.create_function("casefold", 1, str.casefold, deterministic=True)
    return connection
