"""Who may do what: roles, rights, and the actions on a job, as tables. No I/O."""

from collections.abc import Collection
from enum import StrEnum

from msgspec import Struct

from bulkreact.web.jobs import JobEvent, WebJob, is_possible


class Role(StrEnum):
    """A role of a person; roles add up, and none contains another."""

    VIEWER = "Viewer"
    UPLOADER = "Uploader"
    APPROVER = "Approver"
    ADMIN = "Admin"


class Right(StrEnum):
    """What a route asks of the person who uses it."""

    SEE = "see"
    UPLOAD = "upload"
    OWN = "own"
    APPROVE = "approve"
    STOP = "stop"
    CONTINUE = "continue"
    VERIFY = "verify"
    AUDIT = "audit"
    SETTINGS = "settings"


class Person(Struct, frozen=True):
    """A person who has signed in."""

    id: str
    name: str
    roles: tuple[Role, ...]


_EVERYBODY = frozenset(Role)
_ROLES: dict[Right, frozenset[Role]] = {
    Right.SEE: _EVERYBODY,
    Right.UPLOAD: frozenset({Role.UPLOADER}),
    Right.OWN: frozenset({Role.UPLOADER}),
    Right.APPROVE: frozenset({Role.APPROVER}),
    Right.STOP: frozenset({Role.UPLOADER, Role.APPROVER, Role.ADMIN}),
    Right.CONTINUE: frozenset({Role.UPLOADER, Role.APPROVER, Role.ADMIN}),
    Right.VERIFY: frozenset({Role.UPLOADER, Role.APPROVER}),
    Right.AUDIT: frozenset({Role.APPROVER, Role.ADMIN}),
    Right.SETTINGS: frozenset({Role.ADMIN}),
}
_OVER_ANY_JOB = frozenset({Role.APPROVER, Role.ADMIN})

# The actions on a job by the names of their routes: the right that each needs, and the event that it causes.
ACTIONS: dict[str, tuple[Right, JobEvent]] = {
    "file": (Right.UPLOAD, JobEvent.REPLACED),
    "options": (Right.UPLOAD, JobEvent.OPTIONS),
    "submit": (Right.UPLOAD, JobEvent.SUBMITTED),
    "withdraw": (Right.OWN, JobEvent.WITHDRAWN),
    "approve": (Right.APPROVE, JobEvent.APPROVED),
    "reject": (Right.APPROVE, JobEvent.REJECTED),
    "stop": (Right.STOP, JobEvent.STOP),
    "stop-now": (Right.STOP, JobEvent.STOP_NOW),
    "continue": (Right.CONTINUE, JobEvent.CONTINUED),
    "verify": (Right.VERIFY, JobEvent.VERIFY),
    "retry": (Right.OWN, JobEvent.RETRIED),
}


def has_right(person: Person, right: Right, job: WebJob | None = None) -> bool:
    """Return whether a person has a right, over a job if one is given."""
    roles = _ROLES[right].intersection(person.roles)
    if job is None or right not in {Right.OWN, Right.STOP, Right.CONTINUE}:
        return bool(roles)
    if right is not Right.OWN and roles & _OVER_ANY_JOB:
        return True
    is_free = right is not Right.CONTINUE or job.stop_by in {"", person.id}
    return bool(roles) and job.by_id == person.id and is_free


def refusal_code(person: Person, right: Right, job: WebJob | None, makers: Collection[str]) -> str | None:
    """Return why a person may not use a right over a job, None if they may; ``makers`` had a hand in the job."""
    if not has_right(person, right, job):
        return "no-right"
    return "own-work" if right is Right.APPROVE and person.id in makers else None


def allowed_actions(job: WebJob, person: Person, target: str, makers: Collection[str]) -> list[str]:
    """Return what a person may do with a job now; nothing with a job of another target."""
    if job.target != target:
        return []
    return [
        name
        for name, (right, event) in ACTIONS.items()
        if is_possible(job, event) and refusal_code(person, right, job, makers) is None
    ]
