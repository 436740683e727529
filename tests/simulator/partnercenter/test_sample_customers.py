"""The simulator's made-up customers: their pages, what they have, and what their ids choose."""

import json

import pytest

from bulkreact.simulator.partnercenter.answers import ScriptedAnswer
from bulkreact.simulator.partnercenter.behaviour import Paging
from bulkreact.simulator.partnercenter.customer_scenarios import CUSTOMER_SCENARIOS
from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter
from tests.support.ids import guid, scenario_id
from tests.support.subscription_client import CUSTOMER, activate, text_of

FIRST = "c0570000-0000-4000-8000-a00000000001"


def clock() -> float:
    return 0.0


def page_of(answer: ScriptedAnswer) -> dict[str, list[dict[str, object]]]:
    """Return the content of a list that was answered."""
    assert answer.status == 200
    assert answer.body.startswith(b'\xef\xbb\xbf{"totalCount":')
    content: dict[str, list[dict[str, object]]] = json.loads(text_of(answer.body))
    return content


def token_of(answer: ScriptedAnswer) -> str | None:
    """Return the token of the page after this one, None on the last one."""
    following = json.loads(text_of(answer.body))["links"].get("next")
    if following is None:
        return None
    (header,) = following["headers"]
    assert header["key"] == "MS-ContinuationToken"
    return str(header["value"])


def pages(service: PartnerCenter, size: int) -> list[list[str]]:
    """Return the ids of all customers, page by page."""
    answer = service.list_customers(size)
    answers = [answer]
    while token := token_of(answer):
        answer = service.list_customers(size, token)
        answers.append(answer)
    return [[str(item["id"]) for item in page_of(answer)["items"]] for answer in answers]


def subscriptions(service: PartnerCenter, customer_id: str) -> dict[str, dict[str, object]]:
    """Return what a customer's list holds by the ids."""
    return {str(item["id"]).lower(): item for item in page_of(service.list_subscriptions(customer_id))["items"]}


def ids_with_status(service: PartnerCenter, customer_id: str, status: str) -> list[str]:
    return [
        subscription_id
        for subscription_id, item in subscriptions(service, customer_id).items()
        if item["status"] == status
    ]


def plans(service: PartnerCenter, customer_id: str) -> list[str]:
    """Return the ids of a customer's Azure plans."""
    items = subscriptions(service, customer_id).items()
    return [subscription_id for subscription_id, item in items if str(item["offerId"]).startswith("DZH318Z0BPS6")]


def entitlements(service: PartnerCenter, customer_id: str, subscription_id: str) -> dict[str, str]:
    """Return the statuses in the list of a subscription's entitlements by the ids."""
    items = page_of(service.read_all((customer_id, subscription_id)))["items"]
    return {str(item["id"]).lower(): str(item["status"]) for item in items}


def customer_ids(service: PartnerCenter) -> list[str]:
    return [customer_id for page in pages(service, 500) for customer_id in page]


@pytest.fixture
def service() -> PartnerCenter:
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
    by_page = pages(PartnerCenter(Behaviour(customers=customers), clock), size)
    assert [len(page) for page in by_page] == counts
    assert len({customer_id for page in by_page for customer_id in page}) == customers


def test_the_link_to_the_next_page_is_written_without_the_version() -> None:
    answer = PartnerCenter(Behaviour(), clock).list_customers(2)
    token = token_of(answer)
    assert token
    assert {"+", "/", "="} <= set(token)
    links = json.loads(text_of(answer.body))["links"]
    assert links["self"] == {"uri": "/customers?size=2", "method": "GET", "headers": []}
    assert (links["next"]["uri"], links["next"]["method"]) == ("/customers?size=2&seekOperation=Next", "GET")


def test_a_page_is_given_again_for_the_same_token() -> None:
    service = PartnerCenter(Behaviour(), clock)
    token = token_of(service.list_customers(2))
    assert service.list_customers(2, token) == service.list_customers(2, token)


@pytest.mark.parametrize("token", ["", "x", "++++"])
def test_a_wrong_token_is_refused_and_a_violation(token: str) -> None:
    service = PartnerCenter(Behaviour(), clock)
    assert service.list_customers(2, token).status == 400
    assert service.call_log.violations == ["MS-ContinuationToken is wrong"]


