"""What to do next with a row: pure policy over its progress and the verdict on its last call."""

from dataclasses import dataclass, replace
from typing import assert_never

from bulkreact.models import Answer, Call, Operation, Outcome, Status
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.protocol import ACTIVE, INACTIVE, WRITES
from bulkreact.partnercenter.verdicts import Verdict

BACKOFF_SECONDS = 1.0
BACKOFF_CEILING_SECONDS = 60.0
# 409 without a code or with 800082: the service is busy with the target for minutes.
NOT_READY_SECONDS = 120.0
NOT_READY_WAITS = 3


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a row has come.

    ``intent`` counts the business answers to its write calls and thereby names its request id; ``attempts``
    counts its write calls that left; ``failures`` and ``waits`` count what this process met in the present
    operation; ``lost`` says that the answer to a write call was lost; ``call`` is the last write call.
    """

    operation: Operation = Operation.REACTIVATE_ENTITLEMENT
    intent: int = 0
    attempts: int = 0
    failures: int = 0
    waits: int = 0
    token_refused: bool = False
    lost: bool = False
    call: Call | None = None


@dataclass(frozen=True, slots=True)
class Settle:
    """The row has ended."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Again:
    """Make the next call of the row in ``delay`` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class Hold:
    """The row was throttled: its scope must wait."""

    retry_after: float | None


@dataclass(frozen=True, slots=True)
class Renew:
    """Fetch a fresh token, then make the same call again."""


@dataclass(frozen=True, slots=True)
class Stop:
    """No row can succeed: the run ends here, and resuming sends this row again."""

    outcome: Outcome


Step = Settle | Again | Hold | Renew | Stop


def advance(progress: Progress, verdict: Verdict, call: Call) -> Progress:
    """Return the progress after a call and its verdict."""
    transient = isinstance(verdict, verdicts.Transient)
    after = replace(
        progress,
        failures=progress.failures + transient,
        waits=progress.waits + isinstance(verdict, verdicts.NotReady),
        token_refused=isinstance(verdict, verdicts.TokenRefused),
    )
    if progress.operation not in WRITES:
        return after
    contested = isinstance(verdict, verdicts.Contested)
    return replace(
        after,
        operation=Operation.GET_ENTITLEMENT if contested else progress.operation,
        failures=0 if contested else after.failures,
        intent=progress.intent + call.answer.business,
        attempts=progress.attempts + (not isinstance(verdict, verdicts.Transient) or verdict.left),
        lost=(isinstance(verdict, verdicts.Transient) and verdict.lost)
        or (progress.lost and not settles_loss(type(verdict).__name__, call.answer)),
        call=call,
    )


def decide(before: Progress, after: Progress, verdict: Verdict, *, attempts: int, chance: float) -> Step:
    """Return the next step of a row; ``chance`` is uniform in [0, 1), ``attempts`` the limit for failures."""
    match verdict:
        case verdicts.Throttled(retry_after=retry_after):
            return Hold(retry_after)
        case verdicts.TokenRefused():
            return Stop(_stopped(before, after)) if before.token_refused else Renew()
        case verdicts.Fatal():
            return Stop(_stopped(before, after))
        case verdicts.Transient(once=once) if after.failures < (min(2, attempts) if once else attempts):
            return Again(backoff(after.failures, chance))
    if before.operation in WRITES:
        return _decide_write(after, verdict)
    return _decide_read(after, verdict)


def settles_loss(verdict: str, answer: Answer) -> bool:
    """Tell whether an answer makes clear what became of an earlier call that was lost.

    A contested or busy target does not: it may be so because of that very call.
    """
    return answer.business and verdict not in {verdicts.Contested.__name__, verdicts.NotReady.__name__}


def backoff(failures: int, chance: float) -> float:
    """Return the seconds to wait after so many failures: exponential with full jitter."""
    return chance * min(BACKOFF_CEILING_SECONDS, BACKOFF_SECONDS * 2.0 ** min(failures - 1, 16))


def unfinished(progress: Progress) -> Outcome:
    """Return how a row stands that the run left open."""
    if progress.call is None and not progress.lost:
        return Outcome(Status.NOT_ATTEMPTED, 0, None)
    return _ended(progress, Status.DEFERRED)


def given_up(progress: Progress) -> Outcome:
    """Return how a row ends whose scope is throttled for longer than the run waits."""
    return _ended(progress, Status.DEFERRED)


def _decide_write(after: Progress, verdict: Verdict) -> Step:
    match verdict:
        case verdicts.Accepted():
            return Settle(Outcome(Status.ACCEPTED, after.attempts, after.call))
        case verdicts.Refused() | verdicts.CustomerRefused() | verdicts.PermissionRefused():
            # A redirect refuses the row but says nothing of an earlier call that was lost.
            answered = verdict.answer.business
            return Settle(_definitive(after, Status.FAILED) if answered else _ended(after, Status.FAILED))
        case verdicts.Contested():
            return Again(0)
        case verdicts.Transient():
            return Settle(_ended(after, Status.FAILED))
        case verdicts.NotReady():
            if after.waits <= NOT_READY_WAITS:
                return Again(NOT_READY_SECONDS)
            return Settle(_definitive(after, Status.DEFERRED))
        case verdicts.Postponed():
            return Settle(_definitive(after, Status.DEFERRED))
        case verdicts.Found() | verdicts.Listed() | verdicts.Throttled() | verdicts.TokenRefused() | verdicts.Fatal():
            raise AssertionError(f"{verdict} is no answer to a write call")
        case _:
            assert_never(verdict)


def _decide_read(after: Progress, verdict: Verdict) -> Step:
    match verdict:
        case verdicts.Found(word=word) if word == ACTIVE:
            # Active because of the call whose answer was lost, or active all along.
            status = Status.REACTIVATED if after.lost else Status.ALREADY_ACTIVE
            return Settle(Outcome(status, after.attempts, after.call))
        case verdicts.Found(word=word) if word == INACTIVE:
            return Settle(_ended(after, Status.FAILED))
        case _:
            # Another word, or unreadable: nobody knows yet.
            return Settle(_ended(after, Status.DEFERRED))


def _definitive(progress: Progress, status: Status) -> Outcome:
    answer = progress.call.answer if progress.call else None
    code, description = (answer.code, answer.description) if answer else ("", "")
    return Outcome(status, progress.attempts, progress.call, code, description)


def _ended(progress: Progress, status: Status) -> Outcome:
    """Return an outcome without a definitive answer: unknown when an earlier one was lost."""
    return _definitive(progress, Status.UNKNOWN if progress.lost else status)


def _stopped(before: Progress, after: Progress) -> Outcome:
    """Return the outcome of a row whose answer stops the run; a refused read leaves it where it was."""
    if before.operation not in WRITES:
        return replace(_ended(after, Status.DEFERRED), reopen=True)
    definitive = after.call is not None and after.call.answer.business
    outcome = _definitive(after, Status.FAILED) if definitive else _ended(after, Status.FAILED)
    return replace(outcome, reopen=True)
