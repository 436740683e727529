"""The subscriptions of all customers: how they are read, updated and listed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from bulkreact.simulator.partnercenter.answers import JSON, ScriptedAnswer, refused
from bulkreact.simulator.partnercenter.json_members import members, value
from bulkreact.simulator.partnercenter.shared_state import SharedState, Target, is_definitive
from bulkreact.simulator.partnercenter.subscription import SimulatedSubscription
from bulkreact.simulator.partnercenter.subscription_fate import ACCEPTED, PARENT_INACTIVE
from bulkreact.simulator.partnercenter.subscription_json import Profile, SubscriptionKind, collection
from bulkreact.simulator.partnercenter.subscription_scenarios import subscription_scenario_of

ORIGIN = "https://partner.example"


@dataclass(frozen=True, slots=True)
class _RequestedUpdate:
    """What an update's body asks for."""

    status: str
    auto_renew: bool
    text: str


class SimulatedSubscriptions:
    """Every id that is asked for exists; ``origin`` is the address that Locations begin with where they are whole.

    ``portfolio`` tells what a customer has from the beginning: subscription ids with what they are.
    """

    def __init__(self, house: SharedState, portfolio: Callable[[str], dict[str, Profile]], today: datetime) -> None:
        self.origin = ORIGIN
        self._state = house
        self._sample_profiles = portfolio
        self._today = today
        self._known: dict[str, dict[str, SimulatedSubscription]] = {}

    def read(self, customer_id: str, subscription_id: str) -> ScriptedAnswer:
        """Answer the reading of one subscription."""
        one = self._find(customer_id, subscription_id)
        act = one.read_answer() or self._state.reading_fault()
        return act or ScriptedAnswer(200, one.serve(one.text(self._status(one), self._today), read=True), JSON)

    def read_operation(self, customer_id: str, subscription_id: str, operation_id: str) -> ScriptedAnswer:
        """Answer the reading of an operation that an update has named: its result is the subscription."""
        one = self._find(customer_id, subscription_id)
        if one.scenario.operation_gone or one.accepted_at is None or operation_id.lower() != one.operation_id:
            return refused(404, "1000")
        return self.read(customer_id, subscription_id)

    def list_all(self, customer_id: str) -> ScriptedAnswer:
        """Return the list of what a customer has, or, outside of the portfolio, of what was asked for before."""
        uri = f"/customers/{customer_id}/subscriptions"
        items = [one.text(self._status(one), self._today) for one in self._all(customer_id).values() if one.listed]
        return ScriptedAnswer(200, collection(uri, items), JSON)

    def update(
        self,
        customer_id: str,
        subscription_id: str,
        request_id: str,
        *,
        body: bytes,
        if_match: str | None,
        content_type: str,
    ) -> ScriptedAnswer:
        """Answer one update; a request id that was answered before gets the same answer again."""
        one, target = self._find(customer_id, subscription_id), (customer_id, subscription_id, "")
        for words in one.violations(body, if_match, content_type):
            self._state.add_violation(f"PATCH of {subscription_id}: {words}")
        if known := self._state.recorded_answer(target, request_id):
            return self._render(one, known)
        wish = _parse_update(body)
        restores = wish is not None and self._restores_auto_renew(one, wish)
        act = self._answer(one, wish, if_match, restores=restores)
        if act is ACCEPTED:
            act = self._state.write_fault() or act
        self._state.apply_throttle(customer_id, act)
        reduced = wish is not None and one.drops_members(wish.text)
        return self._render(one, self._settle(one, target, request_id, act, restores=restores, reduced=reduced))

    def replay(self, customer_id: str, subscription_id: str, request_id: str, *, ago: float, restores: bool) -> None:
        """Take in an update that an earlier process was asked for, seconds ago."""
        one, target = self._find(customer_id, subscription_id), (customer_id, subscription_id, "")
        if self._state.recorded_answer(target, request_id):
            return
        if restores:
            act = one.next_auto_renew_answer()
        elif self._waits_for_parent(one):
            act = PARENT_INACTIVE
        else:
            act = one.next_answer(active=self._status(one) == "active")
        took_effect = self._settle(one, target, request_id, act, restores=restores, reduced=False).effect
        if took_effect and not restores and one.accepted_at is not None:
            one.accepted_at -= ago

    def blocks_children(self, customer_id: str, subscription_id: str) -> bool:
        """Tell whether an Azure plan is not active, so that nothing below it can be reactivated."""
        if not self._exists(customer_id, subscription_id):
            return False
        one = self._find(customer_id, subscription_id)
        return one.profile.kind is SubscriptionKind.AZURE_PLAN and not self._has_been_active(one, one.scenario.lag)

    def _exists(self, customer_id: str, subscription_id: str) -> bool:
        """Tell whether anything is known of a subscription without making it up."""
        known = subscription_id in self._all(customer_id)
        return known or subscription_scenario_of(subscription_id).profile.kind is SubscriptionKind.AZURE_PLAN

    def _answer(
        self, one: SimulatedSubscription, wish: _RequestedUpdate | None, if_match: str | None, *, restores: bool
    ) -> ScriptedAnswer:
        """Return what an update is answered, but for what happens by chance."""
        if wish is None:
            return refused(400, "800002")
        if self._waits_for_parent(one):
            return PARENT_INACTIVE
        if not one.matches_etag(if_match):
            return ScriptedAnswer(412)
        if restores:
            return one.next_auto_renew_answer()
        active = self._status(one) == "active"
        if active and wish.text in one.served:
            return ScriptedAnswer(200)
        return one.next_answer(active=active) if wish.status == "active" else refused(400, "3000")

    def _restores_auto_renew(self, one: SimulatedSubscription, wish: _RequestedUpdate) -> bool:
        active = self._status(one) == "active"
        return active and wish.status == "active" and wish.auto_renew and not one.auto_renew

    def _settle(
        self,
        one: SimulatedSubscription,
        target: Target,
        request_id: str,
        act: ScriptedAnswer,
        *,
        restores: bool,
        reduced: bool,
    ) -> ScriptedAnswer:
        """Let an update have its consequences, and return its answer."""
        if remembered := _remembered(one, act):
            self._state.record_answer(target, request_id, remembered)
        if not act.effect or (one.auto_renew if restores else one.accepted_at is not None):
            return replace(act, effect=False)
        ids = {"subscription_id": one.id, "request_id": request_id, "customer_id": one.customer_id}
        one.version += 1
        if restores:
            one.auto_renew = True
            self._state.call_log.effects.append({**ids, "auto_renew": "restored"})
            return act
        one.accepted_at = self._state.clock()
        self._state.call_log.effects.append(ids)
        if reduced:
            # As the real service does with what it is not told.
            one.auto_renew = one.has_next_term = False
        return act

    def _render(self, one: SimulatedSubscription, act: ScriptedAnswer) -> ScriptedAnswer:
        """Return an answer with what the resource is now, or where it is."""
        if act.drop or act.status != 200 or act.body:  # noqa: PLR2004
            return one.with_location(act, self.origin, self._elsewhere)
        text = one.text(self._status(one), self._today)
        return replace(act, body=one.serve(text, read=False), headers=JSON)

    @property
    def _elsewhere(self) -> str:
        """Return the address of another host, which is this one by another name where there are two."""
        names = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}
        scheme, _, place = self.origin.partition("://")
        host, _, port = place.partition(":")
        return f"{scheme}://{names[host]}:{port}" if host in names else "https://elsewhere.example"

    def _waits_for_parent(self, one: SimulatedSubscription) -> bool:
        """Tell whether a parent must be active first."""
        parent_id = one.profile.parent_id
        return bool(parent_id) and not self._has_been_active(self._find(one.customer_id, parent_id), one.scenario.lag)

    def _has_been_active(self, one: SimulatedSubscription, lag: float) -> bool:
        """Tell whether a subscription has been active for so many seconds."""
        since = one.active_since(self._state.behaviour.delay(one.activation_jitter))
        return since is not None and since + lag <= self._state.clock()

    def _status(self, one: SimulatedSubscription) -> str:
        return one.status(self._state.clock(), self._state.behaviour.delay(one.activation_jitter))

    def _all(self, customer_id: str) -> dict[str, SimulatedSubscription]:
        """Return what a customer has, at first what the portfolio says."""
        known = self._known.setdefault(customer_id, {})
        for one, profile in self._sample_profiles(customer_id).items():
            if one not in known:
                known[one] = self._make(customer_id, one, profile)
        return known

    def _find(self, customer_id: str, subscription_id: str) -> SimulatedSubscription:
        known = self._all(customer_id)
        if subscription_id not in known:
            fate = subscription_scenario_of(subscription_id)
            parent = "" if fate.parent is None else f"{subscription_id[:-12]}{fate.parent:012d}"
            known[subscription_id] = self._make(customer_id, subscription_id, replace(fate.profile, parent_id=parent))
        return known[subscription_id]

    def _make(self, customer_id: str, subscription_id: str, profile: Profile) -> SimulatedSubscription:
        fate = subscription_scenario_of(subscription_id)
        share = self._state.activation_jitter(customer_id, subscription_id)
        return SimulatedSubscription(customer_id, subscription_id, fate, profile, share, profile.auto_renew)


def _remembered(one: SimulatedSubscription, act: ScriptedAnswer) -> ScriptedAnswer | None:
    """Return what a repeated request id is answered, None when the service does not know it again."""
    lost_for_ever = one.scenario.forever and (act.drop or act.delay)
    if one.scenario.forgets or lost_for_ever:
        return None
    if act.effect:
        said = 200 <= act.status < 300 and not act.drop  # noqa: PLR2004
        return replace(act, effect=False, delay=0) if said else ScriptedAnswer(200)
    return act if is_definitive(act) else None


def _parse_update(body: bytes) -> _RequestedUpdate | None:
    """Return what a body asks for, None when it is no JSON object."""
    try:
        text = body.decode("utf-8-sig")
        members(text)
    except (ValueError, RecursionError):
        return None
    return _RequestedUpdate(str(value(text, "status")).lower(), value(text, "autoRenewEnabled") is True, text)
