"""Formats numbers, paths and foreign text for messages."""

import os
import shlex
import subprocess
from pathlib import Path


def plural(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 row``, ``1,204 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def printable(text: Path | str) -> str:
    """Return text from outside on one line: control, direction and undecodable characters are escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text))


def printable_lines(text: str) -> str:
    """Return text that goes to people as it is, except that nothing in it can command a terminal or reorder text."""
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))


def shell_quote(path: Path | str) -> str:
    """Return a path or another argument quoted for the shell."""
    return subprocess.list2cmdline([str(path)]) if os.name == "nt" else shlex.quote(str(path))
