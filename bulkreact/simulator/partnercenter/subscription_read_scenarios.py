"""Scenarios of a subscription that differ in what reading it says, and in whether it can be read."""

from bulkreact.simulator.partnercenter.answers import HTML, HTML_PAGE, JSON, ScriptedAnswer, refusal
from bulkreact.simulator.partnercenter.entitlement_scenarios import ENTITLEMENT_SCENARIOS
from bulkreact.simulator.partnercenter.scenario import answer_always, answer_once
from bulkreact.simulator.partnercenter.subscription_json import SubscriptionProfile
from bulkreact.simulator.partnercenter.subscription_scenario import SubscriptionScenario

_REFUSED = {
    8001: ("expired", refusal(400, "900277")),
    8002: ("disabled", refusal(400, "800096")),
    8003: ("deleted", refusal(400, "2011")),
    8004: ("pending", refusal(409, "800082")),
    8005: ("none", refusal(400, "800081")),
    8006: ("frozen", refusal(400, "800096")),
}

STATUSES = {
    number: SubscriptionScenario(
        f"reading it says {status}{', an unknown status' if status == 'frozen' else ''}",
        answer_always(answer),
        profile=SubscriptionProfile(status=status),
    )
    for number, (status, answer) in _REFUSED.items()
}

READS = {
    9_000_429: SubscriptionScenario(
        "reading it is answered 429 with Retry-After twice", reads=ENTITLEMENT_SCENARIOS[429].writes
    ),
    9_000_500: SubscriptionScenario("reading it is answered 500 for ever", reads=answer_always(500)),
    9_000_503: SubscriptionScenario(
        "reading it is answered 503 twice before it is read properly", reads=answer_once(503, 503)
    ),
    9_000_599: SubscriptionScenario(
        "reading it: the connection drops once", reads=answer_once(ScriptedAnswer(drop=True))
    ),
    9_000_404: SubscriptionScenario("reading it is answered 404 without a body for ever", reads=answer_always(404)),
    9_000_597: SubscriptionScenario(
        "reading it is answered 502 with an HTML page once", reads=answer_once(ScriptedAnswer(502, HTML, HTML_PAGE))
    ),
    9_001_597: SubscriptionScenario(
        "reading it is answered 200 with an HTML page once", reads=answer_once(ScriptedAnswer(200, HTML, HTML_PAGE))
    ),
    9_000_001: SubscriptionScenario(
        "reading it is answered 200 with JSON that ends too soon, once",
        reads=answer_once(ScriptedAnswer(200, b'\xef\xbb\xbf{"id":"5', JSON)),
    ),
    9_001_001: SubscriptionScenario(
        "reading it is answered 200 with JSON that ends too soon, for ever",
        reads=answer_always(ScriptedAnswer(200, b'\xef\xbb\xbf{"id":"5', JSON)),
    ),
    9_000_002: SubscriptionScenario(
        "reading it is answered 200 with JSON without a status, for ever",
        reads=answer_always(ScriptedAnswer(200, b'\xef\xbb\xbf{"id":"5","quantity":1}', JSON)),
    ),
    9_000_003: SubscriptionScenario(
        "reading it is answered 200 with a list, for ever", reads=answer_always(ScriptedAnswer(200, b"[]", JSON))
    ),
    **{
        9_000_000 + int(code): SubscriptionScenario(
            f"reading it is answered 403, code {code}, for ever", reads=answer_always(refusal(403, code))
        )
        for code in ("20002", "900159", "900416", "2032", "900329")
    },
}
