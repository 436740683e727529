"""Starts commands as processes of their own: without a shell, in a session of their own, with their output in a file."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from bulkreact.secret_variables import REFRESH_TOKEN_VARIABLE, SECRET_VARIABLES, WEB_SECRET_VARIABLE

if sys.platform != "win32":
    import resource

_CHECK_MEMORY = 2 << 30
_CHECK_CPU_SECONDS = 300
_CHECK_PRIORITY = 10
_SHORTEST_POLL, _LONGEST_POLL = 0.02, 0.2


class ChildProcess:
    """A process that this server started; it goes on when the server ends."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def exit_code(self) -> int | None:
        """Return how it ended, below zero if a signal killed it; None while it runs."""
        return self._process.poll()

    async def wait(self) -> int:
        """Wait for its end."""
        pause = _SHORTEST_POLL
        while (code := self._process.poll()) is None:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_POLL)
        return code

    def kill(self) -> None:
        """Kill it with all that it has started."""
        if self._process.poll() is None:
            if sys.platform == "win32":
                self._process.kill()
            else:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def limit(self) -> None:
        """Limit its memory and its time on the processor, and let others go first, where the system can."""
        if sys.platform == "win32" or not hasattr(resource, "prlimit"):
            return
        with suppress(ProcessLookupError):
            resource.prlimit(self._process.pid, resource.RLIMIT_AS, (_CHECK_MEMORY, _CHECK_MEMORY))
            resource.prlimit(self._process.pid, resource.RLIMIT_CPU, (_CHECK_CPU_SECONDS, _CHECK_CPU_SECONDS))
            os.setpriority(os.PRIO_PROCESS, self._process.pid, _CHECK_PRIORITY)


def start(
    arguments: Sequence[str], log: Path, *, output: Path | None = None, environment: Mapping[str, str] | None = None
) -> ChildProcess:
    """Start a command of this program; what it prints is appended to a log, its data written to ``output``.

    It has the server's environment and what is added to that; with None it inherits no credentials.
    """
    hidden = SECRET_VARIABLES if environment is None else {WEB_SECRET_VARIABLE, REFRESH_TOKEN_VARIABLE}
    inherited = {name: value for name, value in os.environ.items() if name not in hidden}
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    with _open_private(log) as messages, _open_private(output or log) as data:
        process = subprocess.Popen(  # noqa: S603 - our own program, and every argument is one of ours
            [sys.executable, "-P", "-m", "bulkreact", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=data,
            stderr=messages,
            env=inherited | dict(environment or {}),
            start_new_session=sys.platform != "win32",
            creationflags=flags,
        )
    return ChildProcess(process)


def _open_private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "ab")
