"""What an app proves itself with: a secret or a certificate, read anew each time because both are replaced."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bulkreact.errors import InputRefusedError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_SECRET_CAP = 4096
_WHERE_PASSWORDS_ARE = "BULKREACT_CERTIFICATE_PASSWORD or --certificate-password-file"


class AppSecret(Protocol):
    """Something an app proves itself with."""

    def load(self) -> str | Mapping[str, str]:
        """Return it in the form that MSAL takes; InputRefusedError, which does not quote it, when it is no good."""
        ...

    def describe(self) -> str:
        """Say what it is, without giving anything away."""
        ...


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A client secret at hand, from ``origin``."""

    value: str = field(repr=False)
    origin: str

    def load(self) -> str:
        """Return the secret."""
        return _checked(self.value, self.origin)

    def describe(self) -> str:
        """Say where it comes from."""
        return f"client secret from {self.origin}"


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file that holds a client secret and nothing else."""

    path: Path

    def load(self) -> str:
        """Return the secret as the file has it now."""
        return _checked(read_secret(self.path), str(self.path))

    def describe(self) -> str:
        """Say which file it is."""
        return f"client secret from {self.path}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its private key in one file, PEM or PFX; the password, or its file, is for an encrypted key."""

    path: Path
    password: str = field(repr=False, default="")
    password_file: Path | None = None

    def load(self) -> Mapping[str, str]:
        """Return key and certificate as PEM; only RSA keys are understood by the token service."""
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - costs 50 ms
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        key, chain = self._parse()
        if chain[0].not_valid_after_utc < datetime.now(UTC):
            raise InputRefusedError(
                f"The certificate in {self.path} expired on {chain[0].not_valid_after_utc:%Y-%m-%d}. "
                "Make a new one, upload it to the app registration and put it in its place."
            )
        return {
            "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii"),
            "public_certificate": "".join(one.public_bytes(Encoding.PEM).decode("ascii") for one in chain),
        }

    def validity(self) -> tuple[datetime, datetime]:
        """Return from when and until when it is valid."""
        own = self._parse()[1][0]
        return own.not_valid_before_utc, own.not_valid_after_utc

    def describe(self) -> str:
        """Say which file it is, and how long it is valid."""
        return f"certificate {self.path}, valid until {self.validity()[1]:%Y-%m-%d}"

    def _parse(self) -> "tuple[RSAPrivateKey, list[x509.Certificate]]":
        """Return the key, and the certificates with its own before all others."""
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415 - see above
        from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12  # noqa: PLC0415
        from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415

        text = read_secret(self.password_file) if self.password_file else self.password
        if not text.isprintable():
            raise InputRefusedError(f"The password of {self.path} is not UTF-8 text ({_WHERE_PASSWORDS_ARE}).")
        content, password = _content(self.path), text.encode() or None
        try:
            if b"-----BEGIN " in content:
                certificates = load_pem_x509_certificates(content)
                key: object = load_pem_private_key(content, password)
            else:
                key, first, others = pkcs12.load_key_and_certificates(content, password)
                certificates = [one for one in (first, *others) if one]
        except TypeError:
            needs = (
                "needs a password" if password is None else "has a key that is not encrypted, so it needs no password"
            )
            raise InputRefusedError(f"{self.path} {needs}: {_WHERE_PASSWORDS_ARE}.") from None
        except ValueError:
            raise InputRefusedError(
                f"{self.path} is not a certificate with its private key (PEM or PFX), or its password is wrong "
                f"({_WHERE_PASSWORDS_ARE})."
            ) from None
        if not isinstance(key, RSAPrivateKey) or not certificates:
            raise InputRefusedError(f"{self.path} must hold both a certificate and its RSA private key.")
        own = [one for one in certificates if one.public_key() == key.public_key()]
        if not own:
            raise InputRefusedError(f"{self.path} has no certificate that belongs to its private key.")
        return key, [own[0], *(one for one in certificates if one is not own[0])]


def read_secret(path: Path) -> str:
    """Return the text of a file that holds a secret and nothing else; InputRefusedError names the file alone."""
    try:
        return _content(path)[:_SECRET_CAP].decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise InputRefusedError(f"{path} is not a text file with a secret in it.") from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputRefusedError(f"{path} cannot be read: {error.strerror}.") from None


def _checked(secret: str, origin: str) -> str:
    if not secret or len(secret.split()) != 1 or not secret.isprintable():
        raise InputRefusedError(f"The client secret from {origin} is empty, or has spaces or unusual characters in it.")
    return secret
