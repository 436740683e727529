"""One simulated Azure subscription: its scenario's answers to the calls so far."""

from bulkreact.simulator.partnercenter.answers import ScriptedAnswer, refusal
from bulkreact.simulator.partnercenter.entitlement_scenarios import ACCEPT, EntitlementScenario
from bulkreact.simulator.partnercenter.scenario import Resource


class SimulatedEntitlement(Resource[EntitlementScenario], kw_only=True):
    """An Azure subscription of an Azure plan."""

    name: str = "Azure subscription"

    @property
    def listed(self) -> bool:
        """Whether the list of its subscription shows it."""
        return not (self.scenario.gone or self.scenario.unlisted)

    def next_answer(self) -> ScriptedAnswer:
        """Count a reactivation, and return the scenario's answer."""
        answer = self.scenario.writes.answer(self.writes) or ACCEPT
        self.writes += 1
        accepted = self.accepted_at is not None
        if self.scenario.active_before or (accepted and (self.scenario.ignores_repeats or answer is ACCEPT)):
            return refusal(400, "900337")
        return answer

    def status(self, now: float, delay: float) -> str:
        """Return the status that a read shows; ``delay`` is from accepted to active, if the scenario has none."""
        if self.scenario.fixed_status:
            return self.scenario.fixed_status
        if self.scenario.active_within is not None:
            delay = self.scenario.active_within
        accepted = self.accepted_at is not None and now - self.accepted_at >= delay
        return "active" if accepted or self.scenario.active_before else "inactive"

    def _repeated_success(self, _answer: ScriptedAnswer) -> ScriptedAnswer:
        return ScriptedAnswer()
