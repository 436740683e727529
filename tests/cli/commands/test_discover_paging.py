"""Discovering through lists of many pages: whatever form the pages take, nothing is missing without a word."""

import asyncio
import json
from collections.abc import Callable, Iterator

import pytest

from bulkreact.simulator.partnercenter.behaviour import Behaviour, Paging
from tests.cli.commands.test_discover import discover, read_rows, stores
from tests.support.background_loop import serving
from tests.support.discovery_server import Answer, DiscoveryServer, entitlement, plan, serve_portfolio, subscription
from tests.support.ids import guid, read_csv, write_csv
from tests.support.program import Partner, Program


@pytest.fixture
def server(loop: asyncio.AbstractEventLoop) -> Iterator[DiscoveryServer]:
    with serving(loop, serve_portfolio(DiscoveryServer())) as server:
        yield server


def fill(server: DiscoveryServer) -> list[tuple[str, str]]:
    """Let three lists have more entries than pages; return the ids of all rows."""
    for number in range(1, 11):
        server.add(number, *(subscription(100 * number + index) for index in range(3 if number > 1 else 0)))
    server.subscriptions[1] = [plan(100 + index) for index in range(7)]
    for index in range(7):
        server.entitlements[100 + index] = [entitlement(10_000 + 100 * index + number) for number in range(5)]
    return [
        *((guid(100 + index), guid(10_000 + 100 * index + number)) for index in range(7) for number in range(5)),
        *((guid(100 * number + index), "") for number in range(2, 11) for index in range(3)),
    ]


@pytest.mark.parametrize("counts_list", [False, True])
@pytest.mark.parametrize("token_alone", [False, True])
def test_every_list_is_followed_to_its_end(
    program: Program, server: DiscoveryServer, *, token_alone: bool, counts_list: bool
) -> None:
    expected = fill(server)
    server.page, server.token_alone, server.counts_list = 2, token_alone, counts_list
    process = discover(program, server)
    assert process.code == 0, process.err
    rows = [(row["subscription_id"].lower(), row["entitlement_id"].lower()) for row in read_rows(process)]
    assert sorted(rows) == sorted(expected)
    customer_pages = [call for call in server.calls if call.path == "/v1/customers"]
    assert [call.token for call in customer_pages] == ["", "token-2", "token-4", "token-6", "token-8"]
    assert {call.query for call in customer_pages[1:]} <= {
        "size=500&seekOperation=Next",
        "size=2&seekOperation=Next",
    }
    assert stores(program) == []


def test_ids_in_paths_are_canonical(program: Program, server: DiscoveryServer) -> None:
    server.add(1, plan(0xABC), plan(11))
    server.entitlements[0xABC] = [entitlement(0xDEF)]
    customers = [{"id": guid(1).upper(), "companyProfile": {"companyName": "Contoso"}}]
    server.answers["/customers"] = [Answer.json({"items": customers})]
    process = discover(program, server)
    assert process.code == 0, process.err
    assert server.call_paths() == [
        path.lower().replace("azureentitlements", "azureEntitlements") for path in server.call_paths()
    ]
    # In the file they stay as they came.
    (row,) = read_rows(process)
    assert (row["customer_id"], row["entitlement_id"]) == (guid(1).upper(), guid(0xDEF).upper())


def test_a_list_of_customers_that_ends_too_early_is_reported_and_read_again(
    program: Program, server: DiscoveryServer
) -> None:
    fill(server)
    server.page, server.counts_list, server.last_page = 3, True, 1
    process = discover(program, server, "--kind", "subscription", "--out", "found.csv", "-q")
    assert process.code == 1
    assert "The list of customers could not be read completely: incomplete-list" in process.err
    assert "7 of the entries that it counts did not come" in process.err
    assert "Give the same command again" in process.err
    assert {row["customer_id"] for row in read_csv(program.folder / "found.csv")} == {guid(2), guid(3)}
    server.last_page = 1 << 30
    server.calls.clear()
    again = discover(program, server, "--kind", "subscription", "--out", "found.csv")
    assert again.code == 0, again.err
    assert {row["customer_id"] for row in read_csv(program.folder / "found.csv")} == {
        guid(number) for number in range(2, 11)
    }
    # Those that were read stay read.
    assert not {path for path in server.call_paths() if guid(2) in path or guid(3) in path}
    assert stores(program) == []


