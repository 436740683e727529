"""What happens to the list of a customer's subscriptions, chosen by the digits the customer's id ends with."""

from dataclasses import dataclass

from bulkreact.simulator.partnercenter.answers import HTML, HTML_PAGE, ScriptedAnswer, refused
from bulkreact.simulator.partnercenter.entitlement_scenarios import SCENARIOS


@dataclass(frozen=True, slots=True)
class CustomerScenario:
    """A script of answers; after it the list is given, or the last answer for ever."""

    words: str
    acts: tuple[ScriptedAnswer, ...]
    forever: bool = False

    def hindrance(self, reading: int) -> ScriptedAnswer | None:
        """Return what the n-th reading meets, counted from 0, or None when nothing is in its way."""
        if reading < len(self.acts):
            return self.acts[reading]
        return self.acts[-1] if self.forever else None


CUSTOMER_SCENARIOS: dict[int, CustomerScenario] = {
    20002: CustomerScenario("403, code 20002, for ever", (refused(403, "20002"),), forever=True),
    900159: CustomerScenario("403, code 900159, for ever", (refused(403, "900159"),), forever=True),
    2032: CustomerScenario("403, code 2032, for ever", (refused(403, "2032"),), forever=True),
    404: CustomerScenario("404 without a body, for ever", (ScriptedAnswer(404),), forever=True),
    60003: CustomerScenario("404, code 60003, for ever", (refused(404, "60003"),), forever=True),
    429: CustomerScenario("429 with Retry-After twice, then the list", SCENARIOS[429].acts),
    1429: CustomerScenario("429 with Retry-After, for ever", SCENARIOS[1429].acts, forever=True),
    500: CustomerScenario("500 for ever", (ScriptedAnswer(500),), forever=True),
    503: CustomerScenario("503 twice, then the list", (ScriptedAnswer(503), ScriptedAnswer(503))),
    597: CustomerScenario("502 with an HTML page once, then the list", (ScriptedAnswer(502, HTML, HTML_PAGE),)),
    599: CustomerScenario("the connection drops once, then the list", (ScriptedAnswer(drop=True),)),
}


def customer_scenario_of(customer_id: str) -> CustomerScenario | None:
    """Return the fate that the last twelve digits of a customer id choose; most have none."""
    digits = customer_id[-12:]
    return CUSTOMER_SCENARIOS.get(int(digits)) if digits.isdigit() else None
