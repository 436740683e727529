"""Formats numbers and paths for messages."""

import os
import shlex
import subprocess
from pathlib import Path


def plural(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 row``, ``1,204 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def shell_quote(path: Path | str) -> str:
    """Return a path or another argument quoted for the shell."""
    return subprocess.list2cmdline([str(path)]) if os.name == "nt" else shlex.quote(str(path))
