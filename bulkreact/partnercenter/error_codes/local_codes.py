"""The error codes of this program, and the statuses of rows."""

from bulkreact.models import Status
from bulkreact.partnercenter.error_codes.entry import ErrorCode, Guidance, Responsible
from bulkreact.partnercenter.error_codes.service_codes import DEFAULT_BY_CLASS, LATER_ADVICE, UNEXPECTED_REDIRECT

UNREADABLE = "unreadable-answer"
WRONG_ANSWER = "wrong-answer"
BROKEN_PAGING = "broken-paging"
INCOMPLETE_LIST = "incomplete-list"
# A subscription with one of these statuses cannot be reactivated.
FINAL_STATUSES = {status: f"subscription-{status}" for status in ("expired", "disabled", "deleted")}
NOT_REACTIVATABLE = "not-reactivatable"
# A 429 has no error code.
THROTTLED = "http-429"
PARENT_FAILED = "parent-failed"
PARENT_NOT_ACTIVE = "parent-not-active"
# Begins the description if the call before the reactivation failed.
READING = "while reading the subscription: "
CHECK_LATER = "It may have worked. See in a few minutes whether it did, with: bulkreact verify."
_SELL_ANEW = "This subscription cannot be brought back; sell the customer a new one."
_FILL_IN = (
    "Fill it in in failed.csv (bulkreact discover --complete does, where only one is possible) and run that file. "
    "If the subscription itself is suspended, write subscription into a column kind."
)
_CORRECT_CELL = "Correct the cell in failed.csv and run that file."
_REPEAT = (
    "See whether it worked, with: bulkreact verify. If it did not, run the same command again: it repeats the call under "
    "the same request id and settles the row."
)
_CELL = Guidance(None, Responsible.FILE_AUTHOR, _CORRECT_CELL)
_LOST = Guidance(None, Responsible.OPERATOR, _REPEAT)
_DONE = Guidance(None, Responsible.NOBODY, "")


def _entry(code: str, description: str, responsible: Responsible, advice: str) -> ErrorCode:
    return ErrorCode(code, None, None, description, responsible, advice)


