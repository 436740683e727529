"""Lists of the API without any I/O: the call for a page, what stands in it, and where the next one is.

Sources: Microsoft's pages *Get a list of customers*, *Get all of a customer's subscriptions* and *Get a list of Azure
entitlements*. Of what a page says nothing is trusted: what has no id is left out, and a link is followed only within
its own list.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar
from urllib.parse import quote, urlsplit

from msgspec.structs import replace

from bulkreact.guids import is_guid
from bulkreact.models import Answer, Operation, Reply, Request, Response
from bulkreact.partnercenter import response_bodies
from bulkreact.partnercenter.error_codes.local_codes import BROKEN_PAGING, UNREADABLE
from bulkreact.partnercenter.protocol import build_listing_request, judge
from bulkreact.partnercenter.subscription import FIRST_YEAR, NEVER, is_azure_plan
from bulkreact.partnercenter.verdicts import Accepted, Refused, Transient, Verdict
from bulkreact.settings import Service

PAGE_SIZE = 500
_TOKEN = "MS-ContinuationToken"  # noqa: S105 - the name of a header
_NAME_LENGTH = 256
_WORD_LENGTH = 64
_TOKEN_LENGTH = 8192
_QUERY = "%=&$'()*+,-._~:/?@!;"
# What a link asks us to send along, but nothing that says who we are or which call this is.
_LINK_HEADER = re.compile(r"(?:x-)?ms-[a-z-]{1,60}", re.IGNORECASE | re.ASCII)
_OURS = {"ms-requestid", "ms-correlationid", "ms-contract-version", "ms-partnercenter-application"}

Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class CustomerEntry:
    """A customer in the partner's list; the id as it was received."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class SubscriptionEntry:
    """A subscription in a customer's list; status and ids as they were received, empty where there was none.

    ``deadline`` is the end of its commitment, an ISO 8601 date or date-time, empty where it has none.
    """

    id: str
    name: str
    offer: str
    status: str
    deadline: str
    parent_id: str
    azure_plan: bool


@dataclass(frozen=True, slots=True)
class EntitlementEntry:
    """An Azure subscription in the list of a plan; status and id as they were received."""

    id: str
    name: str
    status: str


Entry = TypeVar("Entry", CustomerEntry, SubscriptionEntry, EntitlementEntry)


@dataclass(frozen=True, slots=True)
class PageLink:
    """Where a page of a list is: the query of its URL, and the headers that must be sent along."""

    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Listing(Generic[Entry]):
    """A list of the API: its call, its path without version, where it begins, and how to read one of its items."""

    operation: Operation
    path: str
    begin: PageLink
    entry: Callable[[Fields], Entry | None]


@dataclass(frozen=True, slots=True)
class Page(Generic[Entry]):
    """A page of a list: its entries, how many had no id that could be used, and where the list goes on."""

    entries: tuple[Entry, ...]
    without_id: int
    next: PageLink | None


class ForeignLinkError(Exception):
    """A link that leads out of its list; the message says how."""


def customers() -> Listing[CustomerEntry]:
    """Return the list of the partner's customers."""
    return Listing(Operation.LIST_CUSTOMERS, "customers", PageLink(f"size={PAGE_SIZE}"), _customer)


def subscriptions(customer_id: str) -> Listing[SubscriptionEntry]:
    """Return the list of a customer's subscriptions; the id must be a GUID."""
    return Listing(Operation.LIST_SUBSCRIPTIONS, f"customers/{customer_id}/subscriptions", PageLink(), _subscription)


def entitlements(customer_id: str, subscription_id: str) -> Listing[EntitlementEntry]:
    """Return the list of an Azure plan's entitlements; the ids must be GUIDs."""
    path = f"customers/{customer_id}/subscriptions/{subscription_id}/azureEntitlements"
    return Listing(Operation.LIST_ENTITLEMENTS, path, PageLink(), _entitlement)


def build_page_request(
    listing: Listing[Entry], place: PageLink, service: Service, *, request_id: str, correlation_id: str
) -> Request:
    """Return the call that reads a page of a list."""
    request = build_listing_request(
        listing.operation,
        f"{listing.path}?{place.query}" if place.query else listing.path,
        request_id=request_id,
        correlation_id=correlation_id,
        api_version=service.api_version,
    )
    return replace(request, headers={**dict(place.headers), **request.headers})


def judge_page(
    listing: Listing[Entry], reply: Reply, service: Service, *, now: datetime
) -> tuple[Verdict, Page[Entry] | None]:
    """Return what a reply to the reading of a page means, and the page when it has come."""
    if not isinstance(reply, Response) or not 200 <= reply.status < 300:  # noqa: PLR2004
        return judge(listing.operation, reply, now=now), None
    value = response_bodies.parse(reply.body)
    items = _items(value)
    if items is None:
        words = response_bodies.error_details(reply.body, reply.reason).description
        return Transient(Answer(reply.status, UNREADABLE, words, business=False)), None
    try:
        place = _next(_fields(value), listing.path, service)
    except ForeignLinkError as error:
        return broken(reply.status, str(error)), None
    found = [listing.entry(_fields(item)) for item in items]
    entries = tuple(one for one in found if one)
    return Accepted(Answer(reply.status, "", "", business=True)), Page(entries, len(found) - len(entries), place)


