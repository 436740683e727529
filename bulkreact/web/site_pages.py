"""The pages that are about no single job: home, history, runs made elsewhere, help and templates."""

import asyncio
import tempfile
from pathlib import Path

from aiohttp import web

from bulkreact.batch.journal.journal import is_locked
from bulkreact.errors import InputRefusedError
from bulkreact.partnercenter.error_codes.lookup import find_entries, name_failed_file
from bulkreact.runs.history import summarize
from bulkreact.runs.index import indexed_run
from bulkreact.runs.run_record import Run
from bulkreact.runs.store import find
from bulkreact.settings import parse_new_run_id
from bulkreact.sheets.output import template
from bulkreact.web.audit_events import record_download
from bulkreact.web.downloads import content_disposition, file_response, run_files
from bulkreact.web.file_checks import result_of
from bulkreact.web.help_sections import help_sections
from bulkreact.web.job_pages import html
from bulkreact.web.jobs import JobState, WebJob
from bulkreact.web.page_request import LARGEST, Visit, json_response, wants_json
from bulkreact.web.permissions import Person, allowed_actions
from bulkreact.web.refusals import unknown
from bulkreact.web.row_pages import run_rows
from bulkreact.web.run_numbers import ProcessReport
from bulkreact.web.site import Site

_LATELY = 10
# A job waits for those who may do this with it.
_WAITS_FOR = {JobState.WAITING: "approve", JobState.REJECTED: "withdraw", JobState.READY: "withdraw"}
_SHOWN_ON_HOME = (JobState.RUNNING, JobState.STOPPING, JobState.QUEUED)


async def show_home(site: Site, visit: Visit) -> web.StreamResponse:
    """Show what can be uploaded, what waits, what runs and what was last."""
    at_work = await asyncio.to_thread(site.store.jobs_in, _SHOWN_ON_HOME)
    waiting = await asyncio.to_thread(_waiting_for, site, visit.person)
    lately = await asyncio.to_thread(site.store.newest_jobs, before=LARGEST, limit=_LATELY)
    numbers = {
        job.number: await site.numbers(job, ProcessReport()) for job in at_work if job.state is not JobState.QUEUED
    }
    page = site.pages.render(
        "home",
        visit.session,
        running=[(job, numbers[job.number]) for job in at_work if job.number in numbers],
        line=[job for job in at_work if job.number not in numbers],
        waiting=waiting,
        lately=lately,
    )
    return html(page)


def _waiting_for(site: Site, person: Person) -> list[tuple[WebJob, int]]:
    """Return the jobs that a person may approve, and their own that were rejected or not sent, with the numbers of rows to send."""
    jobs = [
        job
        for job in site.store.jobs_in([*_WAITS_FOR])
        if _WAITS_FOR[job.state] in allowed_actions(job, person, site.settings.target, site.store.makers(job.number))
    ]
    checks = [(job, result_of(site.store.version(job.number, job.version))) for job in jobs]
    return [(job, check.plan.valid if check else 0) for job, check in checks]


def _find_run(site: Site, name: str) -> Run:
    try:
        parse_new_run_id(name)
        run = indexed_run(site.settings.reports, name) or find(site.settings.reports, name)
    except (ValueError, InputRefusedError):
        raise unknown("This run") from None
    if run.metadata.id != name or run.folder.resolve().parent != site.settings.reports.resolve():
        raise unknown("This run")
    return run


async def show_run(site: Site, visit: Visit) -> web.StreamResponse:
    """Show a run that a terminal or a schedule has made."""
    name = visit.request.match_info["run"]
    run = await asyncio.to_thread(_find_run, site, name)
    summary = await asyncio.to_thread(summarize, run)
    is_at_work = await asyncio.to_thread(is_locked, run.folder)
    numbers = await (site.live.present(run.name, ProcessReport()) if is_at_work else site.live.final(run.name))
    if numbers is None:
        raise unknown("The record of this run")
    page = await run_rows(site, visit, run.name)
    files = [(name, path.stat().st_size) for name, path in run_files(run.folder)]
    return html(
        site.pages.render("run", visit.session, run=run, summary=summary, numbers=numbers, page=page, files_there=files)
    )


async def show_run_rows(site: Site, visit: Visit) -> web.StreamResponse:
    """Show the rows of a run, a page at a time."""
    run = await asyncio.to_thread(_find_run, site, visit.request.match_info["run"])
    page = await run_rows(site, visit, run.name)
    if wants_json(visit.request, site.base):
        return json_response({"rows": page["rows"], "next": page["next"]})
    return html(site.pages.render("run_rows", visit.session, run=run, page=page))


async def send_run_file(site: Site, visit: Visit) -> web.StreamResponse:
    """Send a file of a run."""
    run = await asyncio.to_thread(_find_run, site, visit.request.match_info["run"])
    name = visit.request.match_info["name"]
    found = dict(run_files(run.folder))
    if name not in found:
        raise unknown("This file")
    await record_download(site, visit, name)
    return await file_response(found[name], name, f"{run.metadata.id}.{name}")


async def show_help(site: Site, visit: Visit) -> web.StreamResponse:
    """Explain statuses and codes."""
    code = visit.request.match_info.get("code")
    sections = {"": find_entries(code)} if code else help_sections()
    if code and not sections[""]:
        raise unknown(f"The code {code}")
    return html(
        site.pages.render("help", visit.session, sections=sections, code=code or "", name_failed_file=name_failed_file)
    )


async def send_template(_site: Site, visit: Visit) -> web.StreamResponse:
    """Send an empty input file."""
    extension = visit.request.match_info["extension"]
    content = await asyncio.to_thread(_template, extension)
    headers = {"Content-Disposition": content_disposition(f"template.{extension}")}
    return web.Response(body=content, content_type="application/octet-stream", headers=headers)


def _template(extension: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"template.{extension}"
        if extension == "csv":
            template.write_csv(path)
        else:
            template.write_xlsx(path, command="bulkreact run template.xlsx")
        return path.read_bytes()


async def send_static(site: Site, visit: Visit) -> web.StreamResponse:
    """Send a file of ours, which never changes under its address."""
    file = site.pages.static.get(visit.request.match_info["name"])
    if file is None:
        raise unknown("This file")
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "Content-Type": f"{file.content_type}; charset=utf-8",
    }
    return web.Response(body=file.content, headers=headers)


async def say_healthy(_site: Site, _visit: Visit) -> web.StreamResponse:
    """Say that the server answers."""
    return web.Response(text="ok")
