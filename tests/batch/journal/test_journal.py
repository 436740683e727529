"""The journal on real SQLite: what is stored, what is derived from it, and what can't be stored."""

import asyncio
import re
import sqlite3
import threading
from collections.abc import Iterable
from contextlib import closing
from enum import StrEnum
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bulkreact.batch.journal import pending_rows, reading, schema
from bulkreact.batch.journal.checksums import with_checksum
from bulkreact.batch.journal.journal import LOCK_NAME, Journal, create, finalize, is_locked
from bulkreact.batch.journal.journal_file import read_only
from bulkreact.batch.journal.metadata import latest_session, load_metadata
from bulkreact.batch.journal.pending_rows import OpenCount, PendingRow
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.recorder import Recorder
from bulkreact.batch.journal.row_results import result_rows
from bulkreact.batch.journal.writer import Statement, Writer, connect_sqlite
from bulkreact.errors import AlreadyRunningError, InputRefusedError, JournalNotWrittenError, JournalUnreadableError
from bulkreact.models import AutoRenew, InputRow, Operation, RunState, Status
from tests.support.ids import AT, guid, metadata, target

WRITE, READ = Operation.REACTIVATE_ENTITLEMENT, Operation.GET_ENTITLEMENT


def valid(number: int, entitlement: int | None = None, *, customer: int = 1, lost: bool = False) -> InputRow:
    row_target = target(guid(entitlement or number), customer)
    request_id = guid(9000 + number) if lost else ""
    return InputRow(number, (row_target.customer_id, "=x"), row_target, request_id=request_id, outcome_unknown=lost)


def invalid(number: int) -> InputRow:
    return InputRow(number, ("", "note"), None, "no-ids", "the row has content but no ids")


def make(folder: Path, rows: Iterable[InputRow], **changes: object) -> Path:
    create(folder, rows)
    finalize(folder, metadata(**changes))
    return folder


def statuses(folder: Path) -> list[Status]:
    with closing(read_only(folder)) as connection:
        return [row.outcome.status for row in result_rows(connection)]


def open_rows(folder: Path) -> list[PendingRow]:
    with JournalReader(folder) as journal:
        rows = journal.pending_rows()
        return [row for stream in rows.streams() for row in rows.rows(stream, 0, 1000)]


def test_the_metadata_of_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    make(tmp_path, [valid(2)], header=("a", "ü", "=c"), row_limit=3, simulated=True)
    with closing(read_only(tmp_path)) as connection:
        assert load_metadata(connection) == metadata(header=("a", "ü", "=c"), row_limit=3, simulated=True)


def test_a_commit_is_made_to_survive_a_power_loss(tmp_path: Path) -> None:
    make(tmp_path, [valid(2)])
    with closing(connect_sqlite(tmp_path / "journal.sqlite3")) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_journal_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    make(tmp_path, [valid(2)])
    assert (tmp_path / "journal.sqlite3").stat().st_mode & 0o777 == 0o600


def test_later_rows_of_the_same_target_are_duplicates_of_the_first(tmp_path: Path) -> None:
    make(tmp_path, [valid(2, 5), invalid(3), valid(4, 6), valid(5, 5), valid(6, 5), invalid(7)])
    with closing(read_only(tmp_path)) as connection:
        rows = list(result_rows(connection))
    assert [row.outcome.status for row in rows] == [
        Status.NOT_ATTEMPTED,
        Status.INVALID,
        Status.NOT_ATTEMPTED,
        Status.DUPLICATE,
        Status.DUPLICATE,
        Status.INVALID,
    ]
    assert [row.outcome.description for row in rows if row.outcome.status is Status.DUPLICATE] == [
        "same target as row 2, which has the outcome"
    ] * 2


def test_the_same_entitlement_under_another_customer_is_another_target(tmp_path: Path) -> None:
    make(tmp_path, [valid(2, 5, customer=1), valid(3, 5, customer=2)])
    assert len(open_rows(tmp_path)) == 2


