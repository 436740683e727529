"""Filling a journal while its input is read: every row in its place, or none."""

import gc
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from bulkreact.batch.journal import bulk_insert
from bulkreact.batch.journal.journal import create
from bulkreact.batch.journal.journal_file import JOURNAL_NAME, read_only
from bulkreact.batch.journal.metadata import load_metadata
from bulkreact.batch.journal.row_traits import RowTraits
from bulkreact.batch.journal.writer import connect_sqlite
from bulkreact.errors import InputRefusedError
from bulkreact.models import CellType, ColumnType, InputRow, Target
from bulkreact.plain_rows import PlainRows
from tests.support.ids import guid, target

MANY = 5000


def plain(number: int) -> InputRow:
    return InputRow(number, ("a", str(number)), target(guid(number), number % 7))


def mixed(number: int) -> InputRow:
    if number % 3 == 0:
        return InputRow(number, ("x",), None, "no-ids", f"no ids in {number}")
    if number % 5 == 0:
        return replace(
            plain(number),
            request_id=guid(number),
            request_id_is_for_read=True,
            outcome_unknown=True,
            deadline="2027-01-01T00:00:00Z",
        )
    return plain(number)


def read_rows(folder: Path) -> list[InputRow]:
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection:
        cursor = connection.execute(
            "SELECT number, json_extract(cells, '$[0]'), json_extract(cells, '$[1]'), customer_id, subscription_id, "
            "entitlement_id, problem_code, problem, request_id, of_read, lost, restore_auto_renew, deadline "
            "FROM rows ORDER BY ordinal"
        )
        return [
            InputRow(
                number,
                (first,) if second is None else (first, second),
                Target(customer, subscription, entitlement) if customer else None,
                problem_code=code,
                problem=problem,
                request_id=request_id,
                request_id_is_for_read=bool(of_read),
                outcome_unknown=bool(lost),
                restore_auto_renew=bool(restore),
                deadline=deadline,
            )
            for (
                number,
                first,
                second,
                customer,
                subscription,
                entitlement,
                code,
                problem,
                request_id,
                of_read,
                lost,
                restore,
                deadline,
            ) in cursor
        ]


def is_empty(folder: Path) -> bool:
    """Return whether nothing in a journal could be taken for a run."""
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection, pytest.raises(InputRefusedError):
        load_metadata(connection)
    with closing(sqlite3.connect(folder / JOURNAL_NAME)) as connection:
        return connection.execute("SELECT * FROM sqlite_schema").fetchall() == []


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("filling")]


@pytest.mark.parametrize("count", [0, 1, 2047, 2048, 2049, 3 * MANY])
def test_plain_rows_arrive_complete_and_in_their_order(tmp_path: Path, count: int) -> None:
    rows = [plain(number) for number in range(2, count + 2)]
    create(tmp_path, iter(rows))
    assert read_rows(tmp_path) == rows
    assert threads() == []


def test_rows_of_all_kinds_arrive_complete_and_in_their_order(tmp_path: Path) -> None:
    rows = [mixed(number) for number in range(2, MANY)]
    create(tmp_path, iter(rows))
    assert read_rows(tmp_path) == rows


def test_the_interpreter_works_as_usual_afterwards(tmp_path: Path) -> None:
    usual = gc.isenabled(), sys.getswitchinterval()
    seen: list[tuple[bool, float]] = []

    def rows() -> Iterator[InputRow]:
        seen.append((gc.isenabled(), sys.getswitchinterval()))
        yield plain(2)
        raise KeyError("done")

    with pytest.raises(KeyError, match="done"):
        create(tmp_path, rows())
    assert (gc.isenabled(), sys.getswitchinterval()) == usual
    assert not seen[0][0]
    assert seen[0][1] < usual[1]


def test_rows_in_bulk_are_stored_like_single_ones(tmp_path: Path) -> None:
    numbers = range(2, 5002)
    ids = [guid(number) for number in numbers]
    types = (ColumnType(1, CellType.NUMBER, "0.00"),)
    bulk = PlainRows(numbers, [ids, [str(number) for number in numbers]], [ids, ids, ids], types)
    together: list[InputRow | PlainRows] = [mixed(2), bulk, mixed(3), mixed(4), bulk]
    dumps: list[tuple[RowTraits, list[str]]] = []
    for rows in (together, [mixed(2), *bulk, mixed(3), mixed(4), *bulk]):
        folder = tmp_path / str(len(dumps))
        folder.mkdir()
        traits = create(folder, rows).traits()
        with closing(read_only(folder)) as connection:
            dumps.append((traits, [*connection.iterdump()]))
    assert dumps[0] == dumps[1]


