"""What is done with a verdict: the table that all drivers share."""

import pytest
from msgspec.structs import replace

from bulkreact.batch.dispatch.reaction import (
    AbortRun,
    Answered,
    ApplyThrottle,
    AttemptLimits,
    Reaction,
    RenewToken,
    backoff,
    react,
)
from bulkreact.batch.policy import RetryIn
from bulkreact.models import Answer
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.verdicts import Verdict

ANSWER = Answer(500, "code", "description", business=False)
TRANSIENT = verdicts.Transient(ANSWER)
LIMITS = AttemptLimits(attempts=5, max_retry_after=300)
RETRY_ONCE = verdicts.Transient(ANSWER, retry_once=True)


@pytest.mark.parametrize(
    ("verdict", "failures", "token_refused", "expected"),
    [
        (verdicts.Throttled(ANSWER, 7.0), 0, False, ApplyThrottle(7.0)),
        (verdicts.Throttled(ANSWER, None), 99, False, ApplyThrottle(None)),
        (verdicts.TokenRefused(ANSWER), 0, False, RenewToken()),
        (verdicts.TokenRefused(ANSWER), 0, True, AbortRun()),
        (verdicts.Fatal(ANSWER), 0, False, AbortRun()),
        (TRANSIENT, 0, False, RetryIn(0.5)),
        (TRANSIENT, 2, False, RetryIn(2.0)),
        (TRANSIENT, 3, False, RetryIn(4.0)),
        (TRANSIENT, 4, False, Answered()),
        (RETRY_ONCE, 0, False, RetryIn(0.5)),
        (RETRY_ONCE, 1, False, Answered()),
        (verdicts.Accepted(ANSWER), 0, False, Answered()),
        (verdicts.StatusRead(ANSWER, "active"), 0, True, Answered()),
        (verdicts.Listed(ANSWER, {}), 0, False, Answered()),
        (verdicts.Refused(ANSWER), 0, False, Answered()),
        (verdicts.AmbiguousRefusal(ANSWER), 0, False, Answered()),
        (verdicts.Conflict(ANSWER), 0, False, Answered()),
        (verdicts.ParentInactive(ANSWER), 0, False, Answered()),
        (verdicts.CustomerRefused(ANSWER), 0, False, Answered()),
        (verdicts.PermissionRefused(ANSWER), 0, False, Answered()),
        (verdicts.NotReady(ANSWER), 0, False, Answered()),
        (verdicts.TryLater(ANSWER), 0, False, Answered()),
    ],
)
def test_every_verdict_has_its_reaction(
    verdict: Verdict, failures: int, token_refused: bool, expected: Reaction
) -> None:
    assert react(verdict, failures=failures, token_refused=token_refused, limits=LIMITS, chance=0.5) == expected


def test_a_single_attempt_is_never_repeated() -> None:
    assert (
        react(RETRY_ONCE, failures=0, token_refused=False, limits=replace(LIMITS, attempts=1), chance=0.5) == Answered()
    )


@pytest.mark.parametrize(("failures", "ceiling"), [(1, 1), (2, 2), (3, 4), (4, 8), (7, 60), (5000, 60)])
def test_the_back_off_doubles_with_full_jitter_up_to_a_minute(failures: int, ceiling: float) -> None:
    assert backoff(failures, 0.0) == 0
    assert backoff(failures, 0.5) == ceiling / 2
    assert backoff(failures, 0.999999) < ceiling
