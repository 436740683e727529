"""Tokens of a signed-in user, kept alive by a refresh token that changes with every use; and how somebody signs in."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msal
from msal.oauth2cli import AuthCodeReceiver

from bulkreact.errors import CredentialsRefusedError
from bulkreact.partnercenter.auth.app_credentials import AppSecret
from bulkreact.partnercenter.auth.msal_client import Result, application, grant_of, msal_session
from bulkreact.partnercenter.auth.sign_in_records import SignInRecord, Store
from bulkreact.partnercenter.auth.sign_ins import SignIn
from bulkreact.partnercenter.auth.token_claims import read_claims, rejection_reason
from bulkreact.partnercenter.auth.token_errors import (
    ATTEMPTS,
    LONGEST_WAIT_SECONDS,
    Grant,
    TokenAnswer,
    TokenServiceError,
    to_error,
)
from bulkreact.settings import Cloud, Identity

_BROWSER_SECONDS = 300
_NO_SIGN_IN = "Nobody is signed in for this app and tenant on this machine. Sign in with: bulkreact login"
_UNPROVEN = (
    "The sign-in was made with the app's own secret or certificate, and none is given now. Set BULKREACT_CLIENT_SECRET, "
    "or use --client-secret-file or --certificate-file."
)

# Lets the app ask once, how a sign-in makes it ask for a scope, and what people are shown meanwhile.
Attempt: TypeAlias = Callable[[Callable[[msal.ClientApplication], Result]], Grant]
SignInFlow: TypeAlias = Callable[[Attempt, str], Grant]
Show: TypeAlias = Callable[[str], None]


def user_tokens(identity: Identity, secret: AppSecret | None, place: SignIn) -> Callable[[str], Grant]:
    """Return what fetches tokens of the user who is signed in there.

    The refresh token is used and replaced under the sign-in's lock: another process waits, and then finds the
    new one, or an access token that is still good.
    """

    def fetch(refused: str) -> Grant:
        with msal_session(identity) as line, place.exclusive():
            record = place.record()
            if record is None:
                raise TokenServiceError(_NO_SIGN_IN, passing=False)
            if record.confidential and secret is None:
                raise TokenServiceError(_UNPROVEN, passing=False)
            # A refresh token that cannot be replaced is not used up.
            place.ensure_writable(record.store)
            with place.tokens(record.store) as cache:
                app = application(identity, secret if record.confidential else None, line, cache)
                account = next(iter(app.get_accounts()), None)
                if account is None:
                    raise TokenServiceError(_NO_SIGN_IN, passing=False)
                scopes = [identity.scope]
                result = app.acquire_token_silent_with_error(scopes, account)
                if result and result.get("access_token") == refused:
                    result = app.acquire_token_silent_with_error(scopes, account, force_refresh=True)
            if result is None:
                raise TokenServiceError(_NO_SIGN_IN, passing=False)
            return grant_of(result, line)

    return fetch


def sign_in(
    identity: Identity, cloud: Cloud, secret: AppSecret | None, place: SignIn, store: Store, way: SignInFlow
) -> SignInRecord:
    """Let somebody sign in, in the place of whoever was signed in there before.

    CredentialsRefusedError when that fails, or leads to a token that would be refused; then nothing has changed.
    """
    with place.exclusive():
        # What cannot be kept is not begun: a refresh token would be used up for nothing.
        place.ensure_writable(store)
    tokens = msal.SerializableTokenCache()

    def attempt(ask: Callable[[msal.ClientApplication], Result]) -> Grant:
        with msal_session(identity) as line:
            return grant_of(ask(application(identity, secret, line, tokens)), line)

    # Not under the lock: people take their time, and runs must be able to go on meanwhile.
    grant = way(attempt, identity.scope)
    claims = read_claims(grant.token)
    if words := rejection_reason(claims, resource=identity.resource, tenant_id=identity.tenant_id) if claims else "":
        raise CredentialsRefusedError(f"This sign-in will not do, and is not kept. {words}")
    with place.exclusive():
        place.save_tokens(store, tokens)
        record = SignInRecord(
            user=claims.user if claims else "",
            cloud=cloud.value,
            authority=identity.authority,
            tenant_id=identity.tenant_id,
            tid=claims.tenant_id if claims else "",
            client_id=identity.client_id,
            scope=identity.scope,
            signed_in_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            confidential=secret is not None,
            store=store,
        )
        place.save_record(record)
    return record


def device_code_flow(show: Show) -> SignInFlow:
    """Return the way for machines without a browser: a code that is entered on another one."""
    flow: dict[str, Any] = {}

    def ask(app: msal.PublicClientApplication, scope: str) -> Result:
        if not flow:
            begun = app.initiate_device_flow([scope])
            if "user_code" not in begun:
                return dict(begun)
            flow.update(begun)
            place, code = flow["verification_uri"], flow["user_code"]
            show(f"Open {place} in a browser, on any machine, and enter the code {code}")
        return dict(app.acquire_token_by_device_flow(flow))

    def way(attempt: Attempt, scope: str) -> Grant:
        while True:
            try:
                return _with_retries(attempt, lambda app: ask(app, scope))
            except TokenServiceError as error:
                # The code is good until it expires, whatever the service says meanwhile.
                if not (flow and error.passing and time.time() < flow["expires_at"]):
                    raise
                wait = max(flow["interval"], error.retry_after or 0.0)
            time.sleep(wait)

    return way


def browser_flow(show: Show) -> SignInFlow:
    """Return the way through the browser of this machine, which comes back to a port that is open meanwhile."""
    flow: dict[str, Any] = {}
    response: dict[str, Any] = {}

    def go(app: msal.ClientApplication, scope: str) -> None:
        with AuthCodeReceiver(port=0) as receiver:
            begun = app.initiate_auth_code_flow(
                [scope],
                redirect_uri=f"http://localhost:{receiver.get_port()}",
                response_mode="form_post",
                prompt="select_account",
            )
            flow.update(begun)
            show(f"A browser opens. If it does not, open this in one on this machine: {flow['auth_uri']}")
            back = receiver.get_auth_response(auth_uri=flow["auth_uri"], state=flow["state"], timeout=_BROWSER_SECONDS)
            response.update(back or {})

    def ask(app: msal.ClientApplication, scope: str) -> Result:
        if not response:
            go(app, scope)
        if not response:
            raise to_error(TokenAnswer(None, "expired_token", ""))
        return dict(app.acquire_token_by_auth_code_flow(flow, response))

    return lambda attempt, scope: _with_retries(attempt, lambda app: ask(app, scope))


def refresh_token_flow(refresh_token: str) -> SignInFlow:
    """Return the way of those who have a refresh token already; it is used up by this."""
    return lambda attempt, scope: _with_retries(
        attempt, lambda app: app.acquire_token_by_refresh_token(refresh_token, [scope])
    )


def _with_retries(attempt: Attempt, ask: Callable[[msal.ClientApplication], Result]) -> Grant:
    """Let the app ask, again and again while the trouble may pass."""
    for failures in range(1, ATTEMPTS):
        try:
            return attempt(ask)
        except TokenServiceError as error:
            wait = max(2.0 ** (failures - 1), error.retry_after or 0.0)
            if not error.passing or wait > LONGEST_WAIT_SECONDS:
                raise
        time.sleep(wait)
    return attempt(ask)
