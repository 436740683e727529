"""What to do next with a row: pure policy over its progress and the verdict on its last call."""

from enum import Enum, auto
from http import HTTPStatus
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.models import Answer, Call, Operation, Outcome, Status, Target
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.error_codes.local_codes import FINAL_STATUSES, NOT_REACTIVATABLE, READING
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
# Answers to a write that leave open what became of an earlier, lost one: they may be its consequence.
_UNRESOLVING: tuple[type[Verdict], ...] = verdicts.AmbiguousRefusal, verdicts.Conflict, verdicts.NotReady
# So does the refusal of an update: the subscription may be active already.
_UNRESOLVING_OF_UPDATE: tuple[type[Verdict], ...] = *_UNRESOLVING, verdicts.Refused


class Effect(Enum):
    """What is known of the writes of a row."""

    ANSWERED = auto()
    # The last one got a 408 or 5xx, so it may have taken effect.
    MAY_HAVE_ACTED = auto()
    # One got no answer, and no later answer has resolved that.
    LOST = auto()


class Unsent(Struct, frozen=True):
    """No call was made; ``lost``: an earlier run's write was lost."""

    lost: bool = False


class Reading(Struct, frozen=True):
    """Only reads were made: ``call`` is the last one, and ``attempts`` of them were sent."""

    call: Call
    attempts: int
    lost: bool


class Sent(Struct, frozen=True):
    """Writes were made: ``call`` is the last one, and ``attempts`` of them were sent."""

    call: Call
    attempts: int
    effect: Effect

    @property
    def lost(self) -> bool:
        """Return whether a write is lost."""
        return self.effect is Effect.LOST


Stage = Unsent | Reading | Sent


class RetryCounts(Struct, frozen=True):
    """What this process met while it sent a row; not stored."""

    failures: int = 0
    not_ready: int = 0
    conflicts: int = 0
    parent_waits: int = 0


class RowProgress(Struct, frozen=True):
    """How far a row has come.

    ``intent`` counts the business answers to its writes and ``reads`` those to the reads before them: each names a
    request id. ``update_refused``: an update was refused after an earlier one was lost.
    """

    operation: Operation = Operation.REACTIVATE_ENTITLEMENT
    intent: int = 0
    reads: int = 0
    stage: Stage = Unsent()
    retries: RetryCounts = RetryCounts()
    token_refused: bool = False
    update_refused: bool = False

    @property
    def call(self) -> Call | None:
        """Return the last write, or the last read where there was none."""
        return None if isinstance(self.stage, Unsent) else self.stage.call

    @property
    def attempts(self) -> int:
        """Return how many calls of that kind were sent."""
        return 0 if isinstance(self.stage, Unsent) else self.stage.attempts

    @property
    def lost(self) -> bool:
        """Return whether a write may have taken effect because its answer was lost."""
        return self.stage.lost


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


def initial_progress(target: Target, *, lost: bool) -> RowProgress:
    """Return the progress of a row without calls; ``lost``: an earlier run's write was lost."""
    return RowProgress(operation=FIRST_STEPS[target.kind], stage=Unsent(lost))


def advance(progress: RowProgress, verdict: Verdict, call: Call) -> RowProgress:
    """Return the progress after a call and its verdict.

    | verdict                           | next operation                         |
    |-----------------------------------|----------------------------------------|
    | AmbiguousRefusal                  | read the entitlement                   |
    | StatusRead: suspended             | update the subscription                |
    | Conflict, Transient(read_first)   | read the subscription                  |
    | Refused: an update, after a loss  | read the subscription, update_refused  |
    | any other                         | the same                               |
    """
    retries, token_refused = _count(progress.retries, verdict), isinstance(verdict, verdicts.TokenRefused)
    after = replace(progress, retries=retries, token_refused=token_refused)
    if progress.operation not in STEPS:
        return after
    transient = verdict if isinstance(verdict, verdicts.Transient) else None
    after = after_call(
        after,
        call,
        verdict=verdicts.stored_name(type(verdict)),
        sent=transient is None or transient.sent,
        lost=transient is not None and transient.lost,
    )
    match verdict:
        case verdicts.AmbiguousRefusal():
            return replace(after, operation=Operation.GET_ENTITLEMENT)
        case verdicts.StatusRead(status=status) if status == SUSPENDED:
            return replace(after, operation=Operation.REACTIVATE_SUBSCRIPTION)
        case verdicts.Conflict() | verdicts.Transient(read_first=True):
            return replace(after, operation=Operation.GET_SUBSCRIPTION)
        case verdicts.Refused() if after.lost and progress.operation is Operation.REACTIVATE_SUBSCRIPTION:
            return replace(after, operation=Operation.GET_SUBSCRIPTION, update_refused=True)
        case _:
            return after


