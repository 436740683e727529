"""The next step of a row: pure, every branch is a line here."""

import pytest

from bulkreact.batch.dispatch.reaction import AbortRun, Answered, AttemptLimits, Reaction, RenewToken, react
from bulkreact.batch.policy import Finish, RetryIn, Step, decide, outcome_if_aborted, outcome_if_open
from bulkreact.batch.progress import Effect, RowProgress, Sent, Stage, Unsent, advance
from bulkreact.models import Call, Status
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.verdicts import Verdict
from tests.support.row_verdicts import (
    ACCEPTED,
    ACTIVE,
    AMBIGUOUS,
    DELETED,
    EARLIER,
    FATAL,
    INACTIVE,
    LOST,
    NOT_READY,
    OTHER_STATUS,
    READ_FIRST,
    REDIRECT,
    REFUSED,
    SUSPENDED,
    THROTTLED,
    TOKEN_REFUSED,
    TRY_LATER,
    UNAVAILABLE,
    UNREACHABLE,
    answer,
    call_with,
)


def call_row(*answers: Verdict, attempts: int = 5) -> tuple[RowProgress, Step | Reaction]:
    """Call a row until its last answer; every answer but the last must ask for another call."""
    progress = RowProgress()
    step: Step | Reaction | None = None
    for number, verdict in enumerate(answers, 1):
        assert not isinstance(step, Finish)
        before = progress
        progress = advance(
            before, verdict, Call(number, f"id-{before.request_sequence}", "c", "t", "t", verdict.answer)
        )
        failures, refused = len(before.retries.failures), before.token_refused
        limits = AttemptLimits(attempts, 300)
        step = react(verdict, failures=failures, token_refused=refused, limits=limits, chance=0.5)
        match step:
            case Answered():
                step = decide(before, progress, verdict)
            case AbortRun():
                step = Finish(outcome_if_aborted(before, progress))
    assert step is not None
    return progress, step


def run_to_outcome(*answers: Verdict, attempts: int = 5) -> tuple[Status, str, int]:
    """Return status, code and attempts of the outcome of a row."""
    step = call_row(*answers, attempts=attempts)[1]
    assert isinstance(step, Finish)
    return step.outcome.status, step.outcome.code, step.outcome.attempts


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([ACCEPTED], (Status.ACCEPTED, "", 1)),
        ([REFUSED], (Status.FAILED, "800111", 1)),
        ([TRY_LATER], (Status.DEFERRED, "900278", 1)),
        ([UNAVAILABLE, ACCEPTED], (Status.ACCEPTED, "", 2)),
        ([THROTTLED, THROTTLED, ACCEPTED], (Status.ACCEPTED, "", 3)),
        ([UNAVAILABLE] * 5, (Status.FAILED, "http-503", 5)),
        ([UNREACHABLE] * 5, (Status.FAILED, "unreachable", 0)),
        ([LOST] * 5, (Status.UNKNOWN, "timed-out", 5)),
        ([LOST, *[UNAVAILABLE] * 4], (Status.UNKNOWN, "http-503", 5)),
        ([REDIRECT], (Status.FAILED, "unexpected-redirect", 1)),
        ([LOST, REDIRECT], (Status.UNKNOWN, "unexpected-redirect", 2)),
        ([LOST, REFUSED], (Status.FAILED, "800111", 2)),
        ([LOST, TRY_LATER], (Status.DEFERRED, "900278", 2)),
        ([NOT_READY] * 4, (Status.DEFERRED, "800082", 4)),
        ([AMBIGUOUS, ACTIVE], (Status.ALREADY_ACTIVE, "", 1)),
        ([LOST, AMBIGUOUS, ACTIVE], (Status.REACTIVATED, "", 2)),
        ([AMBIGUOUS, INACTIVE], (Status.FAILED, "900337", 1)),
        ([LOST, AMBIGUOUS, INACTIVE], (Status.UNKNOWN, "900337", 2)),
        ([AMBIGUOUS, OTHER_STATUS], (Status.DEFERRED, "900337", 1)),
        ([LOST, AMBIGUOUS, OTHER_STATUS], (Status.UNKNOWN, "900337", 2)),
        ([AMBIGUOUS, REFUSED], (Status.DEFERRED, "900337", 1)),
        ([AMBIGUOUS, *[UNAVAILABLE] * 5], (Status.DEFERRED, "900337", 1)),
        ([AMBIGUOUS, LOST, ACTIVE], (Status.ALREADY_ACTIVE, "", 1)),
        ([TOKEN_REFUSED, ACCEPTED], (Status.ACCEPTED, "", 2)),
        ([TOKEN_REFUSED, TOKEN_REFUSED], (Status.FAILED, "http-401", 2)),
        ([FATAL], (Status.FAILED, "900329", 1)),
        ([LOST, TOKEN_REFUSED, TOKEN_REFUSED], (Status.UNKNOWN, "http-401", 3)),
        ([LOST, FATAL], (Status.FAILED, "900329", 2)),
    ],
)
def test_answers_have_their_outcome(answers: list[Verdict], expected: tuple[Status, str, int]) -> None:
    assert run_to_outcome(*answers) == expected


