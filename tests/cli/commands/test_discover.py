"""Discovering what could be reactivated: the real program against a partner with customers."""

import asyncio
import csv
import io
import json
import signal
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bulkreact.batch.discovery.listing import DiscoveryFilter
from bulkreact.cli.commands.discover_customers import ChosenCustomers, store_path
from bulkreact.settings import Cloud, Service
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.simulator.partnercenter.behaviour import Behaviour
from tests.support.background_loop import serving
from tests.support.discovery_server import (
    OFFER,
    Answer,
    DiscoveryServer,
    entitlement,
    plan,
    serve_portfolio,
    subscription,
)
from tests.support.ids import guid, read_csv
from tests.support.instants import kill_at
from tests.support.program import CANARY, Partner, Program, ProgramResult
from tests.support.run_commands import wait_until
from tests.support.token_authority import SECRET, Authority

COLUMNS = [
    "customer_id",
    "subscription_id",
    "entitlement_id",
    "kind",
    "customer_name",
    "subscription_name",
    "offer",
    "status",
    "deadline",
]


@pytest.fixture
def server(loop: asyncio.AbstractEventLoop) -> Iterator[DiscoveryServer]:
    with serving(loop, serve_portfolio(DiscoveryServer())) as server:
        yield server


def portfolio(server: DiscoveryServer) -> None:
    """Let two customers have some of everything."""
    server.add(1, plan(11), subscription(12), subscription(13, "active"), name="Contoso")
    server.add(2, subscription(21, "deleted"), subscription(22, "warning"), name="Fabrikam")
    server.entitlements[11] = [entitlement(111), entitlement(112, "active"), entitlement(113, "Warming")]


def discover(program: Program, server: DiscoveryServer, *options: str | Path) -> ProgramResult:
    """Discover at full speed."""
    return program("discover", "--base-url", server.base_url, "--rate", "off", *options)


def read_rows(process: ProgramResult) -> list[dict[str, str]]:
    """Return the rows on standard output."""
    return list(csv.DictReader(io.StringIO(process.out)))


def statuses(process: ProgramResult) -> list[tuple[str, str, str]]:
    """Return kind, name and status of every row."""
    return [(row["kind"], row["subscription_name"], row["status"]) for row in read_rows(process)]


def stores(program: Program) -> list[Path]:
    """Return what is left of progress."""
    return sorted((program.folder / "reports").glob("discover-*"))


def test_everything_that_is_not_active_is_found_and_nothing_is_written_to_the_partner(
    program: Program, server: DiscoveryServer
) -> None:
    portfolio(server)
    process = discover(program, server)
    assert process.code == 0, process.err
    assert process.out.splitlines()[0] == ",".join(COLUMNS)
    assert [list(row.values()) for row in read_rows(process)] == [
        [guid(1), guid(11).upper(), guid(111).upper(), "azure", "Contoso", "Azure 111", "Azure plan", "inactive", ""],
        [guid(1), guid(11).upper(), guid(113).upper(), "azure", "Contoso", "Azure 113", "Azure plan", "Warming", ""],
        [guid(1), guid(12).upper(), "", "subscription", "Contoso", "Licences 12", OFFER, "suspended", ""],
        [guid(2), guid(21).upper(), "", "subscription", "Fabrikam", "Licences 21", OFFER, "deleted", ""],
        [guid(2), guid(22).upper(), "", "subscription", "Fabrikam", "Licences 22", OFFER, "warning", ""],
    ]
    assert {call.method for call in server.calls} == {"GET"}
    assert len(server.call_paths("/azureEntitlements")) == 1
    assert "Deleted or expired, cannot be reactivated: 1" in process.err
    assert "--status suspended" in process.err
    assert stores(program) == []


def test_the_list_of_customers_is_read_page_by_page(program: Program, server: DiscoveryServer) -> None:
    server.page = 2
    for number in range(1, 8):
        server.add(number, subscription(100 + number))
    process = discover(program, server)
    assert process.code == 0, process.err
    assert [row["customer_id"] for row in read_rows(process)] == [guid(number) for number in range(1, 8)]
    lists = [call for call in server.calls if call.path == "/v1/customers"]
    assert [call.token for call in lists] == ["", "token-2", "token-4", "token-6"]
    assert lists[0].query == "size=500"
    assert all("seekOperation=Next" in call.query for call in lists[1:])