def test_one_request_id_never_names_two_targets(tmp_path: Path) -> None:
    pasted = [replace(valid(number, lost=True), request_id=guid(9000)) for number in (2, 3)]
    make(tmp_path, [*pasted, valid(4, lost=True)])
    carried = [(row.request_id, row.progress.lost) for row in open_rows(tmp_path)]
    assert carried == [(guid(9000), True), ("", True), (guid(9004), True)]


def test_a_row_takes_over_what_an_earlier_run_left_of_a_later_row_of_the_same_target(tmp_path: Path) -> None:
    make(tmp_path, [valid(2, 5), valid(3, 5, lost=True), valid(4, 5, lost=True), valid(6), valid(7, 6)])
    carried = [(row.number, row.request_id, row.progress.lost) for row in open_rows(tmp_path)]
    assert carried == [(2, guid(9003), True), (6, "", False)]


@pytest.mark.parametrize(("limit", "sent"), [(0, []), (1, [2]), (2, [2, 4]), (9, [2, 4, 6])])
def test_a_limit_counts_only_rows_that_can_be_sent(tmp_path: Path, limit: int, sent: list[int]) -> None:
    make(tmp_path, [valid(2, 5), valid(3, 5), valid(4), invalid(5), valid(6)], row_limit=limit)
    assert [row.number for row in open_rows(tmp_path)] == sent


def test_open_rows_are_counted_as_they_are_sent(tmp_path: Path) -> None:
    make(tmp_path, [valid(2, 5), valid(3, 5), valid(4, customer=2), invalid(5), valid(6), valid(7)], row_limit=2)
    with Journal(tmp_path) as journal:
        assert journal.open_count() == journal.pending_rows().count() == OpenCount(2, 2, 2)
        with_excluded = journal.open_count(with_excluded=True)
        journal.lift_row_limit()
        assert with_excluded == journal.pending_rows().count() == OpenCount(4, 2, 4)


def test_rows_left_between_thousands_of_settled_ones_are_found(tmp_path: Path) -> None:
    left = {1, 999, 1000, 1001, 2000, 2001, 2345}
    with Journal(make(tmp_path, map(valid, range(2, 2347)))) as journal:
        outcomes = [(1, n, "failed", 1, None, "x", "", 0, "") for n in range(1, 2346) if n not in left]
        # Sent and answered once more, rows count once.
        outcomes += [(1, n, "failed", 2, None, "x", "", 0, "") for n in (1003, 1004)]
        session = journal.begin_session(command="run", version="1", configured_per_minute=None, now=AT)
        assert session == 1
        journal.connection.executemany(schema.INSERT_OUTCOME, map(with_checksum, outcomes))
        assert journal.open_count().rows == len(left)
    assert {row.ordinal for row in open_rows(tmp_path)} == left


@pytest.mark.parametrize("is_earlier_version", [False, True])
def test_rows_that_their_latest_outcomes_leave_open_are_found(tmp_path: Path, is_earlier_version: bool) -> None:
    with Journal(make(tmp_path, map(valid, range(2, 7)))) as journal:
        journal.begin_session(command="run", version="1", configured_per_minute=None, now=AT)
        rest = (1, None, "x", "")
        outcomes = [(1, 1, "failed", *rest, 1, ""), (1, 2, "unknown", *rest, 0, ""), (1, 3, "failed", *rest, 0, "")]
        outcomes += [(1, 4, "unknown", *rest, 0, ""), (1, 4, "failed", *rest, 0, "")]
        journal.connection.executemany(schema.INSERT_OUTCOME, map(with_checksum, outcomes))
        if is_earlier_version:
            journal.connection.execute("DROP INDEX open_outcomes")
        assert (journal.open_count().rows, journal.unknown_count().own) == (3, 1)
    assert {row.ordinal for row in open_rows(tmp_path)} == {1, 2, 5}


