"""The simulator's made-up customers: their pages, what they have, and what their ids choose."""

import json

import pytest

from bulkreact.simulator.partnercenter.answers import ScriptedAnswer
from bulkreact.simulator.partnercenter.customer_scenarios import CUSTOMER_SCENARIOS
from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter
from tests.support.ids import guid, scenario_id
from tests.support.subscription_client import CUSTOMER, activate, text_of

FIRST = "c0570000-0000-4000-8000-a00000000001"


def clock() -> float:
    return 0.0


def page_of(act: ScriptedAnswer) -> dict[str, list[dict[str, object]]]:
    """Return the content of a list that was answered."""
    assert act.status == 200
    assert act.body.startswith(b'\xef\xbb\xbf{"totalCount":')
    content: dict[str, list[dict[str, object]]] = json.loads(text_of(act.body))
    return content


def token_of(act: ScriptedAnswer) -> str | None:
    """Return the token of the page after this one, None on the last one."""
    following = json.loads(text_of(act.body))["links"].get("next")
    if following is None:
        return None
    (header,) = following["headers"]
    assert header["key"] == "MS-ContinuationToken"
    return str(header["value"])


def pages(world: PartnerCenter, size: int) -> list[list[str]]:
    """Return the ids of all customers, page by page."""
    act = world.list_customers(size)
    found = [act]
    while token := token_of(act):
        act = world.list_customers(size, token)
        found.append(act)
    return [[str(item["id"]) for item in page_of(one)["items"]] for one in found]


def subscriptions(world: PartnerCenter, customer_id: str) -> dict[str, dict[str, object]]:
    """Return what a customer's list holds by the ids."""
    return {str(item["id"]).lower(): item for item in page_of(world.list_subscriptions(customer_id))["items"]}


def of_status(world: PartnerCenter, customer_id: str, status: str) -> list[str]:
    return [one for one, item in subscriptions(world, customer_id).items() if item["status"] == status]


def plans(world: PartnerCenter, customer_id: str) -> list[str]:
    """Return the ids of a customer's Azure plans."""
    found = subscriptions(world, customer_id).items()
    return [one for one, item in found if str(item["offerId"]).startswith("DZH318Z0BPS6")]


def entitlements(world: PartnerCenter, customer_id: str, subscription_id: str) -> dict[str, str]:
    """Return the statuses in the list of a subscription's entitlements by the ids."""
    items = page_of(world.read_all((customer_id, subscription_id)))["items"]
    return {str(item["id"]).lower(): str(item["status"]) for item in items}


def everybody(world: PartnerCenter) -> list[str]:
    return [one for page in pages(world, 500) for one in page]


@pytest.fixture
def world() -> PartnerCenter:
    return PartnerCenter(Behaviour(activation_delay=0, customers=24), clock)


@pytest.mark.parametrize(
    ("customers", "size", "counts"),
    [
        (3, 500, [3]),
        (3, 1, [1, 1, 1]),
        (7, 3, [3, 3, 1]),
        (6, 3, [3, 3]),
        (0, 5, [0]),
        (1201, 500, [500, 500, 201]),
    ],
)
def test_customers_are_listed_page_by_page(customers: int, size: int, counts: list[int]) -> None:
    found = pages(PartnerCenter(Behaviour(customers=customers), clock), size)
    assert [len(page) for page in found] == counts
    assert len({one for page in found for one in page}) == customers


def test_the_link_to_the_next_page_is_written_without_the_version() -> None:
    act = PartnerCenter(Behaviour(), clock).list_customers(2)
    token = token_of(act)
    assert token
    assert {"+", "/", "="} <= set(token)
    links = json.loads(text_of(act.body))["links"]
    assert links["self"] == {"uri": "/customers?size=2", "method": "GET", "headers": []}
    assert (links["next"]["uri"], links["next"]["method"]) == ("/customers?size=2&seekOperation=Next", "GET")


def test_a_page_is_given_again_for_the_same_token() -> None:
    world = PartnerCenter(Behaviour(), clock)
    token = token_of(world.list_customers(2))
    assert world.list_customers(2, token) == world.list_customers(2, token)


