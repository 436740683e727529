"""What happens to an entitlement, chosen by the digits its id ends with, the way test card numbers do."""

from dataclasses import dataclass
from math import inf

from bulkreact.simulator.partnercenter.answers import (
    HTML,
    HTML_PAGE,
    JSON,
    REFUSALS,
    TRANSIENT,
    Act,
    refused,
    throttled,
)
from bulkreact.simulator.partnercenter.response_bodies import error_body

__all__ = ["ACCEPT", "FATES", "Act", "Fate", "fate_of"]


@dataclass(frozen=True, slots=True)
class Fate:
    """A script of answers; after it the call is accepted, or the last answer is given for ever.

    ``active_within`` seconds after its acceptance the entitlement is active, None for the simulator's own delay.
    ``reads`` are what its first readings are answered; ``word`` is what they find for ever, instead of its status.
    """

    words: str
    acts: tuple[Act, ...] = ()
    forever: bool = False
    forgets: bool = False
    active_before: bool = False
    active_within: float | None = None
    gone: bool = False
    unlisted: bool = False
    word: str = ""
    reads: tuple[Act, ...] = ()

    def act(self, call: int) -> Act:
        """Return the answer to the n-th call, counted from 0."""
        if call < len(self.acts):
            return self.acts[call]
        return self.acts[-1] if self.forever else ACCEPT

    def hindrance(self, reading: int) -> Act | None:
        """Return what the n-th reading meets, counted from 0, or None when nothing is in its way."""
        return self.reads[reading] if reading < len(self.reads) else None


ACCEPT = Act(effect=True)


def _refusals() -> dict[int, Fate]:
    return {
        int(code): Fate(
            f"{status}, code {code}, for ever",
            (refused(status, code, words),),
            forever=True,
            gone=status == 404,  # noqa: PLR2004
        )
        for status, refusals in REFUSALS.items()
        for code, words in refusals
    }


def _transient() -> dict[int, Fate]:
    return {
        int(code): Fate(
            f"500, code {code}, once, then accepted",
            (Act(500, error_body(code, words), JSON),),
        )
        for code, words in TRANSIENT.items()
    }


FATES: dict[int, Fate] = {
    **_refusals(),
    **_transient(),
    200: Fate(
        "200 instead of 202, with a JSON body behind a BOM", (Act(200, b'\xef\xbb\xbf{"ok":true}', effect=True),)
    ),
    1202: Fate("accepted, and never active", active_within=inf),
    2202: Fate(
        "accepted and active like any other, but missing from the list of its subscription's entitlements",
        unlisted=True,
    ),
    3202: Fate("accepted, and reading it says warming, a word nobody knows, for ever", word="warming"),
    4202: Fate(
        "accepted, and reading it alone or in the list is answered 503 twice before it is read properly",
        reads=(Act(503), Act(503)),
    ),
    208: Fate("was active before: 400, code 900337, and reading it says active", active_before=True),
    401: Fate("401 without a body once, then accepted", (Act(401),)),
    1401: Fate("401 for ever", (Act(401),), forever=True),
    2401: Fate(
        "401 with an empty body and WWW-Authenticate: Bearer error=invalid_token, for ever",
        (Act(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}),),
        forever=True,
    ),
    408: Fate("408 once, then accepted", (Act(408),)),
    409: Fate("409 without a code, for ever", (Act(409),), forever=True),
    429: Fate("429 with Retry-After twice, then accepted", (throttled(), throttled())),
    1429: Fate("429 for ever", (throttled(),), forever=True),
    2429: Fate("429 without Retry-After, the wait only in the body, once", (throttled(""),)),
    3429: Fate("429 with Retry-After as a date, once", (throttled("date", seconds=2),)),
    4429: Fate("429 for the whole customer, for two seconds", (throttled("2", scope="customer", seconds=2),)),
    5429: Fate("429 for everybody, for two seconds", (throttled("2", scope="partner", seconds=2),)),
    6429: Fate("429 with a Retry-After of two days, for ever", (throttled("172800", seconds=172800),), forever=True),
    500: Fate("500 without a body twice, then accepted", (Act(500), Act(500))),
    1500: Fate("500 for ever", (Act(500),), forever=True),
    501: Fate("501, code 0, for ever", (Act(501, error_body("0", "Exception not defined")),), forever=True),
    502: Fate("502 twice, then accepted", (Act(502), Act(502))),
    503: Fate("503 twice, then accepted", (Act(503), Act(503))),
    1503: Fate("503 for ever", (Act(503),), forever=True),
    504: Fate("504 once although it took effect, then the answer to the same request id", (Act(504, effect=True),)),
    1504: Fate("504 for ever, without effect", (Act(504),), forever=True),
    596: Fate(
        "404, code 800111, in UTF-16",
        (Act(404, error_body("800111", "Not found").decode().encode("utf-16")),),
        forever=True,
        gone=True,
    ),
    597: Fate("502 with an HTML page once, then accepted", (Act(502, HTML, HTML_PAGE),)),
    1597: Fate("200 with the HTML page of a proxy once, then accepted", (Act(200, HTML, HTML_PAGE),)),
    2597: Fate("302 to another address, for ever", (Act(302, headers={"Location": "/elsewhere"}),), forever=True),
    598: Fate("answers after three seconds", (Act(effect=True, delay=3),)),
    1598: Fate("takes effect and answers after ten minutes, for ever", (Act(effect=True, delay=600),), forever=True),
    599: Fate(
        "takes effect, the connection drops, then the answer to the same request id", (Act(effect=True, drop=True),)
    ),
    1599: Fate("takes effect, the connection drops, for ever", (Act(effect=True, drop=True),), forever=True),
    2599: Fate(
        "takes effect, the connection drops, the request id is forgotten: 900337, and reading it says active",
        (Act(effect=True, drop=True),),
        forgets=True,
        active_within=0,
    ),
    3599: Fate("the connection drops without effect once, then accepted", (Act(drop=True),)),
    4599: Fate(
        "the same as 2599, but reading it says inactive for an hour",
        (Act(effect=True, drop=True),),
        forgets=True,
        active_within=3600,
    ),
}


def fate_of(entitlement_id: str) -> Fate:
    """Return the fate that the last twelve digits of an entitlement id choose; most are simply accepted."""
    digits = entitlement_id[-12:]
    if not digits.isdigit():
        return _PLAIN
    return FATES.get(int(digits), _PLAIN)


_PLAIN = Fate("accepted")
