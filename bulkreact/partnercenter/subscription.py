"""Reads a subscription, and changes one member in its exact text. No I/O.

Sources: the pages *Subscription resources* and *Reactivate a suspended subscription*. A reduced or respelled resource
would switch auto-renew off and drop next-term instructions, so it is sent back as received.
"""

import json
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from bulkreact.partnercenter.json_reader import JsonReader
from bulkreact.partnercenter.response_bodies import field, sanitize
from bulkreact.timestamps import iso_seconds, parse_time

ACTIVE = "active"
SUSPENDED = "suspended"
# The service writes years outside this range for never, and for no date at all.
FIRST_YEAR, NEVER = 2000, 9999
_AZURE_PLAN_OFFER = "dzh318z0bps6"
_TEXT_LENGTH = 64
_Span = tuple[int, int]


class Subscription(Struct, frozen=True):
    """One subscription; ``text`` is its JSON as received, ``spans`` are the positions of its members' values.

    ``etag`` and ``parent_id`` are empty where it has none. ``auto_renew`` is None if the resource does not say;
    ``deadline`` (UTC, ISO 8601) is when its term ends, empty for never.
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
        """Return whether its suspension switched auto-renew off, which only happens in new commerce."""
        return self.auto_renew is False and not self.etag and not self.azure_plan

    @property
    def body_with_status_active(self) -> bytes:
        """Return the resource with only its status changed, to active."""
        return self._with_member("status", f'"{ACTIVE}"')

    @property
    def body_with_auto_renew(self) -> bytes:
        """Return the resource with only its auto-renewal changed, to on."""
        return self._with_member("autorenewenabled", "true")

    def _with_member(self, name: str, literal: str) -> bytes:
        start, end = self.spans[name]
        return f"{self.text[:start]}{literal}{self.text[end:]}".encode()


def read(body: bytes) -> Subscription | None:
    """Return the subscription in a body, None unless it is a JSON object with a status."""
    try:
        text = body.decode(json.detect_encoding(body))
        members = _members(text)
    except (ValueError, RecursionError):
        return None
    spans = {name: span for name, (span, _) in members.items()}
    values = {name: value for name, (_, value) in members.items()}
    status = values.get("status")
    if not isinstance(status, str) or not status.strip():
        return None
    auto_renew, deadline = values.get("autorenewenabled"), parse_deadline(values.get("commitmentenddatetime"))
    return Subscription(
        text=text,
        spans=spans,
        id=_text(values.get("id")).lower(),
        status=_text(status).lower(),
        etag=_etag(field(values.get("attributes"), "etag")),
        parent_id=_text(values.get("parentsubscriptionid")).lower(),
        auto_renew=auto_renew if isinstance(auto_renew, bool) else None,
        azure_plan=is_azure_plan(values),
        deadline=iso_seconds(deadline) if deadline else "",
    )


def is_azure_plan(members: Mapping[str, object]) -> bool:
    """Return whether a subscription is an Azure plan; ``members`` are by lower-case name."""
    product = members.get("producttype")
    names = (members.get("offername"), members.get("friendlyname"), field(product, "id"), field(product, "displayname"))
    plain = ["".join(name.split()).lower() for name in names if isinstance(name, str)]
    offer = members.get("offerid")
    return (isinstance(offer, str) and offer.lower().startswith(_AZURE_PLAN_OFFER)) or any(
        "azureplan" in name for name in plain
    )


def parse_deadline(value: object) -> datetime | None:
    """Return a time of the service in UTC, None for never and for an invalid time."""
    time = parse_time(value) if isinstance(value, str) else None
    return time if time and FIRST_YEAR <= time.year < NEVER else None


def _members(text: str) -> dict[str, tuple[_Span, object]]:
    """Return the positions and values of an object's members, by lower-case name.

    Of names that differ only in case the documented spelling counts, else the last one. Raises ValueError.
    """
    members: dict[str, tuple[_Span, object]] = {}
    exact: set[str] = set()
    reader = JsonReader(text)
    for name in reader.members():
        start, lower = reader.position, name.lower()
        value = reader.value()
        documented = name[:1].islower()
        if documented or lower not in exact:
            members[lower] = (start, reader.position), value
        if documented:
            exact.add(lower)
    reader.end()
    return members


def _text(value: object) -> str:
    return sanitize(value, _TEXT_LENGTH) if isinstance(value, str) else ""


def _etag(value: object) -> str:
    """Return an etag for the header, quoted; empty if there is none that can be sent."""
    if not isinstance(value, str) or not value.strip() or not (value.isascii() and value.isprintable()):
        return ""
    bare = value.strip()
    return bare if bare.endswith('"') and bare.startswith(('"', 'W/"')) else f'"{bare}"'
