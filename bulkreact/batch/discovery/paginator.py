"""Reads one list page by page to its end, and knows whether all of it came. No I/O."""

from datetime import datetime
from typing import Generic, TypeAlias

from bulkreact.models import Reply, Request
from bulkreact.partnercenter import paging
from bulkreact.partnercenter.paging import CustomerEntry, EntitlementEntry, Entry, Listing, Page, SubscriptionEntry
from bulkreact.partnercenter.verdicts import Verdict
from bulkreact.settings import Service

# A list is endless after this many successive pages without new entries, or this many pages or entries in total.
_MAX_FRUITLESS_PAGES = 20
_MAX_PAGES = 10_000
_MAX_ENTRIES = 1_000_000


class Paginator(Generic[Entry]):
    """Reads one list: the entries so far, each once, and the next page."""

    def __init__(self, listing: Listing[Entry]) -> None:
        self.entries: list[Entry] = []
        self.without_id = 0
        self.ended = False
        self._listing: Listing[Entry] = listing
        self._link = listing.first_page
        self._links = {listing.first_page}
        self._ids: set[str] = set()
        self._repeated = 0
        self._total_count = 0
        self._pages_without_new_entries = 0

    @property
    def missing(self) -> int:
        """Return how many entries the list has promised and not sent.

        Some services count a page, others the list: the largest count is the list's, or that of its longest page.
        """
        return max(0, self._total_count - len(self._ids) - self._repeated - self.without_id)

    @property
    def shortcoming(self) -> str:
        """Return what the list lacks in the end, empty if it is whole."""
        reasons = []
        if self.missing:
            reasons.append(f"{self.missing:,} of the entries that it counts did not come")
        if self.without_id:
            reasons.append(f"{self.without_id:,} came without a usable id")
        return f"the list is incomplete: {' and '.join(reasons)}" if reasons else ""

    def request(self, service: Service, *, request_id: str, correlation_id: str) -> Request:
        """Return the call for the next page."""
        return paging.build_page_request(
            self._listing, self._link, service, request_id=request_id, correlation_id=correlation_id
        )

    def judge(self, reply: Reply, service: Service, *, now: datetime) -> Verdict:
        """Add the page of a reply, and return the verdict on the reply."""
        verdict, page = paging.judge_page(self._listing, reply, service, now=now)
        if page is None:
            return verdict
        error = self._add(page)
        return paging.broken_paging(verdict.answer.http_status, error) if error else verdict

    def _add(self, page: Page[Entry]) -> str:
        """Add a page; return what is wrong with its next-page link, empty if nothing is."""
        distinct = {entry.id.lower(): entry for entry in reversed(page.entries)}
        new = {entry_id: entry for entry_id, entry in distinct.items() if entry_id not in self._ids}
        self._ids.update(new)
        self.entries.extend(reversed(new.values()))
        self.without_id += page.without_id
        # Repeated on one page it was counted twice; on another page it stands where a missing one should.
        self._repeated += len(page.entries) - len(distinct)
        self._total_count = max(self._total_count, page.total_count or 0)
        self._pages_without_new_entries = 0 if new else self._pages_without_new_entries + 1
        if page.next is None:
            self.ended = True
            return ""
        if page.next in self._links:
            return "the list leads back to a page that was read already"
        is_long = len(self._links) >= _MAX_PAGES or len(self._ids) > _MAX_ENTRIES
        if is_long or self._pages_without_new_entries >= _MAX_FRUITLESS_PAGES:
            return "the list does not end"
        self._links.add(page.next)
        self._link = page.next
        return ""


AnyList: TypeAlias = Paginator[CustomerEntry] | Paginator[SubscriptionEntry] | Paginator[EntitlementEntry]
