"""Lists as they come over the wire: whatever the bytes, there is a verdict, and a link never leads out of its list."""

import codecs
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.batch.discovery.listing import CustomerTask, DiscoveryFilter, parents_first
from bulkreact.batch.discovery.paginator import Paginator
from bulkreact.models import Answer, Call, NoResponse, Response
from bulkreact.partnercenter import paging
from bulkreact.partnercenter.paging import (
    CustomerEntry,
    Page,
    PageLink,
    SubscriptionEntry,
    build_page_request,
    judge_page,
)
from bulkreact.partnercenter.subscription import parse_deadline
from bulkreact.partnercenter.verdicts import Accepted, Refused, Throttled, Transient, Verdict
from bulkreact.settings import Cloud, Service
from tests.support.ids import AT, guid

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SERVICE = Service(Cloud.GLOBAL, "https://partner.example", "v1", simulated=False)
CUSTOMERS, SUBSCRIPTIONS = paging.customers(), paging.subscriptions(guid(1))
ENTITLEMENTS = paging.entitlements(guid(1), guid(2))
CALL = Call(0, guid(8), guid(9), AT, AT, Answer(200, "", "", business=True))
NAMES = st.sampled_from(
    [
        "items",
        "Items",
        "id",
        "status",
        "links",
        "next",
        "uri",
        "headers",
        "key",
        "value",
        "companyProfile",
        "productType",
        "totalCount",
        "continuationToken",
        "commitmentEndDateTime",
        "parentSubscriptionId",
        "method",
        "friendlyName",
    ]
)
WIRE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(guid(1)),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES | st.text(), inner),
    max_leaves=30,
)


def make_response(content: object) -> Response:
    """Return an answer with some JSON, or bytes."""
    return Response(200, "OK", {}, content if isinstance(content, bytes) else json.dumps(content).encode())


def judge_next_link(uri: object, **more: object) -> tuple[Verdict, Page[CustomerEntry] | None]:
    """Judge an empty page with a link to the next."""
    content = make_response({"items": [], "links": {"next": {"uri": uri, **more}}})
    return judge_page(CUSTOMERS, content, SERVICE, now=NOW)


@given(st.integers(100, 599), st.binary(max_size=200) | WIRE.map(lambda value: json.dumps(value).encode("utf-8-sig")))
def test_there_is_a_verdict_for_every_status_and_any_bytes(status: int, body: bytes) -> None:
    reply = Response(status, "", {}, body)
    judged: list[tuple[Verdict, object]] = [
        judge_page(CUSTOMERS, reply, SERVICE, now=NOW),
        judge_page(SUBSCRIPTIONS, reply, SERVICE, now=NOW),
        judge_page(ENTITLEMENTS, reply, SERVICE, now=NOW),
    ]
    assert [isinstance(verdict, Accepted) for verdict, _ in judged] == [page is not None for _, page in judged]


@given(
    st.text(max_size=60)
    | st.sampled_from(["http://[", "//x", "\\\\x\\y", "https://partner.example:99999/v1/customers"])
)
def test_no_link_is_followed_out_of_its_list(uri: str) -> None:
    verdict, page = judge_next_link(uri)
    if page and page.next:
        request = build_page_request(CUSTOMERS, page.next, SERVICE, request_id=guid(1), correlation_id=guid(2))
        assert request.path.partition("?")[0] == "/v1/customers"
        assert request.path.isascii()
        assert request.path.isprintable()
    else:
        assert page or isinstance(verdict, Refused)


@pytest.mark.parametrize(
    "uri",
    [
        "https://elsewhere.example/v1/customers?a=b",
        "http://partner.example/v1/customers?a=b",
        "https://partner.example:8443/v1/customers?a=b",
        "https://partner.example@elsewhere.example/v1/customers",
        "//elsewhere.example/v1/customers",
        "/v1/customers/../invoices",
        "/v1/invoices?a=b",
        "/v1/customers/x/subscriptions",
        "javascript:customers",
        "?a=b",
    ],
)
def test_a_link_to_elsewhere_is_refused(uri: str) -> None:
    verdict, page = judge_next_link(uri)
    assert page is None
    assert isinstance(verdict, Refused)
    assert verdict.answer.code == "broken-paging"


