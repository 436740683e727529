"""Simulated subscriptions: how they are read and updated, and what their ids choose."""

import json
import re

import pytest

from bulkreact.simulator.partnercenter.service import Behaviour
from bulkreact.simulator.partnercenter.subscription_json import SubscriptionKind
from bulkreact.simulator.partnercenter.subscription_scenarios import SUBSCRIPTION_SCENARIOS
from tests.support.ids import guid, row, scenario_id
from tests.support.subscription_client import CUSTOMER, SubscriptionClient, activate, enable_auto_renew, text_of

PLAIN = guid(5)
READ_BADLY = sorted(number for number, scenario in SUBSCRIPTION_SCENARIOS.items() if scenario.reads.answers)
REFUSED_BY_READING = sorted(number for number, scenario in SUBSCRIPTION_SCENARIOS.items() if scenario.reads.is_repeated)
UPDATED = sorted(set(SUBSCRIPTION_SCENARIOS) - set(READ_BADLY) - {208})
LOST = {599, 1599, 2599, 3599, 4599, 5599}
SLOW = {598, 1598}
# Answered at first with a status that their words name.
ANSWERED_AS_DESCRIBED = sorted(
    number
    for number in set(UPDATED) - LOST - SLOW
    if re.search(r"\b[2345]\d\d\b", SUBSCRIPTION_SCENARIOS[number].description)
)
SPELLED = [9001, 9002, 9003, 9004]


@pytest.fixture
def client() -> SubscriptionClient:
    return SubscriptionClient()


def test_a_plain_subscription_is_suspended_until_it_is_updated(client: SubscriptionClient) -> None:
    assert client.status(PLAIN) == "suspended"
    answer = client.patch(PLAIN)
    assert (answer.status, answer.effect) == (200, True)
    assert answer.body.startswith(b"\xef\xbb\xbf{")
    assert json.loads(text_of(answer.body))["status"] == "active"
    assert client.status(PLAIN) == "active"
    assert (client.violations, len(client.effects)) == ([], 1)


def test_effects_are_recorded_with_all_ids(client: SubscriptionClient) -> None:
    client.patch(PLAIN, request_id=guid(1))
    client.patch(PLAIN, enable_auto_renew, request_id=guid(2))
    ids = {"subscription_id": PLAIN, "customer_id": CUSTOMER}
    assert client.effects == [
        {**ids, "request_id": guid(1)},
        {**ids, "request_id": guid(2), "auto_renew": "restored"},
    ]


def test_a_resource_has_every_documented_member_and_odd_values(client: SubscriptionClient) -> None:
    text = client.text(PLAIN)
    names = set(json.loads(text))
    assert names >= {
        *("id", "offerId", "entitlementId", "offerName", "friendlyName", "productType", "quantity", "unitType"),
        *("creationDate", "effectiveStartDate", "commitmentEndDate", "commitmentEndDateTime", "status"),
        *("autoRenewEnabled", "isTrial", "billingType", "billingCycle", "termDuration", "suspensionReasons", "actions"),
        *("contractType", "scheduledNextTermInstructions", "nextChargeInstructions", "links", "orderId", "attributes"),
    }
    spelled = ["1.10", "1E2", "12345678901234567890", "0.30000000000000004", r"\u00fc", r"\/", ".1234567Z", "ü", "null"]
    assert [spelling for spelling in spelled if spelling not in text] == []
    assert "etag" not in text
    assert '"autoRenewEnabled":false' in text
    assert json.loads(client.text(scenario_id(5001)))["parentSubscriptionId"] == scenario_id(5000).upper()


def test_ends_of_terms_are_near_far_and_never(client: SubscriptionClient) -> None:
    ends = {json.loads(client.text(guid(number)))["commitmentEndDateTime"][:4] for number in range(60)}
    assert "9999" in ends
    assert len(ends) > 2


def test_the_same_subscription_is_read_the_same(client: SubscriptionClient) -> None:
    assert client.read(PLAIN) == client.read(PLAIN.upper())


@pytest.mark.parametrize("number", UPDATED)
def test_every_scenario_tolerates_a_careful_client(client: SubscriptionClient, number: int) -> None:
    answers = [client.patch(scenario_id(number)) for _ in range(2)]
    assert all(answer.status >= 200 for answer in answers)
    assert [violation for violation in client.violations if "changes nothing" not in violation] == []


