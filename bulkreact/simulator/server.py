"""The simulated service on a loopback port: checks what comes in, answers as the real one does."""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import monotonic
from typing import TYPE_CHECKING
from uuid import uuid4
from weakref import WeakSet

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bulkreact.simulator.bodies import customers_body, error_body
from bulkreact.simulator.fates import Act
from bulkreact.simulator.world import Plan, Rules, Target, World

if TYPE_CHECKING:
    # What it needs takes long to import, and practising needs no tokens.
    from bulkreact.simulator.directory import Directory

HOST = "127.0.0.1"
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_WORLD = web.AppKey("world", World)
_DIRECTORY: "web.AppKey[Directory]" = web.AppKey("directory")
_CUSTOMERS = "/{version}/customers"
_PAGE_SIZE = re.compile("[1-9][0-9]{0,2}", re.ASCII)
_ENTITLEMENTS = _CUSTOMERS + "/{customer}/subscriptions/{subscription}/azureEntitlements"
_ENTITLEMENT = _ENTITLEMENTS + "/{entitlement}"
_REQUIRED = {
    "Accept": "application/json",
    "MS-PartnerCenter-Application": "bulkreact",
    "X-Locale": None,
    "MS-Contract-Version": None,
}


@asynccontextmanager
async def serve(
    rules: Rules, *, port: int = 0, tls: ssl.SSLContext | None = None, directory: "Directory | None" = None
) -> AsyncIterator[tuple[str, World]]:
    """Serve on a loopback port (0: a free one) and yield the base URL and the world behind it.

    With a directory the same port is its token service as well, and the API takes no tokens but those of the directory.
    """
    world = World(rules, monotonic)
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
        yield f"{origin}:{listener.getsockname()[1]}", world
    finally:
        # Closing one would wait half a minute for its client to say goodbye.
        for connection in connections:
            connection.abort()
        await runner.cleanup()


def application(world: World, directory: "Directory | None" = None) -> web.Application:
    """Return the service as an aiohttp application."""
    app = web.Application()
    app[_WORLD] = world
    app.router.add_post(_ENTITLEMENT + "/reactivate", _reactivate)
    app.router.add_get(_ENTITLEMENT, _read)
    app.router.add_get(_ENTITLEMENTS, _read_all)
    app.router.add_get(_CUSTOMERS, _list_customers)
    app.router.add_get("/simulator/ledger", _ledger)
    if directory:
        from bulkreact.simulator.login import add_routes  # noqa: PLC0415 - see above

        app[_DIRECTORY] = directory
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
    world, target = request.app[_WORLD], _target(request)
    call = _inspect(world, request)
    if await request.read() or request.headers.get("Content-Type"):
        world.ledger.complaints.append("a reactivation carries no body and no Content-Type")
    act = (
        _refusal(request, target)
        or world.throttle(target[0])
        or world.reactivate(target, request.headers.get("MS-RequestId", ""))
    )
    call["effect"] = "yes" if act.effect else ""
    return await _answer(request, call, act)


async def _read(request: web.Request) -> web.StreamResponse:
    world, target = request.app[_WORLD], _target(request)
    call = _inspect(world, request)
    act = _refusal(request, target) or world.throttle(target[0]) or world.read(target)
    return await _answer(request, call, act)


async def _read_all(request: web.Request) -> web.StreamResponse:
    world, plan = request.app[_WORLD], _plan(request)
    call = _inspect(world, request)
    act = _refusal(request, plan) or world.throttle(plan[0]) or world.read_all(plan)
    return await _answer(request, call, act)


async def _list_customers(request: web.Request) -> web.StreamResponse:
    world, size = request.app[_WORLD], request.query.get("size", "500")
    call = _inspect(world, request)
    # Limited as if the list were a customer of its own.
    act = _refusal(request, ()) or world.throttle("customers")
    if not act and not _PAGE_SIZE.fullmatch(size):
        act = Act(400, error_body("800002", "Invalid request input"))
    return await _answer(request, call, act or Act(200, customers_body(int(size)), _JSON))


async def _ledger(request: web.Request) -> web.Response:
    directory = request.app.get(_DIRECTORY)
    token_requests = {"token_requests": [asdict(one) for one in directory.requests]} if directory else {}
    return web.json_response({**asdict(request.app[_WORLD].ledger), **token_requests})


def _plan(request: web.Request) -> Plan:
    return request.match_info["customer"].lower(), request.match_info["subscription"].lower()


def _target(request: web.Request) -> Target:
    return *_plan(request), request.match_info["entitlement"].lower()


def _inspect(world: World, request: web.Request) -> dict[str, object]:
    """Put a call into the ledger and return its record; what is wrong with its headers becomes a complaint."""
    headers = request.headers
    call: dict[str, object] = {
        "method": request.method,
        "path": request.path,
        "request_id": headers.get("MS-RequestId", ""),
        "correlation_id": headers.get("MS-CorrelationId", ""),
        "at": monotonic(),
        "answer": "",
        "effect": "",
    }
    world.ledger.calls.append(call)
    for name in ("MS-RequestId", "MS-CorrelationId"):
        if not _GUID.fullmatch(headers.get(name, "")):
            world.ledger.complaints.append(f"{name} is not a GUID")
    for name, value in _REQUIRED.items():
        if name not in headers or (value and headers[name] != value):
            world.ledger.complaints.append(f"{name} is missing or wrong")
    if "Expect" in headers:
        world.ledger.complaints.append("Expect is not understood")
    return call


def _refusal(request: web.Request, ids: tuple[str, ...]) -> Act | None:
    token = _token(request)
    if not token:
        return Act(401, error_body("800001", "Partner token missing in request context"))
    if directory := request.app.get(_DIRECTORY):
        access = directory.access(token)
        if access is None:
            return Act(401, error_body("800001", "The access token is expired, revoked, or not for this service."))
        if directory.lacks_mfa(access):
            return Act(401, error_body("900421", "Multi-factor authentication is required."))
    if not all(_GUID.fullmatch(one) for one in ids):
        return Act(400, error_body("800002", "Invalid request input"))
    return None


def _token(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


def _compliance(request: web.Request) -> dict[str, str]:
    """Return what a request that asks for it is told of its user's multi-factor authentication."""
    if request.headers.get("ValidateMfa", "").lower() != "true":
        return {}
    directory = request.app.get(_DIRECTORY)
    if directory is None:
        return {"isMfaCompliant": "true"}
    access = directory.access(_token(request))
    return {"isMfaCompliant": str(access.mfa).lower()} if access and access.user else {}


async def _answer(request: web.Request, call: dict[str, object], act: Act) -> web.StreamResponse:
    if act.delay:
        await asyncio.sleep(act.delay)
    call["answer"] = "dropped" if act.drop else str(act.status)
    if act.drop:
        if request.transport:
            request.transport.abort()
        return web.Response()
    headers = dict(act.headers)
    if headers.get("Retry-After") == "date":
        headers["Retry-After"] = format_datetime(datetime.now(UTC) + timedelta(seconds=act.seconds + 1), usegmt=True)
    if act.status != 429:  # noqa: PLR2004 - the gateway's throttle carries none of these
        headers["MS-RequestId"] = request.headers.get("MS-RequestId", "")
        headers["MS-CorrelationId"] = request.headers.get("MS-CorrelationId", "")
        headers["MS-CV"] = uuid4().hex[:16]
        headers["MS-ServerId"] = "simulator"
        headers.update(_compliance(request))
    return web.Response(status=act.status, body=act.body, headers=headers)
