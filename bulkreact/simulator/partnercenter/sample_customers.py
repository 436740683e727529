"""Sample customers with licences, Azure plans and Azure subscriptions in every status."""

import base64
import re
from functools import cache
from uuid import NAMESPACE_DNS, uuid5

from msgspec import Struct

from bulkreact.simulator.partnercenter.answers import JSON, ScriptedAnswer, refusal
from bulkreact.simulator.partnercenter.behaviour import Paging
from bulkreact.simulator.partnercenter.customer_scenarios import CUSTOMER_SCENARIOS, customer_scenario_of
from bulkreact.simulator.partnercenter.entitlement_scenarios import EntitlementScenario
from bulkreact.simulator.partnercenter.response_bodies import Customer, customers_body, link
from bulkreact.simulator.partnercenter.shared_state import SharedState
from bulkreact.simulator.partnercenter.subscription_json import SubscriptionKind, SubscriptionProfile

_FIRST_CUSTOMERS = (("adatum", "A. Datum"), ("northwind", "Northwind Bakery"), ("zuerich", "Café Zürich"))
_NAMES = ("Harbor", "Alpine", "Lumen", "Quill", "Juniper", "Meadow", "Copper", "Nordsee", "Granite", "Willow", "Ember")
_TRADES = ("Dental", "Logistics", "Press", "Bakery", "Motors", "Optics", "Farms", "Textiles", "Advisers", "Bikes")
_LISTED_ID = re.compile(r"c0570000-0000-4000-8000-a([0-9a-f]{11})")
_ACTIVE = EntitlementScenario("was active before", active_before=True)
_INACTIVE = EntitlementScenario("accepted")


class SampleEntitlement(Struct, frozen=True):
    """An Azure subscription of a sample customer."""

    name: str
    scenario: EntitlementScenario


class SampleCustomers:
    """The pages of the list of customers, and the initial subscriptions of each."""

    def __init__(self, state: SharedState) -> None:
        self._state = state
        self._readings: dict[str, int] = {}
        self._tokens: dict[str, int] = {}

    def profiles(self, customer_id: str) -> dict[str, SubscriptionProfile]:
        """Return a customer's subscriptions by id; none for a customer that is not in the list."""
        return _profiles(customer_id) if self._is_sample(customer_id) else {}

    def entitlements(self, customer_id: str, subscription_id: str) -> dict[str, SampleEntitlement]:
        """Return the Azure subscriptions of a subscription by id."""
        profile = self.profiles(customer_id).get(subscription_id)
        return _entitlements(subscription_id) if profile and profile.kind is SubscriptionKind.AZURE_PLAN else {}

    def list_answer(self, customer_id: str) -> ScriptedAnswer | None:
        """Count a read of a customer's list, and return the scenario's answer instead, if any."""
        scenario = customer_scenario_of(customer_id)
        self._readings[customer_id] = self._readings.get(customer_id, 0) + 1
        return scenario.reads.answer(self._readings[customer_id] - 1) if scenario else None

    def page(self, size: int, token: str | None) -> ScriptedAnswer:
        """Return a page of the list of customers: the first one, or the one for a token."""
        if token is not None and token not in self._tokens:
            self._state.add_violation("MS-ContinuationToken is wrong")
            return refusal(400, "800002")
        if fault := self._state.read_fault():
            return fault
        behaviour = self._state.behaviour
        begin, whole = 0 if token is None else self._tokens[token], behaviour.customers + behaviour.broken_customers
        end = min(begin + min(size, behaviour.page_size), whole)
        customers = [self._customer(number) for number in range(begin, end)]
        links, next_token = {"self": _page_link(size, token)}, self._continuation_token(end) if end < whole else ""
        if next_token and behaviour.paging is Paging.LINKS:
            links["next"] = _page_link(size, next_token)
        body = customers_body(
            customers,
            links,
            token=next_token if behaviour.paging is Paging.TOKENS else "",
            total_count=whole if behaviour.paging is Paging.CUT else len(customers),
        )
        return ScriptedAnswer(200, body, JSON)

    def _continuation_token(self, begin: int) -> str:
        # Characters that break if a client does not escape the token.
        token = base64.b64encode(b"\xfb\xef\xbe\xff\xff\xff" + f"{begin:07d}".encode()).decode()
        self._tokens[token] = begin
        return token

    def _is_sample(self, customer_id: str) -> bool:
        match = _LISTED_ID.fullmatch(customer_id)
        listed = match is not None and 1 <= int(match[1], 16) <= self._state.behaviour.customers
        return listed or customer_scenario_of(customer_id) is not None

    def _customer(self, number: int) -> Customer:
        """Return a customer of the list, counted from 0."""
        broken = number - self._state.behaviour.customers
        if broken >= 0:
            repetition, index = divmod(broken, len(CUSTOMER_SCENARIOS))
            id_ = f"c0570000-{repetition + 1:04x}-4000-8000-{list(CUSTOMER_SCENARIOS)[index]:012d}"
            return id_, f"broken{broken + 1}.example", f"Broken {broken + 1} & Sons"
        domain, name = _name_of(number)
        return f"c0570000-0000-4000-8000-a{number + 1:011x}", f"{domain}.example", name


