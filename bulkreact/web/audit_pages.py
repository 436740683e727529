"""The audit trail, of one job or the whole of it."""

import asyncio

from aiohttp import web

from bulkreact.web.job_pages import html
from bulkreact.web.page_request import LARGEST, Visit, json_response, wants_json
from bulkreact.web.site import Site

_PER_PAGE = 200
_MEMBERS = ("number", "at", "person", "version", "event", "detail")


async def show_trail(site: Site, visit: Visit) -> web.StreamResponse:
    """Show what happened, and by whom: to a job, or everything, with the head of the trail."""
    job, after = visit.loaded, visit.number("after", default=0, most=LARGEST)
    number = job.number if job else None
    lines = await asyncio.to_thread(site.store.audit_lines, job=number, after=after, limit=_PER_PAGE + 1)
    has_more, lines = len(lines) > _PER_PAGE, lines[:_PER_PAGE]
    following = lines[-1].number if has_more else None
    whole: dict[str, object] = {} if job else {"head": await asyncio.to_thread(site.store.audit_head)}
    if wants_json(visit.request, site.base):
        names = _MEMBERS if job else (*_MEMBERS, "job")
        events = [{name: getattr(line, name) for name in names} for line in lines]
        return json_response({"events": events, "next": following, **whole})
    return html(site.pages.render("audit", visit.session, job=job, lines=lines, next=following, **whole))
