"""The simulator is what the other tests lean on, so it is tested by itself."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest
from msgspec.structs import replace

from bulkreact.simulator.partnercenter.answers import ScriptedAnswer
from bulkreact.simulator.partnercenter.entitlement_scenarios import ENTITLEMENT_SCENARIOS
from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter
from bulkreact.simulator.server import serve
from tests.support.ids import guid, row, scenario_id, target
from tests.support.program import Program

NOT_SHOWN_BY_THE_STATUS = {598, 599, 1598, 1599, 2599, 3599, 4599}
SHOWN_BY_READING = {1202, 2202, 3202, 4202}


class Visitor:
    """Calls the simulator as any client would."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, service: PartnerCenter) -> None:
        self.session = session
        self.base_url = base_url
        self.service = service
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
        entitlement_target = target(entitlement, customer)
        plan = f"/v1/customers/{entitlement_target.customer_id}/subscriptions/{entitlement_target.subscription_id}"
        path = f"{plan}/azureEntitlements/{entitlement}".rstrip("/")
        sent_headers = {
            "Authorization": "Bearer x",
            "Accept": "application/json",
            "MS-RequestId": guid(request_id),
            "MS-CorrelationId": guid(next(self._correlations)),
            "MS-Contract-Version": "v1",
            "MS-PartnerCenter-Application": "bulkreact",
            "X-Locale": "en-US",
            **(headers or {}),
        }
        url = self.base_url + path + ("/reactivate" if method == "POST" else "")
        async with self.session.request(
            method, url, headers=sent_headers, allow_redirects=False, skip_auto_headers=["Content-Type"]
        ) as answer:
            return answer.status, await answer.read(), dict(answer.headers)

    async def post(self, entitlement: str, request_id: int = 1, customer: int = 1) -> int:
        return (await self("POST", entitlement, request_id=request_id, customer=customer))[0]

    async def get(self, entitlement: str = "", customer: int = 1) -> int:
        return (await self("GET", entitlement, customer=customer))[0]

    async def listed(self, customer: int = 1) -> dict[str, str]:
        """Return the statuses in the list of a customer's subscription by the ids."""
        _, body, _ = await self("GET", "", customer=customer)
        return {item["id"].lower(): item["status"] for item in json.loads(body.decode("utf-8-sig"))["items"]}

    def answers(self) -> list[tuple[object, object]]:
        """Return the answer and the effect of every call in the call log."""
        return [(call["answer"], call["effect"]) for call in self.service.call_log.calls]


