"""Read any body of the service, however it is encoded or broken; pure and total.

Sources: the error shapes recorded on the API page (*Bodies*). Success bodies begin with a UTF-8 BOM.
"""

import json
import re
from dataclasses import dataclass

DESCRIPTION_LENGTH = 1024
_CODE_LENGTH = 64
_TOKEN = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*){0,2}|(?i:bearer)\s+[\w.~+/=-]{20,}")
_WAIT = re.compile(r"(?:again|retry)\D{0,40}?(\d{1,9}(?:\.\d+)?)\s*(second|sec|s|minute|min)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """What an error body says: its code, empty when it has none, and its words."""

    code: str
    description: str


def decode(body: bytes) -> str:
    """Return the text of a body in UTF-8 or UTF-16, with or without a BOM; undecodable bytes are replaced."""
    return body.decode(json.detect_encoding(body), "replace")


def parse(body: bytes) -> object:
    """Return the JSON value of a body, or None when it is not JSON."""
    try:
        value: object = json.loads(decode(body))
    except (ValueError, RecursionError):
        return None
    return value


def is_success_body(body: bytes) -> bool:
    """Tell whether the body of a 2xx is empty or JSON: HTML and text come from something in between."""
    if not body:
        return True
    text = decode(body).strip().strip("\0")
    return not text or text[0] in "{[" or text == "null" or parse(body) is not None


def error_details(body: bytes, reason: str) -> ErrorDetails:
    """Read any of the seven error shapes; where none fits, the text itself is the description."""
    value = parse(body)
    if isinstance(value, dict):
        fields = {str(key).lower(): item for key, item in value.items()}
        nested = fields.get("error")
        if isinstance(nested, dict) and "code" not in fields:
            fields = {str(key).lower(): item for key, item in nested.items()}
        code = _first_text(fields, "code", "error_codes", "error", "errorname")
        words = _first_text(fields, "description", "message", "error_description", "errormessageextended")
        if words or code:
            return ErrorDetails(sanitize(code, _CODE_LENGTH), sanitize(words or reason, DESCRIPTION_LENGTH))
    return ErrorDetails("", sanitize(decode(body).strip() or reason, DESCRIPTION_LENGTH))


def read_status(body: bytes) -> str:
    """Return the ``status`` of a resource in lower case, found without regard to case; empty when there is none."""
    return _word(parse(body), "status")


def read_statuses(body: bytes) -> dict[str, str] | None:
    """Return the statuses of a collection's resources by their ids, both in lower case; None when it is none."""
    items = field(parse(body), "items")
    if not isinstance(items, list):
        return None
    words = {_word(item, "id"): _word(item, "status") for item in items}
    return {one: word for one, word in words.items() if one and word}


def seconds_in_text(body: bytes) -> float | None:
    """Return the wait that the gateway's throttle message names in words, or None."""
    match = _WAIT.search(decode(body[:4096]))
    if not match:
        return None
    return float(match[1]) * (60 if match[2].lower().startswith("min") else 1)


def sanitize(text: str, length: int) -> str:
    """Make foreign text safe to keep and to show: one line, printable, without tokens, cut to length."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return _TOKEN.sub("[hidden]", line)[:length]


def field(value: object, name: str) -> object:
    """Return a field of an object, found without regard to case."""
    if not isinstance(value, dict):
        return None
    return next((item for key, item in value.items() if str(key).lower() == name), None)


def _word(value: object, name: str) -> str:
    word = field(value, name)
    return sanitize(word, _CODE_LENGTH).lower() if isinstance(word, str) else ""


def _first_text(fields: dict[str, object], *names: str) -> str:
    for name in names:
        value = fields.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            # A number longer than any code would also be longer than Python is willing to print.
            return str(value) if abs(value) < 10**_CODE_LENGTH else ""
    return ""