def test_links_are_followed_in_whatever_form_they_come(program: Program, server: DiscoveryServer) -> None:
    server.page = 1
    server.uris = [
        "customers?size={size}&seekOperation=Next",
        "/v1/customers?size={size}&seekOperation=Next",
        "v1/customers?seekOperation=Next",
        "/Customers?seekOperation=Next",
        f"{server.base_url}/v1/customers?seekOperation=Next",
    ]
    for number in range(1, 7):
        server.add(number, subscription(100 + number))
    process = discover(program, server)
    assert process.code == 0, process.err
    assert len(read_rows(process)) == 6


def test_a_link_to_another_host_is_not_followed(program: Program, server: DiscoveryServer) -> None:
    server.page, server.uris = 1, ["https://elsewhere.example/v1/customers?seekOperation=Next"]
    server.add(1, subscription(11))
    server.add(2, subscription(21))
    process = discover(program, server, "--out", "out.csv")
    assert process.code == 1
    assert "broken-paging: the link to the next page leads to another host, and was not followed" in process.err
    assert len(server.calls) == 1
    assert not (program.folder / "out.csv").exists()


def page(items: list[dict[str, object]], **link: object) -> Answer:
    """Return a page of customers that has a next one."""
    content: dict[str, object] = {"items": items, "links": {"next": {"uri": "/customers?seekOperation=Next", **link}}}
    return Answer.json(content)


def test_a_list_that_links_to_itself_ends_with_an_error(program: Program, server: DiscoveryServer) -> None:
    server.fixed_answers["/customers"] = page([{"id": guid(1)}])
    process = discover(program, server)
    assert process.code == 1
    assert "leads back to a page that was read already" in process.err
    assert len(server.calls) == 2


def test_a_list_of_ever_new_pages_without_anything_new_ends_with_an_error(
    program: Program, server: DiscoveryServer
) -> None:
    pages = [
        page([{"id": guid(1)}], headers=[{"key": "MS-ContinuationToken", "value": str(number)}]) for number in range(99)
    ]
    server.answers["/customers"] = pages
    process = discover(program, server)
    assert process.code == 1
    assert "the list does not end" in process.err
    assert len(server.calls) == 21


def test_a_link_without_headers_continues_with_the_token_of_the_page(program: Program, server: DiscoveryServer) -> None:
    first = {
        "items": [{"id": guid(1)}],
        "continuationToken": "token-1",
        "links": {"next": {"uri": "customers?seekOperation=Next"}},
    }
    server.add(1, subscription(11))
    server.add(2, subscription(21))
    server.answers["/customers"] = [Answer.json(first)]
    assert [row["customer_id"] for row in read_rows(discover(program, server))] == [guid(1), guid(2)]


def test_a_link_can_set_no_header_of_ours(program: Program, server: DiscoveryServer) -> None:
    headers = [
        {"key": "Authorization", "value": "Bearer stolen"},
        {"key": "authorization", "value": "Bearer stolen"},
        {"key": "Host", "value": "elsewhere.example"},
        {"key": "ms-requestid", "value": "x"},
        {"key": "MS-ContinuationToken", "value": "token-1"},
        {"key": "MS-Other", "value": "y"},
    ]
    server.add(1, subscription(11))
    server.add(2, subscription(21))
    server.answers["/customers"] = [page([{"id": guid(1)}], headers=headers)]
    process = discover(program, server)
    assert process.code == 0, process.err
    second = server.calls[1]
    assert second.token == "token-1"
    assert second.authorization == f"Bearer {CANARY}"
    names = [name.lower() for name in second.names]
    assert names.count("authorization") == names.count("host") == names.count("ms-requestid") == 1
    assert "ms-other" in names


def test_a_customer_on_two_pages_is_one_customer(program: Program, server: DiscoveryServer) -> None:
    server.add(1, subscription(11))
    server.add(2, subscription(21))
    again = page([{"id": guid(1).upper()}], headers={"MS-ContinuationToken": "token-1"})
    server.answers["/customers"] = [page([{"id": guid(1)}, {"id": guid(2)}]), again]
    process = discover(program, server)
    assert [row["customer_id"] for row in read_rows(process)] == [guid(1), guid(2)]
    assert len(server.call_paths("/subscriptions")) == 2


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--kind", "azure"), ["inactive", "Warming"]),
        (("--kind", "subscription"), ["suspended", "deleted", "warning"]),
        (("--status", "SUSPENDED", "--status", "warming", "--kind", "auto"), ["Warming", "suspended"]),
        (("--status", "active"), ["active", "active", "active"]),
    ],
)
def test_kinds_and_statuses_can_be_chosen(
    program: Program, server: DiscoveryServer, options: tuple[str, ...], expected: list[str]
) -> None:
    portfolio(server)
    process = discover(program, server, *options)
    assert process.code == 0, process.err
    assert [row["status"] for row in read_rows(process)] == expected
    assert bool(server.call_paths("/azureEntitlements")) is (options != ("--kind", "subscription"))


