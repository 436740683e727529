"""The server, and the processes that look again or retry, are killed: nothing is lost, and nothing is sent twice."""

import asyncio
import json
import os
import signal
from collections import Counter

import pytest
from aiohttp import ClientError

from tests.support.instants import Instant
from tests.support.program import Partner, Program
from tests.support.web_page import HEADER, Json, Page, line, table
from tests.support.web_server import run_folders, server_process

pytestmark = [pytest.mark.soak, pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")]

# Three rows that another attempt may settle and never does, so that they can be sent again and again.
FAILING = (HEADER + line(1) + "".join(line(number, ending="1500") for number in (2, 3, 4))).encode()
ONCE = "--attempts=1"
RETRY: list[Instant] = [
    ("bulkreact.web.folders.JobFolders.copy_file", 1, 1),
    ("bulkreact.web.retries.write_approval", 1, 1),
    ("bulkreact.web.store.RecordStore.create_retry", 1, 1),
    ("bulkreact.web.processes.start", 0, 1),
    ("bulkreact.web.processes.start", 1, 1),
    ("bulkreact.web.store.RecordStore.change", 0, 1),
]
VERIFY: list[Instant] = [
    ("bulkreact.web.store.RecordStore.change", 1, 1),
    ("bulkreact.web.processes.start", 0, 1),
    ("bulkreact.web.processes.start", 1, 1),
    ("bulkreact.web.store.RecordStore.change", 0, 2),
]


async def press(program: Program, partner: Partner, number: int, action: str, instant: Instant) -> None:
    """Press a button of a server that is killed while it does what is asked."""
    async with server_process(program, partner, ONCE, instant=instant) as (page, process):
        try:
            await page.act(number, action)
            async with asyncio.timeout(60):
                while True:
                    await page.json("/api/jobs")
                    await asyncio.sleep(0.1)
        except (ClientError, ConnectionError, ValueError):
            assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL


async def retried(page: Page, number: int) -> Json:
    """Return the job that has taken the rows of another one, after the press that a kill may have prevented."""
    [*retries] = (await page.job(number))["retries"]
    if not retries:
        await page.act(number, "retry")
        retries = (await page.job(number))["retries"]
    return await page.wait_for(retries[0], "finished", "stopped")


async def test_a_retry_whose_server_is_killed_at_any_step_is_made_once(program: Program, partner: Partner) -> None:
    async with server_process(program, partner, ONCE) as (page, _):
        number = await page.finished(FAILING)
    for times, instant in enumerate(RETRY, 2):
        await press(program, partner, number, "retry", instant)
        async with server_process(program, partner, ONCE) as (page, _):
            job = await retried(page, number)
        assert (instant, job["state"], job["run"]["counts"]) == (instant, "finished", {"failed": 3})
        sent = Counter(call["path"] for call in partner.requests())
        assert (instant, sorted(sent.values())) == (instant, [1, times, times, times])
        number = job["number"]
    assert len(run_folders(program)) == len(RETRY) + 1


async def test_a_look_whose_server_is_killed_at_any_step_is_had_once_more(program: Program, partner: Partner) -> None:
    async with server_process(program, partner, ONCE) as (page, _):
        number = await page.finished(table(3))
    for instant in VERIFY:
        await press(program, partner, number, "verify", instant)
        async with server_process(program, partner, ONCE) as (page, _):
            job = await page.wait_for(number, "finished")
    assert (job["run"]["exit_code"], job["run"]["counts"]) == (0, {"reactivated": 3})
    assert sum(call["method"] != "GET" for call in partner.requests()) == 3


async def kill_process(program: Program, page: Page, number: int, activity: str) -> None:
    """Kill the process of a job as soon as it does something."""
    async with asyncio.timeout(60):
        while (await page.job(number))["activity"] != activity:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.05)
        report = program.folder / f"reports/serve/jobs/{number}/control/progress.json"
        while not report.exists():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.05)
    os.kill(int(json.loads(report.read_text())["pid"]), signal.SIGKILL)


async def test_processes_that_are_killed_lose_nothing(program: Program, partner: Partner) -> None:
    async with server_process(program, partner, ONCE) as (page, _):
        number = await page.finished(FAILING)
    async with server_process(program, partner, ONCE, "--rate=1/s") as (page, _):
        await page.act(number, "retry")
        await kill_process(program, page, 2, "sending")
        killed = await page.wait_for(2, "stopped")
        await page.act(2, "continue")
        job = await page.wait_for(2, "finished")
        await page.act(number, "verify")
        await kill_process(program, page, number, "verifying")
        looked = await page.wait_for(number, "finished")
    sent = Counter(call["path"] for call in partner.requests() if call["method"] != "GET")
    assert (killed["cause"], job["run"]["counts"]) == ("system", {"failed": 3})
    assert (looked["run"]["exit_code"], looked["run"]["counts"]["accepted"]) == (1, 1)
    assert min(sent.values()) == 1
