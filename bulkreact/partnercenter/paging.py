"""Builds the calls that read lists page by page, and reads the pages. No I/O.

Sources: Microsoft's pages *Get a list of customers*, *Get all of a customer's subscriptions* and *Get a list of Azure
entitlements*. Pages are not trusted: entries without an id are dropped, and a link is followed only within its list.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Generic, TypeVar
from urllib.parse import quote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.guids import is_guid
from bulkreact.models import Answer, Operation, Reply, Request, Response
from bulkreact.partnercenter import response_bodies
from bulkreact.partnercenter.error_codes.local_codes import BROKEN_PAGING, UNREADABLE
from bulkreact.partnercenter.list_body import MAX_ITEMS, read_list
from bulkreact.partnercenter.protocol import build_listing_request, judge
from bulkreact.partnercenter.subscription import is_azure_plan, parse_deadline
from bulkreact.partnercenter.verdicts import Accepted, Refused, Transient, Verdict
from bulkreact.settings import Service

PAGE_SIZE = 500
_TOKEN = "MS-ContinuationToken"  # noqa: S105 - the name of a header
_SEEK = "seekOperation=Next"
_HEAD = 4096
_NAME_LENGTH = 256
_STATUS_LENGTH = 64
_TOKEN_LENGTH = 8192
_QUERY = "%=&$'()*+,-._~:/?@!;"
# Headers that a link may ask for; never those that identify us or the call.
_LINK_HEADER = re.compile(r"(?:x-)?ms-[a-z-]{1,60}", re.IGNORECASE | re.ASCII)
_OWN_HEADERS = {"ms-requestid", "ms-correlationid", "ms-contract-version", "ms-partnercenter-application"}

Fields = Mapping[str, object]


class CustomerEntry(Struct, frozen=True):
    """A customer in the partner's list; the id as received."""

    id: str
    name: str


class SubscriptionEntry(Struct, frozen=True):
    """A subscription in a customer's list; status and ids as received, empty if absent.

    ``deadline`` is the end of its commitment, an ISO 8601 date or date-time, empty if it has none.
    """

    id: str
    name: str
    offer: str
    status: str
    deadline: str
    parent_id: str
    azure_plan: bool


class EntitlementEntry(Struct, frozen=True):
    """An Azure subscription in the list of a plan; status and id as received."""

    id: str
    name: str
    status: str


Entry = TypeVar("Entry", CustomerEntry, SubscriptionEntry, EntitlementEntry)


class PageLink(Struct, frozen=True):
    """The location of a list's page: the query of its URL, and the headers to send."""

    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class Listing(Struct, Generic[Entry], frozen=True):
    """A list of the API: its call, its path without version, its first page, and how to read an item."""

    operation: Operation
    path: str
    first_page: PageLink
    read_entry: Callable[[Fields], Entry | None]


class Page(Struct, Generic[Entry], frozen=True):
    """A page of a list: its entries, the number of those without a usable id, and the next page.

    ``total_count`` is the number of entries that the list says it has, perhaps on this page only; None if it does not.
    """

    entries: tuple[Entry, ...]
    without_id: int
    next: PageLink | None
    total_count: int | None = None


class ForeignLinkError(Exception):
    """A link that leaves its list; the message says where it leads."""


def customers() -> Listing[CustomerEntry]:
    """Return the list of the partner's customers."""
    return Listing(Operation.LIST_CUSTOMERS, "customers", PageLink(f"size={PAGE_SIZE}"), _customer)


def subscriptions(customer_id: str) -> Listing[SubscriptionEntry]:
    """Return the list of a customer's subscriptions; the id must be a GUID."""
    path = f"customers/{customer_id.lower()}/subscriptions"
    return Listing(Operation.LIST_SUBSCRIPTIONS, path, PageLink(), _subscription)


def entitlements(customer_id: str, subscription_id: str) -> Listing[EntitlementEntry]:
    """Return the list of an Azure plan's entitlements; the ids must be GUIDs."""
    path = f"customers/{customer_id.lower()}/subscriptions/{subscription_id.lower()}/azureEntitlements"
    return Listing(Operation.LIST_ENTITLEMENTS, path, PageLink(), _entitlement)


def build_page_request(
    listing: Listing[Entry], link: PageLink, service: Service, *, request_id: str, correlation_id: str
) -> Request:
    """Return the call that reads a page of a list."""
    request = build_listing_request(
        listing.operation,
        f"{listing.path}?{link.query}" if link.query else listing.path,
        request_id=request_id,
        correlation_id=correlation_id,
        api_version=service.api_version,
    )
    return replace(request, headers={**dict(link.headers), **request.headers})


def judge_page(
    listing: Listing[Entry], reply: Reply, service: Service, *, now: datetime
) -> tuple[Verdict, Page[Entry] | None]:
    """Return the verdict on a response with a page, and the page if there is one."""
    if not isinstance(reply, Response) or not 200 <= reply.status < 300:  # noqa: PLR2004
        return judge(listing.operation, reply, now=now), None
    body = read_list(reply.body, lambda item: listing.read_entry(_fields(item)))
    if body is None:
        return Transient(Answer(reply.status, UNREADABLE, _describe_unreadable(reply), business=False)), None
    if body.is_cut:
        return broken_paging(reply.status, f"a page of the list has more than {MAX_ITEMS:,} entries"), None
    try:
        link = _next(body.fields, listing, service)
    except ForeignLinkError as error:
        return broken_paging(reply.status, str(error)), None
    entries = tuple(entry for entry in body.items if entry)
    page = Page(entries, len(body.items) - len(entries), link, body.total_count)
    return Accepted(Answer(reply.status, "", "", business=True)), page


