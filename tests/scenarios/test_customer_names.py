"""Customers are called by their names for people, on one line each; Partner Center never sees a name."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic

import pytest
from aiohttp import web

from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter
from bulkreact.simulator.server import application
from tests.support.background_loop import listening, serving
from tests.support.ids import HEADER, guid, row, scenario_id, write_csv
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, run

NAME = "Zirkonia Umbrella"
HOSTILE = "\x1b[2J<b>Evil</b>\u202e\nGmbH"
SHOWN = "\\x1b[2J<b>Evil</b>\\u202e GmbH"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Recorded:
    """Everything that was sent to a simulator, as text."""

    base_url: str = ""
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def recorded(loop: asyncio.AbstractEventLoop) -> Iterator[Recorded]:
    """Serve a simulator that records all that it is sent."""
    record = Recorded()

    @web.middleware
    async def keep(request: web.Request, handler: Handler) -> web.StreamResponse:
        record.requests.append(f"{request.method} {request.rel_url} {dict(request.headers)} {await request.text()}")
        return await handler(request)

    app = application(PartnerCenter(Behaviour(activation_delay=0), monotonic))
    app.middlewares.append(keep)
    with serving(loop, listening(app)) as record.base_url:
        yield record


def test_a_name_is_never_sent(program: Program, recorded: Recorded) -> None:
    # None of them waits before it is sent again.
    tails = (202, 900337, 800111)
    rows = [(*row(scenario_id(tail, number), number % 2), NAME, "") for number, tail in enumerate(tails)]
    # A suspended subscription: its whole body is read and sent back.
    rows.append((*row(guid(9), 5)[:2], "", NAME, "subscription"))
    write_csv(program.folder / "input.csv", rows, (*HEADER, "Vertragspartner", "kind"))
    options = ("--map", "customer_name=Vertragspartner", "--base-url", recorded.base_url)
    assert program("plan", "input.csv", *options, "--online").code == 0
    assert program("run", "input.csv", *options, *FAST, "--verify", "--verify-after", "0").code == 1
    assert program("retry", "--all-failed", *FAST).code == 1
    assert program("verify", *FAST[:2]).code in {0, 1}
    assert len(recorded.requests) > len(rows) * 2
    assert [request for request in recorded.requests if "irkonia" in request or "mbrella" in request] == []


def test_a_plan_calls_customers_by_name(program: Program) -> None:
    rows = [(*row(guid(number), number // 3), name) for number, name in enumerate(["", NAME, "x", HOSTILE, "", "", ""])]
    write_csv(program.folder / "input.csv", rows, (*HEADER, "Kunde"))
    assert program("plan", "input.csv").out.splitlines()[-4:] == [
        "Most rows:",
        f"  3  {NAME} ({guid(1000)})",
        f"  3  {SHOWN} ({guid(1001)})",
        f"  1  {guid(1002)}",
    ]
    names = json.loads(program("plan", "input.csv", "--json").out)["customer_names"]
    assert names == {guid(1000): NAME, guid(1001): SHOWN}


def test_the_only_customer_of_a_plan_is_named(program: Program) -> None:
    write_csv(program.folder / "input.csv", [(*row(guid(1)), NAME)], (*HEADER, "customer_name"))
    assert program("plan", "input.csv").out.splitlines()[-2:] == ["Customer:", f"  1  {NAME} ({guid(1001)})"]


def test_the_end_and_the_status_name_the_customers_with_rows_that_did_not_end_well(
    program: Program, partner: Partner
) -> None:
    names = ["Kessler", "Kessler", HOSTILE, "a", "b", "c", "d", "e", ""]
    rows = [(*row(scenario_id(800111, number), names.index(name)), name) for number, name in enumerate(names)]
    write_csv(program.folder / "input.csv", [*rows, (*row(guid(9), 77), "Contoso")], (*HEADER, "Kunde"))
    ended = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--halt-on-failures", "off")
    line = f"Affected customers: Kessler (2 rows), {SHOWN} (1 row), a (1 row), b (1 row), c (1 row), 3 more customers"
    assert [shown.rstrip() for shown in ended.err.splitlines() if shown.startswith("Affected customers")] == [line]
    assert line in program("status").out.splitlines()


def test_customers_without_names_are_not_listed(program: Program, partner: Partner) -> None:
    ended = run(program, partner, [800111])
    assert ("Affected customers" in ended.err, "Affected customers" in program("status").out) == (False, False)


def test_a_plan_without_a_row_to_send_names_nobody(program: Program) -> None:
    write_csv(program.folder / "input.csv", [("x", "y", "z", NAME)], (*HEADER, "customer_name"))
    assert "Customer:" not in program("plan", "input.csv", "--sum", "customer_name").out
