"""Scenarios for reading a customer's subscription list, chosen by the last digits of the customer id."""

from bulkreact.simulator.partnercenter.answers import HTML, HTML_PAGE, ScriptedAnswer, refusal
from bulkreact.simulator.partnercenter.entitlement_scenarios import ENTITLEMENT_SCENARIOS
from bulkreact.simulator.partnercenter.scenario import Scenario, answer_always, answer_once, choose_scenario

CUSTOMER_SCENARIOS: dict[int, Scenario] = {
    20002: Scenario("403, code 20002, for ever", reads=answer_always(refusal(403, "20002"))),
    900159: Scenario("403, code 900159, for ever", reads=answer_always(refusal(403, "900159"))),
    2032: Scenario("403, code 2032, for ever", reads=answer_always(refusal(403, "2032"))),
    404: Scenario("404 without a body, for ever", reads=answer_always(404)),
    60003: Scenario("404, code 60003, for ever", reads=answer_always(refusal(404, "60003"))),
    429: Scenario("429 with Retry-After twice, then the list", reads=ENTITLEMENT_SCENARIOS[429].writes),
    1429: Scenario("429 with Retry-After, for ever", reads=ENTITLEMENT_SCENARIOS[1429].writes),
    500: Scenario("500 for ever", reads=answer_always(500)),
    503: Scenario("503 twice, then the list", reads=answer_once(503, 503)),
    597: Scenario("502 with an HTML page once, then the list", reads=answer_once(ScriptedAnswer(502, HTML, HTML_PAGE))),
    599: Scenario("the connection drops once, then the list", reads=answer_once(ScriptedAnswer(drop=True))),
}


def customer_scenario_of(customer_id: str) -> Scenario | None:
    """Return the scenario for the last twelve digits of a customer id; most have none."""
    return choose_scenario(CUSTOMER_SCENARIOS, customer_id)
