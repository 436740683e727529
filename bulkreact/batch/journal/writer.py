"""Commits statements in a thread: when the wait for a commit ends, they are on disk."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from itertools import chain
from pathlib import Path

from msgspec import Struct

from bulkreact.batch.journal.checksums import Value, add_function
from bulkreact.errors import JournalNotWrittenError
from bulkreact.wording import describe_error

Statement = tuple[str, Sequence[Value] | Mapping[str, Value]]
OnDurable = Callable[[], None]
# One prepared statement for each number of rows.
_ROWS_PER_STATEMENT = 32


def connect_sqlite(path: Path) -> sqlite3.Connection:
    """Open a database so that a commit survives a power loss; transactions begin explicitly."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA busy_timeout = 30000")
    # On macOS a plain fsync leaves data in the drive's cache; elsewhere this has no effect.
    connection.execute("PRAGMA fullfsync = ON")
    add_function(connection)
    return connection


@contextmanager
def translating_write_errors() -> Iterator[None]:
    """Raise JournalNotWrittenError if the disk is full, read-only or failing, or the file damaged; else it is a bug."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        # Only "malformed" and "not a database" have no class of their own.
        if not (isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError):
            raise
        raise JournalNotWrittenError(f"The journal could not be written: {describe_error(error)}.") from error


class _Entry(Struct):
    """Statements of one transaction, and the callbacks to call when they are durable."""

    statements: tuple[Statement, ...]
    waiter: asyncio.Future[int] | None
    on_durable: OnDurable | None = None


class Writer:
    """Commits in groups: statements submitted during one commit go into the next, without waiting for more.

    ``appends`` are statements that insert one row each: those of a group run together, table by table. A statement
    per row would switch the interpreter's lock between this thread and the event loop each time.
    """

    def __init__(self, path: Path, *, appends: AbstractSet[str] = frozenset()) -> None:
        with translating_write_errors():
            self._connection = connect_sqlite(path)
        self._appends = appends
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._loop = asyncio.get_running_loop()
        self._pending: list[_Entry] = []
        self._running: asyncio.Future[list[int]] | None = None
        # After a failed write nothing more is written. After any other failure submitted statements still are, but each
        # wait raises it.
        self._unwritten: BaseException | None = None
        self._failure: BaseException | None = None

    async def commit(self, *statements: Statement) -> int:
        """Return how many rows the statements wrote, when they are durable, in the order of the calls.

        Raises JournalNotWrittenError if they, or any before them, cannot be written.
        """
        if self._failure:
            raise self._failure
        waiter: asyncio.Future[int] = self._loop.create_future()
        self._add(_Entry(statements, waiter))
        return await waiter

    def submit(self, *statements: Statement, on_durable: OnDurable | None = None) -> None:
        """Write statements before any later ones; ``on_durable`` is called when they are durable.

        Errors, including those of ``on_durable``, surface at the next commit.
        """
        self._add(_Entry(statements, None, on_durable))

    async def wait_until_durable(self) -> None:
        """Wait until everything is durable; raises JournalNotWrittenError if that fails."""
        if self._running or self._pending or self._failure:
            await self.commit()

    async def close(self) -> None:
        """Wait for the running commit and end the thread."""
        while self._running:
            await asyncio.wait([self._running])
        await asyncio.to_thread(self._executor.shutdown)
        self._connection.close()

    def _add(self, entry: _Entry) -> None:
        self._pending.append(entry)
        if not self._running:
            self._flush()

    def _flush(self) -> None:
        group, self._pending = self._pending, []
        if self._unwritten:
            self._fail(group, self._unwritten)
        elif group:
            self._running = self._loop.run_in_executor(
                self._executor, self._commit_group, [entry.statements for entry in group]
            )
            self._running.add_done_callback(partial(self._on_committed, group))

    def _on_committed(self, group: list[_Entry], done: asyncio.Future[list[int]]) -> None:
        self._running = None
        self._unwritten = done.exception()
        self._failure = self._unwritten or self._failure or self._notify(group, done.result())
        if self._failure:
            self._fail(group, self._failure)
        self._flush()

    def _notify(self, group: list[_Entry], written: list[int]) -> BaseException | None:
        """Notify waiters that their statements are durable; return the error of a callback."""
        for entry, count in zip(group, written, strict=True):
            if entry.waiter and not entry.waiter.cancelled():
                entry.waiter.set_result(count)
        try:
            for entry in group:
                if entry.on_durable:
                    entry.on_durable()
        except Exception as error:  # noqa: BLE001 - it is raised again by the next commit
            return error
        return None

    def _fail(self, group: list[_Entry], error: BaseException) -> None:
        for entry in group:
            if entry.waiter and not entry.waiter.done():
                entry.waiter.set_exception(error)

    def _commit_group(self, group: list[tuple[Statement, ...]]) -> list[int]:
        try:
            with translating_write_errors():
                self._connection.execute("BEGIN IMMEDIATE")
                written = self._execute(group)
                self._connection.execute("COMMIT")
            return written
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _execute(self, group: list[tuple[Statement, ...]]) -> list[int]:
        written = [0] * len(group)
        rows: dict[str, list[Sequence[Value]]] = {}
        for index, statements in enumerate(group):
            for sql, values in statements:
                if sql in self._appends and not isinstance(values, Mapping):
                    rows.setdefault(sql, []).append(values)
                    written[index] += 1
                else:
                    # It may read rows appended before it.
                    self._append(rows)
                    rows = {}
                    written[index] += self._connection.execute(sql, values).rowcount
        self._append(rows)
        return written

    def _append(self, rows: Mapping[str, list[Sequence[Value]]]) -> None:
        for sql, value_rows in rows.items():
            for begin in range(0, len(value_rows), _ROWS_PER_STATEMENT):
                batch = value_rows[begin : begin + _ROWS_PER_STATEMENT]
                self._connection.execute(multi_row(sql, len(batch)), list(chain.from_iterable(batch)))


@cache
def multi_row(sql: str, number: int) -> str:
    """Return a statement that inserts several rows instead of one."""
    before, _, values = sql.rpartition("VALUES ")
    return f"{before}VALUES {', '.join([values] * number)}"