GATEWAY_PAGE = _entry(
    "gateway-…",
    "a gateway or proxy refused the call with a page of its own; Partner Center has not answered",
    Responsible.OPERATOR,
    "error_description quotes the page: have the gateway let the calls through, then run the same command again.",
)
LOCAL_ENTRIES: tuple[ErrorCode, ...] = (
    _CELL.entry(None, "invalid-customer-id", "customer_id is not a GUID"),
    _CELL.entry(None, "invalid-subscription-id", "subscription_id is not a GUID"),
    _CELL.entry(None, "invalid-entitlement-id", "entitlement_id is not a GUID"),
    _CELL.entry(None, "missing-customer-id", "the row has no customer_id"),
    _CELL.entry(None, "missing-subscription-id", "the row has no subscription_id"),
    _CELL.entry(None, "invalid-kind", "the column kind takes azure, subscription or nothing"),
    _CELL.entry(
        None,
        "invalid-restore-auto-renew",
        "the column restore_auto_renew takes true or false, yes or no, 1 or 0, or nothing",
    ),
    _entry("missing-entitlement-id", "the row has no entitlement_id", Responsible.FILE_AUTHOR, _FILL_IN),
    _entry(
        "no-ids",
        "the row has content but no ids (a total or a note?)",
        Responsible.FILE_AUTHOR,
        "Delete the row, or add its ids.",
    ),
    _entry(
        "damaged-by-excel",
        "a spreadsheet changed this id into a number; the original is lost",
        Responsible.FILE_AUTHOR,
        "Format the column as text, paste the id again in failed.csv and run that file.",
    ),
    _entry(
        "swapped-ids",
        "an id of this row is in another column elsewhere in the file",
        Responsible.FILE_AUTHOR,
        "Put each id into its own column in failed.csv and run that file.",
    ),
    _entry(
        "ragged-row",
        "the row has more cells than the header, or the file ends within it",
        Responsible.FILE_AUTHOR,
        "Correct the row in failed.csv, or delete it there: error_description quotes the surplus cells, which are missing.",
    ),
    _entry(
        "swallowed-rows",
        "a cell of this row holds other rows, because a quotation mark opens in it and closes rows later",
        Responsible.FILE_AUTHOR,
        "Delete or double the stray quotation mark in the original file and run that file: the other rows need it too.",
    ),
    _entry(
        "ambiguous-row",
        "several Azure subscriptions could be meant; the column candidates lists them",
        Responsible.FILE_AUTHOR,
        "Choose: put one of the ids in the column candidates into entitlement_id in failed.csv, then run that file.",
    ),
    _entry(FINAL_STATUSES["expired"], "the subscription's term has ended", Responsible.CUSTOMER, _SELL_ANEW),
    _entry(
        FINAL_STATUSES["disabled"],
        "the subscription is disabled and about to be deleted",
        Responsible.ADMIN,
        "Ask Microsoft support at once, with request_id and correlation_id; otherwise sell the customer a new one.",
    ),
    _entry(FINAL_STATUSES["deleted"], "the subscription is permanently deleted", Responsible.CUSTOMER, _SELL_ANEW),
    _entry(
        NOT_REACTIVATABLE,
        "the subscription is neither suspended nor active, so nothing was tried; error_description has its status",
        Responsible.ADMIN,
        "Look at the subscription in Partner Center. Once it is suspended or active, run failed.csv.",
    ),
    _entry(
        PARENT_FAILED,
        "not sent, because its parent (Azure plan or subscription) was not reactivated",
        Responsible.OPERATOR,
        "Fix the row that error_description names first, then: bulkreact retry, or run failed.csv.",
    ),
    _entry(
        PARENT_NOT_ACTIVE,
        "the Azure plan or subscription above it was not seen active in time, so it was not sent",
        Responsible.OPERATOR,
        "In a few minutes: bulkreact retry, or run failed.csv.",
    ),
    _entry(
        "unreachable",
        "no connection to Partner Center could be made; nothing was sent",
        Responsible.OPERATOR,
        "Check network, DNS, proxy and --base-url, then: bulkreact retry, or run failed.csv.",
    ),
    _entry(
        "tls-refused",
        "the connection is not secure, or both sides cannot agree on TLS; nothing was sent",
        Responsible.OPERATOR,
        "Do what the reason of the run's end says (bulkreact doctor proves it), then continue the run.",
    ),
    _entry(
        "proxy-refused",
        "the proxy refuses to connect to Partner Center; nothing was sent",
        Responsible.OPERATOR,
        "Do what the reason of the run's end says (bulkreact doctor proves it), then continue the run.",
    ),
    _entry(
        "no-token",
        "there was no access token when the call was due; nothing was sent",
        Responsible.OPERATOR,
        "See what the run says about its credentials (bulkreact doctor), then continue it.",
    ),
    _LOST.entry(None, "timed-out", "no answer came within the time-out: the call may have worked"),
    _LOST.entry(None, "connection-lost", "the connection broke before the answer: the call may have worked"),
    _LOST.entry(None, "no-answer", "the program ended before the answer was recorded: the call may have worked"),
    _entry(
        WRONG_ANSWER,
        "the answer that came is the one to another call (a proxy?): the call may have worked",
        Responsible.OPERATOR,
        "Check the proxy between here and Partner Center, then run the same command again: it repeats the call under "
        "the same request id.",
    ),
    _entry(
        UNREADABLE,
        "a success status came with a page that is not from Partner Center (a proxy?) or with another resource; "
        "the call may have worked",
        Responsible.OPERATOR,
        "Check the proxy between here and Partner Center, then run the same command again.",
    ),
    _entry(UNEXPECTED_REDIRECT, DEFAULT_BY_CLASS[3].description, Responsible.OPERATOR, DEFAULT_BY_CLASS[3].advice),
    _entry(
        BROKEN_PAGING,
        "the next-page link of a list points elsewhere, or the list never ends",
        Responsible.OPERATOR,
        "Check --base-url and the proxy between here and Partner Center, then run the same command again.",
    ),
    _entry(
        INCOMPLETE_LIST,
        "a list has fewer entries than it says, or entries without a usable id; the others were read",
        Responsible.OPERATOR,
        "Run the same command again. If it stays so, look in Partner Center for what is missing.",
    ),
)

STATUS_ENTRIES: tuple[ErrorCode, ...] = (
    _DONE.entry(None, Status.REACTIVATED, "accepted and seen active"),
    _DONE.entry(
        None, Status.ACCEPTED, "Partner Center took the request; the subscription becomes active within minutes"
    ),
    _DONE.entry(None, Status.ALREADY_ACTIVE, "the subscription was already active"),
    _entry(
        Status.DUPLICATE,
        "the same target as in an earlier row, which has the outcome",
        Responsible.NOBODY,
        "See the row named in error_description.",
    ),
    _entry(
        Status.PENDING,
        "accepted, but not seen active in time",
        Responsible.OPERATOR,
        "Look again later with: bulkreact verify. If it stays so, ask Microsoft support with request_id and correlation_id.",
    ),
    _entry(Status.FAILED, "refused for good, or every attempt failed", Responsible.OPERATOR, "Read error_description."),
    _entry(Status.UNKNOWN, "an answer was lost: the call may have worked", Responsible.OPERATOR, _REPEAT),
    _entry(Status.DEFERRED, "postponed: a later run may succeed", Responsible.OPERATOR, LATER_ADVICE),
    _entry(
        Status.INVALID,
        "never sent: the row itself is wrong",
        Responsible.FILE_AUTHOR,
        "Correct the row in failed.csv and run that file.",
    ),
    _entry(
        Status.NOT_ATTEMPTED,
        "never sent: the run ended before it, its parent was not reactivated, or --limit left it out",
        Responsible.OPERATOR,
        "Continue the run with: bulkreact resume",
    ),
)
