"""Client authentication: a secret, or an assertion signed by one of the app's certificates."""

import base64
from collections.abc import Collection, Mapping
from typing import Literal, TypeAlias

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from bulkreact.simulator.identity.aadsts_errors import TokenRefusedError
from bulkreact.simulator.identity.directory import App

Credential: TypeAlias = Literal["", "secret", "assertion"]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# MSAL signs RS256 and sends x5t if it has a thumbprint, PS256 with x5t#S256 if it has the certificate.
_ALGORITHMS = ["RS256", "PS256"]
_THUMBPRINTS: dict[str, type[hashes.HashAlgorithm]] = {"x5t": hashes.SHA1, "x5t#S256": hashes.SHA256}


def credential_type(form: Mapping[str, str]) -> Credential:
    """Return the type of a request's credential."""
    if form.get("client_assertion"):
        return "assertion"
    return "secret" if form.get("client_secret") else ""


def authenticate(app: App, form: Mapping[str, str], audiences: Collection[str], now: float) -> None:
    """Raise TokenRefusedError if the credential is not this app's; a request without one is accepted.

    ``audiences`` are the allowed audiences of an assertion.
    """
    match credential_type(form):
        case "secret":
            _check_secret(app, form["client_secret"])
        case "assertion":
            _check_assertion(app, form, audiences, now)
        case "":
            pass


def _check_secret(app: App, secret: str) -> None:
    match app.secrets.get(secret):
        case None:
            raise TokenRefusedError(7000215)
        case "expired":
            raise TokenRefusedError(7000222)
        case "valid":
            pass


def _check_assertion(app: App, form: Mapping[str, str], audiences: Collection[str], now: float) -> None:
    assertion = form["client_assertion"]
    try:
        claims: dict[str, object] = jwt.decode(
            assertion,
            _key(app, jwt.get_unverified_header(assertion)),
            algorithms=_ALGORITHMS,
            audience=list(audiences),
            issuer=app.client_id,
            # Its times are checked below, against the directory's clock.
            options={"require": ["exp", "sub", "jti"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except jwt.PyJWTError:
        raise TokenRefusedError(700027) from None
    begin, end = claims.get("nbf", 0), claims["exp"]
    is_current = isinstance(begin, int | float) and isinstance(end, int | float) and begin <= now < end
    if not is_current or claims["sub"] != app.client_id or form.get("client_assertion_type") != ASSERTION_TYPE:
        raise TokenRefusedError(700027)


def _key(app: App, header: Mapping[str, object]) -> RSAPublicKey:
    """Return the public key of the certificate that an assertion's header names."""
    for pem in app.certificates:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        key = certificate.public_key()
        if _is_named(certificate, header) and isinstance(key, RSAPublicKey):
            return key
    raise TokenRefusedError(700027)


def _is_named(certificate: x509.Certificate, header: Mapping[str, object]) -> bool:
    thumbprints = {name: header[name] for name in _THUMBPRINTS if name in header}
    return bool(thumbprints) and all(
        isinstance(value, str) and value.rstrip("=") == _thumbprint(certificate, _THUMBPRINTS[name]())
        for name, value in thumbprints.items()
    )


def _thumbprint(certificate: x509.Certificate, algorithm: hashes.HashAlgorithm) -> str:
    return base64.urlsafe_b64encode(certificate.fingerprint(algorithm)).rstrip(b"=").decode()
