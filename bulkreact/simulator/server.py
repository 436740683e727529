"""The simulated service on a loopback port."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING
from weakref import WeakSet

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bulkreact.simulator.listener import HOST, PortListener
from bulkreact.simulator.partnercenter import routes
from bulkreact.simulator.partnercenter.request_checks import DIRECTORY, PARTNER_CENTER
from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter

if TYPE_CHECKING:
    # Slow to import, and a simulated run needs no tokens.
    from bulkreact.simulator.identity.directory import Directory


@asynccontextmanager
async def serve(
    behaviour: Behaviour, *, port: int = 0, tls: ssl.SSLContext | None = None, directory: "Directory | None" = None
) -> AsyncIterator[tuple[str, PartnerCenter]]:
    """Serve on a loopback port (0: a free one) and yield the base URL and the service behind it.

    With a directory the same port is also its token service, and the API accepts only tokens of that directory.
    """
    partner_center = PartnerCenter(behaviour, monotonic)
    app, connections = application(partner_center, directory), WeakSet[asyncio.Transport]()
    if tls:
        app.middlewares.append(_collector(connections))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    listener = PortListener(runner, port, tls)
    await listener.open()
    following = asyncio.create_task(listener.follow(behaviour.outages))
    try:
        # Certificates name a host, not an address.
        origin = "https://localhost" if tls else f"http://{HOST}"
        partner_center.origin = f"{origin}:{listener.port}"
        yield partner_center.origin, partner_center
    finally:
        following.cancel()
        # A graceful close would wait half a minute for the client.
        for connection in connections:
            connection.abort()
        await runner.cleanup()


def application(partner_center: PartnerCenter, directory: "Directory | None" = None) -> web.Application:
    """Return the service as an aiohttp application."""
    app = web.Application()
    app[PARTNER_CENTER] = partner_center
    routes.add_routes(app)
    app.router.add_get("/simulator/ledger", _call_log)
    if directory:
        from bulkreact.simulator.identity.routes import add_routes  # noqa: PLC0415 - see above

        app[DIRECTORY] = directory
        add_routes(app, directory)
    return app


def _collector(connections: WeakSet[asyncio.Transport]) -> Middleware:
    """Return a middleware that collects the open connections."""

    @web.middleware
    async def collect(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.transport:
            connections.add(request.transport)
        return await handler(request)

    return collect


async def _call_log(request: web.Request) -> web.Response:
    directory = request.app.get(DIRECTORY)
    token_requests = {"token_requests": [asdict(entry) for entry in directory.requests]} if directory else {}
    log = request.app[PARTNER_CENTER].call_log
    return web.json_response(
        {"calls": log.calls, "effects": log.effects, "complaints": log.violations, **token_requests}
    )
