"""A discovery is killed at each of its steps: the same command again writes the same file, and reads little twice."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.background_loop import serving
from tests.support.discovery_server import DiscoveryServer, entitlement, plan, serve_portfolio, subscription
from tests.support.fork_server import ForkedCommand, ForkedResult, ForkServer
from tests.support.ids import guid, write_csv
from tests.support.program import Program

pytestmark = [pytest.mark.soak, pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")]

OPTIONS = ("--rate", "off", "--concurrency", "1", "--out", "found.csv")
LISTED = ("discover", *OPTIONS)
CHOSEN = ("discover", "--customers", "in.csv", *OPTIONS)
COMPLETED = ("discover", "--complete", "in.csv", *OPTIONS)
# A page, and one that was read again after the kill.
MOST_READS = 2
# Two customers are read, the third is not.
HALF_DONE = "send list-entitlements"


@pytest.fixture(scope="module")
def fork_server() -> Iterator[ForkServer]:
    with ForkServer() as server:
        yield server


@pytest.fixture
def server(loop: asyncio.AbstractEventLoop) -> Iterator[DiscoveryServer]:
    with serving(loop, serve_portfolio(DiscoveryServer(page=2, token_alone=True))) as server:
        for number in range(1, 4):
            server.add(number, plan(10 * number), subscription(10 * number + 1))
            server.entitlements[10 * number] = [entitlement(100 * number), entitlement(100 * number + 1, "active")]
        yield server


def run(
    fork_server: ForkServer,
    folder: Path,
    server: DiscoveryServer,
    arguments: tuple[str, ...],
    step: str = "",
    nth: int = 0,
) -> ForkedResult:
    """Run a command to its end, or to the nth step whose name begins so."""
    environment = {**os.environ, **Program(folder).variables}
    command = [*arguments, "--base-url", server.base_url]
    return fork_server.run(ForkedCommand(command, str(folder), environment, step, nth))


def prepare(folder: Path) -> Path:
    """Make a folder with the input of those commands that have one."""
    folder.mkdir()
    write_csv(folder / "in.csv", [(guid(number), guid(10 * number), "") for number in range(1, 4)])
    return folder


def left_behind(folder: Path) -> list[str]:
    """Return what should not be there when a discovery is complete: of locks only that of the folder stays."""
    names = {path.name for path in folder.rglob("*") if path.name.startswith(("discover-", "."))}
    return sorted(names - {".discover.lock"})


@pytest.mark.parametrize(
    ("command", "again"),
    [(LISTED, ()), (CHOSEN, ("--new",)), (COMPLETED, ())],
    ids=["listed", "chosen, and begun anew", "completed"],
)
def test_killed_at_any_step(
    tmp_path: Path, server: DiscoveryServer, fork_server: ForkServer, command: tuple[str, ...], again: tuple[str, ...]
) -> None:
    calm = prepare(tmp_path / "calm")
    ended = run(fork_server, calm, server, command)
    assert ended.code == 0, ended.err
    expected = (calm / "found.csv").read_bytes()
    problems = {}
    for nth in range(1, len(ended.steps) + 1):
        folder = prepare(tmp_path / str(nth))
        server.calls.clear()
        killed = run(fork_server, folder, server, command, nth=nth)
        reads = Counter((call.path, call.token) for call in server.calls)
        finished = run(fork_server, folder, server, (*command, *again))
        reads.update((call.path, call.token) for call in server.calls[reads.total() :])
        found = []
        if finished.code:
            found.append(f"code {finished.code}: {finished.err}")
        elif (folder / "found.csv").read_bytes() != expected:
            found.append((folder / "found.csv").read_text())
        if left_behind(folder):
            found.append(f"left behind: {left_behind(folder)}")
        if max(reads.values()) > MOST_READS:
            found.append(f"read too often: {reads.most_common(3)}")
        if found:
            problems[f"{nth}: {killed.steps[-1]}"] = found
    assert problems == {}
    assert any(name.startswith("commit") for name in ended.steps)


def test_a_new_beginning_is_killed_at_any_step(
    tmp_path: Path, server: DiscoveryServer, fork_server: ForkServer
) -> None:
    command = LISTED
    calm = prepare(tmp_path / "calm")
    half_done = run(fork_server, calm, server, command, HALF_DONE, 3)
    assert half_done.code == -signal.SIGKILL
    ended = run(fork_server, calm, server, (*command, "--new"))
    assert ended.code == 0, ended.err
    expected = (calm / "found.csv").read_bytes()
    problems = {}
    for nth in range(1, len(ended.steps) + 1):
        folder = prepare(tmp_path / str(nth))
        run(fork_server, folder, server, command, HALF_DONE, 3)
        killed = run(fork_server, folder, server, (*command, "--new"), nth=nth)
        finished = run(fork_server, folder, server, command)
        if finished.code or (folder / "found.csv").read_bytes() != expected or left_behind(folder):
            problems[f"{nth}: {killed.steps[-1]}"] = finished.err, left_behind(folder)
    assert problems == {}
