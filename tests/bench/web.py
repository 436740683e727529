"""The page: from a file to its totals, memory, uploads, the first view, rows of a long run, and starting anew."""

import asyncio
import re
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from itertools import product
from pathlib import Path
from statistics import median

from tests.support import bombs
from tests.support.web_page import Page

from . import watching
from .inputs import CUSTOMERS, customer, write_input, write_workbook
from .servers import Limit, limiting_server
from .table import REPORTED, Row, Threshold
from .web_server import Served, serving
from .workspace import Workspace

_RUN = "20260301T120000Z-bench-0000"
# Rows, kind of file, and the most seconds until the totals are known.
_FILES = (
    (1000, "csv", 2.5),
    (1000, "xlsx", 2.5),
    (100_000, "csv", 5.0),
    (100_000, "xlsx", 12.0),
    (1_000_000, "csv", 45.0),
)
_ROWS = 1_000_000
_UPLOAD = 144_000_000
_MIB, _MB = 1 << 20, 1_000_000
_PAGES = ("/", "/jobs", "/jobs/1", "/jobs/1/rows", "/help", "/settings")
_LINKED = re.compile(r'(?:src|href)="([^"]*/static/[^"]+)"')
_IMPORTED = re.compile(r'from "\./([^"]+)"')


def measure(workspace: Workspace) -> Iterator[Row]:
    """Yield all figures of the page."""
    yield from _measure_starts(workspace)
    with serving(workspace, "--simulate") as served:
        yield from asyncio.run(_in_browser(workspace, served))
    yield from watching.measure(workspace)


def _measure_starts(workspace: Workspace) -> Iterator[Row]:
    seconds = []
    for _ in range(workspace.repetitions):
        with serving(workspace, "--simulate") as served:
            seconds.append(served.seconds_to_url)
    yield Row("start of serve → its URL", "-", tuple(seconds), Threshold(most=1.5), unit="s")
    found = asyncio.run(_find_again(workspace))
    yield Row("kill -9 → started → its run is found", "-", (found,), Threshold(most=3.5), unit="s")


async def _find_again(workspace: Workspace) -> float:
    """Return the seconds from the start of a second server until it follows the run of the first, which was killed."""
    with limiting_server(workspace, Limit()) as partner:
        options = ("--base-url", partner.base_url, "--rate", "5/s")
        first = Served(workspace, *options)
        async with first.browser() as page:
            number = await page.ready(write_input(workspace, 100).read_bytes())
            await page.act(number, "submit")
            await page.wait_for(number, "running")
        first.process.kill()
        first.process.communicate()
        began = time.perf_counter()
        with serving(workspace, *options) as served:
            async with served.browser() as page:
                settled = (await page.json(f"/api/jobs/{number}/live"))["settled"]
                while (await page.json(f"/api/jobs/{number}/live"))["settled"] <= settled:  # noqa: ASYNC110 - it is what is measured
                    await asyncio.sleep(0.02)
                seconds = time.perf_counter() - began
                await page.act(number, "stop-now")
                await page.wait_for(number, "stopped", "finished")
    shutil.rmtree(served.reports)
    return seconds


async def _in_browser(workspace: Workspace, served: Served) -> list[Row]:
    """Return what one server and one browser can measure one after the other."""
    async with served.browser() as page:
        rows = [Row("memory: server idle", "-", (served.memory() / _MIB,), Threshold(most=80), unit="MiB")]
        rows += await _measure_upload(workspace, served, page)
        for count, kind, most in _FILES:
            rows += await _measure_check(workspace, served, page, (count, kind), most)
        rows.append(await _measure_bombs(page))
        rows += [row async for row in _measure_views(page)]
        rows += await _measure_row_pages(workspace, served, page)
    return rows


async def _measure_upload(workspace: Workspace, served: Served, page: Page) -> list[Row]:
    """Return what a large file costs while it comes in; what is in it is no table."""
    size = workspace.rows(_UPLOAD)
    await page.ready(b"no table\n")
    content, before = b"x" * size, served.memory("VmHWM")
    began = time.perf_counter()
    response = await page.upload(content, "large.csv")
    seconds = time.perf_counter() - began
    more = (served.memory("VmHWM") - before) / _MIB
    number = int((await response.json())["location"].rpartition("/")[2])
    await page.wait_for(number, "unusable", "ready")
    return [
        Row(f"memory: {size // _MB} MB come in", "idle", (more,), Threshold(most=10), unit="MiB"),
        Row("upload, loopback", "-", (size / _MB / seconds,), Threshold(least=100), unit="MB/s"),
    ]


