"""Pages of a journal's rows have every row that a filter accepts, in order, and no other one."""

import asyncio
from pathlib import Path

import pytest

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


async def settle(folder: Path, session: int, ordinal: int, status: Status, code: str) -> None:
    """Record the outcome of a row."""
    writer = Writer(folder / "journal.sqlite3")
    await Recorder(writer, session=session, first_call=1).settle((ordinal, Outcome(status, 0, None, code)))
    await writer.close()


def make_mixed(folder: Path, state: RunState | None) -> Path:
    """Make a run of rows of every kind, in a session that has ended so; None: its process was killed."""
    rows = [valid(2, 50), invalid(3), valid(4, 50), valid(5), valid(6), invalid(7), valid(8), valid(9), valid(10)]
    make(folder, rows, row_limit=5)
    with Journal(folder) as journal:
        session = journal.begin_session(command="run", version="1", configured_per_minute=None, now=AT)
        for ordinal, status, code in (
            (1, Status.FAILED, "800111"),
            (4, Status.REACTIVATED, ""),
            (5, Status.DEFERRED, "http-503"),
            (5, Status.UNKNOWN, "no-answer"),
            *(((8, Status.FAILED, "http-503"),) if state is RunState.FINISHED else ()),
        ):
            asyncio.run(settle(folder, session, ordinal, status, code))
        journal.transfer_rows([8], "another-run")
        if state:
            journal.end_session(session, state=state, exit_code=0, reason="", now=AT)
    return folder


@pytest.mark.parametrize("state", [None, RunState.INTERRUPTED, RunState.FINISHED])
def test_rows_of_every_kind_are_found_by_their_outcome(tmp_path: Path, state: RunState | None) -> None:
    with JournalReader(make_mixed(tmp_path, state)) as journal:
        assert find_wrong_pages(journal) == []


@pytest.mark.parametrize(
    ("row_filter", "ordinals"),
    [
        (RowFilter(text="800111", status="failed"), []),
        (RowFilter(text="NOTE"), [2, 6]),
        (RowFilter(text="note", code="no-ids"), [2, 6]),
        (RowFilter(customer=guid(1001), status="duplicate"), [3]),
        (RowFilter(customer=guid(1002)), []),
        (RowFilter(), list(range(1, 10))),
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
