"""Reads any body of the service, in any encoding and even if broken. No I/O; never raises.

Sources: the error shapes recorded on the API page (*Bodies*). Success bodies begin with a UTF-8 BOM.
"""

import json
import re
from html import unescape

from msgspec import Struct

from bulkreact.guids import canonical_guid

DESCRIPTION_LENGTH = 1024
_CODE_LENGTH = 64
_CLEANED = 16
_PAGE_START = 1 << 16
_TITLE = re.compile(r"<title\b[^<>]{0,200}>([^<]*)", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_TOKEN = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*){0,2}|(?i:bearer)\s+[\w.~+/=-]{20,}")
_WAIT = re.compile(r"(?:again|retry)\D{0,40}?(\d{1,9}(?:\.\d+)?)\s*(second|sec|s|minute|min)", re.IGNORECASE | re.ASCII)


class ErrorDetails(Struct, frozen=True):
    """The code of an error body, empty if it has none, and its description."""

    code: str
    description: str


class ResourceStatus(Struct, frozen=True):
    """The id and status of a resource in lower case, a GUID in canonical form; empty if it has none."""

    id: str
    status: str


_NO_RESOURCE = ResourceStatus("", "")


def decode(body: bytes) -> str:
    """Return the text of a body in UTF-8 or UTF-16, with or without a BOM; undecodable bytes are replaced."""
    return body.decode(json.detect_encoding(body), "replace")


def parse(body: bytes) -> object:
    """Return the JSON value of a body, or None if it is not JSON."""
    if not body:
        return None
    try:
        value: object = json.loads(decode(body))
    except (ValueError, RecursionError):
        return None
    return value


def is_json_or_empty(body: bytes) -> bool:
    """Return whether a body is empty or JSON, perhaps a broken one: HTML and text come from a proxy."""
    if not body:
        return True
    text = decode(body).strip().strip("\0")
    return not text or text[0] in "{[" or text == "null" or parse(body) is not None


def page_title(body: bytes) -> str:
    """Return the title of a page, else its text."""
    text = decode(body[:_PAGE_START])
    match = _TITLE.search(text)
    title = sanitize(unescape(match[1]), DESCRIPTION_LENGTH) if match else ""
    return title or sanitize(unescape(_TAG.sub(" ", text)), DESCRIPTION_LENGTH)


def error_details(body: bytes, reason: str) -> ErrorDetails:
    """Read any of the seven error shapes; otherwise the text itself is the description."""
    value = parse(body)
    if isinstance(value, dict):
        fields = {str(key).lower(): item for key, item in value.items()}
        nested = fields.get("error")
        if isinstance(nested, dict) and "code" not in fields:
            fields = {str(key).lower(): item for key, item in nested.items()}
        code = _first_text(fields, "code", "error_codes", "error", "errorname")
        description = _first_text(fields, "description", "message", "error_description", "errormessageextended")
        if description or code:
            return ErrorDetails(sanitize(code, _CODE_LENGTH), sanitize(description or reason, DESCRIPTION_LENGTH))
    return ErrorDetails("", sanitize(decode(body).strip() or reason, DESCRIPTION_LENGTH))


def read_resource(body: bytes) -> ResourceStatus:
    """Return the id and status of the resource in a body."""
    return resource_status(parse(body)) if body else _NO_RESOURCE


def resource_status(value: object) -> ResourceStatus:
    """Return the id and status of a resource."""
    id_ = _lower_text(value, "id")
    return ResourceStatus(canonical_guid(id_) or id_, _lower_text(value, "status"))


def seconds_in_text(body: bytes) -> float | None:
    """Return the wait in the text of the gateway's throttle message, or None."""
    match = _WAIT.search(decode(body[:4096]))
    if not match:
        return None
    return float(match[1]) * (60 if match[2].lower().startswith("min") else 1)


def sanitize(text: str, length: int) -> str:
    """Make received text safe to store and to show: one line, printable, without tokens, cut to length."""
    # Cut first, far behind the final length: a hostile text may have millions of characters.
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: _CLEANED * length]).split())
    return _TOKEN.sub("[hidden]", line)[:length]


def field(value: object, name: str) -> object:
    """Return a field of an object by its name in any case."""
    if not isinstance(value, dict):
        return None
    return next((item for key, item in value.items() if str(key).lower() == name), None)


def _lower_text(value: object, name: str) -> str:
    text = field(value, name)
    return sanitize(text, _CODE_LENGTH).lower() if isinstance(text, str) else ""


def _first_text(fields: dict[str, object], *names: str) -> str:
    for name in names:
        value = fields.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            # Python refuses to print integers that are much longer.
            return str(value) if abs(value) < 10**_CODE_LENGTH else ""
    return ""
