"""Customers and subscriptions over the line: what the simulator checks, records and answers there."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter
from bulkreact.simulator.server import serve
from tests.support.ids import guid, scenario_id
from tests.support.program import Program
from tests.support.subscription_client import CUSTOMER, activate, enable_auto_renew, text_of

PATH = f"/v1/customers/{CUSTOMER}/subscriptions"


class Caller:
    """Calls the simulator as any client would; answers are kept as status, body and headers."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, service: PartnerCenter) -> None:
        self.session = session
        self.base_url = base_url
        self.service = service
        self._numbers = iter(range(50_000, 60_000))

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        body: str | None = None,
        headers: dict[str, str] | None = None,
        request_id: str | None = None,
    ) -> tuple[int, bytes, dict[str, str]]:
        sent_headers = {
            "Authorization": "Bearer x",
            "Accept": "application/json",
            "MS-RequestId": request_id or guid(next(self._numbers)),
            "MS-CorrelationId": guid(next(self._numbers)),
            "MS-Contract-Version": "v1",
            "MS-PartnerCenter-Application": "bulkreact",
            "X-Locale": "en-US",
            **({} if body is None else {"Content-Type": "application/json"}),
            **(headers or {}),
        }
        data = None if body is None else body.encode()
        url = path if path.startswith("http") else self.base_url + path
        async with self.session.request(method, url, headers=sent_headers, data=data, allow_redirects=False) as answer:
            return answer.status, await answer.read(), dict(answer.headers)

    async def text(self, subscription_id: str) -> str:
        """Read a subscription."""
        return text_of((await self("GET", f"{PATH}/{subscription_id}"))[1])

    async def update(
        self, subscription_id: str, text: str, request_id: str | None = None
    ) -> tuple[int, dict[str, str]]:
        """Update a subscription."""
        status, _, headers = await self("PATCH", f"{PATH}/{subscription_id}", body=text, request_id=request_id)
        return status, headers


async def _call(rules: Behaviour) -> AsyncIterator[Caller]:
    async with serve(rules) as (base_url, service), aiohttp.ClientSession() as session:
        session._retry_connection = False
        yield Caller(session, base_url, service)


@pytest.fixture
async def call() -> AsyncIterator[Caller]:
    async for caller in _call(Behaviour(activation_delay=0)):
        yield caller


@pytest.fixture
async def call_limited() -> AsyncIterator[Caller]:
    async for caller in _call(Behaviour(partner_limit=5, customer_limit=3)):
        yield caller


async def test_a_subscription_is_read_updated_and_renews_again(call: Caller) -> None:
    status, body, headers = await call("GET", f"{PATH}/{guid(5)}")
    assert (status, headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert body.startswith(b"\xef\xbb\xbf{")
    assert (await call.update(guid(5), activate(text_of(body)), guid(1)))[0] == 200
    assert (await call.update(guid(5), enable_auto_renew(await call.text(guid(5))), guid(2)))[0] == 200
    assert '"autoRenewEnabled":true' in await call.text(guid(5))
    assert call.service.call_log.violations == []
    assert [effect["request_id"] for effect in call.service.call_log.effects] == [guid(1), guid(2)]


async def test_calls_are_recorded_with_answers_effects_and_queries(call: Caller) -> None:
    text = await call.text(guid(5))
    await call.update(guid(5), activate(text), guid(1))
    await call.update(guid(5), activate(text), guid(1))
    await call("GET", PATH)
    await call("GET", "/v1/customers?size=2")
    calls = call.service.call_log.calls
    assert [(call["method"], call["answer"], call["effect"]) for call in calls] == [
        ("GET", "200", ""),
        ("PATCH", "200", "yes"),
        ("PATCH", "200", ""),
        ("GET", "200", ""),
        ("GET", "200", ""),
    ]
    assert [str(call["path"]) for call in calls] == [*[f"{PATH}/{guid(5)}"] * 3, PATH, "/v1/customers"]
    assert [call.get("query") for call in calls] == [None, None, None, None, "size=2"]


async def test_a_lost_update_took_effect_and_is_replayed_to_the_same_request_id(call: Caller) -> None:
    text = activate(await call.text(scenario_id(599)))
    with pytest.raises(aiohttp.ClientError):
        await call.update(scenario_id(599), text, guid(1))
    assert (await call.update(scenario_id(599), text, guid(1)))[0] == 200
    assert (len(call.service.call_log.effects), call.service.call_log.violations) == (1, [])


async def test_a_lost_restoration_took_effect_and_is_replayed_to_the_same_request_id(call: Caller) -> None:
    await call.update(scenario_id(6003), activate(await call.text(scenario_id(6003))))
    text = enable_auto_renew(await call.text(scenario_id(6003)))
    with pytest.raises(aiohttp.ClientError):
        await call.update(scenario_id(6003), text, guid(1))
    assert (await call.update(scenario_id(6003), text, guid(1)))[0] == 200
    assert (len(call.service.call_log.effects), call.service.call_log.violations) == (2, [])


async def test_a_dropped_reading_is_read_the_next_time(call: Caller) -> None:
    with pytest.raises(aiohttp.ClientError):
        await call.text(scenario_id(9_000_599))
    assert '"status":"suspended"' in await call.text(scenario_id(9_000_599))


async def test_what_is_said_of_a_legacy_subscription_needs_its_etag(call: Caller) -> None:
    text = await call.text(scenario_id(7000))
    assert (await call.update(scenario_id(7000), activate(text)))[0] == 412
    if_match = {"If-Match": f'"{json.loads(text)["attributes"]["etag"]}"'}
    answer = await call("PATCH", f"{PATH}/{scenario_id(7000)}", body=activate(text), headers=if_match)
    assert answer[0] == 200
    assert call.service.call_log.violations == [f"PATCH of {scenario_id(7000)}: If-Match is missing"]


@pytest.mark.parametrize("method", ["GET", "PATCH"])
@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({"Authorization": ""}, f"{PATH}/{guid(5)}", 401),
        ({}, f"{PATH}/x", 400),
        ({"X-Locale": ""}, f"{PATH}/{guid(5)}", 200),
    ],
)
async def test_tokens_and_ids_are_checked(
    call: Caller, method: str, headers: dict[str, str], path: str, status: int
) -> None:
    body = None if method == "GET" else activate(await call.text(guid(5)))
    assert (await call(method, path, headers=headers, body=body))[0] == status


