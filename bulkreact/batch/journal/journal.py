"""Creates and writes the journal of a run: durable before anything is sent, and the only source of the results."""

import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout
from msgspec.structs import replace

from bulkreact.batch.journal import row_transfers, schema
from bulkreact.batch.journal.bulk_insert import insert_rows
from bulkreact.batch.journal.metadata import RunMetadata, insert_metadata, load_metadata
from bulkreact.batch.journal.reading import JOURNAL_NAME, JournalReader
from bulkreact.batch.journal.writer import connect_sqlite, translating_write_errors
from bulkreact.errors import AlreadyRunningError, InputRefusedError
from bulkreact.guids import is_guid
from bulkreact.models import SUCCESSES, InputRow, RunState

LOCK_NAME = "journal.lock"
# A status probe holds the lock briefly.
_LOCK_SECONDS = 1.0
_PROBE_SECONDS = 0.2
_SUCCESSES = ", ".join(f"'{status}'" for status in SUCCESSES)
_HAS_SUCCESSES = f"SELECT EXISTS (SELECT 1 FROM outcomes WHERE status IN ({_SUCCESSES}))"  # noqa: S608 - our own names
_CUSTOMERS = "SELECT DISTINCT customer_id FROM rows WHERE customer_id IS NOT NULL LIMIT ?"


class Journal(JournalReader):
    """A journal open for writing, locked by this process."""

    def __init__(self, folder: Path) -> None:
        self._lock = FileLock(folder / LOCK_NAME, mode=0o600)
        try:
            self._lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout:
            raise AlreadyRunningError(
                f"Another process is working on run {folder.name}. Wait until it ends, then try again."
            ) from None
        except OSError as error:
            raise InputRefusedError(f"The run's folder {folder} cannot be written: {error.strerror}.") from None
        try:
            super().__init__(folder)
            self.metadata = load_metadata(self.connection)
        except sqlite3.Error as error:
            self._lock.release()
            raise InputRefusedError(f"The journal in {folder} cannot be opened for writing: {error}.") from None

    def __enter__(self) -> Self:
        # No transaction: each statement commits by itself.
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()
        self._lock.release()

    def _connect(self) -> sqlite3.Connection:
        return connect_sqlite(self.path)

    def begin_session(self, *, command: str, version: str, configured_per_minute: float | None, now: str) -> int:
        """Record that this process works on the run; return the session number."""
        self._execute(schema.CREATE_OUTAGES, ())
        self._execute(schema.FORGET_PROBES, ())
        return int(
            self._execute(
                "INSERT INTO sessions (command, version, process_id, configured_per_minute, started_at) "
                "VALUES (?, ?, ?, ?, ?)",
                (command, version, os.getpid(), configured_per_minute, now),
            )
        )

    def next_call_id(self) -> int:
        """Return the id of the first call of this process."""
        return int(self.connection.execute("SELECT coalesce(max(id), 0) + 1 FROM calls").fetchone()[0])

    def has_successes(self) -> bool:
        """Return whether any row of the run has succeeded."""
        return bool(self.connection.execute(_HAS_SUCCESSES).fetchone()[0])

    def customer_count(self, *, at_most: int) -> int:
        """Return how many customers the rows belong to; counting stops at a limit."""
        return len(self.connection.execute(_CUSTOMERS, (at_most,)).fetchall())

    def end_session(self, session: int, *, state: RunState, exit_code: int, reason: str, now: str) -> None:
        """Record how this process ended its work."""
        self._execute(
            "UPDATE sessions SET ended_at = ?, state = ?, exit_code = ?, reason = ? WHERE id = ?",
            (now, state, exit_code, reason, session),
        )

    def record_tenant(self, tenant_id: str) -> None:
        """Record the tenant of the run if its GUID was unknown when the run started."""
        if is_guid(tenant_id) and not is_guid(self.metadata.tenant_id or ""):
            self._execute("UPDATE run SET tenant_id = ?", (tenant_id,))
            self.metadata = replace(self.metadata, tenant_id=tenant_id)

    def lift_row_limit(self) -> None:
        """Let the rows that a limit excluded be sent too."""
        if self.metadata.row_limit is None:
            return
        self._execute("UPDATE rows SET left_out = 0 WHERE left_out = 1 AND handed_to IS NULL", ())

    def transfer_rows(self, numbers: Sequence[int], run_id: str) -> None:
        """Transfer rows that this run owns, by number, to another run: this one no longer sends them."""
        self._execute(row_transfers.TRANSFER, (run_id, row_transfers.as_json(numbers)))

    def _execute(self, sql: str, values: tuple[str | int | float | None, ...]) -> int:
        with translating_write_errors():
            return self.connection.execute(sql, values).lastrowid or 0


def create(folder: Path, rows: Iterable[InputRow]) -> None:
    """Create a journal in a folder, with the rows of an input but no metadata yet."""
    path = folder / JOURNAL_NAME
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = connect_sqlite(path)
    try:
        # WAL would write every page of a new file twice; the commit syncs them anyway.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.executescript(f"BEGIN IMMEDIATE; {schema.tables()}")
    except sqlite3.Error:
        connection.close()
        raise
    insert_rows(connection, rows)
    with closing(connection):
        connection.execute("COMMIT")


def finalize(folder: Path, metadata: RunMetadata) -> None:
    """Mark duplicates and rows beyond the limit, and store the metadata: the run can start."""
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute(schema.MARK_DUPLICATES).rowcount:
            for statement in schema.ADOPT_FROM_DUPLICATES:
                connection.execute(statement)
        connection.execute(schema.SEPARATE_REQUEST_IDS)
        if connection.execute(schema.FIND_SUBSCRIPTIONS).fetchone()[0]:
            for statement in schema.INDEX_SUBSCRIPTIONS:
                connection.execute(statement)
        if metadata.row_limit is not None:
            connection.execute(schema.EXCLUDE_BY_LIMIT, (metadata.row_limit,))
        insert_metadata(connection, metadata)
        connection.execute("COMMIT")


def is_locked(folder: Path) -> bool:
    """Return whether a process is working on the run in a folder."""
    lock = FileLock(folder / LOCK_NAME, mode=0o600)
    try:
        lock.acquire(timeout=_PROBE_SECONDS, poll_interval=_PROBE_SECONDS / 10)
    except Timeout:
        return True
    except OSError:
        # A read-only folder: its lock cannot be tried.
        return False
    lock.release()
    return False
