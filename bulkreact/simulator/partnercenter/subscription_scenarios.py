"""Scenarios of a subscription, chosen by the last digits of its id."""

from http import HTTPStatus
from math import inf

from msgspec.structs import replace

from bulkreact.simulator.partnercenter.answers import (
    REFUSALS,
    TRANSIENT,
    ScriptedAnswer,
    refusal,
)
from bulkreact.simulator.partnercenter.entitlement_scenarios import ENTITLEMENT_SCENARIOS
from bulkreact.simulator.partnercenter.response_bodies import error_body
from bulkreact.simulator.partnercenter.scenario import (
    NO_SCRIPT,
    Script,
    answer_always,
    answer_once,
    choose_scenario,
)
from bulkreact.simulator.partnercenter.subscription_json import JsonStyle, SubscriptionKind, SubscriptionProfile
from bulkreact.simulator.partnercenter.subscription_read_scenarios import READS, STATUSES
from bulkreact.simulator.partnercenter.subscription_scenario import LICENCE, SubscriptionScenario

# A success without a body is answered with the current resource.
ACCEPTED = ScriptedAnswer(200, effect=True)
PARENT_INACTIVE = refusal(409, "27009")


def _acceptance(location: str) -> Script:
    """Return 202 and a Location; the server fills in the ids and its own address."""
    return answer_once(ScriptedAnswer(202, headers={"Location": location} if location else {}, effect=True))


_HERE = "/customers/{customer}/subscriptions/{subscription}"
_LEGACY = SubscriptionProfile(SubscriptionKind.LEGACY, auto_renew=True)
_PLAN = SubscriptionProfile(SubscriptionKind.AZURE_PLAN, name="Azure plan")
_LEGACY_CODES = {"2001", "2002", "2054", "3000", "800040"}
# Codes that only entitlements get.
_OF_ENTITLEMENTS = {"900337", "900335", "900307", "800111"}
_SHARED = {
    401,
    1401,
    2401,
    408,
    409,
    429,
    1429,
    2429,
    3429,
    4429,
    5429,
    6429,
    500,
    1500,
    501,
    502,
    503,
    1503,
    504,
    1504,
}
_SHARED |= {597, 1597, 2597, 3597, 4597, 598, 1598, 599, 1599, 3599}


def _refusals() -> dict[int, SubscriptionScenario]:
    return {
        int(code): SubscriptionScenario(
            f"{status}, code {code}, for ever",
            answer_always(refusal(status, code)),
            reads=answer_always(refusal(status, code)) if status == HTTPStatus.NOT_FOUND else NO_SCRIPT,
            profile=_LEGACY if code in _LEGACY_CODES else LICENCE,
        )
        for status, refusals in REFUSALS.items()
        for code, _ in refusals
        if code not in _OF_ENTITLEMENTS
    }


def _same_as_entitlements() -> dict[int, SubscriptionScenario]:
    """Return the scenarios that entitlements have too, but with 200 for a success."""
    return {
        number: SubscriptionScenario(
            scenario.description, replace(scenario.writes, answers=tuple(map(_as_update, scenario.writes.answers)))
        )
        for number, scenario in ENTITLEMENT_SCENARIOS.items()
        if number in _SHARED
    }


def _as_update(answer: ScriptedAnswer) -> ScriptedAnswer:
    return replace(answer, status=200) if answer.effect and answer.status == HTTPStatus.ACCEPTED else answer


_UPDATE_FAILED = refusal(500, "800094", TRANSIENT["800094"])

