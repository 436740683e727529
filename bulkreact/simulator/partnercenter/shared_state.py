"""What all operations of the simulated service share: rules, ledger, gateway, request ids with their answers, chance."""

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from bulkreact.simulator.partnercenter.answers import ScriptedAnswer, throttled
from bulkreact.simulator.partnercenter.behaviour import Behaviour
from bulkreact.simulator.partnercenter.call_log import CallLog
from bulkreact.simulator.partnercenter.rate_limiter import PARTNER, CallLimiter

# What a request id belongs to: customer, subscription, and the entitlement if it was asked for one.
Target: TypeAlias = tuple[str, str, str]

_FAULTS = (
    ScriptedAnswer(503),
    ScriptedAnswer(500),
    ScriptedAnswer(504, effect=True),
    ScriptedAnswer(504),
    ScriptedAnswer(effect=True, drop=True),
    ScriptedAnswer(drop=True),
    throttled(),
)
_READING_FAULTS = tuple(fault for fault in _FAULTS if not fault.effect)


class SharedState:
    """The state that operations share; ``clock`` counts seconds.

    ``rules`` may be replaced at any time and hold from the next call on; only the seed remains the first one.
    """

    def __init__(self, behaviour: Behaviour, clock: Callable[[], float]) -> None:
        self.behaviour = behaviour
        self.call_log = CallLog()
        self.clock = clock
        self.seed = behaviour.seed
        self.limiter = CallLimiter(clock)
        self._answers: dict[str, tuple[Target, ScriptedAnswer]] = {}
        # By which ids a subscription was read or updated.
        self._methods: dict[str, str] = {}
        self._chance = Random(behaviour.seed)  # noqa: S311 - reproducible faults, no secret
        # Readings come when a client likes: they must not shift the faults of its writes.
        self._reading_chance = Random(f"readings {behaviour.seed}")  # noqa: S311 - see above

    def write_fault(self) -> ScriptedAnswer | None:
        """Return the fault that a write meets by chance, if it meets one."""
        return self._chance.choice(_FAULTS) if self._chance.random() < self.behaviour.fault_share else None

    def reading_fault(self) -> ScriptedAnswer | None:
        """Return the fault that a reading meets by chance, if it meets one; it has no effect."""
        if self._reading_chance.random() < self.behaviour.fault_share:
            return self._reading_chance.choice(_READING_FAULTS)
        return None

    def activation_jitter(self, *ids: str) -> float:
        """Return the place within the spread of activations, in [0, 1), that belongs to these ids."""
        # A draw of its own: neither faults nor the order of the calls have a part in it.
        return Random(f"{self.seed} {ids}").random()  # noqa: S311 - reproducible, no secret

    def apply_throttle(self, customer_id: str, act: ScriptedAnswer) -> None:
        """Turn away from now on whomever an answer throttles."""
        if act.throttle:
            self.limiter.block(customer_id if act.throttle == "customer" else PARTNER, act.seconds)

    def recorded_answer(self, target: Target, request_id: str) -> ScriptedAnswer | None:
        """Return the answer that a request id was given before."""
        known_target, act = self._answers.get(request_id, (target, None))
        if known_target != target:
            self.add_violation(f"request id {request_id} was used for two targets")
        return act

    def record_answer(self, target: Target, request_id: str, act: ScriptedAnswer) -> None:
        """Give a request id the same answer from now on."""
        self._answers[request_id] = (target, act)

    def check_method(self, request_id: str, method: str) -> None:
        """Complain when a subscription is both read and updated under one request id; without an id do nothing."""
        known = self._methods.setdefault(request_id, method) if request_id else method
        if known != method:
            self.add_violation(f"request id {request_id} was used for {known} and {method}")

    def add_violation(self, words: str) -> None:
        """Put into the ledger what a client did wrong."""
        self.call_log.violations.append(words)


def is_definitive(act: ScriptedAnswer) -> bool:
    """Tell whether an answer is the service's last word, which a repeated request id gets again."""
    # A proxy's page is not the service's answer.
    ours = act.headers.get("Content-Type") != "text/html"
    status = act.status
    final = 200 <= status < 300 or (400 <= status < 500 and status not in {401, 408, 429})  # noqa: PLR2004
    return final and ours and not act.drop
