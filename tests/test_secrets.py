"""The token is nowhere in what the program says or leaves behind, however a row ends and whatever comes back."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest
from aiohttp import web
from conftest import CANARY, Program
from driving import FAST, newest, told
from ids import fated, row, write_csv

from bulkreact.models import Status
from bulkreact.simulator.server import application
from bulkreact.simulator.world import Rules, World

# One way to end after the other: accepted, already active, reactivated, unknown, failed, deferred, pending …
ROWS_END = [202, 1202, 3202, 208, 2599, 4599, 900337, 800111, 900278, 900335, 20002, 1503, 1504, 1599, 1597, 2597, 6429]
RUNS_END = [900421, 1401, 900329]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def repeat_the_token(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Put the token that was sent into every answer: its body, its headers and its reason phrase."""
    answer = await handler(request)
    token = request.headers.get("Authorization", "").partition(" ")[2]
    if isinstance(answer, web.Response) and isinstance(answer.body, bytes):
        for word in (b'"description":"', b'"status":"w', b"<title>"):
            answer.body = answer.body.replace(word, word + token.encode() + b" ")
        answer.headers["X-Echo"] = answer.headers["MS-CV"] = token
        answer.set_status(answer.status, f"Bearer {token}")
    return answer


@pytest.fixture
def base_url(loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    """Serve a simulator that repeats the token."""
    app = application(World(Rules(activation_delay=0), monotonic))
    app.middlewares.append(repeat_the_token)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def start() -> str:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return site.name if not runner.addresses else f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)


def files(folder: Path) -> list[Path]:
    """Return every file below a folder."""
    return [path for path in folder.glob("**/*") if path.is_file()]


CASES = [(ROWS_END, ()), (ROWS_END, ("-q",)), (ROWS_END, ("-v",)), *(([tail], ("-v",)) for tail in RUNS_END)]


@pytest.mark.parametrize(("tails", "verbosity"), CASES)
def test_the_token_is_nowhere_in_what_the_program_leaves_behind(
    program: Program, base_url: str, tails: list[int], verbosity: tuple[str, ...]
) -> None:
    rows = [row(fated(tail, number), number) for number, tail in enumerate(tails)]
    write_csv(program.folder / "input.csv", [*rows, rows[0], ("x", CANARY[:5], "")])
    options = ("--attempts", "1", "--halt-on-failures", "off", *verbosity)
    watching = ("--verify", "--verify-after", "0", "--verify-timeout", "0")
    first = program("run", "input.csv", "--base-url", base_url, *FAST, *options, *watching)
    run = first.run
    others = [
        program("results", run.name),
        program("verify", run.name, *FAST, *verbosity),
        program("retry", run.name, *FAST, *options, "--all-failed"),
        program("resume", *FAST, *options),
        program("status", run.name),
        program("status", run.name, "--json"),
    ]
    assert first.code in {1, 3}
    assert not [process for process in (first, *others) if CANARY in process.out + process.err]
    assert not [process for process in (first, *others) if "Traceback" in process.err]
    left = files(program.folder)
    names = {"results.csv", "failed.csv", "summary.json", "latest.json", "journal.sqlite3"}
    assert names <= {path.name for path in left}
    assert not [path for path in left if CANARY.encode() in path.read_bytes()]
    assert told(newest(program))


def test_every_way_a_row_can_end_is_among_them(program: Program, base_url: str) -> None:
    rows = [row(fated(tail, number), number) for number, tail in enumerate(ROWS_END)]
    write_csv(program.folder / "input.csv", [*rows, rows[0], ("x", "", ""), row(fated(202, 99), 99)])
    limit = ("--limit", str(len(ROWS_END)), "--attempts", "1", "--halt-on-failures", "off")
    run = program("run", "input.csv", "--base-url", base_url, *FAST, *limit).run
    before = told(run)
    program("verify", run.name, *FAST)
    assert {*before, *told(run)} == set(Status)
