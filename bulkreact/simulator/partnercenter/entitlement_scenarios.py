"""Scenarios of an entitlement, chosen by the last digits of its id."""

from http import HTTPStatus
from math import inf

from msgspec.structs import replace

from bulkreact.simulator.partnercenter.answers import (
    HTML,
    HTML_PAGE,
    JSON,
    LONG_COOKIE,
    MANY_HEADERS,
    REFUSALS,
    TRANSIENT,
    ScriptedAnswer,
    gateway_page,
    refusal,
    throttle_answer,
)
from bulkreact.simulator.partnercenter.response_bodies import error_body
from bulkreact.simulator.partnercenter.scenario import Scenario, answer_always, answer_once, choose_scenario


class EntitlementScenario(Scenario, frozen=True):
    """A scenario of an Azure subscription; ``fixed_status`` is what every read shows, instead of its status."""

    active_before: bool = False
    gone: bool = False
    unlisted: bool = False
    fixed_status: str = ""


ACCEPT = ScriptedAnswer(effect=True)


def _refusals() -> dict[int, EntitlementScenario]:
    return {
        int(code): EntitlementScenario(
            f"{status}, code {code}, for ever",
            answer_always(refusal(status, code, description)),
            gone=status == HTTPStatus.NOT_FOUND,
        )
        for status, refusals in REFUSALS.items()
        for code, description in refusals
    }


def _transient() -> dict[int, EntitlementScenario]:
    return {
        int(code): EntitlementScenario(
            f"500, code {code}, once, then accepted",
            answer_once(ScriptedAnswer(500, error_body(code, description), JSON)),
        )
        for code, description in TRANSIENT.items()
    }


