"""The simulator is what the other tests lean on, so it is tested by itself."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from ids import fated, guid, target

from bulkreact.simulator.fates import FATES
from bulkreact.simulator.server import serve
from bulkreact.simulator.world import Rules, World


class Visitor:
    """Calls the simulator as any client would."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, world: World) -> None:
        self._session = session
        self._base_url = base_url
        self.world = world
        self._correlations = iter(range(50_000, 60_000))

    async def __call__(
        self,
        method: str,
        entitlement: str,
        *,
        request_id: int = 1,
        customer: int = 1,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes, dict[str, str]]:
        one = target(entitlement, customer)
        path = f"/v1/customers/{one.customer_id}/subscriptions/{one.subscription_id}/azureEntitlements/{entitlement}"
        given = {
            "Authorization": "Bearer x",
            "Accept": "application/json",
            "MS-RequestId": guid(request_id),
            "MS-CorrelationId": guid(next(self._correlations)),
            "MS-Contract-Version": "v1",
            "MS-PartnerCenter-Application": "bulkreact",
            "X-Locale": "en-US",
            **(headers or {}),
        }
        url = self._base_url + path + ("/reactivate" if method == "POST" else "")
        async with self._session.request(
            method, url, headers=given, allow_redirects=False, skip_auto_headers=["Content-Type"]
        ) as answer:
            return answer.status, await answer.read(), dict(answer.headers)

    async def post(self, entitlement: str, request_id: int = 1, customer: int = 1) -> int:
        return (await self("POST", entitlement, request_id=request_id, customer=customer))[0]


async def _visit(rules: Rules) -> AsyncIterator[Visitor]:
    async with serve(rules) as (base_url, world), aiohttp.ClientSession() as session:
        yield Visitor(session, base_url, world)


@pytest.fixture
async def visit() -> AsyncIterator[Visitor]:
    async for visitor in _visit(Rules(activation_delay=0)):
        yield visitor


@pytest.fixture
async def visit_limited() -> AsyncIterator[Visitor]:
    async for visitor in _visit(Rules(partner_limit=5, customer_limit=3, window=60)):
        yield visitor


async def test_a_plain_entitlement_is_accepted_without_a_body_and_then_active(visit: Visitor) -> None:
    status, body, headers = await visit("POST", guid(5))
    assert (status, body) == (202, b"")
    assert headers["MS-RequestId"] == guid(1)
    status, body, _ = await visit("GET", guid(5))
    assert status == 200
    assert body.startswith(b"\xef\xbb\xbf{")
    assert b'"status":"active"' in body
    assert visit.world.ledger.complaints == []


async def test_a_repeated_request_id_takes_effect_once_and_gets_the_same_answer(visit: Visitor) -> None:
    assert [await visit.post(guid(5)) for _ in range(3)] == [202, 202, 202]
    assert len(visit.world.ledger.effects) == 1


async def test_another_request_id_for_what_is_active_is_refused(visit: Visitor) -> None:
    assert [await visit.post(guid(5), request_id=number) for number in (1, 2)] == [202, 400]


async def test_a_request_id_for_two_targets_is_complained_about(visit: Visitor) -> None:
    await visit.post(guid(5))
    await visit.post(guid(6))
    assert visit.world.ledger.complaints == [f"request id {guid(1)} was used for two targets"]


async def test_a_lost_answer_took_effect_and_is_told_to_the_same_request_id(visit: Visitor) -> None:
    with pytest.raises(aiohttp.ClientError):
        await visit.post(fated(599))
    assert len(visit.world.ledger.effects) == 1
    assert await visit.post(fated(599)) == 202
    assert len(visit.world.ledger.effects) == 1


async def test_a_forgotten_request_id_is_answered_like_a_second_call(visit: Visitor) -> None:
    with pytest.raises(aiohttp.ClientError):
        await visit.post(fated(2599))
    status, body, _ = await visit("POST", fated(2599))
    assert (status, b"900337" in body) == (400, True)
    assert b'"active"' in (await visit("GET", fated(2599)))[1]


@pytest.mark.parametrize("number", sorted(set(FATES) - {598, 599, 1598, 1599, 2599, 3599, 4599}))
async def test_every_fate_answers_with_what_its_words_say(visit: Visitor, number: int) -> None:
    status, body, _ = await visit("POST", fated(number))
    words = FATES[number].words
    assert str(status) in words
    if b'"code":' in body:
        assert str(number) in words or number in {208, 501, 596}


@pytest.mark.parametrize("number", [408, 429, 2429, 500, 502, 503, 504, 597, 1597, 401, 800003])
async def test_passing_faults_pass(visit: Visitor, number: int) -> None:
    statuses = [await visit.post(fated(number)) for _ in range(3)]
    assert statuses[-1] == 202
    assert len(visit.world.ledger.effects) == 1


async def test_a_gateway_throttle_carries_no_ids_and_its_own_words(visit: Visitor) -> None:
    status, body, headers = await visit("POST", fated(429))
    assert (status, headers["Retry-After"]) == (429, "1")
    assert b"Rate limit is exceeded. Try again in 1 seconds." in body
    assert "MS-RequestId" not in headers


async def test_a_customers_throttle_leaves_the_others_alone(visit: Visitor) -> None:
    assert await visit.post(fated(4429), customer=1) == 429
    assert await visit.post(guid(5), request_id=2, customer=1) == 429
    assert await visit.post(guid(5), request_id=3, customer=2) == 202


async def test_limits_are_kept_for_a_customer_and_for_the_partner(visit_limited: Visitor) -> None:
    first = [await visit_limited.post(guid(number), number, customer=1) for number in range(4)]
    second = [await visit_limited.post(guid(number), 10 + number, customer=2) for number in range(2)]
    assert first == [202, 202, 202, 429]
    assert second == [202, 429]


async def test_without_a_token_or_with_bad_ids_nothing_happens(visit: Visitor) -> None:
    assert (await visit("POST", guid(5), headers={"Authorization": "Basic x"}))[0] == 401
    assert await visit.post("not-a-guid") == 400
    assert visit.world.ledger.effects == []


async def test_missing_headers_are_complained_about(visit: Visitor) -> None:
    await visit("POST", guid(5), headers={"Accept": "*/*", "MS-RequestId": "x"})
    assert visit.world.ledger.complaints == ["MS-RequestId is not a GUID", "Accept is missing or wrong"]


async def test_random_faults_are_the_same_for_the_same_seed() -> None:
    async def statuses(seed: int) -> list[int]:
        found = []
        async for visitor in _visit(Rules(fault_share=0.5, seed=seed)):
            for number in range(30):
                try:
                    found.append(await visitor.post(guid(number), number))
                except aiohttp.ClientError:
                    found.append(0)
        return found

    once, again, other = await statuses(1), await statuses(1), await statuses(2)
    assert once == again != other
    assert {202, 0} < set(once)
