"""What an answer means for the run: a closed union, so that the type checker finds unhandled cases."""

from collections.abc import Mapping

from msgspec import Struct

from bulkreact.models import Answer
from bulkreact.partnercenter.subscription import Subscription


class _Judged(Struct, frozen=True):
    answer: Answer


class Accepted(_Judged, frozen=True):
    """The service accepted the request.

    ``active``: the answer shows that the subscription is active. ``location``: where to read the outcome, or empty.
    """

    active: bool = False
    location: str = ""


class StatusRead(_Judged, frozen=True):
    """A target was read: its ``status`` in lower case, an open set, and the ``subscription`` if it is one."""

    status: str
    subscription: Subscription | None = None


class Listed(_Judged, frozen=True):
    """A list was read: the ``statuses`` of its entries by id, both in lower case."""

    statuses: Mapping[str, str]


class Refused(_Judged, frozen=True):
    """The row fails permanently."""


class AmbiguousRefusal(_Judged, frozen=True):
    """Refused, perhaps because the target is already active: read it."""


class Conflict(_Judged, frozen=True):
    """The subscription was changed since it was read: read it again, then repeat the update."""


class ParentInactive(_Judged, frozen=True):
    """The subscription above the target must be active first."""


class CustomerRefused(_Judged, frozen=True):
    """The row fails, and so will all other rows of the customer."""


class PermissionRefused(_Judged, frozen=True):
    """The row fails; several successive refusals stop the run."""


class Transient(_Judged, frozen=True):
    """Try again under the same request id.

    ``lost``: no answer came, so the service may have acted. ``sent``: the request was sent. ``retry_once``: repeat it
    only once. ``read_first``: read the target before that. ``unavailable``: the service or the way to it may be down
    for everybody (502, 503, 504, no connection, no answer). ``way_refused``: no call can get through, now or later.
    ``by_gateway``: a gateway answered in the service's place. ``retry_after``: in seconds from now, if an answer says so.
    """

    lost: bool = False
    sent: bool = True
    retry_once: bool = False
    read_first: bool = False
    unavailable: bool = False
    way_refused: bool = False
    by_gateway: bool = False
    retry_after: float | None = None


class Throttled(_Judged, frozen=True):
    """Wait; ``retry_after`` in seconds from now, None if the service names no sensible time."""

    retry_after: float | None


class NotReady(_Judged, frozen=True):
    """The target is busy: wait minutes, try again a few times under a new request id."""


class TryLater(_Judged, frozen=True):
    """A later run may succeed; this one must not repeat the call."""


class TokenRefused(_Judged, frozen=True):
    """The token was refused: fetch a fresh one and repeat the call once."""


class Fatal(_Judged, frozen=True):
    """Credentials or programme status: no row of the run can succeed."""


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

# Journals store these under the names of the first version.
_STORED_NAMES: dict[type, str] = {AmbiguousRefusal: "Contested", StatusRead: "Found", TryLater: "Postponed"}


def stored_name(verdict: type[Verdict]) -> str:
    """Return the name under which a journal stores a kind of verdict; it never changes."""
    return _STORED_NAMES.get(verdict, verdict.__name__)


def is_answer(verdict: Verdict) -> bool:
    """Return whether the service itself answered, whatever it said."""
    if isinstance(verdict, Transient) and (verdict.unavailable or verdict.lost or verdict.by_gateway):
        return False
    return verdict.answer.http_status is not None
