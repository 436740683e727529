"""Verdicts on the calls of a row, for the tests of what follows from them."""

from bulkreact.models import Answer, Call, Operation
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.verdicts import Verdict

READ, WRITE = Operation.GET_ENTITLEMENT, Operation.REACTIVATE_ENTITLEMENT
READ_FIRST, UPDATE = Operation.GET_SUBSCRIPTION, Operation.REACTIVATE_SUBSCRIPTION


def answer(status: int | None, code: str = "", *, business: bool = False) -> Answer:
    return Answer(status, code, "description", business=business)


ACCEPTED = verdicts.Accepted(answer(202, business=True))
REFUSED = verdicts.Refused(answer(404, "800111", business=True))
REDIRECT = verdicts.Refused(answer(302, "unexpected-redirect"))
AMBIGUOUS = verdicts.AmbiguousRefusal(answer(400, "900337", business=True))
NOT_READY = verdicts.NotReady(answer(409, "800082", business=True))
TRY_LATER = verdicts.TryLater(answer(409, "900278", business=True))
UNAVAILABLE = verdicts.Transient(answer(503, "http-503"))
LOST = verdicts.Transient(answer(None, "timed-out"), lost=True)
UNREACHABLE = verdicts.Transient(answer(None, "unreachable"), sent=False)
THROTTLED = verdicts.Throttled(answer(429, "http-429"), 7.0)
TOKEN_REFUSED = verdicts.TokenRefused(answer(401, "http-401"))
FATAL = verdicts.Fatal(answer(403, "900329", business=True))
ACTIVE = verdicts.StatusRead(answer(200, business=True), "active")
INACTIVE = verdicts.StatusRead(answer(200, business=True), "inactive")
SUSPENDED = verdicts.StatusRead(answer(200, business=True), "suspended")
DELETED = verdicts.StatusRead(answer(200, business=True), "deleted")
CONFLICT = verdicts.Conflict(answer(412, "http-412", business=True))
EARLIER = Call(1, "id", "c", "t", "t", answer(503, "http-503"))
OTHER_STATUS = verdicts.StatusRead(answer(200, business=True), "warming")


def call_with(verdict: Verdict) -> Call:
    return Call(7, "id", "c", "t", "t", verdict.answer)
