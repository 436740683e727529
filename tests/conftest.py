"""Fixtures: the simulator on a real port, the token service, the program in a folder of its own."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import aioresponses.core
import pytest
from hypothesis import HealthCheck, settings
from msgspec import Struct

from bulkreact.simulator.partnercenter.service import Behaviour
from bulkreact.simulator.server import serve
from tests.support.background_loop import background_loop, serving
from tests.support.program import Partner, Program
from tests.support.token_authority import CLIENT, TENANT, Authority, start_authority

# Without their bytecode every process that a test starts would compile the whole program again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Workers of pytest have the width of its terminal; tables would be as narrow.
os.environ.pop("COLUMNS", None)
# How long a step takes depends on the machine.
STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", STEADY, max_examples=100)
settings.register_profile("quick", STEADY, max_examples=20)
settings.load_profile("quick")


class _Response(aiohttp.ClientResponse):
    """A response that aioresponses can still construct: aiohttp 3.14 asks for a stream writer as well."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs.setdefault("stream_writer", None)
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]


setattr(aioresponses.core, "ClientResponse", _Response)  # noqa: B010 - the module does not export the name


class Chaos(Struct, frozen=True):
    """How much chaos there is to be."""

    rows: int
    kills: int
    seed: int


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the chaos be made longer; a seed makes the same faults, not the same moments."""
    parser.addoption("--chaos-rows", type=int, default=100, help="rows of a run that is killed again and again")
    parser.addoption("--chaos-kills", type=int, default=8, help="how often it is killed")
    parser.addoption("--chaos-seed", type=int, default=1, help="chooses faults, fates and moments")


@pytest.fixture
def chaos(request: pytest.FixtureRequest) -> Chaos:
    return Chaos(*(request.config.getoption(f"--chaos-{name}") for name in ("rows", "kills", "seed")))


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with background_loop() as loop:
        yield loop


@pytest.fixture
def start_partner(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[[Behaviour], Partner]]:
    """Start simulators; all of them end with the test."""
    with ExitStack() as stack:
        yield lambda rules: Partner(*stack.enter_context(serving(loop, serve(rules))))


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
