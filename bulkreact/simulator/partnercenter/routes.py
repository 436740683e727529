"""The partner API over HTTP: its routes, each with its handler."""

import re
from collections.abc import Callable
from typing import TypeAlias

from aiohttp import web
from aiohttp.typedefs import Handler

from bulkreact.simulator.partnercenter.answers import ScriptedAnswer, refusal
from bulkreact.simulator.partnercenter.request_checks import PARTNER_CENTER, check_request, record_call, respond

_CUSTOMERS = "/{version}/customers"
_SUBSCRIPTIONS = _CUSTOMERS + "/{customer}/subscriptions"
_SUBSCRIPTION = _SUBSCRIPTIONS + "/{subscription}"
_ENTITLEMENTS = _SUBSCRIPTION + "/azureEntitlements"
_ENTITLEMENT = _ENTITLEMENTS + "/{entitlement}"
_IDS = ("customer", "subscription", "entitlement", "operation")
_PAGE_SIZE = re.compile("[1-9][0-9]?|[1-4][0-9][0-9]|500", re.ASCII)
_TOKEN = "MS-ContinuationToken"  # noqa: S105 - the name of a header
_REQUEST_ID = "MS-RequestId"
# Answers a request with this body; the ids in its path, in lower case.
RequestHandler: TypeAlias = Callable[[web.Request, bytes, list[str]], ScriptedAnswer]


def add_routes(app: web.Application) -> None:
    """Add the partner API to an application."""
    for method, path, operation in (
        ("POST", _ENTITLEMENT + "/reactivate", _reactivate),
        ("GET", _ENTITLEMENT, _read_entitlement),
        ("GET", _ENTITLEMENTS, _list_entitlements),
        ("GET", _CUSTOMERS, _list_customers),
        ("GET", _SUBSCRIPTIONS, _list_subscriptions),
        ("GET", _SUBSCRIPTION, _read_subscription),
        ("PATCH", _SUBSCRIPTION, _update_subscription),
        ("GET", _SUBSCRIPTION + "/operations/{operation}", _read_operation),
    ):
        app.router.add_route(method, path, _handler(operation))
    app.router.add_route("*", "/elsewhere/{path:.*}", _record_foreign_call)


def _handler(operation: RequestHandler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        call, body = record_call(request), await request.read()
        if request.method == "POST" and (body or request.headers.get("Content-Type")):
            request.app[PARTNER_CENTER].call_log.violations.append("a reactivation carries no body and no Content-Type")
        ids = [request.match_info[name].lower() for name in _IDS if name in request.match_info]
        # The list of customers is limited as if it were a separate customer.
        rejection = request.app[PARTNER_CENTER].outage() or check_request(
            request, ids, scope=ids[0] if ids else "customers"
        )
        return await respond(request, call, rejection or operation(request, body, ids))

    return handle


def _reactivate(request: web.Request, _body: bytes, ids: list[str]) -> ScriptedAnswer:
    target = ids[0], ids[1], ids[2]
    return request.app[PARTNER_CENTER].reactivate(target, request.headers.get(_REQUEST_ID, ""))


def _read_entitlement(request: web.Request, _body: bytes, ids: list[str]) -> ScriptedAnswer:
    return request.app[PARTNER_CENTER].read((ids[0], ids[1], ids[2]))


def _list_entitlements(request: web.Request, _body: bytes, ids: list[str]) -> ScriptedAnswer:
    return request.app[PARTNER_CENTER].read_all((ids[0], ids[1]))


def _list_customers(request: web.Request, _body: bytes, _ids: list[str]) -> ScriptedAnswer:
    size, token = request.query.get("size", "500"), request.headers.get(_TOKEN)
    if not _PAGE_SIZE.fullmatch(size):
        return refusal(400, "800002")
    if (request.query.get("seekOperation") == "Next") != (token is not None):
        message = f"seekOperation=Next and {_TOKEN} need each other"
        request.app[PARTNER_CENTER].call_log.violations.append(message)
        return refusal(400, "800002")
    return request.app[PARTNER_CENTER].list_customers(int(size), token)


def _list_subscriptions(request: web.Request, _body: bytes, ids: list[str]) -> ScriptedAnswer:
    return request.app[PARTNER_CENTER].list_subscriptions(ids[0])


def _read_subscription(request: web.Request, _body: bytes, ids: list[str]) -> ScriptedAnswer:
    return request.app[PARTNER_CENTER].read_subscription(ids[0], ids[1], request.headers.get(_REQUEST_ID, ""))


def _read_operation(request: web.Request, _body: bytes, ids: list[str]) -> ScriptedAnswer:
    return request.app[PARTNER_CENTER].read_operation(ids[0], ids[1], ids[2])


def _update_subscription(request: web.Request, body: bytes, ids: list[str]) -> ScriptedAnswer:
    headers = request.headers
    return request.app[PARTNER_CENTER].update_subscription(
        ids[0],
        ids[1],
        headers.get(_REQUEST_ID, ""),
        body,
        headers.get("If-Match"),
        headers.get("Content-Type", ""),
    )


async def _record_foreign_call(request: web.Request) -> web.StreamResponse:
    """Log a client that follows a Location to another host."""
    call = record_call(request)
    request.app[PARTNER_CENTER].call_log.violations.append("a Location on another host was called")
    return await respond(request, call, refusal(404, "1000"))
