"""The progress of a row: its calls so far and its next operation. No I/O."""

from enum import Enum, auto
from http import HTTPStatus

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.models import Answer, Call, Operation, Target
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.protocol import FIRST_STEPS, STEPS, WRITES
from bulkreact.partnercenter.subscription import SUSPENDED
from bulkreact.partnercenter.verdicts import Verdict

# Answers to a write that an earlier lost write may have caused, and so do not resolve it.
_UNRESOLVING: tuple[type[Verdict], ...] = verdicts.AmbiguousRefusal, verdicts.Conflict, verdicts.NotReady
# An update may also be refused because the subscription is already active.
_UNRESOLVING_OF_UPDATE: tuple[type[Verdict], ...] = *_UNRESOLVING, verdicts.Refused


class Effect(Enum):
    """What is known of a row's writes."""

    ANSWERED = auto()
    # The last one got a 408 or 5xx, so it may have taken effect.
    MAY_HAVE_ACTED = auto()
    # The answer to a write was lost, and no later answer has resolved that.
    LOST = auto()


class Unsent(Struct, frozen=True):
    """No call was made; ``lost``: an earlier run's write was lost."""

    lost: bool = False


class OnlyRead(Struct, frozen=True):
    """Only reads were made: ``call`` is the last one, ``attempts`` is how often it was sent."""

    call: Call
    attempts: int
    lost: bool


class Sent(Struct, frozen=True):
    """Writes were made: ``call`` is the last one, ``attempts`` is how often it was sent."""

    call: Call
    attempts: int
    effect: Effect


Stage = Unsent | OnlyRead | Sent


class RetryCounts(Struct, frozen=True):
    """Counters of this process while it sends a row; not stored.

    ``failures`` are the transient ones: for each the series of suspected calls that it belongs to, or 0.
    """

    failures: tuple[int, ...] = ()
    not_ready: int = 0
    conflicts: int = 0
    parent_waits: int = 0


class RowProgress(Struct, frozen=True):
    """The progress of a row.

    ``request_sequence`` counts the business answers to its writes and ``reads`` those to the reads before them: each
    names a request id. ``update_refused``: an update was refused after an earlier one was lost.
    """

    operation: Operation = Operation.REACTIVATE_ENTITLEMENT
    request_sequence: int = 0
    reads: int = 0
    stage: Stage = Unsent()
    retries: RetryCounts = RetryCounts()
    token_refused: bool = False
    update_refused: bool = False

    @property
    def call(self) -> Call | None:
        """Return the last write, or the last read if there was none."""
        return None if isinstance(self.stage, Unsent) else self.stage.call

    @property
    def attempts(self) -> int:
        """Return how often calls of that kind were sent."""
        return 0 if isinstance(self.stage, Unsent) else self.stage.attempts

    @property
    def lost(self) -> bool:
        """Return whether a write may have taken effect because its answer was lost."""
        return self.stage.effect is Effect.LOST if isinstance(self.stage, Sent) else self.stage.lost


def initial_row_progress(target: Target, *, lost: bool) -> RowProgress:
    """Return the progress of a row without calls; ``lost``: an earlier run's write was lost."""
    return RowProgress(operation=FIRST_STEPS[target.kind], stage=Unsent(lost))


def advance(progress: RowProgress, verdict: Verdict, call: Call, *, suspicion: int = 0) -> RowProgress:
    """Return the progress after a call and its verdict; ``suspicion`` is its series of suspected calls, or 0.

    | verdict                           | next operation                         |
    |-----------------------------------|----------------------------------------|
    | AmbiguousRefusal                  | read the entitlement                   |
    | StatusRead: suspended             | update the subscription                |
    | Conflict, Transient(read_first)   | read the subscription                  |
    | Refused: an update, after a loss  | read the subscription, update_refused  |
    | any other                         | the same                               |
    """
    retries, token_refused = _count(progress.retries, verdict, suspicion), isinstance(verdict, verdicts.TokenRefused)
    after = progress
    if (retries, token_refused) != (progress.retries, progress.token_refused):
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


def _count(retries: RetryCounts, verdict: Verdict, suspicion: int) -> RetryCounts:
    match verdict:
        case verdicts.Transient():
            return replace(retries, failures=(*retries.failures, suspicion))
        case verdicts.AmbiguousRefusal():
            # The following read has separate attempts.
            return replace(retries, failures=())
        case verdicts.NotReady():
            return replace(retries, not_ready=retries.not_ready + 1)
        case verdicts.Conflict():
            return replace(retries, conflicts=retries.conflicts + 1)
        case verdicts.ParentInactive():
            return replace(retries, parent_waits=retries.parent_waits + 1)
        case _:
            return retries


def after_call(progress: RowProgress, call: Call, *, verdict: str, sent: bool, lost: bool) -> RowProgress:
    """Return the progress after a call of its operation, derived from the journal.

    | stage            | call                                         | next stage           |
    |------------------|----------------------------------------------|----------------------|
    | Unsent, OnlyRead | read                                         | OnlyRead             |
    | Sent             | read                                         | the same             |
    | any              | write: lost                                  | Sent(LOST)           |
    | with a loss      | write: its answer does not resolve the loss  | Sent(LOST)           |
    | any              | write: answered 408 or 5xx                   | Sent(MAY_HAVE_ACTED) |
    | any              | write: any other answer, or never sent       | Sent(ANSWERED)       |
    """
    stage, business = progress.stage, call.answer.business
    if progress.operation not in WRITES:
        if not isinstance(stage, Sent):
            stage = OnlyRead(call, progress.attempts + sent, progress.lost)
        return replace(progress, reads=progress.reads + business, stage=stage)
    attempts = stage.attempts if isinstance(stage, Sent) else 0
    status = call.answer.http_status or 0
    if lost or (progress.lost and not _resolves_lost_call(verdict, call.answer, progress.operation)):
        effect = Effect.LOST
    else:
        server_error = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT
        effect = Effect.MAY_HAVE_ACTED if server_error else Effect.ANSWERED
    return replace(
        progress, request_sequence=progress.request_sequence + business, stage=Sent(call, attempts + sent, effect)
    )


def _resolves_lost_call(verdict: str, answer: Answer, operation: Operation) -> bool:
    """Return whether the answer to a write resolves the loss of an earlier one."""
    unresolving = _UNRESOLVING_OF_UPDATE if operation is Operation.REACTIVATE_SUBSCRIPTION else _UNRESOLVING
    return answer.business and verdict not in map(verdicts.stored_name, unresolving)
