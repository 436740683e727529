"""One HTTP request: its log entry, the checks that every request must pass, and the response."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from itertools import pairwise
from time import monotonic
from typing import TYPE_CHECKING
from uuid import uuid4

from aiohttp import web

from bulkreact.simulator.partnercenter.answers import ScriptedAnswer, refusal
from bulkreact.simulator.partnercenter.service import PartnerCenter

if TYPE_CHECKING:
    # Slow to import, and a simulated run needs no tokens.
    from bulkreact.simulator.identity.directory import Directory

PARTNER_CENTER = web.AppKey("partner-center", PartnerCenter)
DIRECTORY: "web.AppKey[Directory]" = web.AppKey("directory")
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_REQUIRED = {
    "Accept": "application/json",
    "MS-PartnerCenter-Application": "bulkreact",
    "X-Locale": None,
    "MS-Contract-Version": None,
}


def record_call(request: web.Request) -> dict[str, object]:
    """Log a request and return its entry; faulty headers are logged as a violation."""
    headers, call_log = request.headers, request.app[PARTNER_CENTER].call_log
    call: dict[str, object] = {
        "method": request.method,
        "path": request.path,
        **({"query": request.query_string} if request.query_string else {}),
        "request_id": headers.get("MS-RequestId", ""),
        "correlation_id": headers.get("MS-CorrelationId", ""),
        "locale": headers.get("X-Locale", ""),
        "at": monotonic(),
        "answer": "",
        "effect": "",
    }
    call_log.calls.append(call)
    for name in ("MS-RequestId", "MS-CorrelationId"):
        if not _GUID.fullmatch(headers.get(name, "")):
            call_log.violations.append(f"{name} is not a GUID")
    for name, value in _REQUIRED.items():
        if name not in headers or (value and headers[name] != value):
            call_log.violations.append(f"{name} is missing or wrong")
    if "Expect" in headers:
        call_log.violations.append("Expect is not understood")
    return call


def check_request(request: web.Request, ids: list[str], *, scope: str) -> ScriptedAnswer | None:
    """Return the answer to a request without a valid token, with bad ids, or above the limits of a scope."""
    token = _token(request)
    if not token:
        return refusal(401, "800001", "Partner token missing in request context")
    if directory := request.app.get(DIRECTORY):
        access = directory.valid_access_token(token)
        if access is None:
            return refusal(401, "800001", "The access token is expired, revoked, or not for this service.")
        if directory.lacks_mfa(access):
            return refusal(401, "900421", "Multi-factor authentication is required.")
    if not all(_GUID.fullmatch(id_) for id_ in ids):
        return refusal(400, "800002")
    return request.app[PARTNER_CENTER].throttle(scope)


async def respond(request: web.Request, call: dict[str, object], answer: ScriptedAnswer) -> web.StreamResponse:
    """Complete the log entry, and send the answer or drop the connection."""
    call["effect"] = "yes" if answer.effect else ""
    if answer.delay:
        await asyncio.sleep(answer.delay)
    call["answer"] = "dropped" if answer.drop else str(answer.status)
    if answer.drop:
        if request.transport:
            request.transport.abort()
        return web.Response()
    headers = dict(answer.headers)
    if headers.get("Retry-After") == "date":
        headers["Retry-After"] = format_datetime(datetime.now(UTC) + timedelta(seconds=answer.seconds + 1), usegmt=True)
    # The gateway's throttle carries none of these either.
    if answer.status != HTTPStatus.TOO_MANY_REQUESTS and not answer.from_gateway:
        named = _call_before(request, call) if answer.names_call_before else call
        headers["MS-RequestId"], headers["MS-CorrelationId"] = str(named["request_id"]), str(named["correlation_id"])
        headers["MS-CV"] = uuid4().hex[:16]
        headers["MS-ServerId"] = "simulator"
        headers.update(_compliance(request))
    response = web.Response(status=answer.status, body=answer.body, headers=headers)
    if answer.surplus and request.transport:
        await response.prepare(request)
        await response.write_eof()
        request.transport.write(answer.surplus)
    return response


def _call_before(request: web.Request, call: dict[str, object]) -> dict[str, object]:
    calls = request.app[PARTNER_CENTER].call_log.calls
    return next((before for before, this in pairwise(calls) if this is call), call)


def _token(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


def _compliance(request: web.Request) -> dict[str, str]:
    """Return the header that reports multi-factor authentication, if the request asks for it."""
    if request.headers.get("ValidateMfa", "").lower() != "true":
        return {}
    directory = request.app.get(DIRECTORY)
    if directory is None:
        return {"isMfaCompliant": "true"}
    access = directory.valid_access_token(_token(request))
    return {"isMfaCompliant": str(access.mfa).lower()} if access and access.user else {}