def test_single_customers_are_read_without_the_list(program: Program, server: DiscoveryServer) -> None:
    portfolio(server)
    process = discover(program, server, "--customer", guid(2).upper(), "--customer", guid(2))
    assert {row["customer_id"] for row in read_rows(process)} == {guid(2)}
    assert server.call_paths() == [f"/v1/customers/{guid(2)}/subscriptions"]
    assert discover(program, server, "--customer", "Contoso").code == 2


@pytest.mark.parametrize(
    "content",
    [
        f"{guid(2)}\n\n{guid(2).upper()}\n",
        f"\ufeffMicrosoft ID;Name\n{guid(2)};Fabrikam\n",
        f"Kunden-ID\tsubscription_id\tstatus\n{guid(2)}\t\tx\n",
    ],
)
def test_customers_come_from_a_file(program: Program, server: DiscoveryServer, content: str) -> None:
    portfolio(server)
    (program.folder / "customers.csv").write_text(content, encoding="utf-8")
    process = discover(program, server, "--customers", "customers.csv")
    assert process.code == 0, process.err
    assert {row["customer_id"] for row in read_rows(process)} == {guid(2)}
    assert len(server.call_paths("/subscriptions")) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "names no customers"),
        (f"{guid(1)}\nContoso\n4.89E+11\n", "row 2: customer_id is not a GUID: 'Contoso'"),
        (f"name,place\nContoso,{guid(1)}\n", "has no column customer_id"),
        (f"customer_id,Customer ID\n{guid(1)},{guid(2)}\n", "2 columns claim to be customer_id"),
    ],
)
def test_a_file_that_names_no_customers_is_refused_before_any_call(
    program: Program, server: DiscoveryServer, content: str, message: str
) -> None:
    (program.folder / "customers.csv").write_text(content)
    process = discover(program, server, "--customers", "customers.csv")
    assert process.code == 2
    assert message in process.err
    assert server.calls == []


def test_one_broken_customer_does_not_stop_the_others_and_is_named(program: Program, server: DiscoveryServer) -> None:
    portfolio(server)
    server.add(3, subscription(31), name="Northwind")
    server.fixed_answers[f"{guid(1)}/subscriptions"] = Answer.error(403, 20002)
    process = discover(program, server)
    assert process.code == 1
    assert {row["customer_id"] for row in read_rows(process)} == {guid(2), guid(3)}
    assert f"Contoso ({guid(1)})" in process.err
    assert "HTTP 403, 20002: description of 20002" in process.err
    assert "reseller relationship" in process.err
    assert "bulkreact explain 20002" in process.err
    # Refused for good: there is nothing to continue.
    assert stores(program) == []


@pytest.mark.soak
def test_what_passes_is_tried_again_and_what_remains_is_read_by_the_same_command(
    program: Program, server: DiscoveryServer
) -> None:
    portfolio(server)
    server.answers[f"{guid(1)}/subscriptions"] = [Answer(500), Answer(drop=True), Answer(200, b"<html>"), Answer(200)]
    server.fixed_answers[f"{guid(2)}/subscriptions"] = Answer(500)
    process = discover(program, server, "--attempts", "5")
    assert process.code == 1
    assert {row["customer_id"] for row in read_rows(process)} == {guid(1)}
    assert len(server.call_paths(f"{guid(1)}/subscriptions")) == len(server.call_paths(f"{guid(2)}/subscriptions")) == 5
    assert "Give the same command again" in process.err
    server.fixed_answers.clear()
    server.calls.clear()
    again = discover(program, server)
    assert again.code == 0, again.err
    assert "1 customer of 2 had been read" in again.err
    assert server.call_paths() == [f"/v1/customers/{guid(2)}/subscriptions"]
    assert {row["customer_id"] for row in read_rows(again)} == {guid(1), guid(2)}
    assert stores(program) == []


def test_a_plan_that_is_refused_for_good_is_named_and_the_rest_of_the_customer_is_read(
    program: Program, server: DiscoveryServer
) -> None:
    server.add(1, plan(11), plan(14), subscription(12), name="Contoso")
    server.entitlements[14] = [entitlement(141)]
    server.fixed_answers[f"{guid(11)}/azureEntitlements"] = Answer.error(404, 20003)
    process = discover(program, server)
    assert process.code == 1
    assert [row["status"] for row in read_rows(process)] == ["inactive", "suspended"]
    assert f"Contoso ({guid(1)}), Azure plan {guid(11).upper()}" in process.err


