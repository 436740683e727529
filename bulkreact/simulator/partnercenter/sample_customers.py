"""The made-up customers, and what they have: licences, Azure plans and Azure subscriptions in all conditions."""

import base64
import re
from dataclasses import dataclass
from functools import cache
from uuid import NAMESPACE_DNS, uuid5

from bulkreact.simulator.partnercenter.answers import JSON, ScriptedAnswer, refused
from bulkreact.simulator.partnercenter.customer_scenarios import CUSTOMER_SCENARIOS, customer_scenario_of
from bulkreact.simulator.partnercenter.entitlement_scenarios import EntitlementScenario
from bulkreact.simulator.partnercenter.response_bodies import Customer, customers_body, link
from bulkreact.simulator.partnercenter.shared_state import SharedState
from bulkreact.simulator.partnercenter.subscription_json import Profile, SubscriptionKind

_FIRST = (("adatum", "A. Datum"), ("northwind", "Northwind Bakery"), ("zuerich", "Café Zürich"))
_PLACES = ("Harbor", "Alpine", "Lumen", "Quill", "Juniper", "Meadow", "Copper", "Nordsee", "Granite", "Willow", "Ember")
_TRADES = ("Dental", "Logistics", "Press", "Bakery", "Motors", "Optics", "Farms", "Textiles", "Advisers", "Bikes")
_LISTED = re.compile(r"c0570000-0000-4000-8000-a([0-9a-f]{11})")
_ACTIVE = EntitlementScenario("was active before", active_before=True)
_INACTIVE = EntitlementScenario("accepted")


@dataclass(frozen=True, slots=True)
class SampleEntitlement:
    """An Azure subscription that a customer has from the beginning."""

    name: str
    scenario: EntitlementScenario


class SampleCustomers:
    """Who the customers are, page by page, and what they have before anybody does anything about it."""

    def __init__(self, state: SharedState) -> None:
        self._state = state
        self._readings: dict[str, int] = {}
        self._tokens: dict[str, int] = {}

    def profiles(self, customer_id: str) -> dict[str, Profile]:
        """Return a customer's subscriptions by their ids; none for a customer whom nobody has listed."""
        return _profiles(customer_id) if self._knows(customer_id) else {}

    def entitlements(self, customer_id: str, subscription_id: str) -> dict[str, SampleEntitlement]:
        """Return the Azure subscriptions below a subscription by their ids."""
        profile = self.profiles(customer_id).get(subscription_id)
        return _entitlements(subscription_id) if profile and profile.kind is SubscriptionKind.AZURE_PLAN else {}

    def list_answer(self, customer_id: str) -> ScriptedAnswer | None:
        """Count a reading of a customer's list, and return what it is answered instead."""
        scenario = customer_scenario_of(customer_id)
        self._readings[customer_id] = self._readings.get(customer_id, 0) + 1
        return scenario.reads.answer(self._readings[customer_id] - 1) if scenario else None

    def page(self, size: int, token: str | None) -> ScriptedAnswer:
        """Return a page of the list of customers: the first one, or the one that a token stands for."""
        if token is not None and token not in self._tokens:
            self._state.add_violation("MS-ContinuationToken is wrong")
            return refused(400, "800002")
        if fault := self._state.read_fault():
            return fault
        begin = 0 if token is None else self._tokens[token]
        end, whole = begin + size, self._state.behaviour.customers + self._state.behaviour.broken_customers
        links = {"self": _page_link(size, token)}
        if end < whole:
            links["next"] = _page_link(size, self._token(end))
        customers = [self._customer(number) for number in range(begin, min(end, whole))]
        return ScriptedAnswer(200, customers_body(customers, links), JSON)

    def _token(self, begin: int) -> str:
        # Whoever puts it into an address unescaped, or takes it for a word, is found out.
        token = base64.b64encode(b"\xfb\xef\xbe\xff\xff\xff" + f"{begin:07d}".encode()).decode()
        self._tokens[token] = begin
        return token

    def _knows(self, customer_id: str) -> bool:
        found = _LISTED.fullmatch(customer_id)
        listed = found is not None and 1 <= int(found[1], 16) <= self._state.behaviour.customers
        return listed or customer_scenario_of(customer_id) is not None

    def _customer(self, number: int) -> Customer:
        """Return a customer of the list, counted from 0."""
        broken = number - self._state.behaviour.customers
        if broken >= 0:
            times, which = divmod(broken, len(CUSTOMER_SCENARIOS))
            fate = list(CUSTOMER_SCENARIOS)[which]
            one = f"c0570000-{times + 1:04x}-4000-8000-{fate:012d}"
            return one, f"broken{broken + 1}.example", f"Broken {broken + 1} & Sons"
        domain, name = _named(number)
        return f"c0570000-0000-4000-8000-a{number + 1:011x}", f"{domain}.example", name


def _page_link(size: int, token: str | None) -> dict[str, object]:
    if token is None:
        return link(f"/customers?size={size}", {})
    return link(f"/customers?size={size}&seekOperation=Next", {"MS-ContinuationToken": token})


def _named(number: int) -> tuple[str, str]:
    if number < len(_FIRST):
        return _FIRST[number]
    times, which = divmod(number, len(_PLACES) * len(_TRADES))
    words = [_PLACES[which % len(_PLACES)], _TRADES[which // len(_PLACES)], *([str(times + 1)] if times else [])]
    return "-".join(words).lower(), " ".join(words)


@cache
def _profiles(customer_id: str) -> dict[str, Profile]:
    """Return what a customer has; which of all conditions it shows is chosen by the end of its id."""
    number = int(customer_id[-8:], 16)
    licence = _id(customer_id, "licence")
    plan_status = "suspended" if number % 4 == 0 else "active"
    found = {
        licence: Profile(name="Postfach", offer="Postfach Standard"),
        _id(customer_id, "office"): Profile(status="active", auto_renew=True, name="Office / Lager"),
        _id(customer_id, "plan"): Profile(SubscriptionKind.AZURE_PLAN, plan_status, name="Azure plan"),
    }
    if number % 2:
        found[_id(customer_id, "legacy")] = Profile(
            SubscriptionKind.LEGACY, auto_renew=True, name="Alt-Lizenz", offer="Büro 2010"
        )
    if number % 3 == 0:
        found[_id(customer_id, "add-on")] = Profile(parent_id=licence, name="Archiv", offer="Archiv (Add-on)")
    if number % 3 == 1:
        found[_id(customer_id, "expired")] = Profile(status="expired", name="Probe", offer="Büro Probe")
    if number % 3 == 2:  # noqa: PLR2004 - one of three
        found[_id(customer_id, "frozen")] = Profile(status="frozen", name="Winterlager", offer="Büro Plus")
    return found


@cache
def _entitlements(subscription_id: str) -> dict[str, SampleEntitlement]:
    """Return two to four Azure subscriptions below a plan; the first one is inactive."""
    names = ("Production", "Test", "Archive", "Sandbox")[: 2 + int(subscription_id[-2:], 16) % 3]
    return {
        _id(subscription_id, name): SampleEntitlement(name, _ACTIVE if number % 2 else _INACTIVE)
        for number, name in enumerate(names)
    }


def _id(owner_id: str, name: str) -> str:
    """Return the id of what somebody has; no fate fits it, as its last group begins with a letter."""
    one = str(uuid5(NAMESPACE_DNS, f"{owner_id} {name}"))
    return f"{one[:24]}{'abcdef'[int(one[24], 16) % 6]}{one[25:]}"