@pytest.mark.parametrize("number", ANSWERED_AS_DESCRIBED)
def test_every_scenario_answers_updates_as_described(client: SubscriptionClient, number: int) -> None:
    scenario = SUBSCRIPTION_SCENARIOS[number]
    answer = client.patch(scenario_id(number))
    assert str(answer.status) in scenario.description or number in {6001, 6002, 7001, 7000, 7005}
    code = re.search(rb'"code":(\d+)', answer.body)
    assert code is None or code[1].decode() in scenario.description


@pytest.mark.parametrize("number", READ_BADLY)
def test_every_scenario_answers_reads_as_described(client: SubscriptionClient, number: int) -> None:
    answer = client.read(scenario_id(number))
    assert answer.drop or str(answer.status) in SUBSCRIPTION_SCENARIOS[number].description
    assert not answer.effect


@pytest.mark.parametrize("number", sorted(set(READ_BADLY) - set(REFUSED_BY_READING)))
def test_what_is_hard_to_read_is_read_in_the_end(client: SubscriptionClient, number: int) -> None:
    first = client.read(scenario_id(number))
    client.read(scenario_id(number))
    assert first != client.read(scenario_id(number))
    assert client.status(scenario_id(number)) == "suspended"


@pytest.mark.parametrize("number", REFUSED_BY_READING)
def test_what_is_never_read_is_answered_the_same_for_ever(client: SubscriptionClient, number: int) -> None:
    assert len({client.read(scenario_id(number)).body for _ in range(5)}) == 1


def test_a_status_may_be_any_text(client: SubscriptionClient) -> None:
    numbers = [208, *range(8001, 8007)]
    statuses = ["active", "expired", "disabled", "deleted", "pending", "none", "frozen"]
    assert [client.status(scenario_id(number)) for number in numbers] == statuses
    assert all(
        word in SUBSCRIPTION_SCENARIOS[number].description for number, word in zip(numbers, statuses, strict=True)
    )


@pytest.mark.parametrize(
    ("number", "statuses"),
    [
        (408, [408, 200]),
        (429, [429, 429, 200]),
        (500, [500, 500, 200]),
        (503, [503, 503, 200]),
        (800003, [500, 200]),
        (800094, [500, 200]),
        (1_800_094, [500, 200]),
        (1502, [502, 200]),
        (2503, [503, 200]),
        (504, [504, 200]),
        (2504, [504, 200]),
        (597, [502, 200]),
        (1597, [200, 200]),
        (3597, [403, 200]),
        (599, [0, 200]),
        (3599, [0, 200]),
        (1599, [0, 0, 0]),
    ],
)
def test_lost_and_transient_answers_take_effect_once(
    client: SubscriptionClient, number: int, statuses: list[int]
) -> None:
    text = client.text(scenario_id(number))
    answers = [client.send(scenario_id(number), activate(text), request_id=guid(1)) for _ in statuses]
    assert [0 if answer.drop else answer.status for answer in answers] == statuses
    assert len(client.effects) == 1
    assert client.violations == []
    assert client.status(scenario_id(number)) == "active"


@pytest.mark.parametrize(("number", "statuses"), [(1409, [409, 200]), (1_800_082, [409, 409, 200]), (412, [412, 200])])
def test_what_waits_is_accepted_under_another_request_id(
    client: SubscriptionClient, number: int, statuses: list[int]
) -> None:
    assert [client.patch(scenario_id(number)).status for _ in statuses] == statuses
    assert (len(client.effects), client.violations) == (1, [])


@pytest.mark.parametrize(
    ("number", "status", "code"), [(2599, 400, b"800040"), (4599, 409, b"800082"), (5599, 412, b"")]
)
def test_a_forgotten_request_id_is_answered_like_a_second_update(
    client: SubscriptionClient, number: int, status: int, code: bytes
) -> None:
    text = activate(client.text(scenario_id(number)))
    answers = [client.send(scenario_id(number), text, request_id=guid(1)) for _ in range(2)]
    assert (answers[0].drop, answers[0].effect) == (True, True)
    assert (answers[1].status, code in answers[1].body) == (status, True)
    assert (len(client.effects), client.violations) == (1, [])


@pytest.mark.parametrize(("number", "delay"), [(598, 3), (1598, 600)])
def test_slow_answers_took_effect_before(client: SubscriptionClient, number: int, delay: float) -> None:
    answer = client.patch(scenario_id(number))
    assert (answer.status, answer.delay, answer.effect) == (200, delay, True)
    assert client.status(scenario_id(number)) == "active"


