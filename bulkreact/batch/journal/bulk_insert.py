"""Inserts the rows of an input into a new journal: a thread writes one batch while the next is read."""

import gc
import sqlite3
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, groupby, repeat

from msgspec.json import Encoder
from msgspec.structs import astuple

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.checksums import Value, checksums_of, with_checksum
from bulkreact.batch.journal.row_traits import TraitFinder
from bulkreact.batch.journal.stored_types import encode_types
from bulkreact.batch.journal.writer import multi_row
from bulkreact.models import ColumnType, InputRow
from bulkreact.plain_rows import PlainRows

_BATCH_ROWS = 2048
# In seconds: batches are read and written in less than the usual 5 ms, and waiting for each other takes a sixteenth more.
_SWITCH_INTERVAL = 0.0005
_MAX_WAITING_BATCHES = 4
# A row with only cells and ids: no duplicate, within the limit, and not taken over, as are all at first.
_AT_FIRST = (None, 0, None)
_PLAIN = ("", "", "", 0, 0, 0, "", *_AT_FIRST)
_encoder = Encoder()

# Consecutive rows for the same statement.
_SameStatement = tuple[str, list[tuple[Value, ...]]]


def insert_rows(connection: sqlite3.Connection, rows: Iterable[InputRow | PlainRows]) -> TraitFinder:
    """Insert rows in order, and return what finds out what they may have.

    An error in either thread ends the insertion and closes the connection.
    """
    with collection_paused(), _switching_often():
        return _insert(connection, rows)


@contextmanager
def collection_paused() -> Iterator[None]:
    """Look for no cycles meanwhile, which takes a third of the time that a workbook's rows do: they are in none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _switching_often() -> Iterator[None]:
    """Let threads exchange the interpreter's lock sooner."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def _insert(connection: sqlite3.Connection, rows: Iterable[InputRow | PlainRows]) -> TraitFinder:
    finder = TraitFinder()
    waiting: deque[Future[None]] = deque()
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="filling")
    try:
        # Start the thread first: a Ctrl-C while it starts would make the pool start a second one for the close.
        thread.submit(int).result()
        for groups in _batches(rows, finder):
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
    return finder


def _batches(rows: Iterable[InputRow | PlainRows], finder: TraitFinder) -> Iterator[list[_SameStatement]]:
    """Yield batches of rows, each as statements with their rows."""
    first = 1
    column_types: tuple[ColumnType, ...] = ()
    for batch in _split(rows):
        finder.add(batch)
        if isinstance(batch, PlainRows):
            ordinals = range(first, first + len(batch))
            cells = list(zip(*batch.columns, strict=True))
            groups = [(schema.INSERT_PLAIN_ROW, _plain_values(ordinals, batch.numbers, cells, batch.ids))]
            numbered = [(first, next(iter(batch)))]
        else:
            numbered = list(enumerate(batch, first))
            groups = [_group(list(group), is_plain=is_plain) for is_plain, group in groupby(numbered, _is_plain)]
        typed = []
        for ordinal, row in numbered:
            if row.typed_cells or (row.column_types is not column_types and row.column_types != column_types):
                typed.append(with_checksum((ordinal, encode_types(row))))
            column_types = row.column_types
        first += len(batch)
        yield [*groups, (schema.INSERT_TYPED_CELLS, typed)]


def _split(rows: Iterable[InputRow | PlainRows]) -> Iterator[list[InputRow] | PlainRows]:
    batch: list[InputRow] = []
    for row in rows:
        if isinstance(row, InputRow):
            batch.append(row)
        if batch and (len(batch) == _BATCH_ROWS or isinstance(row, PlainRows)):
            yield batch
            batch = []
        if isinstance(row, PlainRows):
            yield from row.parts(_BATCH_ROWS)
    if batch:
        yield batch


def _write(connection: sqlite3.Connection, groups: list[_SameStatement]) -> None:
    for sql, rows in groups:
        while rows:
            # Powers of two, so that only a few statements are prepared.
            number = 1 << len(rows).bit_length() - 1
            connection.execute(multi_row(sql, number), list(chain.from_iterable(rows[:number])))
            del rows[:number]


def _is_plain(numbered: tuple[int, InputRow]) -> bool:
    _, row = numbered
    other = row.problem_code or row.request_id or row.request_id_is_for_read or row.outcome_unknown
    return not (other or row.restore_auto_renew or row.deadline)


def _group(rows: Sequence[tuple[int, InputRow]], *, is_plain: bool) -> _SameStatement:
    if not is_plain:
        return schema.INSERT_ROW, _values(rows)
    ids = zip(*(astuple(row.target) for _, row in rows if row.target), strict=True)
    ordinals, numbers = [ordinal for ordinal, _ in rows], [row.number for _, row in rows]
    return schema.INSERT_PLAIN_ROW, _plain_values(ordinals, numbers, [row.cells for _, row in rows], list(ids))


def _plain_values(
    ordinals: Sequence[int],
    numbers: Sequence[int],
    cells: Sequence[Sequence[str]],
    ids: Sequence[Sequence[str]],
) -> list[tuple[Value, ...]]:
    # Column by column: row by row takes a third longer.
    texts = _encoder.encode_lines(cells).decode().split("\n")
    columns = ordinals, numbers, texts[:-1], *ids
    checksums = checksums_of(zip(*columns, *map(repeat, _PLAIN), strict=False))
    return list(zip(*columns, checksums, strict=True))


def _values(rows: Iterable[tuple[int, InputRow]]) -> list[tuple[Value, ...]]:
    return [
        with_checksum(
            (
                *(ordinal, row.number, _encoder.encode(row.cells).decode()),
                *(astuple(row.target) if row.target else (None, None, None)),
                row.problem_code,
                row.problem,
                row.request_id,
                # SQLite has no booleans.
                int(row.request_id_is_for_read),
                int(row.outcome_unknown),
                int(row.restore_auto_renew),
                row.deadline,
                *_AT_FIRST,
            )
        )
        for ordinal, row in rows
    ]
