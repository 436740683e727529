"""One call over the line: its record in the ledger, what is checked of every call, and its answer."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import monotonic
from typing import TYPE_CHECKING
from uuid import uuid4

from aiohttp import web

from bulkreact.simulator.partnercenter.answers import ScriptedAnswer, refused
from bulkreact.simulator.partnercenter.service import PartnerCenter

if TYPE_CHECKING:
    # What it needs takes long to import, and practising needs no tokens.
    from bulkreact.simulator.identity.directory import Directory

PARTNER_CENTER = web.AppKey("world", PartnerCenter)
DIRECTORY: "web.AppKey[Directory]" = web.AppKey("directory")
CUSTOMERS = "/{version}/customers"
SUBSCRIPTION = CUSTOMERS + "/{customer}/subscriptions/{subscription}"
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_REQUIRED = {
    "Accept": "application/json",
    "MS-PartnerCenter-Application": "bulkreact",
    "X-Locale": None,
    "MS-Contract-Version": None,
}


def record_call(request: web.Request) -> dict[str, object]:
    """Put a call into the ledger and return its record; what is wrong with its headers becomes a complaint."""
    headers, ledger = request.headers, request.app[PARTNER_CENTER].call_log
    call: dict[str, object] = {
        "method": request.method,
        "path": request.path,
        **({"query": request.query_string} if request.query_string else {}),
        "request_id": headers.get("MS-RequestId", ""),
        "correlation_id": headers.get("MS-CorrelationId", ""),
        "at": monotonic(),
        "answer": "",
        "effect": "",
    }
    ledger.calls.append(call)
    for name in ("MS-RequestId", "MS-CorrelationId"):
        if not _GUID.fullmatch(headers.get(name, "")):
            ledger.violations.append(f"{name} is not a GUID")
    for name, value in _REQUIRED.items():
        if name not in headers or (value and headers[name] != value):
            ledger.violations.append(f"{name} is missing or wrong")
    if "Expect" in headers:
        ledger.violations.append("Expect is not understood")
    return call


def check_request(request: web.Request, *ids: str, scope: str = "") -> ScriptedAnswer | None:
    """Return what a call is answered without a good token, with bad ids, or beyond the limits of a scope.

    The scope is the first id where it is not given.
    """
    token = _token(request)
    if not token:
        return refused(401, "800001", "Partner token missing in request context")
    if directory := request.app.get(DIRECTORY):
        access = directory.valid_access_token(token)
        if access is None:
            return refused(401, "800001", "The access token is expired, revoked, or not for this service.")
        if directory.lacks_mfa(access):
            return refused(401, "900421", "Multi-factor authentication is required.")
    if not all(_GUID.fullmatch(one) for one in ids):
        return refused(400, "800002")
    return request.app[PARTNER_CENTER].throttle(scope or ids[0])


def path_ids(request: web.Request, *names: str) -> tuple[str, ...]:
    """Return ids out of a call's path, in lower case."""
    return tuple(request.match_info[name].lower() for name in names)


async def respond(request: web.Request, call: dict[str, object], act: ScriptedAnswer) -> web.StreamResponse:
    """Complete a call's record, and say or do over the line what is decided."""
    call["effect"] = "yes" if act.effect else ""
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


def _token(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


def _compliance(request: web.Request) -> dict[str, str]:
    """Return what a request that asks for it is told of its user's multi-factor authentication."""
    if request.headers.get("ValidateMfa", "").lower() != "true":
        return {}
    directory = request.app.get(DIRECTORY)
    if directory is None:
        return {"isMfaCompliant": "true"}
    access = directory.valid_access_token(_token(request))
    return {"isMfaCompliant": str(access.mfa).lower()} if access and access.user else {}
