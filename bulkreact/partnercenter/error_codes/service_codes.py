"""The error codes of Partner Center, by HTTP status and code.

Meanings follow Microsoft's page *Partner Center REST error codes*; the descriptions are ours.
"""

from bulkreact.partnercenter.error_codes.entry import AnswerClass, ErrorCode, Guidance, Responsible

UNEXPECTED_REDIRECT = "unexpected-redirect"
PENDING_OPERATION = "900278"
_ASK_SUPPORT = "Ask Microsoft support; quote request_id and correlation_id."
_CHECK_IDS = "Check the ids of this row against Partner Center, correct them in failed.csv and run that file."
_ADMIN_ROLE = (
    "Give the account the Admin Agent role (reactivating also needs Global Administrator). "
    "Then continue the run if it was stopped, else run failed.csv."
)
LATER_ADVICE = "Try again later: bulkreact retry, or run failed.csv."
RETRY_ADVICE = "Nothing is wrong with the row. When the service works again: bulkreact retry, or run failed.csv."

_WRONG_IDS = Guidance(AnswerClass.PERMANENT, Responsible.FILE_AUTHOR, _CHECK_IDS)
_AMBIGUOUS = Guidance(
    AnswerClass.CHECK,
    Responsible.ADMIN,
    "Was it accepted minutes ago? Then wait, it becomes active by itself. Otherwise look at it in Partner Center: 90 days after its cancellation it is permanently deleted; before that, ask Microsoft support with request_id and correlation_id.",
)
_CHANGED_MEANWHILE = Guidance(
    AnswerClass.CONFLICT, Responsible.OPERATOR, "Run failed.csv: it starts from how the subscription is now."
)
_NOT_NOW = Guidance(AnswerClass.LATER, Responsible.OPERATOR, LATER_ADVICE)
_NOT_REACTIVATABLE = Guidance(
    AnswerClass.PERMANENT,
    Responsible.CUSTOMER,
    "This subscription cannot be brought back; sell the customer a new one.",
)
_WRONG_STATE = Guidance(
    AnswerClass.PERMANENT,
    Responsible.ADMIN,
    "Look at the subscription in Partner Center: its present state does not allow this change.",
)
_UNEXPECTED = Guidance(AnswerClass.PERMANENT, Responsible.MICROSOFT, _ASK_SUPPORT)
_REFUSED = Guidance(
    AnswerClass.PERMANENT,
    Responsible.FILE_AUTHOR,
    "Read error_description, correct the row in failed.csv and run that file.",
)
_TOKEN_REFUSED = Guidance(
    AnswerClass.TOKEN,
    Responsible.OPERATOR,
    "Get a fresh access token for the right tenant and run the same command again: it continues the run.",
)
_WRONG_AUDIENCE = Guidance(
    AnswerClass.FATAL,
    Responsible.OPERATOR,
    "Get a token for the resource https://api.partnercenter.microsoft.com, then run the same command again.",
)
_NO_MFA = Guidance(
    AnswerClass.FATAL,
    Responsible.OPERATOR,
    "Sign in again with multi-factor authentication, then run the same command again: it continues the run.",
)
_NO_PERMISSION = Guidance(AnswerClass.PERMISSION, Responsible.ADMIN, _ADMIN_ROLE)
_NO_RELATIONSHIP = Guidance(
    AnswerClass.CUSTOMER,
    Responsible.ADMIN,
    "Check in Partner Center that the reseller relationship with this customer still exists, then run failed.csv.",
)
_CUSTOMER_STATUS = Guidance(
    AnswerClass.CUSTOMER,
    Responsible.CUSTOMER,
    "Settle the customer's status in Partner Center (agreement, review), then run failed.csv.",
)
_APP_ONLY = Guidance(
    AnswerClass.FATAL,
    Responsible.OPERATOR,
    "Use an app+user token, then run the same command again: it continues the run.",
)
_PARTNER_STATUS = Guidance(
    AnswerClass.FATAL,
    Responsible.ADMIN,
    "Settle this for the partner tenant, then run the same command again: it continues the run.",
)
_BY_HAND = Guidance(AnswerClass.PERMANENT, Responsible.ADMIN, "Look after this subscription in Partner Center by hand.")
_CREDIT_LIMIT = Guidance(
    AnswerClass.PERMANENT, Responsible.ADMIN, "Raise the partner's credit limit with Microsoft, then run failed.csv."
)
_FORBIDDEN = Guidance(AnswerClass.PERMANENT, Responsible.ADMIN, _ADMIN_ROLE)
_NOT_FOUND = Guidance(
    AnswerClass.PERMANENT,
    Responsible.FILE_AUTHOR,
    _CHECK_IDS + " An Azure subscription cancelled more than 90 days ago is permanently deleted.",
)
_SERVER_ERROR = Guidance(AnswerClass.RETRY, Responsible.OPERATOR, RETRY_ADVICE)
_PARENT_FIRST = Guidance(
    AnswerClass.PARENT,
    Responsible.FILE_AUTHOR,
    "Reactivate the Azure plan or parent subscription first, then run failed.csv.",
)
_BUSY = Guidance(AnswerClass.NOT_READY, Responsible.OPERATOR, LATER_ADVICE)
_PENDING = Guidance(AnswerClass.LATER, Responsible.OPERATOR, "In 24 hours: bulkreact retry, or run failed.csv.")
_THROTTLED = Guidance(
    AnswerClass.THROTTLED,
    Responsible.OPERATOR,
    "Later: bulkreact retry, perhaps with a lower --rate; look for other programs that use the same partner tenant.",
)
_UPDATE_FAILED = Guidance(AnswerClass.RETRY, Responsible.OPERATOR, RETRY_ADVICE, read_first=True)
_UNSUPPORTED = Guidance(AnswerClass.RETRY_ONCE, Responsible.MICROSOFT, _ASK_SUPPORT)
_ANSWER_LOST = Guidance(
    AnswerClass.RETRY,
    Responsible.OPERATOR,
    "See whether it worked, with: bulkreact verify. If it did not, run the same command again: it repeats the call under "
    "the same request id.",
)

