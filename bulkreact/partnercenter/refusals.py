"""Explains why the way to a host is refused for good: by its certificate, by TLS, or by a proxy. No I/O."""

import re
import ssl
from http import HTTPStatus

from msgspec import Struct

from bulkreact.partnercenter.network import TrustSource

TLS_REFUSED = "tls-refused"
PROXY_REFUSED = "proxy-refused"
# X509_V_ERR_… of OpenSSL.
_NOT_YET_VALID, _EXPIRED = 9, 10
_OTHER_HOST = frozenset({62, 64})
_PLAIN_TEXT = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "RECORD_LAYER", "PACKET_LENGTH_TOO_LONG")
_OLD_VERSION = ("UNSUPPORTED_PROTOCOL", "PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE", "WRONG_SSL_VERSION")
_CERTIFICATE_REQUIRED = ("CERTIFICATE_REQUIRED",)
# The other side has gone, or has a fault of its own: it may be back soon.
_BROKEN_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
_TRANSIENT = ("UNEXPECTED_EOF", "INTERNAL_ERROR", "CLOSE_NOTIFY", "USER_CANCELED", "BAD_RECORD_MAC")
WRONG_PASSWORD = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED})
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})\b", re.ASCII)


class WayRefusal(Struct, frozen=True):
    """Why a host cannot be reached however often it is tried, and what to do."""

    code: str
    reason: str
    remedy: str

    @property
    def message(self) -> str:
        """Return both in one line."""
        return f"{self.reason}. {self.remedy}"


def tls_refusal(error: BaseException, *, host: str, port: int | None, trust: TrustSource) -> WayRefusal | None:
    """Return why a connection is refused for good, None if its error is another one or may pass."""
    cause = _tls_error(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _certificate_refusal(cause, host, trust)
    if cause is None or not cause.reason or isinstance(cause, _BROKEN_OFF) or _names_any(cause, _TRANSIENT):
        return None
    if _names_any(cause, _PLAIN_TEXT):
        reason = f"{host} does not speak TLS on port {port} (plain HTTP?)"
        return WayRefusal(TLS_REFUSED, reason, "Check the port and the scheme (http:// or https://) of its address.")
    if _names_any(cause, _OLD_VERSION):
        reason = f"{host} only speaks versions of TLS that are too old: at least 1.2 is needed"
        return WayRefusal(
            TLS_REFUSED, reason, "If it is your company's proxy or gateway, have TLS 1.2 switched on there."
        )
    reason = f"{host} and this machine cannot agree on TLS ({cause.reason})"
    return WayRefusal(TLS_REFUSED, reason, "Ask who runs the proxy or gateway.")


def late_refusal(error: BaseException, *, host: str) -> WayRefusal | None:
    """Return why an established connection is refused for good, None if it is not: TLS 1.3 asks for certificates late."""
    cause = _tls_error(error)
    if cause is None or not _names_any(cause, _CERTIFICATE_REQUIRED):
        return None
    reason = f"{host} wants a certificate of this machine (mutual TLS), and bulkreact has none to show"
    return WayRefusal(TLS_REFUSED, reason, "If it is your company's proxy or gateway, have it do without.")


def proxy_refusal(status: int, *, host: str) -> WayRefusal | None:
    """Return why a proxy refuses for good to connect to a host, None if its answer means anything else."""
    if status == HTTPStatus.FORBIDDEN:
        reason = f"the proxy does not allow connections to {host} (HTTP {status})"
        return WayRefusal(PROXY_REFUSED, reason, f"Have {host} allowed there, or name another proxy in HTTPS_PROXY.")
    if status in WRONG_PASSWORD:
        return WayRefusal(
            PROXY_REFUSED,
            f"the proxy wants another user name or password (HTTP {status})",
            "Write them in HTTPS_PROXY like http://name:password@proxy.example:3128, special characters of the "
            "password percent-encoded (@ is %40). Nothing is tried again: accounts are locked after some wrong ones.",
        )
    return None


def tunnel_refusal(error: BaseException, *, host: str) -> WayRefusal | None:
    """Return the proxy's refusal that an error of the standard library's HTTP client quotes, None if there is none."""
    status = tunnel_status(error)
    return proxy_refusal(status, host=host) if status else None


def tunnel_status(error: BaseException) -> int | None:
    """Return the status of a proxy's answer that an error of the standard library's HTTP client quotes."""
    match = _TUNNEL.match(str(error))
    return int(match[1]) if match else None


def _certificate_refusal(error: ssl.SSLCertVerificationError, host: str, trust: TrustSource) -> WayRefusal:
    whose = f"the certificate of {host}"
    if error.verify_code == _EXPIRED:
        return WayRefusal(TLS_REFUSED, f"{whose} has expired", "Have it renewed; check this machine's clock.")
    if error.verify_code == _NOT_YET_VALID:
        return WayRefusal(TLS_REFUSED, f"{whose} is not valid yet", "Check this machine's clock.")
    if error.verify_code in _OTHER_HOST:
        reason = f"{whose} was issued for another host"
        return WayRefusal(TLS_REFUSED, reason, "Check the address: another host, or a proxy, answers in its place.")
    reason = f"{whose} is not trusted: {error.verify_message} (trusted are {trust.description})"
    variable = trust.variable or "SSL_CERT_FILE"
    remedy = f"If your company's proxy replaces certificates, name its authority's certificate in {variable}."
    return WayRefusal(TLS_REFUSED, reason, remedy)


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """Return the error of TLS that another one wraps, None if there is none."""
    found, cause = None, error.__cause__
    if isinstance(error, ssl.SSLError):
        found = error
    while cause:
        # Errors of aiohttp are errors of TLS themselves, without the particulars.
        found = cause if isinstance(cause, ssl.SSLError) else found
        cause = cause.__cause__
    return found


def _names_any(error: ssl.SSLError, reasons: tuple[str, ...]) -> bool:
    return any(reason in (error.reason or "") for reason in reasons)
