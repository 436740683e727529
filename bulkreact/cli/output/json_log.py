"""JSON log lines: one object per line on stderr, and whether they were requested."""

import json
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

import click

from bulkreact.cli.invocation import invocation_of
from bulkreact.cli.output.terminal import echo, redact
from bulkreact.timestamps import iso_milliseconds, utc_now

OPTION = "--log-format"
JSON = "json"
_VARIABLE = re.compile(r"BULKREACT_([A-Z]+_)?LOG_FORMAT")


class LogLevel(StrEnum):
    """The level of a line."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def remember_format(ctx: click.Context, _option: click.Parameter, value: str) -> str:
    """Record the format as soon as it is parsed: errors in other options are written in it too."""
    invocation_of(ctx).log_format = value
    return value


def json_requested(log_format: str, arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Return whether JSON logs were requested, even if option parsing failed before the format was known."""
    if log_format:
        return log_format == JSON
    command_line = " ".join(arguments).replace("=", " ")
    return f"{OPTION} {JSON}" in command_line or any(
        _VARIABLE.fullmatch(name) and value == JSON for name, value in environment.items()
    )


def write(level: LogLevel, event: str, **fields: object) -> None:
    """Write one line; fields that are None or empty are left out."""
    line: dict[str, object] = {"time": iso_milliseconds(utc_now()), "level": level.value, "event": event}
    line |= {
        name: redact(value) if isinstance(value, str) else value
        for name, value in fields.items()
        if value not in (None, "")
    }
    # In ASCII: a log is read in terminals.
    echo(json.dumps(line), err=True)


def warn(log_format: str, message: str) -> None:
    """Write a warning, even when quiet, as text or as a JSON line."""
    if log_format == JSON:
        write(LogLevel.WARNING, "warning", message=message)
        return
    echo(f"Warning: {message}", err=True)


def inform(log_format: str, message: str) -> None:
    """Write a message, as text or as a JSON line."""
    if log_format == JSON:
        write(LogLevel.INFO, "note", message=message)
        return
    echo(message, err=True)
