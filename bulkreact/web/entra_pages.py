"""The way to Microsoft's sign-in and back: a flow that is good for ten minutes, once, in the browser that began it.

A browser may begin several, in as many tabs; its cookie is the same for all, and the state tells them apart.
"""

import asyncio
import re
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
_BROWSER = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
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
    callback = f"{site.settings.public_url}/auth/callback"
    flow, address = await _ask(site, lambda: entra.begin(app, callback, visit.query("next")))
    kept, now = request.cookies.get(COOKIE, ""), site.now()
    browser = kept if _BROWSER.fullmatch(kept) else secrets.token_urlsafe(_ID_BYTES)
    times = {"now": iso_milliseconds(now), "expires_at": iso_milliseconds(now + _LIFETIME)}
    await asyncio.to_thread(site.store.add_flow, _hash(browser, flow.state), json.encode(flow).decode(), **times)
    response = web.Response(status=303, headers={"Location": address})
    response.set_cookie(
        COOKIE,
        browser,
        max_age=int(_LIFETIME.total_seconds()),
        path=f"{site.base}/auth",
        secure=True,
        httponly=True,
        # It must come along with a form of another site.
        samesite="None",
    )
    return response


async def take_answer(site: Site, request: web.Request, form: Form) -> web.StreamResponse:
    """End a flow with what the browser brings from Microsoft, and begin a session."""
    app = site.settings.entra
    if app is None:
        raise unknown("This way to sign in")
    hashed, now = _hash(request.cookies.get(COOKIE, ""), form.get("state") or ""), site.now()
    content = await asyncio.to_thread(site.store.take_flow, hashed, iso_milliseconds(now))
    if content is None:
        raise RequestRefusedError(
            "bad-token",
            "This sign-in is not valid any more: each is good for ten minutes, once, in the browser that began it. Begin again.",
        )
    flow = json.decode(content, type=entra.Flow)
    answer = {name: value for name in _ANSWER if (value := form.get(name))}
    person = await _ask(site, lambda: entra.finish(app, flow, answer, now))
    return session_pages.begin_session(site, request, person, flow.wanted)


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


def _hash(browser: str, state: str) -> str:
    return sha256(f"{browser} {state}".encode("utf-8", "surrogatepass")).hexdigest()
