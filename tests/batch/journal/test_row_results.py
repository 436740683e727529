"""How a row is reported when its stored outcome is not all there is to say."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.checksums import with_checksum
from bulkreact.batch.journal.journal import Journal
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.row_results import DerivedResult, RowDetails, derive
from bulkreact.models import Outcome, RunState, Status
from bulkreact.sheets.output.results_csv import count_rows
from tests.batch.journal.test_journal import invalid, make, valid
from tests.batch.journal.test_result_pages import make_mixed
from tests.support.ids import AT, guid
from tests.support.made_runs import make_run

NOT_SENT = Outcome(Status.NOT_ATTEMPTED, 0, None)
ACCEPTED = Outcome(Status.ACCEPTED, 1, None)
FAILED = Outcome(Status.FAILED, 2, None, "800111", "no such customer")
UNKNOWN = Outcome(Status.UNKNOWN, 0, None)
INVALID = Outcome(Status.INVALID, 0, None, "no-ids", "no ids")
EXCLUDED = Outcome(Status.NOT_ATTEMPTED, 0, None, "", "left out by --limit")
DUPLICATE = Outcome(Status.DUPLICATE, 0, None, "", "same target as row 2, which has the outcome")
REPEATED = RowDetails(duplicate_of=1, first_number=2)


def keep_numbers(outcome: Outcome, description: str) -> Outcome:
    return Outcome(outcome.status, outcome.attempts, None, outcome.code, description)


@pytest.mark.parametrize(
    ("details", "outcome", "is_stored", "expected"),
    [
        (
            RowDetails("no-ids", "no ids"),
            NOT_SENT,
            False,
            DerivedResult(INVALID, succeeded=False, excluded_by_limit=False, settled=True),
        ),
        (
            RowDetails("no-ids", "no ids", left_out=1),
            NOT_SENT,
            False,
            DerivedResult(INVALID, succeeded=False, excluded_by_limit=False, settled=True),
        ),
        (
            RowDetails(),
            NOT_SENT,
            False,
            DerivedResult(NOT_SENT, succeeded=False, excluded_by_limit=False, settled=False),
        ),
        (RowDetails(), NOT_SENT, True, DerivedResult(NOT_SENT, succeeded=False, excluded_by_limit=False, settled=True)),
        (
            RowDetails(lost=1),
            UNKNOWN,
            False,
            DerivedResult(UNKNOWN, succeeded=False, excluded_by_limit=False, settled=False),
        ),
        (
            RowDetails(left_out=1),
            NOT_SENT,
            False,
            DerivedResult(EXCLUDED, succeeded=False, excluded_by_limit=True, settled=True),
        ),
        (
            RowDetails(left_out=1, lost=1),
            UNKNOWN,
            False,
            DerivedResult(UNKNOWN, succeeded=False, excluded_by_limit=False, settled=False),
        ),
        (
            REPEATED,
            ACCEPTED,
            True,
            DerivedResult(DUPLICATE, succeeded=True, excluded_by_limit=False, settled=True),
        ),
        (
            REPEATED,
            FAILED,
            True,
            DerivedResult(DUPLICATE, succeeded=False, excluded_by_limit=False, settled=True),
        ),
        (
            REPEATED,
            NOT_SENT,
            False,
            DerivedResult(DUPLICATE, succeeded=False, excluded_by_limit=False, settled=False),
        ),
        (
            replace(REPEATED, first_left_out=1),
            NOT_SENT,
            False,
            DerivedResult(DUPLICATE, succeeded=False, excluded_by_limit=True, settled=True),
        ),
        (
            replace(REPEATED, left_out=1),
            NOT_SENT,
            False,
            DerivedResult(DUPLICATE, succeeded=False, excluded_by_limit=False, settled=False),
        ),
        (
            RowDetails(transferred_to="next"),
            FAILED,
            True,
            DerivedResult(
                keep_numbers(FAILED, "taken over by run next: no such customer"),
                succeeded=False,
                excluded_by_limit=False,
                settled=True,
            ),
        ),
        (
            RowDetails(transferred_to="next"),
            NOT_SENT,
            False,
            DerivedResult(
                keep_numbers(NOT_SENT, "taken over by run next"),
                succeeded=False,
                excluded_by_limit=False,
                settled=False,
            ),
        ),
        (
            RowDetails(transferred_to="next", left_out=1),
            NOT_SENT,
            False,
            DerivedResult(
                keep_numbers(EXCLUDED, "taken over by run next: left out by --limit"),
                succeeded=False,
                excluded_by_limit=True,
                settled=True,
            ),
        ),
    ],
)
def test_the_result_of_a_row_follows_from_what_is_on_record(
    details: RowDetails, outcome: Outcome, *, is_stored: bool, expected: DerivedResult
) -> None:
    assert derive(details, outcome, is_stored=is_stored) == expected


def test_a_long_description_of_a_row_taken_over_still_fits_into_the_results() -> None:
    derived = derive(RowDetails(transferred_to="next"), keep_numbers(FAILED, "x" * 1024), is_stored=True)
    assert len(derived.outcome.description) == 1024


@pytest.mark.parametrize("state", [None, RunState.INTERRUPTED, RunState.FINISHED])
def test_groups_count_as_their_rows_do(tmp_path: Path, state: RunState | None) -> None:
    with JournalReader(make_mixed(tmp_path, state)) as journal:
        assert count_rows(journal.result_groups()) == count_rows((row, 1) for row in journal.result_rows())


def test_rows_that_were_not_sent_are_counted_together(tmp_path: Path) -> None:
    rows = [*map(valid, range(2, 40)), *map(invalid, range(40, 50)), valid(50, lost=True), valid(51, lost=True)]
    make(tmp_path, rows, row_limit=30)
    with JournalReader(tmp_path) as journal:
        groups = [(row.outcome.status, row.excluded_by_limit, times) for row, times in journal.result_groups()]
        assert count_rows(journal.result_groups()) == count_rows((row, 1) for row in journal.result_rows())
    assert groups == [
        (Status.NOT_ATTEMPTED, False, 30),
        (Status.NOT_ATTEMPTED, True, 8),
        (Status.INVALID, False, 10),
        (Status.UNKNOWN, False, 1),
        (Status.UNKNOWN, False, 1),
    ]


def test_the_same_code_under_another_http_status_counts_by_itself(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", 4, Status.FAILED)
    with closing(sqlite3.connect(folder / "journal.sqlite3", isolation_level=None)) as connection:
        connection.execute("UPDATE answers SET http_status = 404, code = '20002' WHERE call = 2")
        connection.execute("UPDATE outcomes SET code = '20002'")
    with JournalReader(folder) as journal:
        groups = list(journal.result_groups())
        assert count_rows(groups) == count_rows((row, 1) for row in journal.result_rows())
    assert [times for _, times in groups] == [3, 1]


def test_a_row_that_was_sent_again_counts_by_the_later_answer(tmp_path: Path) -> None:
    with Journal(make_run(tmp_path / "run", 3, Status.FAILED)) as journal:
        journal.connection.execute("UPDATE outcomes SET status = 'unknown'")
        session = journal.begin_session(command="resume", version="1", configured_per_minute=None, now=AT)
        call = (4, session, 2, "reactivate-entitlement", guid(2), guid(4), AT)
        journal.connection.execute(schema.INSERT_CALL, with_checksum(call))
        answer = (4, AT, "Accepted", 202, "", "", 1, 1, 0, "")
        journal.connection.execute(schema.INSERT_ANSWER, with_checksum(answer))
        groups = [(row.outcome.status, times) for row, times in journal.result_groups()]
    assert groups == [(Status.UNKNOWN, 2), (Status.DEFERRED, 1)]
