"""The catalogue's entries for codes of our own and for the status words of the results."""

from bulkreact.models import Status
from bulkreact.partnercenter.error_codes.entry import ErrorCode, Responsible
from bulkreact.partnercenter.error_codes.service_codes import DEFAULT_BY_CLASS, LATER_ADVICE

# A success that was announced by somebody else: no answer at all.
UNREADABLE = "unreadable-answer"
_SELL_ANEW = "This subscription cannot be brought back; sell the customer a new one."
_FILL_IN = (
    "Fill it in in failed.csv (bulkreact discover --complete does, where only one is possible) and run that file. "
    "If the subscription itself is suspended, write subscription into a column kind."
)
# A list whose pages lead elsewhere, or to no end.
BROKEN_PAGING = "broken-paging"
_IDENTIFIERS = "Correct the cell in failed.csv and run that file."
CHECK_LATER = "It may have worked: run the same command again in a few minutes, it reads how the subscription stands."
# What is said of a call that was made before the one that brings a subscription back.
READING = "while reading the subscription: "
# The statuses that nothing brings a subscription back from, by their words.
FINAL_STATUSES = {word: f"subscription-{word}" for word in ("expired", "disabled", "deleted")}
NOT_REACTIVATABLE = "not-reactivatable"
# What a 429 is called, which has no code of its own.
THROTTLED = "http-429"
PARENT_FAILED = "parent-failed"
PARENT_NOT_ACTIVE = "parent-not-active"
REPEAT = "Run the same command again: it repeats the call under the same request id and settles the row."

LOCAL_ENTRIES: tuple[ErrorCode, ...] = tuple(
    ErrorCode(code, None, None, words, who, advice)
    for code, words, who, advice in (
        ("invalid-customer-id", "customer_id is not a GUID", Responsible.SENDER, _IDENTIFIERS),
        ("invalid-subscription-id", "subscription_id is not a GUID", Responsible.SENDER, _IDENTIFIERS),
        ("invalid-entitlement-id", "entitlement_id is not a GUID", Responsible.SENDER, _IDENTIFIERS),
        ("missing-customer-id", "the row has no customer_id", Responsible.SENDER, _IDENTIFIERS),
        ("missing-subscription-id", "the row has no subscription_id", Responsible.SENDER, _IDENTIFIERS),
        (
            "missing-entitlement-id",
            "the row has no entitlement_id",
            Responsible.SENDER,
            _FILL_IN,
        ),
        (
            "no-ids",
            "the row has content but no ids (a total or a note?)",
            Responsible.SENDER,
            "Delete the row, or add its ids.",
        ),
        (
            "damaged-by-excel",
            "a spreadsheet changed this id into a number; the original is lost",
            Responsible.SENDER,
            "Format the column as text, paste the id again in failed.csv and run that file.",
        ),
        (
            "swapped-ids",
            "an id of this row stands in another column elsewhere in the file",
            Responsible.SENDER,
            "Put each id into its own column in failed.csv and run that file.",
        ),
        (
            "ragged-row",
            "the row has more cells than the header",
            Responsible.SENDER,
            "Put the row right in failed.csv: error_description quotes the surplus cells, which are missing there.",
        ),
        (
            "invalid-kind",
            "the column kind has a word that is none: azure, subscription or nothing",
            Responsible.SENDER,
            _IDENTIFIERS,
        ),
        (
            "invalid-restore-auto-renew",
            "the column restore_auto_renew takes true or false, yes or no, 1 or 0, or nothing",
            Responsible.SENDER,
            _IDENTIFIERS,
        ),
        (
            "ambiguous-row",
            "several Azure subscriptions could be meant; the column candidates lists them",
            Responsible.SENDER,
            "Choose: put one of the ids in the column candidates into entitlement_id in failed.csv, then run that file.",
        ),
        (
            FINAL_STATUSES["expired"],
            "the subscription's term has ended",
            Responsible.CUSTOMER,
            _SELL_ANEW,
        ),
        (
            FINAL_STATUSES["disabled"],
            "the subscription is disabled and about to be deleted",
            Responsible.ADMIN,
            "Ask Microsoft support at once, with request_id and correlation_id; otherwise sell the customer a new one.",
        ),
        (FINAL_STATUSES["deleted"], "the subscription is deleted for good", Responsible.CUSTOMER, _SELL_ANEW),
        (
            NOT_REACTIVATABLE,
            "the subscription is neither suspended nor active, so nothing was tried; error_description has its status",
            Responsible.ADMIN,
            "Look at the subscription in Partner Center. Once it is suspended or active, run failed.csv.",
        ),
        (
            PARENT_FAILED,
            "the Azure plan or subscription above it did not come back, so it was not sent",
            Responsible.OPERATOR,
            "Mend the row that error_description names first, then: bulkreact retry, or run failed.csv.",
        ),
        (
            PARENT_NOT_ACTIVE,
            "the Azure plan or subscription above it was not seen active in time, so it was not sent",
            Responsible.NOBODY,
            "In a few minutes: bulkreact retry, or run failed.csv.",
        ),
        (
            "unreachable",
            "no connection to Partner Center could be made; nothing was sent",
            Responsible.OPERATOR,
            "Check network, DNS, proxy and --base-url, then: bulkreact retry, or run failed.csv.",
        ),
        (
            "no-token",
            "there was no access token when the call was due; nothing was sent",
            Responsible.OPERATOR,
            "See what the run says of its credentials (bulkreact doctor), then continue it.",
        ),
        ("timed-out", "no answer came within the time-out: the call may have worked", Responsible.NOBODY, REPEAT),
        (
            "connection-lost",
            "the connection broke before the answer: the call may have worked",
            Responsible.NOBODY,
            REPEAT,
        ),
        (
            "no-answer",
            "the program ended before the answer was kept: the call may have worked",
            Responsible.NOBODY,
            REPEAT,
        ),
        (
            UNREADABLE,
            "success was announced, but by a page that is not Partner Center's: the call may have worked",
            Responsible.OPERATOR,
            "Check the proxy between here and Partner Center, then run the same command again.",
        ),
        ("unexpected-redirect", DEFAULT_BY_CLASS[3].description, Responsible.OPERATOR, DEFAULT_BY_CLASS[3].advice),
        (
            BROKEN_PAGING,
            "a list goes on at an address that is not its own, or never ends",
            Responsible.OPERATOR,
            "Check --base-url and the proxy between here and Partner Center, then run the same command again.",
        ),
    )
)

