"""The values that rooms hand to each other; they hold data and decide nothing.

Those made for every row are kept from the garbage collector: nothing that they hold could lead back to them.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct


class Operation(StrEnum):
    """A call of the Partner Center API, by the name under which the journal keeps it."""

    REACTIVATE_ENTITLEMENT = "reactivate-entitlement"
    GET_ENTITLEMENT = "get-entitlement"
    LIST_ENTITLEMENTS = "list-entitlements"
    GET_SUBSCRIPTION = "get-subscription"
    REACTIVATE_SUBSCRIPTION = "reactivate-subscription"
    WATCH_SUBSCRIPTION = "watch-subscription"
    WATCH_OPERATION = "watch-operation"
    RESTORE_AUTO_RENEW = "restore-auto-renew"
    LIST_CUSTOMERS = "list-customers"
    LIST_SUBSCRIPTIONS = "list-subscriptions"


class Kind(StrEnum):
    """What a row wants back: a cancelled Azure subscription, or a suspended subscription."""

    AZURE = "azure"
    SUBSCRIPTION = "subscription"


class Status(StrEnum):
    """How a row ended, in the words of the results file."""

    REACTIVATED = "reactivated"
    ACCEPTED = "accepted"
    ALREADY_ACTIVE = "already_active"
    DUPLICATE = "duplicate"
    PENDING = "pending"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DEFERRED = "deferred"
    INVALID = "invalid"
    NOT_ATTEMPTED = "not_attempted"


SUCCESSES = frozenset({Status.REACTIVATED, Status.ACCEPTED, Status.ALREADY_ACTIVE})
# What counts against --halt-on-failures.
FAILURES = frozenset({Status.FAILED, Status.UNKNOWN})
# What a retry takes besides the rows that failed for a passing reason.
RETRYABLE = frozenset({Status.UNKNOWN, Status.DEFERRED, Status.NOT_ATTEMPTED})


class AutoRenew(StrEnum):
    """What is known of the auto-renewal of a subscription that came back; nothing where it needs no attention."""

    UNTOUCHED = ""
    OFF = "off"
    RESTORED = "restored"
    STILL_OFF = "still-off"


class RunState(StrEnum):
    """How a run ended; a run that was killed has none."""

    FINISHED = "finished"
    HALTED = "halted"
    INTERRUPTED = "interrupted"
    ABORTED = "aborted"


# gc=False: a million of them are made, none of which can be part of a cycle.
class Target(Struct, frozen=True, gc=False):
    """What one row wants reactivated; ids in canonical form (lower case, dashes).

    ``entitlement_id`` is empty where the subscription itself is meant.
    """

    customer_id: str
    subscription_id: str
    entitlement_id: str

    @property
    def kind(self) -> Kind:
        """Return what is to be brought back."""
        return Kind.AZURE if self.entitlement_id else Kind.SUBSCRIPTION

    @property
    def digest_line(self) -> str:
        """Return the target as the digest of an input takes it."""
        kind = "azure" if self.entitlement_id else "subscription"
        return f"{kind} {self.customer_id} {self.subscription_id} {self.entitlement_id}\n"


class Request(Struct, frozen=True):
    """One call without its base URL, its credentials and what all calls have, which only the client knows.

    ``body`` is JSON or empty.
    """

    operation: Operation
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


class Response(Struct, frozen=True):
    """What came back: headers are asked for in lower case, the body is bytes, cut to the client's cap."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


class NoResponse(Struct, frozen=True):
    """A call without an answer: ``left`` tells whether the server may have seen it."""

    sent: bool
    code: str
    description: str


Reply = Response | NoResponse


class Answer(Struct, frozen=True, gc=False):
    """What a call was told, ready for the journal and the results.

    ``business`` is true for 2xx and for 4xx other than 401, 408 and 429: it ends the request id.
    ``http_status`` is None when nothing came back.
    """

    http_status: int | None
    code: str
    description: str
    business: bool


class Call(Struct, frozen=True, gc=False):
    """One call as it was made and answered; ``id`` is the journal's, times are UTC, ISO 8601 with ``Z``."""

    id: int
    request_id: str
    correlation_id: str
    started_at: str
    finished_at: str
    answer: Answer


class Outcome(Struct, frozen=True, gc=False):
    """How one row ended.

    ``call`` is its last write call, None for a row that made none. ``reopen`` marks a row whose answer
    stopped the run, or that waited for another when it ended: resuming sends it again.
    """

    status: Status
    attempts: int
    call: Call | None
    code: str = ""
    description: str = ""
    reopen: bool = False
    auto_renew: AutoRenew = AutoRenew.UNTOUCHED


class InputRow(Struct, frozen=True, gc=False):
    """One row of the input, checked.

    ``number`` is the row as a spreadsheet shows it. ``target`` is None for an invalid row, which has
    ``problem_code`` and ``problem`` instead. ``request_id`` is one carried on from an earlier run's results;
    ``of_read`` says that it belongs to the reading before the write, ``lost`` that an answer to it was lost.
    ``deadline`` is when the target is deleted for good (UTC, ISO 8601), empty where the input does not say.
    """

    number: int
    cells: tuple[str, ...]
    target: Target | None
    problem_code: str = ""
    problem: str = ""
    request_id: str = ""
    request_id_is_for_read: bool = False
    outcome_unknown: bool = False
    restore_auto_renew: bool = False
    deadline: str = ""


class ResultRow(Struct, frozen=True, gc=False):
    """One row of the results: the input's cells and the outcome.

    ``succeeded`` tells how the row ended, for a duplicate that of the row it repeats; ``left_out`` marks a row
    that only ``--limit`` kept from being sent. ``settled`` is false where the row is still open, and its outcome what
    is to be said if nothing more comes. ``passing`` says that the last answer told of trouble that passes.
    ``request_id`` is the one carried on from an earlier run, which a row that made no call of its own hands on.
    ``handed_to`` is the run that has taken the row over. ``customer_id`` is empty for an invalid row.
    """

    number: int
    cells: tuple[str, ...]
    outcome: Outcome
    succeeded: bool
    excluded_by_limit: bool
    settled: bool = True
    transient: bool = False
    request_id: str = ""
    transferred_to: str = ""
    customer_id: str = ""

    @property
    def needs_attention(self) -> bool:
        """Tell whether the row did not end well; what --limit alone left out is no trouble."""
        return not (self.succeeded or self.excluded_by_limit)

    @property
    def worth_retrying(self) -> bool:
        """Tell whether sending the row again may lead to another end."""
        return self.outcome.status in RETRYABLE or (self.outcome.status is Status.FAILED and self.transient)


class CustomerSummary(Struct, frozen=True):
    """How many rows a customer has, how many of them did not end well, and how they ended."""

    customer_id: str
    rows: int
    needing_attention: int
    statuses: tuple[tuple[Status, int], ...]


class SessionTimeline(Struct, frozen=True):
    """The calls that one process made of a run, in slices of time of equal length; ``began`` is the first one's time.

    A slice is its calls and how many of them were throttled.
    """

    command: str
    began: str
    bucket_seconds: int
    buckets: tuple[tuple[int, int], ...]


class Discovered(Struct, frozen=True):
    """A subscription, or an Azure subscription below a plan, as it was found at Partner Center.

    The fields are the columns of the file that is made of them. Ids and status are as they were received;
    ``entitlement_id`` is empty for a subscription.
    """

    customer_id: str
    subscription_id: str
    entitlement_id: str
    kind: str
    customer_name: str
    subscription_name: str
    offer: str
    status: str
    deadline: str
