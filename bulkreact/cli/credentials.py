"""Which credentials a command has: from options, environment and stored sign-ins to tokens, checked before any call."""

import asyncio
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from random import random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from bulkreact.errors import InputRefusedError
from bulkreact.guids import is_guid
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.partnercenter.auth.access_tokens import Clock, RefreshingToken, StaticToken
from bulkreact.partnercenter.auth.app_credentials import AppSecret, Certificate, SecretFile, SecretValue, read_secret
from bulkreact.partnercenter.auth.token_claims import Claims
from bulkreact.partnercenter.network import check_trust, proxy_for
from bulkreact.runs.state_dir import state_folder
from bulkreact.settings import AUTHORITIES, RESOURCES, AuthMethod, Cloud, Identity, Service, resource_of, scope_for

if TYPE_CHECKING:
    from bulkreact.partnercenter.auth.sign_ins import SignInRecord

# Names, and no secrets.
TOKEN_VARIABLE = "BULKREACT_ACCESS_TOKEN"  # noqa: S105
SECRET_VARIABLE = "BULKREACT_CLIENT_SECRET"  # noqa: S105
PASSWORD_VARIABLE = "BULKREACT_CERTIFICATE_PASSWORD"  # noqa: S105
REFRESH_TOKEN_VARIABLE = "BULKREACT_REFRESH_TOKEN"  # noqa: S105
_CHOSEN = "bulkreact.chosen"
# The first is the strongest.
_STRENGTH = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)
_NONE = (
    f"There are no credentials. Set {TOKEN_VARIABLE} to an access token for Partner Center; or give --tenant-id and "
    "--client-id and sign in with 'bulkreact login', or give the app's secret or certificate as well; "
    "or practise with --simulate."
)


@dataclass(frozen=True, slots=True)
class ResolvedCredentials:
    """The credentials that the settings name, before anything is asked of anybody."""

    auth: AuthMethod
    credentials: StaticToken | RefreshingToken
    identity: Identity
    secret: AppSecret | None = None
    record: "SignInRecord | None" = None

    @property
    def claims(self) -> Claims | None:
        """Return what the token says of itself, as far as there is one."""
        return self.credentials.claims


def authorize(ctx: click.Context, service: Service, *, tenant_id: str | None = None) -> AuthorizedAccess:
    """Return the credentials that calls carry, with a token at hand; InputRefusedError when the settings name none.

    ``tenant_id`` is that of the run, where there is one already.
    """
    if service.simulated:
        return AuthorizedAccess(StaticToken("simulated", now=time.time))
    # What the environment says of certificates and proxies would otherwise be found wrong in mid-run.
    check_trust()
    proxy_for(service.base_url)
    ctx.meta[_CHOSEN] = chosen = resolve(ctx, service.cloud, tenant_id=tenant_id)
    refusal = asyncio.run(chosen.credentials.ensure_token())
    claims = chosen.claims
    remark = ""
    if chosen.auth is AuthMethod.TOKEN and claims is None:
        remark = "The access token is no JSON web token, so that it cannot be checked beforehand."
    # A ready token is of whatever tenant it is of; the others are asked for one that is named.
    named = (ctx.params["tenant_id"] or "") if chosen.auth is AuthMethod.TOKEN else chosen.identity.tenant_id
    # A token of another tenant than the one that is named is refused: then that name holds.
    known = claims.tenant_id if claims and is_guid(claims.tenant_id) and not is_guid(named) else named
    granted = AuthorizedAccess(chosen.credentials, known, named, refusal, remark)
    if not granted.matches_tenant(tenant_id):
        raise InputRefusedError(
            f"The run is for the tenant {tenant_id}, and the credentials are for {known}. Use those of the run's tenant; "
            f"if they are the same, say so with --tenant-id {tenant_id}."
        )
    return granted


def resolved(ctx: click.Context) -> ResolvedCredentials | None:
    """Return the credentials that a command has had access to, None when there were none."""
    found = ctx.meta.get(_CHOSEN)
    return found if isinstance(found, ResolvedCredentials) else None


