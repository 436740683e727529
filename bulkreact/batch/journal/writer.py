"""One thread that commits for everybody: what is awaited is on the disk when the wait ends."""

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

from bulkreact.errors import JournalNotWrittenError

Value = str | int | float | None
Statement = tuple[str, Sequence[Value] | Mapping[str, Value]]
OnDurable = Callable[[], None]
# So many rows at most are appended by one statement; one for each number is kept prepared.
_ROWS_PER_STATEMENT = 32


def connect(path: Path) -> sqlite3.Connection:
    """Open a journal so that a commit survives a power loss; transactions are begun explicitly."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA busy_timeout = 30000")
    # On macOS an ordinary fsync leaves data in the drive's cache; elsewhere this changes nothing.
    connection.execute("PRAGMA fullfsync = ON")
    return connection


@contextmanager
def translating_write_errors() -> Iterator[None]:
    """Raise JournalNotWrittenError when the disk is full, read-only or failing; any other error is a bug."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise JournalNotWrittenError(f"The journal could not be written: {error}.") from error


class _Entry(Struct):
    """Statements that belong together, and who is told when they are durable."""

    statements: tuple[Statement, ...]
    waiter: asyncio.Future[int] | None
    on_durable: OnDurable | None = None


class Writer:
    """Commits in groups: whatever came in while the last commit ran goes into the next one, without lingering.

    ``appends`` are statements that insert one row each: those of a group are made together, table by table. Statements
    for every row would hand the interpreter's lock to and fro between this thread and the event loop.
    """

    def __init__(self, path: Path, *, appends: AbstractSet[str] = frozenset()) -> None:
        self._connection = connect(path)
        self._appends = appends
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._loop = asyncio.get_running_loop()
        self._pending: list[_Entry] = []
        self._running: asyncio.Future[list[int]] | None = None
        # Nothing may follow what could not be written; after any other failure what is submitted still is, and nobody
        # goes on.
        self._unwritten: BaseException | None = None
        self._failure: BaseException | None = None

    async def commit(self, *statements: Statement) -> int:
        """Return how many rows the statements wrote, when they are durable, in the order of the calls.

        Raises JournalNotWrittenError when they, or any before them, cannot be written.
        """
        if self._failure:
            raise self._failure
        waiter: asyncio.Future[int] = self._loop.create_future()
        self._add(_Entry(statements, waiter))
        return await waiter

    def submit(self, *statements: Statement, on_durable: OnDurable | None = None) -> None:
        """Have statements written before any that come later; ``then`` is called when they are durable.

        Whoever commits later learns that they could not be, or what ``then`` raised.
        """
        self._add(_Entry(statements, None, on_durable))

    async def flushed(self) -> None:
        """Wait until everything is durable; raises JournalNotWrittenError when it cannot be."""
        if self._running or self._pending or self._failure:
            await self.commit()

    async def close(self) -> None:
        """Wait for what is being committed and end the thread."""
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
            self._running.add_done_callback(partial(self._flushed, group))

    def _flushed(self, group: list[_Entry], done: asyncio.Future[list[int]]) -> None:
        self._running = None
        self._unwritten = done.exception()
        self._failure = self._unwritten or self._failure or self._notify(group, done.result())
        if self._failure:
            self._fail(group, self._failure)
        self._flush()

    def _notify(self, group: list[_Entry], written: list[int]) -> BaseException | None:
        """Tell everybody that their statements are durable; returns what went wrong with that."""
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
        for place, statements in enumerate(group):
            for sql, values in statements:
                if sql in self._appends and not isinstance(values, Mapping):
                    rows.setdefault(sql, []).append(values)
                    written[place] += 1
                else:
                    # It may look at what was appended before it.
                    self._append(rows)
                    rows = {}
                    written[place] += self._connection.execute(sql, values).rowcount
        self._append(rows)
        return written

    def _append(self, rows: Mapping[str, list[Sequence[Value]]]) -> None:
        for sql, several in rows.items():
            for begin in range(0, len(several), _ROWS_PER_STATEMENT):
                some = several[begin : begin + _ROWS_PER_STATEMENT]
                self._connection.execute(multi_row(sql, len(some)), list(chain.from_iterable(some)))


@cache
def multi_row(sql: str, number: int) -> str:
    """Return a statement that inserts one row for so many of them."""
    before, _, values = sql.rpartition("VALUES ")
    return f"{before}VALUES {', '.join([values] * number)}"