def test_a_deleted_plan_whose_entitlements_are_refused_is_no_error(program: Program, server: DiscoveryServer) -> None:
    server.add(1, plan(11, "deleted"))
    server.fixed_answers["/azureEntitlements"] = Answer.error(404, 20003)
    process = discover(program, server)
    assert process.code == 0, process.err
    assert [row["status"] for row in read_rows(process)] == ["deleted"]


def test_a_customer_whose_plan_cannot_be_read_at_present_gives_no_rows_at_all(
    program: Program, server: DiscoveryServer
) -> None:
    server.add(1, subscription(12), plan(11))
    server.fixed_answers["/azureEntitlements"] = Answer(500)
    process = discover(program, server, "--attempts", "2")
    assert process.code == 1
    assert read_rows(process) == []
    server.fixed_answers.clear()
    server.entitlements[11] = [entitlement(111)]
    assert len(read_rows(discover(program, server))) == 2


def test_an_azure_plan_is_known_by_its_offer_or_by_its_names(program: Program, server: DiscoveryServer) -> None:
    of_plans: list[dict[str, object]] = [
        {"offerId": "dzh318z0bps6:1"},
        {"productType": {"id": "AzurePlan"}},
        {"productType": {"id": "x", "displayName": "Azure Plan"}},
        {"offerName": "Microsoft azure plan"},
        {"offerName": "Azure reservation"},
    ]
    server.add(1, *(subscription(10 + number, "active", **members) for number, members in enumerate(of_plans)))
    discover(program, server)
    asked = [path.split("/")[-2].lower() for path in server.call_paths("/azureEntitlements")]
    assert asked == [guid(number) for number in (10, 11, 12, 13)]


def test_parents_come_before_their_children(program: Program, server: DiscoveryServer) -> None:
    server.add(
        1,
        subscription(13, parentSubscriptionId=guid(12)),
        subscription(12, parentSubscriptionId=guid(11).upper()),
        plan(14, "suspended"),
        subscription(11),
        subscription(15, parentSubscriptionId=guid(99)),
        subscription(16, parentSubscriptionId=guid(17)),
        subscription(17, parentSubscriptionId=guid(16)),
    )
    server.entitlements[14] = [entitlement(141), entitlement(142, "suspended")]
    process = discover(program, server)
    ids = [(row["entitlement_id"] or row["subscription_id"]).lower() for row in read_rows(process)]
    assert ids == [guid(number) for number in (14, 141, 142, 11, 12, 13, 15, 16, 17)]


def test_deadlines_are_shown_where_there_is_one(program: Program, server: DiscoveryServer) -> None:
    server.add(
        1,
        subscription(11, commitmentEndDateTime="9999-12-31T00:00:00Z"),
        subscription(12, commitmentEndDateTime="2031-03-05T10:00:00.1234567Z"),
        subscription(13, commitmentEndDateTime="0001-01-01T00:00:00"),
        subscription(14, commitmentEndDateTime="soon"),
        subscription(15, commitmentEndDateTime=7),
        subscription(16, commitmentEndDateTime="2031-03-05"),
    )
    process = discover(program, server)
    assert [row["deadline"] for row in read_rows(process)] == [
        "",
        "2031-03-05T10:00:00.1234567Z",
        "",
        "",
        "",
        "2031-03-05",
    ]
    assert "for good" not in process.err


def test_what_is_soon_deleted_for_good_is_warned_of(program: Program, server: DiscoveryServer) -> None:
    now = datetime.now(UTC)
    dates = [(now + timedelta(days=days)).isoformat() for days in (13, 3, 15, -1, 2, 1)]
    states = ["suspended", "suspended", "suspended", "suspended", "deleted", "expired"]
    listed = [
        subscription(10 + number, status, commitmentEndDateTime=date)
        for number, (status, date) in enumerate(zip(states, dates, strict=True))
    ]
    server.add(1, *listed, name="Contoso")
    process = discover(program, server)
    expected = f"2 will be permanently deleted within 14 days; the next on {dates[1][:10]}: Licences 11 of Contoso."
    assert expected in process.err