@pytest.mark.parametrize("uri", ["/customers?a=b c", "customers?a=b c", "/v1/customers?a=b c", "/v1/CUSTOMERS/?a=b c"])
def test_a_link_within_the_list_is_followed_by_its_query_alone(uri: str) -> None:
    _, page = judge_next_link(uri, headers=[{"Key": "MS-ContinuationToken", "Value": "t"}])
    assert page
    assert page.next == PageLink("a=b%20c", (("MS-ContinuationToken", "t"),))


def test_a_base_url_with_a_path_is_taken_off() -> None:
    service = Service(Cloud.GLOBAL, "https://partner.example/gate", "v2", simulated=False)
    body = json.dumps({"items": [], "links": {"next": {"uri": "https://partner.example/gate/v2/customers?x"}}}).encode()
    _, page = judge_page(paging.customers(), Response(200, "", {}, body), service, now=NOW)
    assert page
    assert page.next == PageLink("x")


def test_a_link_that_writes_or_has_an_unfit_header_is_refused() -> None:
    assert judge_next_link("/customers", method="POST")[1] is None
    assert judge_next_link("/customers", headers=[{"key": "MS-ContinuationToken", "value": "a\r\nb: c"}])[1] is None


def test_a_page_of_a_proxy_is_no_answer() -> None:
    verdict, page = judge_page(CUSTOMERS, make_response(b"<html>Sign in</html>"), SERVICE, now=NOW)
    assert page is None
    assert isinstance(verdict, Transient)
    assert verdict.answer.code == "unreadable-answer"


def test_a_page_with_too_many_entries_is_refused() -> None:
    verdict, page = judge_page(CUSTOMERS, make_response({"items": [{}] * 60_000}), SERVICE, now=NOW)
    assert page is None
    assert isinstance(verdict, Refused)
    assert (verdict.answer.code, verdict.answer.description) == (
        "broken-paging",
        "a page of the list has more than 50,000 entries",
    )


def test_a_damaged_list_is_not_quoted() -> None:
    verdict, page = judge_page(CUSTOMERS, make_response(b'{"items": [{"id": "secret'), SERVICE, now=NOW)
    assert page is None
    assert verdict.answer.description == "the list is damaged, broken off, or longer than can be read"


def test_what_is_no_success_means_what_it_means_everywhere() -> None:
    lost = NoResponse(sent=True, code="timed-out", description="x")
    throttled = Response(429, "", {"retry-after": "7"}, b"")
    assert isinstance(judge_page(paging.customers(), lost, SERVICE, now=NOW)[0], Transient)
    assert judge_page(paging.customers(), throttled, SERVICE, now=NOW)[0] == Throttled(
        judge_page(paging.customers(), throttled, SERVICE, now=NOW)[0].answer, 7
    )


def test_a_subscription_is_read_in_older_spelling_too() -> None:
    content = {
        "Items": [
            {
                "Id": guid(1).upper(),
                "FriendlyName": " a\tb ",
                "OfferName": "c",
                "Status": "Suspended",
                "CommitmentEndDateTime": "2027-01-01T00:00:00Z",
                "ParentSubscriptionId": guid(2),
                "ProductType": {"Id": "x", "DisplayName": "Azure plan"},
            }
        ]
    }
    body = codecs.BOM_UTF16_LE + json.dumps(content).encode("utf-16-le")
    _, page = judge_page(SUBSCRIPTIONS, make_response(body), SERVICE, now=NOW)
    assert page
    assert page.entries == (
        SubscriptionEntry(guid(1).upper(), "a b", "c", "Suspended", "2027-01-01T00:00:00Z", guid(2), azure_plan=True),
    )


