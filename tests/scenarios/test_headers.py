"""Nothing of any header that comes stands in what the program says or leaves behind, however a row ends."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from time import monotonic

import pytest
from aiohttp import web

from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter
from bulkreact.simulator.server import application
from tests.support.background_loop import listening, serving
from tests.support.ids import row, scenario_id, write_csv
from tests.support.program import Program
from tests.support.run_commands import FAST, row_statuses

SECRET = "canary-in-a-header"
ROWS_END = [202, 1503, 208, 900337, 800111, 900278, 900335, 4597, 5597, 6597, 2597, 6429, 596]
SUBSCRIPTIONS_END = [200, 202, 2202, 4202, 412, 900277]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HEADERS = {
    "Content-Language": SECRET,
    "Content-Location": f"/{SECRET}",
    "ETag": f'"{SECRET}"',
    "Link": f"</{SECRET}>; rel=next",
    "Location": f"/v1/customers/{SECRET}",
    "MS-CV": SECRET,
    "MS-ServerId": SECRET,
    "IsMfaCompliant": SECRET,
    "Retry-After": SECRET,
    "Server": SECRET,
    "Set-Cookie": f"{SECRET}={SECRET}{'c' * 9000}",
    "Via": f"1.1 {SECRET}",
    "Warning": f'199 - "{SECRET}"',
    "WWW-Authenticate": f'Bearer error="{SECRET}", invalid_token',
    "X-Cache": SECRET,
}


@web.middleware
async def add_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Put the secret into every header that can hold it, over what the service says there."""
    answer = await handler(request)
    own = {name: value for name, value in HEADERS.items() if not name.startswith("MS-") or name in answer.headers}
    answer.headers.update(own)
    for name in {"MS-RequestId", "MS-CorrelationId"} & set(answer.headers):
        answer.headers.add(name, SECRET)
    return answer


@pytest.fixture
def base_url(loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    """Serve a simulator whose answers have the secret in all their headers."""
    app = application(PartnerCenter(Behaviour(activation_delay=0), monotonic))
    app.middlewares.append(add_headers)
    with serving(loop, listening(app)) as url:
        # Cookies of an address are never read.
        yield url.replace("127.0.0.1", "localhost")


@pytest.mark.parametrize(("tails", "kind"), [(ROWS_END, "azure"), (SUBSCRIPTIONS_END, "subscription")])
@pytest.mark.parametrize("log", [(), ("--log-format", "json", "-v")])
def test_nothing_of_a_header_is_in_what_the_program_leaves_behind(
    program: Program, base_url: str, tails: list[int], kind: str, log: tuple[str, ...]
) -> None:
    ids = [row(scenario_id(tail, number), number) for number, tail in enumerate(tails)]
    rows = ids if kind == "azure" else [(customer, entitlement, "") for customer, _, entitlement in ids]
    write_csv(program.folder / "input.csv", rows)
    options = ("--attempts", "1", "--halt-on-failures", "off", "--concurrency", "1", "--kind", kind, *log)
    process = program("run", "input.csv", "--base-url", base_url, *FAST, *options)
    paths = [path for path in program.folder.glob("**/*") if path.is_file()]
    assert process.code == 1, process.err
    assert len(set(row_statuses(process.run))) > 1
    assert SECRET not in process.out + process.err
    assert not [path for path in paths if SECRET.encode() in path.read_bytes()]