@pytest.mark.parametrize("out", ["found.csv", "found.xlsx"])
def test_the_file_is_an_input_file(program: Program, server: DiscoveryServer, out: str) -> None:
    portfolio(server)
    server.customers[1] = '=HYPERLINK("x")'
    process = discover(program, server, "--kind", "azure", "--out", out)
    assert process.code == 0, process.err
    assert process.out == ""
    assert f"bulkreact plan {out}" in process.err
    planned = program("plan", out, "--json")
    assert planned.code == 0, planned.err
    content = json.loads(planned.out)
    assert [target[2:] for target in content["targets"]] == [
        [guid(1), guid(11), guid(111)],
        [guid(1), guid(11), guid(113)],
    ]
    input_file = InputFile(program.folder / out, max_rows=9)
    assert input_file.header == ("customer_id", *COLUMNS[1:7], "input.status", "deadline")
    assert (program.folder / out).read_bytes().startswith(b"PK") is (out == "found.xlsx")
    (name, *_) = [row.cells[4] for row in input_file.rows()]
    assert name.endswith('=HYPERLINK("x")')
    assert name.startswith("'") is (out == "found.csv")


def test_a_partner_without_anything_inactive_gets_a_file_with_a_header_only(
    program: Program, server: DiscoveryServer
) -> None:
    server.add(1, subscription(11, "active"))
    process = discover(program, server, "--out", "found.csv")
    assert process.code == 0
    assert (program.folder / "found.csv").read_bytes() == ",".join(COLUMNS).encode() + b"\n"


@pytest.mark.parametrize(
    "options",
    [
        ("--out", "found.ods"),
        ("--out", "nowhere/found.csv"),
        ("--customer", guid(1), "--customers", "customers.csv"),
        ("--customers", "missing.csv"),
        ("--customers", "customers.csv", "--out", "./customers.csv"),
    ],
)
def test_usage_is_checked_before_any_call(program: Program, server: DiscoveryServer, options: tuple[str, ...]) -> None:
    (program.folder / "customers.csv").write_text(f"{guid(1)}\n")
    process = discover(program, server, *options)
    assert process.code == 2
    assert "Traceback" not in process.err
    assert server.calls == []
    assert (program.folder / "customers.csv").read_text() == f"{guid(1)}\n"


@pytest.mark.soak
def test_throttling_is_waited_out(program: Program, server: DiscoveryServer) -> None:
    portfolio(server)
    throttle = Answer(429, b"", {"Retry-After": "1"})
    server.answers["/customers"] = [throttle]
    server.answers["/subscriptions"] = [throttle, throttle]
    server.answers["/azureEntitlements"] = [throttle]
    process = discover(program, server, "--attempts", "1")
    assert process.code == 0, process.err
    assert len(read_rows(process)) == 5


def test_who_is_asked_to_wait_for_too_long_is_left_for_later(program: Program, server: DiscoveryServer) -> None:
    portfolio(server)
    server.fixed_answers[f"{guid(1)}/subscriptions"] = Answer(429, b"", {"Retry-After": "90000"})
    process = discover(program, server)
    assert process.code == 1
    assert {row["customer_id"] for row in read_rows(process)} == {guid(2)}
    assert "HTTP 429" in process.err
    assert len(stores(program)) > 0


def test_it_keeps_to_the_pace(program: Program, server: DiscoveryServer) -> None:
    for number in range(1, 6):
        server.add(number)
    process = program("discover", "--base-url", server.base_url, "--rate", "3/s", "--progress")
    assert process.code == 0, process.err
    assert "Reading customers" in process.err
    assert "5/5" in process.err


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(401), "HTTP 401"),
        (Answer.error(401, 900421), "900421"),
        (Answer.error(403, 900309), "900309"),
        (Answer.error(403, 2032), "2032"),
    ],
)
def test_refused_credentials_end_it(program: Program, server: DiscoveryServer, answer: Answer, message: str) -> None:
    server.fixed_answers["/customers"] = answer
    process = discover(program, server, "--out", "found.csv")
    assert process.code == 3
    assert message in process.err
    assert not (program.folder / "found.csv").exists()


def test_missing_permission_everywhere_ends_it(program: Program, server: DiscoveryServer) -> None:
    for number in range(1, 20):
        server.add(number)
    server.fixed_answers["/subscriptions"] = Answer.error(403, 2032)
    process = discover(program, server, "--concurrency", "1")
    assert process.code == 3
    assert len(server.call_paths("/subscriptions")) == 5
    server.fixed_answers.clear()
    assert discover(program, server).code == 0