@given(st.text(max_size=40))
def test_a_deadline_is_a_time_or_nothing(text: str) -> None:
    content = {"items": [{"id": guid(1), "commitmentEndDateTime": text}]}
    _, page = judge_page(SUBSCRIPTIONS, make_response(content), SERVICE, now=NOW)
    assert page
    (entry,) = page.entries
    assert not entry.deadline or parse_deadline(entry.deadline)


def entry(number: int, parent: int | None) -> SubscriptionEntry:
    """Return a subscription below another one."""
    return SubscriptionEntry(guid(number), "", "", "", "", guid(parent) if parent is not None else "", azure_plan=False)


@given(st.lists(st.none() | st.integers(0, 12), max_size=10))
def test_every_subscription_comes_once_and_after_its_parent(parents: list[int | None]) -> None:
    entries = [entry(number, parent) for number, parent in enumerate(parents)]
    ordered = parents_first(entries)
    assert sorted(subscription.id for subscription in ordered) == sorted(subscription.id for subscription in entries)
    positions = {subscription.id: position for position, subscription in enumerate(ordered)}
    ancestors = {subscription.id: subscription.parent_id for subscription in entries}

    def has_root(entry_id: str) -> bool:
        seen = set()
        while entry_id in ancestors and entry_id not in seen:
            seen.add(entry_id)
            entry_id = ancestors[entry_id]
        return entry_id not in ancestors

    assert all(
        positions[subscription.parent_id] < positions[subscription.id]
        for subscription in entries
        if subscription.parent_id in positions and has_root(subscription.id)
    )


def test_a_list_ends_after_so_many_pages_that_bring_nothing_new() -> None:
    cursor = Paginator(paging.customers())
    verdicts = []
    for number in range(25):
        link = {"uri": "/customers", "headers": {"MS-ContinuationToken": str(number)}}
        body = json.dumps({"items": [{"id": guid(1)}], "links": {"next": link}}).encode()
        verdicts.append(cursor.judge(Response(200, "", {}, body), SERVICE, now=NOW))
    assert [isinstance(verdict, Refused) for verdict in verdicts].index(True) == 20
    assert len(cursor.entries) == 1


def test_a_list_ends_after_so_many_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulkreact.batch.discovery.paginator._MAX_ENTRIES", 100)
    cursor, verdicts = Paginator(paging.customers()), []
    for number in range(5):
        items = [{"id": guid(40 * number + index)} for index in range(40)]
        verdicts.append(cursor.judge(make_response({"items": items, "continuationToken": number}), SERVICE, now=NOW))
    assert [isinstance(verdict, Refused) for verdict in verdicts] == [False, False, True, True, True]
    assert verdicts[2].answer.description == "the list does not end"


def test_only_wanted_subscriptions_are_looked_into() -> None:
    discovery_filter = DiscoveryFilter(only=frozenset({guid(12)}))
    reading = CustomerTask(1, guid(1), discovery_filter)
    plans = [{"id": guid(number).upper(), "offerName": "Azure plan", "status": "active"} for number in (11, 12)]
    reading.judge(Response(200, "", {}, json.dumps({"items": plans}).encode()), SERVICE, now=NOW)
    reading.advance(CALL)
    path = reading.cursor.request(SERVICE, request_id=guid(8), correlation_id=guid(9)).path
    assert path == f"/v1/customers/{guid(1)}/subscriptions/{guid(12)}/azureEntitlements"
    below = [{"id": guid(121), "status": "active"}, {"id": guid(122), "status": "x"}]
    reading.judge(Response(200, "", {}, json.dumps({"items": below}).encode()), SERVICE, now=NOW)
    reading.advance(CALL)
    assert reading.finished
    assert [(row_target.subscription_id.lower(), row_target.entitlement_id) for row_target in reading.targets()] == [
        (guid(12), ""),
        (guid(12), guid(122)),
    ]
