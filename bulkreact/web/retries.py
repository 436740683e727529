"""Retries: jobs of their own that send rows of an ended run again, under the request ids that these rows have."""

import asyncio
from pathlib import Path

from msgspec import json
from msgspec.structs import replace

from bulkreact.atomic_write import replacing_bytes
from bulkreact.errors import AlreadyRunningError, InputRefusedError, JournalUnreadableError
from bulkreact.runs.retry_selection import RetryRows, preview_retry
from bulkreact.runs.run_record import read_run
from bulkreact.runs.store import new_id
from bulkreact.timestamps import iso_milliseconds
from bulkreact.web.approvals import SAME_PERSON, decide, still_holds
from bulkreact.web.downloads import PLAN_NAME, write_approval
from bulkreact.web.file_checks import CUSTOMERS, options_of, result_of
from bulkreact.web.job_actions import present_version, refuse_without_file
from bulkreact.web.jobs import EventRefusal, JobEvent, JobState, WebJob
from bulkreact.web.page_request import Visit
from bulkreact.web.permissions import Person
from bulkreact.web.plan_file import ALL_FAILED, FileCheck, PlanFile
from bulkreact.web.records import Approval, Version
from bulkreact.web.refusals import RequestRefusedError, bad_field
from bulkreact.web.site import Site
from bulkreact.wording import plural

_encode = json.Encoder().encode


async def retry(site: Site, visit: Visit) -> tuple[int, str]:
    """Make a job of those rows of a run that another attempt may settle, or of all that failed."""
    parent = visit.job
    given = await present_version(site, visit, JobEvent.RETRIED)
    refuse_without_file(site, given)
    all_failed = visit.form.get("all_failed") or ""
    if all_failed not in {"", "yes"}:
        raise bad_field("all_failed", "all_failed is yes, or left out.")
    check = await asyncio.to_thread(_check, site, parent, given, all_failed=bool(all_failed))
    version = _version(visit.person, given, check, all_failed, iso_milliseconds(site.now()))
    approval = await asyncio.to_thread(_approval, site, parent, version, check.plan, visit.person)

    def make(number: int, first: int, /) -> Version:
        site.folders.copy_file(number, first, site.folders.input(parent.number, given.version, given.file))
        with replacing_bytes(site.folders.version(number, first) / PLAN_NAME, private=True) as file:
            file.write(_encode(check.plan))
        return replace(version, job=number)

    def publish(created: WebJob, head: str) -> None:
        if approval:
            folder, makers = site.folders.version(created.number, created.version), site.store.makers(created.number)
            write_approval(folder, replace(approval, job=created.number), list(makers.values()), head)

    what = "all that failed" if all_failed else "those that may succeed now"
    created = await asyncio.to_thread(
        site.store.create_retry,
        _job(parent, version, new_id(parent.name, site.now()) if approval else None),
        make,
        visit.actor,
        detail=f"{plural(check.plan.valid, 'row')} of No. {parent.number}: {what}",
        approval=approval,
        publish=publish,
    )
    if isinstance(created, EventRefusal):
        raise _sent_already()
    site.queue.wake()
    return 201, f"{site.base}/jobs/{created.number}"


def _job(parent: WebJob, version: Version, run_id: str | None) -> WebJob:
    """Return a retry: in the line if it has the id of its run, else it waits for approval."""
    return WebJob(
        number=0,
        state=JobState.QUEUED if run_id else JobState.WAITING,
        target=parent.target,
        name=parent.name,
        note="",
        by_id=version.by_id,
        by_name=version.by_name,
        created_at=version.at,
        changed_at=version.at,
        run_id=run_id,
        queued_at=version.at if run_id else "",
        retry_of=parent.number,
    )


def _check(site: Site, parent: WebJob, given: Version, *, all_failed: bool) -> FileCheck:
    """Return what a retry would send, in the form of a check; RequestRefusedError if that is nothing."""
    rows = _preview(site.settings.reports / (parent.run_id or ""), all_failed=all_failed)
    number = rows.customers.total()
    if not number:
        since = f" Other runs have reactivated {plural(rows.reactivated, 'row')} since." if rows.reactivated else ""
        raise RequestRefusedError("wrong-state", f"No. {parent.number} has no rows that would be sent again.{since}")
    plan = PlanFile(
        rows=number,
        valid=number,
        customers=len(rows.customers),
        kinds=dict(rows.kinds),
        customer_names=checked.plan.customer_names if (checked := result_of(given)) else {},
        digest=rows.digest,
        sha256=given.sha256,
    )
    return FileCheck(plan, (), rows.customers.most_common(CUSTOMERS), None, 0)


def _preview(folder: Path, *, all_failed: bool) -> RetryRows:
    try:
        return preview_retry(read_run(folder), folder.parent, all_failed=all_failed)
    except (JournalUnreadableError, OSError):
        raise RequestRefusedError(
            "wrong-state", "The record of its run cannot be read. Ask an administrator."
        ) from None
    except (InputRefusedError, AlreadyRunningError):
        raise _sent_already() from None


def _sent_already() -> RequestRefusedError:
    return RequestRefusedError("wrong-state", "Its rows are being sent again already: wait for that, or continue it.")


def _version(person: Person, given: Version, check: FileCheck, all_failed: str, now: str) -> Version:
    """Return the version of a retry: the same file, read in the same way."""
    options = {name: value for name, value in options_of(given).items() if name != ALL_FAILED}
    return replace(
        given,
        version=1,
        what="uploaded",
        by_id=person.id,
        by_name=person.name,
        at=now,
        options=_encode(options | ({ALL_FAILED: all_failed} if all_failed else {})).decode(),
        digest=check.plan.digest,
        checked=_encode(check).decode(),
        remark="",
    )


def _approval(site: Site, parent: WebJob, version: Version, plan: PlanFile, person: Person) -> Approval | None:
    """Return the approval under which a retry is sent, None if it needs one of its own."""
    first = site.store.latest_approval(parent.number, parent.version)
    if not site.settings.needs_approval(plan.valid):
        return decide(parent, version, plan, person, SAME_PERSON, comment="", at=version.at)
    if options_of(version).get(ALL_FAILED) or first is None or not still_holds(first, site.now()):
        return None
    # It sends nothing that was not approved, and does not make the approval younger.
    approver = Person(first.person_id, first.person, ())
    comment = f"As a part of No. {parent.number}"
    return decide(parent, version, plan, approver, first.decision, comment=comment, at=first.at)
