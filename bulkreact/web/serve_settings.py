"""The settings of a server, checked once and frozen."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from bulkreact.monitoring.webhooks import NotifyTargets
from bulkreact.partnercenter.auth.app_credentials import AppSecret
from bulkreact.settings import Identity
from bulkreact.urls import is_loopback, redact_url
from bulkreact.web.permissions import Person

_SIZE = re.compile(r"([0-9]+)\s*(|k|m|g)b?", re.ASCII | re.IGNORECASE)
_ROWS = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*", re.ASCII)
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class PublicUrl:
    """The URL that browsers see: its origin, and the path below which all routes are, empty or like ``/bulkreact``."""

    origin: str
    path: str

    def __str__(self) -> str:
        """Return the address of the first page."""
        return f"{self.origin}{self.path}"

    @property
    def is_secure(self) -> bool:
        """Return whether browsers connect with TLS."""
        return self.origin.startswith("https://")

    @property
    def hosts(self) -> frozenset[str]:
        """Return the values of the header Host that are ours."""
        parts = urlsplit(self.origin)
        port = f":{parts.port}" if parts.port else ""
        if is_loopback(parts.hostname or ""):
            return frozenset(f"{name}{port}" for name in (*_LOOPBACK_NAMES, parts.netloc.removesuffix(port)))
        return frozenset({parts.netloc})


@dataclass(frozen=True, slots=True)
class EntraApp:
    """The app registration with which people sign in."""

    identity: Identity
    secret: AppSecret

    @property
    def sign_out_url(self) -> str:
        """Return where people sign out of Microsoft."""
        return f"{self.identity.authority}/oauth2/v2.0/logout"


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """How a server is run.

    ``hosts`` are the values of Host that it answers, ``target`` is the key of the partner that its jobs are for,
    ``arguments`` has for each command what it is started with, ``environment``
    has what is not to be seen among them, ``facts`` are the settings that the page shows, ``approval_from`` is the number
    of rows from which on a second person must agree, None for never; ``longest_watch`` and ``longest_outage`` are how
    many seconds accepted rows are watched, and an outage is waited out.
    """

    public_url: PublicUrl
    hosts: frozenset[str]
    data: Path
    reports: Path
    max_upload: int
    max_rows: int
    longest_session: float
    idle: float
    time_zone: ZoneInfo
    continue_runs: bool
    simulated: bool
    target: str
    target_label: str
    person: Person
    arguments: Mapping[str, tuple[str, ...]]
    environment: Mapping[str, str]
    facts: tuple[tuple[str, str], ...]
    verify: bool = True
    longest_watch: float = 1200.0
    longest_outage: float = 1800.0
    sign_in: str = "local"
    notify: NotifyTargets | None = None
    approval_from: int | None = None
    entra: EntraApp | None = None
    trusted_proxies: frozenset[str] = frozenset()

    def needs_approval(self, rows: int) -> bool:
        """Return whether a second person must agree to sending so many rows."""
        return self.approval_from is not None and rows >= self.approval_from


def parse_size(text: str) -> int:
    """Read ``100MB``, ``512kB`` or ``1000`` as bytes; ValueError says what is expected."""
    match = _SIZE.fullmatch(text.strip())
    if not match or not (size := int(match[1]) * _UNITS[match[2].lower()]) > 0:
        raise ValueError(f"{text!r} is not a size; write it like 100MB, 512kB or as bare bytes")
    return size


def parse_approval_from(text: str) -> int:
    """Read a number of rows, or ``never`` as 0; ValueError says what is expected."""
    if text.strip().lower() == "never":
        return 0
    if not _ROWS.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is no number of rows; write it like 100, or never")
    return int(text)


def parse_public_url(text: str) -> PublicUrl:
    """Read the URL of the page; ValueError unless it is https, or http to a loopback address."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if (
        not (host and host.isascii())
        or parts.scheme not in {"http", "https"}
        or parts.username
        or parts.query
        or parts.fragment
    ):
        raise ValueError(f"{redact_url(text)} is not the URL of a page; write it like https://bulkreact.example.com")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(f"{redact_url(text)} is not encrypted: use https (plain http is for loopback addresses alone)")
    path = parts.path.rstrip("/")
    if not _PATH.fullmatch(path) or ".." in path:
        raise ValueError(f"{redact_url(text)} has a path with other characters than letters, digits, - . _ and ~")
    default = {"http": 80, "https": 443}[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    return PublicUrl(f"{parts.scheme}://{shown}{f':{port}' if port and port != default else ''}", path)


def parse_address(text: str) -> str:
    """Return the address of a machine; ValueError for anything else."""
    if text == "localhost":
        return "127.0.0.1"
    try:
        return ip_address(text).compressed
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None


def client_address(peer: str, forwarded: str, trusted: frozenset[str]) -> str:
    """Return from where a request comes: from the peer, or as that says if it is a proxy of ours."""
    if peer not in trusted and not is_loopback(peer):
        return peer
    try:
        return ip_address(forwarded.rpartition(",")[2].strip()).compressed
    except ValueError:
        return peer


def is_safe_next(path: str, base: str) -> bool:
    """Return whether a path from a request leads to a page of ours: it begins with one slash, below the base path."""
    if not path.startswith(f"{base}/") or "\\" in path or not (path.isprintable() and path.isascii()):
        return False
    segments = re.split("[?#]", path, maxsplit=1)[0].split("/")
    # Browsers take encoded dots for dots.
    return "" not in segments[1:-1] and not {".", ".."}.intersection(map(unquote, segments))
