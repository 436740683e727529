"""The catalogue: what a code means, who must act and what to do; no other module knows codes.

Meanings follow Microsoft's page *Partner Center REST error codes*; the words are ours. Codes repeat across
HTTP statuses and new ones appear, so every lookup falls back from (status, code) to the status's class.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bulkreact.models import Status
from bulkreact.partnercenter.token_codes import TOKEN_ERRORS


class Meaning(StrEnum):
    """What an answer means for the row and for the run (API page, section *What an answer means*)."""

    DONE = "done"
    PERMANENT = "permanent"
    CUSTOMER = "customer"
    RETRY = "retry"
    RETRY_ONCE = "retry-once"
    CONFLICT = "conflict"
    NOT_READY = "not-ready"
    PARENT = "parent"
    LATER = "later"
    CHECK = "check"
    PERMISSION = "permission"
    TOKEN = "token"  # noqa: S105 - a class of answers, no secret
    FATAL = "fatal"
    THROTTLED = "throttled"


class Who(StrEnum):
    """Who must act."""

    NOBODY = "nobody"
    SENDER = "whoever made the file"
    OPERATOR = "whoever runs bulkreact"
    ADMIN = "an administrator of the partner tenant"
    CUSTOMER = "the customer, or whoever looks after them"
    MICROSOFT = "Microsoft support"


@dataclass(frozen=True, slots=True)
class Entry:
    """One code under one HTTP status; ``status`` is None for codes of our own and status words."""

    code: str
    status: int | None
    meaning: Meaning | None
    words: str
    who: Who
    advice: str


def _entries(status: int, meaning: Meaning, who: Who, advice: str, codes: Iterable[tuple[str, str]]) -> list[Entry]:
    return [Entry(code, status, meaning, words, who, advice) for code, words in codes]


_ASK_SUPPORT = "Ask Microsoft support; quote request_id and correlation_id."
_CHECK_IDS = "Check the ids of this row against Partner Center, correct them in failed.csv and run that file."
_ADMIN_ROLE = (
    "Give the account the Admin Agent role (reactivating also needs Global Administrator), then run failed.csv."
)
_NOT_REACTIVATABLE = "This subscription cannot be brought back; sell the customer a new one."
_LATER = "Try again later: run failed.csv."
_AGAIN = "Nothing is wrong with the row. Run failed.csv when the service is well again."

SERVICE_ENTRIES: tuple[Entry, ...] = (
    *_entries(
        400,
        Meaning.PERMANENT,
        Who.SENDER,
        _CHECK_IDS,
        [
            ("900118", "Partner Center does not know this customer id"),
            ("800002", "Partner Center cannot read one of the ids, or one is missing"),
            ("3000", "a property of the request is not valid"),
        ],
    ),
    Entry(
        "900337",
        400,
        Meaning.CHECK,
        "the partner cannot reactivate this Azure subscription: it is active already, deleted for good, or not yours to reactivate",
        Who.ADMIN,
        "Look at the subscription in Partner Center: 90 days after its cancellation it is deleted for good; "
        "otherwise ask Microsoft support with request_id and correlation_id.",
    ),
    Entry(
        "2055",
        400,
        Meaning.CONFLICT,
        "the subscription changed while it was being updated (its etag is no longer valid)",
        Who.NOBODY,
        "Run failed.csv: it starts from how the subscription is now.",
    ),
    Entry("900280", 400, Meaning.LATER, "updates to this subscription are not allowed at present", Who.NOBODY, _LATER),
    *_entries(
        400,
        Meaning.PERMANENT,
        Who.CUSTOMER,
        _NOT_REACTIVATABLE,
        [
            ("2011", "the subscription is deleted and can no longer be updated"),
            ("900277", "the subscription is about to expire and takes no more updates"),
            ("900279", "the subscription takes no more updates"),
        ],
    ),
    *_entries(
        400,
        Meaning.PERMANENT,
        Who.ADMIN,
        "Look at the subscription in Partner Center: its present state does not allow this change.",
        [
            ("800096", "the status of this subscription cannot be updated"),
            ("800040", "the status cannot be changed from what it is now"),
            ("800091", "a suspended subscription cannot be updated in this way"),
            ("800081", "the subscription must be activated before it can be updated"),
            ("2001", "the quantity of a suspended subscription cannot be changed"),
            ("2002", "the quantity is outside what the offer allows"),
            ("2054", "the billing cycle cannot be changed by updating the subscription"),
        ],
    ),
    Entry(
        "900311",
        400,
        Meaning.PERMANENT,
        "the subscription has been updated too many times",
        Who.MICROSOFT,
        _ASK_SUPPORT,
    ),
    Entry(
        "900307",
        400,
        Meaning.PERMANENT,
        "the reason given for a cancellation is not valid (not expected when reactivating)",
        Who.MICROSOFT,
        _ASK_SUPPORT,
    ),
    Entry(
        "",
        400,
        Meaning.PERMANENT,
        "Partner Center refused the request",
        Who.SENDER,
        "Read error_description, correct the row in failed.csv and run that file.",
    ),
    *_entries(
        401,
        Meaning.TOKEN,
        Who.OPERATOR,
        "Get a fresh access token for the right tenant and run the same command again: it continues the run.",
        [
            ("400", "access denied: the token was refused"),
            ("800001", "the token is missing or could not be read"),
            ("", "the token was refused, or it has expired"),
        ],
    ),
    Entry(
        "900420",
        401,
        Meaning.FATAL,
        "the token was issued for an audience that Partner Center no longer accepts",
        Who.OPERATOR,
        "Get a token for the resource https://api.partnercenter.microsoft.com, then run the same command again.",
    ),
    *_entries(
        401,
        Meaning.FATAL,
        Who.OPERATOR,
        "Sign in again with multi-factor authentication, then run the same command again: it continues the run.",
        [
            ("900421", "the app+user token was issued without multi-factor authentication"),
            ("invalid_token", "the token is not accepted, most likely for lack of multi-factor authentication"),
        ],
    ),
    *_entries(
        403,
        Meaning.PERMISSION,
        Who.ADMIN,
        _ADMIN_ROLE,
        [
            ("900335", "the account may not reactivate this Azure subscription"),
            ("2032", "access denied"),
            ("900150", "the account's role lacks the rights for this operation"),
            ("900308", "the account's privileges do not suffice for this operation"),
        ],
    ),
    *_entries(
        403,
        Meaning.CUSTOMER,
        Who.ADMIN,
        "Check in Partner Center that the reseller relationship with this customer still stands, then run failed.csv.",
        [
            ("900159", "the partner has no reseller relationship with this customer"),
            ("20002", "the partner has no commerce relationship with this customer"),
        ],
    ),
    *_entries(
        403,
        Meaning.CUSTOMER,
        Who.CUSTOMER,
        "Settle the customer's standing in Partner Center (agreement, review), then run failed.csv.",
        [
            ("900123", "the indirect reseller has not accepted the Microsoft Partner Agreement"),
            ("800073", "the customer's account is under review"),
            ("800074", "the customer's account is under review"),
            ("800075", "the customer's account was not approved"),
            ("900416", "the customer's account is locked"),
        ],
    ),
    Entry(
        "900329",
        403,
        Meaning.FATAL,
        "this resource refuses app-only tokens",
        Who.OPERATOR,
        "Use an app+user token, then run the same command again: it continues the run.",
    ),
    *_entries(
        403,
        Meaning.FATAL,
        Who.ADMIN,
        "Settle this for the partner tenant, then run the same command again: it continues the run.",
        [
            ("900309", "conditional access policies block this account"),
            ("90000", "no token could be issued for this account"),
            ("800039", "the partner's reseller programme is not active"),
            ("900149", "the partner's programme status is not active"),
            ("900124", "the partner has not accepted the Microsoft Partner Agreement"),
        ],
    ),
    Entry(
        "900263",
        403,
        Meaning.PERMANENT,
        "a legacy subscription cannot be updated in this way",
        Who.ADMIN,
        "Look after this subscription in Partner Center by hand.",
    ),
    *_entries(
        403,
        Meaning.PERMANENT,
        Who.ADMIN,
        "Raise the partner's credit limit with Microsoft, then run failed.csv.",
        [
            ("800023", "the partner's credit line is too low for this"),
            ("900121", "the partner's credit limit does not suffice"),
        ],
    ),
    Entry("", 403, Meaning.PERMANENT, "Partner Center forbids this", Who.ADMIN, _ADMIN_ROLE),
    *_entries(
        404,
        Meaning.PERMANENT,
        Who.SENDER,
        _CHECK_IDS + " An Azure subscription cancelled more than 90 days ago is deleted for good.",
        [
            ("800111", "Partner Center finds no Azure subscription with this entitlement id"),
            ("20003", "Partner Center finds no subscription with this id"),
            ("60003", "Partner Center finds no tenant with this customer id"),
            ("1000", "Partner Center finds nothing under these ids"),
            ("", "Partner Center finds nothing under these ids"),
        ],
    ),
    Entry("", 408, Meaning.RETRY, "Partner Center gave up waiting for the request", Who.NOBODY, _AGAIN),
    Entry(
        "27009",
        409,
        Meaning.PARENT,
        "a subscription cannot be brought back before its parent is active",
        Who.SENDER,
        "Reactivate the Azure plan or parent subscription first, then run failed.csv.",
    ),
    *_entries(
        409,
        Meaning.NOT_READY,
        Who.NOBODY,
        _LATER,
        [
            ("800082", "the subscription is not ready to be updated"),
            ("", "the subscription is busy, perhaps with its renewal"),
        ],
    ),
    Entry(
        "900278",
        409,
        Meaning.LATER,
        "another operation on this subscription is pending; it can take 24 hours",
        Who.NOBODY,
        "Run failed.csv in 24 hours.",
    ),
    Entry(
        "",
        412,
        Meaning.CONFLICT,
        "the subscription changed while it was being updated",
        Who.NOBODY,
        "Run failed.csv: it starts from how the subscription is now.",
    ),
    Entry(
        "",
        429,
        Meaning.THROTTLED,
        "too many requests: Partner Center asks to wait",
        Who.NOBODY,
        "Run failed.csv later, perhaps with a lower --rate; look for other programs that use the same partner tenant.",
    ),
    *_entries(
        500,
        Meaning.RETRY,
        Who.NOBODY,
        _AGAIN,
        [
            ("800003", "an unexpected error inside Partner Center"),
            ("900192", "something went wrong inside Partner Center"),
            ("800094", "Partner Center did not manage to update the subscription"),
            ("", "an error inside Partner Center"),
        ],
    ),
    *_entries(
        501,
        Meaning.RETRY_ONCE,
        Who.MICROSOFT,
        _ASK_SUPPORT,
        [("0", "Partner Center knows no name for this error"), ("", "Partner Center does not implement this")],
    ),
    Entry("", 502, Meaning.RETRY, "the gateway before Partner Center got no proper answer", Who.NOBODY, _AGAIN),
    Entry("", 503, Meaning.RETRY, "Partner Center is not available at present", Who.NOBODY, _AGAIN),
    Entry(
        "",
        504,
        Meaning.RETRY,
        "the gateway before Partner Center gave up waiting: the call may have worked",
        Who.NOBODY,
        "Run the same command again: it repeats the call under the same request id.",
    ),
)

# The last resort, by hundreds: what nobody documented still has a meaning.
_BY_HUNDRED = {
    2: Entry("", 200, Meaning.DONE, "Partner Center accepted the request", Who.NOBODY, ""),
    3: Entry(
        "unexpected-redirect",
        300,
        Meaning.PERMANENT,
        "the answer points to another address; redirects are never followed",
        Who.OPERATOR,
        "Check --base-url and the proxy between here and Partner Center.",
    ),
    4: Entry(
        "",
        400,
        Meaning.PERMANENT,
        "Partner Center refused the request",
        Who.SENDER,
        "Read error_description, correct the row in failed.csv and run that file.",
    ),
    5: Entry("", 500, Meaning.RETRY, "an error on the side of Partner Center", Who.NOBODY, _AGAIN),
}

_IDENTIFIERS = "Correct the cell in failed.csv and run that file."
_LOOK_AGAIN = "It may have worked: run the same command again in a few minutes, it reads how the subscription stands."
_SAME_ID = "Run the same command again: it repeats the call under the same request id and settles the row."

OUR_ENTRIES: tuple[Entry, ...] = tuple(
    Entry(code, None, None, words, who, advice)
    for code, words, who, advice in (
        ("invalid-customer-id", "customer_id is not a GUID", Who.SENDER, _IDENTIFIERS),
        ("invalid-subscription-id", "subscription_id is not a GUID", Who.SENDER, _IDENTIFIERS),
        ("invalid-entitlement-id", "entitlement_id is not a GUID", Who.SENDER, _IDENTIFIERS),
        ("missing-customer-id", "the row has no customer_id", Who.SENDER, _IDENTIFIERS),
        ("missing-subscription-id", "the row has no subscription_id", Who.SENDER, _IDENTIFIERS),
        ("missing-entitlement-id", "the row has no entitlement_id", Who.SENDER, _IDENTIFIERS),
        (
            "no-ids",
            "the row has content but no ids (a total or a note?)",
            Who.SENDER,
            "Delete the row, or add its ids.",
        ),
        (
            "damaged-by-excel",
            "a spreadsheet changed this id into a number; the original is lost",
            Who.SENDER,
            "Format the column as text, paste the id again and run the file again.",
        ),
        ("ragged-row", "the row has more cells than the header", Who.SENDER, "Remove the extra cells or quote them."),
        (
            "unreachable",
            "no connection to Partner Center could be made; nothing was sent",
            Who.OPERATOR,
            "Check network, DNS, proxy and --base-url, then run failed.csv.",
        ),
        ("timed-out", "no answer came within the time-out: the call may have worked", Who.NOBODY, _SAME_ID),
        ("connection-lost", "the connection broke before the answer: the call may have worked", Who.NOBODY, _SAME_ID),
        ("no-answer", "the program ended before the answer was kept: the call may have worked", Who.NOBODY, _SAME_ID),
        (
            "unreadable-answer",
            "success was announced, but by a page that is not Partner Center's: the call may have worked",
            Who.OPERATOR,
            "Check the proxy between here and Partner Center, then run the same command again.",
        ),
        ("unexpected-redirect", _BY_HUNDRED[3].words, Who.OPERATOR, _BY_HUNDRED[3].advice),
    )
)

STATUS_ENTRIES: tuple[Entry, ...] = tuple(
    Entry(status, None, None, words, who, advice)
    for status, words, who, advice in (
        (Status.REACTIVATED, "accepted and seen active", Who.NOBODY, ""),
        (
            Status.ACCEPTED,
            "Partner Center took the request; the subscription becomes active within minutes",
            Who.NOBODY,
            "",
        ),
        (Status.ALREADY_ACTIVE, "the subscription was active before it was asked for", Who.NOBODY, ""),
        (
            Status.DUPLICATE,
            "the same target stands in an earlier row, which has the outcome",
            Who.NOBODY,
            "See the row named in error_description.",
        ),
        (
            Status.PENDING,
            "accepted, but not seen active in time",
            Who.OPERATOR,
            "Look again later; if it stays so, ask Microsoft support with request_id and correlation_id.",
        ),
        (Status.FAILED, "refused for good, or every attempt failed", Who.OPERATOR, "Read error_description."),
        (Status.UNKNOWN, "an answer was lost: the call may have worked", Who.OPERATOR, _SAME_ID),
        (Status.DEFERRED, "not now: a later run may succeed", Who.OPERATOR, _LATER),
        (
            Status.INVALID,
            "never sent: the row itself is wrong",
            Who.SENDER,
            "Correct the row in failed.csv and run that file.",
        ),
        (
            Status.NOT_ATTEMPTED,
            "never sent: the run ended before it, or --limit left it out",
            Who.OPERATOR,
            "Run the same command again: an unfinished run is continued.",
        ),
    )
)

_SERVICE = {(entry.status, entry.code): entry for entry in SERVICE_ENTRIES}
_BY_CODE = {entry.code: entry for entry in reversed(SERVICE_ENTRIES) if entry.code}
_OURS = {entry.code: entry for entry in OUR_ENTRIES}
_STATUSES = {entry.code: entry for entry in STATUS_ENTRIES}
_GENERIC = "http-"


def lookup(status: int, code: str) -> Entry:
    """Return what the answer means, falling back from (status, code) to the status and to its hundred."""
    return _SERVICE.get((status, code)) or _SERVICE.get((status, "")) or _BY_HUNDRED.get(status // 100, _BY_HUNDRED[5])


def generic_code(status: int) -> str:
    """Name an error that came without a code of its own."""
    return f"{_GENERIC}{status}"


def advice(status: Status, http_status: int | None, code: str) -> str:
    """Return what to do about a row, empty when there is nothing to do."""
    if code in _OURS:
        return _OURS[code].advice
    if status is Status.UNKNOWN and http_status is not None and lookup(http_status, code).meaning is Meaning.CHECK:
        return _LOOK_AGAIN
    if status is Status.UNKNOWN or not code:
        return _STATUSES[status].advice
    if http_status is not None:
        return lookup(http_status, code).advice
    # A row that was not sent has the code of the row that was answered for it.
    entry = _BY_CODE.get(code) or lookup(http_status_of(code) or 0, "")
    return entry.advice


def explain(word: str) -> list[Entry]:
    """Return every entry for a code, ``http-404``, an HTTP status or a status word; none for an unknown one."""
    key = word.strip().lower()
    if key in _OURS:
        return [_OURS[key]]
    if key in _STATUSES:
        return [_STATUSES[key]]
    number = key.removeprefix("aadsts")
    found = [entry for entry in SERVICE_ENTRIES if entry.code == key] if key else []
    if number in TOKEN_ERRORS:
        words, remedy = TOKEN_ERRORS[number]
        found.append(Entry(f"AADSTS{number}", None, None, words, Who.OPERATOR, remedy))
    if status := http_status_of(key):
        found.append(lookup(status, ""))
    return found


def http_status_of(word: str) -> int | None:
    """Read ``404`` or ``http-404`` as an HTTP status, None when it is none."""
    digits = word.strip().lower().removeprefix(_GENERIC)
    if len(digits) == 3 and digits.isascii() and digits.isdigit() and 200 <= int(digits) <= 599:  # noqa: PLR2004
        return int(digits)
    return None