@pytest.mark.parametrize(("number", "seconds"), [(200, 2), (202, 2), (2202, 2), (3202, 2), (5202, 2), (7202, 2)])
def test_what_was_accepted_is_active_after_a_while(client: SubscriptionClient, number: int, seconds: float) -> None:
    client.patch(scenario_id(number))
    assert client.status(scenario_id(number)) == "suspended"
    client.now = seconds
    assert client.status(scenario_id(number)) == "active"


@pytest.mark.parametrize("number", [1202, 8202, 7004])
def test_what_is_never_active_is_suspended_after_years(client: SubscriptionClient, number: int) -> None:
    client.patch(scenario_id(number))
    client.now = 1e9
    assert client.status(scenario_id(number)) == "suspended"
    assert len(client.effects) == 1


def test_locations_are_written_in_many_ways(client: SubscriptionClient) -> None:
    answers = {number: client.patch(scenario_id(number)) for number in (202, 2202, 3202, 4202, 5202, 6202, 7202)}
    assert {answer.status for answer in answers.values()} == {202}
    assert {answer.body for answer in answers.values()} == {b""}
    locations = {number: answer.headers.get("Location", "") for number, answer in answers.items()}
    path = f"customers/{CUSTOMER}/subscriptions/"
    assert locations[202] == f"/{path}{scenario_id(202)}"
    assert locations[2202] == f"{path}{scenario_id(2202)}"
    assert locations[3202] == f"https://partner.example/v1/{path}{scenario_id(3202)}"
    assert locations[4202].startswith("https://elsewhere.example/")
    assert locations[5202].startswith(f"/{path}{scenario_id(5202)}/operations/")
    assert locations[6202].startswith(f"/{path}{scenario_id(6202)}/operations/")
    assert locations[7202] == ""


def test_an_operation_answers_with_the_resource_or_is_gone(client: SubscriptionClient) -> None:
    here, gone = (client.patch(scenario_id(number)).headers["Location"].rpartition("/")[2] for number in (5202, 6202))
    answer = client.service.read_operation(CUSTOMER, scenario_id(5202), here)
    assert (answer.status, answer.body) == (200, client.read(scenario_id(5202)).body)
    assert client.service.read_operation(CUSTOMER, scenario_id(6202), gone).status == 404
    assert client.service.read_operation(CUSTOMER, scenario_id(5202), guid(1)).status == 404
    assert client.service.read_operation(CUSTOMER, PLAIN, here).status == 404


def test_what_was_accepted_but_is_not_active_yet_is_not_ready(client: SubscriptionClient) -> None:
    client.patch(scenario_id(202))
    answer = client.patch(scenario_id(202))
    assert (answer.status, b"800082" in answer.body) == (409, True)


# Etags.


@pytest.mark.parametrize("if_match", [None, '"x"', ""])
def test_a_legacy_subscription_needs_the_right_if_match(client: SubscriptionClient, if_match: str | None) -> None:
    text = activate(client.text(scenario_id(7000)))
    answer = client.service.update_subscription(
        CUSTOMER, scenario_id(7000), guid(1), text.encode(), if_match, "application/json"
    )
    assert (answer.status, client.effects) == (412, [])
    assert client.patch(scenario_id(7000)).status == 200


def test_a_missing_if_match_is_a_violation(client: SubscriptionClient) -> None:
    text = activate(client.text(scenario_id(7000)))
    client.service.update_subscription(CUSTOMER, scenario_id(7000), guid(1), text.encode(), None, "application/json")
    assert client.violations == [f"PATCH of {scenario_id(7000)}: If-Match is missing"]


def test_an_if_match_without_an_etag_or_without_quotes_is_a_violation(client: SubscriptionClient) -> None:
    text = activate(client.text(PLAIN)).encode()
    assert client.service.update_subscription(CUSTOMER, PLAIN, guid(1), text, "x", "application/json").status == 200
    assert client.violations == [
        f"PATCH of {PLAIN}: If-Match, but it has no etag",
        f"PATCH of {PLAIN}: If-Match is not quoted",
    ]


