"""The error codes of Partner Center, by HTTP status and code.

Meanings follow Microsoft's page *Partner Center REST error codes*; the descriptions are ours.
"""

from bulkreact.partnercenter.error_codes.entry import AnswerClass, ErrorCode, Responsible, entries

UNEXPECTED_REDIRECT = "unexpected-redirect"
_ASK_SUPPORT = "Ask Microsoft support; quote request_id and correlation_id."
_CHECK_IDS = "Check the ids of this row against Partner Center, correct them in failed.csv and run that file."
_ADMIN_ROLE = (
    "Give the account the Admin Agent role (reactivating also needs Global Administrator). "
    "Then continue the run if it was stopped, else run failed.csv."
)
_NOT_REACTIVATABLE = "This subscription cannot be brought back; sell the customer a new one."
LATER_ADVICE = "Try again later: bulkreact retry, or run failed.csv."
RETRY_ADVICE = "Nothing is wrong with the row. When the service works again: bulkreact retry, or run failed.csv."

SERVICE_ENTRIES: tuple[ErrorCode, ...] = (
    *entries(
        400,
        AnswerClass.PERMANENT,
        Responsible.SENDER,
        _CHECK_IDS,
        [
            ("900118", "Partner Center does not know this customer id"),
            ("800002", "Partner Center cannot read one of the ids, or one is missing"),
            ("3000", "a property of the request is not valid"),
        ],
    ),
    ErrorCode(
        "900337",
        400,
        AnswerClass.CHECK,
        "the partner cannot reactivate this Azure subscription: it is active already, deleted for good, or not yours to reactivate",
        Responsible.ADMIN,
        "Was it accepted minutes ago? Then wait, it becomes active by itself. Otherwise look at it in Partner Center: 90 days after its cancellation it is deleted for good; "
        "before that, ask Microsoft support with request_id and correlation_id.",
    ),
    ErrorCode(
        "2055",
        400,
        AnswerClass.CONFLICT,
        "the subscription changed while it was being updated (its etag is no longer valid)",
        Responsible.NOBODY,
        "Run failed.csv: it starts from how the subscription is now.",
    ),
    ErrorCode(
        "900280",
        400,
        AnswerClass.LATER,
        "updates to this subscription are not allowed at present",
        Responsible.NOBODY,
        LATER_ADVICE,
    ),
    *entries(
        400,
        AnswerClass.PERMANENT,
        Responsible.CUSTOMER,
        _NOT_REACTIVATABLE,
        [
            ("2011", "the subscription is deleted and can no longer be updated"),
            ("900277", "the subscription is about to expire and takes no more updates"),
            ("900279", "the subscription takes no more updates"),
        ],
    ),
    *entries(
        400,
        AnswerClass.PERMANENT,
        Responsible.ADMIN,
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
    *entries(
        400,
        AnswerClass.PERMANENT,
        Responsible.MICROSOFT,
        _ASK_SUPPORT,
        [
            ("900311", "the subscription has been updated too many times"),
            ("900307", "the reason given for a cancellation is not valid (not expected when reactivating)"),
        ],
    ),
    ErrorCode(
        "",
        400,
        AnswerClass.PERMANENT,
        "Partner Center refused the request",
        Responsible.SENDER,
        "Read error_description, correct the row in failed.csv and run that file.",
    ),
    *entries(
        401,
        AnswerClass.TOKEN,
        Responsible.OPERATOR,
        "Get a fresh access token for the right tenant and run the same command again: it continues the run.",
        [
            ("400", "access denied: the token was refused"),
            ("800001", "the token is missing or could not be read"),
            ("", "the token was refused, or it has expired"),
        ],
    ),
    ErrorCode(
        "900420",
        401,
        AnswerClass.FATAL,
        "the token was issued for an audience that Partner Center no longer accepts",
        Responsible.OPERATOR,
        "Get a token for the resource https://api.partnercenter.microsoft.com, then run the same command again.",
    ),
    *entries(
        401,
        AnswerClass.FATAL,
        Responsible.OPERATOR,
        "Sign in again with multi-factor authentication, then run the same command again: it continues the run.",
        [
            ("900421", "the app+user token was issued without multi-factor authentication"),
            ("invalid_token", "the token is not accepted, most likely for lack of multi-factor authentication"),
        ],
    ),
    *entries(
        403,
        AnswerClass.PERMISSION,
        Responsible.ADMIN,
        _ADMIN_ROLE,
        [
            ("900335", "the account may not reactivate this Azure subscription"),
            ("2032", "access denied"),
            ("900150", "the account's role lacks the rights for this operation"),
            ("900308", "the account's privileges do not suffice for this operation"),
        ],
    ),
    *entries(
        403,
        AnswerClass.CUSTOMER,
        Responsible.ADMIN,
        "Check in Partner Center that the reseller relationship with this customer still exists, then run failed.csv.",
        [
            ("900159", "the partner has no reseller relationship with this customer"),
            ("20002", "the partner has no commerce relationship with this customer"),
        ],
    ),
    *entries(
        403,
        AnswerClass.CUSTOMER,
        Responsible.CUSTOMER,
        "Settle the customer's status in Partner Center (agreement, review), then run failed.csv.",
        [
            ("900123", "the indirect reseller has not accepted the Microsoft Partner Agreement"),
            ("800073", "the customer's account is under review"),
            ("800074", "the customer's account is under review"),
            ("800075", "the customer's account was not approved"),
            ("900416", "the customer's account is locked"),
        ],
    ),
    ErrorCode(
        "900329",
        403,
        AnswerClass.FATAL,
        "this resource refuses app-only tokens",
        Responsible.OPERATOR,
        "Use an app+user token, then run the same command again: it continues the run.",
    ),
    *entries(
        403,
        AnswerClass.FATAL,
        Responsible.ADMIN,
        "Settle this for the partner tenant, then run the same command again: it continues the run.",
        [
            ("900309", "conditional access policies block this account"),
            ("90000", "no token could be issued for this account"),
            ("800039", "the partner's reseller programme is not active"),
            ("900149", "the partner's programme status is not active"),
            ("900124", "the partner has not accepted the Microsoft Partner Agreement"),
        ],
    ),
    *entries(
        403,
        AnswerClass.PERMANENT,
        Responsible.ADMIN,
        "Look after this subscription in Partner Center by hand.",
        [("900263", "a legacy subscription cannot be updated in this way")],
    ),
    *entries(
        403,
        AnswerClass.PERMANENT,
        Responsible.ADMIN,
        "Raise the partner's credit limit with Microsoft, then run failed.csv.",
        [
            ("800023", "the partner's credit line is too low for this"),
            ("900121", "the partner's credit limit does not suffice"),
        ],
    ),
    ErrorCode("", 403, AnswerClass.PERMANENT, "Partner Center forbids this", Responsible.ADMIN, _ADMIN_ROLE),
    *entries(
        404,
        AnswerClass.PERMANENT,
        Responsible.SENDER,
        _CHECK_IDS + " An Azure subscription cancelled more than 90 days ago is deleted for good.",
        [
            ("800111", "Partner Center finds no Azure subscription with this entitlement id"),
            ("20003", "Partner Center finds no subscription with this id"),
            ("60003", "Partner Center finds no tenant with this customer id"),
            ("1000", "Partner Center finds nothing under these ids"),
            ("", "Partner Center finds nothing under these ids"),
        ],
    ),
    ErrorCode(
        "", 408, AnswerClass.RETRY, "Partner Center gave up waiting for the request", Responsible.NOBODY, RETRY_ADVICE
    ),
    ErrorCode(
        "27009",
        409,
        AnswerClass.PARENT,
        "a subscription cannot be brought back before its parent is active",
        Responsible.SENDER,
        "Reactivate the Azure plan or parent subscription first, then run failed.csv.",
    ),
    *entries(
        409,
        AnswerClass.NOT_READY,
        Responsible.NOBODY,
        LATER_ADVICE,
        [
            ("800082", "the subscription is not ready to be updated"),
            ("", "the subscription is busy, perhaps with its renewal"),
        ],
    ),
    ErrorCode(
        "900278",
        409,
        AnswerClass.LATER,
        "another operation on this subscription is pending; it can take 24 hours",
        Responsible.NOBODY,
        "In 24 hours: bulkreact retry, or run failed.csv.",
    ),
    ErrorCode(
        "",
        412,
        AnswerClass.CONFLICT,
        "the subscription changed while it was being updated",
        Responsible.NOBODY,
        "Run failed.csv: it starts from how the subscription is now.",
    ),
    ErrorCode(
        "",
        429,
        AnswerClass.THROTTLED,
        "too many requests: Partner Center asks to wait",
        Responsible.NOBODY,
        "Later: bulkreact retry, perhaps with a lower --rate; look for other programs that use the same partner tenant.",
    ),
    *entries(
        500,
        AnswerClass.RETRY,
        Responsible.NOBODY,
        RETRY_ADVICE,
        [
            ("800003", "an unexpected error inside Partner Center"),
            ("900192", "something went wrong inside Partner Center"),
            ("", "an error inside Partner Center"),
        ],
    ),
    ErrorCode(
        "800094",
        500,
        AnswerClass.RETRY,
        "Partner Center did not manage to update the subscription",
        Responsible.NOBODY,
        RETRY_ADVICE,
        read_first=True,
    ),
    *entries(
        501,
        AnswerClass.RETRY_ONCE,
        Responsible.MICROSOFT,
        _ASK_SUPPORT,
        [("0", "Partner Center knows no name for this error"), ("", "Partner Center does not implement this")],
    ),
    ErrorCode(
        "",
        502,
        AnswerClass.RETRY,
        "the gateway before Partner Center got no proper answer",
        Responsible.NOBODY,
        RETRY_ADVICE,
    ),
    ErrorCode(
        "", 503, AnswerClass.RETRY, "Partner Center is not available at present", Responsible.NOBODY, RETRY_ADVICE
    ),
    ErrorCode(
        "",
        504,
        AnswerClass.RETRY,
        "the gateway before Partner Center gave up waiting: the call may have worked",
        Responsible.NOBODY,
        "Run the same command again: it repeats the call under the same request id.",
    ),
)

# For undocumented statuses, by the class of the status (its first digit).
DEFAULT_BY_CLASS = {
    2: ErrorCode("", 200, AnswerClass.DONE, "Partner Center accepted the request", Responsible.NOBODY, ""),
    3: ErrorCode(
        UNEXPECTED_REDIRECT,
        300,
        AnswerClass.PERMANENT,
        "the answer points to another address; redirects are never followed",
        Responsible.OPERATOR,
        "Check --base-url and the proxy between here and Partner Center.",
    ),
    4: next(entry for entry in SERVICE_ENTRIES if (entry.http_status, entry.code) == (400, "")),
    5: ErrorCode(
        "", 500, AnswerClass.RETRY, "an error on the side of Partner Center", Responsible.NOBODY, RETRY_ADVICE
    ),
}