def test_the_present_three_come_first_and_all_have_names(service: PartnerCenter) -> None:
    items = page_of(service.list_customers(500))["items"]
    profiles = [item["companyProfile"] for item in items]
    names = [str(profile["companyName"]) for profile in profiles if isinstance(profile, dict)]
    assert names[:3] == ["A. Datum", "Northwind Bakery", "Café Zürich"]
    assert len(set(names)) == 24
    assert items[0]["id"] == FIRST


def test_a_customer_has_the_same_in_every_simulator(service: PartnerCenter) -> None:
    other = PartnerCenter(Behaviour(), clock)
    assert subscriptions(service, FIRST).keys() == subscriptions(other, FIRST.upper()).keys()


def test_all_conditions_can_be_found(service: PartnerCenter) -> None:
    items = [item for customer in customer_ids(service) for item in subscriptions(service, customer).values()]
    assert {str(item["status"]) for item in items} == {"active", "suspended", "expired", "frozen"}
    assert [item for item in items if "parentSubscriptionId" in item]
    assert [item for item in items if "etag" in str(item["attributes"])]
    assert [item for item in items if str(item["commitmentEndDate"]).startswith("9999")]
    below = {
        status
        for customer in customer_ids(service)
        for plan in plans(service, customer)
        for status in entitlements(service, customer, plan).values()
    }
    assert below == {"active", "inactive"}


def test_no_sample_id_has_a_scenario(service: PartnerCenter) -> None:
    ids = [
        listed_id for customer in customer_ids(service) for listed_id in (customer, *subscriptions(service, customer))
    ]
    ids += [
        listed_id
        for customer in customer_ids(service)
        for plan in plans(service, customer)
        for listed_id in entitlements(service, customer, plan)
    ]
    assert len(set(ids)) == len(ids)
    assert not [listed_id for listed_id in ids if listed_id[-12] not in "abcdef"]


def test_every_customer_has_something_to_reactivate(service: PartnerCenter) -> None:
    assert not [customer for customer in customer_ids(service) if not ids_with_status(service, customer, "suspended")]
    assert not [customer for customer in customer_ids(service) if not plans(service, customer)]


def test_an_update_of_what_is_listed_shows_in_the_list(service: PartnerCenter) -> None:
    subscription = ids_with_status(service, FIRST, "suspended")[0]
    text = text_of(service.read_subscription(FIRST, subscription).body)
    assert service.update_subscription(FIRST, subscription, guid(1), activate(text).encode()).status == 200
    assert subscriptions(service, FIRST)[subscription]["status"] == "active"
    assert service.call_log.violations == []


@pytest.mark.parametrize("status", ["expired", "frozen"])
def test_an_update_of_what_is_neither_suspended_nor_active_is_refused(service: PartnerCenter, status: str) -> None:
    customer, subscription = next(
        (who, subscription) for who in customer_ids(service) for subscription in ids_with_status(service, who, status)
    )
    text = text_of(service.read_subscription(customer, subscription).body)
    assert service.update_subscription(customer, subscription, guid(1), activate(text).encode()).status == 400
    assert subscriptions(service, customer)[subscription]["status"] == status


def test_a_reactivation_of_what_is_listed_shows_in_the_list(service: PartnerCenter) -> None:
    (plan,) = plans(service, FIRST)
    before = entitlements(service, FIRST, plan)
    entitlement = next(entitlement for entitlement, status in before.items() if status == "inactive")
    assert service.reactivate((FIRST, plan, entitlement), guid(1)).status == 202
    assert entitlements(service, FIRST, plan) == {**before, entitlement: "active"}
    assert b'"status":"active"' in service.read((FIRST, plan, entitlement)).body


def test_what_is_active_below_a_plan_is_refused(service: PartnerCenter) -> None:
    (plan,) = plans(service, FIRST)
    entitlement = next(
        entitlement for entitlement, status in entitlements(service, FIRST, plan).items() if status == "active"
    )
    assert b"900337" in service.reactivate((FIRST, plan, entitlement), guid(1)).body


def test_what_was_asked_for_is_listed_besides(service: PartnerCenter) -> None:
    (plan,) = plans(service, FIRST)
    before = entitlements(service, FIRST, plan)
    service.reactivate((FIRST, plan, guid(5)), guid(1))
    assert entitlements(service, FIRST, plan) == {**before, guid(5): "active"}
    assert set(subscriptions(service, FIRST)) == set(subscriptions(PartnerCenter(Behaviour(), clock), FIRST))


