"""What happens to an entitlement, chosen by the digits its id ends with, the way test card numbers do."""

from dataclasses import dataclass
from math import inf

from bulkreact.simulator.partnercenter.answers import (
    HTML,
    HTML_PAGE,
    JSON,
    REFUSALS,
    TRANSIENT,
    ScriptedAnswer,
    refused,
    throttled,
)
from bulkreact.simulator.partnercenter.response_bodies import error_body

__all__ = ["ACCEPT", "SCENARIOS", "EntitlementScenario", "ScriptedAnswer", "scenario_of"]


@dataclass(frozen=True, slots=True)
class EntitlementScenario:
    """A script of answers; after it the call is accepted, or the last answer is given for ever.

    ``active_within`` seconds after its acceptance the entitlement is active, None for the simulator's own delay.
    ``reads`` are what its first readings are answered; ``word`` is what they find for ever, instead of its status.
    """

    words: str
    acts: tuple[ScriptedAnswer, ...] = ()
    forever: bool = False
    forgets: bool = False
    active_before: bool = False
    active_within: float | None = None
    gone: bool = False
    unlisted: bool = False
    word: str = ""
    reads: tuple[ScriptedAnswer, ...] = ()

    def act(self, call: int) -> ScriptedAnswer:
        """Return the answer to the n-th call, counted from 0."""
        if call < len(self.acts):
            return self.acts[call]
        return self.acts[-1] if self.forever else ACCEPT

    def hindrance(self, reading: int) -> ScriptedAnswer | None:
        """Return what the n-th reading meets, counted from 0, or None when nothing is in its way."""
        return self.reads[reading] if reading < len(self.reads) else None


ACCEPT = ScriptedAnswer(effect=True)


def _refusals() -> dict[int, EntitlementScenario]:
    return {
        int(code): EntitlementScenario(
            f"{status}, code {code}, for ever",
            (refused(status, code, words),),
            forever=True,
            gone=status == 404,  # noqa: PLR2004
        )
        for status, refusals in REFUSALS.items()
        for code, words in refusals
    }


def _transient() -> dict[int, EntitlementScenario]:
    return {
        int(code): EntitlementScenario(
            f"500, code {code}, once, then accepted",
            (ScriptedAnswer(500, error_body(code, words), JSON),),
        )
        for code, words in TRANSIENT.items()
    }