def test_customers_that_are_read_in_part_are_counted_and_named(program: Program, server: DiscoveryServer) -> None:
    server.add(1, *(subscription(number) for number in range(100, 106)))
    server.add(2, *(subscription(number) for number in range(200, 206)))
    server.page, server.counts_list, server.last_page = 4, True, 1
    process = discover(program, server)
    assert process.code == 1
    assert len(read_rows(process)) == 8
    assert "Found:   8 rows of 2 customers, 2 of them read in part" in process.err
    assert process.err.count("the list is incomplete: 2 of the entries that it counts did not come") == 2
    assert f"Customer 1 ({guid(1)})" in process.err
    server.last_page = 2
    again = discover(program, server)
    assert again.code == 0, again.err
    assert len(read_rows(again)) == 12
    assert "Found:   12 rows of 2 customers\n" in again.err


def test_a_plan_whose_list_ends_too_early_is_named_and_the_others_are_whole(
    program: Program, server: DiscoveryServer
) -> None:
    server.add(1, plan(11), plan(12), name="Contoso")
    server.entitlements[11] = [entitlement(111)]
    server.entitlements[12] = [entitlement(121)]
    server.answers[f"{guid(11)}/azureEntitlements"] = [Answer.json({"totalCount": 3, "items": [entitlement(111)]})]
    process = discover(program, server)
    assert process.code == 1
    assert len(read_rows(process)) == 2
    assert f"Contoso ({guid(1)}), Azure plan {guid(11).upper()}" in process.err


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"totalCount": 1, "items": []}, 1),
        ({"totalCount": "3", "items": []}, 1),
        ({"totalCount": 2, "items": [subscription(11), None]}, 1),
        ({"items": [subscription(11), {"id": "4711"}]}, 1),
        ({"totalCount": 2, "items": [subscription(11), subscription(11)]}, 0),
        ({"totalCount": -1, "items": []}, 0),
        ({"totalCount": "many", "items": []}, 0),
        ({"totalCount": True, "items": []}, 0),
        ({"totalCount": 1.5, "items": []}, 0),
        ({"totalCount": None, "items": []}, 0),
        ({"totalCount": {}, "items": []}, 0),
        ({"totalCount": 0}, 0),
        ({"totalCount": 0, "items": [], "continuationToken": None}, 0),
        ({"totalCount": 0, "items": [], "continuationToken": " "}, 0),
    ],
)
def test_counts_of_every_kind(program: Program, server: DiscoveryServer, content: object, code: int) -> None:
    server.add(1)
    server.fixed_answers["/subscriptions"] = Answer.json(content)
    process = discover(program, server, "-q")
    assert process.code == code
    assert ("the list is incomplete" in process.err) == bool(code)


def test_a_customer_without_a_usable_id_is_reported_even_quietly(program: Program, server: DiscoveryServer) -> None:
    server.add(1, subscription(11))
    customers = [{"id": guid(1)}, {"id": "4711", "companyProfile": {"companyName": "Lost"}}, None]
    server.answers["/customers"] = [Answer.json({"items": customers})]
    process = discover(program, server, "-q")
    assert process.code == 1
    assert len(read_rows(process)) == 1
    assert "The list of customers could not be read completely" in process.err
    assert "2 came without a usable id" in process.err
    # Nothing would come of reading it again at once.
    assert stores(program) == []


def test_a_repeated_entry_on_another_page_hides_a_missing_one(program: Program, server: DiscoveryServer) -> None:
    server.add(1)
    first, second = [subscription(11), subscription(12)], [subscription(12), subscription(13)]
    server.answers["/subscriptions"] = [
        Answer.json({"totalCount": 4, "items": first, "continuationToken": "a"}),
        Answer.json({"totalCount": 4, "items": second}),
    ]
    process = discover(program, server)
    assert process.code == 1
    assert len(read_rows(process)) == 3
    assert "1 of the entries that it counts did not come" in process.err


def test_empty_pages_with_a_token_are_passed_over(program: Program, server: DiscoveryServer) -> None:
    server.add(1)
    empty = [Answer.json({"items": [], "continuationToken": f"token {number}"}) for number in range(5)]
    server.answers["/subscriptions"] = [*empty, Answer.json({"items": [subscription(11)]})]
    process = discover(program, server)
    assert process.code == 0, process.err
    assert [row["subscription_id"] for row in read_rows(process)] == [guid(11).upper()]


