"""The actions by which a job is sent on its way: submit, approve and reject."""

import asyncio

from bulkreact.runs.store import new_id
from bulkreact.timestamps import iso_milliseconds
from bulkreact.web.approvals import APPROVED, REJECTED, SAME_PERSON, decide, describe_decision
from bulkreact.web.downloads import write_approval
from bulkreact.web.file_checks import result_of
from bulkreact.web.job_actions import (
    COMMENT,
    NOTE,
    change_job,
    present_version,
    raise_refusal,
    refuse_without_file,
    stale,
)
from bulkreact.web.jobs import Happening, JobEvent
from bulkreact.web.page_request import Visit
from bulkreact.web.plan_file import PlanFile
from bulkreact.web.records import Version
from bulkreact.web.refusals import RequestRefusedError, bad_field
from bulkreact.web.site import Site


async def submit(site: Site, visit: Visit) -> None:
    """Ask for approval of a job; where none is needed put it into the line of runs."""
    job, form = visit.job, visit.form
    version = await present_version(site, visit, JobEvent.SUBMITTED)
    refuse_without_file(site, version)
    plan = _plan(version)
    if not plan.valid:
        raise RequestRefusedError("wrong-state", f"No. {job.number} has no row that could be sent.")
    same = await asyncio.to_thread(site.same_rows, job, version.digest)
    if same and (same[0].is_open or form.get("again") != "yes"):
        advice = "" if same[0].is_open else " To send them again all the same, say so beside the button."
        raise RequestRefusedError("same-rows", same[0].message + advice, field="again")
    if site.settings.needs_approval(plan.valid):
        await change_job(site, visit, JobEvent.REQUESTED, note=form.text("note", NOTE))
    else:
        await _decide(site, visit, version, JobEvent.SUBMITTED, SAME_PERSON, form.text("note", NOTE))


async def approve(site: Site, visit: Visit) -> None:
    """Agree to what another person wants to send."""
    version = await _version_shown(site, visit, JobEvent.APPROVED)
    refuse_without_file(site, version)
    await _decide(site, visit, version, JobEvent.APPROVED, APPROVED, visit.form.text("comment", COMMENT))


async def reject(site: Site, visit: Visit) -> None:
    """Refuse what another person wants to send, and say why."""
    version = await _version_shown(site, visit, JobEvent.REJECTED)
    comment = visit.form.text("comment", COMMENT)
    if not comment:
        raise bad_field("comment", "Say why, so that it can be corrected.")
    await _decide(site, visit, version, JobEvent.REJECTED, REJECTED, comment)


async def _version_shown(site: Site, visit: Visit, event: JobEvent) -> Version:
    """Return the version that the form is about; refuse it unless its bytes and rows are those that the page showed."""
    version = await present_version(site, visit, event)
    for name, value in (("sha256", version.sha256), ("digest", version.digest)):
        given = visit.form.get(name)
        if given is None:
            raise bad_field(name, f"The form does not say which {name} it is about. Load the page again.")
        if given != value:
            raise stale(site, version)
    return version


async def _decide(site: Site, visit: Visit, version: Version, event: JobEvent, decision: str, comment: str) -> None:
    job, now = visit.job, site.now()
    approval = decide(job, version, _plan(version), visit.person, decision, comment=comment, at=iso_milliseconds(now))
    makers = await asyncio.to_thread(site.store.makers, job.number)

    def publish(head: str) -> None:
        if decision != REJECTED:
            write_approval(site.folders.version(job.number, job.version), approval, list(makers.values()), head)

    happening = Happening(
        event=event,
        now=approval.at,
        version=job.version,
        person=visit.person.id,
        run_id=new_id(job.name, now),
        note=comment if decision == SAME_PERSON else "",
    )
    changed = await asyncio.to_thread(
        site.store.change,
        job.number,
        happening,
        visit.actor,
        detail=describe_decision(approval),
        approval=approval,
        publish=publish,
    )
    raise_refusal(job.number, changed)
    site.inform(f"No. {job.number}: {decision}; the audit trail's head is {site.store.audit_head()}")
    site.queue.wake()


def _plan(version: Version) -> PlanFile:
    result = result_of(version)
    return result.plan if result else PlanFile()
