"""``bulkreact serve`` in a process of its own, and what it has taken."""

import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from aiohttp import ClientSession, CookieJar

from tests.support.web_page import Page

from .workspace import FailedError, Workspace

_OPTIONS = ("--port", "0", "--max-upload", "1GB", "--max-rows", "10000000", "--rate", "off", "--no-verify")
_PATIENCE = 60.0
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_KIB = 1024


class Served:
    """A server that runs; ``page`` is a browser that has signed in."""

    def __init__(self, workspace: Workspace, *options: str) -> None:
        reports = workspace.folder / "served"
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "bulkreact",
            "serve",
            "--reports",
            reports,
            *_OPTIONS,
            *options,
        ]
        self.reports = reports
        began = time.perf_counter()
        self.process = workspace.start(command)
        self.link = self.process.stdout.readline().strip() if self.process.stdout else ""
        self.seconds_to_url = time.perf_counter() - began
        if not self.link:
            raise FailedError(f"the server did not start: {workspace.log.read_text()[-2000:]}")

    @property
    def origin(self) -> str:
        """Return where it answers."""
        return self.link.partition("/auth/")[0]

    def cpu(self) -> float:
        """Return the seconds that the process has had on the processor."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory(self, name: str = "VmRSS") -> int:
        """Return the memory that the process has, or with ``VmHWM`` the most that it has had, in bytes."""
        return _memory(self.process.pid, name)

    def child_memory(self) -> int:
        """Return the most memory that one of its processes at work has had, in bytes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        with suppress(OSError):
            return max((_memory(int(child), "VmHWM") for child in children), default=0)
        return 0

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Page]:
        """Yield a browser that has signed in; the link is good for the first one."""
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
            page = Page(client, self.origin, self.link.partition("?token=")[2])
            await page.sign_in()
            yield page


@contextmanager
def serving(workspace: Workspace, *options: str) -> Iterator[Served]:
    """Yield a server, which ends with the block."""
    served = Served(workspace, *options)
    try:
        yield served
    finally:
        served.process.terminate()
        served.process.communicate(timeout=_PATIENCE)


def _memory(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) * _KIB for line in lines if line.startswith(f"{name}:")), 0)