def broken_paging(status: int | None, description: str) -> Verdict:
    """Return the verdict on a list whose links leave it, or that never ends."""
    return Refused(Answer(status, BROKEN_PAGING, description, business=False))


def _describe_unreadable(reply: Response) -> str:
    """Describe what came instead of a list; of a list that is damaged only that it is."""
    head = reply.body[:_HEAD]
    if response_bodies.decode(head).lstrip()[:1] in {"{", "["}:
        return "the list is damaged, broken off, or longer than can be read"
    return response_bodies.error_details(head, reply.reason).description


def _next(page: Fields, listing: Listing[Entry], service: Service) -> PageLink | None:
    """Return the link to the next page, None for the last one; ForeignLinkError if it leaves the list.

    A page may have a link, a token for it, or the token alone, which Microsoft's clients send with ``seekOperation``.
    """
    link = _fields(page.get("links")).get("next")
    fields: Fields = {"uri": link} if isinstance(link, str) else _fields(link)
    uri, token = fields.get("uri"), _token(page)
    if not isinstance(uri, str) or not uri.strip():
        if not token:
            return None
        if not _is_sendable(token):
            raise ForeignLinkError("the token for the next page cannot be sent")
        return PageLink("&".join(filter(None, (listing.first_page.query, _SEEK))), ((_TOKEN, token),))
    if str(fields.get("method") or "GET").upper() != "GET":
        raise ForeignLinkError("the link to the next page asks for something other than reading")
    headers = dict(_link_headers(fields.get("headers")))
    if _TOKEN.lower() not in {name.lower() for name in headers} and _is_sendable(token):
        headers[_TOKEN] = token
    return PageLink(_query(uri.strip(), listing.path, service), tuple(headers.items()))


def _token(page: Fields) -> str:
    token = page.get("continuationtoken")
    is_number = isinstance(token, int) and not isinstance(token, bool)
    return str(token) if is_number else token.strip() if isinstance(token, str) else ""


def _query(uri: str, path: str, service: Service) -> str:
    """Return the query of a link; links come with and without host, version and leading slash."""
    base = urlsplit(service.base_url)
    try:
        parts = urlsplit(uri)
        foreign = bool(parts.scheme or parts.netloc) and (
            (parts.scheme.lower(), parts.hostname, parts.port) != (base.scheme, base.hostname, base.port)
        )
    except ValueError:
        foreign = True
    if foreign:
        raise ForeignLinkError("the link to the next page leads to another host, and was not followed")
    linked = parts.path.removeprefix(base.path).strip("/").removeprefix(f"{service.api_version}/")
    if linked.casefold() != path.casefold():
        raise ForeignLinkError("the link to the next page leads out of the list, and was not followed")
    return quote(parts.query, safe=_QUERY)


def _link_headers(value: object) -> Iterator[tuple[str, str]]:
    pairs: list[tuple[object, object]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        headers = [_fields(item) for item in value]
        pairs = [(header.get("key") or header.get("name"), header.get("value")) for header in headers]
    for name, content in pairs:
        own = isinstance(name, str) and name.lower() in _OWN_HEADERS
        if isinstance(name, str) and isinstance(content, str) and not own and _LINK_HEADER.fullmatch(name):
            if not _is_sendable(content):
                raise ForeignLinkError("the link to the next page has a header that cannot be sent")
            yield name, content


def _is_sendable(value: str) -> bool:
    return value.isascii() and value.isprintable() and 0 < len(value) <= _TOKEN_LENGTH


def _customer(item: Fields) -> CustomerEntry | None:
    company = _fields(item.get("companyprofile"))
    customer_id = _id(item, "id") or _id(company, "tenantid")
    name = _text(company, "companyname") or _text(item, "name") or _text(company, "domain")
    return CustomerEntry(customer_id, name) if customer_id else None


def _subscription(item: Fields) -> SubscriptionEntry | None:
    subscription_id = _id(item, "id")
    if not subscription_id:
        return None
    deadline = _text(item, "commitmentenddatetime", _STATUS_LENGTH)
    return SubscriptionEntry(
        id=subscription_id,
        name=_text(item, "friendlyname"),
        offer=_text(item, "offername"),
        status=_text(item, "status", _STATUS_LENGTH),
        deadline=deadline if parse_deadline(deadline) else "",
        parent_id=_id(item, "parentsubscriptionid"),
        azure_plan=is_azure_plan(item),
    )


def _entitlement(item: Fields) -> EntitlementEntry | None:
    entitlement_id, status = _id(item, "id"), _text(item, "status", _STATUS_LENGTH)
    return EntitlementEntry(entitlement_id, _text(item, "friendlyname"), status) if entitlement_id else None


def _fields(value: object) -> Fields:
    """Return the fields of an object by lower-case name; older documentation prints PascalCase."""
    return {str(key).lower(): item for key, item in value.items()} if isinstance(value, dict) else {}


def _text(fields: Fields, name: str, length: int = _NAME_LENGTH) -> str:
    value = fields.get(name)
    return response_bodies.sanitize(value, length) if isinstance(value, str) else ""


def _id(fields: Fields, name: str) -> str:
    text = _text(fields, name, _STATUS_LENGTH)
    return text if is_guid(text) else ""