def test_below_a_suspended_sample_plan_everything_waits(service: PartnerCenter) -> None:
    customer = next(
        candidate
        for candidate in customer_ids(service)
        if set(plans(service, candidate)) & set(ids_with_status(service, candidate, "suspended"))
    )
    (plan,) = plans(service, customer)
    entitlement = next(iter(entitlements(service, customer, plan)))
    assert b"27009" in service.reactivate((customer, plan, entitlement), guid(1)).body
    text = text_of(service.read_subscription(customer, plan).body)
    service.update_subscription(customer, plan, guid(2), activate(text).encode())
    assert service.reactivate((customer, plan, entitlement), guid(3)).status == 202


def test_a_sample_add_on_waits_for_its_parent(service: PartnerCenter) -> None:
    customer, add_on, item = next(
        (customer_id, subscription, item)
        for customer_id in customer_ids(service)
        for subscription, item in subscriptions(service, customer_id).items()
        if "parentSubscriptionId" in item
    )
    parent = str(item["parentSubscriptionId"])
    texts = [text_of(service.read_subscription(customer, subscription).body) for subscription in (add_on, parent)]
    statuses = [
        service.update_subscription(customer, subscription, guid(number), activate(text).encode()).status
        for number, (subscription, text) in enumerate([(add_on, texts[0]), (parent, texts[1]), (add_on, texts[0])])
    ]
    assert statuses == [409, 200, 200]


def test_a_list_of_another_customer_shows_what_was_asked_for(service: PartnerCenter) -> None:
    assert subscriptions(service, CUSTOMER) == {}
    numbers = [5000, 9001, 9002, 9003, 20003]
    statuses = [service.read_subscription(CUSTOMER, scenario_id(number)).status for number in numbers]
    assert statuses == [200, 200, 200, 200, 404]
    items = page_of(service.list_subscriptions(CUSTOMER))["items"]
    assert [str(item.get("id", item.get("Id"))).lower() for item in items] == [
        scenario_id(number) for number in numbers[:-1]
    ]


@pytest.mark.parametrize("number", sorted(CUSTOMER_SCENARIOS))
def test_every_customer_scenario_answers_as_described(service: PartnerCenter, number: int) -> None:
    description = CUSTOMER_SCENARIOS[number].description
    answers = [service.list_subscriptions(scenario_id(number)) for _ in range(3)]
    assert answers[0].drop or str(answers[0].status) in description
    assert (answers[2].status == 200) is description.endswith("then the list")


@pytest.mark.parametrize("number", [429, 503, 597, 599])
def test_a_customer_whose_list_is_hard_to_read_has_something(service: PartnerCenter, number: int) -> None:
    [service.list_subscriptions(scenario_id(number)) for _ in range(2)]
    assert ids_with_status(service, scenario_id(number), "suspended")


def test_broken_customers_follow_the_others() -> None:
    service = PartnerCenter(Behaviour(customers=2, broken_customers=len(CUSTOMER_SCENARIOS) + 1), clock)
    listed = [customer for page in pages(service, 5) for customer in page]
    assert [int(customer[-12:]) for customer in listed[2:]] == [*CUSTOMER_SCENARIOS, next(iter(CUSTOMER_SCENARIOS))]
    assert len(set(listed)) == len(listed)


def test_more_customers_hold_from_the_next_call_on(service: PartnerCenter) -> None:
    service.behaviour = Behaviour(customers=30)
    assert len(customer_ids(service)) == 30
    assert ids_with_status(service, customer_ids(service)[-1], "suspended")


def test_pages_have_a_token_alone_if_that_is_asked_for() -> None:
    service = PartnerCenter(Behaviour(customers=5, page_size=2, paging=Paging.TOKENS), clock)
    first = json.loads(text_of(service.list_customers(500).body))
    assert (first["totalCount"], list(first["links"])) == (2, ["self"])
    last = json.loads(text_of(service.list_customers(500, first["continuationToken"]).body))
    assert "continuationToken" in last
    assert "continuationToken" not in json.loads(text_of(service.list_customers(500, last["continuationToken"]).body))


def test_a_list_that_is_cut_off_counts_all_of_its_customers() -> None:
    service = PartnerCenter(Behaviour(customers=5, page_size=2, paging=Paging.CUT), clock)
    content = json.loads(text_of(service.list_customers(500).body))
    assert (content["totalCount"], len(content["items"])) == (5, 2)
    assert "continuationToken" not in content
    assert list(content["links"]) == ["self"]
