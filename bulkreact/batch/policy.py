"""What to do next with a row: pure policy over its progress and the verdict on its last call."""

from http import HTTPStatus
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.models import Answer, Call, Operation, Outcome, Status, Target
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.error_codes.local_codes import NOT_REACTIVATABLE, READING, STATES
from bulkreact.partnercenter.protocol import FIRST_STEPS, INACTIVE, STEPS, WRITES
from bulkreact.partnercenter.response_bodies import DESCRIPTION_LENGTH
from bulkreact.partnercenter.subscription import ACTIVE, SUSPENDED
from bulkreact.partnercenter.verdicts import Verdict

# 409 without a code or with 800082: the service is busy with the target for minutes.
NOT_READY_SECONDS = 120.0
NOT_READY_WAITS = 3
# So often an update is applied again to what somebody else has changed meanwhile.
CONFLICTS = 2
# A parent that is active already may not be known as such everywhere at once.
PARENT_WAITS = 3
_TROUBLE, _TIMED_OUT = HTTPStatus.INTERNAL_SERVER_ERROR.value, HTTPStatus.REQUEST_TIMEOUT.value
_COUNTED = (verdicts.Transient, verdicts.NotReady, verdicts.Conflict, verdicts.ParentInactive, verdicts.TokenRefused)


class RowProgress(Struct, frozen=True):
    """How far a row has come.

    ``intent`` counts the business answers to its write calls and thereby names its request id, ``reads`` those to the
    readings that go before them; ``call`` is the last write call, or where none was made (``only_read``) the last of
    those readings, and ``attempts`` counts the calls of that kind that left; ``failures``, ``waits``, ``conflicts`` and
    ``parent_waits`` count what this process met; ``lost`` says that the answer to a write call was lost, and ``refused``
    that an update was refused afterwards; ``doubtful`` that the last write call was answered by trouble of the service,
    which may have acted all the same.
    """

    operation: Operation = Operation.REACTIVATE_ENTITLEMENT
    intent: int = 0
    reads: int = 0
    attempts: int = 0
    failures: int = 0
    waits: int = 0
    conflicts: int = 0
    parent_waits: int = 0
    token_refused: bool = False
    refused: bool = False
    only_read: bool = False
    may_have_acted: bool = False
    lost: bool = False
    call: Call | None = None


class Finish(Struct, frozen=True):
    """The row has ended."""

    outcome: Outcome


class RetryIn(Struct, frozen=True):
    """Make the next call of the row in ``delay`` seconds."""

    delay: float


class AwaitParent(Struct, frozen=True):
    """The subscription above the row must be active first; ``otherwise`` is how the row ends if nobody waits for that."""

    otherwise: Outcome


Step = Finish | RetryIn | AwaitParent


def advance(progress: RowProgress, verdict: Verdict, call: Call) -> RowProgress:
    """Return the progress after a call and its verdict."""
    after = progress
    if progress.token_refused or isinstance(verdict, _COUNTED):
        after = replace(
            progress,
            failures=progress.failures + isinstance(verdict, verdicts.Transient),
            waits=progress.waits + isinstance(verdict, verdicts.NotReady),
            conflicts=progress.conflicts + isinstance(verdict, verdicts.Conflict),
            parent_waits=progress.parent_waits + isinstance(verdict, verdicts.ParentInactive),
            token_refused=isinstance(verdict, verdicts.TokenRefused),
        )
    if progress.operation not in STEPS:
        return after
    left = not isinstance(verdict, verdicts.Transient) or verdict.sent
    lost = isinstance(verdict, verdicts.Transient) and verdict.lost
    after = after_call(after, call, verdict=verdicts.stored_name(type(verdict)), left=left, lost=lost)
    match verdict:
        case verdicts.AmbiguousRefusal():
            return replace(after, operation=Operation.GET_ENTITLEMENT, failures=0)
        case verdicts.StatusRead(status=word) if word == SUSPENDED:
            return replace(after, operation=Operation.REACTIVATE_SUBSCRIPTION)
        case verdicts.Conflict() | verdicts.Transient(read_first=True):
            return replace(after, operation=Operation.GET_SUBSCRIPTION)
        case verdicts.Refused() if after.lost and progress.operation is Operation.REACTIVATE_SUBSCRIPTION:
            return replace(after, operation=Operation.GET_SUBSCRIPTION, refused=True)
        case _:
            return after


