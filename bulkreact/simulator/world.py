"""What the simulated service remembers: entitlements, request ids, throttles and everything that took effect."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from bulkreact.simulator.fates import ACCEPT, Act, Fate, error_body, fate_of, throttle_body

_FAULTS = (
    Act(503),
    Act(500),
    Act(504, effect=True),
    Act(504),
    Act(effect=True, drop=True),
    Act(drop=True),
    Act(429, throttle_body(1), {"Retry-After": "1"}),
)
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Rules:
    """How the simulated service behaves; limits are calls per window, 0 for none, times are seconds."""

    activation_delay: float = 2.0
    partner_limit: int = 0
    customer_limit: int = 0
    window: float = 60.0
    fault_share: float = 0.0
    seed: int = 0


@dataclass(slots=True)
class Entitlement:
    """One Azure subscription: when its reactivation was accepted, and how often it was asked for."""

    fate: Fate
    accepted_at: float | None = None
    calls: int = 0


@dataclass(slots=True)
class _Window:
    began: float
    calls: int = 0


@dataclass(slots=True)
class Ledger:
    """What happened, for whoever wants to check a client: in the order in which it happened."""

    calls: list[dict[str, object]] = field(default_factory=list)
    effects: list[dict[str, str]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


class World:
    """The state behind the server; ``clock`` counts seconds."""

    def __init__(self, rules: Rules, clock: Callable[[], float]) -> None:
        self.rules = rules
        self.ledger = Ledger()
        self._clock = clock
        self._entitlements: dict[tuple[str, str, str], Entitlement] = {}
        self._answers: dict[str, tuple[tuple[str, str, str], Act]] = {}
        self._windows: dict[str, _Window] = {}
        self._throttled_until: dict[str, float] = {}
        self._random = Random(rules.seed)  # noqa: S311 - reproducible faults, no secret

    def throttle(self, customer_id: str) -> Act | None:
        """Return the gateway's 429 when the partner or the customer has used up a limit."""
        now = self._clock()
        for key, limit in (("", self.rules.partner_limit), (customer_id, self.rules.customer_limit)):
            remaining = self._throttled_until.get(key, 0.0) - now
            window = self._windows.get(key)
            if window is None or now - window.began >= self.rules.window:
                window = self._windows[key] = _Window(now)
            # Rejected calls count against the limit as well.
            window.calls += 1
            if limit and window.calls > limit:
                remaining = max(remaining, window.began + self.rules.window - now)
            if remaining > 0:
                seconds = int(remaining) + 1
                return Act(429, throttle_body(seconds), {**_JSON, "Retry-After": str(seconds)})
        return None

    def reactivate(self, target: tuple[str, str, str], request_id: str) -> Act:
        """Answer one call; a request id that was answered before gets the same answer again."""
        entitlement = self._find(target)
        if known := self._answers.get(request_id):
            if known[0] != target:
                self.ledger.complaints.append(f"request id {request_id} was used for two targets")
            return known[1]
        act = self._act(entitlement)
        entitlement.calls += 1
        if act.throttle:
            key = target[0] if act.throttle == "customer" else ""
            self._throttled_until[key] = max(self._throttled_until.get(key, 0.0), self._clock() + act.seconds)
        if act.effect and entitlement.accepted_at is None:
            entitlement.accepted_at = self._clock()
            self.ledger.effects.append({"entitlement_id": target[2], "request_id": request_id})
        if remembered := self._remembered(entitlement.fate, act):
            self._answers[request_id] = (target, remembered)
        return act

    def status(self, target: tuple[str, str, str]) -> str | None:
        """Return the status of an entitlement, None when there is no such thing."""
        entitlement = self._find(target)
        if entitlement.fate.gone:
            return None
        if entitlement.fate.active_before:
            return "active"
        accepted = entitlement.accepted_at
        own = entitlement.fate.active_within
        delay = self.rules.activation_delay if own is None else own
        return "active" if accepted is not None and self._clock() - accepted >= delay else "inactive"

    def _act(self, entitlement: Entitlement) -> Act:
        forgotten = entitlement.fate.forgets and entitlement.accepted_at is not None
        act = entitlement.fate.act(entitlement.calls)
        again = act is ACCEPT and entitlement.accepted_at is not None
        if entitlement.fate.active_before or forgotten or again:
            return Act(400, error_body("900337", "The partner is not able to reactivate this entitlement."), _JSON)
        if act is ACCEPT and self._random.random() < self.rules.fault_share:
            return self._random.choice(_FAULTS)
        return act

    @staticmethod
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

    def _find(self, target: tuple[str, str, str]) -> Entitlement:
        found = self._entitlements.get(target)
        if found is None:
            found = self._entitlements[target] = Entitlement(fate_of(target[2]))
        return found


def _is_definitive(status: int) -> bool:
    return 200 <= status < 300 or (400 <= status < 500 and status not in {401, 408, 429})  # noqa: PLR2004
