"""What the simulated service remembers: entitlements, request ids and everything that took effect."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from random import Random
from typing import TypeAlias

from bulkreact.simulator.bodies import entitlement_body, entitlements_body, error_body, throttle_body
from bulkreact.simulator.entitlement import Entitlement
from bulkreact.simulator.fates import ACCEPT, Act, Fate, fate_of
from bulkreact.simulator.gateway import PARTNER, Gateway

# The ids of a customer and a subscription, and of an entitlement below them; all in lower case.
Plan: TypeAlias = tuple[str, str]
Target: TypeAlias = tuple[str, str, str]

_FAULTS = (
    Act(503),
    Act(500),
    Act(504, effect=True),
    Act(504),
    Act(effect=True, drop=True),
    Act(drop=True),
    Act(429, throttle_body(1), {"Retry-After": "1"}),
)
_READING_FAULTS = tuple(fault for fault in _FAULTS if not fault.effect)
_JSON = {"Content-Type": "application/json; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Rules:
    """How the simulated service behaves; limits are calls per window, 0 for none, times are seconds.

    Every entitlement becomes active in its own time, off ``activation_delay`` by ``activation_spread`` at most.
    """

    activation_delay: float = 2.0
    activation_spread: float = 0.0
    partner_limit: int = 0
    customer_limit: int = 0
    window: float = 60.0
    fault_share: float = 0.0
    seed: int = 0

    def delay(self, share: float) -> float:
        """Return the time from accepted to active at a place in the spread, from 0 (soonest) to 1."""
        soonest = max(0.0, self.activation_delay - self.activation_spread)
        return soonest + share * (self.activation_delay + self.activation_spread - soonest)


@dataclass(slots=True)
class Ledger:
    """What happened, for whoever wants to check a client: in the order in which it happened.

    A call's ``answer`` is its HTTP status, ``dropped``, or empty while it is being answered; its ``effect`` is ``yes``
    when this very call made the reactivation take effect.
    """

    calls: list[dict[str, object]] = field(default_factory=list)
    effects: list[dict[str, str]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


class World:
    """The state behind the server; ``clock`` counts seconds.

    ``rules`` may be replaced at any time and hold from the next call on; only the seed remains the first one.
    """

    def __init__(self, rules: Rules, clock: Callable[[], float]) -> None:
        self.rules = rules
        self.ledger = Ledger()
        self._clock = clock
        self._seed = rules.seed
        self._gateway = Gateway(clock)
        self._plans: dict[Plan, dict[str, Entitlement]] = {}
        self._answers: dict[str, tuple[Target, Act]] = {}
        self._chance = Random(rules.seed)  # noqa: S311 - reproducible faults, no secret
        # Readings come when a client likes: they must not shift the faults of its writes.
        self._reading_chance = Random(f"readings {rules.seed}")  # noqa: S311 - see above

    def throttle(self, customer_id: str) -> Act | None:
        """Return the gateway's 429 when the partner or the customer has used up a limit."""
        rules = self.rules
        return self._gateway.throttle({PARTNER: rules.partner_limit, customer_id: rules.customer_limit}, rules.window)

    def reactivate(self, target: Target, request_id: str) -> Act:
        """Answer one call; a request id that was answered before gets the same answer again.

        The answer's ``effect`` tells whether this very call made the reactivation take effect.
        """
        entitlement = self._find(target)
        if known := self._known(target, request_id):
            return known
        act = entitlement.act()
        if act is ACCEPT and self._chance.random() < self.rules.fault_share:
            act = self._chance.choice(_FAULTS)
        if act.throttle:
            self._gateway.hold(target[0] if act.throttle == "customer" else PARTNER, act.seconds)
        return self._settle(target, request_id, act)

    def recall(self, target: Target, request_id: str, *, ago: float = 0.0) -> None:
        """Take in a reactivation that an earlier process was asked for, seconds ago, its ids in any case.

        It has its consequences, but meets no fault by chance, throttles nobody, and is no call in the ledger.
        """
        customer_id, subscription_id, entitlement_id = target
        lowered = customer_id.lower(), subscription_id.lower(), entitlement_id.lower()
        entitlement = self._find(lowered)
        if not self._known(lowered, request_id):
            took_effect = self._settle(lowered, request_id, entitlement.act()).effect
            if took_effect and entitlement.accepted_at is not None:
                entitlement.accepted_at -= ago

    def read(self, target: Target) -> Act:
        """Answer the reading of one entitlement."""
        entitlement = self._find(target)
        if entitlement.fate.gone:
            return Act(404, error_body("800111", "Entitlement not found."))
        body = entitlement_body(target[1], target[2], self._status(entitlement))
        return self._hindrance([entitlement]) or Act(200, body, _JSON)

    def read_all(self, plan: Plan) -> Act:
        """Answer the reading of a subscription's list, of those entitlements that were asked for before."""
        listed = {one: found for one, found in self._plans.get(plan, {}).items() if found.listed}
        body = entitlements_body(*plan, {one: self._status(found) for one, found in listed.items()})
        return self._hindrance(listed.values()) or Act(200, body, _JSON)

    def _status(self, entitlement: Entitlement) -> str:
        return entitlement.status(self._clock(), self.rules.delay(entitlement.share))

    def _hindrance(self, entitlements: Iterable[Entitlement]) -> Act | None:
        """Return what reading these meets instead: what a fate wants, else a fault by chance."""
        # A reading of several counts for each of them.
        hindrances = [act for one in entitlements if (act := one.hindrance())]
        if hindrances:
            return hindrances[0]
        if self._reading_chance.random() < self.rules.fault_share:
            return self._reading_chance.choice(_READING_FAULTS)
        return None

    def _known(self, target: Target, request_id: str) -> Act | None:
        """Return the answer that a request id was given before."""
        known_target, act = self._answers.get(request_id, (target, None))
        if known_target != target:
            self.ledger.complaints.append(f"request id {request_id} was used for two targets")
        return act

    def _settle(self, target: Target, request_id: str, act: Act) -> Act:
        """Let a call have its consequences, and return its answer."""
        entitlement = self._find(target)
        entitlement.calls += 1
        if remembered := _remembered(entitlement.fate, act):
            self._answers[request_id] = (target, remembered)
        if not act.effect or entitlement.accepted_at is not None:
            return replace(act, effect=False)
        entitlement.accepted_at = self._clock()
        self.ledger.effects.append({"entitlement_id": target[2], "request_id": request_id})
        return act

    def _find(self, target: Target) -> Entitlement:
        entitlements = self._plans.setdefault(target[:2], {})
        if target[2] not in entitlements:
            # A draw of its own: neither faults nor the order of the calls have a part in it.
            share = Random(f"{self._seed} {target}").random()  # noqa: S311 - reproducible, no secret
            entitlements[target[2]] = Entitlement(fate_of(target[2]), share)
        return entitlements[target[2]]


def _remembered(fate: Fate, act: Act) -> Act | None:
    """Return what a repeated request id is answered, None when the service does not know it again."""
    lost_for_ever = fate.forever and (act.drop or act.delay)
    if fate.forgets or lost_for_ever:
        return None
    if act.effect:
        return Act()
    # A proxy's page is not the service's answer.
    ours = act.headers.get("Content-Type") != "text/html"
    return act if _is_definitive(act.status) and ours and not act.drop else None


def _is_definitive(status: int) -> bool:
    return 200 <= status < 300 or (400 <= status < 500 and status not in {401, 408, 429})  # noqa: PLR2004
