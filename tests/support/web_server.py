"""``bulkreact serve`` as a process of its own, which can be killed at an instant."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from aiohttp import ClientSession, CookieJar

from tests.support.discovery_server import DiscoveryServer
from tests.support.instants import KILLED_SCRIPT, Instant
from tests.support.program import PROJECT, Partner, Program
from tests.support.web_page import Page

# Runs a command that is killed at the nth of its durable steps, counted below a folder; 0 counts them alone.
STEP_SCRIPT = """
import sys
from pathlib import Path
from tests.support.durable_steps import DurableSteps
from bulkreact.cli import main
folder, nth = Path(sys.argv[1]), int(sys.argv[2])
del sys.argv[1:3]
DurableSteps(folder, folder.with_name("steps.log"), stop_at="", nth=nth, number=9).install()
main()
"""
FAST = ("--rate=off", "--no-verify", "--port=0", "--time-zone=Europe/Berlin")


def start_server(
    program: Program, *arguments: str, instant: Instant | None = None, step: int | None = None
) -> "subprocess.Popen[str]":
    """Start a server; it is killed at an instant or a durable step, if one is named."""
    script: Sequence[str] = ["-m", "bulkreact"]
    if instant:
        script = ["-c", KILLED_SCRIPT, *map(str, instant)]
    elif step is not None:
        script = ["-c", STEP_SCRIPT, str(program.folder / "reports"), str(step)]
    with (program.folder / "server.log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, *script, "serve", *FAST, *arguments],
            cwd=program.folder,
            env={**os.environ, **program.variables, "PYTHONPATH": str(PROJECT)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )


def read_link(process: "subprocess.Popen[str]") -> str:
    """Return the first line that a server prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@contextmanager
def restarted(
    program: Program,
    partner: Partner | DiscoveryServer,
    port: int,
    *arguments: str,
    instant: Instant | None = None,
    step: int | None = None,
) -> "Iterator[tuple[str, subprocess.Popen[str]]]":
    """Yield the link of a server at a port, empty if it was killed before, and its process, which ends with the block."""
    target = ("--base-url", partner.base_url, f"--port={port}")
    process = start_server(program, *target, *arguments, instant=instant, step=step)
    try:
        yield read_link(process), process
    finally:
        process.terminate()
        process.communicate(timeout=60)


@asynccontextmanager
async def server_process(
    program: Program, partner: Partner | DiscoveryServer | None = None, *arguments: str, instant: Instant | None = None
) -> AsyncIterator[tuple[Page, "subprocess.Popen[str]"]]:
    """Yield a page of a server in a process of its own, which is ended at the end unless it is dead."""
    target = ["--base-url", partner.base_url] if partner else ["--simulate"]
    process = start_server(program, *target, *arguments, instant=instant)
    try:
        link = read_link(process)
        assert link, (program.folder / "server.log").read_text()
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
            page = Page(client, link.partition("/auth/")[0], link.partition("?token=")[2])
            await page.sign_in()
            yield page, process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def run_folders(program: Program) -> list[Path]:
    """Return the folders of all runs."""
    return [path.parent for path in (program.folder / "reports").glob("[!.]*/journal.sqlite3")]
