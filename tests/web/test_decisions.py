"""An approval is of one version's bytes, rows, options and target; anything else is not sent."""

import json
from datetime import datetime, timedelta
from errno import ENOSPC
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bulkreact.web.approvals import APPROVED, REJECTED, SAME_PERSON, decide, find_difference
from bulkreact.web.jobs import EventRefusal, Happening, JobEvent, JobState, StopCause, WebJob, step
from bulkreact.web.permissions import Person, Right, Role, allowed_actions, refusal_code
from bulkreact.web.plan_file import OPTION_DEFAULTS, PlanFile
from bulkreact.web.records import Actor, Approval, Version
from bulkreact.web.refusals import RequestRefusedError
from bulkreact.web.site import Site
from bulkreact.web.store import STORE_NAME, RecordStore
from tests.support import web_jobs
from tests.support.web_jobs import NOW
from tests.support.web_page import free_socket, settings_for

BEN = Person("ben", "Ben", (Role.APPROVER,))
JOB = replace(web_jobs.JOB, state=JobState.WAITING, version=2)
VERSION = Version(
    job=1,
    version=2,
    what="replaced",
    by_id="ann",
    by_name="Ann",
    at=NOW,
    file="orders.csv",
    bytes=9,
    sha256="a" * 64,
    options=json.dumps(dict(OPTION_DEFAULTS)),
    digest="b" * 64,
)
AGREED = decide(JOB, VERSION, PlanFile(valid=3, customers=2), BEN, APPROVED, comment="", at=NOW)


def difference(approval: Approval | None, *, options: str = VERSION.options, **changed: str) -> str | None:
    """Return what is not as it was approved."""
    found = {"file_sha256": "a" * 64, "plan_digest": "b" * 64, "target": "simulated"} | changed
    return find_difference(approval, replace(VERSION, options=options), **found)


def test_what_was_approved_is_sent_as_it_is() -> None:
    same_person = replace(AGREED, decision=SAME_PERSON)
    assert (difference(AGREED), difference(same_person)) == (None, None)
    assert (AGREED.rows, AGREED.customers, AGREED.person_id) == (3, 2, "ben")


