"""One simulated Azure subscription: what its fate makes of the calls and readings it has met so far."""

from dataclasses import dataclass

from bulkreact.simulator.partnercenter.answers import ScriptedAnswer, refused
from bulkreact.simulator.partnercenter.entitlement_scenarios import ACCEPT, EntitlementScenario


@dataclass(slots=True)
class SimulatedEntitlement:
    """When its reactivation was accepted, and how often it was asked for and read.

    ``share``, in [0, 1), is where its own activation lies within the spread of all.
    """

    scenario: EntitlementScenario
    activation_jitter: float
    name: str = "Azure subscription"
    accepted_at: float | None = None
    calls: int = 0
    readings: int = 0

    @property
    def listed(self) -> bool:
        """Tell whether the list of its subscription shows it."""
        return not (self.scenario.gone or self.scenario.unlisted)

    def next_answer(self) -> ScriptedAnswer:
        """Return what the fate wants the next call to be answered."""
        act = self.scenario.act(self.calls)
        accepted = self.accepted_at is not None
        if self.scenario.active_before or (accepted and (self.scenario.forgets or act is ACCEPT)):
            return refused(400, "900337")
        return act

    def read_answer(self) -> ScriptedAnswer | None:
        """Count a reading, and return what the fate wants it to be answered instead of the status."""
        self.readings += 1
        return self.scenario.hindrance(self.readings - 1)

    def status(self, now: float, delay: float) -> str:
        """Return the word that a reading finds; ``delay`` is from accepted to active, where the fate has none."""
        if self.scenario.word:
            return self.scenario.word
        if self.scenario.active_within is not None:
            delay = self.scenario.active_within
        accepted = self.accepted_at is not None and now - self.accepted_at >= delay
        return "active" if accepted or self.scenario.active_before else "inactive"
