"""The catalogue's entries for codes of our own and for the status words of the results."""

from bulkreact.models import Status
from bulkreact.partnercenter.entries import Entry, Who
from bulkreact.partnercenter.service_codes import BY_HUNDRED, LATER

# A success that was announced by somebody else: no answer at all.
UNREADABLE = "unreadable-answer"
_IDENTIFIERS = "Correct the cell in failed.csv and run that file."
LOOK_AGAIN = "It may have worked: run the same command again in a few minutes, it reads how the subscription stands."
SAME_ID = "Run the same command again: it repeats the call under the same request id and settles the row."

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
            "Format the column as text, paste the id again in failed.csv and run that file.",
        ),
        (
            "swapped-ids",
            "an id of this row stands in another column elsewhere in the file",
            Who.SENDER,
            "Put each id into its own column in failed.csv and run that file.",
        ),
        (
            "ragged-row",
            "the row has more cells than the header",
            Who.SENDER,
            "Put the row right in failed.csv: error_description quotes the surplus cells, which are missing there.",
        ),
        (
            "unreachable",
            "no connection to Partner Center could be made; nothing was sent",
            Who.OPERATOR,
            "Check network, DNS, proxy and --base-url, then: bulkreact retry, or run failed.csv.",
        ),
        (
            "no-token",
            "there was no access token when the call was due; nothing was sent",
            Who.OPERATOR,
            "See what the run says of its credentials (bulkreact doctor), then continue it.",
        ),
        ("timed-out", "no answer came within the time-out: the call may have worked", Who.NOBODY, SAME_ID),
        ("connection-lost", "the connection broke before the answer: the call may have worked", Who.NOBODY, SAME_ID),
        ("no-answer", "the program ended before the answer was kept: the call may have worked", Who.NOBODY, SAME_ID),
        (
            UNREADABLE,
            "success was announced, but by a page that is not Partner Center's: the call may have worked",
            Who.OPERATOR,
            "Check the proxy between here and Partner Center, then run the same command again.",
        ),
        ("unexpected-redirect", BY_HUNDRED[3].words, Who.OPERATOR, BY_HUNDRED[3].advice),
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
            "Look again later with: bulkreact verify. If it stays so, ask Microsoft support with request_id and correlation_id.",
        ),
        (Status.FAILED, "refused for good, or every attempt failed", Who.OPERATOR, "Read error_description."),
        (Status.UNKNOWN, "an answer was lost: the call may have worked", Who.OPERATOR, SAME_ID),
        (Status.DEFERRED, "not now: a later run may succeed", Who.OPERATOR, LATER),
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
            "Continue the run with: bulkreact resume",
        ),
    )
)
