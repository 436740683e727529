"""The simulated service on a loopback port: checks what comes in, answers as the real one does."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING
from weakref import WeakSet

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bulkreact.simulator.partnercenter import routes
from bulkreact.simulator.partnercenter.request_checks import (
    DIRECTORY,
    PARTNER_CENTER,
    SUBSCRIPTION,
    check_request,
    path_ids,
    record_call,
    respond,
)
from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter

if TYPE_CHECKING:
    # What it needs takes long to import, and practising needs no tokens.
    from bulkreact.simulator.identity.directory import Directory

HOST = "127.0.0.1"
_ENTITLEMENTS = SUBSCRIPTION + "/azureEntitlements"
_TARGET = ("customer", "subscription", "entitlement")
_ENTITLEMENT = _ENTITLEMENTS + "/{entitlement}"


@asynccontextmanager
async def serve(
    behaviour: Behaviour, *, port: int = 0, tls: ssl.SSLContext | None = None, directory: "Directory | None" = None
) -> AsyncIterator[tuple[str, PartnerCenter]]:
    """Serve on a loopback port (0: a free one) and yield the base URL and the world behind it.

    With a directory the same port is its token service as well, and the API takes no tokens but those of the directory.
    """
    world = PartnerCenter(behaviour, monotonic)
    app, connections = application(world, directory), WeakSet[asyncio.Transport]()
    if tls:
        app.middlewares.append(_collector(connections))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    listener = socket.create_server((HOST, port))
    try:
        await web.SockSite(runner, listener, ssl_context=tls).start()
        # Certificates are for names.
        origin = "https://localhost" if tls else f"http://{HOST}"
        world.origin = f"{origin}:{listener.getsockname()[1]}"
        yield world.origin, world
    finally:
        # Closing one would wait half a minute for its client to say goodbye.
        for connection in connections:
            connection.abort()
        await runner.cleanup()


def application(partner_center: PartnerCenter, directory: "Directory | None" = None) -> web.Application:
    """Return the service as an aiohttp application."""
    app = web.Application()
    app[PARTNER_CENTER] = partner_center
    app.router.add_post(_ENTITLEMENT + "/reactivate", _reactivate)
    app.router.add_get(_ENTITLEMENT, _read)
    app.router.add_get(_ENTITLEMENTS, _read_all)
    routes.add_routes(app)
    app.router.add_get("/simulator/ledger", _ledger)
    if directory:
        from bulkreact.simulator.identity.routes import add_routes  # noqa: PLC0415 - see above

        app[DIRECTORY] = directory
        add_routes(app, directory)
    return app


def _collector(connections: WeakSet[asyncio.Transport]) -> Middleware:
    """Return what takes note of every connection."""

    @web.middleware
    async def collect(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.transport:
            connections.add(request.transport)
        return await handler(request)

    return collect


async def _reactivate(request: web.Request) -> web.StreamResponse:
    world, (customer_id, subscription_id, entitlement_id) = request.app[PARTNER_CENTER], path_ids(request, *_TARGET)
    call = record_call(request)
    if await request.read() or request.headers.get("Content-Type"):
        world.call_log.violations.append("a reactivation carries no body and no Content-Type")
    target = customer_id, subscription_id, entitlement_id
    act = check_request(request, *target) or world.reactivate(target, request.headers.get("MS-RequestId", ""))
    return await respond(request, call, act)


async def _read(request: web.Request) -> web.StreamResponse:
    customer_id, subscription_id, entitlement_id = path_ids(request, *_TARGET)
    call, target = record_call(request), (customer_id, subscription_id, entitlement_id)
    return await respond(request, call, check_request(request, *target) or request.app[PARTNER_CENTER].read(target))


async def _read_all(request: web.Request) -> web.StreamResponse:
    customer_id, subscription_id = path_ids(request, *_TARGET[:2])
    call, plan = record_call(request), (customer_id, subscription_id)
    return await respond(request, call, check_request(request, *plan) or request.app[PARTNER_CENTER].read_all(plan))


async def _ledger(request: web.Request) -> web.Response:
    directory = request.app.get(DIRECTORY)
    token_requests = {"token_requests": [asdict(one) for one in directory.requests]} if directory else {}
    log = request.app[PARTNER_CENTER].call_log
    return web.json_response(
        {"calls": log.calls, "effects": log.effects, "complaints": log.violations, **token_requests}
    )