def resolve(ctx: click.Context, cloud: Cloud, *, tenant_id: str | None = None) -> ResolvedCredentials:
    """Return the credentials that options, environment and sign-ins name; InputRefusedError when there are none."""
    given = ctx.params
    tenant = given["tenant_id"] or tenant_id or ""
    # However it is named now, tokens must be for the run's own tenant.
    expected = tenant_id if tenant_id and is_guid(tenant_id) else None
    if expected and is_guid(tenant) and tenant != expected:
        raise InputRefusedError(f"The run is for the tenant {expected}, and --tenant-id says {tenant}.")
    token = os.environ.get(TOKEN_VARIABLE, "")
    auth = AuthMethod(given["auth"]) if given["auth"] else None
    if auth is AuthMethod.TOKEN or (auth is None and token.strip()):
        if not token.strip():
            raise InputRefusedError(f"--auth token needs {TOKEN_VARIABLE} to be an access token for Partner Center.")
        identity = _with_tenant(expected, _identity(given, cloud, tenant, suffix=""))
        ready = StaticToken(token, resource=identity.resource, tenant_id=identity.tenant_id, now=time.time)
        return ResolvedCredentials(AuthMethod.TOKEN, ready, identity)
    record = None if auth is AuthMethod.APP else signed_in(given, cloud, tenant)
    if record:
        return _user(_with_tenant(expected, _identity_of(given, cloud, record)), record, app_secret(ctx))
    if auth is AuthMethod.USER:
        raise InputRefusedError(
            f"Nobody is signed in{_described(given, cloud)} on this machine. Sign in with: bulkreact login"
        )
    secret = app_secret(ctx)
    if auth is None and secret is None:
        raise InputRefusedError(_NONE)
    identity = _complete(given, cloud, tenant, suffix="/.default", what="--auth app")
    return _app(_with_tenant(expected, identity), secret)


def sign_in_identity(ctx: click.Context, cloud: Cloud) -> Identity:
    """Return who is to sign in where; what is left out is taken from the only sign-in there is."""
    given = ctx.params
    record = signed_in(given, cloud, given["tenant_id"] or "", strict=False)
    if record:
        return _identity_of(given, cloud, record)
    return _complete(given, cloud, given["tenant_id"] or "", suffix="/user_impersonation", what="A sign-in")


def signed_in(given: dict[str, object], cloud: Cloud, tenant: str, *, strict: bool = True) -> "SignInRecord | None":
    """Return the stored sign-in that fits what is given, None when there is none; several are refused if ``strict``."""
    from bulkreact.partnercenter.auth.sign_ins import records  # noqa: PLC0415 - MSAL takes 100 ms

    fitting = [
        record
        for record in records(state_folder())
        if record.cloud == cloud.value
        and given["client_id"] in {None, record.client_id}
        and (not tenant or tenant in {record.tenant_id, record.tid})
        and (not given["authority"] or _authority(str(given["authority"]), record.tenant_id) == record.authority)
    ]
    if len(fitting) > 1 and strict:
        names = "; ".join(f"--tenant-id {one.tenant_id} --client-id {one.client_id} ({one.user})" for one in fitting)
        raise InputRefusedError(f"Several users are signed in: say which one is meant. {names}")
    return fitting[0] if len(fitting) == 1 else None


def app_secret(ctx: click.Context) -> AppSecret | None:
    """Return what the app proves itself with, None when nothing is given; the command line beats the environment."""
    proofs: list[tuple[ParameterSource, str, AppSecret]] = []
    for name in ("client_secret_file", "certificate_file"):
        path, source = ctx.params[name], ctx.get_parameter_source(name)
        if path is not None and source is not None:
            secret = name == "client_secret_file"
            proof = SecretFile(path) if secret else Certificate(path, _password(ctx))
            proofs.append((source, f"--{name.replace('_', '-')}", proof))
    if value := os.environ.get(SECRET_VARIABLE, "").strip():
        proofs.append((ParameterSource.ENVIRONMENT, SECRET_VARIABLE, SecretValue(value, SECRET_VARIABLE)))
    strongest = [proof for proof in proofs if proof[0] is min((one[0] for one in proofs), key=_STRENGTH.index)]
    if len(strongest) > 1:
        names = " and ".join(name for _, name, _ in strongest)
        raise InputRefusedError(f"{names} exclude each other: leave one of them out.")
    return strongest[0][2] if strongest else None


