"""Lets through what may pass: host, origin, session, token, rate, form id and rights, in this order."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from aiohttp import hdrs, web

from bulkreact.web import uploads
from bulkreact.web.forms import parse_form_id
from bulkreact.web.jobs import WebJob
from bulkreact.web.page_request import Form, Visit, drain, json_response, read_form, wants_json
from bulkreact.web.permissions import Person, Right, refusal_code
from bulkreact.web.records import PendingForm
from bulkreact.web.refusals import RequestRefusedError, unknown, wrong_state
from bulkreact.web.sessions import Session, is_token
from bulkreact.web.site import SITE, Site
from bulkreact.web.views import job_document

Handler = Callable[[Site, Visit], Awaitable[web.StreamResponse]]
Action = Callable[[Site, Visit], Awaitable[tuple[int, str] | None]]


@dataclass(frozen=True, slots=True)
class View:
    """A page or a file: GET. ``right`` None: for everybody, signed in or not.

    ``polled``: it is asked for again and again, takes nothing from the bucket, and finds its job itself.
    """

    path: str
    handler: Handler
    right: Right | None = Right.SEE
    polled: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """An action: POST. It returns a status for programs and the address that shows what it has done, by default the job.

    ``ends_session``: its repetition has no session any more, and is answered like the first.
    """

    path: str
    handler: Action
    right: Right
    is_upload: bool = False
    ends_session: bool = False


@dataclass(frozen=True, slots=True)
class SignInForm:
    """A form that makes a session: POST; ``is_cross_site``: it may come from another site's page."""

    path: str
    handler: Callable[[Site, web.Request, Form], Awaitable[web.StreamResponse]]
    is_cross_site: bool = False
    right: None = field(default=None)


def guard_view(route: View) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler of a page behind the guard."""

    async def respond(request: web.Request) -> web.StreamResponse:
        site = request.app[SITE]
        looks_alone = route.polled or route.path == "/api/session"
        is_seen = not (looks_alone and request.query.get("hidden") == "1")
        session = await find_session(site, request, is_use=is_seen)
        if route.right is None:
            return await route.handler(site, Visit(request, session))
        if session is None:
            if wants_json(request, site.base):
                raise RequestRefusedError("signed-out", "Sign in, then try again.")
            target = quote(request.path_qs, safe="")
            # A form of ours, like a filter, may be led to no other site: browsers would do nothing.
            is_form = bool(request.query_string) and request.headers.get("Sec-Fetch-Site") == "same-origin"
            pause = "&signed-out=yes" if site.settings.entra and is_form else ""
            raise web.HTTPSeeOther(f"{site.base}/auth/sign-in?next={target}{pause}")
        job = None
        if not route.polled:
            take(site.requests.wait_for(session.hash, site.clock()))
            job = await _job(site, request)
        await _refuse_without_right(site, session.person, route.right, job)
        return await route.handler(site, Visit(request, session, loaded=job))

    return respond


def guard_action(route: Act) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler of an action behind the guard."""

    async def respond(request: web.Request) -> web.StreamResponse:
        site = request.app[SITE]
        most = site.settings.max_upload + uploads.FORM_BYTES
        try:
            _refuse_cross_site(request)
            session = await _session_needed(site, request, route)
            if session is None:
                return await _respond(site, request, None, 200, site.signed_out)
            seconds = site.requests.wait_for(session.hash, site.clock())
            form = await _read_form(site, request)
            _check_token(session, form.get("csrf") or request.headers.get("X-CSRF-Token") or "")
            form_id = parse_form_id(form.get("form_id") or "")
            answer = await site.forms.find(session.person.id, form_id, request.path)
            if answer is None:
                # A repetition is answered whatever the rate: it does nothing.
                take(seconds)
                visit = Visit(request, session, form, pending=PendingForm(form_id, request.path, site.base))
                answer = await site.forms.answer(
                    session.person.id, form_id, request.path, lambda: _act(site, route, visit)
                )
            else:
                await drain(request, most)
        except RequestRefusedError:
            await drain(request, most)
            raise
        return await _respond(site, request, session, answer.status, answer.location)

    return respond


def guard_sign_in(route: SignInForm) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler of a form that makes a session."""

    async def respond(request: web.Request) -> web.StreamResponse:
        site = request.app[SITE]
        if not route.is_cross_site:
            _refuse_cross_site(request)
        take(site.sign_ins.wait_for(request.remote or "", site.clock()))
        return await route.handler(site, request, await read_form(request))

    return respond


def cookie_name(site: Site) -> str:
    """Return the name of the session's cookie; cookies are shared by all ports of a host."""
    url = site.settings.public_url
    if url.is_secure:
        return "__Secure-bulkreact" if url.path else "__Host-bulkreact"
    return f"bulkreact-{url.origin.rpartition(':')[2].lstrip('/')}"