def test_a_fatal_answer_in_the_middle_leaves_progress_behind(program: Program, server: DiscoveryServer) -> None:
    for number in range(1, 9):
        server.add(number, subscription(100 + number))
    server.fixed_answers[f"{guid(5)}/subscriptions"] = Answer.error(401, 900421)
    process = discover(program, server, "--out", "found.csv", "--concurrency", "1")
    assert process.code == 3
    assert not (program.folder / "found.csv").exists()
    server.fixed_answers.clear()
    before = len(server.call_paths("/subscriptions"))
    again = discover(program, server, "--out", "found.csv")
    assert again.code == 0, again.err
    assert len(server.call_paths("/subscriptions")) - before == 4
    assert len(read_csv(program.folder / "found.csv")) == 8


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_it_continues_where_it_was_stopped(program: Program, server: DiscoveryServer, number: int, code: int) -> None:
    for customer in range(1, 9):
        server.add(customer, subscription(100 + customer))
    server.blocked.add(f"{guid(5)}/subscriptions")
    old = ",".join(COLUMNS)
    (program.folder / "found.csv").write_text(old)
    command = ("discover", "--base-url", server.base_url, "--rate", "off", "--concurrency", "1", "--out", "found.csv")
    process = program.start(*command)
    wait_until(lambda: len(server.call_paths(f"{guid(5)}/subscriptions")) == 1)
    process.send_signal(number)
    if number != signal.SIGKILL:
        # The call in flight is allowed to end.
        server.blocked.clear()
    ended = program.wait(process)
    server.blocked.clear()
    assert ended.code == code
    assert (program.folder / "found.csv").read_text() == old
    assert [file.name for file in program.folder.glob("*found*")] == ["found.csv"]
    assert all(stat.S_IMODE(file.stat().st_mode) & 0o077 == 0 for file in stores(program))
    server.calls.clear()
    again = program(*command)
    assert again.code == 0, again.err
    assert "had been read since" in again.err
    assert guid(4) not in "".join(server.call_paths())
    assert "/v1/customers" not in server.call_paths()
    assert [row["customer_id"] for row in read_csv(program.folder / "found.csv")] == [
        guid(number) for number in range(1, 9)
    ]
    assert stores(program) == []


@pytest.mark.parametrize(
    "instant",
    [
        ("bulkreact.batch.discovery.store.DiscoveryStore.set_customers", 1, 1),
        ("bulkreact.batch.journal.writer.Writer._commit_group", 1, 2),
        ("bulkreact.sheets.output.discovery_file.write", 1, 1),
        ("bulkreact.batch.discovery.store.delete", 1, 1),
    ],
    ids=["the customers are recorded", "two customers are read", "the file is written", "the progress is removed"],
)
def test_the_same_command_completes_what_was_killed(
    program: Program, server: DiscoveryServer, instant: tuple[str, int, int]
) -> None:
    for number in range(1, 5):
        server.add(number, subscription(100 + number))
    chosen = [argument for number in range(1, 5) for argument in ("--customer", guid(number))]
    command = ("discover", "--base-url", server.base_url, "--rate", "off", "--concurrency", "1", *chosen)
    kill_at(program, instant, *command, "--out", "found.csv")
    before = len(server.calls)
    process = program(*command, "--out", "found.csv")
    assert process.code == 0, process.err
    rows = read_csv(program.folder / "found.csv")
    assert [row["customer_id"] for row in rows] == [guid(number) for number in range(1, 5)]
    assert stores(program) == []
    if "delete" not in instant[0]:
        assert len(server.calls) == 4 + (before == 3)


def test_a_second_signal_stops_at_once(program: Program, server: DiscoveryServer) -> None:
    server.add(1)
    server.blocked.add("/subscriptions")
    process = program.start("discover", "--base-url", server.base_url)
    wait_until(lambda: bool(server.call_paths("/subscriptions")))
    process.send_signal(signal.SIGINT)
    assert process.stderr
    # Two signals of a kind that come too soon after each other are one.
    messages = [process.stderr.readline() for _ in range(2)]
    assert "allowed to end" in messages[1]
    process.send_signal(signal.SIGINT)
    ended = program.wait(process)
    server.blocked.clear()
    assert ended.code == 130
    assert "nothing was written" in ended.err


def test_a_partner_without_customers_gets_a_header_only(program: Program, server: DiscoveryServer) -> None:
    process = discover(program, server)
    assert (process.code, process.out) == (0, ",".join(COLUMNS) + "\n")