STATUS_ENTRIES: tuple[ErrorCode, ...] = tuple(
    ErrorCode(status, None, None, words, who, advice)
    for status, words, who, advice in (
        (Status.REACTIVATED, "accepted and seen active", Responsible.NOBODY, ""),
        (
            Status.ACCEPTED,
            "Partner Center took the request; the subscription becomes active within minutes",
            Responsible.NOBODY,
            "",
        ),
        (Status.ALREADY_ACTIVE, "the subscription was active before it was asked for", Responsible.NOBODY, ""),
        (
            Status.DUPLICATE,
            "the same target stands in an earlier row, which has the outcome",
            Responsible.NOBODY,
            "See the row named in error_description.",
        ),
        (
            Status.PENDING,
            "accepted, but not seen active in time",
            Responsible.OPERATOR,
            "Look again later with: bulkreact verify. If it stays so, ask Microsoft support with request_id and correlation_id.",
        ),
        (Status.FAILED, "refused for good, or every attempt failed", Responsible.OPERATOR, "Read error_description."),
        (Status.UNKNOWN, "an answer was lost: the call may have worked", Responsible.OPERATOR, REPEAT),
        (Status.DEFERRED, "not now: a later run may succeed", Responsible.OPERATOR, LATER_ADVICE),
        (
            Status.INVALID,
            "never sent: the row itself is wrong",
            Responsible.SENDER,
            "Correct the row in failed.csv and run that file.",
        ),
        (
            Status.NOT_ATTEMPTED,
            "never sent: the run ended before it, what stands above it did not come back, or --limit left it out",
            Responsible.OPERATOR,
            "Continue the run with: bulkreact resume",
        ),
    )
)
