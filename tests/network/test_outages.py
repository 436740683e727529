"""Outages of real gateways and proxies in mid-run: few useless calls, no row failed, nothing sent twice."""

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bulkreact.batch.journal.journal_file import read_only
from tests.support.background_loop import serving
from tests.support.gateways import free_port, haproxy, needs, nginx, port_of, silence, tinyproxy
from tests.support.ids import guid, row, write_csv
from tests.support.inboxes import file_names, inbox_folder, sweep_options
from tests.support.program import Partner, Program, ProgramResult
from tests.support.run_commands import row_statuses, wait_until
from tests.support.signed_in import APP, calls
from tests.support.token_authority import SECRET, Authority
from tests.support.tunnels import tunnels_to

pytestmark = pytest.mark.network
ROWS = 60
PER_SECOND = 10
Start = Callable[[], AbstractContextManager[object]]


@dataclass
class Interruptible:
    """A gateway that can be down: by a file that it looks for, or by another process on its port."""

    port: int
    up: Start
    down: Start | None
    file: Path
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def begin(self) -> None:
        self.file.touch()
        if self.down:
            self._replace(self.down)

    def end(self) -> None:
        self.file.unlink()
        if self.down:
            self._replace(self.up)

    def _replace(self, start: Start) -> None:
        self.stack.close()
        self.stack.enter_context(start())


def make_gateway(kind: str, folder: Path, partner: int, stack: ExitStack) -> Interruptible:
    """Start a gateway that can be down in a way of its own."""
    port, file = free_port(), folder / "down"
    silent = stack.enter_context(silence())
    rules = {
        "503": "return 503;",
        "503 with Retry-After": "add_header Retry-After 7 always; return 503;",
        "502": f"proxy_pass http://127.0.0.1:{free_port()};",
        "504": f"proxy_pass http://127.0.0.1:{silent};",
    }
    if kind in rules:
        location = f"proxy_read_timeout 1s; if (-f {file}) {{ {rules[kind]} }}"
        gateway = Interruptible(port, lambda: nginx(folder, partner, port=port, location=location), None, file)
    else:
        down: dict[str, Start] = {
            "refused": ExitStack,
            "reset": lambda: haproxy(folder, partner, port=port, rules="http-request reject"),
            "no answer": lambda: haproxy(folder, silent, port=port),
        }
        gateway = Interruptible(port, lambda: haproxy(folder, partner, port=port), down[kind], file)
    stack.enter_context(gateway.stack)
    gateway.stack.enter_context(gateway.up())
    return gateway


@pytest.fixture
def gateway(request: pytest.FixtureRequest, program: Program, partner: Partner) -> Iterator[Interruptible]:
    with ExitStack() as stack:
        yield make_gateway(request.param, program.folder, port_of(partner.base_url), stack)


def count_calls(folder: Path) -> int:
    """Return how many calls a run has made, also those that never left."""
    with closing(read_only(folder)) as connection:
        return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])


def wait_for_probes(program: Program, probes: int) -> None:
    """Wait until a run has probed so often without success."""

    def has_probed() -> bool:
        outages = json.loads(program("status", "--json").out).get("outages", [])
        return any(outage["probes"] >= probes for outage in outages)

    wait_until(has_probed)


@dataclass(frozen=True)
class Interrupted:
    """A run through an outage, and its calls beyond one a row."""

    ended: ProgramResult
    useless: int


def run_through_outage(
    program: Program, partner: Partner, gateway: Interruptible, *options: str, rows: int = ROWS, seconds: float = 0
) -> Interrupted:
    """Run rows; the gateway is down from the twentieth on, for some seconds or until a probe has failed."""
    path = write_csv(program.folder / "input.csv", [row(guid(number), number % 30) for number in range(rows)])
    process = program.start(
        "run", path, "--base-url", gateway.base_url, "--yes", "--rate", f"{PER_SECOND}/s", "--timeout", "3", *options
    )
    wait_until(lambda: len(partner.requests()) >= 20)
    gateway.begin()
    down_at = time.monotonic()
    wait_for_probes(program, 1)
    time.sleep(max(0.0, down_at + seconds - time.monotonic()))
    gateway.end()
    ended = program.wait(process)
    return Interrupted(ended, count_calls(ended.run) - rows)


NGINX = ["503", "503 with Retry-After", "502", "504"]
HAPROXY = ["refused", "reset", "no answer"]
KINDS = pytest.mark.parametrize(
    "gateway",
    [pytest.param(kind, marks=needs("nginx")) for kind in NGINX]
    + [pytest.param(kind, marks=needs("haproxy")) for kind in HAPROXY],
    indirect=True,
)
# As many as can be in flight when the answers stop, within the time-out of a call.
IN_FLIGHT = 16


