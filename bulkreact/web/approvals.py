"""Decisions on a version of a job: what they are about, how long they hold, and what is no longer as it was. No I/O."""

from datetime import datetime, timedelta
from hashlib import sha256

from bulkreact.timestamps import iso_milliseconds
from bulkreact.web.jobs import WebJob
from bulkreact.web.permissions import Person
from bulkreact.web.plan_file import PlanFile
from bulkreact.web.records import Approval, Version

SAME_PERSON, APPROVED, REJECTED = "same person", "approved", "rejected"
# How long a job waits for its approval, and how long an approval waits for its run.
WAITS_FOR = timedelta(days=14)
HOLDS_FOR = timedelta(days=7)


def decide(
    job: WebJob, version: Version, plan: PlanFile, person: Person, decision: str, *, comment: str, at: str
) -> Approval:
    """Return a person's decision on a version: on its bytes, its rows, all its options and its target."""
    return Approval(
        job=job.number,
        version=version.version,
        sha256=version.sha256,
        digest=version.digest,
        options_sha256=sha256(version.options.encode()).hexdigest(),
        target=job.target,
        rows=plan.valid,
        customers=plan.customers,
        person_id=person.id,
        person=person.name,
        decision=decision,
        comment=comment,
        at=at,
    )


def describe_decision(approval: Approval) -> str:
    """Return a decision for the trail: what it is bound to, or why nothing is to be sent."""
    if approval.decision == REJECTED:
        return approval.comment
    first = f"approved_by: {SAME_PERSON}" if approval.decision == SAME_PERSON else ""
    bound = f"sha256: {approval.sha256}; digest: {approval.digest}; options: {approval.options_sha256}"
    # A comment comes last: it cannot pass for what the decision is bound to.
    return "; ".join(filter(None, [first, bound, "" if first else approval.comment]))


def find_difference(
    approval: Approval | None, version: Version, *, file_sha256: str, plan_digest: str, target: str
) -> str | None:
    """Return what is about to be sent otherwise than it was approved, None if all is as it was."""
    if approval is None or approval.decision not in {SAME_PERSON, APPROVED}:
        return "nobody has approved it"
    options = sha256(version.options.encode()).hexdigest()
    found = {
        "the file": (approval.sha256, file_sha256),
        "what the rows say": (approval.digest, plan_digest),
        "an option": (approval.options_sha256, options),
        "the target": (approval.target, target),
    }
    return next((f"{what} has changed" for what, (before, now) in found.items() if before != now), None)


def still_holds(approval: Approval, now: datetime) -> bool:
    """Return whether what was agreed to may still be sent, as far as it was not."""
    return approval.decision != REJECTED and not is_over(approval.at, HOLDS_FOR, now)


def is_over(since: str, duration: timedelta, now: datetime) -> bool:
    """Return whether a time began so long ago."""
    return since < iso_milliseconds(now - duration)
