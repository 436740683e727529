"""Which failures of TLS refuse the way for good, and which may pass."""

import ssl

import pytest

from bulkreact.partnercenter.network import TrustSource
from bulkreact.partnercenter.refusals import late_refusal, proxy_refusal, tls_refusal

PLATFORM = TrustSource()


def failed_with(reason: str) -> OSError:
    """Return the error of a connection whose TLS failed, as aiohttp wraps it."""
    cause = ssl.SSLError(1, "canary")
    cause.reason = reason
    error = OSError(1, "canary")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("reason", ["SSLV3_ALERT_HANDSHAKE_FAILURE", "NO_SHARED_CIPHER", "DH_KEY_TOO_SMALL"])
def test_tls_that_cannot_be_agreed_on_is_named_by_its_reason(reason: str) -> None:
    refusal = tls_refusal(failed_with(reason), host="partner.example", port=443, trust=PLATFORM)
    assert refusal
    assert reason in refusal.message
    assert "canary" not in refusal.message


@pytest.mark.parametrize("reason", ["UNEXPECTED_EOF_WHILE_READING", "TLSV1_ALERT_INTERNAL_ERROR", ""])
def test_what_may_pass_refuses_nothing(reason: str) -> None:
    assert tls_refusal(failed_with(reason), host="partner.example", port=443, trust=PLATFORM) is None


def test_a_connection_is_refused_late_only_if_it_wants_a_certificate() -> None:
    refusal = late_refusal(failed_with("TLSV13_ALERT_CERTIFICATE_REQUIRED"), host="partner.example")
    assert refusal
    assert "mutual TLS" in refusal.message
    assert late_refusal(failed_with("SSLV3_ALERT_BAD_RECORD_MAC"), host="partner.example") is None
    assert late_refusal(ConnectionResetError(), host="partner.example") is None


@pytest.mark.parametrize("status", [400, 404, 408, 429, 500, 502, 503, 504])
def test_other_answers_of_a_proxy_may_pass(status: int) -> None:
    assert proxy_refusal(status, host="partner.example") is None
