"""Records of the token service: codes of pending sign-ins, and issued tokens."""

from typing import Literal

from msgspec import Struct

from bulkreact.simulator.identity.token_signer import User


class IssuedAccessToken(Struct):
    """An issued access token."""

    audience: str
    expires_at: float
    user: bool
    mfa: bool
    revoked: bool = False


class IssuedRefreshToken(Struct):
    """An issued refresh token; ``public`` if the request had no secret or assertion."""

    client_id: str
    tenant: str
    user: User
    public: bool
    expires_at: float
    used: bool = False
    revoked: bool = False


class DeviceSignIn(Struct):
    """A sign-in on another device."""

    device_code: str
    user_code: str
    client_id: str
    expires_at: float
    polled_at: float | None = None
    state: Literal["pending", "approved", "declined", "redeemed"] = "pending"


class AuthorizationCode(Struct):
    """A browser sign-in that the app has not redeemed yet."""

    client_id: str
    redirect_uri: str
    user: User
    challenge: str
    nonce: str
    expires_at: float
    used: bool = False