def _page_link(size: int, token: str | None) -> dict[str, object]:
    if token is None:
        return link(f"/customers?size={size}", {})
    return link(f"/customers?size={size}&seekOperation=Next", {"MS-ContinuationToken": token})


def _name_of(number: int) -> tuple[str, str]:
    if number < len(_FIRST_CUSTOMERS):
        return _FIRST_CUSTOMERS[number]
    repetition, index = divmod(number, len(_NAMES) * len(_TRADES))
    parts = [_NAMES[index % len(_NAMES)], _TRADES[index // len(_NAMES)], *([str(repetition + 1)] if repetition else [])]
    return "-".join(parts).lower(), " ".join(parts)


@cache
def _profiles(customer_id: str) -> dict[str, SubscriptionProfile]:
    """Return the subscriptions of a customer; the end of its id chooses their kinds and statuses."""
    number = int(customer_id[-8:], 16)
    licence = _id(customer_id, "licence")
    plan_status = "suspended" if number % 4 == 0 else "active"
    profiles = {
        licence: SubscriptionProfile(name="Postfach", offer="Postfach Standard"),
        _id(customer_id, "office"): SubscriptionProfile(status="active", auto_renew=True, name="Office / Lager"),
        _id(customer_id, "plan"): SubscriptionProfile(SubscriptionKind.AZURE_PLAN, plan_status, name="Azure plan"),
    }
    if number % 2:
        profiles[_id(customer_id, "legacy")] = SubscriptionProfile(
            SubscriptionKind.LEGACY, auto_renew=True, name="Alt-Lizenz", offer="Büro 2010"
        )
    if number % 3 == 0:
        profiles[_id(customer_id, "add-on")] = SubscriptionProfile(
            parent_id=licence, name="Archiv", offer="Archiv (Add-on)"
        )
    if number % 3 == 1:
        profiles[_id(customer_id, "expired")] = SubscriptionProfile(status="expired", name="Probe", offer="Büro Probe")
    if number % 3 == 2:  # noqa: PLR2004 - one of three
        profiles[_id(customer_id, "frozen")] = SubscriptionProfile(
            status="frozen", name="Winterlager", offer="Büro Plus"
        )
    return profiles


@cache
def _entitlements(subscription_id: str) -> dict[str, SampleEntitlement]:
    """Return two to four Azure subscriptions of a plan; the first one is inactive."""
    names = ("Production", "Test", "Archive", "Sandbox")[: 2 + int(subscription_id[-2:], 16) % 3]
    return {
        _id(subscription_id, name): SampleEntitlement(name, _ACTIVE if number % 2 else _INACTIVE)
        for number, name in enumerate(names)
    }


def _id(owner_id: str, name: str) -> str:
    """Return an id that chooses no scenario: its last group begins with a letter."""
    id_ = str(uuid5(NAMESPACE_DNS, f"{owner_id} {name}"))
    return f"{id_[:24]}{'abcdef'[int(id_[24], 16) % 6]}{id_[25:]}"