def initial_progress(target: Target, *, lost: bool) -> RowProgress:
    """Return the progress of a row of which no call was made; ``lost`` tells of an earlier run's."""
    return RowProgress(operation=FIRST_STEPS[target.kind], lost=lost)


def after_call(progress: RowProgress, call: Call, *, verdict: str, left: bool, lost: bool) -> RowProgress:
    """Return the progress after a call of the operation it stands at, as far as the journal tells of it as well."""
    business = call.answer.business
    if progress.operation not in WRITES:
        progress = replace(progress, reads=progress.reads + business)
        first = progress.call is None
        if not (first or progress.only_read):
            return progress
        return replace(progress, only_read=True, attempts=progress.attempts + left, call=call)
    return replace(
        progress,
        intent=progress.intent + business,
        only_read=False,
        may_have_acted=_may_have_acted(call.answer),
        attempts=(0 if progress.only_read else progress.attempts) + left,
        lost=lost or (progress.lost and not resolves_lost_call(verdict, call.answer, progress.operation)),
        call=call,
    )


def _may_have_acted(answer: Answer) -> bool:
    status = answer.http_status or 0
    return status >= _TROUBLE or status == _TIMED_OUT


def decide(before: RowProgress, after: RowProgress, verdict: Verdict) -> Step:
    """Return the next step of a row that was answered, or failed for the last time that it may."""
    if before.operation in WRITES:
        return _decide_write(after, verdict)
    if before.operation in STEPS:
        return _decide_step(after, verdict)
    return _decide_read(after, verdict)


def resolves_lost_call(verdict: str, answer: Answer, operation: Operation) -> bool:
    """Tell whether an answer makes clear what became of an earlier call that was lost.

    A contested, changed or busy target does not: it may be so because of that very call; nor does a subscription whose
    update is refused, as one that is active already may be.
    """
    unsettling: list[type[Verdict]] = [verdicts.AmbiguousRefusal, verdicts.Conflict, verdicts.NotReady]
    if operation is Operation.REACTIVATE_SUBSCRIPTION:
        unsettling.append(verdicts.Refused)
    return answer.business and verdict not in {verdicts.stored_name(kind) for kind in unsettling}


def outcome_if_open(progress: RowProgress) -> Outcome:
    """Return how a row stands that the run left open."""
    if progress.call is None and not progress.lost:
        return Outcome(Status.NOT_ATTEMPTED, 0, None)
    return _inconclusive(progress, Status.DEFERRED)


def outcome_if_deferred(progress: RowProgress) -> Outcome:
    """Return how a row ends whose scope is throttled for longer than the run waits."""
    return _inconclusive(progress, Status.DEFERRED)


def outcome_if_aborted(before: RowProgress, after: RowProgress) -> Outcome:
    """Return the outcome of a row whose answer aborts the run: resuming sends it again."""
    if before.operation not in STEPS:
        return replace(_inconclusive(after, Status.DEFERRED), reopen=True)
    definitive = after.call is not None and after.call.answer.business
    outcome = _definitive(after, Status.FAILED) if definitive else _inconclusive(after, Status.FAILED)
    return replace(outcome, reopen=True)


