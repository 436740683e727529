"""Signing in and out, and what a program must know of its session."""

from urllib.parse import urlsplit

from aiohttp import web

from bulkreact.timestamps import iso_milliseconds
from bulkreact.web.job_pages import html
from bulkreact.web.page_request import Form, Visit, json_response, wants_json
from bulkreact.web.records import Actor
from bulkreact.web.request_guard import cookie_name
from bulkreact.web.serve_settings import is_safe_next
from bulkreact.web.site import Site


async def show_sign_in(site: Site, visit: Visit) -> web.StreamResponse:
    """Say how to sign in."""
    return html(site.pages.render("sign_in", visit.session, next=visit.query("next")))


async def show_token(site: Site, visit: Visit) -> web.StreamResponse:
    """Show the button that uses the link up; whoever only looks at the link does not."""
    return html(site.pages.render("token", None, token=visit.query("token")))


async def use_token(site: Site, request: web.Request, form: Form) -> web.StreamResponse:
    """Begin a session with the one-time link."""
    site.link.use(form.get("token") or "")
    person = site.settings.person
    session_id = site.sessions.begin(person)
    site.store.audit(Actor(person.id, person.name, request.remote or ""), "signed-in", "", iso_milliseconds(site.now()))
    wanted = form.get("next") or ""
    location = wanted if is_safe_next(wanted, site.base) else f"{site.base}/"
    response: web.StreamResponse
    if wants_json(request, site.base):
        response = json_response({"location": location})
    else:
        response = web.Response(status=303, headers={"Location": location})
    url = site.settings.public_url
    response.set_cookie(
        cookie_name(site),
        session_id,
        path=f"{url.path}/" if url.path else "/",
        secure=url.is_secure,
        httponly=True,
        samesite="Lax",
    )
    return response


async def sign_out(site: Site, visit: Visit) -> tuple[int, str]:
    """End the session."""
    if visit.session:
        site.sessions.end(visit.session)
    site.store.audit(visit.actor, "signed-out", "", iso_milliseconds(site.now()))
    return 200, f"{site.base}/auth/sign-in"


async def stay(site: Site, visit: Visit) -> tuple[int, str]:
    """Keep the session from expiring, which every request does, and go back."""
    referrer = urlsplit(visit.request.headers.get("Referer", ""))
    path = referrer.path
    return 200, path if is_safe_next(path, site.base) else f"{site.base}/"


async def show_session(site: Site, visit: Visit) -> web.StreamResponse:
    """Say whether somebody is signed in, and what forms need."""
    session, settings = visit.session, site.settings
    facts = {"mode": "local", "simulated": settings.simulated, "time_zone": settings.time_zone.key}
    if session is None:
        return json_response({"signed_in": False, "code": "signed-out", **facts}, 401)
    person = session.person
    return json_response(
        {
            "signed_in": True,
            "person": {"id": person.id, "name": person.name, "roles": [role.value for role in person.roles]},
            "csrf": session.token,
            "expires_at": iso_milliseconds(session.expires_at),
            **facts,
        }
    )
