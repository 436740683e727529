"""Writes report.html: one file that loads nothing, and is complete without its script."""

import unicodedata
from base64 import b64encode
from datetime import UTC, datetime, tzinfo
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from bulkreact.atomic_write import replacing
from bulkreact.partnercenter.error_codes.page_advice import advise_here
from bulkreact.sheets.output import charts
from bulkreact.sheets.output.report_data import RunReport

if TYPE_CHECKING:
    from jinja2 import Template

REPORT = "report.html"
# Unicode categories: controls, invisible formats, surrogates, line and paragraph separators.
_REPLACED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# Persian, Indian languages and emoji need these.
_JOINERS = "\u200c\u200d"


def write(folder: Path, report: RunReport) -> None:
    """Write the report into a folder; raises OSError if that fails, leaving an older one untouched."""
    page = render(report)
    with replacing(folder / REPORT, private=True) as file:
        file.write(page)


def render(report: RunReport) -> str:
    """Return the report as HTML; all values are escaped."""
    return template().render(report=report)


@cache
def template() -> "Template":
    """Return the compiled template."""
    # Loaded only by the commands that write results.
    from jinja2 import Environment, FunctionLoader, StrictUndefined  # noqa: PLC0415

    from bulkreact.sheets.output.template_cache import TemplateCache  # noqa: PLC0415

    environment = Environment(
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # The optimiser costs more than it saves in a template that is rendered once.
        optimized=False,
        loader=FunctionLoader(_read),
        bytecode_cache=TemplateCache(),
    )
    environment.filters.update(
        number=_number,
        local_time=local_time,
        sentence=_sentence,
        duration=_duration,
        clock=_clock,
        sha256=_sha256,
        on_page=advise_here,
    )
    environment.globals.update(
        bar_segments=charts.bar_segments,
        timeline_bars=charts.timeline_bars,
        style=_read("report.css"),
        script=_read("report.js"),
    )
    return environment.get_template("report.html.jinja")


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")


def strip_control_characters(text: str) -> str:
    """Return text with spaces for line breaks, and a replacement for characters that are invisible or reorder text."""
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character in "\t\n\r":
        return " "
    hidden = unicodedata.category(character) in _REPLACED and character not in _JOINERS
    return "\N{REPLACEMENT CHARACTER}" if hidden else character


def finalize(value: object) -> object:
    """Strip control characters from every value in the template, except its own markup."""
    return strip_control_characters(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _number(value: int) -> str:
    return f"{value:,}"


def local_time(value: str, zone: tzinfo | None = None) -> str:
    """Return a time in a zone, by default this machine's, with the zone's name, and in UTC."""
    utc = datetime.fromisoformat(value).astimezone(UTC)
    time = utc.astimezone(zone)
    if not time.utcoffset():
        return f"{_date(utc)}, {utc:%H:%M:%S} UTC"
    day = "" if time.date() == utc.date() else f"{_date(utc)}, "
    return f"{_date(time)}, {time:%H:%M:%S} {_zone_name(time)} ({day}{utc:%H:%M:%S} UTC)"


def _date(time: datetime) -> str:
    return f"{time.day} {time:%B %Y}"


def _zone_name(time: datetime) -> str:
    """Return the zone's name, or its distance from UTC if the system has none."""
    name = time.tzname() or ""
    return name if any(map(str.isalpha, name)) else f"UTC{time.isoformat()[-6:]}"


def _sha256(text: str) -> str:
    """Return the source of a text for a content security policy."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _sentence(text: str) -> str:
    """Return a description as a sentence; a column name at its beginning stays in lower case."""
    first = text.split(" ", 1)[0]
    return f"{text}." if "_" in first else f"{text[:1].upper()}{text[1:]}."


def _clock(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _duration(seconds: int) -> str:
    """Return a duration in its largest whole unit: ``minute``, ``90 seconds``."""
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= unit and not seconds % unit:
            count = seconds // unit
            return name if count == 1 else f"{count} {name}s"
    return f"{seconds} seconds"
