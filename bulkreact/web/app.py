"""The routes of the page, and the server that answers them."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bulkreact.web import (
    audit_pages,
    decisions,
    entra_pages,
    history_pages,
    job_actions,
    job_pages,
    retries,
    run_actions,
    search_pages,
    session_pages,
    settings_pages,
    site_pages,
)
from bulkreact.web.permissions import Right
from bulkreact.web.refusals import RequestRefusedError
from bulkreact.web.request_guard import (
    Act,
    SignInForm,
    View,
    guard_action,
    guard_sign_in,
    guard_view,
)
from bulkreact.web.responses import add_headers, answer_refusals
from bulkreact.web.site import SITE, Site
from bulkreact.web.uploads import SILENCE_SECONDS

_JOB = "/jobs/{number:[0-9]{1,9}}"
_SEARCH = "/find/{search:[0-9]{1,9}}"
VIEWS = (
    View("/", site_pages.show_home),
    View("/jobs", history_pages.list_jobs),
    View(_JOB, job_pages.show_job),
    View(f"{_JOB}/rows", job_pages.show_rows),
    View(f"{_JOB}/audit", audit_pages.show_trail),
    View("/audit", audit_pages.show_trail, Right.AUDIT),
    View(f"{_JOB}/stop", job_pages.show_stop, Right.STOP),
    View(f"{_JOB}/files/{{name}}", job_pages.send_file),
    View("/runs/{run}", site_pages.show_run),
    View("/runs/{run}/rows", site_pages.show_run_rows),
    View("/runs/{run}/files/{name}", site_pages.send_run_file),
    View("/find", search_pages.show_find, Right.UPLOAD),
    View(_SEARCH, search_pages.show_search, Right.UPLOAD),
    View("/help", site_pages.show_help),
    View("/help/{code}", site_pages.show_help),
    View("/template.{extension:csv|xlsx}", site_pages.send_template),
    View("/settings", settings_pages.show_settings, Right.SETTINGS),
    View("/auth/sign-in", entra_pages.show_sign_in, None),
    View("/auth/token", session_pages.show_token, None),
    View("/static/{name}", site_pages.send_static, None),
    View("/healthz", site_pages.say_healthy, None),
    View("/api/session", session_pages.show_session, None),
    View(f"/api{_SEARCH}", search_pages.show_search, Right.UPLOAD),
    View(f"/api{_SEARCH}/live", search_pages.show_live, Right.UPLOAD, polled=True),
    View("/api/jobs", history_pages.list_jobs),
    View(f"/api{_JOB}", job_pages.show_job),
    View(f"/api{_JOB}/live", job_pages.show_live, polled=True),
    View(f"/api{_JOB}/rows", job_pages.show_rows),
    View(f"/api{_JOB}/audit", audit_pages.show_trail),
    View("/api/audit", audit_pages.show_trail, Right.AUDIT),
)
ACTS = (
    Act("/jobs", job_actions.upload, Right.UPLOAD, is_upload=True),
    Act(f"{_JOB}/file", job_actions.replace_file, Right.UPLOAD, is_upload=True),
    Act(f"{_JOB}/options", job_actions.change_options, Right.UPLOAD),
    Act(f"{_JOB}/submit", decisions.submit, Right.UPLOAD),
    Act(f"{_JOB}/approve", decisions.approve, Right.APPROVE),
    Act(f"{_JOB}/reject", decisions.reject, Right.APPROVE),
    Act(f"{_JOB}/withdraw", job_actions.withdraw, Right.OWN),
    Act(f"{_JOB}/stop", run_actions.stop, Right.STOP),
    Act(f"{_JOB}/stop-now", run_actions.stop_now, Right.STOP),
    Act(f"{_JOB}/continue", run_actions.continue_run, Right.CONTINUE),
    Act(f"{_JOB}/verify", run_actions.verify, Right.VERIFY),
    Act(f"{_JOB}/retry", retries.retry, Right.OWN),
    Act("/find", search_pages.find, Right.UPLOAD),
    Act(f"{_SEARCH}/stop", search_pages.stop, Right.UPLOAD),
    Act(f"{_SEARCH}/jobs", search_pages.make_job, Right.UPLOAD),
    Act("/settings/doctor", settings_pages.ask_doctor, Right.SETTINGS),
    Act("/settings/connection", settings_pages.test_connection, Right.SETTINGS, is_upload=True),
    Act("/auth/sign-out", session_pages.sign_out, Right.SEE, ends_session=True),
    Act("/auth/stay", session_pages.stay, Right.SEE),
)
SIGN_INS = (
    SignInForm("/auth/token", session_pages.use_token),
    SignInForm("/auth/practice", session_pages.practise),
    SignInForm("/auth/callback", entra_pages.take_answer, is_cross_site=True),
)
_HOURLY = 3600.0
_SHUTDOWN_SECONDS = 10.0


def make_app(site: Site) -> web.Application:
    """Return the application with all routes."""
    app = web.Application(middlewares=[answer_refusals], client_max_size=site.settings.max_upload + (1 << 20))
    app[SITE] = site
    app.on_response_prepare.append(add_headers)
    base = site.base
    if base:
        # As it is printed and passed on, without the slash that the first page has.
        app.router.add_get(base, _lead_home)
    for view in VIEWS:
        app.router.add_get(base + view.path, guard_view(view), allow_head=True)
    for act in ACTS:
        app.router.add_post(base + act.path, guard_action(act))
    for sign_in in SIGN_INS:
        app.router.add_post(base + sign_in.path, guard_sign_in(sign_in))
    return app


async def _lead_home(request: web.Request) -> web.StreamResponse:
    raise web.HTTPSeeOther(f"{request.path}/")


@asynccontextmanager
async def serving(site: Site, listener: socket.socket, *, silence: float = SILENCE_SECONDS) -> AsyncIterator[None]:
    """Answer requests at a socket; requests under way get ten seconds at the end, runs are left alone.

    A connection over which no request comes for ``silence`` seconds is closed.
    """
    log = logging.getLogger("bulkreact.web")
    log.addFilter(_shorten_parser_errors)
    runner = web.AppRunner(
        make_app(site),
        access_log=None,
        logger=log,
        handle_signals=False,
        shutdown_timeout=_SHUTDOWN_SECONDS,
        keepalive_timeout=silence,
    )
    await runner.setup()
    tasks = list[asyncio.Task[None]]()
    # A bug in what the server does by itself ends it, and is not passed over in silence.
    async with asyncio.TaskGroup() as group:
        try:
            await site.checks.begin_again()
            await site.searches.begin_again()
            work = [site.queue.work(), _clean(site)]
            work += [site.notifications.work()] if site.settings.notify else []
            tasks = [group.create_task(each) for each in work]
            factory = site.connections.limit(_server_of(runner))
            server = await asyncio.get_running_loop().create_server(factory, sock=listener)
            # Not as a context: from Python 3.12 on its end waits for connections, which the runner closes later.
            with contextlib.closing(server):
                yield
        finally:
            await runner.cleanup()
            for task in tasks:
                task.cancel()
            await site.checks.close()
            await site.searches.close()
            site.store.close()


def _shorten_parser_errors(record: logging.LogRecord) -> bool:
    """Make one line of what is logged about bytes that are no request: neither they nor a trace are of use."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.msg, record.args, record.exc_info = "A request was refused that is not HTTP as it should be.", (), None
    return True


def _server_of(runner: web.AppRunner) -> web.Server:
    if runner.server is None:
        raise RuntimeError("the runner was not set up")
    return runner.server


async def _clean(site: Site) -> None:
    while True:
        with contextlib.suppress(RequestRefusedError, OSError):
            await asyncio.to_thread(site.sessions.remove_expired)
            await asyncio.to_thread(site.forms.forget_old)
            await asyncio.to_thread(site.remove_old_files)
        await asyncio.sleep(_HOURLY)
