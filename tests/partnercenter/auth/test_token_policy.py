"""When a token is renewed, and when a failed fetch is repeated."""

import pytest

from bulkreact.errors import CredentialsRefusedError
from bulkreact.partnercenter.auth.token_errors import Grant, TokenServiceError
from bulkreact.partnercenter.auth.token_policy import CachedToken, retry_delay

DOWN = TokenServiceError("down", transient=True)
REFUSED = TokenServiceError("refused", transient=False)


def make_busy_error(seconds: float) -> TokenServiceError:
    return TokenServiceError("busy", transient=True, retry_after=seconds)


@pytest.mark.parametrize(
    ("lifetime", "renew_at"), [(3600, 3400), (5400, 5200), (600, 400), (599, 399.5), (60, 130), (2, 101)]
)
def test_a_token_is_renewed_five_minutes_before_it_expires_or_after_half_a_short_life(
    lifetime: float, renew_at: float
) -> None:
    token = CachedToken.from_grant(Grant("token", lifetime), asked_at=100, fetched_at=101)
    assert (token.fetched_at, token.renew_at, token.expires_at) == (101, renew_at, 100 + lifetime)


@pytest.mark.parametrize(
    ("now", "fresh", "valid"), [(0, True, True), (9.9, True, True), (10, False, True), (20, False, False)]
)
def test_a_token_is_fresh_until_its_renewal_and_valid_until_it_expires(now: float, fresh: bool, valid: bool) -> None:
    token = CachedToken("token", 0, 10, 20)
    assert (token.is_fresh(now), token.is_valid(now)) == (fresh, valid)


def test_a_refused_token_is_neither_fresh_nor_valid() -> None:
    token = CachedToken("token", 0, 100, 200).as_expired(50)
    assert (token.is_fresh(50), token.is_valid(50)) == (False, False)


@pytest.mark.parametrize(
    ("error", "renew_at"),
    [
        (DOWN, 130),
        (REFUSED, 130),
        (make_busy_error(5), 130),
        (make_busy_error(60), 160),
        (make_busy_error(9999), 200),
        (CredentialsRefusedError(), 130),
    ],
)
def test_a_failed_renewal_is_postponed_but_not_beyond_the_tokens_life(error: Exception, renew_at: float) -> None:
    token = CachedToken("token", 0, 100, 200).with_postponed_renewal(error, 100)
    assert (token.renew_at, token.expires_at) == (renew_at, 200)


@pytest.mark.parametrize(
    ("error", "failures", "wait"),
    [
        (DOWN, 1, 1),
        (DOWN, 2, 2),
        (DOWN, 4, 8),
        (DOWN, 5, None),
        (REFUSED, 1, None),
        (make_busy_error(17), 1, 17),
        (make_busy_error(3), 4, 8),
        (make_busy_error(120), 1, 120),
        (make_busy_error(121), 1, None),
        (CredentialsRefusedError(), 1, None),
    ],
)
def test_a_fetch_is_repeated_while_failures_are_transient_and_waits_short(
    error: Exception, failures: int, wait: float | None
) -> None:
    assert retry_delay(error, failures=failures) == wait


def test_chance_shortens_the_back_off_but_not_the_named_wait() -> None:
    assert retry_delay(DOWN, failures=3, chance=0.5) == 2
    assert retry_delay(make_busy_error(17), failures=1, chance=0.5) == 17
