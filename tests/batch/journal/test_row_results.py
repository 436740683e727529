"""How a row is reported when its stored outcome is not all there is to say."""

import pytest
from msgspec.structs import replace

from bulkreact.batch.journal.row_results import DerivedResult, RowDetails, derive
from bulkreact.models import Outcome, Status

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
