"""The pages, JSON and files of a job."""

import asyncio

from aiohttp import web

from bulkreact.web.audit_events import record_download
from bulkreact.web.downloads import file_response, job_files, save_name
from bulkreact.web.page_request import Visit, json_response, wants_json
from bulkreact.web.plan_file import FIELD_OF_REFUSAL
from bulkreact.web.refusals import unknown
from bulkreact.web.row_pages import job_rows
from bulkreact.web.site import Site
from bulkreact.web.views import (
    describe_group,
    describe_retry,
    job_document,
    live_document,
)


def html(page: str) -> web.Response:
    """Return a page."""
    return web.Response(text=page, content_type="text/html")


async def show_job(site: Site, visit: Visit) -> web.StreamResponse:
    """Show a job, by its state."""
    view = await site.view(visit.job, visit.person)
    document = job_document(view)
    if wants_json(visit.request, site.base):
        return json_response(document)
    live = live_document(view) if view.job.is_active else None
    rows = None
    if view.numbers and view.job.run_id and not view.job.is_active:
        # What needs attention is what people look for.
        show = "attention" if view.numbers.attention else "all"
        rows = await job_rows(site, visit, view.job, show=show)
    page = site.pages.render(
        "job",
        visit.session,
        view=view,
        job=view.job,
        document=document,
        live=live,
        page=rows,
        refused_field=FIELD_OF_REFUSAL.get(view.refused.code, "") if view.refused else "",
        describe_group=describe_group,
        describe_retry=describe_retry,
    )
    return html(page)


async def show_stop(site: Site, visit: Visit) -> web.StreamResponse:
    """Ask whether a run is to be stopped."""
    return html(site.pages.render("stop", visit.session, job=visit.job))


async def show_live(site: Site, visit: Visit) -> web.StreamResponse:
    """Return what changes while a run is made; nothing if that is what the program has already."""
    answer = await site.live_answers.get(int(visit.request.match_info["number"]))
    if any(known.value == answer.tag for known in visit.request.if_none_match or ()):
        response = web.Response(status=304)
    else:
        response = web.Response(text=answer.text, content_type="application/json")
    response.etag = answer.tag
    return response


async def show_rows(site: Site, visit: Visit) -> web.StreamResponse:
    """Show the rows of a job, a page at a time."""
    page = await job_rows(site, visit, visit.job)
    if wants_json(visit.request, site.base):
        return json_response({"rows": page["rows"], "next": page["next"]})
    return html(site.pages.render("rows", visit.session, job=visit.job, page=page))


async def send_file(site: Site, visit: Visit) -> web.StreamResponse:
    """Send a file of a job."""
    name, job = visit.request.match_info["name"], visit.job
    versions = await asyncio.to_thread(site.store.versions, job.number)
    version = versions[-1]
    found = dict(await asyncio.to_thread(job_files, job, version, site.folders, site.settings.reports))
    if name not in found:
        raise unknown("This file")
    await record_download(site, visit, name, job)
    return await file_response(found[name], name, save_name(job.name, name))
