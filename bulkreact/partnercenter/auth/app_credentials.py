"""Loads the secret or certificate of an app; each time again, because both get replaced."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from bulkreact.errors import InputRefusedError
from bulkreact.file_access import exposure
from bulkreact.wording import shell_quote

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_SECRET_CAP = 4096
_HOW_TO_UNLOCK = "BULKREACT_CERTIFICATE_PASSWORD or --certificate-password-file"


class AppSecret(Protocol):
    """A client secret or certificate of an app."""

    def load(self) -> str | Mapping[str, str]:
        """Return it in MSAL's form; InputRefusedError, which does not quote it, if it cannot be used."""
        ...

    def describe(self) -> str:
        """Describe it without any secret."""
        ...

    def secret(self) -> str:
        """Return what must be seen nowhere: the secret, or the certificate's password; empty if there is none."""
        ...

    def files(self) -> tuple[Path, ...]:
        """Return the files that hold secrets."""
        ...


class ExposedFile(NamedTuple):
    """What is wrong with a file, and what to do about it."""

    message: str
    advice: str


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A client secret from the environment variable ``origin``."""

    value: str = field(repr=False)
    origin: str

    def load(self) -> str:
        """Return the secret."""
        return _validate(self.value, self.origin)

    def describe(self) -> str:
        """Describe its origin."""
        return f"client secret from {self.origin}"

    def files(self) -> tuple[Path, ...]:
        """Return none: it is in the environment."""
        return ()

    def secret(self) -> str:
        """Return the secret."""
        return self.value


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file with only a client secret."""

    path: Path

    def load(self) -> str:
        """Return the current secret in the file."""
        return _validate(read_secret(self.path), str(self.path))

    def describe(self) -> str:
        """Name the file."""
        return f"client secret from {self.path}"

    def files(self) -> tuple[Path, ...]:
        """Return the file."""
        return (self.path,)

    def secret(self) -> str:
        """Return the current secret in the file."""
        return read_secret(self.path)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its private key in one file, PEM or PFX; the password, or its file, is for the key."""

    path: Path
    password: str = field(repr=False, default="")
    password_file: Path | None = None

    def load(self) -> Mapping[str, str]:
        """Return key and certificate as PEM; the token service accepts only RSA keys."""
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - costs 50 ms
            Encoding,
            NoEncryption,
            PrivateFormat,
        )

        key, chain = self._parse()
        if chain[0].not_valid_after_utc < datetime.now(UTC):
            raise InputRefusedError(
                f"The certificate in {self.path} expired on {chain[0].not_valid_after_utc:%Y-%m-%d}. "
                "Make a new one, upload it to the app registration and replace this one with it."
            )
        return {
            "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii"),
            "public_certificate": "".join(
                certificate.public_bytes(Encoding.PEM).decode("ascii") for certificate in chain
            ),
        }

    def validity(self) -> tuple[datetime, datetime]:
        """Return the times at which its validity begins and ends."""
        own = self._parse()[1][0]
        return own.not_valid_before_utc, own.not_valid_after_utc

    def describe(self) -> str:
        """Name the file and how long it is valid."""
        return f"certificate {self.path}, valid until {self.validity()[1]:%Y-%m-%d}"

    def files(self) -> tuple[Path, ...]:
        """Return the file, and that of the password."""
        return (self.path, self.password_file) if self.password_file else (self.path,)

    def secret(self) -> str:
        """Return the password of the key."""
        return read_secret(self.password_file) if self.password_file else self.password

    def _parse(self) -> "tuple[RSAPrivateKey, list[x509.Certificate]]":
        """Return the key and the certificates, its own first."""
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415 - see above
        from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12  # noqa: PLC0415
        from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415

        text = self.secret()
        if not text.isprintable():
            raise InputRefusedError(f"The password of {self.path} is not UTF-8 text ({_HOW_TO_UNLOCK}).")
        content, password = _content(self.path), text.encode() or None
        try:
            if b"-----BEGIN " in content:
                certificates = load_pem_x509_certificates(content)
                key: object = load_pem_private_key(content, password)
            else:
                key, first, others = pkcs12.load_key_and_certificates(content, password)
                certificates = [certificate for certificate in (first, *others) if certificate]
        except TypeError:
            needs = (
                "needs a password" if password is None else "has a key that is not encrypted, so it needs no password"
            )
            raise InputRefusedError(f"{self.path} {needs}: {_HOW_TO_UNLOCK}.") from None
        except ValueError:
            raise InputRefusedError(
                f"{self.path} is not a certificate with its private key (PEM or PFX), or its password is wrong "
                f"({_HOW_TO_UNLOCK})."
            ) from None
        if not isinstance(key, RSAPrivateKey) or not certificates:
            raise InputRefusedError(f"{self.path} must hold both a certificate and its RSA private key.")
        own = [certificate for certificate in certificates if certificate.public_key() == key.public_key()]
        if not own:
            raise InputRefusedError(f"{self.path} has no certificate that belongs to its private key.")
        return key, [own[0], *(certificate for certificate in certificates if certificate is not own[0])]


def exposed_files(secret: AppSecret | None) -> list[ExposedFile]:
    """Return those of its files that others can read or replace."""
    return [
        ExposedFile(f"{file} holds a secret, and {reason}", f"Correct it with: chmod go-rwx {shell_quote(file)}")
        for file in (secret.files() if secret else ())
        if file.is_file() and (reason := exposure(file))
    ]


def read_secret(path: Path) -> str:
    """Return the text of a file with only a secret; InputRefusedError names only the file."""
    try:
        return _content(path)[:_SECRET_CAP].decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise InputRefusedError(f"{path} is not a text file with a secret in it.") from None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputRefusedError(f"{path} cannot be read: {error.strerror}.") from None


def _validate(secret: str, origin: str) -> str:
    if not secret or len(secret.split()) != 1 or not secret.isprintable():
        raise InputRefusedError(f"The client secret from {origin} is empty, or has spaces or unusual characters in it.")
    return secret
