"""The next step of a row: pure, so that every branch of it is a line here."""

import pytest

from bulkreact.batch.dispatch.reaction import AbortRun, Answered, Reaction, RefreshToken, react
from bulkreact.batch.policy import (
    Effect,
    Finish,
    Reading,
    RetryIn,
    RowProgress,
    Sent,
    Stage,
    Step,
    Unsent,
    advance,
    decide,
    outcome_if_aborted,
    outcome_if_open,
)
from bulkreact.models import Answer, Call, Operation, Status
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.verdicts import Verdict

READ, WRITE = Operation.GET_ENTITLEMENT, Operation.REACTIVATE_ENTITLEMENT
READ_FIRST, UPDATE = Operation.GET_SUBSCRIPTION, Operation.REACTIVATE_SUBSCRIPTION


def said(status: int | None, code: str = "", *, business: bool = False) -> Answer:
    return Answer(status, code, "words", business=business)


ACCEPTED = verdicts.Accepted(said(202, business=True))
REFUSED = verdicts.Refused(said(404, "800111", business=True))
REDIRECT = verdicts.Refused(said(302, "unexpected-redirect"))
CONTESTED = verdicts.AmbiguousRefusal(said(400, "900337", business=True))
BUSY = verdicts.NotReady(said(409, "800082", business=True))
LATER = verdicts.TryLater(said(409, "900278", business=True))
UNAVAILABLE = verdicts.Transient(said(503, "http-503"))
LOST = verdicts.Transient(said(None, "timed-out"), lost=True)
UNREACHABLE = verdicts.Transient(said(None, "unreachable"), sent=False)
THROTTLED = verdicts.Throttled(said(429, "http-429"), 7.0)
NO_TOKEN = verdicts.TokenRefused(said(401, "http-401"))
FATAL = verdicts.Fatal(said(403, "900329", business=True))
ACTIVE = verdicts.StatusRead(said(200, business=True), "active")
INACTIVE = verdicts.StatusRead(said(200, business=True), "inactive")
SUSPENDED = verdicts.StatusRead(said(200, business=True), "suspended")
DELETED = verdicts.StatusRead(said(200, business=True), "deleted")
CONFLICT = verdicts.Conflict(said(412, "http-412", business=True))
EARLIER = Call(1, "id", "c", "t", "t", said(503, "http-503"))
OTHER_WORD = verdicts.StatusRead(said(200, business=True), "warming")


def call_row(*answers: Verdict, attempts: int = 5) -> tuple[RowProgress, Step | Reaction]:
    """Call a row until its last answer; every answer but the last must ask for another call."""
    progress = RowProgress()
    step: Step | Reaction | None = None
    for number, verdict in enumerate(answers, 1):
        assert not isinstance(step, Finish)
        before = progress
        progress = advance(before, verdict, Call(number, f"id-{before.intent}", "c", "t", "t", verdict.answer))
        failures, refused = before.retries.failures, before.token_refused
        step = react(verdict, failures=failures, token_refused=refused, attempts=attempts, chance=0.5)
        match step:
            case Answered():
                step = decide(before, progress, verdict)
            case AbortRun():
                step = Finish(outcome_if_aborted(before, progress))
    assert step is not None
    return progress, step