@KINDS
def test_after_an_outage_every_row_is_accepted_once(
    program: Program, partner: Partner, gateway: Interruptible, request: pytest.FixtureRequest
) -> None:
    run = run_through_outage(program, partner, gateway)
    assert run.ended.code == 0, run.ended.err
    assert row_statuses(run.ended.run) == ["accepted"] * ROWS
    lost = IN_FLIGHT if "answer" in request.node.name or "504" in request.node.name else 0
    assert run.useless <= ROWS / 100 + 10 + lost
    assert len(partner.service.call_log.effects) == ROWS
    assert len({(call["path"], call["request_id"]) for call in partner.requests()}) == ROWS


@needs("haproxy")
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("gateway", ["reset"], indirect=True)
def test_a_run_killed_in_mid_outage_is_continued_under_the_same_ids(
    program: Program, partner: Partner, gateway: Interruptible
) -> None:
    path = write_csv(program.folder / "input.csv", [row(guid(number), number % 30) for number in range(ROWS)])
    options = ("--base-url", gateway.base_url, "--yes", "--rate", f"{PER_SECOND}/s")
    process = program.start("run", path, *options)
    wait_until(lambda: len(partner.requests()) >= 20)
    gateway.begin()
    wait_for_probes(program, 1)
    process.send_signal(signal.SIGKILL)
    assert program.wait(process).code == -signal.SIGKILL
    gateway.end()
    resumed = program("resume", "--yes", "--rate", "off")
    assert resumed.code == 0, resumed.err
    assert row_statuses(resumed.run) == ["accepted"] * ROWS
    assert len({(call["path"], call["request_id"]) for call in partner.requests()}) == ROWS


@needs("nginx")
@pytest.mark.parametrize("gateway", ["503"], indirect=True)
def test_a_sweep_that_met_an_outage_is_continued_by_the_next(
    program: Program, partner: Partner, gateway: Interruptible
) -> None:
    write_csv(inbox_folder(program) / "a.csv", [row(guid(number), number) for number in range(12)])
    options = sweep_options(Partner(gateway.base_url, partner.service))
    gateway.begin()
    assert program("sweep", *options, "--max-outage", "0").code == 75
    gateway.end()
    assert program("sweep", *options).code == 0
    assert "a.csv" in file_names(inbox_folder(program) / "done")
    assert len(partner.service.call_log.effects) == 12


@needs("tinyproxy")
def test_a_proxy_that_is_gone_for_a_while_is_an_outage(
    program: Program, authority: Authority, loop: asyncio.AbstractEventLoop
) -> None:
    write_csv(program.folder / "input.csv", [row(guid(number), number % 30) for number in range(ROWS)])
    port = free_port()
    program.environment |= {
        "BULKREACT_CLIENT_SECRET": SECRET,
        "BULKREACT_AUTHORITY": "https://login.example",
        "BULKREACT_BASE_URL": "https://partner.example",
        "HTTPS_PROXY": f"http://127.0.0.1:{port}",
        "NO_PROXY": "",
    }
    with serving(loop, tunnels_to(port_of(authority.base_url))) as tunnels:
        with tinyproxy(program.folder, port_of(tunnels.url), port=port):
            process = program.start("run", "input.csv", *APP, "--yes", "--rate", f"{PER_SECOND}/s")
            wait_until(lambda: len(calls(authority)) >= 20)
        wait_for_probes(program, 1)
        with tinyproxy(program.folder, port_of(tunnels.url), port=port):
            ended = program.wait(process)
    assert ended.code == 0, ended.err
    assert row_statuses(ended.run) == ["accepted"] * ROWS
    assert count_calls(ended.run) - ROWS <= ROWS / 100 + 10
    assert len(authority.service.call_log.effects) == ROWS


def test_a_name_that_is_not_known_for_a_while_is_an_outage(
    program: Program, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv(program.folder / "input.csv", [row(guid(number), number % 30) for number in range(ROWS)])
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    resolve, failures = socket.getaddrinfo, iter(range(5))

    def resolve_later(
        host: str, port: int, family: int = 0, kind: int = 0, protocol: int = 0, flags: int = 0
    ) -> list[tuple[object, ...]]:
        # The token comes first, and its service has the same name.
        if host == "localhost" and authority.outcomes and next(failures, None) is not None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return list(resolve(host, port, family, kind, protocol, flags))

    monkeypatch.setattr(socket, "getaddrinfo", resolve_later)
    ended = program("run", "input.csv", *APP, "--yes", "--rate", f"{PER_SECOND}/s")
    assert ended.code == 0, ended.err
    assert next(failures, None) is None
    assert row_statuses(ended.run) == ["accepted"] * ROWS
    assert count_calls(ended.run) == ROWS + 5


def test_a_name_that_is_not_known_is_an_outage_and_no_row_of_it_fails(program: Program) -> None:
    path = write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(12)])
    process = program("run", path, "--base-url", "https://partner.invalid", "--yes", "--max-outage", "0")
    assert process.code == 75, process.err
    assert row_statuses(process.run) == ["not_attempted"] * 12
    assert count_calls(process.run) == 3
    assert "partner.invalid" in process.err
