"""Reads and explains the token service's errors. No I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from bulkreact.errors import CredentialsRefusedError
from bulkreact.partnercenter.auth.aadsts_codes import AADSTS_ERRORS, OAUTH_ERRORS, TRANSIENT_NUMBERS

_NUMBER = re.compile(r"AADSTS(\d{2,10})(?!\d)", re.ASCII)
_TRANSIENT_ERRORS = frozenset({"temporarily_unavailable", "server_error"})
_LATER = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT})
# Words of OAuth that need no explanation of their own.
_OTHER_WORDS = frozenset(
    {"invalid_request", "unsupported_grant_type", "unsupported_response_type", "invalid_token", "insufficient_scope"}
)
# Any other word may be anything: a secret that comes back, or an escape sequence.
_UNLISTED = "an error that is not OAuth's"
_END_OF_NUMBERS = 10**10
_PAGE = "https://login.microsoftonline.com/error?code="


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """An answer without a token: OAuth's ``error``, the AADSTS ``number``, and the status (None without an answer).

    Nothing else is kept of what the service says: it may repeat what was sent.
    """

    status: int | None
    error: str
    number: str = ""
    retry_after: str = ""

    @property
    def transient(self) -> bool:
        """Return whether another attempt may help."""
        server = self.status is not None and (self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or self.status in _LATER)
        # Success without a token: a truncated answer, or a proxy's page.
        is_incomplete_success = not self.error and self.status == HTTPStatus.OK
        return server or is_incomplete_success or self.error in _TRANSIENT_ERRORS or self.number in TRANSIENT_NUMBERS


@dataclass(frozen=True, slots=True)
class Grant:
    """An access token, and for how many seconds it is valid."""

    token: str = field(repr=False)
    lifetime: float


class TokenServiceError(CredentialsRefusedError):
    """The token service gave no token; a ``transient`` error may be retried after ``retry_after`` seconds."""

    def __init__(self, message: str, *, transient: bool, retry_after: float | None = None, number: str = "") -> None:
        super().__init__(message)
        self.transient = transient
        self.retry_after = retry_after
        self.number = number


def to_error(answer: TokenAnswer) -> TokenServiceError:
    """Return the error for an answer without a token, with what to do about it."""
    number = answer.number
    reason, remedy = AADSTS_ERRORS.get(number) or OAUTH_ERRORS.get(answer.error) or _fallback(answer)
    label = f"AADSTS{number}" if number else answer.error or (f"HTTP {answer.status}" if answer.status else "no answer")
    page = f" Microsoft explains it at {_PAGE}{number}" if number and number not in AADSTS_ERRORS else ""
    return TokenServiceError(
        f"The token service gave no token: {reason} ({label}). {remedy}{page}",
        transient=answer.transient,
        retry_after=_seconds(answer.retry_after),
        number=number,
    )


def answer_of(result: Mapping[str, object], *, status: int | None, retry_after: str) -> TokenAnswer:
    """Read an answer's fields, whatever their types."""
    error, description = result.get("error"), result.get("error_description")
    match = _NUMBER.search(description) if isinstance(description, str) else None
    numbers = result.get("error_codes")
    if not match and isinstance(numbers, list) and numbers and type(numbers[0]) is int:
        match = _NUMBER.fullmatch(f"AADSTS{numbers[0]}") if abs(numbers[0]) < _END_OF_NUMBERS else None
    return TokenAnswer(status, _known_word(error), match[1] if match else "", retry_after)


def _known_word(error: object) -> str:
    """Return OAuth's word for an error, empty if there is none."""
    if not isinstance(error, str) or not error:
        return ""
    return error if error in OAUTH_ERRORS or error in _OTHER_WORDS else _UNLISTED


def _fallback(answer: TokenAnswer) -> tuple[str, str]:
    if answer.status is not None and HTTPStatus.OK <= answer.status < HTTPStatus.BAD_REQUEST:
        return "the answer does not come from a token service", "Check --authority, and the proxy."
    if answer.transient:
        return "it is failing or too busy", "Try again in a few minutes."
    return "it refused the request", "Check --tenant-id, --client-id, --authority and --scope."


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and int(text) > 0 else None