@pytest.mark.parametrize(("number", "status"), [(412, 412), (12055, 400)])
def test_another_program_changes_etag_and_quantity_meanwhile(
    client: SubscriptionClient, number: int, status: int
) -> None:
    before = client.text(scenario_id(number))
    assert client.send(scenario_id(number), activate(before)).status == status
    assert client.send(scenario_id(number), activate(before)).status == 412
    after = client.text(scenario_id(number))
    assert json.loads(after)["attributes"]["etag"] != json.loads(before)["attributes"]["etag"]
    assert json.loads(after)["quantity"] != json.loads(before)["quantity"]
    assert client.send(scenario_id(number), activate(after)).status == 200
    assert client.violations == []


@pytest.mark.parametrize(("number", "status"), [(1412, 412), (2055, 400)])
def test_another_program_changes_it_each_time(client: SubscriptionClient, number: int, status: int) -> None:
    assert [client.patch(scenario_id(number)).status for _ in range(4)] == [status] * 4
    assert client.effects == []


@pytest.mark.parametrize("number", UPDATED)
def test_every_legacy_scenario_has_an_etag_and_no_other_has(client: SubscriptionClient, number: int) -> None:
    legacy = SUBSCRIPTION_SCENARIOS[number].profile.kind is SubscriptionKind.LEGACY
    assert ('"etag":' in client.text(scenario_id(number)).lower()) is legacy


# Auto-renew.


def test_auto_renew_is_off_after_the_suspension_and_can_be_restored(client: SubscriptionClient) -> None:
    client.patch(PLAIN)
    assert json.loads(client.text(PLAIN))["autoRenewEnabled"] is False
    answer = client.patch(PLAIN, enable_auto_renew)
    assert (answer.status, answer.effect, json.loads(text_of(answer.body))["autoRenewEnabled"]) == (200, True, True)
    assert json.loads(client.text(PLAIN))["autoRenewEnabled"] is True
    assert client.violations == []


def test_auto_renew_can_be_restored_with_what_the_update_answered(client: SubscriptionClient) -> None:
    answered = text_of(client.patch(PLAIN).body)
    assert client.send(PLAIN, enable_auto_renew(answered)).effect
    assert client.violations == []


@pytest.mark.parametrize(
    ("number", "statuses", "restored"), [(6001, [400, 400], 0), (6002, [503, 503, 200], 1), (6003, [0, 200], 1)]
)
def test_restoring_auto_renew_has_scenarios_of_its_own(
    client: SubscriptionClient, number: int, statuses: list[int], restored: int
) -> None:
    assert client.patch(scenario_id(number)).status == 200
    text = enable_auto_renew(client.text(scenario_id(number)))
    answers = [client.send(scenario_id(number), text, request_id=guid(1)) for _ in statuses]
    assert [0 if answer.drop else answer.status for answer in answers] == statuses
    assert len([effect for effect in client.effects if "auto_renew" in effect]) == restored
    assert client.violations == []


def test_auto_renew_may_be_on_still(client: SubscriptionClient) -> None:
    assert '"autoRenewEnabled":true' in client.text(scenario_id(6000))
    client.patch(scenario_id(6000))
    assert '"autoRenewEnabled":true' in client.text(scenario_id(6000))


def test_a_reduced_body_switches_auto_renew_off_and_drops_what_was_to_come(client: SubscriptionClient) -> None:
    text = activate(client.text(scenario_id(6000)))
    content = {name: value for name, value in json.loads(text).items() if name in {"id", "status"}}
    assert client.send(scenario_id(6000), json.dumps(content)).effect
    after = json.loads(client.text(scenario_id(6000)))
    assert (after["status"], after["autoRenewEnabled"]) == ("active", False)
    assert "scheduledNextTermInstructions" not in after


# Bodies.


@pytest.mark.parametrize("number", SPELLED)
def test_every_spelling_can_be_read_and_updated(client: SubscriptionClient, number: int) -> None:
    body = client.read(scenario_id(number)).body
    assert {key.lower() for key in json.loads(text_of(body))} >= {"id", "status", "autorenewenabled", "attributes"}
    assert client.patch(scenario_id(number)).effect
    assert client.status(scenario_id(number)) == "active"
    assert client.violations == []


