"""The values that the packages pass to each other; data without decisions.

Those made for every row are not tracked by the garbage collector: they cannot be part of a cycle.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct


class Operation(StrEnum):
    """A call of the Partner Center API, by its name in the journal."""

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
    """What a row reactivates: a cancelled Azure subscription, or a suspended subscription."""

    AZURE = "azure"
    SUBSCRIPTION = "subscription"


class Status(StrEnum):
    """How a row ended, as in the results file."""

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
# Counted by --halt-on-failures.
FAILURES = frozenset({Status.FAILED, Status.UNKNOWN})
# Taken by a retry, besides rows that failed for a transient reason.
RETRYABLE = frozenset({Status.UNKNOWN, Status.DEFERRED, Status.NOT_ATTEMPTED})


class AutoRenew(StrEnum):
    """The auto-renewal of a reactivated subscription; empty if it needs no attention."""

    UNTOUCHED = ""
    OFF = "off"
    RESTORED = "restored"
    STILL_OFF = "still-off"


class RunState(StrEnum):
    """How a run ended; a killed run has no state."""

    FINISHED = "finished"
    HALTED = "halted"
    INTERRUPTED = "interrupted"
    ABORTED = "aborted"


# gc=False: there are a million of them, and none can be part of a cycle.
class Target(Struct, frozen=True, gc=False):
    """What a row reactivates; ids in canonical form (lower case, dashes).

    ``entitlement_id`` is empty for a subscription itself.
    """

    customer_id: str
    subscription_id: str
    entitlement_id: str

    @property
    def kind(self) -> Kind:
        """Return the kind of the target."""
        return Kind.AZURE if self.entitlement_id else Kind.SUBSCRIPTION

    @property
    def digest_line(self) -> str:
        """Return the target's line in the digest of an input."""
        kind = "azure" if self.entitlement_id else "subscription"
        return f"{kind} {self.customer_id} {self.subscription_id} {self.entitlement_id}\n"


class Request(Struct, frozen=True):
    """One call, without base URL, credentials and common headers, which the client adds. ``body`` is JSON or empty."""

    operation: Operation
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


class Response(Struct, frozen=True):
    """A response: header names are in lower case; the body is cut to the client's limit."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


class NoResponse(Struct, frozen=True):
    """A call without an answer; ``sent`` if the server may have received it; ``refused``: the way is, for good."""

    sent: bool
    code: str
    description: str
    refused: bool = False


Reply = Response | NoResponse


class Answer(Struct, frozen=True, gc=False):
    """The answer to a call, for the journal and the results.

    ``business`` is true for 2xx and for 4xx other than 401, 408 and 429: it ends the request id.
    ``http_status`` is None if there was no answer.
    """

    http_status: int | None
    code: str
    description: str
    business: bool


class Call(Struct, frozen=True, gc=False):
    """One call and its answer; ``id`` is the journal's, times are UTC, ISO 8601 with ``Z``."""

    id: int
    request_id: str
    correlation_id: str
    started_at: str
    finished_at: str
    answer: Answer


class Outcome(Struct, frozen=True, gc=False):
    """How one row ended.

    ``call`` is its last write call, None for a row without one. ``reopen`` marks a row that a resume sends again: its
    answer stopped the run, or it waited for another row when the run ended.
    """

    status: Status
    attempts: int
    call: Call | None
    code: str = ""
    description: str = ""
    reopen: bool = False
    auto_renew: AutoRenew = AutoRenew.UNTOUCHED


class TypedCell(Struct, frozen=True, array_like=True, gc=False):
    """A number, date or truth value in a workbook, beside its text among the row's cells.

    ``column`` is its index there, ``value`` what the workbook stores for it, ``number_format`` a code like ``0.00`` or
    the number of one of Excel's own, some of which follow the reader's language.
    """

    column: int
    value: str
    number_format: str | int
    is_truth_value: bool = False


class CellType(StrEnum):
    """What the cells of a column are in a workbook; their texts say the rest."""

    NUMBER = "n"
    DATE = "d"
    TRUTH_VALUE = "b"


class ColumnType(Struct, frozen=True, array_like=True, gc=False):
    """What those cells of a column are whose text can be read as such; see TypedCell."""

    column: int
    type: CellType
    number_format: str | int


class InputRow(Struct, frozen=True, gc=False):
    """One row of the input, checked.

    ``number`` is the row as a spreadsheet shows it. ``target`` is None for an invalid row, which has
    ``problem_code`` and ``problem`` instead. ``request_id`` is carried on from an earlier run's results:
    ``request_id_is_for_read`` says that it belongs to the read before the write, ``outcome_unknown`` that an answer to
    it was lost.
    ``deadline`` is when the target is permanently deleted (UTC, ISO 8601), empty where the input does not say.
    ``typed_cells`` are those that ``column_types`` do not describe, which rows share.
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
    typed_cells: tuple[TypedCell, ...] = ()
    column_types: tuple[ColumnType, ...] = ()


class ResultRow(Struct, frozen=True, gc=False):
    """One row of the results: the input's cells and the outcome.

    ``succeeded`` is that of the repeated row for a duplicate; ``excluded_by_limit`` marks a row that was not sent only
    because of ``--limit``. ``settled`` is false while the row is open: its outcome is then that of a run that ends now.
    ``transient``: the last answer was a transient failure. ``request_id`` is the one carried on from an earlier run, for
    a row without a call. ``transferred_to`` is the run that took the row over. ``customer_id`` is empty for an invalid row.
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
    typed_cells: tuple[TypedCell, ...] = ()

    @property
    def needs_attention(self) -> bool:
        """Return whether the row did not succeed; one that only --limit excluded needs no attention."""
        return not (self.succeeded or self.excluded_by_limit)

    @property
    def worth_retrying(self) -> bool:
        """Return whether sending the row again may succeed."""
        return self.outcome.status in RETRYABLE or (self.outcome.status is Status.FAILED and self.transient)


class CustomerSummary(Struct, frozen=True):
    """How many rows a customer has, how many of them did not succeed, and their statuses; ``name`` if it is known."""

    customer_id: str
    rows: int
    needing_attention: int
    statuses: tuple[tuple[Status, int], ...]
    name: str = ""


class SessionTimeline(Struct, frozen=True):
    """The calls of one process of a run, in buckets of equal length from the first call (``started_at``) on.

    A bucket has the number of its calls, and of those that were throttled.
    """

    command: str
    started_at: str
    bucket_seconds: int
    buckets: tuple[tuple[int, int], ...]


class Discovered(Struct, frozen=True):
    """A subscription, or an Azure subscription of a plan, that discovery has read.

    The fields are the columns of the discovery file. Ids and status are as received; ``entitlement_id`` is empty for a
    subscription.
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
