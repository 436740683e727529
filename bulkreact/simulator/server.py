"""The simulated service on a loopback port: checks what comes in, answers as the real one does."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import monotonic
from uuid import uuid4

from aiohttp import web

from bulkreact.simulator.fates import Act, error_body
from bulkreact.simulator.world import Rules, World

HOST = "127.0.0.1"
_BOM = b"\xef\xbb\xbf"
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_WORLD = web.AppKey("world", World)
_ENTITLEMENT = "/{version}/customers/{customer}/subscriptions/{subscription}/azureEntitlements/{entitlement}"
_REQUIRED = {
    "Accept": "application/json",
    "MS-PartnerCenter-Application": "bulkreact",
    "X-Locale": None,
    "MS-Contract-Version": None,
}


@asynccontextmanager
async def serve(rules: Rules, *, port: int = 0) -> AsyncIterator[tuple[str, World]]:
    """Serve on a loopback port (0: a free one) and yield the base URL and the world behind it."""
    world = World(rules, monotonic)
    runner = web.AppRunner(application(world), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    listener = socket.create_server((HOST, port))
    try:
        await web.SockSite(runner, listener).start()
        yield f"http://{HOST}:{listener.getsockname()[1]}", world
    finally:
        await runner.cleanup()


def application(world: World) -> web.Application:
    """Return the service as an aiohttp application."""
    app = web.Application()
    app[_WORLD] = world
    app.router.add_post(_ENTITLEMENT + "/reactivate", _reactivate)
    app.router.add_get(_ENTITLEMENT, _read)
    app.router.add_get("/simulator/ledger", _ledger)
    return app


async def _reactivate(request: web.Request) -> web.StreamResponse:
    world, target = request.app[_WORLD], _target(request)
    _inspect(world, request)
    if await request.read() or request.headers.get("Content-Type"):
        world.ledger.complaints.append("a reactivation carries no body and no Content-Type")
    if refusal := _refusal(request, target):
        return await _answer(request, refusal)
    act = world.throttle(target[0]) or world.reactivate(target, request.headers.get("MS-RequestId", ""))
    return await _answer(request, act)


async def _read(request: web.Request) -> web.StreamResponse:
    world, target = request.app[_WORLD], _target(request)
    _inspect(world, request)
    refusal = _refusal(request, target) or world.throttle(target[0])
    if refusal:
        return await _answer(request, refusal)
    status = world.status(target)
    if status is None:
        return await _answer(request, Act(404, error_body("800111", "Entitlement not found.")))
    content = {
        "id": target[2].upper(),
        "friendlyName": "Azure subscription",
        "status": status,
        "subscriptionId": target[1],
        "attributes": {"objectType": "AzureEntitlement"},
    }
    body = _BOM + json.dumps(content, separators=(",", ":")).encode()
    return await _answer(request, Act(200, body, {"Content-Type": "application/json; charset=utf-8"}))


async def _ledger(request: web.Request) -> web.Response:
    return web.json_response(asdict(request.app[_WORLD].ledger))


def _target(request: web.Request) -> tuple[str, str, str]:
    found = request.match_info
    return found["customer"].lower(), found["subscription"].lower(), found["entitlement"].lower()


def _inspect(world: World, request: web.Request) -> None:
    """Put a call into the ledger, and what is wrong with its headers into the complaints."""
    headers = request.headers
    record: dict[str, object] = {
        "method": request.method,
        "path": request.path,
        "request_id": headers.get("MS-RequestId", ""),
        "correlation_id": headers.get("MS-CorrelationId", ""),
        "at": monotonic(),
    }
    world.ledger.calls.append(record)
    for name in ("MS-RequestId", "MS-CorrelationId"):
        if not _GUID.fullmatch(headers.get(name, "")):
            world.ledger.complaints.append(f"{name} is not a GUID")
    for name, value in _REQUIRED.items():
        if name not in headers or (value and headers[name] != value):
            world.ledger.complaints.append(f"{name} is missing or wrong")
    if "Expect" in headers:
        world.ledger.complaints.append("Expect is not understood")


def _refusal(request: web.Request, target: tuple[str, str, str]) -> Act | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        return Act(401, error_body("800001", "Partner token missing in request context"))
    if not all(_GUID.fullmatch(part) for part in target):
        return Act(400, error_body("800002", "Invalid request input"))
    return None


async def _answer(request: web.Request, act: Act) -> web.StreamResponse:
    if act.delay:
        await asyncio.sleep(act.delay)
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
    return web.Response(status=act.status, body=act.body, headers=headers)