@pytest.mark.parametrize("index", [0, 2047, MANY - 1])
def test_a_row_that_cannot_be_stored_ends_it_and_leaves_nothing(tmp_path: Path, index: int) -> None:
    rows = [plain(number) for number in range(MANY)]
    rows[index] = InputRow(index, ("x",), Target("no guid", guid(2), guid(3)))
    with pytest.raises(sqlite3.IntegrityError, match="customer_id"):
        create(tmp_path, iter(rows))
    assert is_empty(tmp_path)
    assert threads() == []


@pytest.mark.parametrize("error", [InputRefusedError("too many"), KeyboardInterrupt()])
@pytest.mark.parametrize("count", [0, 1, 2048, MANY])
def test_an_error_while_reading_ends_it_and_leaves_nothing(tmp_path: Path, error: BaseException, count: int) -> None:
    def rows() -> Iterator[InputRow]:
        yield from map(plain, range(count))
        raise error

    with pytest.raises(type(error)):
        create(tmp_path, rows())
    assert is_empty(tmp_path)
    assert threads() == []


def test_a_full_disk_ends_it_as_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> sqlite3.Connection:
        connection = connect_sqlite(path)
        connection.execute("PRAGMA max_page_count = 60")
        return connection

    monkeypatch.setattr("bulkreact.batch.journal.journal.connect_sqlite", full)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        create(tmp_path, map(plain, range(MANY)))
    assert is_empty(tmp_path)


def test_nothing_is_read_far_ahead_of_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, gaps = [0], []
    written = [0]
    write = bulk_insert._write

    def slow(connection: sqlite3.Connection, runs: list[bulk_insert._SameStatement]) -> None:
        time.sleep(0.01)
        gaps.append(read[0] - written[0])
        written[0] += sum(len(rows) for _, rows in runs)
        write(connection, runs)

    def rows() -> Iterator[InputRow]:
        for number in range(300):
            read[0] += 1
            yield plain(number)

    monkeypatch.setattr(bulk_insert, "_BATCH_ROWS", 10)
    monkeypatch.setattr(bulk_insert, "_write", slow)
    create(tmp_path, rows())
    assert written == [300]
    assert max(gaps) <= 10 * (bulk_insert._MAX_WAITING_BATCHES + 2)


def test_it_is_a_rollback_journal_only_while_it_is_made(tmp_path: Path) -> None:
    create(tmp_path, map(plain, range(3)))
    assert [path.name for path in tmp_path.iterdir()] == [JOURNAL_NAME]
    with closing(connect_sqlite(tmp_path / JOURNAL_NAME)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


_INTERRUPTED_TWICE = """
import os, signal, sys, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from bulkreact.batch.journal import bulk_insert, journal
from bulkreact.models import InputRow, Target

raised, shutting_down, left = [], threading.Event(), threading.Event()
shut_down, write, connect = ThreadPoolExecutor.shutdown, bulk_insert._write, journal.connect_sqlite

def shutdown(self, *arguments, **options):
    shutting_down.set()
    shut_down(self, *arguments, **options)

def interrupt(*_):
    # Once while rows are written, and once more while the thread's end is waited for.
    if len(raised) == shutting_down.is_set():
        raised.append(True)
        raise KeyboardInterrupt

def slow(value):
    # A signal is lost on a thread that is just about to wait: it is sent until it has been noticed.
    for noticed in (shutting_down, left):
        while not noticed.is_set():
            os.kill(os.getpid(), signal.SIGINT)
            noticed.wait(0.05)
    return value

def connected(path):
    connection = connect(path)
    connection.create_function("slow", 1, slow)
    return connection

def slowly(connection, runs):
    connection.execute("INSERT INTO sessions (command, version, process_id, started_at) VALUES (slow('a'), '1', 1, 'x')")
    write(connection, runs)

signal.signal(signal.SIGINT, interrupt)
ThreadPoolExecutor.shutdown, bulk_insert._write, journal.connect_sqlite = shutdown, slowly, connected
guid = "{:08x}-1111-4111-8111-000000000000".format
try:
    journal.create(Path(sys.argv[1]), (InputRow(n, ("x",), Target(guid(n), guid(n), guid(n))) for n in range(10**7)))
except KeyboardInterrupt:
    left.set()
    print("left")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in another way there")
def test_a_second_interrupt_takes_nothing_away_from_the_thread_that_still_writes(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED_TWICE, str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (0, "left\n"), ended.stderr
    with closing(connect_sqlite(tmp_path / JOURNAL_NAME)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
