"""One entry of the error codes: what a code means, who must act, and what to do."""

from enum import StrEnum

from msgspec import Struct


class AnswerClass(StrEnum):
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


class Responsible(StrEnum):
    """Who must act."""

    NOBODY = "nobody"
    FILE_AUTHOR = "the author of the file"
    OPERATOR = "the operator of bulkreact"
    ADMIN = "an administrator of the partner tenant"
    CUSTOMER = "the customer, or their account manager"
    MICROSOFT = "Microsoft support"


class ErrorCode(Struct, frozen=True):
    """One code under one HTTP status, which is None for local codes and for statuses of rows.

    ``read_first``: before an update is repeated, read the resource again.
    """

    code: str
    http_status: int | None
    answer_class: AnswerClass | None
    description: str
    responsible: Responsible
    advice: str
    read_first: bool = False


class Guidance(Struct, frozen=True):
    """What several codes share: their class, who must act, and what to do."""

    answer_class: AnswerClass | None
    responsible: Responsible
    advice: str
    read_first: bool = False

    def entry(self, http_status: int | None, code: str, description: str) -> ErrorCode:
        """Return the entry of a code."""
        return ErrorCode(
            code, http_status, self.answer_class, description, self.responsible, self.advice, self.read_first
        )
