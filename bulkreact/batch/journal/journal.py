"""The durable record of one run: made before anything is sent, and the only source of the results."""

import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.bulk_insert import insert_rows
from bulkreact.batch.journal.reading import JOURNAL_NAME, JournalReader
from bulkreact.batch.journal.writer import connect
from bulkreact.errors import AlreadyRunningError, InputRefusedError, JournalNotWrittenError
from bulkreact.guids import is_guid
from bulkreact.models import SUCCESSES, InputRow, RunState

LOCK_NAME = "journal.lock"
VERIFY = "verify"
# Whoever only asks whether a run is being worked on holds its lock for an instant.
_LOCK_SECONDS = 1.0
_PROBE_SECONDS = 0.2
_SUCCESSES = ", ".join(f"'{status}'" for status in SUCCESSES)
_HAS_SUCCESSES = f"SELECT EXISTS (SELECT 1 FROM outcomes WHERE status IN ({_SUCCESSES}))"  # noqa: S608 - our own words
_CUSTOMERS = "SELECT DISTINCT customer_id FROM rows WHERE customer_id IS NOT NULL LIMIT ?"


@dataclass(frozen=True, slots=True)
class RunMetadata:
    """What is fixed for the whole life of a run; ``uuid`` is the name space of its request ids.

    ``from_spreadsheet`` tells that the input was a workbook, or a text as spreadsheets save it. ``retry_of`` is the run
    whose rows this one took over, None for a run of its own.
    """

    id: str
    uuid: str
    version: str
    command: str
    operator: str
    created_at: str
    input_name: str
    input_sha256: str
    header: tuple[str, ...]
    digest: str
    row_limit: int | None
    cloud: str
    base_url: str
    api_version: str
    tenant_id: str | None
    simulated: bool
    from_spreadsheet: bool
    retry_of: str | None = None

    @property
    def target(self) -> tuple[str, str]:
        """Return what tells one partner API from another; simulators are all alike, whatever their port."""
        return ("simulated", "") if self.simulated else (self.base_url, self.api_version)


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """How the latest process that sent a run's rows ended; all None while it works, or after a kill.

    Processes that only verified do not count: they change nothing about what is still to be sent.
    """

    id: int
    process_id: int
    started_at: str
    ended_at: str | None
    state: RunState | None
    exit_code: int | None
    reason: str | None
    configured_per_minute: float | None


class Journal(JournalReader):
    """A journal open for writing, locked by this process."""

    def __init__(self, folder: Path) -> None:
        self._lock = FileLock(folder / LOCK_NAME, mode=0o600)
        try:
            self._lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout:
            raise AlreadyRunningError(
                f"Another process is working on run {folder.name}. Wait until it has ended, then try again."
            ) from None
        except OSError as error:
            raise InputRefusedError(f"The run's folder {folder} cannot be written: {error.strerror}.") from None
        try:
            super().__init__(folder)
        except sqlite3.Error as error:
            self._lock.release()
            raise InputRefusedError(f"The journal in {folder} cannot be opened for writing: {error}.") from None
        self.facts = read_facts(self.connection)

    def __enter__(self) -> Self:
        # No transaction: each statement commits by itself.
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._lock.release()

    def _connect(self) -> sqlite3.Connection:
        return connect(self.path)

    def begin_session(self, *, command: str, version: str, configured_per_minute: float | None, now: str) -> int:
        """Record that this process works on the run and return the session's number."""
        return int(
            self._execute(
                "INSERT INTO sessions (command, version, process_id, configured_per_minute, started_at) "
                "VALUES (?, ?, ?, ?, ?)",
                (command, version, os.getpid(), configured_per_minute, now),
            )
        )

    def next_call_id(self) -> int:
        """Return the id of the first call that this process makes."""
        return int(self.connection.execute("SELECT coalesce(max(id), 0) + 1 FROM calls").fetchone()[0])

    def has_successes(self) -> bool:
        """Return whether a row of the run has ever ended well."""
        return bool(self.connection.execute(_HAS_SUCCESSES).fetchone()[0])

    def customer_count(self, *, at_most: int) -> int:
        """Return how many customers the rows belong to; counting ends at a limit."""
        return len(self.connection.execute(_CUSTOMERS, (at_most,)).fetchall())

    def end_session(self, session: int, *, state: RunState, exit_code: int, reason: str, now: str) -> None:
        """Record how this process ended its work."""
        self._execute(
            "UPDATE sessions SET ended_at = ?, state = ?, exit_code = ?, reason = ? WHERE id = ?",
            (now, state, exit_code, reason, session),
        )

    def record_tenant(self, tenant_id: str) -> None:
        """Write down which tenant the run is for, if that was not known for sure when it began."""
        if is_guid(tenant_id) and not is_guid(self.facts.tenant_id or ""):
            self._execute("UPDATE run SET tenant_id = ?", (tenant_id,))
            self.facts = replace(self.facts, tenant_id=tenant_id)

    def lift_row_limit(self) -> None:
        """Let rows that a limit had left out be sent as well."""
        if self.facts.row_limit is None:
            return
        self._execute("UPDATE rows SET left_out = 0 WHERE left_out = 1 AND handed_to IS NULL", ())

    def transfer_rows(self, numbers: Iterable[int], run_id: str) -> None:
        """Leave rows, by their numbers, to another run: this one sends them no more."""
        self.connection.execute("BEGIN IMMEDIATE")
        values = ((run_id, number) for number in numbers)
        self.connection.executemany("UPDATE rows SET handed_to = ? WHERE number = ?", values)
        self.connection.execute("COMMIT")

    def _execute(self, sql: str, values: tuple[str | int | float | None, ...]) -> int:
        try:
            return self.connection.execute(sql, values).lastrowid or 0
        except sqlite3.OperationalError as error:
            raise JournalNotWrittenError(f"The journal could not be written: {error}.") from error