def broken(status: int | None, words: str) -> Verdict:
    """Return the verdict on a list whose pages lead elsewhere, or to no end."""
    return Refused(Answer(status, BROKEN_PAGING, words, business=False))


def moment_of(deadline: str) -> datetime | None:
    """Return a deadline as an aware time, None where it has none; a time without a zone is UTC's."""
    try:
        moment = datetime.fromisoformat(deadline)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _items(value: object) -> list[object] | None:
    if isinstance(value, list):
        return value
    fields = _fields(value)
    items = fields.get("items")
    if isinstance(items, list):
        return items
    # An empty list may come without its items: nulls are omitted.
    return [] if items is None and fields.get("totalcount") == 0 else None


def _next(page: Fields, path: str, service: Service) -> PageLink | None:
    """Return where the next page is, None when there is none; _ElsewhereError when that is not in this list."""
    link = _fields(page.get("links")).get("next")
    fields: Fields = {"uri": link} if isinstance(link, str) else _fields(link)
    uri = fields.get("uri")
    if not isinstance(uri, str) or not uri.strip():
        return None
    if str(fields.get("method") or "GET").upper() != "GET":
        raise ForeignLinkError("the link to the next page asks for something other than reading")
    headers = dict(_link_headers(fields.get("headers")))
    token = page.get("continuationtoken")
    if _TOKEN.lower() not in {name.lower() for name in headers} and isinstance(token, str) and _fits(token):
        headers[_TOKEN] = token
    return PageLink(_query(uri.strip(), path, service), tuple(headers.items()))


def _query(uri: str, path: str, service: Service) -> str:
    """Return the query of a link; links come with and without host, version and leading slash."""
    base = urlsplit(service.base_url)
    try:
        parts = urlsplit(uri)
        elsewhere = bool(parts.scheme or parts.netloc) and (
            (parts.scheme.lower(), parts.hostname, parts.port) != (base.scheme, base.hostname, base.port)
        )
    except ValueError:
        elsewhere = True
    if elsewhere:
        raise ForeignLinkError("the link to the next page leads to another host, and was not followed")
    found = parts.path.removeprefix(base.path).strip("/").removeprefix(f"{service.api_version}/")
    if found.casefold() != path.casefold():
        raise ForeignLinkError("the link to the next page leads out of the list, and was not followed")
    return quote(parts.query, safe=_QUERY)


def _link_headers(value: object) -> Iterator[tuple[str, str]]:
    pairs: list[tuple[object, object]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        listed = [_fields(one) for one in value]
        pairs = [(one.get("key") or one.get("name"), one.get("value")) for one in listed]
    for name, content in pairs:
        ours = isinstance(name, str) and name.lower() in _OURS
        if isinstance(name, str) and isinstance(content, str) and not ours and _LINK_HEADER.fullmatch(name):
            if not _fits(content):
                raise ForeignLinkError("the link to the next page has a header that cannot be sent")
            yield name, content


def _fits(value: str) -> bool:
    return value.isascii() and value.isprintable() and 0 < len(value) <= _TOKEN_LENGTH


def _customer(item: Fields) -> CustomerEntry | None:
    company = _fields(item.get("companyprofile"))
    found = _id(item, "id") or _id(company, "tenantid")
    name = _text(company, "companyname") or _text(item, "name") or _text(company, "domain")
    return CustomerEntry(found, name) if found else None


def _subscription(item: Fields) -> SubscriptionEntry | None:
    found = _id(item, "id")
    if not found:
        return None
    return SubscriptionEntry(
        id=found,
        name=_text(item, "friendlyname"),
        offer=_text(item, "offername"),
        status=_text(item, "status", _WORD_LENGTH),
        deadline=_deadline(_text(item, "commitmentenddatetime", _WORD_LENGTH)),
        parent_id=_id(item, "parentsubscriptionid"),
        azure_plan=is_azure_plan(item),
    )


def _entitlement(item: Fields) -> EntitlementEntry | None:
    found = _id(item, "id")
    name, status = _text(item, "friendlyname"), _text(item, "status", _WORD_LENGTH)
    return EntitlementEntry(found, name, status) if found else None


def _deadline(text: str) -> str:
    """Return a date as it was given, empty when it is none; the service writes never, and not set, as years far away."""
    moment = moment_of(text)
    return text if moment and FIRST_YEAR <= moment.year < NEVER else ""


def _fields(value: object) -> Fields:
    """Return the fields of an object by their names in lower case; older documentation prints PascalCase."""
    return {str(key).lower(): item for key, item in value.items()} if isinstance(value, dict) else {}


def _text(fields: Fields, name: str, length: int = _NAME_LENGTH) -> str:
    value = fields.get(name)
    return response_bodies.sanitize(value, length) if isinstance(value, str) else ""


def _id(fields: Fields, name: str) -> str:
    found = _text(fields, name, _WORD_LENGTH)
    return found if is_guid(found) else ""
