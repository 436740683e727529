"""What a sign-in leaves behind with the token service: codes on the way, tokens that were issued."""

from dataclasses import dataclass
from typing import Literal

from bulkreact.simulator.identity.token_signer import User


@dataclass(slots=True)
class IssuedAccessToken:
    """An access token that was issued."""

    audience: str
    expires_at: float
    user: bool
    mfa: bool
    revoked: bool = False


@dataclass(slots=True)
class IssuedRefreshToken:
    """A refresh token that was issued; ``public`` when no secret or assertion was presented for it."""

    client_id: str
    tenant: str
    user: User
    public: bool
    expires_at: float
    used: bool = False
    revoked: bool = False


@dataclass(slots=True)
class DeviceSignIn:
    """A sign-in on another device."""

    device_code: str
    user_code: str
    client_id: str
    expires_at: float
    polled_at: float | None = None
    state: Literal["pending", "approved", "declined", "redeemed"] = "pending"


@dataclass(slots=True)
class AuthorizationCode:
    """A sign-in in a browser, on its way back to the app."""

    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str
    expires_at: float
    used: bool = False