def test_new_starts_from_the_beginning(program: Program, server: DiscoveryServer) -> None:
    portfolio(server)
    server.fixed_answers[f"{guid(2)}/subscriptions"] = Answer(503)
    assert discover(program, server, "--attempts", "1").code == 1
    server.fixed_answers.clear()
    server.subscriptions[1] = [subscription(12, "active")]
    server.calls.clear()
    process = discover(program, server, "--new")
    assert process.code == 0
    assert {row["customer_id"] for row in read_rows(process)} == {guid(2)}
    assert len(server.call_paths("/subscriptions")) == 2


def test_a_damaged_store_is_reported_and_can_be_replaced(program: Program, server: DiscoveryServer) -> None:
    portfolio(server)
    server.fixed_answers[f"{guid(2)}/subscriptions"] = Answer(503)
    discover(program, server, "--attempts", "1")
    (store,) = (program.folder / "reports").glob("discover-*.sqlite3")
    store.write_bytes(b"x" * 4096)
    refused = discover(program, server)
    assert refused.code == 2
    assert "--new" in refused.err
    server.fixed_answers.clear()
    assert discover(program, server, "--new").code == 0


def test_another_run_against_the_partner_excludes_it(program: Program, server: DiscoveryServer) -> None:
    server.add(1)
    server.blocked.add("/subscriptions")
    process = program.start("discover", "--base-url", server.base_url)
    wait_until(lambda: bool(server.call_paths("/subscriptions")))
    beside = discover(program, server)
    server.blocked.clear()
    assert program.wait(process).code == 0
    assert beside.code == 5
    assert "a discovery" in beside.err


def test_without_credentials_nothing_is_asked(program: Program, server: DiscoveryServer) -> None:
    program.environment["BULKREACT_ACCESS_TOKEN"] = ""
    assert discover(program, server).code == 2
    assert server.calls == []


def test_quiet_says_nothing_on_success_and_names_what_is_broken(program: Program, server: DiscoveryServer) -> None:
    portfolio(server)
    assert discover(program, server, "-q").err == ""
    server.fixed_answers[f"{guid(1)}/subscriptions"] = Answer.error(403, 20002)
    assert guid(1) in discover(program, server, "-q").err


def test_the_token_is_nowhere(program: Program, server: DiscoveryServer) -> None:
    portfolio(server)
    server.customers[1] = f"Contoso {CANARY}"
    server.fixed_answers[f"{guid(2)}/subscriptions"] = Answer(503, f"failed with Bearer {CANARY}".encode())
    process = discover(program, server, "--attempts", "1", "--out", "found.csv")
    assert process.code == 1
    assert CANARY not in process.out + process.err
    written = [file for file in program.folder.rglob("*") if file.is_file()]
    assert len(written) > 2
    assert not [file for file in written if CANARY.encode() in file.read_bytes()]


def test_odd_answers_break_nothing(program: Program, server: DiscoveryServer) -> None:
    bodies = [
        b"{",
        b"{}",
        b"null",
        b'{"items": 7}',
        b'{"items": [7, null, {"id": 7}, {"id": "no guid"}, {"id": [1]}]}',
        b'{"totalCount": 0}',
        json.dumps({"Items": [{"Id": guid(61), "Status": "Suspended"}]}).encode("utf-16"),
        json.dumps({"items": [{"id": guid(71)}, {"id": guid(71), "status": "active"}]}).encode(),
        b'{"items": [{"id": "\\ud800"}], "links": 7, "continuationToken": {}}',
    ]
    for number, body in enumerate(bodies):
        server.add(number)
        server.fixed_answers[f"{guid(number)}/subscriptions"] = Answer(200, body)
    process = discover(program, server, "--attempts", "1")
    assert process.code == 1
    assert [(row["customer_id"], row["status"]) for row in read_rows(process)] == [
        (guid(6), "Suspended"),
        (guid(7), ""),
    ]
    unreadable = [line for line in process.err.splitlines() if line.startswith("  Customer")]
    assert unreadable == [f"  Customer {number} ({guid(number)})" for number in (0, 1, 2, 3, 4, 8)]
    assert "without a usable id: 6" in process.err


def test_long_lists_are_read_to_their_end(program: Program, server: DiscoveryServer) -> None:
    # More than is read of any other answer.
    server.add(1, *(subscription(number, "active", note="x" * 1000) for number in range(2000)), subscription(2000))
    process = discover(program, server)
    assert process.code == 0, process.err
    assert [row["subscription_id"] for row in read_rows(process)] == [guid(2000).upper()]


