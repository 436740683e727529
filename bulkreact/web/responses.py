"""What every response has: its headers, and words where there is nothing else to show."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from bulkreact.web.audit_events import record_refusal
from bulkreact.web.page_request import json_response, route_of, wants_json
from bulkreact.web.records import Actor
from bulkreact.web.refusals import RequestRefusedError, unknown
from bulkreact.web.request_guard import cookie_name, find_session, refuse_wrong_host
from bulkreact.web.serve_settings import client_address
from bulkreact.web.site import SITE, Site

_LOG = logging.getLogger("bulkreact.web")
_BUG = (
    "This is a bug in bulkreact. What was saved is not lost, and runs go on. Go back and try again. If it happens again, "
    "tell the server's administrator: its log names the error."
)
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_NO_FEATURES = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()"
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": _NO_FEATURES,
    "Cache-Control": "no-store",
}


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers that every response has; one that has been set by the handler stays."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.pop("Server", None)
    if request.app[SITE].settings.public_url.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")


@web.middleware
async def answer_refusals(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Check the host before anything else, and show every refusal in words."""
    site = request.app[SITE]
    forwarded = ",".join(request.headers.getall(hdrs.X_FORWARDED_FOR, []))
    address = client_address(request.remote or "", forwarded, site.settings.trusted_proxies)
    if address != request.remote:
        request = request.clone(remote=address)
    try:
        refuse_wrong_host(site, request)
        return await handler(request)
    except RequestRefusedError as refusal:
        await record_refusal(site, request, refusal, await _actor(site, request))
        return _refusal_response(site, request, refusal)
    except web.HTTPNotFound:
        return _refusal_response(site, request, unknown("This page"))
    except web.HTTPMethodNotAllowed as error:
        wrong_method = RequestRefusedError("method", f"This address does not take {request.method[:20]}.")
        response = _refusal_response(site, request, wrong_method)
        response.headers[hdrs.ALLOW] = ", ".join(sorted(error.allowed_methods))
        return response
    except web.HTTPException:
        raise
    except ConnectionError:
        # Nobody is there any more to get an answer.
        return web.Response(status=400)
    except Exception:  # noqa: BLE001 - the only handler that turns a bug of ours into a page
        _LOG.exception("%s %s failed", request.method, route_of(request))
        return _refusal_response(site, request, RequestRefusedError("bug", _BUG))


def _refusal_response(site: Site, request: web.Request, refusal: RequestRefusedError) -> web.Response:
    """Return a refusal as a page, or as JSON for programs."""
    headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else {}
    if wants_json(request, site.base):
        content = {
            "type": "about:blank",
            "title": refusal.title,
            "status": refusal.status,
            "detail": refusal.detail,
            "code": refusal.code,
            **({"field": refusal.field} if refusal.field else {}),
            **({"signed_in": False} if refusal.code == "signed-out" else {}),
        }
        response = json_response(content, refusal.status)
        response.content_type = "application/problem+json"
        response.headers.update(headers)
        return response
    session = site.sessions.find(request.cookies.get(cookie_name(site)), is_use=False)
    has_page = request.method == "GET" or request.path == f"{site.base}/find"
    back = request.path if has_page else request.path.rpartition("/")[0]
    if back in {site.base, f"{site.base}/auth"}:
        back = f"{site.base}/"
    page = site.pages.render("error", session, refusal=refusal, back=back)
    return web.Response(text=page, status=refusal.status, content_type="text/html", headers=headers)


async def _actor(site: Site, request: web.Request) -> Actor | None:
    session = await find_session(site, request, is_use=False)
    return Actor(session.person.id, session.person.name, request.remote or "") if session else None