async def find_session(site: Site, request: web.Request, *, is_use: bool = True) -> Session | None:
    """Return the session of a request, None if nobody is signed in; ``is_use`` keeps it from expiring."""
    session_id, sessions = request.cookies.get(cookie_name(site)), site.sessions
    if sessions.needs_store(session_id):
        return await asyncio.to_thread(sessions.find, session_id, is_use=is_use)
    return sessions.find(session_id, is_use=is_use)


async def _session_needed(site: Site, request: web.Request, route: Act) -> Session | None:
    session = await find_session(site, request)
    if session is None and not (route.ends_session and await _is_repeated(site, request)):
        raise RequestRefusedError("signed-out", "Sign in, then try again. What you have chosen is still there.")
    return session


async def _is_repeated(site: Site, request: web.Request) -> bool:
    form = await _read_form(site, request)
    return site.sessions.was_ended_by(request.cookies.get(cookie_name(site)), form.get("form_id") or "")


def _check_token(session: Session, token: str) -> None:
    if not is_token(session, token):
        raise RequestRefusedError("bad-token", "The page is from an earlier session. Load it again.")


def refuse_wrong_host(site: Site, request: web.Request) -> None:
    """Raise RequestRefusedError unless a request names this server as its host."""
    hosts = request.headers.getall(hdrs.HOST, [])
    if len(hosts) != 1 or hosts[0].lower() not in site.settings.hosts:
        raise RequestRefusedError(
            "wrong-host", f"This server answers at {site.settings.public_url} alone. Open that address."
        )


def _refuse_cross_site(request: web.Request) -> None:
    """Raise RequestRefusedError unless a form comes from a page of ours; without both headers its token decides."""
    fetch_site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    own = {f"{scheme}://{request.headers[hdrs.HOST].lower()}" for scheme in ("http", "https")}
    is_foreign = origin is not None and (origin.lower() not in own | {request.app[SITE].settings.public_url.origin})
    if fetch_site not in {None, "same-origin"} or (fetch_site is None and is_foreign):
        raise RequestRefusedError("cross-site", "Another page has sent this. Open the page here, and do it there.")


def take(seconds: int) -> None:
    """Raise RequestRefusedError if a bucket is empty for some seconds."""
    if seconds:
        raise RequestRefusedError(
            "rate-limited", f"That was too much at once. Try again in {seconds} s.", retry_after=seconds
        )


async def _read_form(site: Site, request: web.Request) -> Form:
    """Return the fields of a form; one that cannot be read for its size is refused for that."""
    try:
        return await read_form(request)
    except RequestRefusedError:
        if request.content_type == "multipart/form-data":
            uploads.check_length(request.content_length, site.settings.max_upload)
        raise


async def _job(site: Site, request: web.Request) -> WebJob | None:
    number = request.match_info.get("number")
    if number is None:
        return None
    job = await asyncio.to_thread(site.store.job, int(number))
    if job is None:
        raise unknown(f"No. {number}")
    return job


async def _act(site: Site, route: Act, visit: Visit) -> tuple[int, str]:
    job, person = await _job(site, visit.request), visit.person
    if route.is_upload:
        uploads.check_length(visit.request.content_length, site.settings.max_upload)
        if not visit.form.is_multipart:
            raise RequestRefusedError("not-multipart", "The file must come as a form's file (multipart/form-data).")
        take(site.uploads.wait_for(visit.session.hash if visit.session else "", site.clock()))
    await _refuse_without_right(site, person, route.right, job)
    if job and job.target != site.settings.target:
        raise wrong_state(job.number, job.state)
    done = await route.handler(site, replace(visit, loaded=job))
    return done or (200, f"{site.base}/jobs/{job.number if job else ''}")


async def _refuse_without_right(site: Site, person: Person, right: Right, job: WebJob | None) -> None:
    makers = await asyncio.to_thread(site.store.makers, job.number) if job and right is Right.APPROVE else {}
    match refusal_code(person, right, job, makers):
        case "no-right" as code:
            raise RequestRefusedError(code, "Your role does not allow that. Ask an administrator.")
        case "own-work" as code:
            raise RequestRefusedError(code, "You had a hand in this job: somebody else must approve or reject it.")


async def _respond(
    site: Site, request: web.Request, session: Session | None, status: int, location: str
) -> web.Response:
    if not wants_json(request, site.base):
        raise web.HTTPSeeOther(location)
    content: dict[str, object] = {"location": location}
    prefix, _, number = location.rpartition("/")
    if session and prefix == f"{site.base}/jobs" and number.isdigit():
        job = await asyncio.to_thread(site.store.job, int(number))
        if job:
            content["job"] = job_document(await site.view(job, session.person))
    return json_response(content, status)
