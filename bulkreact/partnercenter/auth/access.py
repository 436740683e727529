"""Builds credentials from their source, and checks them before the first call."""

import asyncio
from datetime import datetime
from pathlib import Path
from random import random
from time import monotonic
from typing import assert_never

from msgspec import Struct, field

from bulkreact.errors import InputRefusedError
from bulkreact.guids import is_guid
from bulkreact.partnercenter.auth.access_tokens import Clock, Credentials, RefreshingToken, StaticToken
from bulkreact.partnercenter.auth.credential_source import AppSource, CredentialSource, TokenSource, UserSource
from bulkreact.redaction import Redactor
from bulkreact.steady_clock import SteadyClock, elapsed


class AuthorizedAccess(Struct, frozen=True):
    """Credentials that were checked once: their tenant and, if they are refused, why.

    ``tenant_id`` is the token's if the token has one, else the ``named_tenant``; both are empty if unknown. Those from
    ``client_id`` on are what is needed to get the same credentials again; ``options`` is for the command line. The
    ``redactor`` knows all of its secrets. ``account`` is who is signed in, empty if unknown.
    """

    credentials: Credentials
    tenant_id: str = ""
    named_tenant: str = ""
    refusal: str = ""
    remark: str = ""
    source: CredentialSource | None = None
    client_id: str = ""
    authority: str = ""
    scope: str = ""
    options: tuple[str, ...] = ()
    redactor: Redactor = field(default_factory=Redactor)
    account: str = ""

    def matches_tenant(self, tenant_id: str | None) -> bool:
        """Return whether a run of a tenant (a GUID, a domain, or empty if unknown) may be continued."""
        names = {self.tenant_id, self.named_tenant} - {""}
        if not tenant_id or not names or tenant_id in names:
            return True
        # Without a token nothing is sent, and a GUID cannot be compared with a domain: refuse only certain mismatches.
        return bool(self.refusal) and not any(is_guid(name) is is_guid(tenant_id) for name in names)


def open_credentials(source: CredentialSource, state: Path, redactor: Redactor) -> StaticToken | RefreshingToken:
    """Build the credentials of a source; InputRefusedError if its secret cannot be used.

    The secret is loaded once here, so that a wrong one is refused before the input is read.
    """
    clock = Clock(monotonic, elapsed, asyncio.sleep, random)
    identity = source.identity
    match source:
        case TokenSource():
            redactor.add(source.token.strip())
            return StaticToken(
                source.token, resource=identity.resource, tenant_id=identity.tenant_id, now=SteadyClock().timestamp
            )
        case AppSource():
            from bulkreact.partnercenter.auth.msal_client import app_tokens  # noqa: PLC0415 - MSAL takes 100 ms

            redactor.add(source.secret.secret())
            source.secret.load()
            return RefreshingToken(app_tokens(identity, source.secret, redactor), identity, clock)
        case UserSource():
            from bulkreact.partnercenter.auth.sign_ins import sign_in_for  # noqa: PLC0415 - see above
            from bulkreact.partnercenter.auth.user_tokens import user_tokens  # noqa: PLC0415

            if source.secret:
                redactor.add(source.secret.secret())
                source.secret.load()
            fetch = user_tokens(identity, source.secret, sign_in_for(state, identity), redactor)
            return RefreshingToken(fetch, identity, clock, rotating=True)
        case _:
            assert_never(source)


async def authorize(
    source: CredentialSource, state: Path, redactor: Redactor, *, run_tenant: str = ""
) -> AuthorizedAccess:
    """Build the credentials of a source and get their first token; InputRefusedError if it is for another tenant."""
    credentials = open_credentials(source, state, redactor)
    refusal = await credentials.ensure_token()
    claims = credentials.claims
    named = source.named_tenant if isinstance(source, TokenSource) else source.identity.tenant_id
    unchecked = isinstance(source, TokenSource) and claims is None
    access = AuthorizedAccess(
        credentials,
        # A token of another tenant than the named GUID is refused, so the GUID counts.
        claims.tenant_id if claims and is_guid(claims.tenant_id) and not is_guid(named) else named,
        named,
        refusal,
        "The access token is not a JWT, so it was not checked." if unchecked else "",
        source,
        redactor=redactor,
        account=(claims.user or f"the app {claims.client_id}") if claims else "",
    )
    if not access.matches_tenant(run_tenant):
        raise InputRefusedError(
            f"The run is for the tenant {run_tenant}, and the credentials are for {access.tenant_id}. Use those of the "
            f"run's tenant; if they are the same, say so with --tenant-id {run_tenant}."
        )
    return access


def refresh_token_expires_at(source: CredentialSource | None, state: Path) -> datetime | None:
    """Return when a stored refresh token expires if unused, None if there is none."""
    if not isinstance(source, UserSource):
        return None
    from bulkreact.partnercenter.auth.sign_ins import sign_in_for  # noqa: PLC0415 - MSAL takes 100 ms

    return sign_in_for(state, source.identity).refresh_token_expires_at(source.record.store)