@pytest.mark.parametrize("sql", [pending_rows._COUNT_UNSETTLED, reading._UNKNOWN])
def test_open_rows_among_the_settled_ones_are_found_by_their_index(tmp_path: Path, sql: str) -> None:
    with JournalReader(make(tmp_path, [valid(2)])) as journal:
        journal.open_count()
        plan = journal.connection.execute(f"EXPLAIN QUERY PLAN {sql}", {"with_excluded": 1}).fetchall()
    assert "open_outcomes" in str(plan)


def test_a_suspended_subscription_takes_two_calls_and_a_duplicate_none(tmp_path: Path) -> None:
    suspended = replace(valid(3), target=target(""))
    make(tmp_path, [valid(2, 5), suspended, valid(4, 5), replace(suspended, number=5), invalid(6)])
    with Journal(tmp_path) as journal:
        count = journal.open_count()
        assert count == journal.pending_rows().count() == OpenCount(rows=2, customers=1, calls=3, customer=guid(1001))


def test_a_killed_process_has_worked_until_its_last_call(tmp_path: Path) -> None:
    with Journal(make(tmp_path, [valid(2)])) as journal:
        session = journal.begin_session(
            command="run", version="1", configured_per_minute=None, now="2026-03-01T12:00:00.000Z"
        )
        assert journal.working_seconds() == 0
        values = (1, session, 1, WRITE, guid(8), guid(9), "2026-03-01T12:00:07.500Z")
        journal.connection.execute(schema.INSERT_CALL, with_checksum(values))
        assert journal.working_seconds() == 7.5


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO rows (ordinal, number, cells, problem_code, problem, request_id, lost) VALUES (9, 9, '[]', '', '', '', 0)",
        "UPDATE rows SET cells = 'no json' WHERE ordinal = 1",
        "UPDATE rows SET customer_id = 'x' WHERE ordinal = 1",
        "UPDATE rows SET entitlement_id = NULL WHERE ordinal = 1",
        "UPDATE rows SET duplicate_of = 1 WHERE ordinal = 1",
        "INSERT INTO outcomes (session, ordinal, status, attempts, code, description, reopen) VALUES (1, 1, 'fine', 0, '', '', 0)",
        "INSERT INTO outcomes (session, ordinal, status, attempts, code, description, reopen) VALUES (1, 1, 'accepted', 0, '', '', 0)",
        "INSERT INTO answers VALUES (1, 't', 'v', NULL, '', '', 1, 1, 0)",
        "INSERT INTO answers VALUES (1, 't', 'v', 200, '', '', 1, 1, 1)",
        "INSERT INTO sessions (command, version, process_id, started_at, state) VALUES ('run', '1', 1, 't', 'finished')",
        "INSERT INTO run SELECT 2, * FROM (SELECT id, uuid FROM run)",
    ],
)
def test_bad_states_cannot_be_stored(tmp_path: Path, statement: str) -> None:
    make(tmp_path, [valid(2)])
    with closing(connect_sqlite(tmp_path / "journal.sqlite3")) as connection, pytest.raises(sqlite3.Error):
        connection.execute(statement)


@pytest.mark.parametrize("enumeration", [AutoRenew, Operation, RunState, Status])
def test_every_member_of_an_enumeration_can_be_stored(enumeration: type[StrEnum]) -> None:
    allowed = re.findall(r"IN \(('[^)]*)\)", schema.tables())
    members = sorted(f"'{member}'" for member in enumeration)
    assert members in [sorted(re.split(r",\s+", names)) for names in allowed]


def test_a_journal_of_a_later_format_is_refused_with_an_explanation(tmp_path: Path) -> None:
    make(tmp_path, [valid(2)])
    with closing(connect_sqlite(tmp_path / "journal.sqlite3")) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        connection.execute("UPDATE seal SET format = format + 1")
        with pytest.raises(
            InputRefusedError, match=f"has format {schema.VERSION + 1}, this program reads format {schema.VERSION}:"
        ):
            load_metadata(connection)


def test_a_damaged_journal_is_reported_as_one(tmp_path: Path) -> None:
    make(tmp_path, [valid(number) for number in range(2, 400)])
    path = tmp_path / "journal.sqlite3"
    path.write_bytes(path.read_bytes()[:8192] + bytes(path.stat().st_size - 8192))
    with pytest.raises(JournalUnreadableError, match="is damaged"), JournalReader(tmp_path) as journal:
        list(journal.result_rows())


