"""The way to Microsoft's sign-in and back: a flow that is good for ten minutes, once, in the browser that began it."""

import asyncio
import hmac
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from typing import TypeVar

from aiohttp import web
from msgspec import json

from bulkreact.partnercenter.auth.token_errors import TokenServiceError
from bulkreact.timestamps import iso_milliseconds
from bulkreact.web import entra, session_pages
from bulkreact.web.page_request import Form, Visit
from bulkreact.web.refusals import RequestRefusedError, unknown
from bulkreact.web.request_guard import take
from bulkreact.web.site import Site

COOKIE = "bulkreact_flow"
_LIFETIME = timedelta(minutes=10)
_ID_BYTES = 32
_ANSWER = ("state", "code", "error", "error_description")
# The token service may be slow, and other blocking work must not wait for it.
_THREADS = ThreadPoolExecutor(4, thread_name_prefix="entra")
ResultT = TypeVar("ResultT")


async def show_sign_in(site: Site, visit: Visit) -> web.StreamResponse:
    """Say how to sign in, or begin a flow and lead the browser to Microsoft, unless one has just signed out."""
    if site.settings.entra is None or visit.query("signed-out"):
        return await session_pages.show_sign_in(site, visit)
    app, request = site.settings.entra, visit.request
    # The way back is counted too, by its address alone.
    take(site.sign_ins.wait_for(f"to Microsoft {request.remote}", site.clock()))
    callback = f"{site.settings.public_url.origin}{site.base}/auth/callback"
    flow, address = await _ask(site, lambda: entra.begin(app, callback, visit.query("next")))
    flow_id, now = secrets.token_urlsafe(_ID_BYTES), site.now()
    times = {"now": iso_milliseconds(now), "expires_at": iso_milliseconds(now + _LIFETIME)}
    await asyncio.to_thread(site.store.add_flow, _hash(flow_id), json.encode(flow).decode(), **times)
    response = web.Response(status=303, headers={"Location": address})
    _set_cookie(site, response, flow_id, _LIFETIME)
    return response


async def take_answer(site: Site, request: web.Request, form: Form) -> web.StreamResponse:
    """End a flow with what the browser brings from Microsoft, and begin a session."""
    app = site.settings.entra
    if app is None:
        raise unknown("This way to sign in")
    flow_id, now = request.cookies.get(COOKIE, ""), site.now()
    content = await asyncio.to_thread(site.store.take_flow, _hash(flow_id), iso_milliseconds(now))
    flow = json.decode(content, type=entra.Flow) if content else None
    if flow is None or not hmac.compare_digest(flow.state.encode(), (form.get("state") or "").encode()):
        raise RequestRefusedError(
            "bad-token",
            "This sign-in is not valid any more: each is good for ten minutes, once, in the browser that began it. Begin again.",
        )
    answer = {name: value for name in _ANSWER if (value := form.get(name))}
    person = await _ask(site, lambda: entra.finish(app, flow, answer, now))
    response = session_pages.begin_session(site, request, person, flow.wanted)
    _set_cookie(site, response, "", timedelta())
    return response


async def _ask(site: Site, ask: Callable[[], ResultT]) -> ResultT:
    """Return what the token service answers; people are told little, the server's log more."""
    try:
        return await asyncio.get_running_loop().run_in_executor(_THREADS, ask)
    except TokenServiceError as error:
        site.warn(f"A sign-in failed. {error}")
        number = f" (AADSTS{error.number})" if error.number else ""
        if error.transient:
            raise RequestRefusedError(
                "no-sign-in", f"Microsoft's sign-in does not answer just now{number}. Try again in a few minutes."
            ) from None
        raise RequestRefusedError(
            "bad-token",
            f"Microsoft has not confirmed the sign-in{number}. Begin again; if that does not help, ask the administrator of "
            "this page: the server's log says more.",
        ) from None


def _set_cookie(site: Site, response: web.StreamResponse, value: str, lifetime: timedelta) -> None:
    """Set the flow's cookie, which must come along with a form of another site, or remove it with a lifetime of 0."""
    response.set_cookie(
        COOKIE,
        value,
        max_age=int(lifetime.total_seconds()),
        path=f"{site.base}/auth",
        secure=True,
        httponly=True,
        samesite="None",
    )


def _hash(flow_id: str) -> str:
    return sha256(flow_id.encode("utf-8", "surrogatepass")).hexdigest()