def _decide_write(after: RowProgress, verdict: Verdict) -> Step:  # noqa: C901, PLR0911 - one line a verdict
    match verdict:
        case verdicts.Accepted():
            return Finish(Outcome(Status.ACCEPTED, after.attempts, after.call))
        case verdicts.Refused() if after.refused:
            return RetryIn(0)
        case verdicts.Refused() | verdicts.CustomerRefused() | verdicts.PermissionRefused():
            # A redirect refuses the row but says nothing of an earlier call that was lost.
            answered = verdict.answer.business
            return Finish(_definitive(after, Status.FAILED) if answered else _inconclusive(after, Status.FAILED))
        case verdicts.AmbiguousRefusal():
            return RetryIn(0)
        case verdicts.Conflict():
            return RetryIn(0) if after.conflicts <= CONFLICTS else Finish(_inconclusive(after, Status.FAILED))
        case verdicts.Transient():
            return Finish(_inconclusive(after, Status.FAILED))
        case verdicts.NotReady():
            if after.waits <= NOT_READY_WAITS:
                return RetryIn(NOT_READY_SECONDS)
            return Finish(_definitive(after, Status.DEFERRED))
        case verdicts.ParentInactive():
            return AwaitParent(_definitive(after, Status.DEFERRED))
        case verdicts.TryLater():
            return Finish(_definitive(after, Status.DEFERRED))
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
    """Decide after a subscription was read that is to be updated."""
    match verdict:
        case verdicts.StatusRead(status=word):
            if word == SUSPENDED:
                return Finish(_inconclusive(after, Status.FAILED)) if after.refused else RetryIn(0)
            if word != ACTIVE:
                return Finish(_not_reactivatable(after, word))
            # Active because of an update whose answer was lost or no answer to it, or by somebody else's doing.
            status = Status.REACTIVATED if after.lost or after.may_have_acted else Status.ALREADY_ACTIVE
            return Finish(Outcome(status, after.attempts, after.call))
        case verdicts.NotReady() if after.waits <= NOT_READY_WAITS:
            return RetryIn(NOT_READY_SECONDS)
        case verdicts.NotReady() | verdicts.TryLater() | verdicts.ParentInactive():
            return Finish(_inconclusive(after, Status.DEFERRED))
        case _:
            return Finish(_inconclusive(after, Status.FAILED))


def _not_reactivatable(progress: RowProgress, word: str) -> Outcome:
    """Return the outcome of a subscription that stands in a way that no update brings it back from."""
    code = STATES.get(word, NOT_REACTIVATABLE)
    words = f"not updated: its status is {word!r}"
    if progress.lost and code == NOT_REACTIVATABLE:
        # On its way to being active, perhaps.
        return replace(_inconclusive(progress, Status.UNKNOWN), description=words)
    return Outcome(Status.FAILED, progress.attempts, progress.call, code, words)


def _decide_read(after: RowProgress, verdict: Verdict) -> Step:
    match verdict:
        case verdicts.StatusRead(status=word) if word == ACTIVE:
            # Active because of the call whose answer was lost, or active all along.
            status = Status.REACTIVATED if after.lost else Status.ALREADY_ACTIVE
            return Finish(Outcome(status, after.attempts, after.call))
        case verdicts.StatusRead(status=word) if word == INACTIVE:
            return Finish(_inconclusive(after, Status.FAILED))
        case _:
            # Another word, or unreadable: nobody knows yet.
            return Finish(_inconclusive(after, Status.DEFERRED))


def _definitive(progress: RowProgress, status: Status) -> Outcome:
    answer = progress.call.answer if progress.call else None
    code, description = (answer.code, answer.description) if answer else ("", "")
    if progress.only_read and code:
        description = f"{READING}{description}"[:DESCRIPTION_LENGTH]
    return Outcome(status, progress.attempts, progress.call, code, description)


def _inconclusive(progress: RowProgress, status: Status) -> Outcome:
    """Return an outcome without a definitive answer: unknown when an earlier one was lost."""
    if progress.lost and progress.only_read:
        # The call that was lost is an earlier run's, and its id is what counts.
        return replace(_definitive(progress, Status.UNKNOWN), attempts=0, call=None)
    return _definitive(progress, Status.UNKNOWN if progress.lost else status)