def test_a_run_is_worked_on_by_one_process_at_a_time(tmp_path: Path) -> None:
    make(tmp_path, [valid(2)])
    with Journal(tmp_path), pytest.raises(AlreadyRunningError):
        Journal(tmp_path)
    with Journal(tmp_path) as journal:
        assert journal.metadata == metadata()


def test_a_process_need_not_ask_the_system_for_its_own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, [valid(2)])
    with Journal(tmp_path), monkeypatch.context() as patched:
        patched.delattr("bulkreact.batch.journal.journal.system_lock")
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)


def test_asking_who_works_on_a_run_locks_nobody_out(tmp_path: Path) -> None:
    make(tmp_path, [valid(2)])
    asking = FileLock(tmp_path / LOCK_NAME, thread_local=False)
    asking.acquire()
    release = threading.Timer(0.05, asking.release)
    release.start()
    with Journal(tmp_path):
        assert is_locked(tmp_path)
    release.join()
    assert not is_locked(tmp_path)


def test_a_session_is_open_until_it_ends(tmp_path: Path) -> None:
    make(tmp_path, [valid(2)])
    with Journal(tmp_path) as journal:
        session = journal.begin_session(command="run", version="1", configured_per_minute=300.0, now=AT)
        begun = latest_session(journal.connection)
        journal.end_session(session, state=RunState.HALTED, exit_code=4, reason="too many", now=AT)
        ended = latest_session(journal.connection)
    assert begun
    assert (begun.state, begun.exit_code) == (None, None)
    assert ended
    assert (ended.state, ended.exit_code, ended.reason) == (RunState.HALTED, 4, "too many")


async def test_what_was_committed_can_be_read_by_others_at_once_and_in_order(tmp_path: Path) -> None:
    make(tmp_path, [valid(number) for number in range(2, 52)])
    writer = Writer(tmp_path / "journal.sqlite3")
    recorder = Recorder(writer, session=1, first_call=1)

    async def begin(ordinal: int) -> int:
        call = await recorder.record_call(ordinal, WRITE, request_id=guid(1), correlation_id=guid(2), started_at=AT)
        with closing(read_only(tmp_path)) as connection:
            result = connection.execute("SELECT ordinal FROM calls WHERE id = ?", (call,)).fetchone()
        assert result == (ordinal,)
        return call

    calls = await asyncio.gather(*(begin(ordinal) for ordinal in range(1, 51)))
    await writer.close()
    assert calls == list(range(1, 51))


async def test_a_journal_that_cannot_be_written_fails_what_waits_for_it(tmp_path: Path) -> None:
    make(tmp_path, [valid(2)])
    writer = Writer(tmp_path / "journal.sqlite3")
    with closing(connect_sqlite(tmp_path / "journal.sqlite3")) as other:
        other.execute("DROP TABLE calls")
    recorder = Recorder(writer, session=1, first_call=1)
    with pytest.raises(JournalNotWrittenError, match="could not be written"):
        await recorder.record_call(1, WRITE, request_id=guid(1), correlation_id=guid(2), started_at=AT)
    await writer.close()


async def test_a_mistake_of_ours_is_not_mistaken_for_a_full_disk(tmp_path: Path) -> None:
    make(tmp_path, [valid(2)])
    writer = Writer(tmp_path / "journal.sqlite3")
    with pytest.raises(sqlite3.IntegrityError):
        await writer.commit((schema.INSERT_CALL, with_checksum((1, 1, 1, WRITE, "no guid", guid(2), AT))))
    await writer.close()
    with closing(connect_sqlite(tmp_path / "journal.sqlite3")) as other:
        assert other.execute("SELECT count(*) FROM calls").fetchone() == (0,)


def durable(folder: Path) -> int:
    with closing(read_only(folder)) as connection:
        return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])


