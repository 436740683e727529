"""The simulated service: entitlements, subscriptions, customers, and the effect of each call."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TypeAlias

from msgspec.structs import replace

from bulkreact.simulator.partnercenter.answers import JSON, ScriptedAnswer, refusal
from bulkreact.simulator.partnercenter.behaviour import Behaviour
from bulkreact.simulator.partnercenter.call_log import CallLog
from bulkreact.simulator.partnercenter.entitlement import SimulatedEntitlement
from bulkreact.simulator.partnercenter.entitlement_scenarios import ACCEPT, entitlement_scenario_of
from bulkreact.simulator.partnercenter.outages import answer_in_outage
from bulkreact.simulator.partnercenter.rate_limiter import PARTNER
from bulkreact.simulator.partnercenter.response_bodies import entitlement_body, entitlements_body
from bulkreact.simulator.partnercenter.sample_customers import SampleCustomers
from bulkreact.simulator.partnercenter.shared_state import SharedState, TargetKey
from bulkreact.simulator.partnercenter.subscription_scenarios import PARENT_INACTIVE
from bulkreact.simulator.partnercenter.subscriptions import SimulatedSubscriptions

__all__ = ["Behaviour", "CallLog", "PartnerCenter", "Plan", "TargetKey"]

# The ids of a customer and a subscription, in lower case; a target also has that of an entitlement.
Plan: TypeAlias = tuple[str, str]


class PartnerCenter:
    """The state behind the server; ``clock`` counts seconds, dates in resources are relative to ``today``.

    ``behaviour`` may be replaced at any time, from the next call on; only the first seed counts.
    """

    def __init__(self, behaviour: Behaviour, clock: Callable[[], float], today: datetime | None = None) -> None:
        self._state = SharedState(behaviour, clock)
        self._customers = SampleCustomers(self._state)
        self._subscriptions = SimulatedSubscriptions(self._state, self._customers.profiles, today or datetime.now(UTC))
        self._started_at = clock()
        self._plans: dict[Plan, dict[str, SimulatedEntitlement]] = {}

    @property
    def behaviour(self) -> Behaviour:
        """The settings from the next call on."""
        return self._state.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._state.behaviour = behaviour

    @property
    def call_log(self) -> CallLog:
        """The log so far."""
        return self._state.call_log

    @property
    def origin(self) -> str:
        """The service's own address."""
        return self._subscriptions.origin

    @origin.setter
    def origin(self, origin: str) -> None:
        self._subscriptions.origin = origin

    def outage(self) -> ScriptedAnswer | None:
        """Return the answer to any call while the service is down, else None."""
        return answer_in_outage(self.behaviour.outages, self._state.clock() - self._started_at)

    def throttle(self, customer_id: str) -> ScriptedAnswer | None:
        """Return the gateway's 429 if the partner or the customer has used up a limit."""
        limits = {PARTNER: self.behaviour.partner_limit, customer_id: self.behaviour.customer_limit}
        return self._state.limiter.throttle(limits, self.behaviour.window)

    def reactivate(self, target: TargetKey, request_id: str) -> ScriptedAnswer:
        """Answer one reactivation of an entitlement; a repeated request id gets the same answer again.

        The answer's ``effect`` says whether this call itself took effect.
        """
        entitlement = self._find(target)
        if recorded := self._state.recorded_answer(target, request_id):
            return recorded
        if self._subscriptions.blocks_children(*target[:2]):
            self._state.record_answer(target, request_id, PARENT_INACTIVE)
            return PARENT_INACTIVE
        answer = entitlement.next_answer()
        if answer is ACCEPT:
            answer = self._state.write_fault() or answer
        self._state.apply_throttle(target[0], answer)
        return self._settle(target, request_id, answer)

    def replay(self, target: TargetKey, request_id: str, *, ago: float = 0.0) -> None:
        """Repeat the effect of a reactivation that was sent to an earlier process, seconds ago; ids in any case.

        Replays its effect only: no random faults, no throttling, no log entry.
        """
        customer_id, subscription_id, entitlement_id = target
        target = customer_id.lower(), subscription_id.lower(), entitlement_id.lower()
        if self._state.recorded_answer(target, request_id):
            return
        entitlement = self._find(target)
        blocked = self._subscriptions.blocks_children(*target[:2])
        answer = PARENT_INACTIVE if blocked else entitlement.next_answer()
        if self._settle(target, request_id, answer).effect and entitlement.accepted_at is not None:
            entitlement.accepted_at -= ago

    def read(self, target: TargetKey) -> ScriptedAnswer:
        """Answer the read of one entitlement."""
        entitlement = self._find(target)
        if entitlement.scenario.gone:
            return refusal(404, "800111", "Entitlement not found.")
        body = entitlement_body(target[1], target[2], self._status(entitlement), entitlement.name)
        return self._read_answer([entitlement]) or ScriptedAnswer(200, body, JSON)

    def read_all(self, plan: Plan) -> ScriptedAnswer:
        """Answer the list of a subscription's entitlements: the samples, and those that were called before."""
        listed = {id_: entitlement for id_, entitlement in self._all(plan).items() if entitlement.listed}
        body = entitlements_body(
            *plan,
            {id_: self._status(entitlement) for id_, entitlement in listed.items()},
            {id_: entitlement.name for id_, entitlement in listed.items()},
        )
        return self._read_answer(listed.values()) or ScriptedAnswer(200, body, JSON)

    def read_subscription(self, customer_id: str, subscription_id: str, request_id: str = "") -> ScriptedAnswer:
        """Answer the read of one subscription."""
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

        A repeated request id gets the same answer again. Members that the body lost or changed are logged as a
        violation. The answer's ``effect`` says whether this call itself took effect.
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
        """Repeat the effect of an update that was sent to an earlier process, like ``replay``."""
        self._subscriptions.replay(
            customer_id.lower(), subscription_id.lower(), request_id, ago=ago, restores=restores_auto_renew
        )

    def read_operation(self, customer_id: str, subscription_id: str, operation_id: str) -> ScriptedAnswer:
        """Answer the read of an operation that the answer to an update named."""
        return self._subscriptions.read_operation(customer_id.lower(), subscription_id.lower(), operation_id)

    def list_subscriptions(self, customer_id: str) -> ScriptedAnswer:
        """Answer the list of a customer's subscriptions: the samples, and those that were called before."""
        customer_id = customer_id.lower()
        answer = self._customers.list_answer(customer_id) or self._state.read_fault()
        return answer or self._subscriptions.list_all(customer_id)

    def list_customers(self, size: int, token: str | None = None) -> ScriptedAnswer:
        """Answer a page of customers: the first one, or the one for a token."""
        return self._customers.page(size, token)

    def _status(self, entitlement: SimulatedEntitlement) -> str:
        return entitlement.status(self._state.clock(), self.behaviour.delay(entitlement.activation_jitter))

    def _read_answer(self, entitlements: Iterable[SimulatedEntitlement]) -> ScriptedAnswer | None:
        """Return the answer instead of these entitlements: a scenario's, else a random fault."""
        # A read of several counts for each of them.
        answers = [answer for entitlement in entitlements if (answer := entitlement.read_answer())]
        return answers[0] if answers else self._state.read_fault()

    def _settle(self, target: TargetKey, request_id: str, answer: ScriptedAnswer) -> ScriptedAnswer:
        """Apply the effect of a reactivation, and return its answer."""
        entitlement = self._find(target)
        self._state.record_answer(target, request_id, entitlement.answer_to_repeat(answer))
        if not answer.effect or entitlement.accepted_at is not None:
            return replace(answer, effect=False)
        entitlement.accepted_at = self._state.clock()
        self._state.call_log.effects.append({"entitlement_id": target[2], "request_id": request_id})
        return answer

    def _all(self, plan: Plan) -> dict[str, SimulatedEntitlement]:
        """Return the entitlements of a subscription, at first the samples."""
        if plan not in self._plans:
            self._plans[plan] = {
                id_: SimulatedEntitlement(
                    scenario=sample.scenario,
                    activation_jitter=self._state.activation_jitter(*plan, id_),
                    name=sample.name,
                )
                for id_, sample in self._customers.entitlements(*plan).items()
            }
        return self._plans[plan]

    def _find(self, target: TargetKey) -> SimulatedEntitlement:
        entitlements, id_ = self._all(target[:2]), target[2]
        if id_ not in entitlements:
            entitlements[id_] = SimulatedEntitlement(
                scenario=entitlement_scenario_of(id_), activation_jitter=self._state.activation_jitter(*target)
            )
        return entitlements[id_]