SERVICE_ENTRIES: tuple[ErrorCode, ...] = (
    _WRONG_IDS.entry(400, "900118", "Partner Center does not know this customer id"),
    _WRONG_IDS.entry(400, "800002", "Partner Center cannot read one of the ids, or one is missing"),
    _WRONG_IDS.entry(400, "3000", "a property of the request is not valid"),
    _AMBIGUOUS.entry(
        400,
        "900337",
        "the partner cannot reactivate this Azure subscription: it is already active, permanently deleted, or the partner may not reactivate it",
    ),
    _CHANGED_MEANWHILE.entry(
        400, "2055", "the subscription changed while it was being updated (its etag is no longer valid)"
    ),
    _NOT_NOW.entry(400, "900280", "updates to this subscription are not allowed at present"),
    _NOT_REACTIVATABLE.entry(400, "2011", "the subscription is deleted and can no longer be updated"),
    _NOT_REACTIVATABLE.entry(400, "900277", "the subscription is about to expire and takes no more updates"),
    _NOT_REACTIVATABLE.entry(400, "900279", "the subscription takes no more updates"),
    _WRONG_STATE.entry(400, "800096", "the status of this subscription cannot be updated"),
    _WRONG_STATE.entry(400, "800040", "the status cannot be changed from what it is now"),
    _WRONG_STATE.entry(400, "800091", "a suspended subscription cannot be updated in this way"),
    _WRONG_STATE.entry(400, "800081", "the subscription must be activated before it can be updated"),
    _WRONG_STATE.entry(400, "2001", "the quantity of a suspended subscription cannot be changed"),
    _WRONG_STATE.entry(400, "2002", "the quantity is outside what the offer allows"),
    _WRONG_STATE.entry(400, "2054", "the billing cycle cannot be changed by updating the subscription"),
    _UNEXPECTED.entry(400, "900311", "the subscription has been updated too many times"),
    _UNEXPECTED.entry(
        400, "900307", "the reason given for a cancellation is not valid (not expected when reactivating)"
    ),
    _REFUSED.entry(400, "", "Partner Center refused the request"),
    _TOKEN_REFUSED.entry(401, "400", "access denied: the token was refused"),
    _TOKEN_REFUSED.entry(401, "800001", "the token is missing or could not be read"),
    _TOKEN_REFUSED.entry(401, "", "the token was refused, or it has expired"),
    _WRONG_AUDIENCE.entry(401, "900420", "the token was issued for an audience that Partner Center no longer accepts"),
    _NO_MFA.entry(401, "900421", "the app+user token was issued without multi-factor authentication"),
    _NO_MFA.entry(
        401, "invalid_token", "the token is not accepted, most likely for lack of multi-factor authentication"
    ),
    _NO_PERMISSION.entry(403, "900335", "the account may not reactivate this Azure subscription"),
    _NO_PERMISSION.entry(403, "2032", "access denied"),
    _NO_PERMISSION.entry(403, "900150", "the account's role lacks the rights for this operation"),
    _NO_PERMISSION.entry(403, "900308", "the account's privileges do not suffice for this operation"),
    _NO_RELATIONSHIP.entry(403, "900159", "the partner has no reseller relationship with this customer"),
    _NO_RELATIONSHIP.entry(403, "20002", "the partner has no commerce relationship with this customer"),
    _CUSTOMER_STATUS.entry(403, "900123", "the indirect reseller has not accepted the Microsoft Partner Agreement"),
    _CUSTOMER_STATUS.entry(403, "800073", "the customer's account is under review"),
    _CUSTOMER_STATUS.entry(403, "800074", "the customer's account is under review"),
    _CUSTOMER_STATUS.entry(403, "800075", "the customer's account was not approved"),
    _CUSTOMER_STATUS.entry(403, "900416", "the customer's account is locked"),
    _APP_ONLY.entry(403, "900329", "this resource refuses app-only tokens"),
    _PARTNER_STATUS.entry(403, "900309", "conditional access policies block this account"),
    _PARTNER_STATUS.entry(403, "90000", "no token could be issued for this account"),
    _PARTNER_STATUS.entry(403, "800039", "the partner's reseller programme is not active"),
    _PARTNER_STATUS.entry(403, "900149", "the partner's programme status is not active"),
    _PARTNER_STATUS.entry(403, "900124", "the partner has not accepted the Microsoft Partner Agreement"),
    _BY_HAND.entry(403, "900263", "a legacy subscription cannot be updated in this way"),
    _CREDIT_LIMIT.entry(403, "800023", "the partner's credit line is too low for this"),
    _CREDIT_LIMIT.entry(403, "900121", "the partner's credit limit does not suffice"),
    _FORBIDDEN.entry(403, "", "Partner Center forbids this"),
    _NOT_FOUND.entry(404, "800111", "Partner Center finds no Azure subscription with this entitlement id"),
    _NOT_FOUND.entry(404, "20003", "Partner Center finds no subscription with this id"),
    _NOT_FOUND.entry(404, "60003", "Partner Center finds no tenant with this customer id"),
    _NOT_FOUND.entry(404, "1000", "Partner Center finds nothing under these ids"),
    _NOT_FOUND.entry(404, "", "Partner Center finds nothing under these ids"),
    _SERVER_ERROR.entry(408, "", "Partner Center gave up waiting for the request"),
    _PARENT_FIRST.entry(409, "27009", "a subscription cannot be brought back before its parent is active"),
    _BUSY.entry(409, "800082", "the subscription is not ready to be updated"),
    _BUSY.entry(409, "", "the subscription is busy, perhaps with its renewal"),
    _PENDING.entry(409, PENDING_OPERATION, "another operation on this subscription is pending; it can take 24 hours"),
    _CHANGED_MEANWHILE.entry(412, "", "the subscription changed while it was being updated"),
    _THROTTLED.entry(429, "", "too many requests: Partner Center asks to wait"),
    _SERVER_ERROR.entry(500, "800003", "an unexpected error inside Partner Center"),
    _SERVER_ERROR.entry(500, "900192", "something went wrong inside Partner Center"),
    _SERVER_ERROR.entry(500, "", "an error inside Partner Center"),
    _UPDATE_FAILED.entry(500, "800094", "Partner Center did not manage to update the subscription"),
    _UNSUPPORTED.entry(501, "0", "Partner Center returned an unspecified error"),
    _UNSUPPORTED.entry(501, "", "Partner Center does not implement this"),
    _SERVER_ERROR.entry(502, "", "the gateway before Partner Center got no proper answer"),
    _SERVER_ERROR.entry(503, "", "Partner Center is not available at present"),
    _ANSWER_LOST.entry(504, "", "the gateway before Partner Center gave up waiting: the call may have worked"),
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
        "", 500, AnswerClass.RETRY, "an error on the side of Partner Center", Responsible.OPERATOR, RETRY_ADVICE
    ),
}
