"""Reads the claims of an access token, without verifying the signature: the service does that. No I/O."""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct

from bulkreact.guids import is_guid

_PARTS = 3
_MFA = "mfa"
_END_OF_TIME = 253_402_300_800


class Claims(Struct, frozen=True):
    """The claims that this program uses; None or empty if absent or unreadable.

    ``expires_at`` counts seconds since 1970; ``methods`` (amr) are how a user signed in.
    """

    audiences: tuple[str, ...]
    expires_at: float | None
    tenant_id: str
    app_only: bool
    methods: tuple[str, ...] | None
    client_id: str
    user: str

    @property
    def expiry(self) -> str:
        """Return the time of expiry as text, empty if unknown."""
        if self.expires_at is None:
            return ""
        return f"{datetime.fromtimestamp(self.expires_at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def is_token(text: str) -> bool:
    """Return whether a text can be sent as a token in a header."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def read_claims(token: str) -> Claims | None:
    """Return the claims of a JWT, None for any other token."""
    parts = token.split(".")
    if len(parts) != _PARTS:
        return None
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        content = json.loads(payload)
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    methods = content.get("amr")
    return Claims(
        audiences=_texts(content.get("aud")) or (),
        expires_at=_number(content.get("exp")),
        tenant_id=_text(content, "tid").lower(),
        app_only=content.get("idtyp") == "app" or not content.get("scp"),
        methods=_texts(methods),
        client_id=_text(content, "appid") or _text(content, "azp"),
        user=_text(content, "upn") or _text(content, "unique_name") or _text(content, "preferred_username"),
    )


def rejection_reason(claims: Claims, *, resource: str, tenant_id: str) -> str:
    """Return why the service would refuse a token and what to do about it, empty if it would not.

    A missing claim is no reason.
    """
    if claims.audiences and not any(_is_same_url(audience, resource) for audience in claims.audiences):
        return (
            f"The access token is for {claims.audiences[0]}, and not for {resource}. Fetch one for Partner Center's "
            "resource in your cloud (--cloud), or name another with --scope."
        )
    if is_guid(tenant_id) and is_guid(claims.tenant_id) and claims.tenant_id != tenant_id.lower():
        return (
            f"The access token is of the tenant {claims.tenant_id}, and not of {tenant_id}. "
            "Use the credentials of the partner tenant that is meant, or correct --tenant-id."
        )
    if not claims.app_only and claims.methods is not None and _MFA not in claims.methods:
        return (
            "The access token comes from a sign-in without multi-factor authentication (its claim amr has no mfa), "
            f"and Partner Center refuses those. The user{f' {claims.user}' if claims.user else ''} must sign in again with it: bulkreact login. "
            "An administrator can enforce it for this account in Microsoft Entra."
        )
    return ""


def expiry_reason(claims: Claims, *, now: float) -> str:
    """Return that a token has expired and what to do, empty if it has not; ``now`` counts seconds since 1970."""
    if claims.expires_at is None or claims.expires_at > now:
        return ""
    when = f" at {claims.expiry}" if claims.expiry else ""
    return (
        f"The access token has expired{when}. Set BULKREACT_ACCESS_TOKEN to a fresh one, or let bulkreact renew it by "
        "itself: --auth app or --auth user. If it should still be good, check this machine's clock."
    )


def _is_same_url(audience: str, resource: str) -> bool:
    return audience.rstrip("/").lower() == resource.rstrip("/").lower()


def _text(content: Mapping[str, object], name: str) -> str:
    value = content.get(name)
    return value if isinstance(value, str) and value.isprintable() else ""


def _on_one_line(text: str) -> str:
    return text if text.isprintable() else ascii(text)


def _texts(value: object) -> tuple[str, ...] | None:
    """Return a claim that is a text or a list of texts, None for anything else."""
    if isinstance(value, str):
        return (_on_one_line(value),)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(map(_on_one_line, value))
    return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # NaN fails both comparisons.
    return float(value) if 0 <= value < _END_OF_TIME else None
