"""Customers and subscriptions on the line: their lists, and how a subscription is read and updated."""

import re

from aiohttp import web

from bulkreact.simulator.partnercenter.answers import refused
from bulkreact.simulator.partnercenter.request_checks import (
    CUSTOMERS,
    PARTNER_CENTER,
    SUBSCRIPTION,
    check_request,
    path_ids,
    record_call,
    respond,
)

_PAGE_SIZE = re.compile("[1-9][0-9]?|[1-4][0-9][0-9]|500", re.ASCII)
_TOKEN = "MS-ContinuationToken"  # noqa: S105 - the name of a header


def add_routes(app: web.Application) -> None:
    """Let an application serve customers and their subscriptions."""
    app.router.add_get(CUSTOMERS, _list_customers)
    app.router.add_get(CUSTOMERS + "/{customer}/subscriptions", _list_subscriptions)
    app.router.add_get(SUBSCRIPTION, _read)
    app.router.add_patch(SUBSCRIPTION, _update)
    app.router.add_get(SUBSCRIPTION + "/operations/{operation}", _read_operation)
    app.router.add_route("*", "/elsewhere/{path:.*}", _record_foreign_call)


async def _list_customers(request: web.Request) -> web.StreamResponse:
    world, size, token = request.app[PARTNER_CENTER], request.query.get("size", "500"), request.headers.get(_TOKEN)
    call = record_call(request)
    # Limited as if the list were a customer of its own.
    act = check_request(request, scope="customers")
    if not act and not _PAGE_SIZE.fullmatch(size):
        act = refused(400, "800002")
    if not act and (request.query.get("seekOperation") == "Next") != (token is not None):
        world.call_log.violations.append(f"seekOperation=Next and {_TOKEN} need each other")
        act = refused(400, "800002")
    return await respond(request, call, act or world.list_customers(int(size), token))


async def _list_subscriptions(request: web.Request) -> web.StreamResponse:
    (customer_id,) = path_ids(request, "customer")
    call = record_call(request)
    act = check_request(request, customer_id) or request.app[PARTNER_CENTER].list_subscriptions(customer_id)
    return await respond(request, call, act)


async def _read(request: web.Request) -> web.StreamResponse:
    customer_id, subscription_id = path_ids(request, "customer", "subscription")
    call = record_call(request)
    request_id = request.headers.get("MS-RequestId", "")
    act = check_request(request, customer_id, subscription_id) or request.app[PARTNER_CENTER].read_subscription(
        customer_id, subscription_id, request_id
    )
    return await respond(request, call, act)


async def _read_operation(request: web.Request) -> web.StreamResponse:
    customer_id, subscription_id, operation_id = path_ids(request, "customer", "subscription", "operation")
    call = record_call(request)
    act = check_request(request, customer_id, subscription_id, operation_id) or request.app[
        PARTNER_CENTER
    ].read_operation(customer_id, subscription_id, operation_id)
    return await respond(request, call, act)


async def _update(request: web.Request) -> web.StreamResponse:
    customer_id, subscription_id = path_ids(request, "customer", "subscription")
    call = record_call(request)
    body, headers = await request.read(), request.headers
    act = check_request(request, customer_id, subscription_id) or request.app[PARTNER_CENTER].update_subscription(
        customer_id,
        subscription_id,
        headers.get("MS-RequestId", ""),
        body,
        headers.get("If-Match"),
        headers.get("Content-Type", ""),
    )
    return await respond(request, call, act)


async def _record_foreign_call(request: web.Request) -> web.StreamResponse:
    """Catch whoever follows a Location to another host."""
    call = record_call(request)
    request.app[PARTNER_CENTER].call_log.violations.append("a Location on another host was called")
    return await respond(request, call, refused(404, "1000"))
