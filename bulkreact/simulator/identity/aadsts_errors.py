"""The token service's errors by AADSTS number; the last digits of a client id may choose one."""

from datetime import UTC, datetime
from uuid import uuid4

from msgspec import Struct

# Number → OAuth error, HTTP status, description. The descriptions are made up; numbers and errors are documented.
_TABLE: dict[int, tuple[str, int, str]] = {
    7000215: ("invalid_client", 401, "The secret that was given is not one of this app's."),
    7000216: ("invalid_client", 401, "A secret or an assertion is needed for an app's own token."),
    7000218: ("invalid_client", 401, "A secret or an assertion is needed: this app is not a public client."),
    7000222: ("invalid_client", 401, "The secret that was given has expired."),
    700025: ("invalid_client", 401, "The client is public: neither a secret nor an assertion should be presented."),
    700027: ("invalid_client", 401, "The assertion was not signed by a certificate of this app."),
    700016: ("unauthorized_client", 400, "The app was not found in the tenant."),
    90002: ("invalid_request", 400, "The tenant was not found."),
    900382: ("invalid_request", 400, "The tenant belongs to another national cloud."),
    900432: ("invalid_request", 400, "The tenant belongs to another national cloud."),
    90038: ("invalid_request", 400, "The tenant belongs to another national cloud."),
    900144: ("invalid_request", 400, "A parameter is missing from the request."),
    50011: ("invalid_request", 400, "The redirect address is not one of this app's."),
    70003: ("unsupported_grant_type", 400, "The grant type is not supported."),
    70011: ("invalid_scope", 400, "The scope is not valid."),
    500011: ("invalid_resource", 400, "The resource was not found in the tenant."),
    650057: ("invalid_resource", 400, "The app does not list the resource among its permissions."),
    65001: ("invalid_grant", 400, "Nobody has consented to the app's permissions."),
    700082: ("invalid_grant", 400, "The refresh token has expired because it was not used."),
    70008: ("invalid_grant", 400, "The code or refresh token has expired."),
    70043: ("invalid_grant", 400, "The refresh token has expired by policy."),
    50173: ("invalid_grant", 400, "The grant was revoked."),
    70000: ("invalid_grant", 400, "The refresh token is not valid."),
    54005: ("invalid_grant", 400, "The authorization code was redeemed before."),
    501481: ("invalid_grant", 400, "The code verifier does not fit the code challenge."),
    50076: ("invalid_grant", 400, "Multi-factor authentication is required."),
    50079: ("invalid_grant", 400, "Multi-factor authentication has to be set up."),
    50078: ("invalid_grant", 400, "The multi-factor authentication has expired."),
    50074: ("invalid_grant", 400, "Strong authentication is required."),
    53003: ("invalid_grant", 400, "Conditional access policies block the token."),
    50057: ("invalid_grant", 400, "The user account is disabled."),
    70016: ("authorization_pending", 400, "The user has not finished signing in."),
    70018: ("bad_verification_code", 400, "The device code is not known."),
    70019: ("expired_token", 400, "The device code has expired."),
    65004: ("authorization_declined", 400, "The user declined."),
    50033: ("temporarily_unavailable", 503, "A transient error."),
    90033: ("temporarily_unavailable", 503, "A transient error."),
    90006: ("temporarily_unavailable", 503, "A transient error of another service."),
    90012: ("temporarily_unavailable", 503, "A service took too long."),
    90024: ("temporarily_unavailable", 503, "The service is too busy."),
    90090: ("temporarily_unavailable", 503, "A transient error of another service."),
    90055: ("temporarily_unavailable", 429, "Too many requests."),
}
_UNKNOWN = ("invalid_request", 400, "Something is wrong with the request.")
_RETRY_AFTER = {90055: "1"}
# Real numbers have at most eight digits; the zeros before them keep other client ids from choosing one by chance.
_ERROR_NUMBERS_BELOW = 10**8


class TokenRefusedError(Exception):
    """A request that the token service refuses; ``error`` replaces the number's OAuth error."""

    def __init__(self, number: int, error: str = "") -> None:
        self.number = number
        default_error, self.status, self.description = _TABLE.get(number, _UNKNOWN)
        self.error = error or default_error
        self.retry_after = _RETRY_AFTER.get(number, "")
        super().__init__(f"AADSTS{number}")


class Fault(Struct):
    """One scripted answer to a token request; with ``effect`` the request takes effect first, and its answer is lost.

    ``status`` with an HTML page (``html``), or with an OAuth ``error`` and ``number``, or with an empty body; ``drop``
    cuts the connection instead.
    """

    status: int = 503
    error: str = ""
    number: int = 0
    retry_after: str = ""
    html: bool = False
    drop: bool = False
    effect: bool = False


def error_number_of(client_id: str) -> int:
    """Return the error number in the last twelve digits of a client id, which always gets it; 0 for most."""
    digits = client_id[-12:]
    if not (digits.isascii() and digits.isdigit()):
        return 0
    number = int(digits)
    return number if number < _ERROR_NUMBERS_BELOW else 0


def error_body(number: int, error: str, description: str, *, now: float, correlation_id: str = "") -> dict[str, object]:
    """Return the JSON of an error; ``now`` is in epoch seconds."""
    timestamp = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%SZ}"
    trace_id, correlation_id = str(uuid4()), correlation_id or str(uuid4())
    return {
        "error": error,
        "error_description": (
            f"AADSTS{number}: {description} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}"
        ),
        "error_codes": [number],
        "timestamp": timestamp,
        "trace_id": trace_id,
        "correlation_id": correlation_id,
    }
