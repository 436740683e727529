"""The actions on the run of a job: stop, continue, and look at its rows again."""

import asyncio

from bulkreact.web import run_watch
from bulkreact.web.job_actions import COMMENT, change_job, present_version
from bulkreact.web.jobs import JobEvent
from bulkreact.web.page_request import Visit
from bulkreact.web.site import Site


async def stop(site: Site, visit: Visit) -> None:
    """Ask a run to let its calls end and stop."""
    await present_version(site, visit, JobEvent.STOP)
    await change_job(site, visit, JobEvent.STOP, detail=visit.form.text("comment", COMMENT))
    await asyncio.to_thread(run_watch.ask_to_stop, site.folders.control(visit.job.number))


async def stop_now(site: Site, visit: Visit) -> None:
    """Ask a run to stop at once."""
    await present_version(site, visit, JobEvent.STOP_NOW)
    await change_job(site, visit, JobEvent.STOP_NOW, detail="at once")
    await asyncio.to_thread(run_watch.ask_to_stop, site.folders.control(visit.job.number), at_once=True)


async def continue_run(site: Site, visit: Visit) -> None:
    """Put a stopped run into the line again, or let it wait for approval if that of its first part is too old."""
    event = await asyncio.to_thread(site.queue.event_of_continuing, visit.job)
    await _queue(site, visit, JobEvent.CONTINUED, event)


async def verify(site: Site, visit: Visit) -> None:
    """Let a process read how the rows of a run stand now; nothing is sent."""
    await _queue(site, visit, JobEvent.VERIFY, JobEvent.VERIFY)


async def _queue(site: Site, visit: Visit, pressed: JobEvent, event: JobEvent) -> None:
    await present_version(site, visit, pressed)
    await change_job(site, visit, event)
    site.queue.wake()