class Clock:
    """Does not move until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def active_ids(service: PartnerCenter, entitlements: list[str]) -> list[str]:
    """Return those that reading says are active."""
    return [entitlement for entitlement in entitlements if b'"status":"active"' in service.read(row(entitlement)).body]


def accept(rules: Behaviour, clock: Clock, entitlements: list[str]) -> PartnerCenter:
    """Return a simulator in which these were accepted just now."""
    service = PartnerCenter(rules, clock)
    for number, entitlement in enumerate(entitlements):
        service.reactivate(row(entitlement), guid(number))
    return service


def faults(rules: Behaviour, *, readings: int = 0) -> list[ScriptedAnswer]:
    """Return how thirty reactivations are answered, with so many readings before each."""
    service = PartnerCenter(rules, Clock())
    answers = []
    for number in range(30):
        for _ in range(readings):
            service.read(row(guid(number)))
            service.read_all(row(guid(number))[:2])
        answers.append(service.reactivate(row(guid(number)), guid(number)))
    return answers


def replay(service: PartnerCenter, entitlements: list[str]) -> None:
    """Replay to a simulator that these were asked for before."""
    for number, entitlement in enumerate(entitlements):
        service.replay(row(entitlement), guid(number))


async def readings(seed: int) -> list[tuple[object, object]]:
    """Return how thirty readings over the line, alone and of the list in turn, are answered among many faults."""
    async for visitor in _visit(Behaviour(fault_share=0.7, seed=seed)):
        for entitlement in [guid(5), ""] * 15:
            with suppress(aiohttp.ClientError):
                await visitor.get(entitlement)
    return visitor.answers()


async def _visit(rules: Behaviour) -> AsyncIterator[Visitor]:
    async with (
        serve(rules) as (base_url, service),
        aiohttp.ClientSession(max_field_size=10_000, max_headers=200) as session,
    ):
        # A GET on a connection that was dropped would silently be sent again.
        session._retry_connection = False
        yield Visitor(session, base_url, service)


@pytest.fixture
async def visit() -> AsyncIterator[Visitor]:
    async for visitor in _visit(Behaviour(activation_delay=0)):
        yield visitor


@pytest.fixture
async def visit_limited() -> AsyncIterator[Visitor]:
    async for visitor in _visit(Behaviour(partner_limit=5, customer_limit=3, window=60)):
        yield visitor


async def test_a_plain_entitlement_is_accepted_without_a_body_and_then_active(visit: Visitor) -> None:
    status, body, headers = await visit("POST", guid(5))
    assert (status, body) == (202, b"")
    assert headers["MS-RequestId"] == guid(1)
    status, body, _ = await visit("GET", guid(5))
    assert status == 200
    assert body.startswith(b"\xef\xbb\xbf{")
    assert b'"status":"active"' in body
    assert visit.service.call_log.violations == []


async def test_a_repeated_request_id_takes_effect_once_and_gets_the_same_answer(visit: Visitor) -> None:
    assert [await visit.post(guid(5)) for _ in range(3)] == [202, 202, 202]
    assert len(visit.service.call_log.effects) == 1


async def test_another_request_id_for_what_is_active_is_refused(visit: Visitor) -> None:
    assert [await visit.post(guid(5), request_id=number) for number in (1, 2)] == [202, 400]


async def test_a_request_id_for_two_targets_is_a_violation(visit: Visitor) -> None:
    await visit.post(guid(5))
    await visit.post(guid(6))
    assert visit.service.call_log.violations == [f"request id {guid(1)} was used for two targets"]


async def test_a_lost_answer_took_effect_and_is_replayed_to_the_same_request_id(visit: Visitor) -> None:
    with pytest.raises(aiohttp.ClientError):
        await visit.post(scenario_id(599))
    assert len(visit.service.call_log.effects) == 1
    assert await visit.post(scenario_id(599)) == 202
    assert len(visit.service.call_log.effects) == 1


async def test_a_forgotten_request_id_is_answered_like_a_second_call(visit: Visitor) -> None:
    with pytest.raises(aiohttp.ClientError):
        await visit.post(scenario_id(2599))
    status, body, _ = await visit("POST", scenario_id(2599))
    assert (status, b"900337" in body) == (400, True)
    assert b'"active"' in (await visit("GET", scenario_id(2599)))[1]


@pytest.mark.parametrize("number", sorted(set(ENTITLEMENT_SCENARIOS) - NOT_SHOWN_BY_THE_STATUS - SHOWN_BY_READING))
async def test_every_scenario_answers_as_described(visit: Visitor, number: int) -> None:
    status, body, _ = await visit("POST", scenario_id(number))
    description = ENTITLEMENT_SCENARIOS[number].description
    assert str(status) in description
    if b'"code":' in body:
        assert str(number) in description or number in {208, 501, 596, 1595}


@pytest.mark.parametrize("number", sorted(SHOWN_BY_READING))
async def test_scenarios_that_only_reading_shows_are_accepted(visit: Visitor, number: int) -> None:
    assert await visit.post(scenario_id(number)) == 202
    assert ENTITLEMENT_SCENARIOS[number].description.startswith("accepted")
    assert len(visit.service.call_log.effects) == 1


@pytest.mark.parametrize("number", [408, 429, 2429, 500, 502, 503, 504, 597, 1597, 401, 800003])
async def test_transient_faults_end(visit: Visitor, number: int) -> None:
    statuses = [await visit.post(scenario_id(number)) for _ in range(3)]
    assert statuses[-1] == 202
    assert len(visit.service.call_log.effects) == 1


async def test_a_gateway_throttle_carries_no_ids_and_its_own_message(visit: Visitor) -> None:
    status, body, headers = await visit("POST", scenario_id(429))
    assert (status, headers["Retry-After"]) == (429, "1")
    assert b"Rate limit is exceeded. Try again in 1 seconds." in body
    assert "MS-RequestId" not in headers


async def test_a_customers_throttle_leaves_the_others_alone(visit: Visitor) -> None:
    assert await visit.post(scenario_id(4429), customer=1) == 429
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
    assert visit.service.call_log.effects == []


async def test_missing_headers_are_a_violation(visit: Visitor) -> None:
    await visit("POST", guid(5), headers={"Accept": "*/*", "MS-RequestId": "x"})
    assert visit.service.call_log.violations == ["MS-RequestId is not a GUID", "Accept is missing or wrong"]


async def test_random_faults_are_the_same_for_the_same_seed() -> None:
    async def statuses(seed: int) -> list[int]:
        results = []
        async for visitor in _visit(Behaviour(fault_share=0.5, seed=seed)):
            for number in range(30):
                try:
                    results.append(await visitor.post(guid(number), number))
                except aiohttp.ClientError:
                    results.append(0)
        return results

    once, again, other = await statuses(1), await statuses(1), await statuses(2)
    assert once == again != other
    assert {202, 0} < set(once)


async def test_a_list_shows_what_was_asked_for_as_reading_it_alone_does(visit: Visitor) -> None:
    await visit.post(guid(5))
    alone = [(await visit("GET", guid(number)))[1] for number in (5, 6)]
    status, body, headers = await visit("GET", "")
    assert (status, headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert body.startswith(b'\xef\xbb\xbf{"totalCount":2,"items":[{"id":"')
    content = json.loads(body.decode("utf-8-sig"))
    assert list(content) == ["totalCount", "items", "links", "attributes"]
    assert content["items"] == [json.loads(body.decode("utf-8-sig")) for body in alone]
    assert [item["status"] for item in content["items"]] == ["active", "inactive"]
    assert content["attributes"] == {"objectType": "Collection"}
    assert visit.service.call_log.violations == []


async def test_a_list_leaves_out_what_is_gone_or_unlisted(visit: Visitor) -> None:
    assert [
        await visit.post(entitlement, number)
        for number, entitlement in enumerate([scenario_id(800111), scenario_id(2202), guid(5)])
    ] == [
        404,
        202,
        202,
    ]
    assert await visit.listed() == {guid(5): "active"}
    assert b'"status":"active"' in (await visit("GET", scenario_id(2202)))[1]


async def test_a_list_shows_only_its_own_subscription_and_is_empty_for_an_unknown_one(visit: Visitor) -> None:
    await visit.post(guid(5), customer=1)
    assert await visit.get(customer=2) == 200
    assert await visit.listed(customer=2) == {}
    assert await visit.listed(customer=1) == {guid(5): "active"}


async def test_a_list_is_recorded_and_checked_like_any_call(visit: Visitor) -> None:
    assert (await visit("GET", "", headers={"Authorization": "", "X-Locale": "de", "Accept": "*/*"}))[0] == 401
    (call,) = visit.service.call_log.calls
    assert (call["method"], call["request_id"], call["answer"]) == ("GET", guid(1), "401")
    assert str(call["path"]).endswith(f"/subscriptions/{guid(2001)}/azureEntitlements")
    assert visit.service.call_log.violations == ["Accept is missing or wrong"]


async def test_a_list_of_what_is_no_guid_is_refused(visit: Visitor) -> None:
    path = f"/v1/customers/{guid(1)}/subscriptions/x/azureEntitlements"
    async with visit.session.get(visit.base_url + path, headers={"Authorization": "Bearer x"}) as answer:
        assert (answer.status, b"800002" in await answer.read()) == (400, True)


async def test_readings_count_against_the_limits_like_writes(visit_limited: Visitor) -> None:
    assert [await visit_limited.get(entitlement) for entitlement in (guid(5), "", guid(5), "")] == [200, 200, 200, 429]
    assert await visit_limited.post(guid(5), customer=2) == 202
    assert [await visit_limited.get(customer=number) for number in (3, 4)] == [429, 429]


async def test_the_call_log_shows_every_answer_and_which_call_took_effect(visit: Visitor) -> None:
    await visit.post(guid(5), 1)
    await visit.post(guid(5), 1)
    await visit.post(guid(5), 2)
    await visit.post(scenario_id(504), 3)
    await visit.post(scenario_id(504), 3)
    await visit.get(guid(5))
    await visit.get()
    written = [("202", "yes"), ("202", ""), ("400", ""), ("504", "yes"), ("202", "")]
    assert visit.answers() == [*written, ("200", ""), ("200", "")]
    assert len(visit.service.call_log.effects) == 2


async def test_the_call_log_shows_dropped_connections_and_that_only_the_first_took_effect(visit: Visitor) -> None:
    with pytest.raises(aiohttp.ClientError):
        await visit.post(scenario_id(1599))
    with pytest.raises(aiohttp.ClientError):
        await visit.post(scenario_id(1599))
    with pytest.raises(aiohttp.ClientError):
        await visit.post(scenario_id(3599))
    assert visit.answers() == [("dropped", "yes"), ("dropped", ""), ("dropped", "")]


async def test_a_call_that_is_being_answered_has_no_answer_but_its_effect(visit: Visitor) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(visit.post(scenario_id(1598)), 0.2)
    assert visit.answers() == [("", "yes")]


async def test_the_call_log_is_shown_with_answers_and_effects(visit: Visitor) -> None:
    await visit.post(guid(5))
    async with visit.session.get(f"{visit.base_url}/simulator/ledger") as answer:
        (call,) = (await answer.json())["calls"]
    assert (call["answer"], call["effect"]) == ("202", "yes")


def test_what_is_never_active_is_inactive_after_years() -> None:
    clock = Clock()
    service = accept(Behaviour(activation_delay=0), clock, [scenario_id(1202), guid(5)])
    clock.now = 1e9
    assert active_ids(service, [scenario_id(1202), guid(5)]) == [guid(5)]


async def test_an_unknown_status_is_read_alone_and_in_the_list_for_ever(visit: Visitor) -> None:
    await visit.post(scenario_id(3202))
    bodies = [(await visit("GET", scenario_id(3202)))[1] for _ in range(3)]
    assert [b'"status":"warming"' in body for body in bodies] == [True, True, True]
    assert await visit.listed() == {scenario_id(3202): "warming"}


@pytest.mark.parametrize("readings", [("", "", ""), ("alone", "alone", "alone"), ("", "alone", ""), ("alone", "", "")])
async def test_what_is_hard_to_read_is_read_the_third_time(visit: Visitor, readings: tuple[str, ...]) -> None:
    await visit.post(scenario_id(4202))
    assert [await visit.get(reading and scenario_id(4202)) for reading in readings] == [503, 503, 200]
    assert await visit.listed() == {scenario_id(4202): "active"}


async def test_a_list_with_several_that_are_hard_to_read_counts_for_each_of_them(visit: Visitor) -> None:
    await visit.post(scenario_id(4202, 1), 1)
    await visit.post(scenario_id(4202, 2), 2)
    assert await visit.get(scenario_id(4202, 1)) == 503
    assert [await visit.get() for _ in range(3)] == [503, 503, 200]
    assert len(await visit.listed()) == 2


def test_activations_are_spread_around_their_delay() -> None:
    clock, many = Clock(), [guid(number) for number in range(200)]
    service = accept(Behaviour(activation_delay=10, activation_spread=4, seed=1), clock, many)
    clock.now = 5.9
    assert active_ids(service, many) == []
    clock.now = 10
    assert 60 < len(active_ids(service, many)) < 140
    clock.now = 14
    assert active_ids(service, many) == many


def test_a_spread_wider_than_the_delay_begins_at_once() -> None:
    clock, many = Clock(), [guid(number) for number in range(200)]
    service = accept(Behaviour(activation_delay=1, activation_spread=9), clock, many)
    clock.now = 1
    assert 5 < len(active_ids(service, many)) < 40
    clock.now = 10
    assert active_ids(service, many) == many


def test_an_activation_is_drawn_once_by_seed_and_not_by_the_order_of_calls() -> None:
    clock, many = Clock(), [guid(number) for number in range(50)]
    services = [
        accept(Behaviour(activation_delay=10, activation_spread=10, seed=seed), clock, order)
        for seed, order in ((1, many), (1, many[::-1]), (2, many))
    ]
    clock.now = 10
    once, again, other = (active_ids(service, many) for service in services)
    assert once == active_ids(services[0], many) == again != other


def test_scenarios_with_a_delay_of_their_own_ignore_the_spread() -> None:
    clock = Clock()
    service = PartnerCenter(Behaviour(activation_delay=100, activation_spread=50), clock)
    service.reactivate(row(scenario_id(2599)), guid(1))
    service.reactivate(row(scenario_id(4599)), guid(2))
    assert active_ids(service, [scenario_id(2599), scenario_id(4599)]) == [scenario_id(2599)]
    clock.now = 3599
    assert active_ids(service, [scenario_id(4599)]) == []
    clock.now = 3600
    assert active_ids(service, [scenario_id(4599)]) == [scenario_id(4599)]


def test_a_spread_and_readings_do_not_change_the_faults_of_writes() -> None:
    rules = Behaviour(fault_share=0.5, seed=3)
    plain = faults(rules)
    assert faults(replace(rules, activation_spread=2)) == plain
    assert faults(rules, readings=2) == plain
    assert len({answer.status for answer in plain}) > 3


def test_readings_meet_faults_by_chance_that_have_no_effect() -> None:
    service = PartnerCenter(Behaviour(fault_share=1), Clock())
    alone = [service.read(row(guid(5))) for _ in range(60)]
    lists = [service.read_all(row(guid(5))[:2]) for _ in range(60)]
    expected = {(503, False), (500, False), (504, False), (202, True), (429, False)}
    assert (
        {(answer.status, answer.drop) for answer in alone}
        == {(answer.status, answer.drop) for answer in lists}
        == expected
    )
    assert {answer.headers["Retry-After"] for answer in alone if answer.status == 429} == {"1"}
    assert not any(answer.effect or answer.throttle for answer in alone + lists)


def test_the_share_of_faults_is_that_of_readings_too() -> None:
    service = PartnerCenter(Behaviour(fault_share=0.2, seed=1), Clock())
    statuses = [service.read(row(guid(5))).status for _ in range(1000)]
    assert 750 < statuses.count(200) < 850


async def test_readings_over_the_line_meet_faults_that_are_the_same_for_the_same_seed() -> None:
    once, again, other = await readings(seed=1), await readings(seed=1), await readings(seed=2)
    assert once == again != other
    assert {("200", ""), ("dropped", ""), ("503", ""), ("429", "")} < set(once)


async def test_a_replayed_call_took_effect_and_is_answered_again_without_a_record(visit: Visitor) -> None:
    visit.service.replay(row(guid(5)), guid(1))
    assert visit.service.call_log.calls == []
    assert visit.service.call_log.effects == [{"entitlement_id": guid(5), "request_id": guid(1)}]
    assert await visit.listed() == {guid(5): "active"}
    assert [await visit.post(guid(5), number) for number in (1, 2)] == [202, 400]
    assert visit.answers()[1:] == [("202", ""), ("400", "")]
    assert len(visit.service.call_log.effects) == 1


@pytest.mark.parametrize("number", sorted(ENTITLEMENT_SCENARIOS))
def test_a_replayed_call_has_the_effects_of_a_sent_one(number: int) -> None:
    replayed, asked = (PartnerCenter(Behaviour(activation_delay=0), Clock()) for _ in range(2))
    target_ids, first, second = row(scenario_id(number)), guid(1), guid(2)
    replayed.replay(target_ids, first)
    asked.reactivate(target_ids, first)
    assert replayed.call_log == asked.call_log
    assert replayed.read(target_ids) == asked.read(target_ids)
    assert replayed.reactivate(target_ids, first) == asked.reactivate(target_ids, first)
    assert replayed.reactivate(target_ids, second) == asked.reactivate(target_ids, second)


def test_replayed_calls_may_write_their_ids_in_any_case() -> None:
    service = PartnerCenter(Behaviour(activation_delay=0), Clock())
    customer, subscription, entitlement = row(guid(5))
    service.replay((customer.upper(), subscription.upper(), entitlement.upper()), guid(1))
    assert active_ids(service, [guid(5)]) == [guid(5)]


def test_replayed_calls_meet_no_random_fault_and_draw_none() -> None:
    rules = Behaviour(fault_share=0.9, seed=3)
    fresh, replayed = PartnerCenter(rules, Clock()), PartnerCenter(rules, Clock())
    replay(replayed, [guid(number) for number in range(20)])
    assert len(replayed.call_log.effects) == 20
    answers = [
        [service.reactivate(row(guid(90)), guid(90 + number)) for number in range(9)] for service in (fresh, replayed)
    ]
    assert answers[0] == answers[1]


async def test_replayed_calls_throttle_no_customer(visit_limited: Visitor) -> None:
    replay(visit_limited.service, [scenario_id(5429), scenario_id(4429), *(guid(number) for number in range(10))])
    assert [await visit_limited.post(entitlement, 90) for entitlement in (scenario_id(5429), guid(20), guid(21))] == [
        202,
        202,
        202,
    ]


def test_a_call_replayed_under_the_id_of_another_is_a_violation() -> None:
    service = PartnerCenter(Behaviour(), Clock())
    service.replay(row(guid(5)), guid(1))
    service.replay(row(guid(6)), guid(1))
    assert service.call_log.violations == [f"request id {guid(1)} was used for two targets"]


async def test_other_limits_hold_from_the_next_call_on(visit: Visitor) -> None:
    assert [await visit.post(guid(number), number) for number in range(4)] == [202] * 4
    visit.service.behaviour = replace(visit.service.behaviour, partner_limit=5)
    assert [await visit.post(guid(number), number) for number in range(4, 6)] == [202, 429]
    visit.service.behaviour = replace(visit.service.behaviour, partner_limit=0, customer_limit=1)
    assert await visit.post(guid(6), 6) == 429
    assert [await visit.post(guid(number), number, customer=2) for number in (7, 8)] == [202, 429]
    visit.service.behaviour = Behaviour()
    assert await visit.post(guid(6), 6) == 202


def test_another_share_of_faults_and_another_delay_hold_from_the_next_call_on() -> None:
    service = PartnerCenter(Behaviour(activation_delay=0), Clock())
    assert [service.reactivate(row(guid(number)), guid(number)) for number in range(9)] == [
        ScriptedAnswer(effect=True)
    ] * 9
    assert len(active_ids(service, [guid(5)])) == 1
    service.behaviour = Behaviour(activation_delay=60, fault_share=1)
    assert ScriptedAnswer(effect=True) not in [
        service.reactivate(row(guid(number)), guid(number)) for number in range(10, 40)
    ]
    assert 200 not in [service.read(row(guid(5))).status for _ in range(9)]
    service.behaviour = replace(service.behaviour, fault_share=0)
    assert active_ids(service, [guid(5)]) == []
    assert service.reactivate(row(guid(50)), guid(50)) == ScriptedAnswer(effect=True)


async def test_the_command_spreads_activations(program: Program) -> None:
    process = program.start("simulator", "--port", "0", "--activation-delay", "0s", "--activation-spread", "90d")
    assert process.stdout
    base_url = process.stdout.readline().strip()
    async with aiohttp.ClientSession() as session:
        visit = Visitor(session, base_url, PartnerCenter(Behaviour(), Clock()))
        assert await visit.post(guid(5)) == 202
        assert await visit.listed() == {guid(5): "inactive"}
    process.terminate()
    assert program.wait(process).code == 0
