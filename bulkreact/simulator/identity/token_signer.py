"""Signs access tokens, shaped as Entra's version 1, and id tokens."""

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from uuid import NAMESPACE_DNS, UUID, uuid4, uuid5

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import Struct

# Epoch seconds: not before, expires at.
Validity = tuple[float, float]


class User(Struct, frozen=True):
    """A user who signs in; ``roles`` are those that the app has assigned."""

    name: str
    upn: str
    oid: str
    roles: tuple[str, ...] = ()


class TokenSigner:
    """Signs tokens with an RSA key that each process generates."""

    def __init__(self) -> None:
        self._key, self._key_id = _make_key()

    def keys(self) -> dict[str, object]:
        """Return the public key as a set of JSON web keys."""
        key = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": self._key_id, "use": "sig", "alg": "RS256"}]}

    def app_token(self, *, audience: str, tenant: str, client_id: str, validity: Validity) -> str:
        """Return an access token of an app itself."""
        oid = str(uuid5(NAMESPACE_DNS, client_id))
        return self._sign(
            {**_claims(audience, tenant, client_id, validity), "idtyp": "app", "oid": oid, "roles": [], "sub": oid}
        )

    def user_token(
        self, user: User, *, audience: str, tenant: str, client_id: str, validity: Validity, methods: Sequence[str]
    ) -> str:
        """Return an access token of an app on behalf of a user; ``methods`` are how the user signed in (amr)."""
        return self._sign(
            {
                **_claims(audience, tenant, client_id, validity),
                "amr": list(methods),
                "name": user.name,
                "oid": user.oid,
                "scp": "user_impersonation",
                "sub": _subject(user, client_id),
                "unique_name": user.upn,
                "upn": user.upn,
            }
        )

    def id_token(self, user: User, *, issuer: str, tenant: str, client_id: str, validity: Validity, nonce: str) -> str:
        """Return an id token, which names the user to the app."""
        begin, end = validity
        return self._sign(
            {
                "aud": client_id,
                "iss": issuer,
                "iat": int(begin),
                "nbf": int(begin),
                "exp": int(end),
                "name": user.name,
                "oid": user.oid,
                "preferred_username": user.upn,
                "sub": _subject(user, client_id),
                "tid": tenant_guid(tenant),
                "ver": "2.0",
                **({"nonce": nonce} if nonce else {}),
                **({"roles": list(user.roles)} if user.roles else {}),
            }
        )

    def _sign(self, claims: dict[str, object]) -> str:
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._key_id})


@cache
def _make_key() -> tuple[rsa.RSAPrivateKey, str]:
    """Return a key and its id; made once, because that takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048), uuid4().hex


def client_info(user: User, tenant: str) -> str:
    """Return the client_info from which MSAL builds the account id."""
    content = json.dumps({"uid": user.oid, "utid": tenant_guid(tenant)})
    return base64.urlsafe_b64encode(content.encode()).rstrip(b"=").decode()


def tenant_guid(tenant: str) -> str:
    """Return the id of a tenant that may be given by its domain."""
    try:
        return str(UUID(tenant))
    except ValueError:
        return str(uuid5(NAMESPACE_DNS, tenant.lower()))


def _claims(audience: str, tenant: str, client_id: str, validity: Validity) -> dict[str, object]:
    begin, end = validity
    return {
        "aud": audience,
        "iss": f"https://sts.windows.net/{tenant_guid(tenant)}/",
        "iat": int(begin),
        "nbf": int(begin),
        "exp": int(end),
        "appid": client_id,
        "tid": tenant_guid(tenant),
        # Makes tokens of the same second differ.
        "uti": uuid4().hex,
        "ver": "1.0",
    }


def _subject(user: User, client_id: str) -> str:
    return hashlib.sha256(f"{user.oid} {client_id}".encode()).hexdigest()