def test_few_customers_are_under_way_at_a_time(program: Program, server: DiscoveryServer) -> None:
    for number in range(1, 9):
        server.add(number, plan(10 * number))
    assert discover(program, server, "--concurrency", "1").code == 0
    order = [path.split("/")[3] for path in server.call_paths()[1:]]
    last = {customer: index for index, customer in enumerate(order)}
    assert all(last[guid(number)] < order.index(guid(number + 2)) for number in range(1, 7))


def test_simulated_customers_become_an_input_that_can_be_planned(program: Program) -> None:
    process = program("discover", "--simulate", "--out", "found.csv")
    assert process.code == 0, process.err
    planned = program("plan", "found.csv", "--json")
    assert planned.code == 0, planned.err
    plan = json.loads(planned.out)
    assert plan["valid"] == len(read_csv(program.folder / "found.csv")) > 8
    assert set(plan["kinds"]) == {"azure", "subscription"}
    assert plan["deadlines"]


def test_what_was_discovered_runs_and_is_not_discovered_again(program: Program, partner: Partner) -> None:
    where = ("--base-url", partner.base_url, "--rate", "off")
    assert program("discover", *where, "--out", "found.csv").code == 0
    rows = read_csv(program.folder / "found.csv")
    inactive = [row for row in rows if row["status"] in {"suspended", "inactive"}]
    process = program("run", "found.csv", *where, "--yes", "--verify", "--verify-after", "0", "--verify-every", "0.2s")
    ended = {row["row"]: row["status"] for row in read_csv(process.run / "results.csv")}
    assert sum(status == "reactivated" for status in ended.values()) == len(inactive) > 8
    remaining = read_rows(program("discover", *where))
    assert {row["status"] for row in remaining} == {row["status"] for row in rows} - {"suspended", "inactive"}
    assert partner.service.call_log.violations == []


@pytest.mark.soak
def test_many_customers_with_faults_are_read_completely(
    program: Program, start_partner: Callable[[Behaviour], Partner]
) -> None:
    usual, faulty = start_partner(Behaviour(customers=520)), start_partner(Behaviour(customers=520, fault_share=0.05))
    expected = program("discover", "--base-url", usual.base_url, "--rate", "off")
    process = program("discover", "--base-url", faulty.base_url, "--rate", "off", "--attempts", "9", "--timeout", "5")
    assert (expected.code, process.code) == (0, 0), process.err
    assert len({row["customer_id"] for row in read_rows(process)}) == 520
    assert process.out == expected.out
    for partner in (usual, faulty):
        assert partner.service.call_log.violations == []
        assert partner.service.call_log.effects == []
        assert {call["method"] for call in partner.service.call_log.calls} == {"GET"}


@pytest.mark.soak
def test_broken_customers_of_the_simulator_are_each_named(
    program: Program, start_partner: Callable[[Behaviour], Partner]
) -> None:
    partner = start_partner(Behaviour(broken_customers=11))
    # Long enough for all others to be read: two throttled customers at once look as if the partner was.
    patience = ("--attempts", "3", "--max-throttle", "20s")
    process = program("discover", "--base-url", partner.base_url, "--rate", "off", *patience)
    assert process.code == 1
    named = [line for line in process.err.splitlines() if line.startswith("      HTTP")]
    assert sorted(line.split(":")[0].split()[2] for line in named) == [
        *("20002", "2032", "60003", "900159", "http-404", "http-429", "http-500")
    ]


def test_a_token_that_is_refused_is_renewed(program: Program, authority: Authority) -> None:
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    authority.service.behaviour = Behaviour(customers=3, partner_limit=3, window=1)
    process = program.start("discover", "--rate", "off", "--concurrency", "1")
    wait_until(lambda: len(authority.service.call_log.calls) >= 2)
    authority.directory.revoke_access_tokens()
    ended = program.wait(process)
    assert ended.code == 0, ended.err
    assert len({row["customer_id"] for row in read_rows(ended)}) == 3


@pytest.mark.parametrize(
    ("criteria", "chosen", "name"),
    [
        (DiscoveryFilter(), None, "discover-2575447f8d50.sqlite3"),
        (DiscoveryFilter(), ChosenCustomers(("a", "b"), frozenset({("x", "y")})), "discover-875f1bac26db.sqlite3"),
        (DiscoveryFilter(subscriptions=False, active=True), None, "discover-cc2b7beb7b46.sqlite3"),
    ],
)
def test_progress_of_earlier_versions_is_found_again(
    criteria: DiscoveryFilter, chosen: ChosenCustomers | None, name: str
) -> None:
    service = Service(Cloud.GLOBAL, "https://x", "v1", simulated=False)
    assert store_path(Path("r"), service, "t", criteria, chosen) == Path("r") / name
