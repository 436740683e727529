"""Writes report.html: one file without scripts and without anything from elsewhere."""

import unicodedata
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from bulkreact.atomic_write import replacing
from bulkreact.sheets.output import charts
from bulkreact.sheets.output.report_data import RunReport

if TYPE_CHECKING:
    from jinja2 import Template

REPORT = "report.html"
_TEMPLATE = "report.html.jinja"
# Controls, directions and other invisible things, halves of characters, and separators that break lines.
_HARMFUL = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# Persian, Indian languages and emoji are not written without these.
_JOINERS = "\u200c\u200d"


def write(folder: Path, report: RunReport) -> None:
    """Write the report into a folder; raises OSError when that is not possible, an older one is then untouched."""
    page = render(report)
    with replacing(folder / REPORT, private=True) as file:
        file.write(page)


def render(report: RunReport) -> str:
    """Return the report as HTML; whatever comes from outside is text in it."""
    return template().render(report=report)


@cache
def template() -> "Template":
    """Return the template, ready for use."""
    # Loaded only by the commands that write results.
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        autoescape=True,
        finalize=_final,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # What the optimiser saves in a page that is shown once is less than what it takes.
        optimized=False,
    )
    environment.filters.update(number=_number, moment=_moment, sentence=_sentence, duration=_duration, clock=_clock)
    environment.globals.update(bar_segments=charts.bar_segments, timeline_bars=charts.timeline_bars)
    return environment.from_string(files(__package__).joinpath(_TEMPLATE).read_text("utf-8"))


def strip_control_characters(text: str) -> str:
    """Return text without what is not to be seen and changes how other text is."""
    return "".join(_seen(character) for character in text)


def _seen(character: str) -> str:
    if character in "\t\n\r":
        return " "
    hidden = unicodedata.category(character) in _HARMFUL and character not in _JOINERS
    return "\N{REPLACEMENT CHARACTER}" if hidden else character


def _final(value: object) -> object:
    """Make every value harmless that the template shows; what the template itself has made is so already."""
    return strip_control_characters(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _number(value: int) -> str:
    return f"{value:,}"


def _moment(value: str) -> str:
    at = datetime.fromisoformat(value).astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M:%S} UTC"


def _sentence(words: str) -> str:
    """Return the catalogue's words as a sentence; the name of a column keeps its small letter."""
    first = words.split(" ", 1)[0]
    return f"{words}." if "_" in first else f"{words[:1].upper()}{words[1:]}."


def _clock(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _duration(seconds: int) -> str:
    """Return a length of time as people say it."""
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= unit and not seconds % unit:
            count = seconds // unit
            return name if count == 1 else f"{count} {name}s"
    return f"{seconds} seconds"