SCENARIOS: dict[int, EntitlementScenario] = {
    **_refusals(),
    **_transient(),
    200: EntitlementScenario(
        "200 instead of 202, with a JSON body behind a BOM",
        (ScriptedAnswer(200, b'\xef\xbb\xbf{"ok":true}', effect=True),),
    ),
    1202: EntitlementScenario("accepted, and never active", active_within=inf),
    2202: EntitlementScenario(
        "accepted and active like any other, but missing from the list of its subscription's entitlements",
        unlisted=True,
    ),
    3202: EntitlementScenario("accepted, and reading it says warming, a word nobody knows, for ever", word="warming"),
    4202: EntitlementScenario(
        "accepted, and reading it alone or in the list is answered 503 twice before it is read properly",
        reads=(ScriptedAnswer(503), ScriptedAnswer(503)),
    ),
    208: EntitlementScenario("was active before: 400, code 900337, and reading it says active", active_before=True),
    401: EntitlementScenario("401 without a body once, then accepted", (ScriptedAnswer(401),)),
    1401: EntitlementScenario("401 for ever", (ScriptedAnswer(401),), forever=True),
    2401: EntitlementScenario(
        "401 with an empty body and WWW-Authenticate: Bearer error=invalid_token, for ever",
        (ScriptedAnswer(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}),),
        forever=True,
    ),
    408: EntitlementScenario("408 once, then accepted", (ScriptedAnswer(408),)),
    409: EntitlementScenario("409 without a code, for ever", (ScriptedAnswer(409),), forever=True),
    429: EntitlementScenario("429 with Retry-After twice, then accepted", (throttled(), throttled())),
    1429: EntitlementScenario("429 for ever", (throttled(),), forever=True),
    2429: EntitlementScenario("429 without Retry-After, the wait only in the body, once", (throttled(""),)),
    3429: EntitlementScenario("429 with Retry-After as a date, once", (throttled("date", seconds=2),)),
    4429: EntitlementScenario(
        "429 for the whole customer, for two seconds", (throttled("2", scope="customer", seconds=2),)
    ),
    5429: EntitlementScenario("429 for everybody, for two seconds", (throttled("2", scope="partner", seconds=2),)),
    6429: EntitlementScenario(
        "429 with a Retry-After of two days, for ever", (throttled("172800", seconds=172800),), forever=True
    ),
    500: EntitlementScenario("500 without a body twice, then accepted", (ScriptedAnswer(500), ScriptedAnswer(500))),
    1500: EntitlementScenario("500 for ever", (ScriptedAnswer(500),), forever=True),
    501: EntitlementScenario(
        "501, code 0, for ever", (ScriptedAnswer(501, error_body("0", "Exception not defined")),), forever=True
    ),
    502: EntitlementScenario("502 twice, then accepted", (ScriptedAnswer(502), ScriptedAnswer(502))),
    503: EntitlementScenario("503 twice, then accepted", (ScriptedAnswer(503), ScriptedAnswer(503))),
    1503: EntitlementScenario("503 for ever", (ScriptedAnswer(503),), forever=True),
    504: EntitlementScenario(
        "504 once although it took effect, then the answer to the same request id", (ScriptedAnswer(504, effect=True),)
    ),
    1504: EntitlementScenario("504 for ever, without effect", (ScriptedAnswer(504),), forever=True),
    596: EntitlementScenario(
        "404, code 800111, in UTF-16",
        (ScriptedAnswer(404, error_body("800111", "Not found").decode().encode("utf-16")),),
        forever=True,
        gone=True,
    ),
    597: EntitlementScenario("502 with an HTML page once, then accepted", (ScriptedAnswer(502, HTML, HTML_PAGE),)),
    1597: EntitlementScenario(
        "200 with the HTML page of a proxy once, then accepted", (ScriptedAnswer(200, HTML, HTML_PAGE),)
    ),
    2597: EntitlementScenario(
        "302 to another address, for ever", (ScriptedAnswer(302, headers={"Location": "/elsewhere"}),), forever=True
    ),
    598: EntitlementScenario("answers after three seconds", (ScriptedAnswer(effect=True, delay=3),)),
    1598: EntitlementScenario(
        "takes effect and answers after ten minutes, for ever", (ScriptedAnswer(effect=True, delay=600),), forever=True
    ),
    599: EntitlementScenario(
        "takes effect, the connection drops, then the answer to the same request id",
        (ScriptedAnswer(effect=True, drop=True),),
    ),
    1599: EntitlementScenario(
        "takes effect, the connection drops, for ever", (ScriptedAnswer(effect=True, drop=True),), forever=True
    ),
    2599: EntitlementScenario(
        "takes effect, the connection drops, the request id is forgotten: 900337, and reading it says active",
        (ScriptedAnswer(effect=True, drop=True),),
        forgets=True,
        active_within=0,
    ),
    3599: EntitlementScenario("the connection drops without effect once, then accepted", (ScriptedAnswer(drop=True),)),
    4599: EntitlementScenario(
        "the same as 2599, but reading it says inactive for an hour",
        (ScriptedAnswer(effect=True, drop=True),),
        forgets=True,
        active_within=3600,
    ),
}


def scenario_of(entitlement_id: str) -> EntitlementScenario:
    """Return the fate that the last twelve digits of an entitlement id choose; most are simply accepted."""
    digits = entitlement_id[-12:]
    if not digits.isdigit():
        return _PLAIN
    return SCENARIOS.get(int(digits), _PLAIN)


_PLAIN = EntitlementScenario("accepted")
