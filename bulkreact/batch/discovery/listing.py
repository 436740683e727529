"""What a discovery reads next and what it has found, page by page and customer by customer. No I/O."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from bulkreact.batch.discovery.paginator import AnyList, Paginator
from bulkreact.models import Call, Kind, Reply
from bulkreact.partnercenter import paging, verdicts
from bulkreact.partnercenter.error_codes.local_codes import INCOMPLETE_LIST
from bulkreact.partnercenter.paging import CustomerEntry, EntitlementEntry, SubscriptionEntry
from bulkreact.partnercenter.subscription import ACTIVE
from bulkreact.partnercenter.verdicts import Verdict
from bulkreact.settings import Service

# Partner Center has permanently deleted these: they cannot be reactivated.
GONE = frozenset({"deleted", "expired"})
_TRANSIENT = (verdicts.Transient, verdicts.Throttled, verdicts.NotReady, verdicts.TryLater)


class FoundTarget(Struct, frozen=True):
    """A subscription or an entitlement of a customer; ``azure_plan`` describes the subscription."""

    subscription_id: str
    entitlement_id: str
    kind: str
    name: str
    offer: str
    status: str
    deadline: str
    azure_plan: bool


class ReadFailure(Struct, frozen=True):
    """Why a list, a customer or an Azure plan could not be read; ``transient``: a later read may succeed."""

    subscription_id: str
    transient: bool
    http_status: int | None
    code: str
    description: str
    request_id: str
    correlation_id: str

    @property
    def is_partial(self) -> bool:
        """Return whether the rest of the list was read all the same."""
        return self.code == INCOMPLETE_LIST


class DiscoveryFilter(Struct, frozen=True):
    """What is included: which kinds, whether active targets too; or all targets of the subscriptions in ``only``."""

    subscriptions: bool = True
    entitlements: bool = True
    active: bool = False
    only: frozenset[str] | None = None

    def includes_entitlements(self, subscription: SubscriptionEntry) -> bool:
        """Return whether the entitlements of a subscription are read."""
        selected = self.only is None or subscription.id.lower() in self.only
        return self.entitlements and subscription.azure_plan and selected

    def includes(self, subscription: SubscriptionEntry) -> bool:
        """Return whether a subscription itself is included."""
        if self.only is not None:
            return subscription.id.lower() in self.only
        return self.subscriptions and self.includes_status(subscription.status)

    def includes_status(self, status: str) -> bool:
        """Return whether targets of a status are included."""
        return self.active or status.strip().lower() != ACTIVE


class ReadTask(ABC):
    """A series of reads: a queue item that knows its next call."""

    due = float("-inf")
    # An unfinished task may be dropped: the next process reads it from the start.
    has_calls = False
    attempts = 0

    def __init__(self, position: int, customer_id: str) -> None:
        self.position = position
        self.customer_id = customer_id
        self.failures: tuple[int, ...] = ()
        self.token_refused = False
        self.read_failures: list[ReadFailure] = []

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Return whether there is nothing left to read."""

    @property
    @abstractmethod
    def cursor(self) -> AnyList:
        """Return the list being read."""

    def judge(self, reply: Reply, service: Service, *, now: datetime) -> Verdict:
        """Add the page of a reply, and return the verdict on the reply."""
        return self.cursor.judge(reply, service, now=now)

    @abstractmethod
    def advance(self, call: Call) -> None:
        """Take the next step after a page that a call has read: at the end of a list, record what it lacks."""

    @abstractmethod
    def fail(self, call: Call, verdict: Verdict) -> None:
        """Record that the list cannot be read."""


class CustomerList(ReadTask):
    """Reads the list of customers, as the only item of a queue."""

    def __init__(self) -> None:
        super().__init__(1, "the list of customers")
        self.drained = 0
        self._drained_without_id = 0
        self._cursor = Paginator(paging.customers())

    @property
    def cursor(self) -> Paginator[CustomerEntry]:
        """Return the list of customers."""
        return self._cursor

    @property
    def finished(self) -> bool:
        """Return whether there is nothing left to read."""
        return self._cursor.ended or bool(self.read_failures)

    def advance(self, call: Call) -> None:
        """At the end of the list, record what it lacks."""
        self.read_failures = _shortcoming(call, self._cursor, "")

    def fail(self, call: Call, verdict: Verdict) -> None:
        """Record that the list cannot be read."""
        self.read_failures = [_read_failure(call, verdict, None)]

    def drain(self) -> tuple[Sequence[CustomerEntry], int]:
        """Remove and return the new customers, and how many new entries had no usable id."""
        entries, self._cursor.entries = self._cursor.entries, []
        without_id = self._cursor.without_id - self._drained_without_id
        self._drained_without_id = self._cursor.without_id
        self.drained += len(entries)
        return entries, without_id


