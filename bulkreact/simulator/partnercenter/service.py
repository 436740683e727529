"""What the simulated service remembers: entitlements, subscriptions, request ids and everything that took effect."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeAlias

from bulkreact.simulator.partnercenter.answers import JSON, ScriptedAnswer, refused
from bulkreact.simulator.partnercenter.behaviour import Behaviour
from bulkreact.simulator.partnercenter.call_log import CallLog
from bulkreact.simulator.partnercenter.entitlement import SimulatedEntitlement
from bulkreact.simulator.partnercenter.entitlement_scenarios import ACCEPT, EntitlementScenario, scenario_of
from bulkreact.simulator.partnercenter.rate_limiter import PARTNER
from bulkreact.simulator.partnercenter.response_bodies import entitlement_body, entitlements_body
from bulkreact.simulator.partnercenter.sample_customers import SampleCustomers
from bulkreact.simulator.partnercenter.shared_state import SharedState, Target, is_definitive
from bulkreact.simulator.partnercenter.subscription_fate import PARENT_INACTIVE
from bulkreact.simulator.partnercenter.subscriptions import SimulatedSubscriptions

__all__ = ["Behaviour", "CallLog", "PartnerCenter", "Plan", "Target"]

# The ids of a customer and a subscription, in lower case; a target has that of an entitlement below them as well.
Plan: TypeAlias = tuple[str, str]


class PartnerCenter:
    """The state behind the server; ``clock`` counts seconds, ``today`` is what the dates in resources begin from.

    ``rules`` may be replaced at any time and hold from the next call on; only the seed remains the first one.
    """

    def __init__(self, behaviour: Behaviour, clock: Callable[[], float], today: datetime | None = None) -> None:
        self._state = SharedState(behaviour, clock)
        self._customers = SampleCustomers(self._state)
        self._subscriptions = SimulatedSubscriptions(self._state, self._customers.profiles, today or datetime.now(UTC))
        self._plans: dict[Plan, dict[str, SimulatedEntitlement]] = {}

    @property
    def behaviour(self) -> Behaviour:
        """How the service behaves from the next call on."""
        return self._state.behaviour

    @behaviour.setter
    def behaviour(self, rules: Behaviour) -> None:
        self._state.behaviour = rules

    @property
    def call_log(self) -> CallLog:
        """What happened so far."""
        return self._state.call_log

    @property
    def origin(self) -> str:
        """The address that the service itself is known by."""
        return self._subscriptions.origin

    @origin.setter
    def origin(self, origin: str) -> None:
        self._subscriptions.origin = origin

    def throttle(self, customer_id: str) -> ScriptedAnswer | None:
        """Return the gateway's 429 when the partner or the customer has used up a limit."""
        limits = {PARTNER: self.behaviour.partner_limit, customer_id: self.behaviour.customer_limit}
        return self._state.limiter.throttle(limits, self.behaviour.window)

    # Entitlements.

    def reactivate(self, target: Target, request_id: str) -> ScriptedAnswer:
        """Answer one call; a request id that was answered before gets the same answer again.

        The answer's ``effect`` tells whether this very call made the reactivation take effect.
        """
        entitlement = self._find(target)
        if known := self._state.recorded_answer(target, request_id):
            return known
        if self._subscriptions.blocks_children(*target[:2]):
            self._state.record_answer(target, request_id, PARENT_INACTIVE)
            return PARENT_INACTIVE
        act = entitlement.next_answer()
        if act is ACCEPT:
            act = self._state.write_fault() or act
        self._state.apply_throttle(target[0], act)
        return self._settle(target, request_id, act)

    def replay(self, target: Target, request_id: str, *, ago: float = 0.0) -> None:
        """Take in a reactivation that an earlier process was asked for, seconds ago, its ids in any case.

        It has its consequences, but meets no fault by chance, throttles nobody, and is no call in the ledger.
        """
        customer_id, subscription_id, entitlement_id = target
        lowered = customer_id.lower(), subscription_id.lower(), entitlement_id.lower()
        entitlement = self._find(lowered)
        if not self._state.recorded_answer(lowered, request_id):
            blocked = self._subscriptions.blocks_children(*lowered[:2])
            act = PARENT_INACTIVE if blocked else entitlement.next_answer()
            took_effect = self._settle(lowered, request_id, act).effect
            if took_effect and entitlement.accepted_at is not None:
                entitlement.accepted_at -= ago

    def read(self, target: Target) -> ScriptedAnswer:
        """Answer the reading of one entitlement."""
        entitlement = self._find(target)
        if entitlement.scenario.gone:
            return refused(404, "800111", "Entitlement not found.")
        body = entitlement_body(target[1], target[2], self._status(entitlement), entitlement.name)
        return self._hindrance([entitlement]) or ScriptedAnswer(200, body, JSON)

    def read_all(self, plan: Plan) -> ScriptedAnswer:
        """Answer the reading of a subscription's list: the portfolio's, and those that were asked for before."""
        listed = {one: found for one, found in self._all(plan).items() if found.listed}
        body = entitlements_body(
            *plan,
            {one: self._status(found) for one, found in listed.items()},
            {one: found.name for one, found in listed.items()},
        )
        return self._hindrance(listed.values()) or ScriptedAnswer(200, body, JSON)

    # Subscriptions.

    def read_subscription(self, customer_id: str, subscription_id: str, request_id: str = "") -> ScriptedAnswer:
        """Answer the reading of one subscription."""
        self._state.check_method(request_id, "GET")
        return self._subscriptions.read(customer_id.lower(), subscription_id.lower())

    def update_subscription(
        self,
        customer_id: str,
        subscription_id: str,
        request_id: str,
        body: bytes,
        if_match: str | None = None,
        content_type: str = "application/json",
    ) -> ScriptedAnswer:
        """Answer one update: a reactivation, or auto-renew switched on again.

        A request id that was answered before gets the same answer again. What the body lost or changed becomes a
        complaint. The answer's ``effect`` tells whether this very call made the update take effect.
        """
        self._state.check_method(request_id, "PATCH")
        return self._subscriptions.update(
            customer_id.lower(),
            subscription_id.lower(),
            request_id,
            body=body,
            if_match=if_match,
            content_type=content_type,
        )

    def replay_update(
        self,
        customer_id: str,
        subscription_id: str,
        request_id: str,
        *,
        ago: float = 0.0,
        restores_auto_renew: bool = False,
    ) -> None:
        """Take in an update that an earlier process was asked for, seconds ago, its ids in any case.

        It has its consequences, but meets no fault by chance, throttles nobody, and is no call in the ledger.
        """
        self._subscriptions.replay(
            customer_id.lower(), subscription_id.lower(), request_id, ago=ago, restores=restores_auto_renew
        )

    def read_operation(self, customer_id: str, subscription_id: str, operation_id: str) -> ScriptedAnswer:
        """Answer the reading of an operation that the answer to an update has named."""
        return self._subscriptions.read_operation(customer_id.lower(), subscription_id.lower(), operation_id)

    def list_subscriptions(self, customer_id: str) -> ScriptedAnswer:
        """Answer the reading of a customer's list: the portfolio's, or else what was asked for before."""
        customer_id = customer_id.lower()
        hindrance = self._customers.list_answer(customer_id) or self._state.reading_fault()
        return hindrance or self._subscriptions.list_all(customer_id)

    def list_customers(self, size: int, token: str | None = None) -> ScriptedAnswer:
        """Answer the reading of a page of customers: the first one, or the one that a token stands for."""
        return self._customers.page(size, token)

    def _status(self, entitlement: SimulatedEntitlement) -> str:
        return entitlement.status(self._state.clock(), self.behaviour.delay(entitlement.activation_jitter))

    def _hindrance(self, entitlements: Iterable[SimulatedEntitlement]) -> ScriptedAnswer | None:
        """Return what reading these meets instead: what a fate wants, else a fault by chance."""
        # A reading of several counts for each of them.
        hindrances = [act for one in entitlements if (act := one.read_answer())]
        return hindrances[0] if hindrances else self._state.reading_fault()

    def _settle(self, target: Target, request_id: str, act: ScriptedAnswer) -> ScriptedAnswer:
        """Let a call have its consequences, and return its answer."""
        entitlement = self._find(target)
        entitlement.calls += 1
        if remembered := _remembered(entitlement.scenario, act):
            self._state.record_answer(target, request_id, remembered)
        if not act.effect or entitlement.accepted_at is not None:
            return replace(act, effect=False)
        entitlement.accepted_at = self._state.clock()
        self._state.call_log.effects.append({"entitlement_id": target[2], "request_id": request_id})
        return act

    def _all(self, plan: Plan) -> dict[str, SimulatedEntitlement]:
        """Return what is below a subscription, at first what the portfolio says."""
        if plan not in self._plans:
            self._plans[plan] = {
                one: SimulatedEntitlement(held.scenario, self._state.activation_jitter(*plan, one), held.name)
                for one, held in self._customers.entitlements(*plan).items()
            }
        return self._plans[plan]

    def _find(self, target: Target) -> SimulatedEntitlement:
        entitlements, entitlement_id = self._all(target[:2]), target[2]
        if entitlement_id not in entitlements:
            entitlements[entitlement_id] = SimulatedEntitlement(
                scenario_of(entitlement_id), self._state.activation_jitter(*target)
            )
        return entitlements[entitlement_id]


def _remembered(fate: EntitlementScenario, act: ScriptedAnswer) -> ScriptedAnswer | None:
    """Return what a repeated request id is answered, None when the service does not know it again."""
    lost_for_ever = fate.forever and (act.drop or act.delay)
    if fate.forgets or lost_for_ever:
        return None
    if act.effect:
        return ScriptedAnswer()
    return act if is_definitive(act) else None
