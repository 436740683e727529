"""The pages, JSON and files of a job."""

import asyncio
from contextlib import suppress

from aiohttp import hdrs, web

from bulkreact.batch.journal.kept_rows import KeptRows
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.row_pages import RowFilter
from bulkreact.errors import JournalUnreadableError
from bulkreact.sheets.output.results_xlsx import failed_file_in
from bulkreact.timestamps import iso_milliseconds
from bulkreact.web.downloads import file_response, job_files, save_name
from bulkreact.web.file_checks import result_of
from bulkreact.web.jobs import WebJob
from bulkreact.web.page_request import Visit, json_response, wants_json
from bulkreact.web.plan_file import FIELD_OF_REFUSAL
from bulkreact.web.refusals import RequestRefusedError, bad_field, unknown
from bulkreact.web.site import Site
from bulkreact.web.views import (
    Document,
    checked_row,
    describe_retry,
    job_document,
    live_document,
    problem_text,
    result_row,
)

_PER_PAGE, _MOST_PER_PAGE = 50, 500
_LARGEST = 2**53
_BEFORE_RUN = ("problems", "sent", "duplicates", "all")
_AFTER_RUN: dict[str, bool | None] = {"all": None, "attention": False, "well": True}
_AUDIT_LINES = 500


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
        rows = await run_rows(site, visit, view.job.run_id, show=show)
    page = site.pages.render(
        "job",
        visit.session,
        view=view,
        document=document,
        live=live,
        page=rows,
        refused_field=FIELD_OF_REFUSAL.get(view.refused.code, "") if view.refused else "",
        problem_text=problem_text,
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
    response.headers[hdrs.CACHE_CONTROL] = "no-cache, private"
    return response


async def show_rows(site: Site, visit: Visit) -> web.StreamResponse:
    """Show the rows of a job, a page at a time."""
    page = await _rows(site, visit, visit.job)
    if wants_json(visit.request, site.base):
        return json_response({"rows": page["rows"], "next": page["next"]})
    return html(site.pages.render("rows", visit.session, job=visit.job, page=page))


async def _rows(site: Site, visit: Visit, job: WebJob) -> Document:
    if job.run_id and (site.settings.reports / job.run_id).is_dir():
        return await run_rows(site, visit, job.run_id)
    if job.retry_of and (parent := await asyncio.to_thread(site.store.job, job.retry_of)):
        # Until its own run is there it has the rows of the other one.
        return await run_rows(site, visit, parent.run_id or "", show="attention")
    versions = await asyncio.to_thread(site.store.versions, job.number)
    result = result_of(versions[-1])
    show = visit.query("show") or "problems"
    if show not in _BEFORE_RUN:
        raise bad_field("show", f"show is one of: {', '.join(_BEFORE_RUN)}.")
    if result is None:
        return _page(visit, [], None, show, _BEFORE_RUN)
    after, per = keyset(visit)
    folder = site.folders.version(job.number, job.version)
    values = {"code": visit.query("code"), "customer": visit.query("customer").lower(), "text": visit.query("q")}

    def read() -> list[tuple[int, Document]]:
        with KeptRows(folder) as rows:
            page = rows.page(show, **values, after=after, limit=per + 1)
        return [(row.ordinal, checked_row(row, result.plan.header)) for row in page]

    return _page(visit, await asyncio.to_thread(read), per, show, _BEFORE_RUN)


async def run_rows(site: Site, visit: Visit, run_id: str, *, show: str = "all") -> Document:
    """Return a page of the rows of a run; ``show`` is what the address does not say."""
    show = visit.query("show") or show
    if show not in _AFTER_RUN:
        raise bad_field("show", f"show is one of: {', '.join(_AFTER_RUN)}.")
    after, per = keyset(visit)
    row_filter = RowFilter(
        visit.query("status"),
        visit.query("code"),
        visit.query("customer").lower(),
        visit.query("q"),
        _AFTER_RUN[show],
    )

    def read() -> list[tuple[int, Document]]:
        folder = site.settings.reports / run_id
        with JournalReader(folder) as journal:
            header = journal.metadata.header
            page = journal.result_page(row_filter, after=after, limit=per + 1)
        failed_file = failed_file_in(folder)
        return [(row.ordinal, result_row(row, header, failed_file)) for row in page]

    try:
        return _page(visit, await asyncio.to_thread(read), per, show, tuple(_AFTER_RUN))
    except (JournalUnreadableError, OSError):
        return _page(visit, [], None, show, tuple(_AFTER_RUN))


def keyset(visit: Visit, default: int = _PER_PAGE) -> tuple[int, int]:
    """Return after which row a page begins, and how many rows it has."""
    per = visit.number("per", default=default, most=_MOST_PER_PAGE)
    if per < 1:
        raise bad_field("per", f"per is a number from 1 to {_MOST_PER_PAGE}.")
    return visit.number("after", default=0, most=_LARGEST), per


def _page(
    visit: Visit, rows: list[tuple[int, Document]], per: int | None, show: str, shows: tuple[str, ...]
) -> Document:
    has_more = per is not None and len(rows) > per
    shown = rows[:per]
    return {
        "rows": [document for _, document in shown],
        "next": shown[-1][0] if has_more else None,
        "show": show,
        "shows": shows,
        "has_run": "attention" in shows,
        "query": {name: visit.query(name) for name in ("status", "code", "customer", "q", "per")},
    }


async def show_audit(site: Site, visit: Visit) -> web.StreamResponse:
    """Show what happened to a job, and by whom."""
    after = visit.number("after", default=0, most=_LARGEST)
    lines = await asyncio.to_thread(site.store.audit_lines, job=visit.job.number, after=after, limit=_AUDIT_LINES + 1)
    has_more, lines = len(lines) > _AUDIT_LINES, lines[:_AUDIT_LINES]
    if wants_json(visit.request, site.base):
        names = ("number", "at", "person", "version", "event", "detail")
        events = [{name: getattr(line, name) for name in names} for line in lines]
        return json_response({"events": events, "next": lines[-1].number if has_more else None})
    return html(site.pages.render("audit", visit.session, job=visit.job, lines=lines))


async def send_file(site: Site, visit: Visit) -> web.StreamResponse:
    """Send a file of a job."""
    name, job = visit.request.match_info["name"], visit.job
    versions = await asyncio.to_thread(site.store.versions, job.number)
    version = versions[-1]
    found = dict(await asyncio.to_thread(job_files, job, version, site.folders, site.settings.reports))
    if name not in found:
        raise unknown("This file")
    if visit.request.method == hdrs.METH_GET:
        now = iso_milliseconds(site.now())
        with suppress(RequestRefusedError):
            await asyncio.to_thread(site.store.audit, visit.actor, "downloaded", name, now, job=job)
    return await file_response(found[name], name, save_name(job.name, name))
