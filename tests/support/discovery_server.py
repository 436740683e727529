"""A partner API for discovery, whose answers can be replaced, delayed and dropped; it records every call."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.support.background_loop import listening
from tests.support.ids import guid

BOM = b"\xef\xbb\xbf"
OFFER = "Microsoft 365 Business Basic"
PLAN_OFFER = "DZH318Z0BPS6:0001"


@dataclass(frozen=True)
class Answer:
    """An answer in place of the usual one."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False

    @staticmethod
    def json(content: object, status: int = 200) -> "Answer":
        return Answer(status, json.dumps(content).encode())

    @staticmethod
    def error(status: int, code: int) -> "Answer":
        return Answer.json(
            {"code": code, "description": f"description of {code}", "data": [], "source": "test"}, status
        )


@dataclass(frozen=True)
class DiscoveryCall:
    """A call as it was received."""

    method: str
    path: str
    query: str
    token: str
    authorization: str
    names: tuple[str, ...]


def subscription(number: int, status: str = "suspended", **fields: object) -> dict[str, object]:
    """Return a subscription by number."""
    return {
        "id": guid(number).upper(),
        "offerId": "CFQ7TTC0LH18:0001",
        "offerName": OFFER,
        "friendlyName": f"Licences {number}",
        "productType": {"id": "OnlineServicesNCE", "displayName": "Online Services"},
        "status": status,
        **fields,
    }


def plan(number: int, status: str = "active", **fields: object) -> dict[str, object]:
    """Return an Azure plan by number."""
    values = {"offerId": PLAN_OFFER, "offerName": "Azure plan", "friendlyName": f"Plan {number}"}
    return subscription(number, status, **{**values, "productType": {"id": "Azure"}, **fields})


def entitlement(number: int, status: str = "inactive", **fields: object) -> dict[str, object]:
    """Return an entitlement by number."""
    return {"id": guid(number).upper(), "friendlyName": f"Azure {number}", "status": status, **fields}


@dataclass
class DiscoveryServer:
    """Customer names by number, their subscriptions, and the entitlements of plans by number.

    ``answers`` are sent first, by the end of a path, in their order; ``always`` for every call. Calls whose path ends
    like one of ``held`` wait until it is removed. ``uris`` are the links to the next pages, the last one for all.
    Every list has pages of at most ``page`` entries. With ``token_alone`` they have no links but tokens; with
    ``counts_list`` the count of a page is the whole list's. ``last_page`` ends every list before its time.
    """

    base_url: str = ""
    customers: dict[int, str] = field(default_factory=dict)
    subscriptions: dict[int, list[dict[str, object]]] = field(default_factory=dict)
    entitlements: dict[int, list[dict[str, object]]] = field(default_factory=dict)
    page: int = 500
    uris: list[str] = field(default_factory=lambda: ["/customers?size={size}&seekOperation=Next"])
    token_alone: bool = False
    counts_list: bool = False
    last_page: int = 1 << 30
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    fixed_answers: dict[str, Answer] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    calls: list[DiscoveryCall] = field(default_factory=list)

    def add(self, number: int, *subscriptions: dict[str, object], name: str = "") -> str:
        """Add a customer; returns the id."""
        self.customers[number] = name or f"Customer {number}"
        self.subscriptions[number] = list(subscriptions)
        return guid(number)

    def call_paths(self, tail: str = "") -> list[str]:
        """Return the paths of calls that end so."""
        return [call.path for call in self.calls if call.path.endswith(tail)]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer any call."""
        headers = request.headers
        self.calls.append(
            DiscoveryCall(
                request.method,
                request.path,
                request.query_string,
                headers.get("MS-ContinuationToken", ""),
                headers.get("Authorization", ""),
                tuple(headers),
            )
        )
        while any(request.path.endswith(tail) for tail in self.blocked):  # noqa: ASYNC110 - the test has another loop
            await asyncio.sleep(0.01)
        for tail, answers in self.answers.items():
            if request.path.endswith(tail) and answers:
                return self._response(request, answers.pop(0))
        for tail, answer in self.fixed_answers.items():
            if request.path.endswith(tail):
                return self._response(request, answer)
        return web.Response(body=BOM + json.dumps(self._content(request)).encode(), content_type="application/json")

    def _response(self, request: web.Request, answer: Answer) -> web.Response:
        if answer.drop and request.transport:
            request.transport.abort()
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    def _content(self, request: web.Request) -> dict[str, object]:
        parts = request.path.strip("/").split("/")
        if parts == ["v1", "customers"]:
            return self._page(
                request,
                [
                    {"id": guid(number), "companyProfile": {"tenantId": guid(number), "companyName": name}}
                    for number, name in self.customers.items()
                ],
            )
        owned, owner_id = (
            (self.subscriptions, parts[2]) if parts[-1] == "subscriptions" else (self.entitlements, parts[4])
        )
        return self._page(request, next((own for number, own in owned.items() if guid(number) == owner_id.lower()), []))

    def _page(self, request: web.Request, items: list[dict[str, object]]) -> dict[str, object]:
        size = min(int(request.query.get("size", "500")), self.page)
        seek = request.query.get("seekOperation") == "Next"
        token = request.headers.get("MS-ContinuationToken", "")
        begin = int(token.removeprefix("token-")) if seek else 0
        content = self._list(items[begin : begin + size])
        if self.counts_list:
            content["totalCount"] = len(items)
        if begin + size >= min(len(items), self.last_page * size):
            return content
        token = f"token-{begin + size}"
        if self.token_alone:
            return {**content, "continuationToken": token}
        uri = self.uris[0] if len(self.uris) == 1 else self.uris.pop(0)
        path = request.path.removeprefix("/v1/")
        link = uri.format(size=size) if path == "customers" else f"/{path}?seekOperation=Next"
        headers = [{"key": "MS-ContinuationToken", "value": token}]
        return {**content, "links": {"next": {"uri": link, "method": "GET", "headers": headers}}}

    def _list(self, items: list[dict[str, object]]) -> dict[str, object]:
        return {"totalCount": len(items), "items": items, "attributes": {"objectType": "Collection"}}


@asynccontextmanager
async def serve_portfolio(server: DiscoveryServer) -> AsyncIterator[DiscoveryServer]:
    """Serve customers on a loopback port."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.handle)
    async with listening(app) as server.base_url:
        yield server
