"""Renders the pages; every value from outside is escaped, and scripts and styles are files of our own."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from importlib.resources import files
from uuid import uuid4
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from msgspec import Struct

from bulkreact import __version__
from bulkreact.sheets.output.report_html import finalize
from bulkreact.web import texts
from bulkreact.web.permissions import Right, has_right
from bulkreact.web.serve_settings import ServeSettings
from bulkreact.web.sessions import Session
from bulkreact.wording import plural

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_HASH_LENGTH = 12


class StaticFile(Struct, frozen=True):
    """A file of our own that never changes under its address."""

    name: str
    content: bytes
    content_type: str


class Pages:
    """The templates and static files of a server."""

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self.static = dict(_read_static())
        self._addresses = {file.name: address for address, file in self.static.items()}
        self._environment = Environment(
            loader=PackageLoader(__package__),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=finalize,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        zone, base = settings.time_zone, settings.public_url.path
        self._environment.filters.update(
            number=_number,
            time=partial(_time, zone=zone),
            clock=partial(texts.format_clock, zone=zone),
            duration=texts.format_seconds,
            size=texts.format_bytes,
            plural=plural,
            grouped=texts.group_digits,
            percent=_percent,
        )
        self._environment.globals.update(
            base=base,
            static=lambda name: f"{base}/static/{self._addresses[name]}",
            form_id=lambda: str(uuid4()),
            simulated=settings.simulated,
            target_label=settings.target_label,
            settings=settings,
            texts=texts,
            version=__version__,
        )

    def render(self, template: str, session: Session | None, **values: object) -> str:
        """Return a page as HTML."""
        person = session.person if session else None
        rights = [right.value for right in Right if person and has_right(person, right)]
        return self._environment.get_template(f"{template}.jinja").render(
            person=person, rights=rights, csrf=session.token if session else "", session=session, **values
        )


def _read_static() -> Mapping[str, StaticFile]:
    """Return the files by their addresses, which have a hash of the content; modules import each other by these."""
    found: dict[str, StaticFile] = {}
    paths = {path.name: path for path in files(__package__).joinpath("static").iterdir()}
    module, first = b"./page.js", ""
    for name in ("page.js", *sorted(paths.keys() - {"page.js"})):
        stem, _, extension = name.rpartition(".")
        content = paths[name].read_bytes().replace(module, f"./{first}".encode() if first else module)
        address = f"{stem}.{sha256(content).hexdigest()[:_HASH_LENGTH]}.{extension}"
        first = first or address
        found[address] = StaticFile(name, content, _TYPES[extension])
    return found


def _number(value: int) -> str:
    return f"{value:,}"


def _time(value: str, zone: ZoneInfo) -> Markup:
    utc = datetime.fromisoformat(value).astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(f"{utc:%Y-%m-%dT%H:%M:%SZ}", texts.format_time(value, zone))


def _percent(value: int, total: int) -> int:
    return value * 100 // total if total else 0
