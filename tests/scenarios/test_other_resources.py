"""A service that answers with another resource than the one asked for: it never decides about a row."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.background_loop import serving
from tests.support.discovery_server import Answer, DiscoveryServer, entitlement, serve_portfolio, subscription
from tests.support.ids import guid, read_csv, write_csv
from tests.support.program import Program, ProgramResult

ROW = guid(1), guid(11), guid(111)
OF_OTHER = Answer.json(entitlement(999, "active"))


@pytest.fixture
def server(loop: asyncio.AbstractEventLoop) -> Iterator[DiscoveryServer]:
    with serving(loop, serve_portfolio(DiscoveryServer())) as server:
        yield server


def run(program: Program, server: DiscoveryServer, *options: str) -> tuple[ProgramResult, dict[str, str]]:
    write_csv(program.folder / "in.csv", [ROW])
    arguments = ("--base-url", server.base_url, "--rate", "off", "--attempts", "1", "--yes", "--results", "out.csv")
    process = program("run", "in.csv", *arguments, *options)
    (row,) = read_csv(program.folder / "out.csv")
    return process, row


def test_the_status_of_another_entitlement_does_not_make_a_row_already_active(
    program: Program, server: DiscoveryServer
) -> None:
    server.fixed_answers["/reactivate"] = Answer.error(400, 900337)
    server.fixed_answers[guid(111)] = OF_OTHER
    process, row = run(program, server)
    assert (process.code, row["status"], row["error_code"]) == (1, "deferred", "900337")


def test_the_status_of_another_entitlement_does_not_make_a_row_reactivated(
    program: Program, server: DiscoveryServer
) -> None:
    server.fixed_answers["/reactivate"] = Answer(202)
    server.fixed_answers[guid(111)] = OF_OTHER
    options = ("--verify", "--verify-after", "0", "--verify-every", "1", "--verify-timeout", "1")
    process, row = run(program, server, *options)
    assert process.code == 1
    assert row["status"] in {"accepted", "pending"}
    server.fixed_answers[guid(111)] = Answer.json(entitlement(111, "active"))
    verified = program("verify", process.run.name, "--verify-after", "0")
    assert verified.code == 0, verified.err
    assert [result["status"] for result in read_csv(process.run / "results.csv")] == ["reactivated"]


def test_another_subscription_is_never_sent_to_the_address_of_the_one_that_was_asked_for(
    program: Program, server: DiscoveryServer
) -> None:
    server.fixed_answers[f"/subscriptions/{guid(11)}"] = Answer.json(subscription(999, "suspended"))
    process, row = run(program, server, "--kind", "subscription")
    assert process.code == 1
    assert (row["status"], row["error_code"]) == ("failed", "unreadable-answer")
    assert f"another resource, {guid(999)}" in row["error_description"]
    assert {call.method for call in server.calls} == {"GET"}


def test_another_subscription_in_the_answer_to_an_update_is_no_answer(
    program: Program, server: DiscoveryServer
) -> None:
    tail = f"/subscriptions/{guid(11)}"
    server.answers[tail] = [
        Answer.json(subscription(11, "suspended")),
        Answer.json(subscription(999, "active")),
        Answer.json(subscription(11, "suspended")),
        Answer.json(subscription(11, "active")),
    ]
    process, row = run(program, server, "--kind", "subscription", "--attempts", "3")
    assert (process.code, row["status"]) == (0, "accepted")
    assert [call.method for call in server.calls].count("PATCH") == 2
