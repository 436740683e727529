"""Fixtures: the simulator on a real port, the program as a real process, made-up ids."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.request import urlopen

import aiohttp
import aioresponses.core
import pytest
from hypothesis import HealthCheck, settings

from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter
from bulkreact.simulator.server import serve
from tests.support.token_authority import CLIENT, TENANT, Authority, start_authority

# How long a step takes says more about the machine than about the program.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

CANARY = "canary-0f1e2d3c4b5a69788796a5b4c3d2e1f0"
PROJECT = Path(__file__).parent.parent


class _Response(aiohttp.ClientResponse):
    """A response that aioresponses can still construct: aiohttp 3.14 asks for a stream writer as well."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs.setdefault("stream_writer", None)
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]


setattr(aioresponses.core, "ClientResponse", _Response)  # noqa: B010 - the module does not export the name


@dataclass
class Partner:
    """A simulated partner API on a loopback port."""

    base_url: str
    world: PartnerCenter

    def requests(self, tail: int | str = "") -> list[dict[str, str]]:
        """Return the reactivations of entitlements whose id ends so, in the order in which they came."""
        calls = [{key: str(value) for key, value in call.items()} for call in self.world.call_log.calls]
        return [call for call in calls if call["path"].endswith(f"{tail}/reactivate")]


@dataclass
class Process:
    """A finished process of the program."""

    code: int
    out: str
    err: str
    reports: Path

    @property
    def run(self) -> Path:
        """Return the only run's folder."""
        # A process that was killed while it prepared a run leaves a hidden draft.
        (folder,) = (path.parent for path in self.reports.glob("[!.]*/journal.sqlite3"))
        return folder

    @property
    def summary(self) -> dict[str, object]:
        """Return the only run's summary."""
        content: dict[str, object] = json.loads((self.run / "summary.json").read_text())
        return content


@dataclass
class Program:
    """Starts the program in a folder of its own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: str | Path, stdin: int | IO[str] = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Start the program and return its process."""
        return subprocess.Popen(
            [sys.executable, "-m", "bulkreact", *map(str, arguments)],
            cwd=self.folder,
            env={
                **os.environ,
                "BULKREACT_ACCESS_TOKEN": CANARY,
                "BULKREACT_STATE_DIR": str(self.folder / "state"),
                **self.environment,
            },
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str | Path) -> Process:
        """Run the program to its end."""
        process = self.start(*arguments)
        return self.ended(process)

    def ended(self, process: subprocess.Popen[str]) -> Process:
        """Wait for a process and return what it left behind."""
        out, err = process.communicate(timeout=120)
        return Process(process.returncode, out, err, self.folder / "reports")


@dataclass(frozen=True)
class Chaos:
    """How much chaos there is to be."""

    rows: int
    kills: int
    seed: int


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the chaos and the longest file be made longer; a seed makes the same faults, not the same moments."""
    parser.addoption("--chaos-rows", type=int, default=100, help="rows of a run that is killed again and again")
    parser.addoption("--chaos-kills", type=int, default=8, help="how often it is killed")
    parser.addoption("--chaos-seed", type=int, default=1, help="chooses faults, fates and moments")
    parser.addoption("--million", action="store_true", help="read a file of a million rows, not of a tenth of that")


@pytest.fixture
def chaos(request: pytest.FixtureRequest) -> Chaos:
    return Chaos(*(request.config.getoption(f"--chaos-{name}") for name in ("rows", "kills", "seed")))


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run a loop in a thread of its own, for servers; whatever they still do ends with the test."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    asyncio.run_coroutine_threadsafe(_end_tasks(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def start_partner(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[[Behaviour], Partner]]:
    """Start simulators; all of them end with the test."""
    running = []

    def start(rules: Behaviour) -> Partner:
        context = serve(rules)
        running.append(context)
        return Partner(*asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(10))

    yield start
    for context in running:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(10)


async def _end_tasks() -> None:
    """End what still answers slowly for clients that have gone."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def authority(loop: asyncio.AbstractEventLoop, program: Program) -> Iterator[Authority]:
    """Serve token service and partner API over TLS, and let the program know them, the tenant and the app."""
    with start_authority(loop, program.folder, Behaviour(activation_delay=0)) as running:
        program.environment |= {
            "REQUESTS_CA_BUNDLE": str(running.ca_file),
            "SSL_CERT_FILE": str(running.ca_file),
            "BULKREACT_ACCESS_TOKEN": "",
            "BULKREACT_AUTHORITY": running.authority_url,
            "BULKREACT_BASE_URL": running.base_url,
            "BULKREACT_TENANT_ID": TENANT,
            "BULKREACT_CLIENT_ID": CLIENT,
        }
        yield running


@pytest.fixture
def partner(start_partner: Callable[[Behaviour], Partner]) -> Partner:
    return start_partner(Behaviour())


def ledger(base_url: str) -> dict[str, list[dict[str, str]]]:
    """Return what a simulator in another process has seen."""
    with urlopen(f"{base_url}/simulator/ledger", timeout=10) as answer:  # noqa: S310 - a loopback address
        content: dict[str, list[dict[str, str]]] = json.load(answer)
    return content