async def _measure_check(
    workspace: Workspace, served: Served, page: Page, file: tuple[int, str], most: float
) -> list[Row]:
    """Return how long a file takes to its totals, alone and against ``bulkreact plan``; both take turns."""
    rows, kind = workspace.rows(file[0]), file[1]
    source = _write(workspace, rows, kind)
    spent, plans, memory = [], [], 0
    for _ in range(workspace.repetitions if rows < _ROWS else 1):
        began = time.perf_counter()
        response = await page.upload(source.read_bytes(), f"orders.{kind}")
        number = int((await response.json())["location"].rpartition("/")[2])
        while (await page.job(number))["state"] == "checking":
            memory = max(memory, served.child_memory())
            await asyncio.sleep(0.1)
        spent.append(time.perf_counter() - began)
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "bulkreact",
            "plan",
            source,
            "--max-rows",
            "10000000",
            "--base-url",
            "http://127.0.0.1:1",
        ]
        plans.append((await asyncio.to_thread(workspace.time_command, command)).seconds)
    name, detail = f"{rows:,} rows {kind}: dropped → totals", {"seconds": spent, "other_seconds": plans}
    against = tuple(check / plan for check, plan in zip(spent, plans, strict=True))
    found = [
        Row(name, "-", tuple(spent), Threshold(most=most), unit="s"),
        Row(name, "bulkreact plan", against, REPORTED, detail=detail),
    ]
    if file[0] == _ROWS:
        found.append(Row("memory: check of a million", "-", (memory / _MIB,), Threshold(most=256), unit="MiB"))
    return found


def _write(workspace: Workspace, rows: int, kind: str) -> Path:
    if kind == "csv":
        return write_input(workspace, rows)
    path = workspace.folder / f"input-{rows}.xlsx"
    if not path.exists():
        write_workbook(path, rows)
    return path


async def _measure_bombs(page: Page) -> Row:
    """Return how soon the server answers while files are checked that unpack to gigabytes."""
    spent = list[float]()
    for content in (bombs.endless_line(3), bombs.many_rows(3), bombs.laughing_workbook(), bombs.many_entries(10**6)):
        response = await page.upload(content, "bomb.xlsx" if content.startswith(b"PK") else "bomb.csv.gz")
        number = int((await response.json())["location"].rpartition("/")[2])
        is_over = False
        while not is_over:
            began = time.perf_counter()
            await page.text("/healthz")
            is_over = (await page.json(f"/api/jobs/{number}/live"))["state"] != "checking"
            spent.append(time.perf_counter() - began)
    return Row("health and a live page beside a bomb: p95", "-", (watching.p95(spent),), Threshold(most=200), unit="ms")


async def _measure_views(page: Page) -> AsyncIterator[Row]:
    """Yield what the first view of the largest of the pages brings, with nothing in the browser's store."""
    views = {}
    for path in _PAGES:
        text = await page.text(path)
        wanted, files = set(_LINKED.findall(text)), dict[str, str]()
        while wanted:
            address = wanted.pop()
            files[address] = await page.text(address)
            modules = {f"{address.rpartition('/')[0]}/{name}" for name in _IMPORTED.findall(files[address])}
            wanted |= modules - files.keys()
        sizes = [len(content.encode()) for content in (text, *files.values())]
        scripts = sum(len(content.encode()) for address, content in files.items() if address.endswith(".js"))
        views[path] = (sum(sizes) / 1000, len(sizes), scripts / 1000)
    for index, (name, most, unit) in enumerate(
        (("bytes", 100.0, "kB"), ("requests", 5.0, ""), ("own script", 12.0, "kB"))
    ):
        worst = max(views, key=lambda path: views[path][index])
        yield Row(f"first view: {name}", worst, (views[worst][index],), Threshold(most=most), unit=unit)


async def _measure_row_pages(workspace: Workspace, served: Served, page: Page) -> list[Row]:
    """Return how soon pages of a long run are there: near its begin and its end, with every filter."""
    rows = workspace.rows(_ROWS)
    await asyncio.to_thread(
        workspace.program, "journals", "settled", write_input(workspace, rows), served.reports / _RUN
    )
    filters: tuple[str, ...] = ("", "show=attention", "show=well", "status=failed", "status=unknown", "code=20002")
    filters += (
        f"customer={customer(7)}",
        f"customer={customer(CUSTOMERS)}",
        f"q=S%C3%B6hne+{rows - 7:09d}",
        "q=nobody",
    )
    spent: dict[str, list[float]] = {query: [] for query in filters}
    for _, query, after in product(range(workspace.repetitions), filters, (0, rows // 2, rows - 60)):
        began = time.perf_counter()
        await page.json(f"/runs/{_RUN}/rows?{query}&after={max(0, after)}")
        spent[query].append(time.perf_counter() - began)
        # Twenty a second are let through.
        await asyncio.sleep(0.05)
    every = [seconds for query in filters for seconds in spent[query]]
    name = f"a page of {rows:,} rows"
    slowest = max(filters, key=lambda query: median(spent[query]))
    return [
        Row(f"{name}: p95", "-", (watching.p95(every),), Threshold(most=300), unit="ms"),
        Row(
            f"{name}: slowest filter", slowest or "none", tuple(1000 * seconds for seconds in spent[slowest]), unit="ms"
        ),
    ]
