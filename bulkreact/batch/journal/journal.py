"""Creates and writes the journal of a run: durable before anything is sent, and the only source of the results."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import Timeout
from msgspec.structs import replace

from bulkreact.batch.journal import row_transfers, schema
from bulkreact.batch.journal.background_check import begin_check
from bulkreact.batch.journal.bulk_insert import insert_rows
from bulkreact.batch.journal.checksums import Value, with_checksum
from bulkreact.batch.journal.fingerprint import save_fingerprint
from bulkreact.batch.journal.integrity import check_journal
from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.batch.journal.metadata import RunMetadata, insert_metadata, load_metadata
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.row_traits import ANY_TRAITS, RowTraits, TraitFinder
from bulkreact.batch.journal.seal import seal, upgrade
from bulkreact.batch.journal.writer import connect_sqlite, translating_write_errors
from bulkreact.errors import AlreadyRunningError, InputRefusedError, JournalNotWrittenError, JournalUnreadableError
from bulkreact.guids import is_guid
from bulkreact.models import SUCCESSES, InputRow, RunState
from bulkreact.plain_rows import PlainRows
from bulkreact.system_lock import release, system_lock
from bulkreact.wording import describe_error

LOCK_NAME = "journal.lock"
# A status probe holds the lock briefly.
_LOCK_SECONDS = 1.0
_PROBE_SECONDS = 0.2
_SUCCESSES = ", ".join(f"'{status}'" for status in SUCCESSES)
_HAS_SUCCESSES = f"SELECT EXISTS (SELECT 1 FROM outcomes WHERE status IN ({_SUCCESSES}))"  # noqa: S608 - our own names
# Runs that this process works on: asking the system for its own locks would wait for nothing.
_OWN: set[Path] = set()
_CUSTOMERS = "SELECT DISTINCT customer_id FROM rows WHERE customer_id IS NOT NULL LIMIT ?"


class Journal(JournalReader):
    """A journal open for writing, locked by this process.

    ``check``: raise JournalDamagedError unless it is as it was written, before anything is written to it. Only a journal
    that this process has just made needs no check. ``meanwhile``: that of a long journal, left in order, is only begun;
    ``finish_check`` must be called before anything is reported from it.
    """

    def __init__(self, folder: Path, *, check: bool = False, meanwhile: bool = False) -> None:
        self._lock = system_lock(folder / LOCK_NAME)
        try:
            self._lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout:
            raise AlreadyRunningError(
                f"Another process is working on run {folder.name}. Wait until it ends, then try again."
            ) from None
        except OSError as error:
            raise InputRefusedError(f"The run's folder {folder} cannot be written: {error.strerror}.") from None
        self._owned = folder.resolve()
        _OWN.add(self._owned)
        try:
            self._check = begin_check(folder) if check and meanwhile else None
            if check and not meanwhile:
                check_journal(folder)
            super().__init__(folder)
            self.metadata = load_metadata(self.connection)
            upgrade(self.connection)
        except sqlite3.Error as error:
            self._release()
            raise InputRefusedError(
                f"The journal in {folder} cannot be opened for writing: {describe_error(error)}."
            ) from None
        except JournalUnreadableError:
            self._release()
            raise

    def __enter__(self) -> Self:
        # No transaction: each statement commits by itself.
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with closing(self.connection):
                self.finish_check()
                if error is None:
                    save_fingerprint(self.connection, self.folder)
            if isinstance(error, sqlite3.DatabaseError | LookupError | ValueError):
                self._explain(error)
        finally:
            self._release()

    def _release(self) -> None:
        _OWN.discard(self._owned)
        release(self._lock)

    def _explain(self, error: Exception) -> None:
        """Raise JournalNotWrittenError if the journal was damaged while this process worked on it; else it is a bug."""
        try:
            check_journal(self.folder)
        except JournalUnreadableError as refusal:
            raise JournalNotWrittenError(f"{refusal}") from error

    def on_damage(self, stop: Callable[[], None]) -> None:
        """Let the check call ``stop``, in any thread, as soon as it fails."""
        if self._check:
            self._check.on_failure(stop)

    def finish_check(self) -> None:
        """Wait until the journal is checked; raise JournalDamagedError as at the beginning."""
        if self._check:
            self._check.finish()

    def _connect(self) -> sqlite3.Connection:
        return connect_sqlite(self.path)

    def begin_session(
        self, *, command: str, version: str, configured_per_minute: float | None, now: str, operator: str = ""
    ) -> int:
        """Record that this process works on the run, and for whom; return the session number."""
        self._execute(schema.FORGET_PROBES, ())
        (session,) = self.connection.execute("SELECT coalesce(max(id), 0) + 1 FROM sessions").fetchone()
        # Stored as a real number.
        rate = None if configured_per_minute is None else float(configured_per_minute)
        values = (int(session), command, version, os.getpid(), rate, now, None, None, None, None)
        self._execute(schema.INSERT_SESSION, with_checksum(values))
        if operator and schema.has_table(self.connection, "operators"):
            self._execute(schema.INSERT_OPERATOR, with_checksum((int(session), operator)))
        return int(session)

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
        values: dict[str, Value] = {
            "ended_at": now,
            "state": str(state),
            "exit_code": exit_code,
            "reason": reason,
            "id": session,
        }
        self._execute(schema.END_SESSION, values)

    def record_tenant(self, tenant_id: str) -> None:
        """Record the tenant of the run if its GUID was unknown when the run started."""
        if is_guid(tenant_id) and not is_guid(self.metadata.tenant_id or ""):
            with translating_write_errors():
                self.connection.execute("BEGIN IMMEDIATE")
                self.connection.execute("UPDATE run SET tenant_id = ?", (tenant_id,))
                seal(self.connection)
                self.connection.execute("COMMIT")
            self.metadata = replace(self.metadata, tenant_id=tenant_id)

    def lift_row_limit(self) -> None:
        """Let the rows that a limit excluded be sent too."""
        self._execute(schema.LIFT_LIMIT, ())

    def transfer_rows(self, numbers: Sequence[int], run_id: str) -> None:
        """Transfer rows that this run owns, by number, to another run: this one no longer sends them."""
        self._execute(schema.TRANSFER, {"run": run_id, "numbers": row_transfers.as_json(numbers)})

    def _execute(self, sql: str, values: Sequence[Value] | Mapping[str, Value]) -> None:
        with translating_write_errors():
            self.connection.execute(sql, values)


def create(folder: Path, rows: Iterable[InputRow | PlainRows]) -> TraitFinder:
    """Create a journal in a folder, with the rows of an input but no metadata yet; return what finds their traits."""
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
    finder = insert_rows(connection, rows)
    with closing(connection):
        connection.execute("COMMIT")
    return finder


def finalize(folder: Path, metadata: RunMetadata, traits: RowTraits = ANY_TRAITS) -> None:
    """Mark duplicates and rows beyond the limit, and store the metadata: the run can start."""
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        if traits.may_have_duplicates and connection.execute(schema.MARK_DUPLICATES).rowcount:
            for statement in schema.ADOPT_FROM_DUPLICATES:
                connection.execute(statement)
        if traits.may_have_request_ids:
            connection.execute(schema.SEPARATE_REQUEST_IDS)
        if traits.may_have_subscriptions and connection.execute(schema.FIND_SUBSCRIPTIONS).fetchone()[0]:
            for statement in schema.INDEX_SUBSCRIPTIONS:
                connection.execute(statement)
        if metadata.row_limit is not None:
            connection.execute(schema.EXCLUDE_BY_LIMIT, (metadata.row_limit,))
        insert_metadata(connection, metadata)
        seal(connection)
        connection.execute("COMMIT")


def check_lock(folder: Path) -> None:
    """Raise OSError if the journal in a folder cannot be locked: no process could work on the run."""
    system_lock(folder / LOCK_NAME).acquire().lock.release()


def is_locked(folder: Path) -> bool:
    """Return whether a process is working on the run in a folder."""
    if folder.resolve() in _OWN:
        return True
    lock = system_lock(folder / LOCK_NAME)
    try:
        lock.acquire(timeout=_PROBE_SECONDS, poll_interval=_PROBE_SECONDS / 10)
    except Timeout:
        return True
    except OSError:
        # A read-only folder: its lock cannot be tried.
        return False
    release(lock)
    return False
