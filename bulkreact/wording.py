"""Formats numbers, paths and foreign text for messages."""

import os
import re
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# The kinds of SQLite's errors that do not come from a mistake of this program.
_DATABASE_ERRORS = {
    3: "there is no permission",
    5: "another process is using it",
    6: "another process is using it",
    8: "it cannot be written",
    10: "the disk reports an error",
    11: "the file is damaged",
    13: "the disk is full",
    14: "it cannot be opened",
    23: "there is no permission",
    26: "the file is not a database, or its beginning is damaged",
}
# Of cmd and PowerShell; list2cmdline knows only white space and quotation marks.
_SPECIAL = re.compile(r"[^\w\\:./-]")
_SURROGATES = range(0xDC80, 0xDD00)
# The longest durations that are said in a unit.
_SAID_IN_SECONDS = 90
_SAID_IN_MINUTES = 90
_SAID_IN_HOURS = 48


def plural(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 row``, ``1,204 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def format_duration(seconds: float) -> str:
    """Return seconds as ``0:42``, ``12:05`` or ``3:00:00``, rounded up."""
    minutes, rest = divmod(ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def estimate_duration(seconds: float) -> str:
    """Return seconds as people say them, rounded up: ``about 8 seconds``, ``about 12 minutes``, ``about 3 hours 20 minutes``."""
    minutes, hours = ceil(seconds / 60), ceil(seconds / 3600)
    if seconds <= _SAID_IN_SECONDS:
        said = plural(max(ceil(seconds), 1), "second")
    elif minutes <= _SAID_IN_MINUTES:
        said = plural(minutes, "minute")
    elif hours <= _SAID_IN_HOURS:
        said = f"{plural(minutes // 60, 'hour')} {plural(minutes % 60, 'minute')}"
    else:
        said = f"{plural(hours // 24, 'day')} {plural(hours % 24, 'hour')}"
    return f"about {said}"


def printable(text: "Path | str") -> str:
    """Return text from outside on one line: control, direction and undecodable characters are escaped."""
    line = str(text)
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)


def printable_lines(text: str) -> str:
    """Return text that goes to people as it is, except that nothing in it can command a terminal or reorder text."""
    return "\n".join(map(printable, text.split("\n")))


def wrap_lines(text: str, width: int) -> str:
    """Return text wrapped between words, each line with its indentation; ids, paths and codes are never broken."""
    import textwrap  # noqa: PLC0415 - the list of commands needs none

    lines = list[str]()
    for line in text.split("\n"):
        indentation = " " * (len(line) - len(line.lstrip(" ")))
        lines += textwrap.wrap(
            line,
            width,
            subsequent_indent=indentation,
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
        ) or [""]
    return "\n".join(lines)


class DescribedError(OSError):
    """An error of files or what stores them that has words of ours, not the system's."""


def describe_error(error: BaseException) -> str:
    """Say what the system or SQLite reports, by its code: the texts of libraries may quote anything."""
    match error:
        case DescribedError():
            return str(error)
        case OSError(errno=int(number)) if number > 0:
            return os.strerror(number)
        case OSError():
            return "the system gives no reason"
        case NotImplementedError():
            return "that is not possible here"
    code = getattr(error, "sqlite_errorcode", None)
    # The lowest byte is the kind, the others say more of it.
    return _DATABASE_ERRORS.get(code & 0xFF, "SQLite refuses it") if isinstance(code, int) else "it is damaged"


def describe_refusal(error: OSError) -> str:
    """Say what the system refuses, where, and what to do."""
    where = f" ({printable(str(error.filename))})" if error.filename else ""
    return f"{describe_error(error)}{where}. Fix the cause, then try again."


def shell_quote(argument: "Path | str", *, windows: bool = os.name == "nt") -> str:
    """Return a path or another argument quoted for the shell, on one line; a path never begins like an option."""
    text = str(argument)
    if not isinstance(argument, str) and text.startswith("-"):
        text = f".{os.sep}{text}"
    if windows:
        return _quote_for_windows(text)
    import shlex  # noqa: PLC0415 - the list of commands needs none

    return shlex.quote(text) if text.isprintable() else f"$'{''.join(map(_escape, text))}'"


def _quote_for_windows(text: str) -> str:
    import subprocess  # noqa: PLC0415 - the list of commands needs none

    line = subprocess.list2cmdline([text])
    if line.startswith('"') or not _SPECIAL.search(text):
        return line
    # Backslashes before a quotation mark count twice.
    backslashes = len(line) - len(line.rstrip("\\"))
    return '"{}{}"'.format(line, "\\" * backslashes)


def _escape(char: str) -> str:
    """Return a character for the quotes of bash, zsh and ksh that know escapes; a byte that is no text stays that byte."""
    if ord(char) in _SURROGATES:
        return f"\\x{ord(char) & 0xFF:02x}"
    if char in "\\'":
        return f"\\{char}"
    return char if char.isprintable() else char.encode("unicode_escape").decode()
