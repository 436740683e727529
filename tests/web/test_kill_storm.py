"""Two people work on while their server is killed at random instants: no job, run or approval is lost, none doubled."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from itertools import count
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from aiohttp import ClientError, ClientResponse, ClientSession, CookieJar

from bulkreact.batch.journal.reading import JournalReader
from tests.conftest import Chaos
from tests.support.forked_servers import ForkedServers
from tests.support.web_page import HEADER, Json, Page, free_socket, line

pytestmark = [pytest.mark.soak, pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")]

ROWS = 2
# This share of the servers is killed while they start; the others live so many seconds on average, and some far longer.
STARTING, LIFE = 0.2, 0.7
OPTIONS = ("--simulate", "--sign-in=practice", "--rate=off", "--no-verify", "--reports=reports", "--time-zone=UTC")


class Person:
    """Somebody who presses the same button again until the server answers."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def insist(self, ask: Callable[[], Awaitable[ClientResponse]]) -> ClientResponse:
        """Return the first answer; each time it is the same form."""
        while True:
            try:
                response = await ask()
                await response.read()
            except (ClientError, ConnectionError, TimeoutError):
                await asyncio.sleep(0.05)
                continue
            if response.status != 429:
                return response
            await asyncio.sleep(0.2)

    async def sign_in(self) -> None:
        """Sign in once: it outlives all servers."""
        headers = {"Accept": "application/json"}
        form = {"person": self.page.person}
        await self.insist(lambda: self.page.post("/auth/practice", form, headers=headers))
        session = await self.insist(lambda: self.page.get("/api/session"))
        self.page.token = str((await session.json(content_type=None))["csrf"])

    async def job(self, number: int, *states: str) -> Json:
        """Return a job as soon as it is in one of the states."""
        while True:
            response = await self.insist(lambda: self.page.get(f"/api/jobs/{number}"))
            job = await response.json()
            if job["state"] in states:
                return {**job, "version": str(job["version"]), **(job["check"] or {})}
            await asyncio.sleep(0.05)

    async def press(self, path: str, **fields: str) -> int:
        """Send a form; return the status of its answer."""
        form = {"form_id": str(uuid4()), **fields}
        return (await self.insist(lambda: self.page.post(path, form))).status

    async def upload(self, content: bytes) -> int:
        """Upload a file; return the number of its job."""
        form_id = str(uuid4())
        response = await self.insist(lambda: self.page.upload(content, form_id=form_id))
        assert response.status == 201, await response.text()
        return int((await response.json())["location"].rpartition("/")[2])


async def work(ann: Person, ben: Person, is_over: asyncio.Event) -> list[int]:
    """Let files be uploaded and approved, one after the other, until it is over; return the numbers of their jobs."""
    numbers = []
    for first in count(1, ROWS):
        content = HEADER + "".join(line(first + index) for index in range(ROWS))
        number = await ann.upload(content.encode())
        numbers.append(number)
        job = await ann.job(number, "ready")
        assert await ann.press(f"/jobs/{number}/submit", version=job["version"]) == 200
        shown = {name: job[name] for name in ("version", "sha256", "digest")}
        assert await ben.press(f"/jobs/{number}/approve", **shown) == 200
        if is_over.is_set():
            break
    return numbers


async def kill_servers(
    servers: ForkedServers, arguments: tuple[str, ...], kills: int, chance: Random, bystander: Person
) -> None:
    """Start servers and kill them, so many times; the last one lives."""
    for _ in range(kills):
        await asyncio.to_thread(servers.start, arguments)
        if chance.random() >= STARTING:
            await bystander.insist(lambda: bystander.page.get("/healthz"))
        await asyncio.sleep(chance.expovariate(1 / LIFE))
        await asyncio.to_thread(servers.end, signal.SIGKILL)
    await asyncio.to_thread(servers.start, arguments)


@asynccontextmanager
async def person(port: int, name: str) -> AsyncIterator[Person]:
    """Yield somebody with a browser."""
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
        yield Person(Page(client, f"http://127.0.0.1:{port}", "", person=name))


def find_wrong_runs(reports: Path) -> list[str]:
    """Return the runs in which a row was not sent exactly once, by one process."""
    wrong = []
    for folder in (path.parent for path in reports.glob("[!.]*/journal.sqlite3")):
        with JournalReader(folder) as journal:
            sent = Counter(call.target for call in journal.write_calls())
            processes = journal.processes(limit=9)
        if (sorted(sent.values()), len(processes)) != ([1] * ROWS, 1):
            wrong.append(f"{folder.name}: {sent}, {len(processes)} processes")
    return wrong


async def test_nothing_is_lost_or_doubled_by_servers_killed_at_random_instants(tmp_path: Path, chaos: Chaos) -> None:
    with closing(free_socket()) as probe:
        port = probe.getsockname()[1]
    arguments, is_over = (*OPTIONS, f"--port={port}"), asyncio.Event()
    async with person(port, "ann") as ann, person(port, "ben") as ben, person(port, "vic") as vic:
        with ForkedServers(tmp_path) as servers:
            await asyncio.to_thread(servers.start, arguments)
            await ann.sign_in()
            await ben.sign_in()
            await asyncio.to_thread(servers.end, signal.SIGKILL)
            working = asyncio.create_task(work(ann, ben, is_over))
            await kill_servers(servers, arguments, chaos.kills, Random(chaos.seed), vic)
            is_over.set()
            numbers = await working
            jobs = [await ann.job(number, "finished", "stopped") for number in numbers]
            listed = await (await ann.insist(lambda: ann.page.get("/api/jobs"))).json()
            events = [await (await ann.page.get(f"/api/jobs/{number}/audit")).json() for number in numbers]
    ends = {(job["state"], job["run"]["exit_code"], job["approval"]["by"]["name"]) for job in jobs}
    approvals = [[event["event"] for event in trail["events"]].count("approved") for trail in events]
    assert (numbers, listed["jobs"][0]["number"]) == (list(range(1, len(jobs) + 1)), len(jobs))
    assert ends == {("finished", 0, "Ben")}
    assert approvals == [1] * len(jobs)
    runs = list((tmp_path / "reports").glob("[!.]*/journal.sqlite3"))
    assert (len(runs), find_wrong_runs(tmp_path / "reports")) == (len(jobs), [])
