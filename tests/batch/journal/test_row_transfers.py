"""Rows that another run takes over: which ones, once, and by one statement."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkreact.batch.journal.journal import Journal, create, finalize
from bulkreact.models import InputRow
from tests.support.ids import guid, metadata, target

ROWS = [
    InputRow(2, ("a",), target(guid(1))),
    InputRow(4, ("b",), target(guid(2))),
    InputRow(5, ("c",), target(guid(1))),
    InputRow(6, ("d",), None, "no-ids", "there are none"),
    InputRow(9, ("e",), target(guid(3))),
]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    create(tmp_path, ROWS)
    finalize(tmp_path, metadata(header=("a",)))
    with Journal(tmp_path) as journal:
        yield journal


def test_only_rows_that_could_be_sent_are_taken_over(journal: Journal) -> None:
    journal.transfer_rows([2, 3, 5, 6, 9], "next")
    assert journal.find_owners(journal.row_numbers()) == {"": [4], "next": [2, 9]}
    assert journal.open_count().rows == 1
    assert [row.transferred_to for row in journal.result_rows()] == ["next", "", "next", "", "next"]


def test_a_row_is_taken_over_once(journal: Journal) -> None:
    journal.transfer_rows([2], "next")
    journal.transfer_rows([2, 4], "another")
    journal.transfer_rows([2, 4], "another")
    assert journal.find_owners([2, 4]) == {"next": [2], "another": [4]}


def test_one_statement_transfers_all_rows(journal: Journal) -> None:
    statements: list[str] = []
    journal.connection.set_trace_callback(statements.append)
    journal.transfer_rows([2, 4, 9], "next")
    assert len([statement for statement in statements if "handed_to" in statement]) == 1
