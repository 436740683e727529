"""People who watch runs on the page: how soon they are answered, what that costs, and what the run notices of it."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import quantiles

from tests.support.web_page import Page

from .inputs import write_input
from .servers import Limit, fast_server, limiting_server
from .table import Row, Threshold
from .web_server import Served, serving
from .workspace import Workspace

_WATCHERS, _POLLERS = 50, 200
_SECONDS = 30.0
_RATE = 100
_RUN_ROWS = 30_000
_MILLISECONDS = 1000


def measure(workspace: Workspace) -> Iterator[Row]:
    """Yield the figures of fifty and two hundred, of how old the numbers are, and of the run's own speed."""
    for watchers, most in ((_WATCHERS, 25), (_POLLERS, 100)):
        polls, share = asyncio.run(_watch(workspace, watchers))
        name = f"{watchers} watching one run"
        yield Row(f"{name}: p95 of a poll", "-", (p95(polls),), Threshold(most=most), unit="ms")
        yield Row(
            f"{name}: a core", "-", (share,), Threshold(most=5) if watchers == _WATCHERS else Threshold(), unit="%"
        )
    ages = asyncio.run(_ages(workspace))
    yield Row(
        "answer of a call → told to who watches: p95", "-", (p95(ages) / _MILLISECONDS,), Threshold(most=2), unit="s"
    )
    turns = [(_speed(workspace, 0), _speed(workspace, _WATCHERS)) for _ in range(workspace.repetitions)]
    ratios = tuple(watched / alone for alone, watched in turns)
    detail = {
        "rows_per_second": [watched for _, watched in turns],
        "other_rows_per_second": [alone for alone, _ in turns],
    }
    yield Row(f"speed of a run with {_WATCHERS} watching", "unwatched", ratios, Threshold(least=0.95), detail=detail)


def p95(seconds: list[float]) -> float:
    """Return the 95th percentile in milliseconds."""
    return quantiles(seconds, n=20)[-1] * _MILLISECONDS


@dataclass
class Watchers:
    """People at the page of a run: each asks every second, as the script does."""

    page: Page
    number: int
    polls: list[float] = field(default_factory=list)
    settled: list[tuple[float, int]] = field(default_factory=list)

    async def watch(self, offset: float) -> None:
        """Ask until this is cancelled."""
        await asyncio.sleep(offset)
        headers = {"Accept": "application/json"}
        while True:
            began = time.perf_counter()
            response = await self.page.get(f"/api/jobs/{self.number}/live", **headers)
            content = await response.json() if response.status == 200 else None
            self.polls.append(time.perf_counter() - began)
            headers["If-None-Match"] = response.headers["ETag"]
            if content:
                self.settled.append((time.time(), content["settled"]))
            await asyncio.sleep(1.0)


@asynccontextmanager
async def _watched(page: Page, number: int, count: int) -> AsyncIterator[Watchers]:
    """Let so many people watch within the block."""
    watchers = Watchers(page, number)
    tasks = [asyncio.create_task(watchers.watch(index / count)) for index in range(count)]
    try:
        yield watchers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _running(
    workspace: Workspace, base_url: str, rows: int, *options: str
) -> AsyncIterator[tuple[Served, Page, int]]:
    """Yield a server, its page and a job whose run is at work."""
    content = write_input(workspace, rows).read_bytes()
    shutil.rmtree(workspace.folder / "served", ignore_errors=True)
    with serving(workspace, "--base-url", base_url, *options) as served:
        async with served.browser() as page:
            number = await page.ready(content)
            await page.act(number, "submit")
            await page.wait_for(number, "running", "finished")
            yield served, page, number
            async with asyncio.timeout(120):
                if (await page.job(number))["state"] == "running":
                    await page.act(number, "stop-now")
                await page.wait_for(number, "finished", "stopped")


async def _watch(workspace: Workspace, count: int) -> tuple[list[float], float]:
    """Return how long each poll took, and the share of a core that the server had meanwhile."""
    seconds = workspace.seconds(_SECONDS, least=2)
    with fast_server(workspace) as base_url:
        rows = round(_RATE * (seconds + 20))
        async with _running(workspace, base_url, rows, "--rate", f"{_RATE}/s") as (served, page, number):
            async with _watched(page, number, count) as watchers:
                # The first second has the connections being made.
                await asyncio.sleep(1.5)
                watchers.polls.clear()
                began, cpu = time.perf_counter(), served.cpu()
                await asyncio.sleep(seconds)
                share = (served.cpu() - cpu) / (time.perf_counter() - began)
            return watchers.polls, 100 * share


async def _ages(workspace: Workspace) -> list[float]:
    """Return how long after its answer each row was among the settled ones of somebody who watches."""
    # Long enough for a slow machine to see the run before its end.
    seconds = workspace.seconds(_SECONDS, least=6)
    with limiting_server(workspace, Limit()) as partner:
        rows = round(10 * seconds)
        async with _running(workspace, partner.base_url, rows, "--rate", "10/s") as (_, page, number):
            async with _watched(page, number, 1) as watchers:
                await page.wait_for(number, "finished")
                await asyncio.sleep(1.5)
            arrivals = partner.arrivals()
    polls = watchers.settled
    seen = polls[0][1]
    return [
        min(at for at, settled in polls if settled >= count) - arrival.at
        for count, arrival in enumerate(arrivals, 1)
        if seen < count <= polls[-1][1]
    ]


def _speed(workspace: Workspace, watchers: int) -> float:
    """Return the rows a second of a run that is as fast as it can be."""
    return asyncio.run(_timed_run(workspace, watchers))


async def _timed_run(workspace: Workspace, count: int) -> float:
    rows = workspace.rows(_RUN_ROWS)
    with fast_server(workspace) as base_url:
        async with _running(workspace, base_url, rows) as (_, page, number), _watched(page, number, count):
            await page.wait_for(number, "finished")
            summary = await page.json(f"/jobs/{number}/files/summary.json")
    return float(summary["pace"]["achieved_per_minute"]) / 60
