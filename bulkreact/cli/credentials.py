"""Reads the options about credentials from a command's context."""

import os
import time

import click
from click.core import ParameterSource
from msgspec.structs import replace

from bulkreact.batch.journal.metadata import RunMetadata, RunSettings
from bulkreact.cli.command import CommandContext, own_options
from bulkreact.cli.event_loop import run_async
from bulkreact.cli.invocation import invocation_of
from bulkreact.cli.output import json_log
from bulkreact.partnercenter.auth import access
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.partnercenter.auth.access_tokens import StaticToken
from bulkreact.partnercenter.auth.app_credentials import AppSecret, exposed_files
from bulkreact.partnercenter.auth.credential_source import (
    CredentialSource,
    IdentityOptions,
    OptionSource,
    resolve,
    secret_of,
)
from bulkreact.partnercenter.auth.sign_in_records import records
from bulkreact.partnercenter.network import check_trust, proxy_for
from bulkreact.runs.run_trust import is_local
from bulkreact.runs.state_dir import state_folder
from bulkreact.settings import AuthMethod, Cloud, Service

# What only the command line can say: files are not read because a journal names them.
_SHOWN = ("config", "profile", "auth", "client_secret_file", "certificate_file", "certificate_password_file")
_ADDRESSES = ("base_url", "authority")
_FILES = ("client_secret_file", "certificate_file", "certificate_password_file")
# What a run's journal has besides the tenant.
_REMEMBERED = ("client_id", "authority", "scope")
_ORIGINS = {
    ParameterSource.ENVIRONMENT: OptionSource.ENVIRONMENT,
    ParameterSource.DEFAULT_MAP: OptionSource.CONFIG_FILE,
}


def identity_options(ctx: click.Context, cloud: Cloud, settings: RunSettings | None = None) -> IdentityOptions:
    """Return the credential options of a command; those of a run's ``settings`` yield only to the command line."""
    params = ctx.params
    stored = {} if settings is None else {name: value for name in _REMEMBERED if (value := getattr(settings, name))}
    given = {
        name: stored[name]
        if name in stored and ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE
        else params[name] or ""
        for name in _REMEMBERED
    }
    sources = {name: ctx.get_parameter_source(name) for name in _FILES}
    return IdentityOptions(
        cloud,
        AuthMethod(params["auth"]) if params.get("auth") else None,
        tenant_id=params["tenant_id"] or "",
        **given,
        client_secret_file=params["client_secret_file"],
        certificate_file=params["certificate_file"],
        certificate_password_file=params["certificate_password_file"],
        origins={name: _ORIGINS[source] for name, source in sources.items() if source in _ORIGINS},
    )


def credential_source(ctx: click.Context, cloud: Cloud) -> CredentialSource:
    """Return where a command's access tokens come from; InputRefusedError if there is no source."""
    return resolve(identity_options(ctx, cloud), os.environ, records(state_folder()))


def authorize(ctx: click.Context, service: Service, *, run: RunMetadata | None = None) -> AuthorizedAccess:
    """Return a command's credentials with their first token; InputRefusedError if there are none.

    ``run`` is the one to be continued, if any: it remembers what it was begun with.
    """
    if service.simulated:
        return AuthorizedAccess(StaticToken("simulated", now=time.time))
    # Refuse unusable certificates and proxies of the environment now, not in the middle of the run.
    check_trust()
    proxy_for(service.base_url)
    tenant_id = (run.tenant_id if run else None) or ""
    options = identity_options(ctx, service.cloud, run.settings if run else None)
    source = resolve(options, os.environ, records(state_folder()), run_tenant=tenant_id)
    warn_of_exposed_files(ctx, secret_of(source))
    granted = replace(
        run_async(access.authorize(source, state_folder(), invocation_of(ctx).redactor, run_tenant=tenant_id)),
        client_id=source.identity.client_id,
        authority=options.authority,
        scope=options.scope,
        options=own_options(ctx, [*_SHOWN, *_addresses_to_confirm(ctx)]) or (run.settings.options if run else ()),
    )
    if isinstance(ctx, CommandContext):
        ctx.access = granted
    return granted


def warn_of_exposed_files(ctx: click.Context, secret: AppSecret | None) -> None:
    """Warn of files with secrets that others can read."""
    for file in exposed_files(secret):
        json_log.warn(str(ctx.params.get("log_format", "text")), f"{file.message}. {file.advice}")


def _addresses_to_confirm(ctx: click.Context) -> list[str]:
    """Return the options of addresses that a command which continues the run needs again."""
    return [name for name in _ADDRESSES if (url := ctx.params[name]) and not is_local(url)]
