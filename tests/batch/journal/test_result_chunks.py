"""Rows for result files, read in chunks: those that simply succeeded as they are stored, the others as results."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bulkreact.batch.journal.reading import JournalReader
from bulkreact.models import RunState, Status
from bulkreact.sheets.result_columns import result_cells
from tests.batch.journal.all_pages import read_chunks
from tests.batch.journal.test_result_pages import make_mixed
from tests.support.made_runs import make_run


@pytest.mark.parametrize("state", [RunState.INTERRUPTED, RunState.FINISHED])
def test_rows_of_every_kind_are_read_as_one_by_one(tmp_path: Path, state: RunState) -> None:
    with JournalReader(make_mixed(tmp_path, state)) as journal:
        assert read_chunks(journal, 4) == list(map(result_cells, journal.result_rows()))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rows SET handed_to = 'another-run' WHERE ordinal = 2",
        "UPDATE rows SET duplicate_of = 1 WHERE ordinal = 2",
        "UPDATE outcomes SET description = 'a remark' WHERE ordinal = 2",
        "UPDATE outcomes SET status = 'reactivated', call = NULL WHERE ordinal = 2",
        "UPDATE outcomes SET status = 'pending' WHERE ordinal = 2",
        "UPDATE outcomes SET reopen = 1 WHERE ordinal = 2",
        "DELETE FROM outcomes WHERE ordinal = 2",
        "DELETE FROM answers WHERE call = 2",
        "INSERT INTO outcomes SELECT 9, session, 2, 'unknown', 2, call, 'timed-out', '', 0, '', 0 FROM outcomes WHERE id = 2",
        "DELETE FROM outcomes WHERE ordinal = 9",
    ],
)
def test_only_rows_that_simply_succeeded_are_left_as_stored(tmp_path: Path, change: str) -> None:
    folder = make_run(tmp_path / "run", 3, Status.ACCEPTED)
    with closing(sqlite3.connect(folder / "journal.sqlite3", isolation_level=None)) as connection:
        changed = connection.execute(change).rowcount
    with JournalReader(folder) as journal:
        (chunk,) = journal.result_chunks()
        assert [read_chunks(journal, size) for size in (1, 2)] == [list(map(result_cells, journal.result_rows()))] * 2
    assert sorted(chunk.others) == [2] * changed
    assert sorted(row.ordinal for row in chunk.plain) == [1, *([] if changed else [2]), 3]