@pytest.mark.parametrize("path", [f"{PATH}/{guid(5)}", PATH, "/v1/customers", f"{PATH}/{guid(5)}/operations/{guid(6)}"])
async def test_missing_headers_are_a_violation(call: Caller, path: str) -> None:
    await call("GET", path, headers={"Accept": "*/*"})
    assert call.service.call_log.violations == ["Accept is missing or wrong"]


async def test_all_calls_count_against_the_limits(call_limited: Caller) -> None:
    paths = [f"{PATH}/{guid(5)}", PATH, f"{PATH}/{guid(5)}", PATH]
    assert [(await call_limited("GET", path))[0] for path in paths] == [200, 200, 200, 429]
    assert [(await call_limited("GET", "/v1/customers"))[0] for _ in range(2)] == [200, 429]


@pytest.mark.parametrize(
    ("number", "prefix", "status"),
    [(202, "/v1", 200), (2202, "/v1/", 200), (3202, "", 200), (5202, "/v1", 200), (6202, "/v1", 404)],
)
async def test_a_location_of_this_host_is_the_resource(call: Caller, number: int, prefix: str, status: int) -> None:
    accepted, headers = await call.update(scenario_id(number), activate(await call.text(scenario_id(number))))
    assert (accepted, (await call("GET", prefix + headers["Location"]))[0]) == (202, status)
    assert call.service.call_log.violations == []


async def test_a_call_of_a_location_on_another_host_is_a_violation(call: Caller) -> None:
    _, headers = await call.update(scenario_id(4202), activate(await call.text(scenario_id(4202))))
    location = headers["Location"]
    assert location.startswith("http://localhost:")
    assert (await call("GET", location))[0] == 404
    assert call.service.call_log.violations == ["a Location on another host was called"]


async def test_pages_are_turned_with_token_and_seek_operation(call: Caller) -> None:
    _, body, _ = await call("GET", "/v1/customers?size=2")
    following = json.loads(text_of(body))["links"]["next"]
    headers = {header["key"]: header["value"] for header in following["headers"]}
    status, body, _ = await call("GET", "/v1" + following["uri"], headers=headers)
    content = json.loads(text_of(body))
    assert (status, len(content["items"]), list(content["links"])) == (200, 1, ["self"])
    assert call.service.call_log.violations == []


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("size=2&seekOperation=Next", {}),
        ("size=2", {"MS-ContinuationToken": "x"}),
        ("size=2&seekOperation=next", {"MS-ContinuationToken": "x"}),
        ("size=2&seekOperation=Next", {"MS-ContinuationToken": "x"}),
    ],
)
async def test_pages_without_the_right_token_are_refused(call: Caller, query: str, headers: dict[str, str]) -> None:
    assert (await call("GET", f"/v1/customers?{query}", headers=headers))[0] == 400
    (complaint,) = call.service.call_log.violations
    assert "MS-ContinuationToken" in complaint


@pytest.mark.parametrize(
    ("size", "status"), [("1", 200), ("500", 200), ("0", 400), ("501", 400), ("x", 400), ("", 400)]
)
async def test_pages_have_one_to_five_hundred_customers(call: Caller, size: str, status: int) -> None:
    assert (await call("GET", f"/v1/customers?size={size}"))[0] == status


async def test_the_list_of_a_broken_customer_is_refused(call: Caller) -> None:
    path = f"/v1/customers/{scenario_id(20002)}/subscriptions"
    status, body, _ = await call("GET", path)
    assert (status, b"20002" in body) == (403, True)


async def test_the_command_lists_as_many_customers_as_the_option_says(program: Program) -> None:
    process = program.start(
        "simulator",
        "--port",
        "0",
        "--customers",
        "5",
        "--broken-customers",
        "2",
        "--paging",
        "tokens",
        "--page-size",
        "2",
    )
    assert process.stdout
    base_url = process.stdout.readline().strip()
    async with aiohttp.ClientSession() as session:
        call = Caller(session, base_url, PartnerCenter(Behaviour(), float))
        _, body, _ = await call("GET", "/v1/customers?size=500")
        content = json.loads(text_of(body))
        assert (len(content["items"]), "continuationToken" in content) == (2, True)
    process.terminate()
    assert program.wait(process).code == 0
