"""Reads URLs that people and files name, strictly: what is sent there carries tokens. No I/O."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit


def parse_base_url(text: str) -> str:
    """Return the URL without a trailing slash; ValueError unless it is https, or http to a loopback address."""
    parts = _split_url(text)
    if parts is None:
        raise ValueError(f"{redact_url(text)} is not a URL; write it like https://api.partnercenter.microsoft.com")
    if parts.username or parts.password or parts.query or parts.fragment or not text.strip().isascii():
        raise ValueError("a base URL has no user, query or fragment")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError(f"{redact_url(text)} is not encrypted: use https (plain http is for loopback addresses alone)")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def parse_webhook_url(text: str) -> str:
    """Return the URL of a webhook; ValueError, which does not quote it, unless it is https, or http to a loopback address.

    The URL is a secret: anyone who knows it can use it.
    """
    parts = _split_url(text)
    if parts is None or not text.strip().isascii():
        raise ValueError("it is not a URL; write it like https://hc-ping.com/…")
    host = parts.hostname or ""
    if parts.username or parts.password or parts.fragment:
        raise ValueError(f"the URL of {host} must have no user, password or fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(f"the URL of {host} is not encrypted: use https (plain http is for loopback addresses alone)")
    return text.strip()


def parse_authority(text: str) -> str:
    """Return the URL of a token service without a trailing slash; ValueError unless it is https."""
    try:
        url = parse_base_url(text)
    except ValueError:
        url = ""
    if not url.startswith("https://") or "//" in urlsplit(url).path:
        raise ValueError(
            f"{redact_url(text)} is not a token service; write it like https://login.microsoftonline.com (https alone)"
        )
    return url


def redact_url(url: str) -> str:
    """Return a URL without user and password."""
    return repr(url if "@" not in url else f"…@{url.rpartition('@')[2]}")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address can only be this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _split_url(text: str) -> SplitResult | None:
    """Return the parts of an http or https URL, None for anything else."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
        # Raises for a name that cannot be looked up, like a..b.
        (host or "").encode("idna")
    except ValueError:
        return None
    return parts if host and port != 0 and parts.scheme in {"http", "https"} else None
