"""What the catalogue says of one code: its meaning, plain words, who must act, what to do."""

from dataclasses import dataclass
from enum import StrEnum


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
    SENDER = "whoever made the file"
    OPERATOR = "whoever runs bulkreact"
    ADMIN = "an administrator of the partner tenant"
    CUSTOMER = "the customer, or whoever looks after them"
    MICROSOFT = "Microsoft support"


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One code under one HTTP status; ``status`` is None for codes of our own and status words.

    ``read_first`` says of an update that is to be repeated: only after another look at the resource.
    """

    code: str
    status: int | None
    answer_class: AnswerClass | None
    description: str
    responsible: Responsible
    advice: str
    read_first: bool = False
