"""Signals at named instants: before or after a function of the program does its work, for its nth time."""

import os
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from tests.support.program import PROJECT, Program

# The dotted name of a function, whether the signal comes before (0) or after (1) its work, and at which of its calls.
Instant = tuple[str, int, int]

# Runs a command that is killed at the instant of its first three arguments.
KILLED_SCRIPT = """
import sys
from tests.support.instants import signal_at
from bulkreact.cli import main
name, after, nth = sys.argv[1:4]
del sys.argv[1:4]
with signal_at((name, int(after), int(nth)), 9):
    main()
"""


@contextmanager
def signal_at(instant: Instant, number: int) -> Iterator[None]:
    """Let this process get a signal at an instant."""
    name, after, nth = instant
    function, calls = pkgutil.resolve_name(name), 0

    def interrupted(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        due = calls == nth
        if due and not after:
            os.kill(os.getpid(), number)
        result = function(*args, **kwargs)
        if due and after:
            os.kill(os.getpid(), number)
        return result

    with patch(name, interrupted):
        yield


def kill_at(program: Program, instant: Instant, *arguments: str | Path) -> None:
    """Run a command in a process that is killed at an instant."""
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_SCRIPT, *map(str, instant), *map(str, arguments)],
        cwd=program.folder,
        env={**os.environ, **program.variables, "PYTHONPATH": str(PROJECT)},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
