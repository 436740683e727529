"""The subscriptions of all customers: how they are read, updated and listed."""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.simulator.partnercenter.answers import JSON, ScriptedAnswer, refusal
from bulkreact.simulator.partnercenter.json_members import members, value
from bulkreact.simulator.partnercenter.shared_state import SharedState
from bulkreact.simulator.partnercenter.subscription import SimulatedSubscription
from bulkreact.simulator.partnercenter.subscription_json import SubscriptionKind, SubscriptionProfile, format_collection
from bulkreact.simulator.partnercenter.subscription_scenarios import ACCEPTED, PARENT_INACTIVE, subscription_scenario_of

ORIGIN = "https://partner.example"


class _RequestedUpdate(Struct, frozen=True):
    """What an update's body requests."""

    status: str
    auto_renew: bool
    text: str


class SimulatedSubscriptions:
    """Every requested subscription exists; whole Locations begin with ``origin``.

    ``sample_profiles`` returns a customer's initial subscriptions, by id.
    """

    def __init__(
        self, state: SharedState, sample_profiles: Callable[[str], dict[str, SubscriptionProfile]], today: datetime
    ) -> None:
        self.origin = ORIGIN
        self._state = state
        self._sample_profiles = sample_profiles
        self._today = today
        self._by_customer: dict[str, dict[str, SimulatedSubscription]] = {}

    def read(self, customer_id: str, subscription_id: str) -> ScriptedAnswer:
        """Answer the read of one subscription."""
        subscription = self._find(customer_id, subscription_id)
        if answer := subscription.read_answer() or self._state.read_fault():
            return answer
        text = subscription.text(self._status(subscription), self._today)
        return ScriptedAnswer(200, subscription.render(text, read=True), JSON)

    def read_operation(self, customer_id: str, subscription_id: str, operation_id: str) -> ScriptedAnswer:
        """Answer the read of an operation that an update named: its result is the subscription."""
        subscription = self._find(customer_id, subscription_id)
        named = subscription.accepted_at is not None and operation_id.lower() == subscription.operation_id
        if subscription.scenario.operation_gone or not named:
            return refusal(404, "1000")
        return self.read(customer_id, subscription_id)

    def list_all(self, customer_id: str) -> ScriptedAnswer:
        """Answer the list of a customer's subscriptions: the samples, and those that were called before."""
        uri = f"/customers/{customer_id}/subscriptions"
        listed = [subscription for subscription in self._all(customer_id).values() if subscription.listed]
        items = [subscription.text(self._status(subscription), self._today) for subscription in listed]
        return ScriptedAnswer(200, format_collection(uri, items), JSON)

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
        """Answer one update; a repeated request id gets the same answer again."""
        subscription, target = self._find(customer_id, subscription_id), (customer_id, subscription_id, "")
        for message in subscription.update_violations(body, if_match, content_type):
            self._state.add_violation(f"PATCH of {subscription_id}: {message}")
        if recorded := self._state.recorded_answer(target, request_id):
            return self._render(subscription, recorded)
        requested = _parse_update(body)
        restores = requested is not None and self._restores_auto_renew(subscription, requested)
        answer = self._choose_answer(subscription, requested, if_match, restores=restores)
        if answer is ACCEPTED:
            answer = self._state.write_fault() or answer
        self._state.apply_throttle(customer_id, answer)
        reduced = requested is not None and subscription.drops_members(requested.text)
        answer = self._settle(subscription, request_id, answer, restores=restores, reduced=reduced)
        return self._render(subscription, answer)

    def replay(self, customer_id: str, subscription_id: str, request_id: str, *, ago: float, restores: bool) -> None:
        """Repeat the effect of an update that was sent to an earlier process, seconds ago."""
        if self._state.recorded_answer((customer_id, subscription_id, ""), request_id):
            return
        subscription = self._find(customer_id, subscription_id)
        if restores:
            answer = subscription.next_auto_renew_answer()
        elif self._waits_for_parent(subscription):
            answer = PARENT_INACTIVE
        else:
            answer = subscription.next_answer(active=self._status(subscription) == "active")
        took_effect = self._settle(subscription, request_id, answer, restores=restores, reduced=False).effect
        if took_effect and not restores and subscription.accepted_at is not None:
            subscription.accepted_at -= ago

    def blocks_children(self, customer_id: str, subscription_id: str) -> bool:
        """Return whether this is an inactive Azure plan, so that nothing in it can be reactivated."""
        sample = subscription_id in self._all(customer_id)
        plan_by_id = subscription_scenario_of(subscription_id).profile.kind is SubscriptionKind.AZURE_PLAN
        if not (sample or plan_by_id):
            return False
        subscription = self._find(customer_id, subscription_id)
        is_plan = subscription.profile.kind is SubscriptionKind.AZURE_PLAN
        return is_plan and not self._has_been_active(subscription, subscription.scenario.parent_delay)

    def _choose_answer(
        self,
        subscription: SimulatedSubscription,
        requested: _RequestedUpdate | None,
        if_match: str | None,
        *,
        restores: bool,
    ) -> ScriptedAnswer:
        """Return the answer to an update, apart from random faults."""
        if requested is None:
            return refusal(400, "800002")
        if self._waits_for_parent(subscription):
            return PARENT_INACTIVE
        if not subscription.matches_etag(if_match):
            return ScriptedAnswer(412)
        if restores:
            return subscription.next_auto_renew_answer()
        active = self._status(subscription) == "active"
        if active and requested.text in subscription.served_texts:
            return ScriptedAnswer(200)
        return subscription.next_answer(active=active) if requested.status == "active" else refusal(400, "3000")

    def _restores_auto_renew(self, subscription: SimulatedSubscription, requested: _RequestedUpdate) -> bool:
        active = self._status(subscription) == "active" and requested.status == "active"
        return active and requested.auto_renew and not subscription.auto_renew

    def _settle(
        self,
        subscription: SimulatedSubscription,
        request_id: str,
        answer: ScriptedAnswer,
        *,
        restores: bool,
        reduced: bool,
    ) -> ScriptedAnswer:
        """Apply the effect of an update, and return its answer."""
        target = subscription.customer_id, subscription.id, ""
        self._state.record_answer(target, request_id, subscription.answer_to_repeat(answer))
        done = subscription.auto_renew if restores else subscription.accepted_at is not None
        if not answer.effect or done:
            return replace(answer, effect=False)
        ids = {
            "subscription_id": subscription.id,
            "request_id": request_id,
            "customer_id": subscription.customer_id,
        }
        subscription.version += 1
        if restores:
            subscription.auto_renew = True
            self._state.call_log.effects.append({**ids, "auto_renew": "restored"})
            return answer
        subscription.accepted_at = self._state.clock()
        self._state.call_log.effects.append(ids)
        if reduced:
            # The real service drops members that the body does not repeat.
            subscription.auto_renew = subscription.has_next_term = False
        return answer

    def _render(self, subscription: SimulatedSubscription, answer: ScriptedAnswer) -> ScriptedAnswer:
        """Return an answer with the resource as its body, or with its Location."""
        if answer.drop or answer.status != 200 or answer.body:  # noqa: PLR2004
            return subscription.with_location(answer, self.origin, self._foreign_origin)
        text = subscription.text(self._status(subscription), self._today)
        return replace(answer, body=subscription.render(text, read=False), headers=JSON)

    @property
    def _foreign_origin(self) -> str:
        """Return the address of another host: this host by another name, if there are two."""
        names = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}
        scheme, _, authority = self.origin.partition("://")
        host, _, port = authority.partition(":")
        return f"{scheme}://{names[host]}:{port}" if host in names else "https://elsewhere.example"

    def _waits_for_parent(self, subscription: SimulatedSubscription) -> bool:
        if not subscription.profile.parent_id:
            return False
        parent = self._find(subscription.customer_id, subscription.profile.parent_id)
        return not self._has_been_active(parent, subscription.scenario.parent_delay)

    def _has_been_active(self, subscription: SimulatedSubscription, seconds: float) -> bool:
        since = subscription.active_since(self._delay(subscription))
        return since is not None and since + seconds <= self._state.clock()

    def _status(self, subscription: SimulatedSubscription) -> str:
        return subscription.status(self._state.clock(), self._delay(subscription))

    def _delay(self, subscription: SimulatedSubscription) -> float:
        return self._state.behaviour.delay(subscription.activation_jitter)

    def _all(self, customer_id: str) -> dict[str, SimulatedSubscription]:
        """Return the subscriptions of a customer, at first the samples."""
        subscriptions = self._by_customer.setdefault(customer_id, {})
        for id_, profile in self._sample_profiles(customer_id).items():
            if id_ not in subscriptions:
                subscriptions[id_] = self._make(customer_id, id_, profile)
        return subscriptions

    def _find(self, customer_id: str, subscription_id: str) -> SimulatedSubscription:
        subscriptions = self._all(customer_id)
        if subscription_id not in subscriptions:
            scenario = subscription_scenario_of(subscription_id)
            parent = "" if scenario.parent is None else f"{subscription_id[:-12]}{scenario.parent:012d}"
            profile = replace(scenario.profile, parent_id=parent)
            subscriptions[subscription_id] = self._make(customer_id, subscription_id, profile)
        return subscriptions[subscription_id]

    def _make(self, customer_id: str, subscription_id: str, profile: SubscriptionProfile) -> SimulatedSubscription:
        return SimulatedSubscription(
            scenario=subscription_scenario_of(subscription_id),
            activation_jitter=self._state.activation_jitter(customer_id, subscription_id),
            customer_id=customer_id,
            id=subscription_id,
            profile=profile,
            auto_renew=profile.auto_renew,
        )


def _parse_update(body: bytes) -> _RequestedUpdate | None:
    """Return what a body requests, None if it is not a JSON object."""
    try:
        text = body.decode("utf-8-sig")
        members(text)
    except (ValueError, RecursionError):
        return None
    return _RequestedUpdate(str(value(text, "status")).lower(), value(text, "autoRenewEnabled") is True, text)