ENTITLEMENT_SCENARIOS: dict[int, EntitlementScenario] = {
    **_refusals(),
    **_transient(),
    200: EntitlementScenario(
        "200 instead of 202, with a JSON body behind a BOM",
        answer_once(ScriptedAnswer(200, b'\xef\xbb\xbf{"ok":true}', effect=True)),
    ),
    1202: EntitlementScenario("accepted, and never active", active_within=inf),
    2202: EntitlementScenario(
        "accepted and active like any other, but missing from the list of its subscription's entitlements",
        unlisted=True,
    ),
    3202: EntitlementScenario(
        "accepted, and reading it says warming, an unknown status, for ever", fixed_status="warming"
    ),
    4202: EntitlementScenario(
        "accepted, and reading it alone or in the list is answered 503 twice before it is read properly",
        reads=answer_once(503, 503),
    ),
    208: EntitlementScenario("was active before: 400, code 900337, and reading it says active", active_before=True),
    401: EntitlementScenario("401 without a body once, then accepted", answer_once(401)),
    1401: EntitlementScenario("401 for ever", answer_always(401)),
    2401: EntitlementScenario(
        "401 with an empty body and WWW-Authenticate: Bearer error=invalid_token, for ever",
        answer_always(ScriptedAnswer(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})),
    ),
    408: EntitlementScenario("408 once, then accepted", answer_once(408)),
    409: EntitlementScenario("409 without a code, for ever", answer_always(409)),
    429: EntitlementScenario(
        "429 with Retry-After twice, then accepted", answer_once(throttle_answer(), throttle_answer())
    ),
    1429: EntitlementScenario("429 for ever", answer_always(throttle_answer())),
    2429: EntitlementScenario(
        "429 without Retry-After, the wait only in the body, once", answer_once(throttle_answer(""))
    ),
    3429: EntitlementScenario("429 with Retry-After as a date, once", answer_once(throttle_answer("date", seconds=2))),
    4429: EntitlementScenario(
        "429 for the whole customer, for two seconds", answer_once(throttle_answer("2", scope="customer", seconds=2))
    ),
    5429: EntitlementScenario(
        "429 for everybody, for two seconds", answer_once(throttle_answer("2", scope="partner", seconds=2))
    ),
    6429: EntitlementScenario(
        "429 with a Retry-After of two days, for ever", answer_always(throttle_answer("172800", seconds=172800))
    ),
    500: EntitlementScenario("500 without a body twice, then accepted", answer_once(500, 500)),
    1500: EntitlementScenario("500 for ever", answer_always(500)),
    501: EntitlementScenario(
        "501, code 0, for ever", answer_always(ScriptedAnswer(501, error_body("0", "Exception not defined")))
    ),
    502: EntitlementScenario("502 twice, then accepted", answer_once(502, 502)),
    503: EntitlementScenario("503 twice, then accepted", answer_once(503, 503)),
    1503: EntitlementScenario("503 for ever", answer_always(503)),
    504: EntitlementScenario(
        "504 once although it took effect, then the answer to the same request id",
        answer_once(ScriptedAnswer(504, effect=True)),
    ),
    1504: EntitlementScenario("504 for ever, without effect", answer_always(504)),
    595: EntitlementScenario(
        "202 with the ids of the call before it, then the answer to the same request id",
        answer_once(ScriptedAnswer(effect=True, names_call_before=True)),
    ),
    1595: EntitlementScenario(
        "404, code 800111, then a 202 that nobody asked for on the same connection, for ever",
        answer_always(replace(refusal(404, "800111"), surplus=b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")),
        gone=True,
    ),
    596: EntitlementScenario(
        "404, code 800111, in UTF-16",
        answer_always(ScriptedAnswer(404, error_body("800111", "Not found").decode().encode("utf-16"))),
        gone=True,
    ),
    597: EntitlementScenario(
        "502 with an HTML page once, then accepted", answer_once(ScriptedAnswer(502, HTML, HTML_PAGE))
    ),
    1597: EntitlementScenario(
        "200 with the HTML page of a proxy once, then accepted", answer_once(ScriptedAnswer(200, HTML, HTML_PAGE))
    ),
    2597: EntitlementScenario(
        "302 to another address, for ever", answer_always(ScriptedAnswer(302, headers={"Location": "/elsewhere"}))
    ),
    3597: EntitlementScenario("403 with the page of a gateway once, then accepted", answer_once(gateway_page(403))),
    4597: EntitlementScenario("404 with the page of a gateway, for ever", answer_always(gateway_page(404))),
    5597: EntitlementScenario(
        "202 with a cookie of 9 kB", answer_once(ScriptedAnswer(headers=LONG_COOKIE, effect=True))
    ),
    6597: EntitlementScenario(
        "202 with 150 more headers", answer_once(ScriptedAnswer(headers=MANY_HEADERS, effect=True))
    ),
    598: EntitlementScenario("answers after three seconds", answer_once(ScriptedAnswer(effect=True, delay=3))),
    1598: EntitlementScenario(
        "takes effect and answers after ten minutes, for ever", answer_always(ScriptedAnswer(effect=True, delay=600))
    ),
    599: EntitlementScenario(
        "takes effect, the connection drops, then the answer to the same request id",
        answer_once(ScriptedAnswer(effect=True, drop=True)),
    ),
    1599: EntitlementScenario(
        "takes effect, the connection drops, for ever", answer_always(ScriptedAnswer(effect=True, drop=True))
    ),
    2599: EntitlementScenario(
        "takes effect, the connection drops, the request id is forgotten: 900337, and reading it says active",
        answer_once(ScriptedAnswer(effect=True, drop=True)),
        ignores_repeats=True,
        active_within=0,
    ),
    3599: EntitlementScenario(
        "the connection drops without effect once, then accepted", answer_once(ScriptedAnswer(drop=True))
    ),
    4599: EntitlementScenario(
        "the same as 2599, but reading it says inactive for an hour",
        answer_once(ScriptedAnswer(effect=True, drop=True)),
        ignores_repeats=True,
        active_within=3600,
    ),
}


def entitlement_scenario_of(entitlement_id: str) -> EntitlementScenario:
    """Return the scenario for the last twelve digits of an entitlement id; most are simply accepted."""
    return choose_scenario(ENTITLEMENT_SCENARIOS, entitlement_id) or _PLAIN


_PLAIN = EntitlementScenario("accepted")