def ending(*answers: Verdict, attempts: int = 5) -> tuple[Status, str, int]:
    """Return status, code and attempts of the outcome of a row."""
    step = call_row(*answers, attempts=attempts)[1]
    assert isinstance(step, Finish)
    return step.outcome.status, step.outcome.code, step.outcome.attempts


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([ACCEPTED], (Status.ACCEPTED, "", 1)),
        ([REFUSED], (Status.FAILED, "800111", 1)),
        ([LATER], (Status.DEFERRED, "900278", 1)),
        ([UNAVAILABLE, ACCEPTED], (Status.ACCEPTED, "", 2)),
        ([THROTTLED, THROTTLED, ACCEPTED], (Status.ACCEPTED, "", 3)),
        ([UNAVAILABLE] * 5, (Status.FAILED, "http-503", 5)),
        ([UNREACHABLE] * 5, (Status.FAILED, "unreachable", 0)),
        ([LOST] * 5, (Status.UNKNOWN, "timed-out", 5)),
        ([LOST, *[UNAVAILABLE] * 4], (Status.UNKNOWN, "http-503", 5)),
        ([REDIRECT], (Status.FAILED, "unexpected-redirect", 1)),
        ([LOST, REDIRECT], (Status.UNKNOWN, "unexpected-redirect", 2)),
        ([LOST, REFUSED], (Status.FAILED, "800111", 2)),
        ([LOST, LATER], (Status.DEFERRED, "900278", 2)),
        ([BUSY] * 4, (Status.DEFERRED, "800082", 4)),
        ([CONTESTED, ACTIVE], (Status.ALREADY_ACTIVE, "", 1)),
        ([LOST, CONTESTED, ACTIVE], (Status.REACTIVATED, "", 2)),
        ([CONTESTED, INACTIVE], (Status.FAILED, "900337", 1)),
        ([LOST, CONTESTED, INACTIVE], (Status.UNKNOWN, "900337", 2)),
        ([CONTESTED, OTHER_WORD], (Status.DEFERRED, "900337", 1)),
        ([LOST, CONTESTED, OTHER_WORD], (Status.UNKNOWN, "900337", 2)),
        ([CONTESTED, REFUSED], (Status.DEFERRED, "900337", 1)),
        ([CONTESTED, *[UNAVAILABLE] * 5], (Status.DEFERRED, "900337", 1)),
        ([CONTESTED, LOST, ACTIVE], (Status.ALREADY_ACTIVE, "", 1)),
        ([NO_TOKEN, ACCEPTED], (Status.ACCEPTED, "", 2)),
        ([NO_TOKEN, NO_TOKEN], (Status.FAILED, "http-401", 2)),
        ([FATAL], (Status.FAILED, "900329", 1)),
        ([LOST, NO_TOKEN, NO_TOKEN], (Status.UNKNOWN, "http-401", 3)),
        ([LOST, FATAL], (Status.FAILED, "900329", 2)),
    ],
)
def test_answers_lead_to_outcomes(answers: list[Verdict], expected: tuple[Status, str, int]) -> None:
    assert ending(*answers) == expected


def test_a_501_ends_after_one_repetition() -> None:
    not_implemented = verdicts.Transient(said(501, "0"), retry_once=True)
    assert ending(not_implemented, not_implemented) == (Status.FAILED, "0", 2)


def test_waiting_out_a_throttle_is_no_failed_attempt() -> None:
    assert ending(*[THROTTLED] * 50, UNAVAILABLE, ACCEPTED, attempts=2) == (Status.ACCEPTED, "", 52)


def call_with(verdict: Verdict) -> Call:
    return Call(7, "id", "c", "t", "t", verdict.answer)


@pytest.mark.parametrize(
    ("stage", "operation", "verdict", "expected"),
    [
        (Unsent(), READ_FIRST, SUSPENDED, Reading(call_with(SUSPENDED), 1, lost=False)),
        (Unsent(lost=True), READ_FIRST, SUSPENDED, Reading(call_with(SUSPENDED), 1, lost=True)),
        (Reading(EARLIER, 2, lost=True), READ_FIRST, UNREACHABLE, Reading(call_with(UNREACHABLE), 2, lost=True)),
        (Sent(EARLIER, 1, Effect.LOST), READ_FIRST, SUSPENDED, Sent(EARLIER, 1, Effect.LOST)),
        (Unsent(), WRITE, ACCEPTED, Sent(call_with(ACCEPTED), 1, Effect.ANSWERED)),
        (Unsent(), WRITE, UNREACHABLE, Sent(call_with(UNREACHABLE), 0, Effect.ANSWERED)),
        (Unsent(), WRITE, LOST, Sent(call_with(LOST), 1, Effect.LOST)),
        (Unsent(lost=True), WRITE, UNAVAILABLE, Sent(call_with(UNAVAILABLE), 1, Effect.LOST)),
        (Reading(EARLIER, 3, lost=False), WRITE, REFUSED, Sent(call_with(REFUSED), 1, Effect.ANSWERED)),
        (Sent(EARLIER, 1, Effect.ANSWERED), WRITE, UNAVAILABLE, Sent(call_with(UNAVAILABLE), 2, Effect.MAY_HAVE_ACTED)),
        (Sent(EARLIER, 1, Effect.MAY_HAVE_ACTED), WRITE, ACCEPTED, Sent(call_with(ACCEPTED), 2, Effect.ANSWERED)),
        (Sent(EARLIER, 1, Effect.LOST), WRITE, REFUSED, Sent(call_with(REFUSED), 2, Effect.ANSWERED)),
        (Sent(EARLIER, 1, Effect.LOST), WRITE, CONTESTED, Sent(call_with(CONTESTED), 2, Effect.LOST)),
        (Sent(EARLIER, 1, Effect.LOST), WRITE, BUSY, Sent(call_with(BUSY), 2, Effect.LOST)),
        (Sent(EARLIER, 1, Effect.LOST), WRITE, REDIRECT, Sent(call_with(REDIRECT), 2, Effect.LOST)),
        (Sent(EARLIER, 1, Effect.LOST), UPDATE, REFUSED, Sent(call_with(REFUSED), 2, Effect.LOST)),
    ],
)
def test_every_call_moves_the_row_to_its_stage(
    stage: Stage, operation: Operation, verdict: Verdict, expected: Stage
) -> None:
    assert advance(RowProgress(operation, stage=stage), verdict, call_with(verdict)).stage == expected