def _count(retries: RetryCounts, verdict: Verdict) -> RetryCounts:
    match verdict:
        case verdicts.Transient():
            return replace(retries, failures=retries.failures + 1)
        case verdicts.AmbiguousRefusal():
            # The read that follows has attempts of its own.
            return replace(retries, failures=0)
        case verdicts.NotReady():
            return replace(retries, not_ready=retries.not_ready + 1)
        case verdicts.Conflict():
            return replace(retries, conflicts=retries.conflicts + 1)
        case verdicts.ParentInactive():
            return replace(retries, parent_waits=retries.parent_waits + 1)
        case _:
            return retries


def after_call(progress: RowProgress, call: Call, *, verdict: str, sent: bool, lost: bool) -> RowProgress:
    """Return the progress after a call of its operation, as far as it can be derived from the journal.

    | stage           | call                                              | next stage             |
    |-----------------|---------------------------------------------------|------------------------|
    | Unsent, Reading | read                                              | Reading                |
    | Sent            | read                                              | the same               |
    | any             | write: lost                                       | Sent(LOST)             |
    | any that's lost | write: its answer does not resolve the earlier one | Sent(LOST)            |
    | any             | write: answered 408 or 5xx                        | Sent(MAY_HAVE_ACTED)   |
    | any             | write: any other answer, or never sent            | Sent(ANSWERED)         |
    """
    stage, business = progress.stage, call.answer.business
    if progress.operation not in WRITES:
        if not isinstance(stage, Sent):
            stage = Reading(call, progress.attempts + sent, stage.lost)
        return replace(progress, reads=progress.reads + business, stage=stage)
    attempts = stage.attempts if isinstance(stage, Sent) else 0
    status = call.answer.http_status or 0
    if lost or (stage.lost and not _resolves_lost_call(verdict, call.answer, progress.operation)):
        effect = Effect.LOST
    else:
        effect = Effect.MAY_HAVE_ACTED if status >= _TROUBLE or status == _TIMED_OUT else Effect.ANSWERED
    return replace(progress, intent=progress.intent + business, stage=Sent(call, attempts + sent, effect))


def _resolves_lost_call(verdict: str, answer: Answer, operation: Operation) -> bool:
    """Return whether the answer to a write shows what became of an earlier one that was lost."""
    unresolving = _UNRESOLVING_OF_UPDATE if operation is Operation.REACTIVATE_SUBSCRIPTION else _UNRESOLVING
    return answer.business and verdict not in map(verdicts.stored_name, unresolving)


def decide(before: RowProgress, after: RowProgress, verdict: Verdict) -> Step:
    """Return the next step of a row that was answered, or failed for the last time that it may."""
    if before.operation in WRITES:
        return _decide_write(after, verdict)
    if before.operation in STEPS:
        return _decide_step(after, verdict)
    return _decide_read(after, verdict)


def outcome_if_open(progress: RowProgress) -> Outcome:
    """Return how a row stands that the run left open."""
    return _inconclusive(progress, Status.NOT_ATTEMPTED if progress.call is None else Status.DEFERRED)


def outcome_if_deferred(progress: RowProgress) -> Outcome:
    """Return how a row ends whose scope is throttled for longer than the run waits."""
    return _inconclusive(progress, Status.DEFERRED)


def outcome_if_aborted(before: RowProgress, after: RowProgress) -> Outcome:
    """Return the outcome of a row whose answer aborts the run: resuming sends it again."""
    if before.operation not in STEPS:
        return replace(_inconclusive(after, Status.DEFERRED), reopen=True)
    return replace(_failed(after), reopen=True)


