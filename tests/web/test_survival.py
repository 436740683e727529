"""Runs outlive the server: killed at any step, it loses no run and starts none twice."""

import asyncio
import json
import os
import signal
from collections import Counter

import pytest
from aiohttp import ClientError

from tests.support.instants import Instant
from tests.support.program import Partner, Program
from tests.support.web_page import HEADER, line, table
from tests.support.web_server import run_folders, server_process

ROWS = 4
# What is done for a job from its submission to its end, with the calls of a function before that.
STEPS: list[Instant] = [
    ("bulkreact.web.decisions.write_approval", 1, 1),
    ("bulkreact.web.store.RecordStore.change", 0, 1),
    ("bulkreact.web.store.RecordStore.change", 1, 1),
    ("bulkreact.web.store.RecordStore.keep_form", 1, 2),
    ("bulkreact.web.run_watch.clear_control", 1, 1),
    ("bulkreact.web.processes.start", 0, 2),
    ("bulkreact.web.processes.start", 1, 2),
    ("bulkreact.web.store.RecordStore.change", 0, 2),
    ("bulkreact.web.store.RecordStore.change", 1, 2),
]


async def submit(program: Program, partner: Partner, instant: Instant | None) -> None:
    """Let a server take a file and run it; it may be killed before it answers."""
    async with server_process(program, partner, instant=instant) as (page, process):
        number = await page.ready(table(ROWS))
        try:
            await page.act(number, "submit")
            await page.wait_for(number, "finished")
        except (ClientError, ConnectionError, ValueError):
            assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL


def sent(partner: Partner) -> list[int]:
    """Return how often each row was sent."""
    return list(Counter(call["path"] for call in partner.requests()).values())


@pytest.mark.parametrize("instant", STEPS, ids=str)
@pytest.mark.soak
async def test_a_server_killed_at_any_step_loses_no_run_and_starts_none_twice(
    program: Program, partner: Partner, instant: Instant
) -> None:
    await submit(program, partner, instant)
    async with server_process(program, partner) as (page, _):
        job = await page.job(1)
        if job["state"] == "ready":
            # The press was never recorded: nothing was begun.
            assert run_folders(program) == []
            await page.act(1, "submit")
        job = await page.wait_for(1, "finished")
    assert (job["run"]["exit_code"], sent(partner), len(run_folders(program))) == (0, [1] * ROWS, 1)


async def test_a_run_goes_on_when_its_server_is_killed_and_is_found_again(program: Program, partner: Partner) -> None:
    async with server_process(program, partner, "--rate=10/s") as (page, process):
        number = await page.ready(table(30))
        await page.act(number, "submit")
        await page.wait_for(number, "running")
        process.kill()
        process.wait()
    async with server_process(program, partner) as (page, _):
        job = await page.wait_for(number, "finished")
        events = [event["event"] for event in (await page.json(f"/api/jobs/{number}/audit"))["events"]]
    # It was neither begun nor continued once more.
    assert (events.count("started"), events.count("ended"), "continued" in events) == (1, 1, False)
    assert (job["run"]["counts"], sent(partner)) == ({"accepted": 30}, [1] * 30)


async def test_a_run_has_the_pace_that_the_server_was_told(program: Program, partner: Partner) -> None:
    async with server_process(program, partner, "--rate", "off") as (page, _):
        live = await page.json(f"/api/jobs/{await page.finished(table(2))}/live")
    assert (live["settled"], live["pace"]["ceiling"]) == (2, None)


@pytest.mark.soak
async def test_a_stopped_run_is_continued_by_a_press_alone(program: Program, partner: Partner) -> None:
    async with server_process(program, partner, "--rate=10/s") as (page, _):
        number = await page.ready(table(30))
        await page.act(number, "submit")
        await page.wait_for(number, "running")
        await page.act(number, "stop", comment="look first")
        stopped = await page.wait_for(number, "stopped")
    async with server_process(program, partner) as (page, _):
        again = await page.job(number)
        await page.act(number, "continue")
        job = await page.wait_for(number, "finished")
    assert (stopped["cause"], again["state"], again["may"]) == ("person", "stopped", ["continue"])
    assert (job["run"]["counts"], sent(partner)) == ({"accepted": 30}, [1] * 30)


async def test_what_a_restart_has_interrupted_is_continued_by_itself(program: Program, partner: Partner) -> None:
    async with server_process(program, partner, "--rate=10/s") as (page, _):
        number = await page.ready(table(30))
        await page.act(number, "submit")
        await page.wait_for(number, "running")
    [report] = (program.folder / "reports/serve").rglob("progress.json")
    os.kill(json.loads(report.read_text())["pid"], signal.SIGTERM)
    async with server_process(program, partner) as (page, _):
        job = await page.wait_for(number, "finished")
        events = [event["event"] for event in (await page.json(f"/api/jobs/{number}/audit"))["events"]]
    assert events[-4:] == ["ended", "continued", "started", "ended"]
    assert (job["run"]["counts"], sent(partner)) == ({"accepted": 30}, [1] * 30)


@pytest.mark.soak
async def test_a_job_waits_its_turn_and_can_be_withdrawn_until_then(program: Program, partner: Partner) -> None:
    async with server_process(program, partner, "--rate=10/s") as (page, _):
        first, second = await page.ready(table(30)), await page.ready(table(3), "second.csv")
        third = await page.ready(table(2), "third.csv")
        for number in (first, second, third):
            await page.act(number, "submit")
        await page.wait_for(first, "running")
        waiting = await page.job(third)
        withdrawn = await page.act(second, "withdraw")
        await page.wait_for(third, "finished")
        states = [(await page.job(number))["state"] for number in (first, second)]
    assert (waiting["state"], waiting["queue"], withdrawn.status) == ("queued", {"position": 2, "waits_for": None}, 200)
    assert (states, sum(sent(partner))) == (["finished", "withdrawn"], 32)


@pytest.mark.soak
async def test_a_job_says_whom_it_waits_for_and_can_be_withdrawn_meanwhile(program: Program, partner: Partner) -> None:
    (program.folder / "orders.csv").write_bytes(table(60))
    run = program.start("run", "orders.csv", "--base-url", partner.base_url, "--yes", "--rate", "4/s")
    async with server_process(program, partner) as (page, _):
        number = await page.ready((HEADER + line(99)).encode(), "second.csv")
        await page.act(number, "submit")
        async with asyncio.timeout(60):
            while (job := await page.job(number))["activity"] != "waiting-for-partner":  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.1)
        withdrawn = await page.act(number, "withdraw")
        after = await page.job(number)
    run.terminate()
    run.communicate()
    assert (job["state"], withdrawn.status, after["state"]) == ("queued", 200, "withdrawn")
    assert str(run.pid) in job["queue"]["waits_for"]
    assert len(run_folders(program)) == 1
