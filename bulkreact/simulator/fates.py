"""What happens to an entitlement, chosen by the digits its id ends with, the way test card numbers do."""

from dataclasses import dataclass, field
from math import inf

from bulkreact.simulator.bodies import error_body, throttle_body

_REFUSALS: dict[int, tuple[tuple[str, str], ...]] = {
    400: (
        ("900118", "Invalid Customer ID"),
        ("800002", "Invalid request input"),
        ("900337", "The partner is not able to reactivate this entitlement."),
        ("900280", "Update operations are currently not allowed for this subscription."),
        ("2011", "A deleted subscription can't be updated."),
        ("800096", "Can't update the status for this subscription"),
        ("800040", "Asset status can't be changed"),
        ("800091", "Can't update a subscription with suspended status"),
        ("800081", "Can't update a subscription before activating it"),
        ("900277", "The subscription is being expired."),
        ("900279", "Update operations are no longer allowed for this subscription."),
        ("900311", "This subscription has been updated too many times."),
        ("900307", "Invalid cancellation reason"),
        ("2001", "The quantity can't be changed while suspended"),
        ("2002", "The quantity isn't within the allowed range"),
        ("2054", "The billing cycle can't be updated"),
        ("3000", "Invalid property"),
    ),
    401: (
        ("800001", "Partner token missing in request context"),
        ("900420", "The token audience is no longer accepted."),
        ("900421", "Multi-factor authentication is required."),
    ),
    403: (
        ("900335", "No permission to reactivate this entitlement."),
        ("900159", "No reseller relationship with the customer."),
        ("20002", "No commerce relationship with the customer."),
        ("2032", "Access denied"),
        ("900150", "The supplied role doesn't have the rights."),
        ("900308", "Insufficient privileges."),
        ("900329", "Application-only authentication is not supported."),
        ("900309", "Blocked by Conditional Access policies."),
        ("90000", "The access policy does not allow token issuance."),
        ("800039", "Reseller program status isn't active"),
        ("900149", "Program status isn't active."),
        ("900124", "The Microsoft Partner Agreement isn't accepted."),
        ("900123", "The indirect reseller hasn't accepted the agreement."),
        ("800073", "The customer account is under review."),
        ("800074", "The customer account is under review."),
        ("800075", "The customer account wasn't approved."),
        ("900416", "The customer account is locked."),
        ("900263", "Not supported for legacy subscriptions."),
        ("800023", "The credit line is below the threshold."),
        ("900121", "Insufficient credit limit."),
    ),
    404: (
        ("800111", "Azure subscription with the given entitlement ID isn't found."),
        ("20003", "Subscription not found."),
        ("60003", "Tenant not found"),
        ("1000", "Not found"),
    ),
    409: (
        ("27009", "The parent subscription isn't active."),
        ("800082", "The subscription is not ready to be updated."),
        ("900278", "There is a pending operation on this subscription."),
    ),
}
_TRANSIENT = {
    "800003": "Unexpected service error",
    "900192": "Something went wrong.",
    "800094": "Update not successful",
}
_HTML = b"<!DOCTYPE html><html><head><title>Bad gateway</title></head><body><h1>502</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Act:
    """One answer: what is done first (``effect``), how long it takes, and what is said, or the line dropped."""

    status: int = 202
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    effect: bool = False
    drop: bool = False
    delay: float = 0.0
    throttle: str = ""
    seconds: float = 0.0


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


def _throttled(retry_after: str = "1", *, scope: str = "", seconds: float = 1) -> Act:
    headers = {"Content-Type": "application/json", **({"Retry-After": retry_after} if retry_after else {})}
    return Act(429, throttle_body(seconds), headers, throttle=scope, seconds=seconds)


def _refusals() -> dict[int, Fate]:
    return {
        int(code): Fate(
            f"{status}, code {code}, for ever",
            (Act(status, error_body(code, words), {"Content-Type": "application/json"}),),
            forever=True,
            gone=status == 404,  # noqa: PLR2004
        )
        for status, refusals in _REFUSALS.items()
        for code, words in refusals
    }


def _transient() -> dict[int, Fate]:
    return {
        int(code): Fate(
            f"500, code {code}, once, then accepted",
            (Act(500, error_body(code, words), {"Content-Type": "application/json; charset=utf-8"}),),
        )
        for code, words in _TRANSIENT.items()
    }


_HTML_PAGE = {"Content-Type": "text/html"}

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
    429: Fate("429 with Retry-After twice, then accepted", (_throttled(), _throttled())),
    1429: Fate("429 for ever", (_throttled(),), forever=True),
    2429: Fate("429 without Retry-After, the wait only in the body, once", (_throttled(""),)),
    3429: Fate("429 with Retry-After as a date, once", (_throttled("date", seconds=2),)),
    4429: Fate("429 for the whole customer, for two seconds", (_throttled("2", scope="customer", seconds=2),)),
    5429: Fate("429 for everybody, for two seconds", (_throttled("2", scope="partner", seconds=2),)),
    6429: Fate("429 with a Retry-After of two days, for ever", (_throttled("172800", seconds=172800),), forever=True),
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
    597: Fate("502 with an HTML page once, then accepted", (Act(502, _HTML, _HTML_PAGE),)),
    1597: Fate("200 with the HTML page of a proxy once, then accepted", (Act(200, _HTML, _HTML_PAGE),)),
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
