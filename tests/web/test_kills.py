"""The server is killed between any two steps from the upload to the results, and started again: nothing is lost or doubled."""

import asyncio
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from aiohttp import ClientError, ClientSession, CookieJar

from bulkreact.batch.journal.journal import is_locked
from bulkreact.simulator.partnercenter.behaviour import Behaviour
from tests.conftest import Chaos
from tests.support.instants import Instant
from tests.support.program import Partner, Program
from tests.support.web_page import Page, free_socket, table
from tests.support.web_server import restarted, run_folders

pytestmark = [pytest.mark.soak, pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")]

ROWS = 4
# About so many durable steps has a server from its start to the end of a job.
STEPS = 54
UPLOAD: list[Instant] = [
    ("bulkreact.web.uploads._write", 0, 1),
    ("bulkreact.web.uploads._write", 1, 1),
    ("bulkreact.web.uploads._sync", 1, 1),
    ("bulkreact.web.folders.JobFolders.add_file", 0, 1),
    ("bulkreact.web.folders.JobFolders.add_file", 1, 1),
    ("bulkreact.web.store.RecordStore.create_job", 1, 1),
    ("bulkreact.web.store.RecordStore.keep_form", 0, 1),
    ("bulkreact.web.processes.start", 1, 1),
    ("bulkreact.web.file_checks._read_plan", 0, 1),
    ("bulkreact.web.store.RecordStore.end_check", 0, 1),
    ("bulkreact.web.store.RecordStore.end_check", 1, 1),
]
SUBMIT: list[Instant] = [
    ("bulkreact.web.decisions.write_approval", 0, 1),
    ("bulkreact.web.decisions.write_approval", 1, 1),
    ("bulkreact.web.run_watch.clear_control", 0, 1),
    ("bulkreact.web.store.RecordStore.note_activity", 0, 1),
    ("bulkreact.web.store.RecordStore.note_activity", 1, 1),
]
END: list[Instant] = [
    ("bulkreact.web.run_queue.RunQueue._keep_approval", 0, 1),
    ("bulkreact.web.run_queue.RunQueue._keep_approval", 1, 1),
]
# What the second server does when it finds the run of the first one, at work or over.
ADOPTION: list[Instant] = [
    ("bulkreact.web.store.RecordStore.jobs_in", 1, 1),
    ("bulkreact.web.run_watch.look_at", 0, 1),
    ("bulkreact.web.run_watch.look_at", 1, 1),
    ("bulkreact.web.run_watch.read_report", 1, 1),
    *END,
    ("bulkreact.web.store.RecordStore.change", 0, 1),
    ("bulkreact.web.store.RecordStore.change", 1, 1),
]


class Office:
    """A person whose browser stays open over the servers that come and go at one address."""

    def __init__(self, program: Program, partner: Partner, client: ClientSession) -> None:
        with closing(free_socket()) as probe:
            self._port = probe.getsockname()[1]
        self._program = program
        self._partner = partner
        self.page = Page(client, f"http://127.0.0.1:{self._port}", "")

    async def work(self, *, instant: Instant | None = None, step: int | None = None, rows: int = ROWS) -> None:
        """Let a server bring the file to its end; one that is to be killed may be killed before."""
        with self.server(instant=instant, step=step) as (link, process):
            try:
                if link:
                    await self._finish(link, rows)
                    return
            except (ClientError, ConnectionError, ValueError):
                if instant is None and step is None:
                    raise
            assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL, self._log()

    def server(
        self, *arguments: str, instant: Instant | None = None, step: int | None = None
    ) -> "AbstractContextManager[tuple[str, subprocess.Popen[str]]]":
        """Return a context with a server at the address of all of them."""
        return restarted(self._program, self._partner, self._port, *arguments, instant=instant, step=step)

    async def submit_slowly(
        self, rows: int, *, number: int = signal.SIGKILL, stop: bool = False
    ) -> "subprocess.Popen[str]":
        """Let a server begin a run that takes seconds, perhaps ask it to stop, and end the server by a signal."""
        with self.server("--rate=5/s") as (link, process):
            await self.sign_in(link)
            await self.page.ready(table(rows))
            await self.page.act(1, "submit")
            await self.page.wait_for(1, "running")
            if stop:
                await self.page.act(1, "stop")
            process.send_signal(number)
            await asyncio.to_thread(process.wait, 60)
        return process

    def run_pid(self) -> int:
        """Return the process of the run, as it says itself."""
        report = self._program.folder / "reports/serve/jobs/1/control/progress.json"
        return int(json.loads(report.read_text())["pid"])

    def is_run_at_work(self) -> bool:
        """Return whether a process works on the run."""
        [folder] = run_folders(self._program)
        return is_locked(folder)

    async def sign_in(self, link: str) -> None:
        """Use the link, unless somebody is signed in: once is enough for all servers."""
        session = await self.page.json("/api/session")
        if session["signed_in"]:
            assert self.page.token in {"", session["csrf"]}, "the forms of open pages are refused"
            self.page.token = str(session["csrf"])
        else:
            assert not self.page.token, "the server has forgotten who is signed in"
            self.page.link = link.partition("?token=")[2]
            await self.page.sign_in()

    async def _finish(self, link: str, rows: int) -> None:
        await self.sign_in(link)
        if not (await self.page.json("/api/jobs"))["jobs"]:
            await self.page.upload(table(rows))
        job = await self.page.wait_for(1, "ready", "queued", "running", "finished")
        if job["state"] == "ready":
            # The press was never recorded: nothing was begun.
            assert run_folders(self._program) == []
            await self.page.act(1, "submit")
        await self.page.wait_for(1, "finished")

    async def find_wrong(self, rows: int = ROWS) -> list[str]:
        """Bring everything to its end without a kill; return what is lost, doubled or left over then."""
        with self.server() as (link, _):
            await self._finish(link, rows)
            jobs = (await self.page.json("/api/jobs"))["jobs"]
            run = (await self.page.job(1))["run"]
        sent = Counter(call["path"] for call in self._partner.requests())
        reports = self._program.folder / "reports"
        parts = [path.name for path in reports.rglob("*") if path.suffix in {".partial", ".draft"}]
        parts += [path.name for path in (reports / "serve/incoming").iterdir()]
        facts = {
            f"{len(jobs)} jobs": len(jobs) == 1,
            f"the end is {run}": (run["exit_code"], run["counts"]) == (0, {"accepted": rows}),
            f"sent {sorted(sent.values())}": sorted(sent.values()) == [1] * rows,
            f"runs {run_folders(self._program)}": len(run_folders(self._program)) == 1,
            f"left {parts}": not parts,
        }
        return [name for name, is_so in facts.items() if not is_so]

    def _log(self) -> str:
        return (self._program.folder / "server.log").read_text()


@pytest.fixture
async def office(program: Program, partner: Partner) -> AsyncIterator[Office]:
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
        yield Office(program, partner, client)


@pytest.mark.parametrize("instant", [*UPLOAD, *SUBMIT, *END], ids=str)
async def test_a_server_killed_from_the_upload_to_the_end_loses_and_doubles_nothing(
    office: Office, instant: Instant
) -> None:
    await office.work(instant=instant)
    assert await office.find_wrong() == []


@pytest.mark.parametrize("instant", ADOPTION, ids=str)
async def test_a_server_killed_while_it_finds_a_run_again_loses_and_doubles_nothing(
    office: Office, instant: Instant
) -> None:
    await office.submit_slowly(20)
    await office.work(instant=instant, rows=20)
    assert await office.find_wrong(20) == []


async def test_servers_killed_at_random_steps_lose_and_double_nothing(
    tmp_path: Path, start_partner: Callable[[Behaviour], Partner], chaos: Chaos
) -> None:
    chance, wrong = Random(chaos.seed), {}
    for number in range(chaos.kills):
        (tmp_path / str(number)).mkdir()
        steps = [chance.randint(1, STEPS), chance.randint(1, STEPS)]
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
            office = Office(Program(tmp_path / str(number)), start_partner(Behaviour()), client)
            for step in steps:
                await office.work(step=step)
            if found := await office.find_wrong():
                wrong[str(steps)] = found
    assert wrong == {}


@pytest.mark.parametrize("after", [0, 1])
async def test_a_form_that_is_sent_again_after_a_kill_acts_once(office: Office, after: int) -> None:
    form_id, acted = str(uuid4()), ("bulkreact.web.store.RecordStore.create_job", after, 1)
    with office.server(instant=acted) as (link, process):
        await office.sign_in(link)
        with suppress(ClientError, ConnectionError):
            await office.page.upload(table(ROWS), form_id=form_id)
        assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL
    with office.server() as (link, _):
        await office.sign_in(link)
        response = await office.page.upload(table(ROWS), form_id=form_id)
        content = await response.json()
        jobs = (await office.page.json("/api/jobs"))["jobs"]
    assert (response.status, content["location"], len(jobs)) == (201, "/jobs/1", 1)


async def test_a_run_outlives_a_server_that_is_ended_and_is_continued_when_it_was_killed_itself(office: Office) -> None:
    process = await office.submit_slowly(30, number=signal.SIGTERM)
    assert (process.returncode, office.is_run_at_work()) == (0, True)
    os.kill(office.run_pid(), signal.SIGKILL)
    assert await office.find_wrong(30) == []


async def test_what_a_person_has_stopped_is_not_continued_though_the_run_was_killed(
    office: Office, partner: Partner
) -> None:
    await office.submit_slowly(30, stop=True)
    with suppress(ProcessLookupError):
        os.kill(office.run_pid(), signal.SIGKILL)
    with office.server() as (link, _):
        await office.sign_in(link)
        job = await office.page.wait_for(1, "stopped", "finished")
    calls = len(partner.requests())
    with office.server() as (link, _):
        again = await office.page.job(1)
        events = [event["event"] for event in (await office.page.json("/api/jobs/1/audit"))["events"]]
    assert (job["state"], job["cause"], again["state"], events[-2:]) == (
        "stopped",
        "person",
        "stopped",
        ["stopped", "ended"],
    )
    assert len(partner.requests()) == calls