class CustomerTask(ReadTask):
    """Reads one customer, as a queue item: the subscriptions, then the entitlements of each Azure plan."""

    def __init__(self, key: int, customer_id: str, criteria: DiscoveryFilter) -> None:
        super().__init__(key, customer_id)
        self._criteria = criteria
        self._subscriptions = Paginator(paging.subscriptions(customer_id))
        self._plans: deque[SubscriptionEntry] | None = None
        self._plan: SubscriptionEntry | None = None
        self._entitlements: dict[str, Paginator[EntitlementEntry]] = {}
        self._failed = False

    @property
    def cursor(self) -> Paginator[SubscriptionEntry] | Paginator[EntitlementEntry]:
        """Return the list being read."""
        return self._entitlements[self._plan.id] if self._plan else self._subscriptions

    @property
    def finished(self) -> bool:
        """Return whether there is nothing left to read."""
        return self._failed or (self._plans is not None and self._plan is None)

    @property
    def without_id(self) -> int:
        """Return how many entries had no usable id."""
        return self._subscriptions.without_id + sum(cursor.without_id for cursor in self._entitlements.values())

    def advance(self, call: Call) -> None:
        """At the end of a list, record what it lacks, and begin with the next plan's."""
        if self.cursor.ended:
            self.read_failures += _shortcoming(call, self.cursor, self._plan.id if self._plan else "")
            self._next_plan()

    def fail(self, call: Call, verdict: Verdict) -> None:
        """Record that the current list cannot be read.

        | failure                                   | then                                        |
        |-------------------------------------------|---------------------------------------------|
        | transient, or of the subscriptions        | the whole customer is unread                |
        | permanent, of a plan's entitlements       | the other plans are read, failure recorded  |
        | refused, of a deleted plan                | the other plans are read                    |
        """
        failure, plan = _read_failure(call, verdict, self._plan), self._plan
        if plan is None or failure.transient:
            self._failed, self.read_failures = True, [failure]
            return
        if not (plan.status.lower() in GONE and isinstance(verdict, verdicts.Refused)):
            self.read_failures.append(failure)
        self._next_plan()

    def targets(self) -> Iterator[FoundTarget]:
        """Yield the included targets, parents before children; none of an unread customer."""
        for subscription in [] if self._failed else parents_first(self._subscriptions.entries):
            offer = subscription.offer
            if self._criteria.includes(subscription):
                yield FoundTarget(
                    subscription.id,
                    "",
                    Kind.SUBSCRIPTION,
                    subscription.name,
                    offer,
                    subscription.status,
                    subscription.deadline,
                    azure_plan=subscription.azure_plan,
                )
            cursor = self._entitlements.get(subscription.id)
            for entry in cursor.entries if cursor else []:
                if self._criteria.includes_status(entry.status):
                    ids = subscription.id, entry.id
                    yield FoundTarget(*ids, Kind.AZURE, entry.name, offer, entry.status, "", azure_plan=True)

    def _next_plan(self) -> None:
        if self._plans is None:
            self._plans = deque(filter(self._criteria.includes_entitlements, self._subscriptions.entries))
        self._plan = self._plans.popleft() if self._plans else None
        if self._plan:
            self._entitlements[self._plan.id] = Paginator(paging.entitlements(self.customer_id, self._plan.id))


def parents_first(subscriptions: Sequence[SubscriptionEntry]) -> list[SubscriptionEntry]:
    """Return subscriptions in their order, but each parent directly before its children."""
    children: dict[str, list[SubscriptionEntry]] = {}
    known = {subscription.id.lower() for subscription in subscriptions}
    for subscription in subscriptions:
        parent = subscription.parent_id.lower()
        is_child = parent in known and parent != subscription.id.lower()
        children.setdefault(parent if is_child else "", []).append(subscription)
    ordered: dict[str, SubscriptionEntry] = {}
    stack = children.pop("", [])[::-1]
    while stack:
        subscription = stack.pop()
        ordered[subscription.id.lower()] = subscription
        stack.extend(children.pop(subscription.id.lower(), [])[::-1])
    # The rest are cycles, which have no first parent.
    return [*ordered.values(), *(rest for rest in subscriptions if rest.id.lower() not in ordered)]


def _shortcoming(call: Call, list_: AnyList, subscription_id: str) -> list[ReadFailure]:
    """Return what a list that has ended lacks, empty if it is whole; a later read may find what is missing."""
    if not list_.ended or not list_.shortcoming:
        return []
    ids = call.request_id, call.correlation_id
    is_transient = list_.missing > 0
    return [ReadFailure(subscription_id, is_transient, None, INCOMPLETE_LIST, list_.shortcoming, *ids)]


def _read_failure(call: Call, verdict: Verdict, plan: SubscriptionEntry | None) -> ReadFailure:
    answer, ids = call.answer, (call.request_id, call.correlation_id)
    is_transient = isinstance(verdict, _TRANSIENT)
    return ReadFailure(plan.id if plan else "", is_transient, answer.http_status, answer.code, answer.description, *ids)