def test_the_same_token_again_ends_the_list_with_an_error(program: Program, server: DiscoveryServer) -> None:
    server.fixed_answers["/customers"] = Answer.json({"items": [{"id": guid(1)}], "continuationToken": "again"})
    process = discover(program, server)
    assert process.code == 1
    assert "leads back to a page that was read already" in process.err
    assert len(server.calls) == 2


@pytest.mark.parametrize("token", ["a\r\nHost: elsewhere.example", "ü", "x" * 10_000])
def test_a_token_that_cannot_be_sent_is_no_end(program: Program, server: DiscoveryServer, token: str) -> None:
    server.fixed_answers["/customers"] = Answer.json({"items": [], "continuationToken": token})
    process = discover(program, server)
    assert process.code == 1
    assert "broken-paging: the token for the next page cannot be sent" in process.err


def test_a_link_counts_more_than_the_token_beside_it(program: Program, server: DiscoveryServer) -> None:
    link = {"uri": "/customers?size=7", "headers": [{"key": "MS-ContinuationToken", "value": "token-1"}]}
    server.add(1)
    server.answers["/customers"] = [Answer.json({"items": [], "continuationToken": "x", "links": {"next": link}})]
    discover(program, server)
    assert (server.calls[1].query, server.calls[1].token) == ("size=7", "token-1")


def test_a_candidate_of_an_incomplete_plan_is_not_filled_in(program: Program, server: DiscoveryServer) -> None:
    server.add(1, plan(11), plan(12))
    server.entitlements[12] = [entitlement(121)]
    partly = json.dumps({"totalCount": 2, "items": [entitlement(111), {"id": None}]}).encode()
    server.fixed_answers[f"{guid(11)}/azureEntitlements"] = Answer(200, partly)
    write_csv(program.folder / "in.csv", [(guid(1), guid(11), ""), (guid(1), guid(12), "")])
    process = program(
        "discover", "--base-url", server.base_url, "--rate", "off", "--complete", "in.csv", "--out", "out.csv"
    )
    assert process.code == 1
    assert [row["entitlement_id"] for row in read_csv(program.folder / "out.csv")] == ["", guid(121).upper()]
    assert "could not be read (row 2)" in process.err


@pytest.mark.parametrize(("paging", "code", "customers"), [("links", 0, 10), ("tokens", 0, 10), ("cut", 1, 3)])
def test_the_simulator_pages_in_every_way(
    program: Program, start_partner: Callable[[Behaviour], Partner], paging: str, code: int, customers: int
) -> None:
    partner = start_partner(Behaviour(customers=10, page_size=3, paging=Paging(paging)))
    process = program("discover", "--base-url", partner.base_url, "--rate", "off")
    assert process.code == code, process.err
    assert len({row["customer_id"] for row in read_rows(process)}) == customers
    assert ("7 of the entries that it counts did not come" in process.err) == bool(code)
    assert partner.service.call_log.violations == []


def test_verify_reads_what_the_first_page_of_a_plan_does_not_show(program: Program, server: DiscoveryServer) -> None:
    server.page, server.token_alone = 2, True
    ids = [guid(100 + number) for number in range(5)]
    server.entitlements[11] = [entitlement(100 + number, "active") for number in range(5)]
    server.fixed_answers["/reactivate"] = Answer(202)
    for number, entitlement_id in enumerate(ids):
        server.fixed_answers[entitlement_id] = Answer.json(entitlement(100 + number, "active"))
    write_csv(program.folder / "in.csv", [(guid(1), guid(11), entitlement_id) for entitlement_id in ids])
    options = ("--yes", "--rate", "off", "--verify", "--verify-after", "0", "--results", "out.csv")
    process = program("run", "in.csv", "--base-url", server.base_url, *options)
    assert process.code == 0, process.err
    assert [row["status"] for row in read_csv(program.folder / "out.csv")] == ["reactivated"] * 5
    assert len(server.call_paths("/azureEntitlements")) == 1
    assert [len(server.call_paths(entitlement_id)) for entitlement_id in ids] == [0, 0, 1, 1, 1]
