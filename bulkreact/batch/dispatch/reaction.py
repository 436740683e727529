"""How every driver reacts to a verdict before it looks at the answer's content. No I/O."""

from msgspec import Struct

from bulkreact.batch.policy import RetryIn
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


class Answered(Struct, frozen=True):
    """The driver decides: this is an answer about the target, or the last allowed failure."""


Unanswered = RetryIn | ApplyThrottle | RenewToken | AbortRun
Reaction = Unanswered | Answered


def react(verdict: Verdict, *, failures: int, token_refused: bool, attempts: int, chance: float) -> Reaction:
    """Return what to do next with a call.

    | verdict      | condition                                               | reaction        |
    |--------------|---------------------------------------------------------|-----------------|
    | Throttled    |                                                         | ApplyThrottle   |
    | TokenRefused | the call before was not refused for its token           | RenewToken      |
    | TokenRefused | it was                                                  | AbortRun        |
    | Fatal        |                                                         | AbortRun        |
    | Transient    | fewer failures than ``attempts`` (``retry_once``: 2)    | RetryIn backoff |
    | Transient    | otherwise                                               | Answered        |
    | any other    |                                                         | Answered        |

    ``failures`` counts the transient ones before this call, ``chance`` is uniform in [0, 1).
    """
    match verdict:
        case verdicts.Throttled(retry_after=retry_after):
            return ApplyThrottle(retry_after)
        case verdicts.TokenRefused():
            return AbortRun() if token_refused else RenewToken()
        case verdicts.Fatal():
            return AbortRun()
        case verdicts.Transient(retry_once=retry_once):
            limit = min(2, attempts) if retry_once else attempts
            return RetryIn(backoff(failures + 1, chance)) if failures + 1 < limit else Answered()
        case _:
            return Answered()


def backoff(failures: int, chance: float) -> float:
    """Return the back-off in seconds after a number of failures: exponential with full jitter."""
    return chance * min(BACKOFF_CEILING_SECONDS, BACKOFF_SECONDS * 2.0 ** min(failures - 1, 16))
