"""Scripts of answers to the writes and reads of a resource of the simulated service."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.simulator.partnercenter.answers import ScriptedAnswer


class Script(Struct, frozen=True):
    """Answers in order; after the last one there are no more, or it is repeated (``is_repeated``)."""

    answers: tuple[ScriptedAnswer, ...] = ()
    is_repeated: bool = False

    def answer(self, number: int) -> ScriptedAnswer | None:
        """Return the answer to the n-th call, counted from 0; None if the script has none for it."""
        if number < len(self.answers):
            return self.answers[number]
        return self.answers[-1] if self.is_repeated else None


NO_SCRIPT = Script()


def answer_once(*answers: ScriptedAnswer | int) -> Script:
    """Return a script that gives each answer once; a number is a status without a body."""
    return Script(tuple(ScriptedAnswer(answer) if isinstance(answer, int) else answer for answer in answers))


def answer_always(answer: ScriptedAnswer | int) -> Script:
    """Return a script that always gives the same answer; a number is a status without a body."""
    return replace(answer_once(answer), is_repeated=True)


class Scenario(Struct, frozen=True):
    """Scripts for the writes and reads of a resource: after them writes are accepted and reads show the resource.

    ``active_within`` are the seconds from accepted to active, None for the simulator's default. A service that
    ``ignores_repeats`` does not recognise a repeated request id.
    """

    description: str
    writes: Script = NO_SCRIPT
    reads: Script = NO_SCRIPT
    ignores_repeats: bool = False
    active_within: float | None = None


ScenarioT = TypeVar("ScenarioT", bound=Scenario)


def choose_scenario(scenarios: Mapping[int, ScenarioT], resource_id: str) -> ScenarioT | None:
    """Return the scenario for the last twelve digits of an id, as with test card numbers; most have none."""
    digits = resource_id[-12:]
    return scenarios.get(int(digits)) if digits.isdigit() else None


class Resource(Struct, Generic[ScenarioT], kw_only=True):
    """The counters of a resource: writes and reads so far, and when its reactivation was accepted.

    ``activation_jitter``, in [0, 1), is its position within the spread of all activations.
    """

    scenario: ScenarioT
    activation_jitter: float
    accepted_at: float | None = None
    writes: int = 0
    reads: int = 0

    def read_answer(self) -> ScriptedAnswer | None:
        """Count a read, and return the scenario's answer instead of the resource, if any."""
        self.reads += 1
        return self.scenario.reads.answer(self.reads - 1)

    def answer_to_repeat(self, answer: ScriptedAnswer) -> ScriptedAnswer | None:
        """Return the answer to later calls with the same request id, None if the service will not recognise it."""
        never_answered = self.scenario.writes.is_repeated and (answer.drop or answer.delay)
        if self.scenario.ignores_repeats or never_answered:
            return None
        if answer.effect:
            return self._repeated_success(answer)
        return answer if _is_definitive(answer) else None

    def _repeated_success(self, answer: ScriptedAnswer) -> ScriptedAnswer:
        delivered = 200 <= answer.status < 300 and not answer.drop  # noqa: PLR2004
        return replace(answer, effect=False, delay=0, names_call_before=False) if delivered else ScriptedAnswer(200)


def _is_definitive(answer: ScriptedAnswer) -> bool:
    """Return whether an answer is final, so that a repeated request id gets it again."""
    from_proxy = answer.headers.get("Content-Type") == "text/html"
    status = answer.status
    final = 200 <= status < 300 or (400 <= status < 500 and status not in {401, 408, 429})  # noqa: PLR2004
    return final and not from_proxy and not answer.drop