def create(folder: Path, rows: Iterable[InputRow]) -> None:
    """Make a journal in a folder and put the rows of an input into it; its facts are still missing."""
    path = folder / JOURNAL_NAME
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = connect(path)
    try:
        # In a new file no page needs to be written twice, as WAL does; at its end they are all synced just the same.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.executescript(f"BEGIN IMMEDIATE; {schema.TABLES}")
    except sqlite3.Error:
        connection.close()
        raise
    insert_rows(connection, rows)
    with closing(connection):
        connection.execute("COMMIT")


def finalize(folder: Path, facts: RunMetadata) -> None:
    """Mark duplicates and what the limit leaves out, and write down the facts: the run can begin."""
    names = ", ".join(RunMetadata.__dataclass_fields__)
    marks = ", ".join("?" for _ in RunMetadata.__dataclass_fields__)
    values = [getattr(facts, name) for name in RunMetadata.__dataclass_fields__ if name != "header"]
    position = list(RunMetadata.__dataclass_fields__).index("header")
    values.insert(position, json.dumps(facts.header, ensure_ascii=False))
    with closing(connect(folder / JOURNAL_NAME)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(schema.MARK_DUPLICATES)
        connection.execute(schema.SEPARATE_REQUEST_IDS)
        if connection.execute(schema.FIND_SUBSCRIPTIONS).fetchone()[0]:
            for statement in schema.INDEX_SUBSCRIPTIONS:
                connection.execute(statement)
        if facts.row_limit is not None:
            connection.execute(schema.LEAVE_OUT, (facts.row_limit,))
        connection.execute(f"INSERT INTO run (one, {names}) VALUES (1, {marks})", values)  # noqa: S608 - our own names
        connection.execute("COMMIT")


def read_facts(connection: sqlite3.Connection) -> RunMetadata:
    """Return the facts of a run; InputRefusedError when this is no journal of a run, or of another version."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != schema.VERSION:
        raise InputRefusedError(
            f"The journal has format {version}, this program reads format {schema.VERSION}: "
            "use the version of bulkreact that made it."
        )
    names = ", ".join(RunMetadata.__dataclass_fields__)
    found = connection.execute(f"SELECT {names} FROM run").fetchone()  # noqa: S608 - our own names
    if found is None:
        raise InputRefusedError("The journal was never finished: the run did not begin.")
    values = dict(zip(RunMetadata.__dataclass_fields__, found, strict=True))
    values["header"] = tuple(json.loads(values["header"]))
    for name in ("simulated", "from_spreadsheet"):
        values[name] = bool(values[name])
    return RunMetadata(**values)


def latest_session(connection: sqlite3.Connection) -> SessionRecord | None:
    """Return how the latest session that sent rows stands, None when there was none."""
    found = connection.execute(
        "SELECT id, process_id, started_at, ended_at, state, exit_code, reason, configured_per_minute "
        "FROM sessions WHERE command <> ? ORDER BY id DESC LIMIT 1",
        (VERIFY,),
    ).fetchone()
    if found is None:
        return None
    session, process, started_at, ended_at, state, *rest = found
    return SessionRecord(session, process, started_at, ended_at, RunState(state) if state else None, *rest)


def is_locked(folder: Path) -> bool:
    """Tell whether a process works on the run in a folder at this moment."""
    lock = FileLock(folder / LOCK_NAME, mode=0o600)
    try:
        lock.acquire(timeout=_PROBE_SECONDS, poll_interval=_PROBE_SECONDS / 10)
    except Timeout:
        return True
    except OSError:
        # Somebody else's folder: it can be read, and its lock cannot be tried.
        return False
    lock.release()
    return False