@pytest.mark.parametrize("decision", [None, REJECTED])
def test_what_nobody_has_approved_is_not_sent(decision: str | None) -> None:
    approval = replace(AGREED, decision=decision) if decision else None
    assert difference(approval) == "nobody has approved it"


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"file_sha256": "0" * 64}, "the file has changed"),
        ({"file_sha256": ""}, "the file has changed"),
        ({"plan_digest": "0" * 64}, "what the rows say has changed"),
        ({"options": json.dumps({**OPTION_DEFAULTS, "restore_auto_renew": "yes"})}, "an option has changed"),
        ({"target": "https://api.partnercenter.microsoft.com"}, "the target has changed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_was_changed_after_its_approval_is_not_sent(changed: dict[str, str], what: str) -> None:
    assert difference(AGREED, **changed) == what


@pytest.mark.parametrize("event", [JobEvent.APPROVED, JobEvent.REJECTED, JobEvent.WITHDRAWN, JobEvent.REPLACED])
def test_what_a_person_does_is_done_to_the_version_that_they_saw(event: JobEvent) -> None:
    seen, other = [Happening(event=event, now=NOW, version=version, run_id="run") for version in (2, 1)]
    assert isinstance(step(JOB, seen), WebJob)
    assert step(JOB, other) == EventRefusal(JobState.WAITING, event)


@given(st.sets(st.sampled_from(Role)), st.sets(st.sampled_from(["ann", "ben", "cleo"])))
def test_nobody_who_had_a_hand_in_a_job_approves_it(roles: set[Role], makers: set[str]) -> None:
    ben = Person("ben", "Ben", tuple(roles))
    offered = {"approve", "reject"} & set(allowed_actions(JOB, ben, "simulated", makers))
    may = Role.APPROVER in roles and "ben" not in makers
    assert (offered == {"approve", "reject"}, refusal_code(ben, Right.APPROVE, JOB, makers) is None) == (may, may)


@pytest.mark.parametrize(
    ("people", "may"), [(("ann",), True), (("ben",), False), (("ann", "ben"), False), (("ben", "ann"), False)]
)
def test_an_uploader_does_not_continue_what_somebody_else_has_stopped_as_well(
    people: tuple[str, ...], may: bool
) -> None:
    presses = [Happening(event=JobEvent.STOP, now=NOW, person=person) for person in people]
    end = Happening(event=JobEvent.ENDED, now=NOW, exit_code=143)
    stopped = reduce(happened, [*presses, end], replace(JOB, state=JobState.RUNNING, run_id="run"))
    ann = Person("ann", "Ann", (Role.UPLOADER,))
    assert stopped.cause is StopCause.PERSON
    assert ("continue" in allowed_actions(stopped, ann, "simulated", ())) == may


def happened(job: WebJob, happening: Happening) -> WebJob:
    """Return a job after an event that is possible."""
    after = step(job, happening)
    assert isinstance(after, WebJob)
    return after


def test_an_approval_that_has_lapsed_leaves_nothing_of_its_run() -> None:
    queued = happened(JOB, Happening(event=JobEvent.APPROVED, now=NOW, run_id="run"))
    lapsed = happened(queued, Happening(event=JobEvent.LAPSED, now=NOW))
    assert (lapsed.state, lapsed.run_id, lapsed.queued_at) == (JobState.WAITING, None, "")


@pytest.mark.parametrize(
    ("after", "states"),
    [
        (timedelta(days=7), ["waiting", "stopped"]),
        (timedelta(days=7, milliseconds=1), ["waiting", "waiting"]),
        (timedelta(days=14), ["waiting", "waiting"]),
        (timedelta(days=14, milliseconds=1), ["expired", "waiting"]),
    ],
    ids=str,
)
async def test_requests_expire_and_approvals_lapse(tmp_path: Path, after: timedelta, states: list[str]) -> None:
    with free_socket() as listener:
        site = Site(settings_for(tmp_path, listener), print, now=lambda: datetime.fromisoformat(NOW) + after)
        for number in (1, 2):
            made = replace(VERSION, job=number)
            site.store.create_job(JOB, lambda _number, _version, made=made: made, Actor())
        approved = Happening(event=JobEvent.APPROVED, now=NOW, run_id="run")
        site.store.change(2, approved, Actor(), approval=replace(AGREED, job=2))
        # A job that is still to be run has no file here, and is refused for that.
        await site.queue.look()
        jobs = [site.store.job(number) for number in (1, 2)]
        site.store.close()
    assert [job.state for job in jobs if job] == states


def test_an_approval_that_cannot_be_written_beside_its_file_is_none(tmp_path: Path) -> None:
    def publish(_head: str) -> None:
        raise OSError(ENOSPC, "No space left on device")

    store = RecordStore(tmp_path / STORE_NAME)
    store.create_job(JOB, lambda _number, _version: VERSION, Actor())
    approved = Happening(event=JobEvent.APPROVED, now=NOW, run_id="run")
    with pytest.raises(RequestRefusedError, match="No space left"):
        store.change(1, approved, Actor(), approval=AGREED, publish=publish)
    job, approval, events = store.job(1), store.latest_approval(1, 2), [line.event for line in store.audit_lines()]
    store.close()
    assert (job, approval, events) == (JOB, None, ["uploaded"])


def test_whoever_made_what_a_retry_takes_its_rows_from_had_a_hand_in_it(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / STORE_NAME)
    for number, (retry_of, maker) in enumerate([(None, "Cleo"), (1, "Ann"), (2, "Ben")], 1):
        job = replace(JOB, version=1, state=JobState.CHECKING, retry_of=retry_of)
        made = replace(VERSION, version=1, job=number, what="uploaded", by_id=maker.lower(), by_name=maker)
        store.create_job(job, lambda _number, _version, made=made: made, Actor())
    makers = [store.makers(number) for number in (1, 2, 3)]
    store.close()
    assert makers == [{"cleo": "Cleo"}, {"ann": "Ann", "cleo": "Cleo"}, {"ann": "Ann", "ben": "Ben", "cleo": "Cleo"}]