SUBSCRIPTION_SCENARIOS: dict[int, SubscriptionScenario] = {
    **_refusals(),
    **_same_as_entitlements(),
    **STATUSES,
    **{
        int(code): SubscriptionScenario(
            f"500, code {code}, once, then accepted", answer_once(refusal(500, code, description))
        )
        for code, description in TRANSIENT.items()
    },
    1_800_094: SubscriptionScenario(
        "500, code 800094, once although it took effect, then the answer to the same request id",
        answer_once(replace(_UPDATE_FAILED, effect=True)),
    ),
    1_800_082: SubscriptionScenario(
        "409, code 800082, twice, then accepted", answer_once(refusal(409, "800082"), refusal(409, "800082"))
    ),
    1409: SubscriptionScenario("409 without a code once, then accepted", answer_once(409)),
    1502: SubscriptionScenario(
        "502 once although it took effect, then the answer to the same request id",
        answer_once(ScriptedAnswer(502, effect=True)),
    ),
    2503: SubscriptionScenario(
        "503 once although it took effect, then the answer to the same request id",
        answer_once(ScriptedAnswer(503, effect=True)),
    ),
    2504: SubscriptionScenario("504 once, without effect, then accepted", answer_once(504)),
    596: SubscriptionScenario(
        "400, code 800096, in UTF-16, for ever",
        answer_always(ScriptedAnswer(400, error_body("800096", "Can't update the status").decode().encode("utf-16"))),
    ),
    2599: SubscriptionScenario(
        "takes effect, the connection drops, the request id is forgotten: 400, code 800040, and reading it says active",
        answer_once(ScriptedAnswer(200, effect=True, drop=True)),
        ignores_repeats=True,
    ),
    4599: SubscriptionScenario(
        "the same as 2599, but 409, code 800082, and reading it says suspended for an hour",
        answer_once(ScriptedAnswer(200, effect=True, drop=True)),
        ignores_repeats=True,
        active_within=3600,
    ),
    5599: SubscriptionScenario(
        "legacy: the same as 2599, but 412, as its etag has changed",
        answer_once(ScriptedAnswer(200, effect=True, drop=True)),
        ignores_repeats=True,
        profile=_LEGACY,
    ),
    # Etags.
    7000: SubscriptionScenario("legacy: has an etag, and 412 without the right If-Match", profile=_LEGACY),
    412: SubscriptionScenario(
        "legacy: 412 once, as another client changed it, then accepted",
        answer_once(412),
        modified_elsewhere=True,
        profile=_LEGACY,
    ),
    1412: SubscriptionScenario(
        "legacy: 412 for ever, as another client changes it each time",
        answer_always(412),
        modified_elsewhere=True,
        profile=_LEGACY,
    ),
    2055: SubscriptionScenario(
        "legacy: 400, code 2055, for ever, as another client changes it each time",
        answer_always(refusal(400, "2055", "The etag is no longer valid.")),
        modified_elsewhere=True,
        profile=_LEGACY,
    ),
    12055: SubscriptionScenario(
        "legacy: 400, code 2055, once, as another client changed it, then accepted",
        answer_once(refusal(400, "2055", "The etag is no longer valid.")),
        modified_elsewhere=True,
        profile=_LEGACY,
    ),
    # Acceptance.
    208: SubscriptionScenario("reading it says active", profile=SubscriptionProfile(status="active", auto_renew=True)),
    200: SubscriptionScenario("200 with the resource still suspended, active two seconds later", active_within=None),
    202: SubscriptionScenario("202 with a Location, active two seconds later", _acceptance(_HERE), active_within=None),
    1202: SubscriptionScenario("202 with a Location, and never active", _acceptance(_HERE), active_within=inf),
    2202: SubscriptionScenario(
        "202 with a Location that has no leading slash", _acceptance(_HERE[1:]), active_within=None
    ),
    3202: SubscriptionScenario(
        "202 with a whole address on this host as its Location", _acceptance("{origin}/v1" + _HERE), active_within=None
    ),
    4202: SubscriptionScenario(
        "202 with a Location on another host, which must not be called",
        _acceptance("{elsewhere}/elsewhere/v1" + _HERE),
        active_within=None,
    ),
    5202: SubscriptionScenario(
        "202 with the Location of an operation that answers with the resource",
        _acceptance(_HERE + "/operations/{operation}"),
        active_within=None,
    ),
    6202: SubscriptionScenario(
        "202 with the Location of an operation that answers 404",
        _acceptance(_HERE + "/operations/{operation}"),
        active_within=None,
        operation_gone=True,
    ),
    7202: SubscriptionScenario("202 without a Location, active two seconds later", _acceptance(""), active_within=None),
    8202: SubscriptionScenario("200 with the resource still suspended, and never active", active_within=inf),
    # Auto-renew.
    6000: SubscriptionScenario(
        "accepted, and auto-renew was never switched off", profile=SubscriptionProfile(auto_renew=True)
    ),
    6001: SubscriptionScenario(
        "accepted, but switching auto-renew on is answered 400, code 3000, for ever",
        auto_renew=answer_always(refusal(400, "3000")),
    ),
    6002: SubscriptionScenario(
        "accepted, but switching auto-renew on is answered 503 twice, then accepted", auto_renew=answer_once(503, 503)
    ),
    6003: SubscriptionScenario(
        "accepted, but switching auto-renew on takes effect, the connection drops, then the answer to the same request id",
        auto_renew=answer_once(ScriptedAnswer(200, effect=True, drop=True)),
    ),
    # Parents.
    5000: SubscriptionScenario("accepted, and the parent of others"),
    5001: SubscriptionScenario("add-on of the id ending in 5000: 409, code 27009, until that is active", parent=5000),
    5002: SubscriptionScenario(
        "add-on of the add-on ending in 5001: 409, code 27009, until that is active", parent=5001
    ),
    5003: SubscriptionScenario(
        "202 with a Location, active two seconds later, and a parent", _acceptance(_HERE), active_within=None
    ),
    5004: SubscriptionScenario("add-on of the id ending in 5003: 409, code 27009, until that is active", parent=5003),
    5005: SubscriptionScenario("a parent: 400, code 800096, for ever", answer_always(refusal(400, "800096"))),
    5006: SubscriptionScenario("add-on of the id ending in 5005: 409, code 27009, for ever", parent=5005),
    5007: SubscriptionScenario(
        "add-on of the id ending in 5000: 409, code 27009, until two seconds after that is active",
        parent=5000,
        parent_delay=2,
    ),
    7001: SubscriptionScenario("an Azure plan: below it 409, code 27009, until it is active", profile=_PLAN),
    7002: SubscriptionScenario(
        "an Azure plan: 400, code 800096, for ever", answer_always(refusal(400, "800096")), profile=_PLAN
    ),
    7003: SubscriptionScenario(
        "an Azure plan: 202 with a Location, active two seconds later",
        _acceptance(_HERE),
        active_within=None,
        profile=_PLAN,
    ),
    7004: SubscriptionScenario(
        "an Azure plan: 202 with a Location, and never active", _acceptance(_HERE), active_within=inf, profile=_PLAN
    ),
    7005: SubscriptionScenario(
        "an Azure plan: below it 409, code 27009, until two seconds after it is active", parent_delay=2, profile=_PLAN
    ),
    **READS,
    # Spellings.
    9001: SubscriptionScenario(
        "accepted; names in PascalCase, with nulls", profile=SubscriptionProfile(style=JsonStyle.PASCAL)
    ),
    9002: SubscriptionScenario("accepted; in UTF-16 with a BOM", profile=SubscriptionProfile(style=JsonStyle.UTF16)),
    9003: SubscriptionScenario(
        "accepted; indented, without a BOM", profile=SubscriptionProfile(style=JsonStyle.INDENTED)
    ),
    9004: SubscriptionScenario(
        "legacy: names in PascalCase, with nulls and an etag",
        profile=SubscriptionProfile(SubscriptionKind.LEGACY, auto_renew=True, style=JsonStyle.PASCAL),
    ),
}
PLAIN = SubscriptionScenario("200 with the updated resource, active at once")


def subscription_scenario_of(subscription_id: str) -> SubscriptionScenario:
    """Return the scenario that the last twelve digits of a subscription id choose; most are accepted."""
    return choose_scenario(SUBSCRIPTION_SCENARIOS, subscription_id) or PLAIN
