"""The environment's proxies and certificates, the same for every connection."""

import logging
import os
import re
import socket
import ssl
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from msgspec import Struct

from bulkreact.errors import InputRefusedError
from bulkreact.urls import is_loopback
from bulkreact.wording import describe_error, printable, shell_quote

# The usual variables of Python programs; the first one set counts.
CERTIFICATE_VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
# Proxies that refused their name and password in this process: directories lock accounts after some wrong ones.
refused_proxies: set[str] = set()
_TLS_REASON = re.compile(r"[A-Z0-9_]{1,60}")
# An ASN.1 sequence, as certificates in DER, PKCS #7 and PKCS #12 begin.
_DER = b"\x30\x82"

# Libraries quote what they cannot read; without a handler that would go to stderr.
for _library in ("aiohttp.client", "aiohttp.internal", "msal", "urllib3"):
    logging.getLogger(_library).addHandler(logging.NullHandler())
    logging.getLogger(_library).propagate = False


class TrustSource(Struct, frozen=True):
    """Where the trusted certificates come from: a file or folder and the variable that names it, or the platform."""

    variable: str = ""
    path: str = ""
    ignored: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """Return what is trusted, and which variable counts."""
        if not self.variable:
            return "the certificates of this machine"
        ignored = f"; {' and '.join(self.ignored)} is set as well, and does not count" if self.ignored else ""
        return f"the certificates in {printable(self.path)}, which {self.variable} names{ignored}"


def trust_source() -> TrustSource:
    """Return where the trusted certificates come from."""
    named = [(name, value) for name in CERTIFICATE_VARIABLES if (value := os.environ.get(name))]
    return TrustSource(*named[0], tuple(name for name, _ in named[1:])) if named else TrustSource()


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for a URL, never one for this machine itself.

    InputRefusedError for an unusable proxy. aiohttp's own ``trust_env`` would also read passwords from ``.netrc``.
    """
    parts = urlsplit(url)
    if is_loopback(parts.hostname or "") or proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    # Often written without a scheme.
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_usable(proxy):
        # Do not quote it: it may contain a password.
        raise InputRefusedError(
            f"The proxy for {parts.hostname} that the environment names (HTTPS_PROXY, ALL_PROXY) cannot be used: "
            "write it like http://proxy.example:3128, or http://name:password@proxy.example:3128 with special "
            "characters of name and password percent-encoded: @ is %40, : is %3A, / is %2F, # is %23, % is %25."
        )
    if not _can_be_sent(proxy):
        raise InputRefusedError(
            f"The user or password of the proxy for {parts.hostname} (HTTPS_PROXY, ALL_PROXY) has a character that no "
            "proxy can be sent: only those of Latin-1 can be. Choose another password."
        )
    return proxy


def _can_be_sent(proxy: str) -> bool:
    """Return whether the credentials of a proxy can stand in a header, which is in Latin-1."""
    login = urlsplit(proxy).netloc.rpartition("@")[0]
    try:
        unquote(login).encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def _is_usable(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        # A / ? or # in the password would end the host.
        is_host_only = parts.path in {"", "/"} and not parts.query and not parts.fragment
        is_complete = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        return is_complete and is_host_only and proxy.isprintable()
    except ValueError:
        return False


def check_trust() -> None:
    """Check that the environment's certificates can be used; InputRefusedError if not."""
    if trust_source().variable:
        tls_context()


def tls_context() -> ssl.SSLContext:
    """Return the context that verifies TLS, with the environment's certificates or else the platform's.

    InputRefusedError if the environment's cannot be read.
    """
    source = trust_source()
    path = source.path or None
    folder = path is not None and Path(path).is_dir()
    try:
        return ssl.create_default_context(cafile=None if folder else path, capath=path if folder else None)
    except OSError as error:
        raise InputRefusedError(
            f"{printable(source.path)}, which {source.variable} names, {_describe_unreadable(Path(source.path), error)}"
        ) from None


def _describe_unreadable(path: Path, error: OSError) -> str:
    if not isinstance(error, ssl.SSLError):
        return f"cannot be read: {describe_error(error)}."
    with path.open("rb") as file:
        is_binary = file.read(len(_DER)) == _DER
    if is_binary:
        return (
            "is a binary file (DER), and PEM is needed, which is text. Export it again as Base-64 (.CER), or: "
            f"openssl x509 -inform der -in {shell_quote(path)} -out {shell_quote(path.with_suffix('.pem'))}"
        )
    return "has no certificates in PEM that can be read (they begin with -----BEGIN CERTIFICATE-----)."


def describe_failure(error: BaseException) -> str:
    """Say why a connection failed, by the type of the error: what libraries say may contain passwords and foreign text."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"the certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            reason = error.reason if error.reason and _TLS_REASON.fullmatch(error.reason) else "no reason is known"
            return f"TLS failed ({reason})"
        case socket.gaierror():
            return "the name of the host is not known here"
        case TimeoutError():
            return "there was no answer in time"
        case OSError(errno=int(number)) if number > 0:
            return os.strerror(number)
        case ConnectionError():
            return "the connection was closed without an answer"
    return "the connection failed"
