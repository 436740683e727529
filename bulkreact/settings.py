"""The settings of one run, checked once and frozen, and the table of clouds."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit

from bulkreact.guids import is_guid


class Cloud(StrEnum):
    """A national cloud of the partner programme (API page, section *Clouds*)."""

    GLOBAL = "global"
    USGOV = "usgov"
    CHINA = "china"


BASE_URLS = {
    Cloud.GLOBAL: "https://api.partnercenter.microsoft.com",
    Cloud.USGOV: "https://api.partnercenter.microsoft.com",
    Cloud.CHINA: "https://partner.partnercenterapi.microsoftonline.cn",
}
AUTHORITIES = {
    Cloud.GLOBAL: "https://login.microsoftonline.com",
    Cloud.USGOV: "https://login.microsoftonline.us",
    Cloud.CHINA: "https://login.partner.microsoftonline.cn",
}
# What tokens are for: an address as well, but whatever the base URL is, these stay the same.
RESOURCES = {
    Cloud.GLOBAL: "https://api.partnercenter.microsoft.com",
    Cloud.USGOV: "https://api.partnercenter.microsoft.com",
    Cloud.CHINA: "https://partner.partnercenterapi.microsoftonline.cn",
}

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,253}", re.ASCII)
_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*/\s*(min|s)", re.ASCII)
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([smhd]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_API_VERSION = re.compile(r"[A-Za-z0-9._-]{1,16}", re.ASCII)
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", re.ASCII)
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%", re.ASCII)


@dataclass(frozen=True, slots=True)
class Threshold:
    """When failures halt a run: a share of the settled rows (0 to 1), a number of rows, or never."""

    share: float | None = None
    number: int | None = None

    def passed(self, failures: int, settled: int) -> bool:
        """Tell whether the failures are strictly above the limit."""
        if self.share is not None:
            return failures > self.share * settled
        return self.number is not None and failures > self.number


@dataclass(frozen=True, slots=True)
class Service:
    """The partner API a run talks to."""

    cloud: Cloud
    base_url: str
    api_version: str
    simulated: bool
    locale: str = "en-US"


class AuthMethod(StrEnum):
    """Where access tokens come from (API page, section *Credentials*)."""

    TOKEN = "token"  # noqa: S105 - a word, no secret
    APP = "app"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks the token service for what; the secret that proves it is not among this.

    ``authority`` is a URL with the tenant in it, ``scope`` what a token is asked for, and ``resource`` what it must
    then be for. ``tenant_id`` is a GUID or a domain name; it is empty when the authority alone names the tenant.
    """

    authority: str
    tenant_id: str
    client_id: str
    scope: str
    resource: str


# What is deleted for good within this time is urgent.
URGENT_WITHIN = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Verification:
    """How accepted rows are watched until they are active, in seconds.

    ``after`` its acceptance a row is read for the first time, then once in ``every``, until ``timeout`` has passed
    since watching began; each row is read at least once, unless its customer is throttled for too long.
    """

    after: float = 60.0
    every: float = 60.0
    timeout: float = 1200.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard and how long a run tries; seconds unless the name says otherwise.

    ``calls_per_second`` is None when the pace is off, ``verify`` when activation is not watched. ``waiting`` says how
    rows wait for the subscription above them. ``urgent_first`` sends first what is deleted for good first.
    """

    calls_per_second: float | None = 5.0
    concurrency: int = 16
    per_customer: int = 4
    timeout: float = 60.0
    attempts: int = 5
    max_throttle: float = 1800.0
    max_retry_after: float = 300.0
    halt: Threshold = Threshold(share=0.5)
    halt_after: int = 20
    verify: Verification | None = None
    waiting: Verification = Verification()
    urgent_first: bool = False


def parse_rate(text: str) -> float | None:
    """Read ``300/min``, ``5/s`` or ``off`` as calls per second; ValueError says what is expected."""
    if text.strip().lower() == "off":
        return None
    match = _RATE.fullmatch(text.strip().lower())
    if not match or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is not a rate; write it like 300/min, 5/s or off")
    return float(match[1]) / (60 if match[2] == "min" else 1)


def parse_duration(text: str) -> float:
    """Read ``90``, ``30s``, ``15m``, ``12h`` or ``90d`` as seconds; ValueError says what is expected."""
    match = _DURATION.fullmatch(text.strip().lower())
    if not match:
        raise ValueError(f"{text!r} is not a duration; write it like 30s, 15m, 12h, 90d or as bare seconds")
    return float(match[1]) * _SECONDS[match[2]]


def parse_threshold(text: str) -> Threshold:
    """Read ``50%``, ``20`` or ``off``; ValueError says what is expected."""
    word = text.strip().lower()
    if word == "off":
        return Threshold()
    if (match := _PERCENT.fullmatch(word)) and float(match[1]) <= 100:  # noqa: PLR2004 - per cent
        return Threshold(share=float(match[1]) / 100)
    if word.isascii() and word.isdigit():
        return Threshold(number=int(word))
    raise ValueError(f"{text!r} is not a threshold; write it like 50%, 20 or off")


def parse_api_version(text: str) -> str:
    """Return the version segment of the URL; ValueError when it could change the path."""
    if not _API_VERSION.fullmatch(text) or set(text) == {"."}:
        raise ValueError(f"{text!r} is not an API version; the documented one is v1")
    return text


def parse_locale(text: str) -> str:
    """Return a language tag for the service's messages; ValueError when it is none."""
    if not _LOCALE.fullmatch(text):
        raise ValueError(f"{text!r} is not a locale; write it like en-US")
    return text