@pytest.mark.parametrize(
    ("stage", "operation", "verdict", "expected"),
    [
        (Unsent(), WRITE, CONTESTED, READ),
        (Unsent(), READ_FIRST, SUSPENDED, UPDATE),
        (Unsent(), READ_FIRST, ACTIVE, READ_FIRST),
        (Unsent(), UPDATE, CONFLICT, READ_FIRST),
        (Unsent(), UPDATE, verdicts.Transient(said(500), read_first=True), READ_FIRST),
        (Unsent(), UPDATE, REFUSED, UPDATE),
        (Sent(EARLIER, 1, Effect.LOST), UPDATE, REFUSED, READ_FIRST),
        (Sent(EARLIER, 1, Effect.LOST), WRITE, REFUSED, WRITE),
        (Sent(EARLIER, 1, Effect.LOST), READ, ACTIVE, READ),
    ],
)
def test_every_verdict_has_its_next_operation(
    stage: Stage, operation: Operation, verdict: Verdict, expected: Operation
) -> None:
    assert advance(RowProgress(operation, stage=stage), verdict, call_with(verdict)).operation is expected


@pytest.mark.parametrize(
    ("stage", "update_refused", "verdict", "expected"),
    [
        (Sent(EARLIER, 1, Effect.LOST), False, ACTIVE, Status.REACTIVATED),
        (Sent(EARLIER, 1, Effect.MAY_HAVE_ACTED), False, ACTIVE, Status.REACTIVATED),
        (Sent(EARLIER, 1, Effect.ANSWERED), False, ACTIVE, Status.ALREADY_ACTIVE),
        (Unsent(), False, ACTIVE, Status.ALREADY_ACTIVE),
        (Unsent(lost=True), False, ACTIVE, Status.REACTIVATED),
        (Unsent(), False, DELETED, Status.FAILED),
        (Unsent(), False, OTHER_WORD, Status.FAILED),
        (Unsent(lost=True), False, OTHER_WORD, Status.UNKNOWN),
        (Sent(EARLIER, 1, Effect.LOST), True, SUSPENDED, Status.UNKNOWN),
        (Unsent(), False, LATER, Status.DEFERRED),
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
    progress, _ = call_row(LOST, UNAVAILABLE, THROTTLED, NO_TOKEN, LOST, attempts=9)
    assert progress.intent == 0
    progress, _ = call_row(LOST, BUSY, UNAVAILABLE, attempts=9)
    assert progress.intent == 1


def test_a_busy_target_is_left_alone_for_two_minutes() -> None:
    assert call_row(BUSY)[1] == RetryIn(120)


def test_a_refused_token_is_renewed_once_and_again_only_after_another_answer() -> None:
    assert call_row(NO_TOKEN)[1] == RefreshToken()
    assert ending(NO_TOKEN, NO_TOKEN) == (Status.FAILED, "http-401", 2)
    assert call_row(NO_TOKEN, UNAVAILABLE, NO_TOKEN)[1] == RefreshToken()


def test_rows_that_stop_the_run_are_sent_again_by_a_resume() -> None:
    step = call_row(FATAL)[1]
    assert isinstance(step, Finish)
    assert step.outcome.reopen


def test_a_fatal_answer_to_a_read_leaves_the_row_where_it_was() -> None:
    assert ending(CONTESTED, FATAL) == (Status.DEFERRED, "900337", 1)


def test_the_cells_describe_the_last_write_call_and_not_the_read() -> None:
    step = call_row(UNAVAILABLE, CONTESTED, ACTIVE)[1]
    assert isinstance(step, Finish)
    assert step.outcome.call is not None
    assert step.outcome.call.id == 2


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([UNAVAILABLE], Status.DEFERRED),
        ([THROTTLED], Status.DEFERRED),
        ([LOST], Status.UNKNOWN),
        ([LOST, BUSY], Status.UNKNOWN),
    ],
)
def test_a_row_that_waits_when_the_run_ends_says_so(answers: list[Verdict], status: Status) -> None:
    progress, _ = call_row(*answers)
    assert outcome_if_open(progress).status is status


def test_a_row_without_a_call_was_not_attempted() -> None:
    assert outcome_if_open(RowProgress()).status is Status.NOT_ATTEMPTED
    assert outcome_if_open(RowProgress(stage=Unsent(lost=True))).status is Status.UNKNOWN
