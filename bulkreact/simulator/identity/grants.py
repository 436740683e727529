"""Decides which tokens, or which error, a request to the token endpoint gets."""

import base64
import hashlib
from collections.abc import Mapping

from msgspec import Struct

from bulkreact.simulator.identity.aadsts_errors import TokenRefusedError, error_number_of
from bulkreact.simulator.identity.client_authentication import authenticate, credential_type
from bulkreact.simulator.identity.directory import GRAPH, App, Directory, TokenPayload
from bulkreact.simulator.identity.token_signer import User

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
OPENID_SCOPES = {"openid", "profile", "email", "offline_access"}


class TokenRequest(Struct, frozen=True):
    """A request for tokens; ``origin`` is the token service's address as the client calls it."""

    origin: str
    tenant: str
    form: Mapping[str, str]

    @property
    def client_id(self) -> str:
        """The requesting app."""
        return self.form.get("client_id", "")

    @property
    def issuer(self) -> str:
        """The issuer of id tokens."""
        return f"{self.origin}/{self.tenant}/v2.0"

    @property
    def scopes(self) -> list[str]:
        """The scopes that the app requests."""
        return self.form.get("scope", "").split()

    def require(self, name: str) -> str:
        """Return a parameter; TokenRefusedError if it is missing."""
        value = self.form.get(name, "")
        if not value:
            raise TokenRefusedError(900144)
        return value


def issue_tokens(directory: Directory, request: TokenRequest) -> TokenPayload:
    """Return the tokens for a request, as the endpoint does; TokenRefusedError if it gets none."""
    request.require("client_id")
    if number := error_number_of(request.client_id):
        raise TokenRefusedError(number)
    app = directory.app(request.client_id, request.tenant)
    if app:
        audiences = {f"{request.origin}/{request.tenant}/oauth2/v2.0/token", request.issuer}
        authenticate(app, request.form, audiences, directory.clock())
    match request.require("grant_type"):
        case "client_credentials":
            return _grant_app(directory, request)
        case "refresh_token":
            return _grant_by_refresh_token(directory, request, app)
        case "authorization_code":
            return _grant_by_code(directory, request, app)
        case grant_type if grant_type == DEVICE_CODE:
            return _grant_by_device_code(directory, request, app)
        case _:
            raise TokenRefusedError(70003)


def _grant_app(directory: Directory, request: TokenRequest) -> TokenPayload:
    if not credential_type(request.form):
        raise TokenRefusedError(7000216)
    resource = GRAPH if request.scopes == [f"{GRAPH}/.default"] else directory.resource
    if request.scopes != [f"{resource}/.default"]:
        raise TokenRefusedError(500011)
    return directory.issue_for_app(request.client_id, request.tenant, resource)


def _grant_by_refresh_token(directory: Directory, request: TokenRequest, app: App | None) -> TokenPayload:
    token = directory.refresh_token(request.require("refresh_token"))
    if app and app.public and token and token.public and credential_type(request.form):
        raise TokenRefusedError(700025)
    _check_user_grant(directory, request, app)
    if token is None or token.used or token.client_id != request.client_id.lower():
        raise TokenRefusedError(70000)
    if token.revoked:
        raise TokenRefusedError(50173)
    if token.expires_at <= directory.clock():
        raise TokenRefusedError(700082)
    token.used = True
    return directory.issue_for_user(
        token.user, request.client_id, request.tenant, issuer=request.issuer, scopes=request.scopes, public=token.public
    )


def _grant_by_device_code(directory: Directory, request: TokenRequest, app: App | None) -> TokenPayload:
    _check_user_grant(directory, request, app)
    sign_in, now = directory.device_sign_in(request.require("device_code")), directory.clock()
    if sign_in is None or sign_in.client_id.lower() != request.client_id.lower() or sign_in.state == "redeemed":
        raise TokenRefusedError(70018)
    if sign_in.expires_at <= now:
        raise TokenRefusedError(70019)
    last, sign_in.polled_at = sign_in.polled_at, now
    # Half the interval: a client on a fast network does not poll too early.
    is_polling_too_fast = last is not None and now - last < directory.interval / 2
    match sign_in.state:
        case "pending":
            raise TokenRefusedError(70016, "slow_down" if is_polling_too_fast else "")
        case "declined":
            raise TokenRefusedError(65004)
        case "approved":
            sign_in.state = "redeemed"
    return _issue_for_user(directory, request, directory.user)


def _grant_by_code(directory: Directory, request: TokenRequest, app: App | None) -> TokenPayload:
    _check_user_grant(directory, request, app)
    code = directory.authorization_code(request.require("code"))
    if code is None or code.client_id.lower() != request.client_id.lower():
        raise TokenRefusedError(70000)
    if code.used:
        raise TokenRefusedError(54005)
    if code.expires_at <= directory.clock():
        raise TokenRefusedError(70008)
    if code.redirect_uri != request.form.get("redirect_uri", ""):
        raise TokenRefusedError(50011)
    if code.challenge and code.challenge != _challenge(request.form.get("code_verifier", "")):
        raise TokenRefusedError(501481)
    code.used = True
    return _issue_for_user(directory, request, code.user, code.nonce)


def _issue_for_user(directory: Directory, request: TokenRequest, user: User, nonce: str = "") -> TokenPayload:
    return directory.issue_for_user(
        user,
        request.client_id,
        request.tenant,
        issuer=request.issuer,
        scopes=request.scopes,
        public=not credential_type(request.form),
        nonce=nonce,
    )


def _check_user_grant(directory: Directory, request: TokenRequest, app: App | None) -> None:
    """Raise TokenRefusedError if an app may not act for users in this way."""
    if app and not app.public and not credential_type(request.form):
        raise TokenRefusedError(7000218)
    if app and not app.consented:
        raise TokenRefusedError(65001)
    check_scopes(directory, request.scopes)


def check_scopes(directory: Directory, scopes: list[str]) -> None:
    """Raise TokenRefusedError for a scope that is not one of the API's."""
    api_scopes = {f"{directory.resource}/user_impersonation", f"{directory.resource}/.default"}
    for scope in set(scopes) - OPENID_SCOPES - api_scopes:
        raise TokenRefusedError(70011 if scope.startswith(f"{directory.resource}/") else 500011)


def _challenge(verifier: str) -> str:
    """Return the challenge of a verifier (PKCE, S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