@pytest.mark.parametrize("token", ["", "x", "++++"])
def test_a_wrong_token_is_refused_and_complained_about(token: str) -> None:
    world = PartnerCenter(Behaviour(), clock)
    assert world.list_customers(2, token).status == 400
    assert world.call_log.violations == ["MS-ContinuationToken is wrong"]


def test_the_present_three_come_first_and_all_have_names(world: PartnerCenter) -> None:
    items = page_of(world.list_customers(500))["items"]
    profiles = [item["companyProfile"] for item in items]
    names = [str(one["companyName"]) for one in profiles if isinstance(one, dict)]
    assert names[:3] == ["A. Datum", "Northwind Bakery", "Café Zürich"]
    assert len(set(names)) == 24
    assert items[0]["id"] == FIRST


def test_a_customer_has_the_same_whatever_world_it_is(world: PartnerCenter) -> None:
    other = PartnerCenter(Behaviour(), clock)
    assert subscriptions(world, FIRST).keys() == subscriptions(other, FIRST.upper()).keys()


def test_all_conditions_can_be_found(world: PartnerCenter) -> None:
    found = [item for one in everybody(world) for item in subscriptions(world, one).values()]
    assert {str(item["status"]) for item in found} == {"active", "suspended", "expired", "frozen"}
    assert [item for item in found if "parentSubscriptionId" in item]
    assert [item for item in found if "etag" in str(item["attributes"])]
    assert [item for item in found if str(item["commitmentEndDate"]).startswith("9999")]
    below = {
        status
        for one in everybody(world)
        for plan in plans(world, one)
        for status in entitlements(world, one, plan).values()
    }
    assert below == {"active", "inactive"}


def test_no_id_in_the_portfolio_has_a_fate(world: PartnerCenter) -> None:
    ids = [one for customer in everybody(world) for one in (customer, *subscriptions(world, customer))]
    ids += [
        one
        for customer in everybody(world)
        for plan in plans(world, customer)
        for one in entitlements(world, customer, plan)
    ]
    assert len(set(ids)) == len(ids)
    assert not [one for one in ids if one[-12] not in "abcdef"]


def test_every_customer_has_something_to_reactivate(world: PartnerCenter) -> None:
    assert not [one for one in everybody(world) if not of_status(world, one, "suspended")]
    assert not [one for one in everybody(world) if not plans(world, one)]


def test_an_update_of_what_is_listed_shows_in_the_list(world: PartnerCenter) -> None:
    one = of_status(world, FIRST, "suspended")[0]
    text = text_of(world.read_subscription(FIRST, one).body)
    assert world.update_subscription(FIRST, one, guid(1), activate(text).encode()).status == 200
    assert subscriptions(world, FIRST)[one]["status"] == "active"
    assert world.call_log.violations == []


@pytest.mark.parametrize("status", ["expired", "frozen"])
def test_an_update_of_what_is_neither_suspended_nor_active_is_refused(world: PartnerCenter, status: str) -> None:
    customer, one = next((who, one) for who in everybody(world) for one in of_status(world, who, status))
    text = text_of(world.read_subscription(customer, one).body)
    assert world.update_subscription(customer, one, guid(1), activate(text).encode()).status == 400
    assert subscriptions(world, customer)[one]["status"] == status


def test_a_reactivation_of_what_is_listed_shows_in_the_list(world: PartnerCenter) -> None:
    (plan,) = plans(world, FIRST)
    before = entitlements(world, FIRST, plan)
    one = next(one for one, status in before.items() if status == "inactive")
    assert world.reactivate((FIRST, plan, one), guid(1)).status == 202
    assert entitlements(world, FIRST, plan) == {**before, one: "active"}
    assert b'"status":"active"' in world.read((FIRST, plan, one)).body


def test_what_is_active_below_a_plan_is_refused(world: PartnerCenter) -> None:
    (plan,) = plans(world, FIRST)
    one = next(one for one, status in entitlements(world, FIRST, plan).items() if status == "active")
    assert b"900337" in world.reactivate((FIRST, plan, one), guid(1)).body


