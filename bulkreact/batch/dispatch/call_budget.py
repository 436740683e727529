"""What all calls of a phase share: their rate, their number in flight, and how often they are repeated."""

from msgspec import Struct

from bulkreact.batch.dispatch.rate_limiter import RateLimiter
from bulkreact.batch.dispatch.reaction import AttemptLimits
from bulkreact.batch.dispatch.throttle import Throttle
from bulkreact.settings import Limits


class CallBudget(Struct, frozen=True):
    """The limits that all calls of a phase share, and the throttles of that phase.

    ``is_first``: no earlier phase of this process was answered, so that the first call goes alone.
    """

    rate_limiter: RateLimiter
    throttle: Throttle
    concurrency: int
    attempt_limits: AttemptLimits
    max_outage: float
    is_first: bool = True


def call_budget(limits: Limits, rate_limiter: RateLimiter, *, is_first: bool = True) -> CallBudget:
    """Return a budget without throttles: reads and writes are throttled separately."""
    throttle = Throttle(max_retry_after=limits.max_retry_after, max_throttle=limits.max_throttle)
    attempt_limits = AttemptLimits(limits.attempts, limits.max_retry_after)
    return CallBudget(rate_limiter, throttle, limits.concurrency, attempt_limits, limits.max_outage, is_first)
