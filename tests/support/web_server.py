"""``bulkreact serve`` as a process of its own, which can be killed at an instant."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession, CookieJar

from tests.support.instants import KILLED_SCRIPT, Instant
from tests.support.program import PROJECT, Partner, Program
from tests.support.web_page import Page

FAST = ("--rate=off", "--no-verify", "--port=0", "--time-zone=Europe/Berlin")


def start_server(program: Program, *arguments: str, instant: Instant | None = None) -> "subprocess.Popen[str]":
    """Start a server; it is killed at an instant, if one is named."""
    script = ["-c", KILLED_SCRIPT, *map(str, instant)] if instant else ["-m", "bulkreact"]
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


@asynccontextmanager
async def server_process(
    program: Program, partner: Partner | None = None, *arguments: str, instant: Instant | None = None
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
