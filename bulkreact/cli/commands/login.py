"""``bulkreact login``: signs a user in once, with multi-factor authentication, for all later runs."""

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.credentials import identity_options, warn_of_exposed_files
from bulkreact.cli.invocation import invocation_of
from bulkreact.cli.options.identity import sign_in_options
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import InputRefusedError
from bulkreact.partnercenter.auth.credential_source import app_secret, sign_in_identity
from bulkreact.partnercenter.auth.sign_in_records import TokenStorage, records
from bulkreact.partnercenter.auth.token_claims import is_token
from bulkreact.runs.state_dir import state_folder
from bulkreact.secret_variables import REFRESH_TOKEN_VARIABLE
from bulkreact.settings import Cloud

if TYPE_CHECKING:
    from bulkreact.partnercenter.auth.user_tokens import SignInFlow

_STORES = ("auto", *(storage.value for storage in TokenStorage))


@click.command("login", cls=ConfiguredCommand)
@sign_in_options
@click.option("--browser", is_flag=True, help="Sign in through this machine's browser, not with a code on any machine.")
@click.option(
    "--refresh-token-stdin",
    is_flag=True,
    help=f"Take over a refresh token from standard input; or from {REFRESH_TOKEN_VARIABLE}.",
)
@click.option(
    "--store",
    type=click.Choice(_STORES),
    default="auto",
    show_default=True,
    help="Where the sign-in is stored: encrypted by the platform, or in a file that you alone can read.",
)
@click.pass_context
def command(ctx: click.Context, /, *, browser: bool, refresh_token_stdin: bool, store: str, **_: object) -> None:
    """Sign in a user of the partner tenant, so that runs can be made in their name with --auth user.

    The tenant and the app registration are named by --tenant-id and --client-id; signing in again needs neither.
    """
    from bulkreact.partnercenter.auth.sign_ins import best_store, sign_in_for  # noqa: PLC0415 - MSAL takes 100 ms
    from bulkreact.partnercenter.auth.user_tokens import refresh_token_flow, sign_in  # noqa: PLC0415

    if browser and refresh_token_stdin:
        raise InputRefusedError("--browser and --refresh-token-stdin exclude each other: leave one of them out.")
    options, state = identity_options(ctx, Cloud(ctx.params["cloud"])), state_folder()
    identity = sign_in_identity(options, records(state))
    refresh_token = _refresh_token(browser=browser, stdin=refresh_token_stdin)
    secret, redactor = app_secret(options, os.environ), invocation_of(ctx).redactor
    redactor.add(refresh_token)
    if secret:
        warn_of_exposed_files(ctx, secret)
        redactor.add(secret.secret())
        secret.load()
    # A device code is for apps without a secret.
    secret = secret if refresh_token or browser else None
    flow = refresh_token_flow(refresh_token) if refresh_token else _interactive_flow(browser=browser)
    token_store = best_store(state) if store == "auto" else TokenStorage(store)
    stored = sign_in_for(state, identity)
    record = sign_in(identity, options.cloud, secret, stored, token_store, flow, redactor)
    user = record.user or "a user"
    echo(f"Signed in as {user} for the app {record.client_id} in the tenant {record.tenant_id}.", err=True)
    if token_store is TokenStorage.KEYRING:
        echo("The sign-in is stored encrypted, by this platform's own means.", err=True)
    else:
        echo(
            f"The sign-in is stored unencrypted in {stored.file}{'' if os.name == 'nt' else ', readable by you alone'}: "
            f"{'that was asked for' if store == 'file' else 'this machine offers no encrypted store'}. Guard it like a password.",
            err=True,
        )
    echo("Prove that it works with: bulkreact doctor", err=True)


def _interactive_flow(*, browser: bool) -> "SignInFlow":
    from bulkreact.partnercenter.auth.user_tokens import browser_flow, device_code_flow  # noqa: PLC0415 - see above

    return (browser_flow if browser else device_code_flow)(partial(echo, err=True))


def _refresh_token(*, browser: bool, stdin: bool) -> str:
    """Return the refresh token to take over, empty if there is none."""
    if stdin:
        token = sys.stdin.readline().strip()
        if not token:
            raise InputRefusedError("--refresh-token-stdin: standard input has no refresh token.")
    else:
        token = "" if browser else os.environ.get(REFRESH_TOKEN_VARIABLE, "").strip()
    if token and not is_token(token):
        raise InputRefusedError("This is not a refresh token: it has spaces or unusual characters in it.")
    return token
