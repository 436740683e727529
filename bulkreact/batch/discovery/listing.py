"""What a discovery reads next, and what that comes to: lists page by page, and customer by customer; pure."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol

from bulkreact.batch.discovery.findings import FoundTarget, ReadFailure
from bulkreact.models import Call, Kind, Reply, Request
from bulkreact.partnercenter import paging, verdicts
from bulkreact.partnercenter.paging import CustomerEntry, EntitlementEntry, Entry, Listing, Page, SubscriptionEntry
from bulkreact.partnercenter.subscription import ACTIVE
from bulkreact.partnercenter.verdicts import Verdict
from bulkreact.settings import Service

# What Partner Center has given up: it cannot come back.
GONE = frozenset({"deleted", "expired"})
_PASSING = (verdicts.Transient, verdicts.Throttled, verdicts.NotReady, verdicts.TryLater)
# So many pages in succession that bring nothing new, or so many pages at all, have no end.
_FRUITLESS_PAGES = 20
_MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class DiscoveryFilter:
    """What is kept of a customer: which kinds, whether also what is active; or of ``only`` some subscriptions all."""

    subscriptions: bool = True
    entitlements: bool = True
    active: bool = False
    only: frozenset[str] | None = None

    def includes_entitlements(self, subscription: SubscriptionEntry) -> bool:
        """Tell whether the entitlements of a subscription are read."""
        return self.entitlements and subscription.azure_plan and self._includes(subscription)

    def includes(self, subscription: SubscriptionEntry) -> bool:
        """Tell whether a subscription itself is kept."""
        if self.only is not None:
            return self._includes(subscription)
        return self.subscriptions and self.includes_status(subscription.status)

    def includes_status(self, status: str) -> bool:
        """Tell whether what stands so is kept."""
        return self.active or not is_active(status)

    def _includes(self, subscription: SubscriptionEntry) -> bool:
        return self.only is None or subscription.id.lower() in self.only


class ReadTask(Protocol):
    """What is read by several calls, one after the other: an item of a queue that knows its next call."""

    position: int
    customer_id: str
    due: float
    begun: bool
    failures: int
    token_refused: bool

    @property
    def finished(self) -> bool:
        """Tell whether there is nothing left to read."""
        ...

    @property
    def troubled(self) -> bool:
        """Tell whether something of it could not be read."""
        ...

    def request(self, service: Service, *, request_id: str, correlation_id: str) -> Request:
        """Return the next call."""
        ...

    def judge(self, reply: Reply, service: Service, *, now: datetime) -> Verdict:
        """Take in what a reply brings, and return what it means."""
        ...

    def refuse(self, call: Call, verdict: Verdict) -> None:
        """Take note that the present call will bring nothing."""
        ...


class PageCursor(Generic[Entry]):
    """Where the reading of one list stands: its entries so far, each once, and the next page."""

    def __init__(self, listing: Listing[Entry]) -> None:
        self.entries: list[Entry] = []
        self.without_id = 0
        self.ended = False
        self._listing: Listing[Entry] = listing
        self._place = listing.begin
        self._places = {listing.begin}
        self._ids: set[str] = set()
        self._fruitless = 0

    def request(self, service: Service, *, request_id: str, correlation_id: str) -> Request:
        """Return the call for the next page."""
        return paging.build_page_request(
            self._listing, self._place, service, request_id=request_id, correlation_id=correlation_id
        )

    def judge(self, reply: Reply, service: Service, *, now: datetime) -> Verdict:
        """Take in the page that a reply brings, and return what it means."""
        verdict, page = paging.judge_page(self._listing, reply, service, now=now)
        if page is None:
            return verdict
        wrong = self._take(page)
        return paging.broken(verdict.answer.http_status, wrong) if wrong else verdict

    def _take(self, page: Page[Entry]) -> str:
        """Take in a page; return what is wrong with where the list goes on, empty when nothing is."""
        new = {one.id.lower(): one for one in reversed(page.entries) if one.id.lower() not in self._ids}
        self._ids.update(new)
        self.entries.extend(reversed(new.values()))
        self.without_id += page.without_id
        self._fruitless = 0 if new else self._fruitless + 1
        if page.next is None:
            self.ended = True
            return ""
        if page.next in self._places:
            return "the list leads back to a page that was read already"
        if self._fruitless >= _FRUITLESS_PAGES or len(self._places) >= _MOST_PAGES:
            return "the list does not end"
        self._places.add(page.next)
        self._place = page.next
        return ""


class CustomerList:
    """The reading of the list of customers, as the only item of a queue; ``entries`` is taken away page by page."""

    def __init__(self) -> None:
        self.position = 1
        self.customer_id = "the list of customers"
        self.due = float("-inf")
        self.begun = False
        self.failures = 0
        self.token_refused = False
        self.trouble: ReadFailure | None = None
        self.taken = 0
        self._cursor = PageCursor(paging.customers())

    @property
    def finished(self) -> bool:
        """Tell whether there is nothing left to read."""
        return self._cursor.ended or self.troubled

    @property
    def troubled(self) -> bool:
        """Tell whether it could not be read to its end."""
        return self.trouble is not None

    def request(self, service: Service, *, request_id: str, correlation_id: str) -> Request:
        """Return the call for the next page."""
        return self._cursor.request(service, request_id=request_id, correlation_id=correlation_id)

    def judge(self, reply: Reply, service: Service, *, now: datetime) -> Verdict:
        """Take in the page that a reply brings, and return what it means."""
        return self._cursor.judge(reply, service, now=now)

    def refuse(self, call: Call, verdict: Verdict) -> None:
        """Take note that the list cannot be read."""
        self.trouble = ReadFailure.of(call, subscription_id="", passing=isinstance(verdict, _PASSING))

    def drain(self) -> tuple[Sequence[CustomerEntry], int]:
        """Return the customers that came since the last time, and how many entries had no id that could be used."""
        entries, self._cursor.entries = self._cursor.entries, []
        nameless, self._cursor.without_id = self._cursor.without_id, 0
        self.taken += len(entries)
        return entries, nameless


class CustomerReading:
    """The reading of one customer, as an item of a queue: the subscriptions, then each Azure plan's entitlements."""

    def __init__(self, key: int, customer_id: str, criteria: DiscoveryFilter) -> None:
        self.position = key
        self.customer_id = customer_id
        self.due = float("-inf")
        self.begun = False
        self.failures = 0
        self.token_refused = False
        self.troubles: list[ReadFailure] = []
        self._wanted = criteria
        self._subscriptions = PageCursor(paging.subscriptions(customer_id))
        self._plans: deque[SubscriptionEntry] | None = None
        self._plan: tuple[SubscriptionEntry, PageCursor[EntitlementEntry]] | None = None
        self._entitlements: dict[str, PageCursor[EntitlementEntry]] = {}
        self._failed = False

    @property
    def finished(self) -> bool:
        """Tell whether there is nothing left to read."""
        return self._failed or (self._plans is not None and self._plan is None)

    @property
    def troubled(self) -> bool:
        """Tell whether something of it could not be read."""
        return bool(self.troubles)

    @property
    def without_id(self) -> int:
        """Return how many entries had no id that could be used."""
        return self._subscriptions.without_id + sum(one.without_id for one in self._entitlements.values())

    def request(self, service: Service, *, request_id: str, correlation_id: str) -> Request:
        """Return the call for the next page of the present list."""
        return self._cursor.request(service, request_id=request_id, correlation_id=correlation_id)

    def judge(self, reply: Reply, service: Service, *, now: datetime) -> Verdict:
        """Take in the page that a reply brings, and return what it means."""
        cursor = self._cursor
        verdict = cursor.judge(reply, service, now=now)
        if cursor.ended:
            self._next_plan()
        return verdict

    def refuse(self, call: Call, verdict: Verdict) -> None:
        """Take note that the present list cannot be read.

        Trouble that passes may be gone at the next reading, which then is of the whole customer. What is refused for
        good would be so again: the others of the customer are read all the same.
        """
        passing = isinstance(verdict, _PASSING)
        plan = self._plan[0] if self._plan else None
        if plan is None or passing:
            self._failed = True
        elif not (plan.status.lower() in GONE and isinstance(verdict, verdicts.Refused)):
            self.troubles.append(ReadFailure.of(call, subscription_id=plan.id, passing=False))
        if self._failed:
            self.troubles = [ReadFailure.of(call, subscription_id=plan.id if plan else "", passing=passing)]
        else:
            self._next_plan()

    def targets(self) -> Iterator[FoundTarget]:
        """Yield what is kept, parents before children; nothing of a customer who could not be read."""
        for one in [] if self._failed else parents_first(self._subscriptions.entries):
            if self._wanted.includes(one):
                yield FoundTarget(
                    one.id,
                    "",
                    Kind.SUBSCRIPTION,
                    one.name,
                    one.offer,
                    one.status,
                    one.deadline,
                    azure_plan=one.azure_plan,
                )
            below = self._entitlements.get(one.id)
            for entitlement in below.entries if below else []:
                if self._wanted.includes_status(entitlement.status):
                    name, status = entitlement.name, entitlement.status
                    yield FoundTarget(one.id, entitlement.id, Kind.AZURE, name, one.offer, status, "", azure_plan=True)

    @property
    def _cursor(self) -> PageCursor[SubscriptionEntry] | PageCursor[EntitlementEntry]:
        return self._plan[1] if self._plan else self._subscriptions

    def _next_plan(self) -> None:
        if self._plans is None:
            self._plans = deque(one for one in self._subscriptions.entries if self._wanted.includes_entitlements(one))
        self._plan = None
        if self._plans:
            plan = self._plans.popleft()
            cursor = PageCursor(paging.entitlements(self.customer_id, plan.id))
            self._entitlements[plan.id] = cursor
            self._plan = plan, cursor


def is_active(status: str) -> bool:
    """Tell whether a status, an open set of words, is the one that needs nothing."""
    return status.strip().lower() == ACTIVE


def parents_first(subscriptions: Sequence[SubscriptionEntry]) -> list[SubscriptionEntry]:
    """Return subscriptions in their order, but each parent directly before its children."""
    below: dict[str, list[SubscriptionEntry]] = {}
    known = {one.id.lower() for one in subscriptions}
    for one in subscriptions:
        parent = one.parent_id.lower()
        below.setdefault(parent if parent in known and parent != one.id.lower() else "", []).append(one)
    ordered: dict[str, SubscriptionEntry] = {}
    waiting = below.pop("", [])[::-1]
    while waiting:
        one = waiting.pop()
        ordered[one.id.lower()] = one
        waiting.extend(below.pop(one.id.lower(), [])[::-1])
    # Whoever are their own ancestors have no parent that could come first.
    return [*ordered.values(), *(one for one in subscriptions if one.id.lower() not in ordered)]
