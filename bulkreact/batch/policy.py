"""Decides the next step of a row from its progress and the verdict on its last call. No I/O."""

from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.batch.progress import Effect, OnlyRead, RowProgress, Sent
from bulkreact.models import Outcome, Status
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.error_codes.local_codes import FINAL_STATUSES, NOT_REACTIVATABLE, READING
from bulkreact.partnercenter.protocol import INACTIVE, STEPS, WRITES
from bulkreact.partnercenter.response_bodies import DESCRIPTION_LENGTH
from bulkreact.partnercenter.subscription import ACTIVE, SUSPENDED
from bulkreact.partnercenter.verdicts import Verdict

# 409 without a code or with 800082: the service is busy with the target for minutes.
NOT_READY_SECONDS = 120.0
NOT_READY_WAITS = 3
# How often an update is repeated after a conflict with another client's change.
CONFLICTS = 2
# The service may not know everywhere at once that a parent is active.
PARENT_WAITS = 3


class Finish(Struct, frozen=True):
    """The row is settled."""

    outcome: Outcome


class RetryIn(Struct, frozen=True):
    """Make the next call of the row in ``delay`` seconds."""

    delay: float


class AwaitParent(Struct, frozen=True):
    """The row's parent must be active first; ``outcome_without_wait``: its outcome if it cannot wait."""

    outcome_without_wait: Outcome


Step = Finish | RetryIn | AwaitParent


def decide(before: RowProgress, after: RowProgress, verdict: Verdict) -> Step:
    """Return the next step of a row after an answer, or after the last allowed failure."""
    if before.operation in WRITES:
        return _decide_write(after, verdict)
    if before.operation in STEPS:
        return _decide_step(after, verdict)
    return _decide_read(after, verdict)


def outcome_if_open(progress: RowProgress) -> Outcome:
    """Return the outcome of a row that the run left open; calls that never left do not count as attempts."""
    return _inconclusive_outcome(progress, Status.DEFERRED if progress.attempts else Status.NOT_ATTEMPTED)


def outcome_if_deferred(progress: RowProgress) -> Outcome:
    """Return the outcome of a row whose scope is throttled for longer than the run waits."""
    return _inconclusive_outcome(progress, Status.DEFERRED)


def outcome_if_aborted(before: RowProgress, after: RowProgress) -> Outcome:
    """Return the outcome of a row whose answer aborts the run: resuming sends it again."""
    if before.operation not in STEPS:
        return replace(_inconclusive_outcome(after, Status.DEFERRED), reopen=True)
    return replace(_failed_outcome(after), reopen=True)


def _decide_write(after: RowProgress, verdict: Verdict) -> Step:  # noqa: C901, PLR0911 - one case a verdict
    match verdict:
        case verdicts.Accepted():
            return Finish(Outcome(Status.ACCEPTED, after.attempts, after.call))
        case verdicts.AmbiguousRefusal():
            return RetryIn(0)
        case verdicts.Refused() if after.update_refused:
            return RetryIn(0)
        case verdicts.Refused() | verdicts.CustomerRefused() | verdicts.PermissionRefused():
            return Finish(_failed_outcome(after))
        case verdicts.Conflict() if after.retries.conflicts <= CONFLICTS:
            return RetryIn(0)
        case verdicts.Conflict() | verdicts.Transient():
            return Finish(_inconclusive_outcome(after, Status.FAILED))
        case verdicts.NotReady() if after.retries.not_ready <= NOT_READY_WAITS:
            return RetryIn(NOT_READY_SECONDS)
        case verdicts.NotReady() | verdicts.TryLater():
            return Finish(_definitive_outcome(after, Status.DEFERRED))
        case verdicts.ParentInactive():
            return AwaitParent(_definitive_outcome(after, Status.DEFERRED))
        case (
            verdicts.StatusRead()
            | verdicts.Listed()
            | verdicts.Throttled()
            | verdicts.TokenRefused()
            | verdicts.Fatal()
        ):
            raise AssertionError(f"{verdict} is no answer to a write call")
        case _:
            assert_never(verdict)


def _decide_step(after: RowProgress, verdict: Verdict) -> Step:
    """Decide after the read of a subscription that is to be updated."""
    match verdict:
        case verdicts.StatusRead(status=status) if status == ACTIVE:
            return Finish(_active_outcome(after))
        case verdicts.StatusRead(status=status) if status != SUSPENDED:
            return Finish(_not_reactivatable(after, status))
        case verdicts.StatusRead() if not after.update_refused:
            return RetryIn(0)
        case verdicts.NotReady() if after.retries.not_ready <= NOT_READY_WAITS:
            return RetryIn(NOT_READY_SECONDS)
        case verdicts.NotReady() | verdicts.TryLater() | verdicts.ParentInactive():
            return Finish(_inconclusive_outcome(after, Status.DEFERRED))
        case _:
            return Finish(_inconclusive_outcome(after, Status.FAILED))


def _not_reactivatable(progress: RowProgress, status: str) -> Outcome:
    """Return the outcome of a subscription whose status no update can change to active."""
    code = FINAL_STATUSES.get(status, NOT_REACTIVATABLE)
    description = f"not updated: its status is {status!r}"
    if progress.lost and code == NOT_REACTIVATABLE:
        # The lost update may be activating it.
        return replace(_inconclusive_outcome(progress, Status.UNKNOWN), description=description)
    return Outcome(Status.FAILED, progress.attempts, progress.call, code, description)


def _decide_read(after: RowProgress, verdict: Verdict) -> Step:
    """Decide after the read of an entitlement whose reactivation was refused ambiguously."""
    match verdict:
        case verdicts.StatusRead(status=status) if status == ACTIVE:
            return Finish(_active_outcome(after))
        case verdicts.StatusRead(status=status) if status == INACTIVE:
            return Finish(_inconclusive_outcome(after, Status.FAILED))
        case _:
            # Another status, or unreadable: not known yet.
            return Finish(_inconclusive_outcome(after, Status.DEFERRED))


def _active_outcome(progress: RowProgress) -> Outcome:
    """Return the outcome of an active target: reactivated if a write of the row may have done it."""
    stage = progress.stage
    written = progress.lost or (isinstance(stage, Sent) and stage.effect is not Effect.ANSWERED)
    status = Status.REACTIVATED if written else Status.ALREADY_ACTIVE
    return Outcome(status, progress.attempts, progress.call)


def _failed_outcome(progress: RowProgress) -> Outcome:
    """Return the outcome of a refused row: a redirect or a refused token does not resolve a lost write."""
    definitive = progress.call is not None and progress.call.answer.business
    return (
        _definitive_outcome(progress, Status.FAILED) if definitive else _inconclusive_outcome(progress, Status.FAILED)
    )


def _definitive_outcome(progress: RowProgress, status: Status) -> Outcome:
    if progress.call is None:
        return Outcome(status, 0, None)
    code, description = progress.call.answer.code, progress.call.answer.description
    if isinstance(progress.stage, OnlyRead) and code:
        description = f"{READING}{description}"[:DESCRIPTION_LENGTH]
    return Outcome(status, progress.attempts, progress.call, code, description)


def _inconclusive_outcome(progress: RowProgress, status: Status) -> Outcome:
    """Return an outcome without a definitive answer: unknown if a write was lost."""
    outcome = _definitive_outcome(progress, Status.UNKNOWN if progress.lost else status)
    if progress.lost and isinstance(progress.stage, OnlyRead):
        # The lost write belongs to an earlier run; report its request id.
        return replace(outcome, attempts=0, call=None)
    return outcome