def test_a_501_ends_after_one_repetition() -> None:
    not_implemented = verdicts.Transient(answer(501, "0"), retry_once=True)
    assert run_to_outcome(not_implemented, not_implemented) == (Status.FAILED, "0", 2)


def test_waiting_out_a_throttle_is_no_failed_attempt() -> None:
    assert run_to_outcome(*[THROTTLED] * 50, UNAVAILABLE, ACCEPTED, attempts=2) == (Status.ACCEPTED, "", 52)


@pytest.mark.parametrize(
    ("stage", "update_refused", "verdict", "expected"),
    [
        (Sent(EARLIER, 1, Effect.LOST), False, ACTIVE, Status.REACTIVATED),
        (Sent(EARLIER, 1, Effect.MAY_HAVE_ACTED), False, ACTIVE, Status.REACTIVATED),
        (Sent(EARLIER, 1, Effect.ANSWERED), False, ACTIVE, Status.ALREADY_ACTIVE),
        (Unsent(), False, ACTIVE, Status.ALREADY_ACTIVE),
        (Unsent(lost=True), False, ACTIVE, Status.REACTIVATED),
        (Unsent(), False, DELETED, Status.FAILED),
        (Unsent(), False, OTHER_STATUS, Status.FAILED),
        (Unsent(lost=True), False, OTHER_STATUS, Status.UNKNOWN),
        (Sent(EARLIER, 1, Effect.LOST), True, SUSPENDED, Status.UNKNOWN),
        (Unsent(), False, TRY_LATER, Status.DEFERRED),
        (Unsent(), False, REFUSED, Status.FAILED),
    ],
)
def test_the_read_before_an_update_ends_the_row(
    stage: Stage, update_refused: bool, verdict: Verdict, expected: Status
) -> None:
    before = RowProgress(READ_FIRST, stage=stage, update_refused=update_refused)
    step = decide(before, advance(before, verdict, call_with(verdict)), verdict)
    assert isinstance(step, Finish)
    assert step.outcome.status is expected


def test_the_request_id_stays_until_a_business_answer_came() -> None:
    progress, _ = call_row(LOST, UNAVAILABLE, THROTTLED, TOKEN_REFUSED, LOST, attempts=9)
    assert progress.request_sequence == 0
    progress, _ = call_row(LOST, NOT_READY, UNAVAILABLE, attempts=9)
    assert progress.request_sequence == 1


def test_a_busy_target_is_left_alone_for_two_minutes() -> None:
    assert call_row(NOT_READY)[1] == RetryIn(120)


def test_a_refused_token_is_renewed_once_and_again_only_after_another_answer() -> None:
    assert call_row(TOKEN_REFUSED)[1] == RenewToken()
    assert run_to_outcome(TOKEN_REFUSED, TOKEN_REFUSED) == (Status.FAILED, "http-401", 2)
    assert call_row(TOKEN_REFUSED, UNAVAILABLE, TOKEN_REFUSED)[1] == RenewToken()


def test_rows_that_stop_the_run_are_sent_again_by_a_resume() -> None:
    step = call_row(FATAL)[1]
    assert isinstance(step, Finish)
    assert step.outcome.reopen


def test_a_fatal_answer_to_a_read_leaves_the_row_where_it_was() -> None:
    assert run_to_outcome(AMBIGUOUS, FATAL) == (Status.DEFERRED, "900337", 1)


def test_the_cells_describe_the_last_write_call_and_not_the_read() -> None:
    step = call_row(UNAVAILABLE, AMBIGUOUS, ACTIVE)[1]
    assert isinstance(step, Finish)
    assert step.outcome.call is not None
    assert step.outcome.call.id == 2


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([UNAVAILABLE], Status.DEFERRED),
        ([THROTTLED], Status.DEFERRED),
        ([LOST], Status.UNKNOWN),
        ([LOST, NOT_READY], Status.UNKNOWN),
    ],
)
def test_a_row_that_waits_when_the_run_ends_says_so(answers: list[Verdict], status: Status) -> None:
    progress, _ = call_row(*answers)
    assert outcome_if_open(progress).status is status


def test_a_row_without_a_call_was_not_attempted() -> None:
    assert outcome_if_open(RowProgress()).status is Status.NOT_ATTEMPTED
    assert outcome_if_open(RowProgress(stage=Unsent(lost=True))).status is Status.UNKNOWN
