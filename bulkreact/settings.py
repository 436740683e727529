"""The settings of a run, checked once and frozen, and the table of clouds."""

import math
import re
from datetime import timedelta
from enum import StrEnum

from msgspec import Struct

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
# The audience of tokens, whatever the base URL of a run.
RESOURCES = BASE_URLS

DEFAULT_LOCALE = "en-US"
LATEST_RUN = "latest"
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,253}", re.ASCII)
_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:\s*/\s*(min|s))?", re.ASCII)
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([smhd]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
# A hundred years: more than that and a date would be before the year 1.
_LONGEST_SECONDS = 36_525 * 86_400
_API_VERSION = re.compile(r"[A-Za-z0-9._-]{1,16}", re.ASCII)
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", re.ASCII)
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_NEW_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[A-Za-z0-9_-]{1,60}-[0-9a-f]{4}", re.ASCII)
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%", re.ASCII)


class Threshold(Struct, frozen=True):
    """When failures halt a run: a share of the settled rows (0 to 1), a number of rows, or never."""

    share: float | None = None
    number: int | None = None

    def is_exceeded(self, failures: int, settled: int) -> bool:
        """Return whether the failures are strictly above the limit."""
        if self.share is not None:
            return failures > self.share * settled
        return self.number is not None and failures > self.number


class Service(Struct, frozen=True):
    """The partner API that a run calls."""

    cloud: Cloud
    base_url: str
    api_version: str
    simulated: bool
    locale: str = DEFAULT_LOCALE


class AuthMethod(StrEnum):
    """Where access tokens come from (API page, section *Credentials*)."""

    TOKEN = "token"  # noqa: S105 - a name, no secret
    APP = "app"
    USER = "user"


class Identity(Struct, frozen=True):
    """What tokens are requested with, without the secret.

    ``authority`` is a URL with the tenant in it; ``resource`` is the audience that a token for the ``scope`` must have.
    ``tenant_id`` is a GUID or a domain name, empty if only the authority names the tenant.
    """

    authority: str
    tenant_id: str
    client_id: str
    scope: str
    resource: str


# A row is urgent if its target will be permanently deleted within this time.
URGENT_WITHIN = timedelta(days=14)


class Verification(Struct, frozen=True):
    """How accepted rows are watched until they are active, in seconds.

    A row is first read ``after`` its acceptance, then once per ``every``, until the watch has lasted for ``timeout``;
    each row is read at least once, unless its customer is throttled for too long.
    """

    after: float = 60.0
    every: float = 60.0
    timeout: float = 1200.0


class Limits(Struct, frozen=True):
    """The limits of a run; seconds unless the name says otherwise.

    ``calls_per_second`` is None if the rate is off, ``verify`` if activation is not watched. ``waiting`` is the polling
    of rows that wait for their parent. ``urgent_first`` orders rows by the time at which their targets are deleted.
    ``halt_in_retry`` replaces ``halt`` in a retry: its rows have failed before.
    """

    calls_per_second: float | None = 5.0
    concurrency: int = 16
    per_customer: int = 4
    timeout: float = 60.0
    attempts: int = 5
    max_throttle: float = 1800.0
    max_retry_after: float = 300.0
    max_outage: float = 1800.0
    halt: Threshold = Threshold(share=0.5)
    halt_in_retry: Threshold = Threshold()
    halt_after: int = 20
    verify: Verification | None = None
    waiting: Verification = Verification()
    urgent_first: bool = False


def parse_rate(text: str) -> float | None:
    """Read ``300/min``, ``300``, ``5/s`` or ``off`` as calls per second; ValueError says what is expected."""
    if text.strip().lower() == "off":
        return None
    match = _RATE.fullmatch(text.strip().lower())
    if not match or not 0 < float(match[1]) < math.inf:
        raise ValueError(f"{text!r} is not a rate; write it like 300/min, 5/s or off (a bare number is per minute)")
    return float(match[1]) / (1 if match[2] == "s" else 60)


def parse_run_name(text: str) -> str:
    """Return the name of a run; ValueError if it is empty, as a variable is that was never set."""
    if not text.strip():
        raise ValueError(f"RUN is empty; name a run, or {LATEST_RUN!r} for the newest one")
    return text


def parse_run_id(text: str) -> str:
    """Return the id of a run, which is the name of its folder; ValueError if it could lead to another folder."""
    if not _RUN_ID.fullmatch(text):
        raise ValueError(f"{text!r} is not the id of a run")
    return text


def parse_new_run_id(text: str) -> str:
    """Return an id for a new run; ValueError unless it is like those that runs get by themselves."""
    if not _NEW_RUN_ID.fullmatch(text):
        raise ValueError(f"{text!r} is no id for a run; write it like 20260228T093000Z-orders-1f0c")
    return text


def parse_duration(text: str) -> float:
    """Read ``90``, ``30s``, ``15m``, ``12h`` or ``90d`` as seconds; ValueError says what is expected."""
    match = _DURATION.fullmatch(text.strip().lower())
    if not match:
        raise ValueError(f"{text!r} is not a duration; write it like 30s, 15m, 12h, 90d or as bare seconds")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST_SECONDS:
        raise ValueError(f"{text!r} is longer than a hundred years")
    return seconds


def parse_age(text: str) -> float:
    """Read a duration that must have its unit: what takes 90 for days would lose what is 91 seconds old."""
    seconds = parse_duration(text)
    if text.strip()[-1].isdigit():
        raise ValueError(f"{text!r} has no unit; write it like {text.strip()}d for days (or s, m, h)")
    return seconds


def parse_threshold(text: str) -> Threshold:
    """Read ``50%``, ``20`` or ``off``; ValueError says what is expected."""
    value = text.strip().lower()
    if value == "off":
        return Threshold()
    if (match := _PERCENT.fullmatch(value)) and float(match[1]) <= 100:  # noqa: PLR2004 - per cent
        return Threshold(share=float(match[1]) / 100)
    if value.isascii() and value.isdigit():
        return Threshold(number=int(value))
    raise ValueError(f"{text!r} is not a threshold; write it like 50%, 20 or off")


def parse_api_version(text: str) -> str:
    """Return the version segment of the URL; ValueError if it could change the path."""
    if not _API_VERSION.fullmatch(text) or set(text) == {"."}:
        raise ValueError(f"{text!r} is not an API version; the documented one is v1")
    return text


def parse_locale(text: str) -> str:
    """Return a language tag for the service's messages; ValueError for anything else."""
    if not _LOCALE.fullmatch(text):
        raise ValueError(f"{text!r} is not a locale; write it like en-US")
    return text


def parse_scope(text: str) -> str:
    """Return a scope; ValueError if it is empty or has spaces."""
    if not text.isascii() or not text.isprintable() or len(text.strip(" /").split()) != 1:
        raise ValueError(f"{text!r} is not a scope; write it like https://api.partnercenter.microsoft.com/.default")
    return text.strip().rstrip("/")


def parse_tenant(text: str) -> str:
    """Return a tenant's id or domain in lower case; ValueError if it is neither."""
    if not _TENANT.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is not a tenant; write its GUID, or its domain like contoso.onmicrosoft.com")
    return text.strip().lower()


def parse_client_id(text: str) -> str:
    """Return an application's id in lower case; ValueError unless it is a GUID."""
    if not is_guid(text.strip()):
        raise ValueError(f"{text!r} is not a client id; it is the GUID that the app registration shows")
    return text.strip().lower()


def resource_of(scope: str) -> str:
    """Return the resource of a scope: ``https://host`` for ``https://host/.default``."""
    scheme, mark, rest = scope.rpartition("://")
    return scheme + mark + (rest.rpartition("/")[0] or rest)


def scope_for(scope: str, suffix: str) -> str:
    """Return a scope; the suffix is appended when it names only a resource."""
    return scope if resource_of(scope) != scope else scope + suffix
