"""Pages of a journal's rows have every row that a filter accepts, in order, and no other one."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.checksums import with_checksum
from bulkreact.batch.journal.journal import Journal
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.recorder import Recorder
from bulkreact.batch.journal.row_pages import RowFilter
from bulkreact.batch.journal.writer import Writer
from bulkreact.models import Outcome, RunState, Status
from tests.batch.journal.all_pages import find_wrong_pages
from tests.batch.journal.test_journal import invalid, make, valid
from tests.support.ids import AT, guid
from tests.support.made_runs import make_run


async def settle(folder: Path, session: int, ordinal: int, status: Status, code: str, *, reopen: bool = False) -> None:
    """Record the outcome of a row."""
    writer = Writer(folder / "journal.sqlite3")
    outcome = Outcome(status, 0, None, code, reopen=reopen)
    await Recorder(writer, session=session, first_call=1).settle((ordinal, outcome))
    await writer.close()


def begin_calls(journal: Journal, session: int, *ordinals: int) -> None:
    """Record calls of rows that have no answer yet."""
    for call, ordinal in enumerate(ordinals, journal.next_call_id()):
        values = (call, session, ordinal, "reactivate-entitlement", guid(call), guid(2), AT)
        journal.connection.execute(schema.INSERT_CALL, with_checksum(values))


def begin_session(journal: Journal) -> int:
    return journal.begin_session(command="run", version="1", configured_per_minute=None, now=AT)


def make_mixed(folder: Path, state: RunState | None) -> Path:
    """Make a run of rows of every kind, in a second session that has ended so; None: its process was killed.

    Rows 3, 11, 13, 17 and 18 have the targets of 1, 4, 5, 14 and 16. Row 14 is sent by a run that has finished only, 15
    and 16 are beyond the limit.
    """
    targets = (50, None, 50, 5, 6, None, 8, 9, 10, 11, 5, 13, 6, 15, 16, 17, 15, 17)
    rows = [
        valid(number, entitlement) if entitlement else invalid(number) for number, entitlement in enumerate(targets, 2)
    ]
    rows[11] = replace(valid(13, lost=True), cells=("note", "DEAL"))
    rows[14] = valid(16, lost=True)
    make(folder, rows, row_limit=9)
    with Journal(folder) as journal:
        session = begin_session(journal)
        for ordinal, status, code in (
            (1, Status.FAILED, "800111"),
            (4, Status.REACTIVATED, ""),
            (5, Status.DEFERRED, ""),
        ):
            asyncio.run(settle(folder, session, ordinal, status, code))
        asyncio.run(settle(folder, session, 10, Status.FAILED, "http-503", reopen=True))
        begin_calls(journal, session, 7)
        journal.transfer_rows([8, 9], "another-run")
        journal.end_session(session, state=RunState.INTERRUPTED, exit_code=130, reason="", now=AT)
        session = begin_session(journal)
        asyncio.run(settle(folder, session, 5, Status.UNKNOWN, "no-answer"))
        begin_calls(journal, session, 10)
        if state is RunState.FINISHED:
            asyncio.run(settle(folder, session, 9, Status.FAILED, "http-503"))
            asyncio.run(settle(folder, session, 10, Status.NOT_ATTEMPTED, ""))
            asyncio.run(settle(folder, session, 14, Status.REACTIVATED, ""))
        else:
            begin_calls(journal, session, 9)
        if state:
            journal.end_session(session, state=state, exit_code=0, reason="", now=AT)
    return folder


@pytest.mark.parametrize("state", [None, RunState.INTERRUPTED, RunState.FINISHED])
def test_rows_of_every_kind_are_found_by_their_outcome(tmp_path: Path, state: RunState | None) -> None:
    with JournalReader(make_mixed(tmp_path, state)) as journal:
        assert find_wrong_pages(journal) == []


def test_pages_of_an_earlier_version_s_journal_are_as_whole_without_its_index(tmp_path: Path) -> None:
    folder = make_mixed(tmp_path, RunState.INTERRUPTED)
    with closing(sqlite3.connect(folder / "journal.sqlite3")) as connection:
        connection.execute("DROP INDEX special_rows")
    with JournalReader(folder) as journal:
        assert find_wrong_pages(journal) == []


def test_the_few_rows_that_are_more_than_targets_are_found_by_their_index(tmp_path: Path) -> None:
    sql = f"EXPLAIN QUERY PLAN SELECT ordinal FROM rows WHERE ordinal > 5 AND ({schema.IS_SPECIAL})"  # noqa: S608 - our own names
    with JournalReader(make_mixed(tmp_path, None)) as journal:
        plan = journal.connection.execute(sql).fetchall()
    assert "special_rows" in str(plan)


@pytest.mark.parametrize(
    ("row_filter", "ordinals"),
    [
        (RowFilter(text="800111", status="failed"), []),
        (RowFilter(text="NOTE"), [2, 6, 12]),
        (RowFilter(text="note", code="no-ids"), [2, 6]),
        (RowFilter(customer=guid(1001), status="duplicate"), [3, 11, 13, 17, 18]),
        (RowFilter(customer=guid(1002)), []),
        (RowFilter(), list(range(1, 19))),
    ],
)
def test_rows_are_found_by_what_is_in_them(tmp_path: Path, row_filter: RowFilter, ordinals: list[int]) -> None:
    with JournalReader(make_mixed(tmp_path, RunState.INTERRUPTED)) as journal:
        page = journal.result_page(row_filter, after=0, limit=100)
        single = [journal.result_page(row_filter, after=after, limit=1) for after in (0, *ordinals[:1])]
    assert [row.ordinal for row in page] == ordinals
    assert [row.ordinal for rows in single for row in rows] == ordinals[:2]


def test_a_row_is_found_by_a_part_of_its_request_id(tmp_path: Path) -> None:
    with JournalReader(make_run(tmp_path / "run", 3, Status.ACCEPTED)) as journal:
        found = journal.result_page(RowFilter(text=guid(2)[20:].upper()), after=0, limit=9)
        short = journal.result_page(RowFilter(text=guid(2)[-3:]), after=0, limit=9)
    assert ([row.ordinal for row in found], short) == ([2], [])
