"""The shared state of the simulated service: settings, call log, limiter, answers by request id, random numbers."""

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from bulkreact.simulator.partnercenter.answers import ScriptedAnswer, throttle_answer
from bulkreact.simulator.partnercenter.behaviour import Behaviour
from bulkreact.simulator.partnercenter.call_log import CallLog
from bulkreact.simulator.partnercenter.rate_limiter import PARTNER, CallLimiter

# The key of a request id: customer, subscription, and the entitlement if there is one.
TargetKey: TypeAlias = tuple[str, str, str]

_FAULTS = (
    ScriptedAnswer(503),
    ScriptedAnswer(500),
    ScriptedAnswer(504, effect=True),
    ScriptedAnswer(504),
    ScriptedAnswer(effect=True, drop=True),
    ScriptedAnswer(drop=True),
    throttle_answer(),
)
_READ_FAULTS = tuple(fault for fault in _FAULTS if not fault.effect)


class SharedState:
    """The state that operations share; ``clock`` counts seconds.

    ``behaviour`` may be replaced at any time, from the next call on; only the first seed counts.
    """

    def __init__(self, behaviour: Behaviour, clock: Callable[[], float]) -> None:
        self.behaviour = behaviour
        self.call_log = CallLog()
        self.clock = clock
        self.seed = behaviour.seed
        self.limiter = CallLimiter(clock)
        self._answers: dict[str, tuple[TargetKey, ScriptedAnswer]] = {}
        # The method of each request id.
        self._methods: dict[str, str] = {}
        self._rng = Random(behaviour.seed)  # noqa: S311 - reproducible faults, no secret
        # Separate generator, so that polling does not change which writes fail.
        self._reading_rng = Random(f"readings {behaviour.seed}")  # noqa: S311 - see above

    def write_fault(self) -> ScriptedAnswer | None:
        """Return the random fault of a write, if any."""
        return self._rng.choice(_FAULTS) if self._rng.random() < self.behaviour.fault_share else None

    def read_fault(self) -> ScriptedAnswer | None:
        """Return the random fault of a read, if any; it has no effect."""
        if self._reading_rng.random() < self.behaviour.fault_share:
            return self._reading_rng.choice(_READ_FAULTS)
        return None

    def activation_jitter(self, *ids: str) -> float:
        """Return the position of these ids within the spread of activations, in [0, 1)."""
        # A separate generator: independent of faults and of the order of calls.
        return Random(f"{self.seed} {ids}").random()  # noqa: S311 - reproducible, no secret

    def apply_throttle(self, customer_id: str, answer: ScriptedAnswer) -> None:
        """Block the customer or everything, if the answer is a 429 that says so."""
        if answer.throttle:
            self.limiter.block(customer_id if answer.throttle == "customer" else PARTNER, answer.seconds)

    def recorded_answer(self, target: TargetKey, request_id: str) -> ScriptedAnswer | None:
        """Return the earlier answer to this request id."""
        recorded_target, answer = self._answers.get(request_id, (target, None))
        if recorded_target != target:
            self.add_violation(f"request id {request_id} was used for two targets")
        return answer

    def record_answer(self, target: TargetKey, request_id: str, answer: ScriptedAnswer | None) -> None:
        """Answer this request id the same from now on; None leaves it unknown."""
        if answer:
            self._answers[request_id] = (target, answer)

    def check_method(self, request_id: str, method: str) -> None:
        """Record a violation if one request id reads and updates a subscription; an empty id is ignored."""
        earlier = self._methods.setdefault(request_id, method) if request_id else method
        if earlier != method:
            self.add_violation(f"request id {request_id} was used for {earlier} and {method}")

    def add_violation(self, message: str) -> None:
        """Log a client's violation."""
        self.call_log.violations.append(message)
