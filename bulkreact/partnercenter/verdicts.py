"""What an answer means for the run: a closed union, so that every case is dealt with or the type checker objects."""

from collections.abc import Mapping

from msgspec import Struct

from bulkreact.models import Answer
from bulkreact.partnercenter.subscription import Subscription


class Accepted(Struct, frozen=True):
    """The service took the request.

    ``active`` tells that its answer shows the subscription active already; ``location`` is where the answer says that
    the outcome can be read, empty when it does not.
    """

    answer: Answer
    active: bool = False
    location: str = ""


class StatusRead(Struct, frozen=True):
    """A read worked: ``word`` is the target's status, in lower case, an open set.

    ``subscription`` is what was read, where that was one.
    """

    answer: Answer
    status: str
    subscription: Subscription | None = None


class Listed(Struct, frozen=True):
    """A list was read: ``words`` are the statuses of its entries by their ids, both in lower case."""

    answer: Answer
    statuses: Mapping[str, str]


class Refused(Struct, frozen=True):
    """This row fails for good."""

    answer: Answer


class AmbiguousRefusal(Struct, frozen=True):
    """Refused, but perhaps because it is active already: read the target to know."""

    answer: Answer


class Conflict(Struct, frozen=True):
    """Somebody else has changed the subscription since it was read: read it again, then apply the change again."""

    answer: Answer


class ParentInactive(Struct, frozen=True):
    """The subscription above the target must be active first."""

    answer: Answer


class CustomerRefused(Struct, frozen=True):
    """This row fails, and so will the customer's others."""

    answer: Answer


class PermissionRefused(Struct, frozen=True):
    """This row fails; a streak of these stops the run."""

    answer: Answer


class Transient(Struct, frozen=True):
    """Try again under the same request id.

    ``lost``: the service may have acted. ``left``: the call reached the wire. ``once``: repeat it only once.
    ``reread``: read the target first.
    """

    answer: Answer
    lost: bool = False
    sent: bool = True
    retry_once: bool = False
    read_first: bool = False


class Throttled(Struct, frozen=True):
    """Wait; ``retry_after`` in seconds from now, None when the service named no sensible time."""

    answer: Answer
    retry_after: float | None


class NotReady(Struct, frozen=True):
    """The target is busy: wait minutes, try again a few times under a new request id."""

    answer: Answer


class TryLater(Struct, frozen=True):
    """A later run may succeed; this one must not insist."""

    answer: Answer


class TokenRefused(Struct, frozen=True):
    """The token was refused: fetch a fresh one and repeat the call once."""

    answer: Answer


class Fatal(Struct, frozen=True):
    """Credentials or programme status: no row of the run can succeed."""

    answer: Answer


Verdict = (
    Accepted
    | StatusRead
    | Listed
    | Refused
    | AmbiguousRefusal
    | Conflict
    | ParentInactive
    | CustomerRefused
    | PermissionRefused
    | Transient
    | Throttled
    | NotReady
    | TryLater
    | TokenRefused
    | Fatal
)

# Journals keep these under the names that they had when the first journals were written.
_STORED_NAMES: dict[type, str] = {AmbiguousRefusal: "Contested", StatusRead: "Found", TryLater: "Postponed"}


def stored_name(verdict: type[Verdict]) -> str:
    """Return the name under which a journal keeps a kind of verdict; it never changes."""
    return _STORED_NAMES.get(verdict, verdict.__name__)
