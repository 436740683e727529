"""A token service with a throw-away certificate authority, for tests that let the real msal talk to it."""

import asyncio
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from html import unescape
from http.client import HTTPResponse
from pathlib import Path
from time import time
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import HTTPErrorProcessor, HTTPSHandler, ProxyHandler, Request, build_opener

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from bulkreact.simulator.identity.directory import RESOURCE
from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter
from bulkreact.simulator.server import serve
from tests.support.background_loop import serving
from tests.support.controlled_directory import ControlledDirectory

TENANT = "7e4a4700-0000-4000-8000-a00000000001"
# No scenario: its last group begins with a letter.
CLIENT = "c11e4700-0000-4000-8000-a00000000001"
SECRET = "canary-secret-5c0ffee5c0ffee5c0ffee5c0ffee"
APP_SCOPE = f"{RESOURCE}/.default"
USER_SCOPE = f"{RESOURCE}/user_impersonation"
REDIRECT = "http://localhost:1/"
API_HEADERS = {
    "Accept": "application/json",
    "MS-RequestId": "5eed0000-0000-4000-8000-a00000000001",
    "MS-CorrelationId": "5eed0000-0000-4000-8000-a00000000002",
    "MS-Contract-Version": "v1",
    "MS-PartnerCenter-Application": "bulkreact",
    "X-Locale": "en-US",
}


class Clock:
    """The system's clock, which can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time() + self.ahead


@dataclass(frozen=True)
class Answer:
    """A response of the token service or the API."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def content(self) -> dict[str, object]:
        """Return a JSON body."""
        content: dict[str, object] = json.loads(self.body.decode("utf-8-sig"))
        return content

    @property
    def number(self) -> object:
        """Return the number of the token service's error."""
        codes = self.content["error_codes"]
        assert isinstance(codes, list)
        return codes[0]


@dataclass
class Authority:
    """A running token service and partner API on one port."""

    base_url: str
    service: PartnerCenter
    directory: ControlledDirectory
    ca_file: Path

    @property
    def authority_url(self) -> str:
        """Return the address of the token service, without a tenant."""
        return self.base_url

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """Return grant type and outcome of every token request."""
        return [(request.grant_type.rpartition(":")[2], request.outcome) for request in self.directory.requests]

    def fetch(self, url: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Send a GET, or a POST when there is a form; redirects are not followed, errors are not raised."""
        data = None if form is None else urlencode(form).encode()
        request = Request(url, data=data, headers=headers or {})  # noqa: S310 - the simulator's own address
        opener = build_opener(ProxyHandler({}), _AsItIs(), HTTPSHandler(context=self.trust()))
        with opener.open(request, timeout=60) as answer:
            return Answer(answer.status, answer.read(), dict(answer.headers))

    def ask(self, grant_type: str, *, tenant: str = TENANT, **form: str) -> Answer:
        """Send a token request without msal."""
        url = f"{self.authority_url}/{tenant}/oauth2/v2.0/token"
        return self.fetch(url, {"client_id": CLIENT, "grant_type": grant_type, **form})

    def customers(self, token: str, size: int | str = 3, **headers: str) -> Answer:
        """List customers with a token."""
        url = f"{self.base_url}/v1/customers?size={size}"
        return self.fetch(url, headers={**API_HEADERS, **headers, "Authorization": f"Bearer {token}"})

    def sign_in(self, url: str) -> dict[str, str]:
        """Visit an address as a browser would; return what it has to send on to the app, by redirect or by form."""
        answer = self.fetch(url)
        if answer.status == 302:
            return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
        fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', answer.body.decode())
        return {unescape(name): unescape(value) for name, value in fields}

    def choose(self, url: str, name: str) -> dict[str, str]:
        """Visit an address and choose a user there by the first name; return what the browser has to send on to the app."""
        offered = re.findall(r'<a href="([^"]*)">(\w+) Example</a>', self.fetch(url).body.decode())
        addresses = {first.lower(): unescape(address) for address, first in offered}
        return self.sign_in(url.partition("?")[0] + addresses[name])

    def browse(self, url: str) -> Answer:
        """Visit an address as a browser would, and send on to the app what it has to; return the app's answer."""
        query = dict(parse_qsl(urlsplit(url).query))
        back, answer = query["redirect_uri"], self.sign_in(url)
        return self.fetch(back, answer) if "response_mode" in query else self.fetch(f"{back}?{urlencode(answer)}")

    def send_code(self, verification_uri: str, user_code: str, *, action: str = "approve") -> int:
        """Fill in the page for signing in on another device; return the status of the answer."""
        return self.fetch(verification_uri, {"user_code": user_code, "act": action}).status

    def trust(self) -> ssl.SSLContext:
        """Return a TLS context that trusts this service."""
        return ssl.create_default_context(cafile=self.ca_file)


class _AsItIs(HTTPErrorProcessor):
    """Follows no redirect and raises no error."""

    def https_response(self, request: Request, response: HTTPResponse) -> HTTPResponse:
        del request
        return response

    http_response = https_response


@cache
def _authority() -> tuple[trustme.CA, trustme.LeafCert]:
    ca = trustme.CA()
    return ca, ca.issue_cert("localhost", "127.0.0.1", "login.example", "partner.example")


def write_ca(folder: Path) -> Path:
    """Write the certificate authority that vouches for localhost."""
    file = folder / "ca.pem"
    _authority()[0].cert_pem.write_to_path(file)
    return file


def write_tls(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for localhost and its key."""
    leaf = _authority()[1]
    certificate, key = folder / "localhost.pem", folder / "localhost.key"
    leaf.cert_chain_pems[0].write_to_path(certificate)
    leaf.private_key_pem.write_to_path(key)
    return certificate, key


def tls() -> ssl.SSLContext:
    """Return a TLS context with which to serve as localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority()[1].configure_cert(context)
    return context


@contextmanager
def start_authority(
    loop: asyncio.AbstractEventLoop,
    folder: Path,
    rules: Behaviour | None = None,
    directory: ControlledDirectory | None = None,
) -> Iterator[Authority]:
    """Serve token service and partner API in a loop that runs in another thread."""
    directory = directory or ControlledDirectory(Clock())
    with serving(loop, serve(rules or Behaviour(), tls=tls(), directory=directory)) as (base_url, service):
        yield Authority(base_url, service, directory, write_ca(folder))


@dataclass(frozen=True)
class KeyPair:
    """A certificate that signed itself."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def key_pem(self) -> str:
        """Return the key, not encrypted."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def certificate_pem(self) -> str:
        """Return the certificate."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def pem(self) -> str:
        """Return key and certificate as one PEM file has them."""
        return self.key_pem + self.certificate_pem

    @property
    def thumbprint(self) -> str:
        """Return the SHA-1 thumbprint, as the portal shows it."""
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - it names, it does not protect

    def encrypted_key_pem(self, password: str) -> str:
        """Return the key under a password."""
        encryption = BestAvailableEncryption(password.encode())
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()

    def pfx(self, password: str) -> bytes:
        """Return key and certificate in one PFX file under a password; without one for an empty password."""
        encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        return pkcs12.serialize_key_and_certificates(b"bulkreact", self.key, self.certificate, None, encryption)


@cache
def key_pair(name: str = "bulkreact test", *, begins_in_days: int = -1) -> KeyPair:
    """Return the self-signed certificate of this name, with an RSA key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins_in_days))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    return KeyPair(key, certificate)
