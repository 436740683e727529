"""The state of the token service: apps, sign-ins, issued tokens, and settings."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from secrets import choice, token_urlsafe
from typing import Literal, TypeAlias

from bulkreact.simulator.identity.aadsts_errors import Fault, TokenRefusedError
from bulkreact.simulator.identity.issued_tokens import (
    AuthorizationCode,
    DeviceSignIn,
    IssuedAccessToken,
    IssuedRefreshToken,
)
from bulkreact.simulator.identity.token_signer import TokenSigner, User, client_info

RESOURCE = "https://api.partnercenter.microsoft.com"
GRAPH = "https://graph.microsoft.com"
_CODE_LIFETIME = 600
# Entra tells clients when to renew a token with at least this lifetime.
_LONG_LIFETIME = 7200
TokenPayload: TypeAlias = dict[str, object]
_ROLES = {
    "Ann": ("Uploader",),
    "Ben": ("Approver",),
    "Cleo": ("Uploader", "Approver"),
    "Vic": ("Viewer",),
    "Ada": ("Admin",),
    "Nora": (),
}
USERS = [
    User(f"{name} Example", f"{name.lower()}@fabrikam.example", f"a11ce000-0000-4000-8000-a{number:011}", roles)
    for number, (name, roles) in enumerate(_ROLES.items(), 1)
]


@dataclass(slots=True)
class App:
    """A registered app; its secrets and certificates (PEM) may change at any time.

    ``public`` allows it to be used without a secret. Without ``consented`` it gets no tokens for users.
    """

    client_id: str
    tenant_id: str
    secrets: dict[str, Literal["valid", "expired"]] = field(default_factory=dict, repr=False)
    certificates: list[str] = field(default_factory=list, repr=False)
    public: bool = False
    consented: bool = True


@dataclass(slots=True)
class LoggedTokenRequest:
    """One request to the token endpoint, logged to check clients.

    ``credential`` is its type: ``secret``, ``assertion`` or nothing. ``outcome`` is ``issued``, an error number,
    ``dropped``, an HTTP status for an answer without a number, or empty while it is being answered.
    """

    grant_type: str
    client_id: str
    tenant: str
    at: float
    credential: str
    outcome: str = ""


class Directory:
    """The state behind the token service; ``clock`` returns epoch seconds.

    Public attributes may be replaced at any time, from the next request on. While no app is registered, any tenant,
    client id and secret is accepted.
    """

    def __init__(self, clock: Callable[[], float], resource: str = RESOURCE) -> None:
        self.clock = clock
        self.resource = resource
        self.token_lifetime: float = 3600
        self.refresh_lifetime: float = 90 * 86400
        self.device_lifetime: float = 900
        self.interval = 1
        self.mfa = True
        self.mfa_required = True
        self.audience: str | None = None
        self.latency: float = 0
        self.users = list(USERS)
        # Who signs in where nobody is chosen.
        self.user = self.users[0]
        self.sign_in_error = ""
        self.faults: list[Fault] = []
        # Tenant ids by domain.
        self.domains: dict[str, str] = {}
        self.requests: list[LoggedTokenRequest] = []
        self.apps: list[App] = []
        self.signer = TokenSigner()
        self._access: dict[str, IssuedAccessToken] = {}
        self._refresh: dict[str, IssuedRefreshToken] = {}
        self._devices: list[DeviceSignIn] = []
        self._codes: dict[str, AuthorizationCode] = {}

    def app(self, client_id: str, tenant: str) -> App | None:
        """Return a registered app, None if none is registered at all; TokenRefusedError if it is not among them."""
        self.check_tenant(tenant)
        for app in self.apps:
            if (app.client_id.lower(), app.tenant_id.lower()) == (client_id.lower(), tenant.lower()):
                return app
        if self.apps:
            raise TokenRefusedError(700016)
        return None

    def check_tenant(self, tenant: str) -> None:
        """Raise TokenRefusedError for a tenant without any app, if there are apps."""
        if self.apps and tenant.lower() not in {app.tenant_id.lower() for app in self.apps}:
            raise TokenRefusedError(90002)

    def valid_access_token(self, token: str) -> IssuedAccessToken | None:
        """Return the record of an access token, None if it was not issued here or is no longer valid."""
        access = self._access.get(token)
        if access is None or access.revoked or self.clock() >= access.expires_at or access.audience != self.resource:
            return None
        return access

    def lacks_mfa(self, access: IssuedAccessToken) -> bool:
        """Return whether the API refuses a token because its user signed in with only a password."""
        return self.mfa_required and access.user and not access.mfa

    def approve(self, user_code: str) -> None:
        """Approve a sign-in on another device; KeyError if no sign-in has this code."""
        self._pending_sign_in(user_code).state = "approved"

    def decline(self, user_code: str) -> None:
        """Decline a sign-in on another device; KeyError if no sign-in has this code."""
        self._pending_sign_in(user_code).state = "declined"

    def begin_device_sign_in(self, client_id: str) -> DeviceSignIn:
        """Return a new sign-in that waits to be approved."""
        user_code = "".join(choice("BCDFGHJKLMNPQRSTVWXZ23456789") for _ in range(9))
        sign_in = DeviceSignIn(token_urlsafe(32), user_code, client_id, self.clock() + self.device_lifetime)
        self._devices.append(sign_in)
        return sign_in

    def device_sign_in(self, device_code: str) -> DeviceSignIn | None:
        """Return the sign-in that a device polls for."""
        return next((sign_in for sign_in in self._devices if sign_in.device_code == device_code), None)

    def issue_code(self, client_id: str, redirect_uri: str, user: User, *, challenge: str, nonce: str) -> str:
        """Return an authorization code for a browser sign-in."""
        code = f"1.{token_urlsafe(48)}"
        expires_at = self.clock() + _CODE_LIFETIME
        self._codes[code] = AuthorizationCode(client_id, redirect_uri, user, challenge, nonce, expires_at)
        return code

    def authorization_code(self, code: str) -> AuthorizationCode | None:
        """Return the record of an authorization code."""
        return self._codes.get(code)

    def refresh_token(self, token: str) -> IssuedRefreshToken | None:
        """Return the record of a refresh token."""
        return self._refresh.get(token)

    def issue_for_app(self, client_id: str, tenant: str, resource: str) -> TokenPayload:
        """Return an access token of an app itself, as the token endpoint does."""
        audience = resource if self.audience is None else self.audience
        validity = self._validity()
        tenant = self.domains.get(tenant, tenant)
        token = self.signer.app_token(audience=audience, tenant=tenant, client_id=client_id, validity=validity)
        self._access[token] = IssuedAccessToken(audience, validity[1], user=False, mfa=False)
        return self._token_answer(token)

    def issue_for_user(
        self,
        user: User,
        client_id: str,
        tenant: str,
        *,
        issuer: str,
        scopes: Iterable[str],
        public: bool,
        nonce: str = "",
    ) -> TokenPayload:
        """Return access, refresh and id tokens of a user, as the token endpoint does."""
        audience, validity = self._audience(), self._validity()
        tenant_id = self.domains.get(tenant, tenant)
        token = self.signer.user_token(
            user,
            audience=audience,
            tenant=tenant_id,
            client_id=client_id,
            validity=validity,
            methods=["pwd", "mfa"] if self.mfa else ["pwd"],
        )
        self._access[token] = IssuedAccessToken(audience, validity[1], user=True, mfa=self.mfa)
        granted = {
            f"{self.resource}/user_impersonation",
            *(scope for scope in scopes if scope.startswith(self.resource)),
        }
        return {
            **self._token_answer(token),
            "scope": " ".join(sorted(granted)),
            "refresh_token": self._store_refresh_token(client_id, tenant, user, public=public),
            "id_token": self.signer.id_token(
                user, issuer=issuer, tenant=tenant_id, client_id=client_id, validity=validity, nonce=nonce
            ),
            "client_info": client_info(user, tenant_id),
        }

    def _audience(self) -> str:
        return self.resource if self.audience is None else self.audience

    def _validity(self) -> tuple[float, float]:
        now = self.clock()
        return now, now + self.token_lifetime

    def _token_answer(self, token: str) -> TokenPayload:
        seconds = max(1, int(self.token_lifetime))
        answer: TokenPayload = {
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": token,
        }
        if seconds >= _LONG_LIFETIME:
            answer["refresh_in"] = seconds // 2
        return answer

    def _store_refresh_token(self, client_id: str, tenant: str, user: User, *, public: bool) -> str:
        """Return a new refresh token."""
        token = f"1.{token_urlsafe(96)}"
        self._refresh[token] = IssuedRefreshToken(
            client_id.lower(), tenant, user, public, self.clock() + self.refresh_lifetime
        )
        return token

    def _pending_sign_in(self, user_code: str) -> DeviceSignIn:
        user_code = user_code.strip().upper()
        for sign_in in self._devices:
            if sign_in.user_code == user_code and sign_in.state == "pending" and sign_in.expires_at > self.clock():
                return sign_in
        raise KeyError(user_code)