def test_spellings_differ_as_described(client: SubscriptionClient) -> None:
    pascal, utf16, indented, legacy = (client.read(scenario_id(number)).body for number in SPELLED)
    assert all(key[0].isupper() for key in json.loads(text_of(pascal)))
    assert b":null" in pascal
    assert utf16.startswith(b"\xff\xfe")
    assert indented.startswith(b'{\n  "id" : ')
    assert b'"Etag":' in legacy


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"isTrial":false,', "", "lost isTrial"),
        ('"elasticity":1.10', '"elasticity":1.1', "changed elasticity"),
        ('"allowance":12345678901234567890', '"allowance":1.2345678901234567e19', "changed allowance"),
        ("1E2", "100.0", "changed usage"),
        (r"\u00fc", "ü", "changed friendlyName"),
        (r"\/", "/", "changed friendlyName"),
        ("ü", r"\u00fc", "changed offerName"),
        (".1234567Z", ".123456Z", "changed creationDate"),
        ('"quantity":7', '"quantity":8', "changed quantity"),
        ('"isTrial":false', '"isTrial":false,"x":1', "added x"),
        ('"isTrial"', '"IsTrial"', "lost isTrial; added IsTrial"),
        ('"partnerId":null,', "", "lost partnerId"),
        ('"isTrial":false', '"isTrial": false', "differs in spelling or order"),
        ('"autoRenewEnabled":false', '"autoRenewEnabled":true', "changed autoRenewEnabled"),
    ],
)
def test_a_changed_body_is_a_violation(client: SubscriptionClient, old: str, new: str, complaint: str) -> None:
    text = client.text(PLAIN)
    assert old in text
    client.send(PLAIN, activate(text.replace(old, new, 1)))
    assert client.violations == [f"PATCH of {PLAIN}: {complaint}"]


def test_a_body_that_was_parsed_and_written_again_is_a_violation(client: SubscriptionClient) -> None:
    client.send(PLAIN, json.dumps(json.loads(activate(client.text(PLAIN))), separators=(",", ":")))
    (complaint,) = client.violations
    assert {"creationDate", "usage", "elasticity"} - set(re.findall(r"\w+", complaint)) == {"creationDate"}


def test_another_order_is_a_violation(client: SubscriptionClient) -> None:
    content = activate(client.text(PLAIN))
    trial = '"isTrial":false,'
    client.send(PLAIN, "{" + trial + content.replace(trial, "")[1:])
    assert client.violations == [f"PATCH of {PLAIN}: differs in spelling or order"]