def _password(ctx: click.Context) -> str:
    """Return the password of the certificate's file; the environment beats what the configuration file names."""
    file: Path | None = ctx.params["certificate_password_file"]
    password = os.environ.get(PASSWORD_VARIABLE, "")
    weak = ctx.get_parameter_source("certificate_password_file") is ParameterSource.DEFAULT_MAP
    return read_secret(file) if file and not (weak and password) else password


def _app(identity: Identity, secret: AppSecret | None) -> ResolvedCredentials:
    from bulkreact.partnercenter.auth.msal_client import app_tokens  # noqa: PLC0415 - MSAL takes 100 ms

    if secret is None:
        raise InputRefusedError(
            f"--auth app needs the app's secret or certificate: {SECRET_VARIABLE}, --client-secret-file or "
            "--certificate-file."
        )
    # One that is no good is found before anything is made of the input.
    secret.load()
    return ResolvedCredentials(
        AuthMethod.APP, RefreshingToken(app_tokens(identity, secret), identity, _clock()), identity, secret
    )


def _user(identity: Identity, record: "SignInRecord", secret: AppSecret | None) -> ResolvedCredentials:
    from bulkreact.partnercenter.auth.sign_ins import sign_in_for  # noqa: PLC0415 - MSAL takes 100 ms
    from bulkreact.partnercenter.auth.user_tokens import user_tokens  # noqa: PLC0415

    secret = secret if record.confidential else None
    if secret:
        secret.load()
    fetch = user_tokens(identity, secret, sign_in_for(state_folder(), identity))
    return ResolvedCredentials(
        AuthMethod.USER, RefreshingToken(fetch, identity, _clock(), rotating=True), identity, secret, record
    )


def _with_tenant(tenant_id: str | None, identity: Identity) -> Identity:
    return replace(identity, tenant_id=tenant_id) if tenant_id else identity


def _identity_of(given: dict[str, object], cloud: Cloud, record: "SignInRecord") -> Identity:
    identity = _identity(given, cloud, record.tenant_id, suffix="/user_impersonation")
    scope = identity.scope if given["scope"] else record.scope
    return replace(
        identity,
        authority=record.authority,
        client_id=record.client_id,
        scope=scope,
        resource=resource_of(scope),
    )


def _complete(given: dict[str, object], cloud: Cloud, tenant: str, *, suffix: str, what: str) -> Identity:
    """Return an identity that has all it needs; InputRefusedError names what is missing."""
    identity = _identity(given, cloud, tenant, suffix=suffix)
    has_tenant = tenant or urlsplit(identity.authority).path.strip("/")
    missing = [name for name, there in (("--tenant-id", has_tenant), ("--client-id", identity.client_id)) if not there]
    if missing:
        raise InputRefusedError(f"{what} needs {' and '.join(missing)}.")
    return identity


def _identity(given: dict[str, object], cloud: Cloud, tenant: str, *, suffix: str) -> Identity:
    scope = scope_for(str(given["scope"] or RESOURCES[cloud]), suffix)
    return Identity(
        authority=_authority(str(given["authority"] or AUTHORITIES[cloud]), tenant),
        tenant_id=tenant,
        client_id=str(given["client_id"] or ""),
        scope=scope,
        resource=resource_of(scope),
    )


def _authority(url: str, tenant: str) -> str:
    """Return a token service's URL with the tenant appended, unless it has a path already."""
    return url if urlsplit(url).path.strip("/") or not tenant else f"{url.rstrip('/')}/{tenant}"


def _described(given: dict[str, object], cloud: Cloud) -> str:
    words = [f"{name.replace('_', ' ')} {given[name]}" for name in ("client_id", "tenant_id") if given[name]]
    return f" for {', '.join(words)}, cloud {cloud}," if words else ""


def _clock() -> Clock:
    return Clock(time.monotonic, asyncio.sleep, random)
