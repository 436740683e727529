"""Inserts the rows of an input into a new journal: a thread writes one batch while the next is read."""

import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain

from msgspec.json import Encoder

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.checksums import Value, checksum, with_checksum
from bulkreact.batch.journal.stored_types import encode_types
from bulkreact.batch.journal.writer import multi_row
from bulkreact.models import ColumnType, InputRow

# This many take 5 ms, the interval at which threads exchange the interpreter's lock.
_BATCH_ROWS = 2048
_MAX_WAITING_BATCHES = 4
_PLAIN = ("", "", "", 0, 0, 0, "")
# No duplicate, within the limit, and not taken over.
_AT_FIRST = (None, 0, None)
_encoded = Encoder().encode

# Consecutive rows for the same statement.
_SameStatement = tuple[str, list[tuple[Value, ...]]]


def insert_rows(connection: sqlite3.Connection, rows: Iterable[InputRow]) -> None:
    """Insert rows in order; an error in either thread ends the insertion and closes the connection."""
    waiting: deque[Future[None]] = deque()
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="filling")
    try:
        # Start the thread first: a Ctrl-C while it starts would make the pool start a second one for the close.
        thread.submit(int).result()
        for groups in _batches(rows):
            waiting.append(thread.submit(_write, connection, groups))
            if len(waiting) > _MAX_WAITING_BATCHES:
                waiting.popleft().result()
        for write in waiting:
            write.result()
    except BaseException:
        for write in waiting:
            write.cancel()
        # In the thread: closing here after a second Ctrl-C, while the thread still writes, would crash the process.
        thread.submit(connection.close)
        raise
    finally:
        thread.shutdown()


def _batches(rows: Iterable[InputRow]) -> Iterator[list[_SameStatement]]:
    """Yield batches of rows, each as statements with their rows."""
    groups: list[_SameStatement] = []
    typed: list[tuple[Value, ...]] = []
    last = ""
    column_types: tuple[ColumnType, ...] = ()
    for ordinal, row in enumerate(rows, 1):
        sql, values = _statement(ordinal, row)
        if sql is not last:
            groups.append((sql, []))
            last = sql
        groups[-1][1].append(values)
        if row.typed_cells or (row.column_types is not column_types and row.column_types != column_types):
            typed.append(with_checksum((ordinal, encode_types(row))))
        column_types = row.column_types
        if ordinal % _BATCH_ROWS == 0:
            yield [*groups, (schema.INSERT_TYPED_CELLS, typed)]
            groups, typed, last = [], [], ""
    yield [*groups, (schema.INSERT_TYPED_CELLS, typed)]


def _write(connection: sqlite3.Connection, groups: list[_SameStatement]) -> None:
    for sql, rows in groups:
        while rows:
            # Powers of two, so that only a few statements are prepared.
            number = 1 << len(rows).bit_length() - 1
            connection.execute(multi_row(sql, number), list(chain.from_iterable(rows[:number])))
            del rows[:number]


def _statement(ordinal: int, row: InputRow) -> tuple[str, tuple[Value, ...]]:
    target = row.target
    ids = (target.customer_id, target.subscription_id, target.entitlement_id) if target else (None, None, None)
    begin = (ordinal, row.number, _encoded(row.cells).decode(), *ids)
    rest = (
        row.problem_code,
        row.problem,
        row.request_id,
        row.request_id_is_for_read,
        row.outcome_unknown,
        row.restore_auto_renew,
        row.deadline,
    )
    if rest == _PLAIN:
        return schema.INSERT_PLAIN_ROW, (*begin, checksum(*begin, *_PLAIN, *_AT_FIRST))
    # SQLite has no booleans.
    stored = (int(value) if isinstance(value, bool) else value for value in rest)
    return schema.INSERT_ROW, with_checksum((*begin, *stored, *_AT_FIRST))