def test_what_was_asked_for_is_listed_besides(world: PartnerCenter) -> None:
    (plan,) = plans(world, FIRST)
    before = entitlements(world, FIRST, plan)
    world.reactivate((FIRST, plan, guid(5)), guid(1))
    assert entitlements(world, FIRST, plan) == {**before, guid(5): "active"}
    assert set(subscriptions(world, FIRST)) == set(subscriptions(PartnerCenter(Behaviour(), clock), FIRST))


def test_below_a_suspended_plan_of_the_portfolio_everything_waits(world: PartnerCenter) -> None:
    customer = next(one for one in everybody(world) if set(plans(world, one)) & set(of_status(world, one, "suspended")))
    (plan,) = plans(world, customer)
    one = next(iter(entitlements(world, customer, plan)))
    assert b"27009" in world.reactivate((customer, plan, one), guid(1)).body
    text = text_of(world.read_subscription(customer, plan).body)
    world.update_subscription(customer, plan, guid(2), activate(text).encode())
    assert world.reactivate((customer, plan, one), guid(3)).status == 202


def test_an_add_on_of_the_portfolio_waits_for_its_parent(world: PartnerCenter) -> None:
    customer, add_on, item = next(
        (one, subscription, item)
        for one in everybody(world)
        for subscription, item in subscriptions(world, one).items()
        if "parentSubscriptionId" in item
    )
    parent = str(item["parentSubscriptionId"])
    texts = [text_of(world.read_subscription(customer, one).body) for one in (add_on, parent)]
    statuses = [
        world.update_subscription(customer, one, guid(number), activate(text).encode()).status
        for number, (one, text) in enumerate([(add_on, texts[0]), (parent, texts[1]), (add_on, texts[0])])
    ]
    assert statuses == [409, 200, 200]


def test_outside_of_the_portfolio_a_list_shows_what_was_asked_for(world: PartnerCenter) -> None:
    assert subscriptions(world, CUSTOMER) == {}
    numbers = [5000, 9001, 9002, 9003, 20003]
    statuses = [world.read_subscription(CUSTOMER, scenario_id(number)).status for number in numbers]
    assert statuses == [200, 200, 200, 200, 404]
    items = page_of(world.list_subscriptions(CUSTOMER))["items"]
    assert [str(item.get("id", item.get("Id"))).lower() for item in items] == [scenario_id(one) for one in numbers[:-1]]


@pytest.mark.parametrize("number", sorted(CUSTOMER_SCENARIOS))
def test_every_fate_of_a_customer_answers_with_what_its_words_say(world: PartnerCenter, number: int) -> None:
    words = CUSTOMER_SCENARIOS[number].description
    acts = [world.list_subscriptions(scenario_id(number)) for _ in range(3)]
    assert acts[0].drop or str(acts[0].status) in words
    assert (acts[2].status == 200) is words.endswith("then the list")


@pytest.mark.parametrize("number", [429, 503, 597, 599])
def test_a_customer_whose_list_is_hard_to_read_has_something(world: PartnerCenter, number: int) -> None:
    [world.list_subscriptions(scenario_id(number)) for _ in range(2)]
    assert of_status(world, scenario_id(number), "suspended")


def test_broken_customers_follow_the_others() -> None:
    world = PartnerCenter(Behaviour(customers=2, broken_customers=len(CUSTOMER_SCENARIOS) + 1), clock)
    found = [one for page in pages(world, 5) for one in page]
    assert [int(one[-12:]) for one in found[2:]] == [*CUSTOMER_SCENARIOS, next(iter(CUSTOMER_SCENARIOS))]
    assert len(set(found)) == len(found)


def test_more_customers_hold_from_the_next_call_on(world: PartnerCenter) -> None:
    world.behaviour = Behaviour(customers=30)
    assert len(everybody(world)) == 30
    assert of_status(world, everybody(world)[-1], "suspended")
