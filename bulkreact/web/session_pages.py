"""Signing in and out, and what a program must know of its session."""

from urllib.parse import urlsplit

from aiohttp import web

from bulkreact.timestamps import iso_milliseconds
from bulkreact.web.job_pages import html
from bulkreact.web.page_request import Form, Visit, json_response, wants_json
from bulkreact.web.permissions import Person
from bulkreact.web.practice import PEOPLE, find_person
from bulkreact.web.records import Actor
from bulkreact.web.refusals import RequestRefusedError, unknown
from bulkreact.web.request_guard import cookie_name
from bulkreact.web.serve_settings import is_safe_next
from bulkreact.web.site import Site


async def show_sign_in(site: Site, visit: Visit) -> web.StreamResponse:
    """Say how to sign in."""
    people = PEOPLE.values() if site.settings.sign_in == "practice" else ()
    return html(site.pages.render("sign_in", visit.session, next=visit.query("next"), people=people))


async def show_token(site: Site, visit: Visit) -> web.StreamResponse:
    """Show the button that uses the link up; whoever only looks at the link does not."""
    _refuse_other_way(site, "local")
    return html(site.pages.render("token", None, token=visit.query("token")))


async def use_token(site: Site, request: web.Request, form: Form) -> web.StreamResponse:
    """Begin a session with the one-time link."""
    _refuse_other_way(site, "local")
    site.link.use(form.get("token") or "")
    return begin_session(site, request, site.settings.person, form.get("next") or "")


async def practise(site: Site, request: web.Request, form: Form) -> web.StreamResponse:
    """Begin a session as one of the made-up people."""
    _refuse_other_way(site, "practice")
    return begin_session(site, request, find_person(form.get("person") or ""), form.get("next") or "")


def _refuse_other_way(site: Site, sign_in: str) -> None:
    if site.settings.sign_in != sign_in:
        raise unknown("This way to sign in")


def begin_session(site: Site, request: web.Request, person: Person, wanted: str) -> web.StreamResponse:
    """Begin a session of a person and lead them to the page that they wanted; without a role nobody gets in."""
    actor, now = Actor(person.id, person.name, request.remote or ""), iso_milliseconds(site.now())
    if not person.roles:
        entra = site.settings.entra
        where = f", in Microsoft Entra at the application {entra.identity.client_id}" if entra else ""
        raise RequestRefusedError(
            "no-right",
            f"{person.name} has no role here. Ask the administrator of this page for one{where}.",
            actor=actor,
        )
    if before := site.sessions.find(request.cookies.get(cookie_name(site)), is_use=False):
        site.sessions.end(before)
    session_id = site.sessions.begin(person)
    site.store.audit(actor, "signed-in", "", now)
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
        site.sessions.end(visit.session, visit.form.get("form_id") or "")
    site.store.audit(visit.actor, "signed-out", "", iso_milliseconds(site.now()))
    return 200, site.signed_out


async def stay(site: Site, visit: Visit) -> tuple[int, str]:
    """Keep the session from expiring, which every request does, and go back."""
    path = urlsplit(visit.request.headers.get("Referer", ""))._replace(scheme="", netloc="").geturl()
    return 200, path if is_safe_next(path, site.base) else f"{site.base}/"


async def show_session(site: Site, visit: Visit) -> web.StreamResponse:
    """Say whether somebody is signed in, and what forms need."""
    session, settings = visit.session, site.settings
    facts = {"mode": settings.sign_in, "simulated": settings.simulated, "time_zone": settings.time_zone.key}
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
