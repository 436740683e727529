"""Log lines for programs: one JSON object a line on stderr, and whether they are wanted."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum

import click

from bulkreact.timestamps import iso

OPTION = "--log-format"
JSON = "json"
_VARIABLE = re.compile(r"BULKREACT_([A-Z]+_)?LOG_FORMAT")
_chosen: list[str] = []


class Level(StrEnum):
    """How much a line matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def choose(_ctx: click.Context, _option: click.Parameter, value: str) -> str:
    """Take note of the format as soon as it is known: what is wrong with other options is told in it as well."""
    _chosen.append(value)
    return value


def json_requested(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Tell whether lines are for programs, also where the options have not been understood as a whole."""
    if _chosen:
        return _chosen[-1] == JSON
    words = " ".join(arguments).replace("=", " ")
    return f"{OPTION} {JSON}" in words or any(
        _VARIABLE.fullmatch(name) and value == JSON for name, value in environment.items()
    )


def write(level: Level, event: str, **fields: object) -> None:
    """Write one line; fields that are None or empty are left out."""
    line: dict[str, object] = {"time": iso(datetime.now(UTC)), "level": level.value, "event": event}
    line |= {name: value for name, value in fields.items() if value not in (None, "")}
    with suppress(BrokenPipeError):
        click.echo(json.dumps(line, ensure_ascii=False), err=True)


def print_error(words: str, arguments: Sequence[str], *, trace: str = "") -> None:
    """Say why a command ends, for people or as a line for programs."""
    if json_requested(arguments, os.environ):
        write(Level.ERROR, "error", message=words.removeprefix("Error: "), traceback=trace)
        return
    with suppress(BrokenPipeError):
        click.echo(f"{trace}{words}", err=True)


def warn(words: str) -> None:
    """Say what went wrong beside the work itself, even when quiet."""
    if _chosen and _chosen[-1] == JSON:
        write(Level.WARNING, "warning", message=words)
        return
    with suppress(BrokenPipeError):
        click.echo(f"Warning: {words}", err=True)
