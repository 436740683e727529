"""How every driver reacts to a verdict before it looks at the answer's content. No I/O."""

from msgspec import Struct

from bulkreact.batch.dispatch.gateway_breaker import PAGES_TO_STOP
from bulkreact.batch.dispatch.outage import TroubleKind
from bulkreact.batch.policy import RetryIn
from bulkreact.models import Answer
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.verdicts import Verdict

BACKOFF_SECONDS = 1.0
BACKOFF_CEILING_SECONDS = 60.0


class ApplyThrottle(Struct, frozen=True):
    """The call was throttled: pause its customer or the partner, then repeat it."""

    retry_after: float | None


class RenewToken(Struct, frozen=True):
    """Fetch a new access token, then repeat the call."""


class AbortRun(Struct, frozen=True):
    """No call can succeed: the run ends."""


class AwaitService(Struct, frozen=True):
    """The call is part of an outage: repeat it when the service is back."""


class AwaitProof(Struct, frozen=True):
    """The last allowed failure counts only if it does not turn out to be part of an outage."""


class StopRun(Struct, frozen=True):
    """No call gets through to the service: the run ends for this reason, and its rows stay open."""

    reason: str


class Answered(Struct, frozen=True):
    """The driver decides: this is an answer about the target, or the last allowed failure."""


Unanswered = RetryIn | ApplyThrottle | RenewToken | AbortRun | StopRun | AwaitService | AwaitProof
Reaction = Unanswered | Answered


class AttemptLimits(Struct, frozen=True):
    """How often a call is repeated after transient failures, and the longest ``Retry-After`` that is waited for."""

    attempts: int
    max_retry_after: float


def react(
    verdict: Verdict,
    *,
    failures: int,
    token_refused: bool,
    limits: AttemptLimits,
    chance: float,
    trouble: TroubleKind | None = None,
    may_be_outage: bool = False,
) -> Reaction:
    """Return what to do next with a call.

    | verdict      | condition                                               | reaction        |
    |--------------|---------------------------------------------------------|-----------------|
    | Throttled    |                                                         | ApplyThrottle   |
    | TokenRefused | the call before was not refused for its token           | RenewToken      |
    | TokenRefused | it was                                                  | AbortRun        |
    | Fatal        |                                                         | AbortRun        |
    | Transient    | the way is refused, or a gateway answers all calls      | StopRun         |
    | Transient    | part of an outage                                       | AwaitService    |
    | Transient    | a 503 that is a throttle                                | ApplyThrottle   |
    | Transient    | fewer failures than attempts (``retry_once``: 2), and   | RetryIn backoff |
    |              | Retry-After is not too long                             |                 |
    | Transient    | otherwise, suspected while other calls may be affected  | AwaitProof      |
    | Transient    | otherwise                                               | Answered        |
    | any other    |                                                         | Answered        |

    ``failures`` counts the transient ones before this call, ``chance`` is uniform in [0, 1). ``may_be_outage``: other
    calls can still show that a suspected one is part of an outage.
    """
    match verdict:
        case verdicts.Throttled(retry_after=retry_after):
            return ApplyThrottle(retry_after)
        case verdicts.TokenRefused() if not token_refused:
            return RenewToken()
        case verdicts.TokenRefused() | verdicts.Fatal():
            return AbortRun()
        case verdicts.Transient():
            return _react_to_transient(verdict, failures, limits, chance, trouble, may_be_outage=may_be_outage)
        case _:
            return Answered()


def _react_to_transient(
    verdict: verdicts.Transient,
    failures: int,
    limits: AttemptLimits,
    chance: float,
    trouble: TroubleKind | None,
    *,
    may_be_outage: bool,
) -> Reaction:
    if verdict.way_refused or trouble is TroubleKind.BLOCKED:
        return StopRun(stop_reason(verdict.answer))
    if trouble is TroubleKind.OUTAGE:
        return AwaitService()
    if trouble is TroubleKind.THROTTLE:
        return ApplyThrottle(verdict.retry_after)
    limit = min(2, limits.attempts) if verdict.retry_once else limits.attempts
    wait = verdict.retry_after or 0.0
    if failures + 1 < limit and wait <= limits.max_retry_after:
        return RetryIn(max(wait, backoff(failures + 1, chance)))
    return AwaitProof() if trouble and may_be_outage else Answered()


def stop_reason(answer: Answer) -> str:
    """Return why no call gets through to the service."""
    if answer.http_status is None:
        return f"Partner Center cannot be reached: {answer.description}"
    quote = f': "{answer.description}"' if answer.description else ""
    return (
        f"a gateway answers in Partner Center's place, {PAGES_TO_STOP} times in succession, HTTP {answer.http_status}"
        f"{quote}. Have it let the calls through (check proxy and --base-url)"
    )


def backoff(failures: int, chance: float) -> float:
    """Return the back-off in seconds after a number of failures: exponential with full jitter."""
    return chance * min(BACKOFF_CEILING_SECONDS, BACKOFF_SECONDS * 2.0 ** min(failures - 1, 16))
