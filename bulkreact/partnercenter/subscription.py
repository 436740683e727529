"""A subscription as the service sent it: what we understand of it, and its very text with one member changed; pure.

Sources: the pages *Subscription resources* and *Reactivate a suspended subscription*. A reduced or respelled resource
would switch auto-renew off and drop next-term instructions, so it goes back as it came.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bulkreact.partnercenter.response_bodies import field, sanitize

ACTIVE = "active"
SUSPENDED = "suspended"
# The service writes years far away for never, and for no date at all.
FIRST_YEAR, NEVER = 2000, 9999
_AZURE_PLAN_OFFER = "dzh318z0bps6"
_WORD_LENGTH = 64
_SPACE = " \t\r\n"
_Span = tuple[int, int]


def _unread(_number: str) -> None:
    """Leave a number unread: it may have any number of digits, and none is asked for."""


# Control characters may stand bare in strings: nothing is judged here.
_DECODER = json.JSONDecoder(parse_int=_unread, parse_float=_unread, parse_constant=_unread, strict=False)


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription; ``text`` is its JSON as received, ``spans`` where the values of its members stand there.

    ``etag`` is empty where the service guards it by none, ``parent_id`` where it has no parent; both are ids or words of
    the service. ``auto_renew`` is None when the resource does not tell; ``deadline`` (UTC, ISO 8601) is when its term
    ends, empty for never.
    """

    text: str
    spans: dict[str, _Span]
    id: str
    status: str
    etag: str
    parent_id: str
    auto_renew: bool | None
    azure_plan: bool
    deadline: str

    @property
    def auto_renew_disabled(self) -> bool:
        """Tell whether its suspension has switched auto-renew off, which only happens in new commerce."""
        return self.auto_renew is False and not self.etag and not self.azure_plan

    @property
    def body_with_status_active(self) -> bytes:
        """Return the resource with its status alone changed to active."""
        return self._changed("status", f'"{ACTIVE}"')

    @property
    def body_with_auto_renew(self) -> bytes:
        """Return the resource with its auto-renewal alone switched on."""
        return self._changed("autorenewenabled", "true")

    def _changed(self, name: str, literal: str) -> bytes:
        start, end = self.spans[name]
        return f"{self.text[:start]}{literal}{self.text[end:]}".encode()


def read(body: bytes) -> Subscription | None:
    """Return the subscription in a body, None when it is no JSON object that has a status."""
    try:
        text = body.decode(json.detect_encoding(body))
        spans = _spans(text)
        values = {name: _DECODER.raw_decode(text, start)[0] for name, (start, _) in spans.items()}
    except (ValueError, RecursionError):
        return None
    word = values.get("status")
    if not isinstance(word, str) or not word.strip():
        return None
    auto_renew = values.get("autorenewenabled")
    return Subscription(
        text=text,
        spans=spans,
        id=_word(values.get("id")).lower(),
        status=_word(word).lower(),
        etag=_etag(field(values.get("attributes"), "etag")),
        parent_id=_word(values.get("parentsubscriptionid")).lower(),
        auto_renew=auto_renew if isinstance(auto_renew, bool) else None,
        azure_plan=is_azure_plan(values),
        deadline=deadline_of(values.get("commitmentenddatetime")),
    )


def is_azure_plan(members: Mapping[str, object]) -> bool:
    """Tell whether a subscription, its members by their names in lower case, is an Azure plan."""
    product = members.get("producttype")
    names = (members.get("offername"), members.get("friendlyname"), field(product, "id"), field(product, "displayname"))
    plain = ["".join(name.split()).lower() for name in names if isinstance(name, str)]
    offer = members.get("offerid")
    return (isinstance(offer, str) and offer.lower().startswith(_AZURE_PLAN_OFFER)) or any(
        "azureplan" in name for name in plain
    )


def deadline_of(value: object) -> str:
    """Return a moment of the service as UTC, ISO 8601 to the second; empty for never and for what is none."""
    if not isinstance(value, str):
        return ""
    try:
        moment = datetime.fromisoformat(value.strip())
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return moment_text(moment) if FIRST_YEAR <= moment.year < NEVER else ""


def moment_text(moment: datetime) -> str:
    """Return a UTC moment as ISO 8601 to the second, with ``Z``."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _spans(text: str) -> dict[str, _Span]:
    """Return where the values of an object's members stand, by their names in lower case.

    Of names that differ in case alone the documented spelling counts, else the last one. Raises ValueError.
    """
    spans: dict[str, _Span] = {}
    exact: set[str] = set()
    place = _skip(text, 0)
    if text[place : place + 1] != "{":
        raise ValueError("no object")
    place = _skip(text, place + 1)
    while text[place : place + 1] != "}":
        name, place = _DECODER.raw_decode(text, place)
        place = _skip(text, place)
        if not isinstance(name, str) or text[place : place + 1] != ":":
            raise ValueError("no member")
        start = _skip(text, place + 1)
        _, end = _DECODER.raw_decode(text, start)
        lower = name.lower()
        documented = name[:1].islower()
        if documented or lower not in exact:
            spans[lower] = start, end
        if documented:
            exact.add(lower)
        place = _skip(text, end)
        following = text[place : place + 1]
        if following == ",":
            place = _skip(text, place + 1)
        if (following == ",") == (text[place : place + 1] == "}"):
            raise ValueError("no end")
    if text[place + 1 :].strip(_SPACE):
        raise ValueError("more than one value")
    return spans


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in _SPACE:
        place += 1
    return place


def _word(value: object) -> str:
    return sanitize(value, _WORD_LENGTH) if isinstance(value, str) else ""


def _etag(value: object) -> str:
    """Return an etag as the header takes it, quoted; empty when there is none that could be sent."""
    if not isinstance(value, str) or not value.strip() or not (value.isascii() and value.isprintable()):
        return ""
    bare = value.strip()
    return bare if bare.endswith('"') and bare.startswith(('"', 'W/"')) else f'"{bare}"'
