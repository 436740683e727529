"""Deciding what happens to a file of an inbox: every line of the table."""

from dataclasses import replace
from pathlib import Path

import pytest

from bulkreact.inbox.ledger import LedgerEntry
from bulkreact.inbox.ledger_schema import FilingStage
from bulkreact.inbox.new_files import (
    ContinuedFile,
    DuplicateFile,
    IgnoredFile,
    NewFile,
    RefusedFile,
    classify,
)
from bulkreact.runs.input_reader import LoadedInput
from bulkreact.runs.run_record import Run, RunRecord
from bulkreact.sheets.input.input_file import InputFile
from tests.support.ids import guid, metadata, row, write_csv

ENTRY = LedgerEntry("new", "content", "target", "", b"inbox", b"a.csv", "0" * 64, FilingStage.PREPARED)
EARLIER = replace(ENTRY, run_id="earlier", stage=FilingStage.FILED)
UNFINISHED = Run.of(Path("by-hand"), RunRecord(metadata(id="by-hand")))
UNREADABLE = RefusedFile("no header", "no header")


@pytest.fixture
def new_file(tmp_path: Path) -> NewFile:
    """Return a file that can be read, and whose rows had no run."""
    path = write_csv(tmp_path / "a.csv", [row(guid(1))])
    return NewFile(LoadedInput(InputFile(path, max_rows=10), "digest"), ENTRY, metadata(id="new"))


def test_a_file_that_changed_is_ignored_whatever_was_read_of_it(new_file: NewFile) -> None:
    known = replace(new_file, earlier=EARLIER, unfinished=UNFINISHED)
    decisions = [classify(file, changed=True) for file in (UNREADABLE, new_file, known)]
    assert decisions == [IgnoredFile()] * 3


def test_an_unnew_file_file_is_refused_with_its_reason() -> None:
    assert classify(UNREADABLE, changed=False) == UNREADABLE


@pytest.mark.parametrize("unfinished", [None, UNFINISHED])
def test_a_content_that_had_a_run_is_a_copy(new_file: NewFile, unfinished: Run | None) -> None:
    file = replace(new_file, earlier=EARLIER, unfinished=unfinished)
    assert classify(file, changed=False) == DuplicateFile(EARLIER)


def test_an_unfinished_run_of_the_same_rows_is_continued_under_its_own_id(new_file: NewFile) -> None:
    decision = classify(replace(new_file, unfinished=UNFINISHED), changed=False)
    assert decision == ContinuedFile(replace(ENTRY, run_id="by-hand"), UNFINISHED)


def test_any_other_file_is_new(new_file: NewFile) -> None:
    assert classify(new_file, changed=False) == new_file
