"""Reads the options about credentials from a command's context."""

import os
import time

import click
from click.core import ParameterSource

from bulkreact.cli.command import CommandContext
from bulkreact.cli.event_loop import run_async
from bulkreact.partnercenter.auth import access
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.partnercenter.auth.access_tokens import StaticToken
from bulkreact.partnercenter.auth.credential_source import CredentialSource, IdentityOptions, OptionSource, resolve
from bulkreact.partnercenter.auth.sign_in_records import records
from bulkreact.partnercenter.network import check_trust, proxy_for
from bulkreact.runs.state_dir import state_folder
from bulkreact.settings import AuthMethod, Cloud, Service

_FILES = ("client_secret_file", "certificate_file", "certificate_password_file")
_ORIGINS = {
    ParameterSource.ENVIRONMENT: OptionSource.ENVIRONMENT,
    ParameterSource.DEFAULT_MAP: OptionSource.CONFIG_FILE,
}


def identity_options(ctx: click.Context, cloud: Cloud) -> IdentityOptions:
    """Return the credential options of a command."""
    params = ctx.params
    sources = {name: ctx.get_parameter_source(name) for name in _FILES}
    return IdentityOptions(
        cloud,
        AuthMethod(params["auth"]) if params.get("auth") else None,
        tenant_id=params["tenant_id"] or "",
        client_id=params["client_id"] or "",
        authority=params["authority"] or "",
        scope=params["scope"] or "",
        client_secret_file=params["client_secret_file"],
        certificate_file=params["certificate_file"],
        certificate_password_file=params["certificate_password_file"],
        origins={name: _ORIGINS[source] for name, source in sources.items() if source in _ORIGINS},
    )


def credential_source(ctx: click.Context, cloud: Cloud, *, run_tenant: str = "") -> CredentialSource:
    """Return where a command's access tokens come from; InputRefusedError if there is no source."""
    return resolve(identity_options(ctx, cloud), os.environ, records(state_folder()), run_tenant=run_tenant)


def authorize(ctx: click.Context, service: Service, *, tenant_id: str | None = None) -> AuthorizedAccess:
    """Return a command's credentials with their first token; InputRefusedError if there are none.

    ``tenant_id`` is that of the run to be continued, if any.
    """
    if service.simulated:
        return AuthorizedAccess(StaticToken("simulated", now=time.time))
    # Refuse unusable certificates and proxies of the environment now, not in the middle of the run.
    check_trust()
    proxy_for(service.base_url)
    source = credential_source(ctx, service.cloud, run_tenant=tenant_id or "")
    granted = run_async(access.authorize(source, state_folder(), run_tenant=tenant_id or ""))
    if isinstance(ctx, CommandContext):
        ctx.access = granted
    return granted
