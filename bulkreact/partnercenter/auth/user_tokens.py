"""Fetches tokens of a signed-in user, whose refresh token changes with every use; also signs users in."""

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import msal
from msal.oauth2cli import AuthCodeReceiver

from bulkreact.errors import CredentialsRefusedError
from bulkreact.partnercenter.auth.app_credentials import AppSecret
from bulkreact.partnercenter.auth.msal_client import Result, application, grant_of, msal_session
from bulkreact.partnercenter.auth.sign_in_records import SignInRecord, TokenStorage
from bulkreact.partnercenter.auth.sign_ins import SignIn
from bulkreact.partnercenter.auth.token_claims import read_claims, rejection_reason
from bulkreact.partnercenter.auth.token_errors import Grant, TokenAnswer, TokenServiceError, to_error
from bulkreact.partnercenter.auth.token_policy import retry_delay
from bulkreact.redaction import Redactor
from bulkreact.settings import Cloud, Identity
from bulkreact.timestamps import iso_seconds, utc_now
from bulkreact.wording import printable

_BROWSER_SECONDS = 300
_NO_SIGN_IN = "Nobody is signed in for this app and tenant on this machine. Sign in with: bulkreact login"
_APP_MUST_AUTHENTICATE = (
    "The sign-in was made with the app's own secret or certificate, and there is none now. Set BULKREACT_CLIENT_SECRET, "
    "or use --client-secret-file or --certificate-file."
)

# Runs one request of an application, and returns its token.
Attempt: TypeAlias = Callable[[Callable[[msal.ClientApplication], Result]], Grant]
# Signs a user in: with an attempt, for a scope.
SignInFlow: TypeAlias = Callable[[Attempt, str], Grant]
Show: TypeAlias = Callable[[str], None]


def user_tokens(
    identity: Identity, secret: AppSecret | None, sign_in: SignIn, redactor: Redactor
) -> Callable[[str], Grant]:
    """Return the function that fetches tokens of the signed-in user.

    The refresh token is used and replaced under the sign-in's lock: another process waits, then finds the new one, or
    an access token that is still valid.
    """

    def fetch(stale: str) -> Grant:
        with msal_session(identity, redactor) as http_client, sign_in.exclusive():
            record = sign_in.record()
            if record is None:
                raise TokenServiceError(_NO_SIGN_IN, transient=False)
            if record.confidential and secret is None:
                raise TokenServiceError(_APP_MUST_AUTHENTICATE, transient=False)
            # Do not use up a refresh token that cannot be replaced.
            sign_in.ensure_writable(record.store)
            with sign_in.tokens(record.store) as cache:
                app = application(identity, secret if record.confidential else None, http_client, cache)
                account = next(iter(app.get_accounts()), None)
                if account is None:
                    raise TokenServiceError(_NO_SIGN_IN, transient=False)
                scopes = [identity.scope]
                result = app.acquire_token_silent_with_error(scopes, account)
                if result and result.get("access_token") == stale:
                    result = app.acquire_token_silent_with_error(scopes, account, force_refresh=True)
            if result is None:
                raise TokenServiceError(_NO_SIGN_IN, transient=False)
            return grant_of(result, http_client)

    return fetch


def sign_in(
    identity: Identity,
    cloud: Cloud,
    secret: AppSecret | None,
    stored: SignIn,
    store: TokenStorage,
    flow: SignInFlow,
    redactor: Redactor,
) -> SignInRecord:
    """Sign a user in and replace an earlier sign-in.

    CredentialsRefusedError if that fails, or the token would be refused; then nothing has changed.
    """
    with stored.exclusive():
        # Do not use up a refresh token that cannot be replaced.
        stored.ensure_writable(store)
    tokens = msal.SerializableTokenCache()

    def attempt(ask: Callable[[msal.ClientApplication], Result]) -> Grant:
        with msal_session(identity, redactor) as http_client:
            return grant_of(ask(application(identity, secret, http_client, tokens)), http_client)

    # Without the lock: users take minutes, and runs must be able to use the old sign-in meanwhile.
    grant = flow(attempt, identity.scope)
    claims = read_claims(grant.token)
    if claims and (reason := rejection_reason(claims, resource=identity.resource, tenant_id=identity.tenant_id)):
        raise CredentialsRefusedError(f"This sign-in cannot be used and was not saved. {reason}")
    record = SignInRecord(
        user=claims.user if claims else "",
        cloud=cloud.value,
        authority=identity.authority,
        tenant_id=identity.tenant_id,
        tid=claims.tenant_id if claims else "",
        client_id=identity.client_id,
        scope=identity.scope,
        signed_in_at=iso_seconds(utc_now()),
        confidential=secret is not None,
        store=store,
    )
    with stored.exclusive():
        stored.save_tokens(store, tokens)
        stored.save_record(record)
    return record


def device_code_flow(show: Show) -> SignInFlow:
    """Return the flow for machines without a browser: a code is entered on another device."""
    flow: dict[str, Any] = {}

    def ask(app: msal.PublicClientApplication, scope: str) -> Result:
        if not flow:
            started = app.initiate_device_flow([scope])
            if "user_code" not in started:
                return dict(started)
            flow.update(started)
            url, code = printable(str(flow["verification_uri"])), printable(str(flow["user_code"]))
            show(f"Open {url} in a browser, on any machine, and enter the code {code}")
        return dict(app.acquire_token_by_device_flow(flow))

    def run(attempt: Attempt, scope: str) -> Grant:
        while True:
            try:
                return _with_retries(attempt, lambda app: ask(app, scope))
            except TokenServiceError as error:
                # The code stays valid until it expires, so continue after transient failures.
                if not (flow and error.transient and time.time() < flow["expires_at"]):
                    raise
                wait = max(flow["interval"], error.retry_after or 0.0)
            time.sleep(wait)

    return run


def browser_flow(show: Show) -> SignInFlow:
    """Return the flow through this machine's browser, which is redirected to a temporarily open port."""
    flow: dict[str, Any] = {}
    response: dict[str, Any] = {}

    def receive(app: msal.ClientApplication, scope: str) -> None:
        with AuthCodeReceiver(port=0) as receiver:
            started = app.initiate_auth_code_flow(
                [scope],
                redirect_uri=f"http://localhost:{receiver.get_port()}",
                response_mode="form_post",
                prompt="select_account",
            )
            flow.update(started)
            show(f"A browser opens. If it does not, open this in one on this machine: {printable(flow['auth_uri'])}")
            received = receiver.get_auth_response(
                auth_uri=flow["auth_uri"], state=flow["state"], timeout=_BROWSER_SECONDS
            )
            response.update(received or {})

    def ask(app: msal.ClientApplication, scope: str) -> Result:
        if not response:
            receive(app, scope)
        if not response:
            raise to_error(TokenAnswer(None, "expired_token"))
        return dict(app.acquire_token_by_auth_code_flow(flow, response))

    return lambda attempt, scope: _with_retries(attempt, lambda app: ask(app, scope))


def refresh_token_flow(refresh_token: str) -> SignInFlow:
    """Return the flow that takes over a refresh token and uses it up."""
    return lambda attempt, scope: _with_retries(
        attempt, lambda app: app.acquire_token_by_refresh_token(refresh_token, [scope])
    )


def _with_retries(attempt: Attempt, ask: Callable[[msal.ClientApplication], Result]) -> Grant:
    """Try with a new application each time, repeatedly while failures are transient."""
    failures = 0
    while True:
        try:
            return attempt(ask)
        except TokenServiceError as error:
            failures += 1
            wait = retry_delay(error, failures=failures)
            if wait is None:
                raise
        time.sleep(wait)
