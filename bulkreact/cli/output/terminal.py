"""Writes text for people: without secrets, and with nothing in it that could command a terminal."""

import sys

import click

from bulkreact.cli.invocation import invocation_of
from bulkreact.wording import printable_lines


def redact(text: str) -> str:
    """Return text without the secrets that this invocation has met."""
    ctx = click.get_current_context(silent=True)
    return invocation_of(ctx).redactor.redact(text) if ctx else text


def redact_and_escape(text: str) -> str:
    """Return text as people may see it: without secrets, control characters escaped."""
    return printable_lines(redact(text))


def echo(text: str, *, err: bool = False, end: str = "\n") -> None:
    """Write text for people, or JSON, to standard output or standard error."""
    stream = sys.stderr if err else sys.stdout
    stream.write(f"{redact_and_escape(text)}{end}")
    stream.flush()