@pytest.mark.parametrize(
    ("prefix", "encoding", "complaint"),
    [("\ufeff", "utf-8", "begins with a BOM"), ("", "utf-16", "is not UTF-8"), ("x", "utf-8", "is not a JSON object")],
)
def test_a_body_in_another_encoding_is_a_violation(
    client: SubscriptionClient, prefix: str, encoding: str, complaint: str
) -> None:
    body = (prefix + activate(client.text(PLAIN))).encode(encoding)
    client.service.update_subscription(CUSTOMER, PLAIN, guid(1), body, None, "application/json")
    assert client.violations == [f"PATCH of {PLAIN}: {complaint}"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a":1,}', b'{"a":1}x', b"{1:2}", b"[" * 100_000, b"null"])
def test_a_body_that_is_no_object_is_refused(client: SubscriptionClient, body: bytes) -> None:
    client.read(PLAIN)
    answer = client.service.update_subscription(CUSTOMER, PLAIN, guid(1), body, None, "application/json")
    assert (answer.status, client.effects) == (400, [])
    assert client.violations == [f"PATCH of {PLAIN}: is not a JSON object"]


def test_another_content_type_is_a_violation(client: SubscriptionClient) -> None:
    text = activate(client.text(PLAIN)).encode()
    client.service.update_subscription(CUSTOMER, PLAIN, guid(1), text, None, "text/plain")
    assert client.violations == [f"PATCH of {PLAIN}: its Content-Type is not application/json"]


def test_an_update_of_what_was_never_read_is_a_violation(client: SubscriptionClient) -> None:
    client.send(PLAIN, activate(SubscriptionClient().text(PLAIN)))
    assert client.violations == [f"PATCH of {PLAIN}: it was never read"]


def test_an_update_that_changes_nothing_is_a_violation(client: SubscriptionClient) -> None:
    assert client.patch(scenario_id(208)).status == 200
    assert client.violations == [f"PATCH of {scenario_id(208)}: changes nothing"]
    assert client.effects == []


def test_an_update_that_asks_for_another_status_is_refused(client: SubscriptionClient) -> None:
    answer = client.send(PLAIN, client.text(PLAIN))
    assert (answer.status, client.effects) == (400, [])
    assert client.violations == [f"PATCH of {PLAIN}: changes nothing"]


# Parents.


@pytest.mark.parametrize(("parent", "child"), [(5000, 5001), (5003, 5004)])
def test_an_add_on_waits_for_its_parent(client: SubscriptionClient, parent: int, child: int) -> None:
    answer = client.patch(scenario_id(child))
    assert (answer.status, b"27009" in answer.body) == (409, True)
    client.patch(scenario_id(parent))
    client.now = 2
    assert client.patch(scenario_id(child)).effect
    assert client.violations == []


def test_an_add_on_of_an_add_on_waits_for_both(client: SubscriptionClient) -> None:
    order = [5002, 5001, 5000, 5002, 5001, 5002]
    assert [client.patch(scenario_id(number)).status for number in order] == [409, 409, 200, 409, 200, 200]


def test_an_add_on_of_what_is_accepted_waits_until_that_is_active(client: SubscriptionClient) -> None:
    client.patch(scenario_id(5003))
    client.now = 1.9
    assert client.patch(scenario_id(5004)).status == 409
    client.now = 2
    assert client.patch(scenario_id(5004)).status == 200


def test_an_add_on_of_what_is_refused_waits_for_ever(client: SubscriptionClient) -> None:
    assert [client.patch(scenario_id(number)).status for number in (5005, 5006)] == [400, 409]


def test_a_parent_may_be_taken_for_inactive_after_it_says_active(client: SubscriptionClient) -> None:
    client.patch(scenario_id(5000))
    assert client.status(scenario_id(5000)) == "active"
    assert client.patch(scenario_id(5007)).status == 409
    client.now = 2
    assert client.patch(scenario_id(5007)).status == 200


def entitlement_of_plan(plan: int) -> tuple[str, str, str]:
    return CUSTOMER, scenario_id(plan), PLAIN


def test_an_azure_subscription_waits_for_its_plan(client: SubscriptionClient) -> None:
    answer = client.service.reactivate(entitlement_of_plan(7001), guid(1))
    assert (answer.status, b"27009" in answer.body) == (409, True)
    client.patch(scenario_id(7001))
    assert client.service.reactivate(entitlement_of_plan(7001), guid(1)).status == 409
    assert client.service.reactivate(entitlement_of_plan(7001), guid(2)).status == 202


@pytest.mark.parametrize("plan", [7003, 7005])
def test_an_azure_subscription_waits_until_its_plan_has_been_active(client: SubscriptionClient, plan: int) -> None:
    client.patch(scenario_id(plan))
    client.now = 1.9
    assert client.service.reactivate(entitlement_of_plan(plan), guid(1)).status == 409
    client.now = 2
    assert client.service.reactivate(entitlement_of_plan(plan), guid(2)).status == 202


@pytest.mark.parametrize("plan", [7002, 7004])
def test_an_azure_subscription_waits_for_ever_when_its_plan_does(client: SubscriptionClient, plan: int) -> None:
    client.patch(scenario_id(plan))
    client.now = 1e9
    assert client.service.reactivate(entitlement_of_plan(plan), guid(1)).status == 409
    client.service.replay(entitlement_of_plan(plan), guid(2))
    assert [effect for effect in client.effects if "entitlement_id" in effect] == []


def test_an_azure_plan_says_so(client: SubscriptionClient) -> None:
    content = json.loads(client.text(scenario_id(7001)))
    assert content["offerId"].startswith("DZH318Z0BPS6:0001:")
    assert content["offerName"] == content["productType"]["displayName"] == "Azure plan"


def test_below_any_other_subscription_nothing_waits(client: SubscriptionClient) -> None:
    client.read(row(PLAIN)[1])
    assert client.service.reactivate(row(PLAIN), guid(1)).status == 202


# Request ids.


def test_a_repeated_request_id_takes_effect_once_and_gets_the_same_answer(client: SubscriptionClient) -> None:
    text = activate(client.text(PLAIN))
    answers = [client.send(PLAIN, text, request_id=guid(1)) for _ in range(3)]
    assert [answer.effect for answer in answers] == [True, False, False]
    assert len({answer.body for answer in answers}) == len(client.effects) == 1
    assert client.violations == []


def test_a_refusal_is_repeated_under_its_request_id(client: SubscriptionClient) -> None:
    text = activate(client.text(scenario_id(1409)))
    assert [client.send(scenario_id(1409), text, request_id=guid(1)).status for _ in range(3)] == [409] * 3


@pytest.mark.parametrize("other", [guid(6), scenario_id(202)])
def test_a_request_id_for_two_subscriptions_is_a_violation(client: SubscriptionClient, other: str) -> None:
    client.patch(PLAIN, request_id=guid(1))
    client.patch(other, request_id=guid(1))
    assert client.violations == [f"request id {guid(1)} was used for two targets"]


def test_a_request_id_for_an_entitlement_and_its_plan_is_a_violation(client: SubscriptionClient) -> None:
    client.patch(scenario_id(7001), request_id=guid(1))
    client.service.reactivate(entitlement_of_plan(7001), guid(1))
    assert client.violations == [f"request id {guid(1)} was used for two targets"]


def test_a_request_id_for_reading_and_updating_is_a_violation(client: SubscriptionClient) -> None:
    body = client.service.read_subscription(CUSTOMER, PLAIN, guid(1)).body
    client.send(PLAIN, activate(text_of(body)), request_id=guid(1))
    assert client.violations == [f"request id {guid(1)} was used for GET and PATCH"]


def test_another_update_of_what_is_active_is_refused(client: SubscriptionClient) -> None:
    text = activate(client.text(PLAIN))
    answers = [client.send(PLAIN, text) for _ in range(2)]
    assert (answers[0].status, answers[1].status, b"800040" in answers[1].body) == (200, 400, True)
    assert len(client.effects) == 1


# Earlier processes, chance, throttles.


@pytest.mark.parametrize("number", [*UPDATED, 1])
def test_a_replayed_update_has_the_effects_of_a_sent_one(number: int) -> None:
    replayed, asked = SubscriptionClient(), SubscriptionClient()
    replayed.service.replay_update(CUSTOMER.upper(), scenario_id(number).upper(), guid(1))
    asked.patch(scenario_id(number), request_id=guid(1))
    assert replayed.effects == asked.effects
    texts = [client.text(scenario_id(number)) for client in (replayed, asked)]
    assert texts[0] == texts[1]
    assert replayed.service.call_log.calls == []


def test_a_replayed_update_was_long_ago(client: SubscriptionClient) -> None:
    client.service.replay_update(CUSTOMER, scenario_id(202), guid(1), ago=1)
    assert client.status(scenario_id(202)) == "suspended"
    client.service.replay_update(CUSTOMER, scenario_id(202, 1), guid(2), ago=2)
    assert client.status(scenario_id(202, 1)) == "active"


def test_a_replayed_restoration_switched_auto_renew_on(client: SubscriptionClient) -> None:
    client.service.replay_update(CUSTOMER, PLAIN, guid(1))
    client.service.replay_update(CUSTOMER, PLAIN, guid(2), restores_auto_renew=True)
    assert '"autoRenewEnabled":true' in client.text(PLAIN)
    assert [effect.get("auto_renew") for effect in client.effects] == [None, "restored"]


def test_replayed_updates_wait_for_parents(client: SubscriptionClient) -> None:
    client.service.replay_update(CUSTOMER, scenario_id(5001), guid(1))
    client.service.replay_update(CUSTOMER, scenario_id(5000), guid(2))
    client.service.replay_update(CUSTOMER, scenario_id(5001), guid(3))
    assert [effect["request_id"] for effect in client.effects] == [guid(2), guid(3)]


def test_updates_and_readings_meet_faults_by_chance() -> None:
    client = SubscriptionClient(Behaviour(fault_share=1))
    reads = [client.read(guid(number)) for number in range(60)]
    updates = [
        client.service.update_subscription(CUSTOMER, guid(number), guid(number), b'{"status":"active"}', None, "")
        for number in range(60)
    ]
    assert 200 not in {answer.status for answer in reads}
    assert not any(answer.effect for answer in reads)
    assert {(answer.status, answer.drop, answer.effect) for answer in updates} >= {
        (504, False, True),
        (202, True, True),
    }
    assert client.service.list_subscriptions(CUSTOMER).status != 200
    assert client.service.list_customers(10).status != 200


def test_a_throttle_may_hold_one_customer_or_all(client: SubscriptionClient) -> None:
    client.patch(scenario_id(4429))
    assert client.service.throttle(CUSTOMER)
    assert client.service.throttle(guid(7)) is None
    client.patch(scenario_id(5429))
    assert client.service.throttle(guid(7))
