"""The pace of a run against the limits of real gateways: late refusals, and that it goes on.

How much of the limit is used is asserted in virtual time (tests/batch/run/test_pace.py): real time depends on the machine.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.background_loop import serving
from tests.support.gateways import Gateway, haproxy, needs, nginx, port_of
from tests.support.ids import guid, row, write_csv
from tests.support.program import Program
from tests.support.run_commands import row_statuses
from tests.support.slow_partner import SlowPartner, slow_partner

pytestmark = pytest.mark.network
ROWS = 60
LATENCY = 0.05
# What finding the pace costs does not grow with the rows: it is compared with what a run of so many may lose.
COMPARED = 250
# Whatever the machine, a run that takes so much longer than ideal stands still somewhere.
PATIENCE = 3
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class NginxLimit:
    """A limit of nginx: so many calls a second, and the share of late refusals that a run may meet."""

    zone: str
    rule: str
    per_second: float
    late_share: float


BY_RATE = "limit_req_zone $server_port zone=z:1m rate=10r/s;"
BY_NUMBER = "limit_conn_zone $server_port zone=z:1m;"
LIMITS = {
    "a bucket with a burst": NginxLimit(BY_RATE, "limit_req zone=z burst=20 nodelay;", 10, 0.03),
    "a bucket without one": NginxLimit(BY_RATE, "limit_req zone=z;", 10, 0.05),
    "two open calls": NginxLimit(BY_NUMBER, "limit_conn z 2;", 2 / LATENCY, 0.05),
}


@pytest.fixture
def partner(loop: asyncio.AbstractEventLoop) -> Iterator[SlowPartner]:
    with serving(loop, slow_partner(LATENCY)) as running:
        yield running


def limited_nginx(
    folder: Path, partner: SlowPartner, limit: NginxLimit, status: int, *, names_wait: bool
) -> AbstractContextManager[Gateway]:
    """Run nginx with a limit, whose refusals have a status and perhaps name the time to wait."""
    header = "add_header Retry-After 1 always;" if names_wait else ""
    statuses = f"limit_req_status {status}; limit_conn_status {status};"
    refused = f"error_page {status} = @refused;"
    return nginx(
        folder,
        port_of(partner.base_url),
        http=f"{limit.zone} {statuses}",
        location=f"{limit.rule} {refused}",
        server=f"location @refused {{ {header} return {status}; }}",
    )


def measure(
    program: Program, gateway: Gateway, *options: str, rows: int = ROWS, customers: int = 10
) -> tuple[float, int]:
    """Run rows through a gateway; return the seconds from the first to the last call, and the late refusals."""
    path = write_csv(program.folder / "input.csv", [row(guid(number), number % customers) for number in range(rows)])
    process = program("run", path, "--base-url", gateway.base_url, "--yes", *options)
    assert process.code == 0, process.err
    assert row_statuses(process.run) == ["accepted"] * rows
    calls = gateway.calls()
    began = calls[0].at
    return calls[-1].at - began, sum(call.status != 202 and call.at > began + 1 for call in calls)


def goes_on(seconds: float, per_second: float) -> bool:
    """Return whether a run nowhere stood still."""
    return seconds <= PATIENCE * ROWS / per_second + PATIENCE_SECONDS


@needs("nginx")
@pytest.mark.parametrize("share", [0.5, 4, None])
@pytest.mark.parametrize(("status", "names_wait"), [(429, True), (429, False), (503, True), (503, False)])
@pytest.mark.parametrize("name", LIMITS)
def test_the_limits_of_nginx(
    program: Program, partner: SlowPartner, name: str, status: int, names_wait: bool, share: float | None
) -> None:
    limit = LIMITS[name]
    rate = f"{share * limit.per_second:g}/s" if share else "off"
    with limited_nginx(program.folder, partner, limit, status, names_wait=names_wait) as gateway:
        seconds, late = measure(program, gateway, "--rate", rate)
    assert goes_on(seconds, limit.per_second * min(1, share or 1))
    assert late <= COMPARED * (0.1 if status == 503 else limit.late_share) + 2
    assert {len(ids) for ids in partner.ids.values()} == {1}
    assert share == 0.5 or any(call.status == status for call in gateway.calls())


def window_rules(seconds: int, status: int, *, names_wait: bool) -> str:
    """Return haproxy's rules for ten calls a second in a sliding window; refused ones count too."""
    header = f' hdr Retry-After "{seconds}"' if names_wait else ""
    return (
        f"stick-table type integer size 10 expire 60s store http_req_rate({seconds}s); http-request track-sc0 int(1); "
        f"http-request return status {status}{header} if {{ sc_http_req_rate(0) gt {10 * seconds} }}"
    )


@needs("haproxy")
@pytest.mark.parametrize("share", [0.5, 4, None])
@pytest.mark.parametrize(("window", "names_wait"), [(1, True), (1, False), (4, True), (4, False)])
def test_the_windows_of_haproxy(
    program: Program, partner: SlowPartner, window: int, names_wait: bool, share: float | None
) -> None:
    rules = window_rules(window, 429, names_wait=names_wait)
    rate = f"{share * 10:g}/s" if share else "off"
    with (
        haproxy(program.folder, port_of(partner.base_url), rules=rules) as windows,
        nginx(program.folder, windows.port) as gateway,
    ):
        seconds, late = measure(program, gateway, "--rate", rate)
    assert goes_on(seconds, 10 * min(1, share or 1))
    # Calls that a busy machine sends late come in lumps.
    assert late <= COMPARED * 0.06 + 2
    assert share == 0.5 or any(call.status == 429 for call in gateway.calls())
