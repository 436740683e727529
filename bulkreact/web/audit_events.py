"""Records in the trail what changes no job: refused requests, downloads, and what is done in the settings."""

import asyncio
from contextlib import suppress

from aiohttp import hdrs, web

from bulkreact.timestamps import iso_milliseconds
from bulkreact.web.jobs import WebJob
from bulkreact.web.page_request import Visit, route_of
from bulkreact.web.records import Actor
from bulkreact.web.refusals import RequestRefusedError
from bulkreact.web.site import Site

# What only a person or a page does that may not do it; everything else people do by mistake.
_RECORDED = frozenset({"cross-site", "bad-token", "no-right", "own-work"})


async def record_refusal(site: Site, request: web.Request, refusal: RequestRefusedError, actor: Actor | None) -> None:
    """Record that somebody was refused what they may not do, only so often that they cannot fill the disk."""
    route = route_of(request).removeprefix(site.base)
    is_attempt = actor or refusal.actor or refusal.code == "bad-token" or route.startswith("/auth/")
    if refusal.code not in _RECORDED or not is_attempt or site.refusals.wait_for(request.remote or "", site.clock()):
        return
    number = request.match_info.get("number") if "/jobs/{" in route else None
    job = await asyncio.to_thread(site.store.job, int(number)) if number else None
    who = refusal.actor or actor or Actor(name="unknown", address=request.remote or "")
    await record(site, who, "refused", f"{refusal.code}: {route}", job)


async def record_download(site: Site, visit: Visit, name: str, job: WebJob | None = None) -> None:
    """Record that somebody gets a file, of a job or of a run made elsewhere; to look at its headers is nothing."""
    if visit.request.method == hdrs.METH_GET:
        await record(site, visit.actor, "downloaded", name, job)


async def record(site: Site, actor: Actor, event: str, detail: str, job: WebJob | None = None) -> None:
    """Append to the trail; where nothing can be written, pages can still be read."""
    with suppress(RequestRefusedError):
        await asyncio.to_thread(site.store.audit, actor, event, detail, iso_milliseconds(site.now()), job=job)