def call_number(number: int, *, request_id: str = guid(1)) -> Statement:
    return schema.INSERT_CALL, with_checksum((number, 1, 1, WRITE, request_id, guid(2), AT))


async def test_a_submission_is_durable_before_later_ones(tmp_path: Path) -> None:
    make(tmp_path, [valid(2)])
    writer = Writer(tmp_path / "journal.sqlite3")
    rows_at_notice: list[int] = []
    for number in (1, 2, 3):
        writer.submit(call_number(number), on_durable=lambda: rows_at_notice.append(durable(tmp_path)))
    assert rows_at_notice == []
    await writer.commit(call_number(4))
    assert durable(tmp_path) == 4
    assert len(rows_at_notice) == 3
    assert all(seen >= number for number, seen in enumerate(rows_at_notice, 1))
    writer.submit(call_number(5), on_durable=lambda: rows_at_notice.append(durable(tmp_path)))
    await writer.wait_until_durable()
    assert rows_at_notice[3:] == [5]
    for number in (6, 7):
        writer.submit(call_number(number))
    await writer.close()
    assert durable(tmp_path) == 7


async def test_nothing_is_written_after_a_submission_that_failed(tmp_path: Path) -> None:
    make(tmp_path, [valid(2)])
    writer = Writer(tmp_path / "journal.sqlite3")
    notified: list[int] = []
    writer.submit(call_number(1, request_id="no guid"), on_durable=lambda: notified.append(1))
    with pytest.raises(sqlite3.IntegrityError):
        await writer.wait_until_durable()
    for wait in (writer.commit(call_number(2)), writer.wait_until_durable()):
        with pytest.raises(sqlite3.IntegrityError):
            await wait
    await writer.close()
    assert (notified, durable(tmp_path)) == ([], 0)


async def test_a_callback_that_fails_stops_later_commits(tmp_path: Path) -> None:
    make(tmp_path, [valid(2)])
    writer = Writer(tmp_path / "journal.sqlite3")

    def break_pipe() -> None:
        raise BrokenPipeError("nobody listens")

    writer.submit(call_number(1), on_durable=break_pipe)
    with pytest.raises(BrokenPipeError):
        await writer.wait_until_durable()
    with pytest.raises(BrokenPipeError):
        await writer.commit(call_number(2))
    await writer.close()
    assert durable(tmp_path) == 1


async def test_submissions_are_stored_although_a_callback_fails(tmp_path: Path) -> None:
    make(tmp_path, [valid(2)])
    writer = Writer(tmp_path / "journal.sqlite3")
    notified: list[int] = []

    def break_pipe() -> None:
        raise BrokenPipeError("nobody listens")

    writer.submit(call_number(1), on_durable=break_pipe)
    # These wait for the first one.
    writer.submit(call_number(2), on_durable=lambda: notified.append(2))
    writer.submit(call_number(3))
    with pytest.raises(BrokenPipeError):
        await writer.wait_until_durable()
    writer.submit(call_number(4))
    await writer.close()
    assert (durable(tmp_path), notified) == (4, [])


async def test_readers_do_not_disturb_the_writer(tmp_path: Path) -> None:
    make(tmp_path, [valid(2)])
    writer = Writer(tmp_path / "journal.sqlite3")
    with closing(read_only(tmp_path)) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM calls").fetchone()
        await writer.commit(call_number(1))
        assert reader.execute("SELECT count(*) FROM calls").fetchone() == before == (0,)
    await writer.close()


@given(st.lists(st.text(st.characters(codec="utf-8")), max_size=5))
def test_any_text_in_a_cell_is_read_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, cells: list[str]) -> None:
    folder = make(tmp_path_factory.mktemp("run"), [replace(valid(2), cells=(*cells, '\0\x1f\x7f\u2028"\\/'))])
    with closing(read_only(folder)) as connection:
        (row,) = result_rows(connection)
    assert row.cells == (*cells, '\0\x1f\x7f\u2028"\\/')


def test_half_a_character_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        make(tmp_path, [replace(valid(2), cells=("\ud83d",))])
