"""No sequence of events leads a job out of its table, and every end has its cause."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bulkreact.web.jobs import (
    TRANSITIONS,
    EventRefusal,
    Happening,
    JobActivity,
    JobEvent,
    JobState,
    StopCause,
    WebJob,
    step,
)
from bulkreact.web.permissions import ACTIONS, Person, Role, allowed_actions, has_right
from tests.support.web_jobs import JOB, NOW

EVENTS = st.lists(st.tuples(st.sampled_from(JobEvent), st.none() | st.integers(-15, 255)), max_size=40)


@given(EVENTS)
def test_every_sequence_of_events_keeps_to_the_table(events: list[tuple[JobEvent, int | None]]) -> None:
    job = JOB
    for event, code in events:
        after = step(job, Happening(event=event, now=NOW, person="ann", exit_code=code, run_id="run"))
        if isinstance(after, EventRefusal):
            assert event not in TRANSITIONS[job.state] or job.cause is StopCause.REFUSED
            continue
        assert not job.is_verifying or after.state in {JobState.STOPPING, JobState.FINISHED}
        expected = {TRANSITIONS[job.state][event]} | ({JobState.FINISHED} if event is JobEvent.ENDED else set())
        # What was sent in part is never withdrawn, and no other file takes its place.
        assert not job.waits_to_continue or after.run_id == job.run_id
        expected |= {JobState.STOPPED} if job.waits_to_continue else set()
        assert after.state in expected
        assert (after.cause is not None) == (after.state is JobState.STOPPED)
        assert after.run_id or after.state not in {JobState.QUEUED, JobState.RUNNING, JobState.STOPPED}
        assert after.version >= job.version
        job = after


def test_what_is_over_stays_so() -> None:
    over = [state for state, events in TRANSITIONS.items() if not events]
    assert over == [JobState.WITHDRAWN, JobState.EXPIRED]


@pytest.mark.parametrize(
    ("code", "stop_by", "expected"),
    [
        (0, "", (JobState.FINISHED, None)),
        (1, "ann", (JobState.FINISHED, None)),
        (2, "", (JobState.STOPPED, StopCause.REFUSED)),
        (3, "", (JobState.STOPPED, StopCause.CREDENTIALS)),
        (4, "ann", (JobState.STOPPED, StopCause.THRESHOLD)),
        (5, "", (JobState.STOPPED, StopCause.BUSY)),
        (70, "", (JobState.STOPPED, StopCause.BUG)),
        (74, "", (JobState.STOPPED, StopCause.DISK)),
        (75, "", (JobState.STOPPED, StopCause.OUTAGE)),
        (130, "", (JobState.STOPPED, StopCause.SYSTEM)),
        (143, "", (JobState.STOPPED, StopCause.SYSTEM)),
        (143, "ann", (JobState.STOPPED, StopCause.PERSON)),
        (None, "", (JobState.STOPPED, StopCause.SYSTEM)),
        (None, "ann", (JobState.STOPPED, StopCause.PERSON)),
    ],
)
def test_an_exit_code_has_its_cause(
    code: int | None, stop_by: str, expected: tuple[JobState, StopCause | None]
) -> None:
    running = replace(JOB, state=JobState.RUNNING, run_id="run", stop_by=stop_by)
    after = step(running, Happening(event=JobEvent.ENDED, now=NOW, exit_code=code))
    assert isinstance(after, WebJob)
    assert (after.state, after.cause) == expected


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (1, 1), (3, 1), (5, 1), (75, 1), (143, 1), (None, 1)])
def test_a_look_that_fails_leaves_its_run_finished(code: int | None, expected: int) -> None:
    finished = replace(JOB, state=JobState.FINISHED, run_id="run", exit_code=1)
    looking = step(finished, Happening(event=JobEvent.VERIFY, now=NOW))
    assert isinstance(looking, WebJob)
    assert (looking.state, looking.activity) == (JobState.RUNNING, JobActivity.VERIFYING)
    stopping = step(looking, Happening(event=JobEvent.STOP, now=NOW, person="ann"))
    assert isinstance(stopping, WebJob)
    for before in (looking, stopping):
        after = step(before, Happening(event=JobEvent.ENDED, now=NOW, exit_code=code))
        assert isinstance(after, WebJob)
        assert (after.state, after.exit_code) == (JobState.FINISHED, expected)


@pytest.mark.parametrize("event", [JobEvent.REJECTED, JobEvent.EXPIRED])
def test_a_rest_that_nobody_approves_stays_stopped(event: JobEvent) -> None:
    stopped = replace(JOB, state=JobState.STOPPED, run_id="run", cause=StopCause.SYSTEM)
    waiting = step(stopped, Happening(event=JobEvent.REQUESTED, now=NOW))
    assert isinstance(waiting, WebJob)
    everything = Person("ben", "Ben", tuple(Role))
    assert allowed_actions(waiting, everything, "simulated", ()) == ["approve", "reject"]
    approved = step(waiting, Happening(event=JobEvent.APPROVED, now=NOW, run_id="another"))
    refused = step(waiting, Happening(event=event, now=NOW))
    assert isinstance(approved, WebJob)
    assert isinstance(refused, WebJob)
    assert (approved.state, approved.run_id) == (JobState.QUEUED, "run")
    assert (refused.state, refused.cause, refused.run_id) == (JobState.STOPPED, StopCause.PERSON, "run")


def test_what_a_run_has_refused_is_never_continued() -> None:
    stopped = replace(JOB, state=JobState.STOPPED, run_id="run", cause=StopCause.REFUSED)
    person = Person("ann", "Ann", tuple(Role))
    assert isinstance(step(stopped, Happening(event=JobEvent.CONTINUED, now=NOW)), EventRefusal)
    assert allowed_actions(stopped, person, "simulated", ()) == []


def test_a_job_of_another_target_is_only_looked_at() -> None:
    person = Person("ann", "Ann", tuple(Role))
    ready = replace(JOB, state=JobState.READY)
    assert allowed_actions(ready, person, "https://elsewhere.example", ()) == []
    assert allowed_actions(ready, person, "simulated", ()) == ["file", "options", "submit", "withdraw"]


@pytest.mark.parametrize(
    ("roles", "allowed"),
    [
        ((Role.VIEWER,), set()),
        ((Role.UPLOADER,), {"file", "options", "submit", "verify"}),
        ((Role.APPROVER,), {"approve", "reject", "stop", "stop-now", "continue", "verify"}),
        ((Role.ADMIN,), {"stop", "stop-now", "continue"}),
    ],
)
def test_roles_have_their_rights_over_jobs_of_others(roles: tuple[Role, ...], allowed: set[str]) -> None:
    person = Person("ben", "Ben", roles)
    assert {name for name, (right, _) in ACTIONS.items() if has_right(person, right, JOB)} == allowed


def test_an_uploader_continues_what_nobody_above_has_stopped() -> None:
    ann = Person("ann", "Ann", (Role.UPLOADER,))
    stopped = replace(JOB, state=JobState.STOPPED, run_id="run", cause=StopCause.PERSON)
    by = {name: allowed_actions(replace(stopped, stop_by=name), ann, "simulated", ()) for name in ("ann", "", "ada")}
    assert by == {"ann": ["continue"], "": ["continue"], "ada": []}