def _decide_write(after: RowProgress, verdict: Verdict) -> Step:  # noqa: C901, PLR0911 - one line a verdict
    match verdict:
        case verdicts.Accepted():
            return Finish(Outcome(Status.ACCEPTED, after.attempts, after.call))
        case verdicts.AmbiguousRefusal():
            return RetryIn(0)
        case verdicts.Refused() if after.update_refused:
            return RetryIn(0)
        case verdicts.Refused() | verdicts.CustomerRefused() | verdicts.PermissionRefused():
            return Finish(_failed(after))
        case verdicts.Conflict() if after.retries.conflicts <= CONFLICTS:
            return RetryIn(0)
        case verdicts.Conflict() | verdicts.Transient():
            return Finish(_inconclusive(after, Status.FAILED))
        case verdicts.NotReady() if after.retries.not_ready <= NOT_READY_WAITS:
            return RetryIn(NOT_READY_SECONDS)
        case verdicts.NotReady() | verdicts.TryLater():
            return Finish(_definitive(after, Status.DEFERRED))
        case verdicts.ParentInactive():
            return AwaitParent(_definitive(after, Status.DEFERRED))
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
            return Finish(_active(after))
        case verdicts.StatusRead(status=status) if status != SUSPENDED:
            return Finish(_not_reactivatable(after, status))
        case verdicts.StatusRead() if not after.update_refused:
            return RetryIn(0)
        case verdicts.NotReady() if after.retries.not_ready <= NOT_READY_WAITS:
            return RetryIn(NOT_READY_SECONDS)
        case verdicts.NotReady() | verdicts.TryLater() | verdicts.ParentInactive():
            return Finish(_inconclusive(after, Status.DEFERRED))
        case _:
            return Finish(_inconclusive(after, Status.FAILED))


def _not_reactivatable(progress: RowProgress, status: str) -> Outcome:
    """Return the outcome of a subscription whose status no update can change to active."""
    code = FINAL_STATUSES.get(status, NOT_REACTIVATABLE)
    description = f"not updated: its status is {status!r}"
    if progress.lost and code == NOT_REACTIVATABLE:
        # The lost update may be making it active.
        return replace(_inconclusive(progress, Status.UNKNOWN), description=description)
    return Outcome(Status.FAILED, progress.attempts, progress.call, code, description)


def _decide_read(after: RowProgress, verdict: Verdict) -> Step:
    """Decide after the read of an entitlement whose reactivation was refused ambiguously."""
    match verdict:
        case verdicts.StatusRead(status=status) if status == ACTIVE:
            return Finish(_active(after))
        case verdicts.StatusRead(status=status) if status == INACTIVE:
            return Finish(_inconclusive(after, Status.FAILED))
        case _:
            # Another status, or unreadable: not known yet.
            return Finish(_inconclusive(after, Status.DEFERRED))


def _active(progress: RowProgress) -> Outcome:
    """Return the outcome of an active target: reactivated by a write of the row, or active before."""
    match progress.stage:
        case Unsent(lost=False) | Reading(lost=False) | Sent(effect=Effect.ANSWERED):
            status = Status.ALREADY_ACTIVE
        case _:
            status = Status.REACTIVATED
    return Outcome(status, progress.attempts, progress.call)


def _failed(progress: RowProgress) -> Outcome:
    """Return the outcome of a refused row: a redirect or a refused token does not resolve a lost write."""
    definitive = progress.call is not None and progress.call.answer.business
    return _definitive(progress, Status.FAILED) if definitive else _inconclusive(progress, Status.FAILED)


def _definitive(progress: RowProgress, status: Status) -> Outcome:
    if progress.call is None:
        return Outcome(status, 0, None)
    code, description = progress.call.answer.code, progress.call.answer.description
    if isinstance(progress.stage, Reading) and code:
        description = f"{READING}{description}"[:DESCRIPTION_LENGTH]
    return Outcome(status, progress.attempts, progress.call, code, description)


def _inconclusive(progress: RowProgress, status: Status) -> Outcome:
    """Return an outcome without a definitive answer: unknown when a write was lost."""
    outcome = _definitive(progress, Status.UNKNOWN if progress.lost else status)
    if progress.lost and isinstance(progress.stage, Reading):
        # The lost write is an earlier run's, and its request id is the one to report.
        return replace(outcome, attempts=0, call=None)
    return outcome