def parse_base_url(text: str) -> str:
    """Return the URL without a trailing slash; ValueError unless it is https, or http to a loopback address."""
    expected = f"{redacted(text)} is not a URL; write it like https://api.partnercenter.microsoft.com"
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
        # A name that cannot be looked up at all, like a..b.
        (host or "").encode("idna")
    except ValueError:
        raise ValueError(expected) from None
    if not host or port == 0 or parts.scheme not in {"http", "https"}:
        raise ValueError(expected)
    if parts.username or parts.password or parts.query or parts.fragment or not text.strip().isascii():
        raise ValueError("a base URL has no user, query or fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(f"{redacted(text)} is not encrypted: use https (plain http is for loopback addresses alone)")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def parse_webhook_url(text: str) -> str:
    """Return the URL of somebody who is to be told something; ValueError, which does not quote it, for any other.

    Whoever knows such a URL can use it, so that it must be encrypted or stay on this machine.
    """
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if not host or port == 0 or parts.scheme not in {"http", "https"} or not text.strip().isascii():
        raise ValueError("it is not a URL; write it like https://hc-ping.com/…")
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
            f"{redacted(text)} is no token service; write it like https://login.microsoftonline.com (https alone)"
        )
    return url


def parse_scope(text: str) -> str:
    """Return a scope; ValueError when it is more than one word or none."""
    if not text.isascii() or not text.isprintable() or len(text.strip(" /").split()) != 1:
        raise ValueError(f"{text!r} is not a scope; write it like https://api.partnercenter.microsoft.com/.default")
    return text.strip().rstrip("/")


def parse_tenant(text: str) -> str:
    """Return a tenant's id or domain in lower case; ValueError when it is neither."""
    if not _TENANT.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is not a tenant; write its GUID, or its domain like contoso.onmicrosoft.com")
    return text.strip().lower()


def parse_client_id(text: str) -> str:
    """Return an application's id in lower case; ValueError unless it is a GUID."""
    if not is_guid(text.strip()):
        raise ValueError(f"{text!r} is not a client id; it is the GUID that the app registration shows")
    return text.strip().lower()


def redacted(url: str) -> str:
    """Return a URL for people, without a password that it may have."""
    return repr(url if "@" not in url else f"…@{url.rpartition('@')[2]}")


def resource_of(scope: str) -> str:
    """Return what a token for a scope is for: ``https://host/.default`` is for ``https://host``."""
    scheme, mark, rest = scope.rpartition("://")
    return scheme + mark + (rest.rpartition("/")[0] or rest)


def scope_for(scope: str, suffix: str) -> str:
    """Return a scope; one that names a resource alone gets the suffix that asks for what is usual."""
    return scope if resource_of(scope) != scope else scope + suffix


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address can only be this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


CONFIG_FILE_NAME = "bulkreact.toml"
