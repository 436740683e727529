"""Decides when an access token is renewed, and when a failed fetch is repeated. No I/O. Times are seconds."""

from dataclasses import dataclass, field, replace

from bulkreact.partnercenter.auth.token_errors import Grant, TokenServiceError

ATTEMPTS = 5
LONGEST_WAIT_SECONDS = 120.0
_RENEW_BEFORE_SECONDS = 300.0
_BACKOFF_CEILING_SECONDS = 30.0
# How long a failed renewal is postponed while the token is still valid.
_POSTPONED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class CachedToken:
    """An access token and its validity over time.

    ==========================  ========  ========  =======================
    time                        is_fresh  is_valid  next call
    ==========================  ========  ========  =======================
    before ``renew_at``         yes       yes       uses it
    until ``expires_at``        no        yes       uses it and renews it
    from ``expires_at`` on      no        no        waits for its successor
    ==========================  ========  ========  =======================

    ``fetched_at`` is a time of the calls' clock, which stands still while the machine sleeps; the others go on.
    """

    token: str = field(repr=False)
    fetched_at: float
    renew_at: float
    expires_at: float

    @classmethod
    def from_grant(cls, grant: Grant, *, asked_at: float, fetched_at: float) -> "CachedToken":
        """Schedule the renewal: five minutes before the token expires, or after half of a shorter life."""
        expires_at = asked_at + grant.lifetime
        return cls(grant.token, fetched_at, expires_at - min(_RENEW_BEFORE_SECONDS, grant.lifetime / 2), expires_at)

    def is_fresh(self, now: float) -> bool:
        """Return whether calls can use the token without a renewal."""
        return now < self.renew_at

    def is_valid(self, now: float) -> bool:
        """Return whether calls can use the token."""
        return now < self.expires_at

    def as_expired(self, now: float) -> "CachedToken":
        """Return the token after the service refused it: expired."""
        return replace(self, renew_at=now, expires_at=now)

    def with_postponed_renewal(self, error: Exception, now: float) -> "CachedToken":
        """Return the token after a failed renewal: tried again in 30 seconds, or when the service says."""
        return replace(self, renew_at=min(self.expires_at, now + max(_POSTPONED_SECONDS, _named_wait(error))))


def retry_delay(error: Exception, *, failures: int, chance: float = 1.0) -> float | None:
    """Return the seconds until a failed fetch is repeated, None to give up; ``chance`` is random in [0, 1).

    ==================================================  =========================================
    error                                               result
    ==================================================  =========================================
    not transient                                       give up
    the fifth failure                                   give up
    the service names a wait longer than two minutes    give up
    otherwise                                           the named wait, or the back-off if longer
    ==================================================  =========================================
    """
    wait = max(chance * min(_BACKOFF_CEILING_SECONDS, 2.0 ** (failures - 1)), _named_wait(error))
    transient = isinstance(error, TokenServiceError) and error.transient
    return wait if transient and failures < ATTEMPTS and wait <= LONGEST_WAIT_SECONDS else None


def _named_wait(error: Exception) -> float:
    return (isinstance(error, TokenServiceError) and error.retry_after) or 0.0
