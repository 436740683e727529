"""Stores jobs, their versions, decisions, forms and the audit trail; the only module with their SQL."""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec.structs import asdict, replace

from bulkreact.web.audit import LEADS_TO_WAITING, WAITS, AuditLine
from bulkreact.web.audit_trail import append_line, read_head
from bulkreact.web.history import HistoryFilter
from bulkreact.web.jobs import EventRefusal, Happening, JobEvent, JobState, WebJob, step
from bulkreact.web.records import Actor, Approval, FormAnswer, Version
from bulkreact.web.session_records import SessionRecords

STORE_NAME = "serve.sqlite3"

# The words of the trail for what happens to a job.
_AUDITED: dict[JobEvent, str] = {
    JobEvent.CHECKED: "checked",
    JobEvent.REFUSED: "checked",
    JobEvent.REPLACED: "replaced",
    JobEvent.OPTIONS: "options",
    JobEvent.SUBMITTED: "submitted",
    JobEvent.REQUESTED: "submitted",
    JobEvent.APPROVED: "approved",
    JobEvent.REJECTED: "rejected",
    JobEvent.WITHDRAWN: "withdrawn",
    JobEvent.EXPIRED: "expired",
    JobEvent.LAPSED: "expired",
    JobEvent.STARTED: "started",
    JobEvent.STOP: "stopped",
    JobEvent.STOP_NOW: "stopped",
    JobEvent.ENDED: "ended",
    JobEvent.CONTINUED: "continued",
    JobEvent.VERIFY: "verified",
}


class AddVersion(Protocol):
    """Makes the version of a job whose number and version number are known; its file is in its folder afterwards."""

    def __call__(self, job: int, version: int, /) -> Version:
        """Return the version."""
        ...


class RecordStore(SessionRecords):
    """The record of one server, with its jobs and its trail."""

    def create_job(self, job: WebJob, make_version: AddVersion, actor: Actor) -> WebJob:
        """Store a new job with its first version; return it with its number."""
        with self._writing():
            job, version = self._add_job(job, make_version)
            self._audit(actor, job, "uploaded", version.sha256, job.created_at, status=201)
        return job

    def create_retry(
        self,
        job: WebJob,
        make_version: AddVersion,
        actor: Actor,
        *,
        detail: str,
        approval: Approval | None,
        publish: Callable[[WebJob, str], None],
    ) -> WebJob | EventRefusal:
        """Store a job that takes rows of the one that it names, if that has ended and no other one takes rows of it.

        ``approval`` is what allows it, None if it waits for one; ``publish`` gets the job and the head of the trail.
        """
        with self._writing():
            happening = Happening(event=JobEvent.RETRIED, now=job.created_at)
            parent = step(self._job(job.retry_of or 0), happening)
            if isinstance(parent, EventRefusal):
                return parent
            if any(other.is_open for other in self.retries(parent.number)):
                return EventRefusal(parent.state, happening.event)
            job, _ = self._add_job(job, make_version)
            head = self._audit(actor, job, "retried", detail, job.created_at, status=201)
            if approval:
                self._insert("approvals", replace(approval, job=job.number))
                publish(job, head)
            self._update(parent)
            self._audit(actor, parent, "retried", f"in No. {job.number}", job.created_at)
        return job

    def _add_job(self, job: WebJob, make_version: AddVersion) -> tuple[WebJob, Version]:
        (number,) = self._connection.execute("SELECT coalesce(max(number), 0) + 1 FROM jobs").fetchone()
        job = replace(job, number=number)
        version = make_version(job.number, job.version)
        self._insert("jobs", job)
        self._insert("versions", version)
        return job, version

    def change(
        self,
        number: int,
        happening: Happening,
        actor: Actor,
        *,
        detail: str = "",
        version: AddVersion | None = None,
        approval: Approval | None = None,
        publish: Callable[[str], None] = lambda _head: None,
    ) -> WebJob | EventRefusal:
        """Let an event happen to a job, with the version or the decision that it makes.

        ``publish`` gets the head of the trail, to be kept outside, before all that is committed.
        """
        with self._writing():
            job = step(self._job(number), happening)
            if isinstance(job, EventRefusal):
                return job
            if version:
                self._insert("versions", version(number, job.version))
            if approval:
                self._insert("approvals", approval)
            self._update(job)
            publish(self._audit(actor, job, _AUDITED[happening.event], detail, happening.now))
        return job

    def end_check(self, number: int, version: Version, happening: Happening, detail: str) -> WebJob | EventRefusal:
        """Store what a check has found, and the options that it was made with."""
        with self._writing() as connection:
            job = step(self._job(number), happening)
            if isinstance(job, EventRefusal):
                return job
            connection.execute(
                "UPDATE versions SET digest = ?, checked = ?, refused = ?, options = ?, remark = ? "
                "WHERE job = ? AND version = ?",
                (
                    *(version.digest, version.checked, version.refused, version.options, version.remark),
                    *(number, version.version),
                ),
            )
            self._update(job)
            self._audit(Actor(), job, "checked", detail, happening.now)
        return job

    def note_activity(self, job: WebJob) -> None:
        """Store the activity of a job, which is no event of the trail."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE jobs SET activity = ? WHERE number = ? AND state = ?", (job.activity, job.number, job.state)
            )

    def job(self, number: int) -> WebJob | None:
        """Return a job, None if there is none with the number."""
        found = self._select(WebJob, "jobs WHERE number = ?", number)
        return found[0] if found else None

    def jobs_in(self, states: Sequence[JobState]) -> list[WebJob]:
        """Return the jobs in one of the states, in the order in which they were queued or made."""
        marks = ", ".join("?" for _ in states)
        return self._select(WebJob, f"jobs WHERE state IN ({marks}) ORDER BY queued_at, number", *states)

    def retries(self, number: int) -> list[WebJob]:
        """Return the jobs that take rows of a job, the first one first."""
        return self._select(WebJob, "jobs WHERE retry_of = ? ORDER BY number", number)

    def newest_jobs(self, *, before: int, limit: int) -> list[WebJob]:
        """Return jobs with a number below ``before``, the newest first."""
        return self._select(WebJob, "jobs WHERE number < ? ORDER BY number DESC LIMIT ?", before, limit)

    def find_jobs(self, wanted: HistoryFilter, limit: int) -> list[WebJob]:
        """Return the jobs that are wanted in the history, the newest first."""
        conditions = wanted.conditions()
        where = " AND ".join(["TRUE", *conditions])
        values = [value for condition in conditions.values() for value in condition]
        return self._select(WebJob, f"jobs WHERE {where} ORDER BY created_at DESC, number DESC LIMIT ?", *values, limit)

    def run_ids(self) -> frozenset[str]:
        """Return the runs of all jobs."""
        with self._lock:
            rows = self._connection.execute("SELECT run_id FROM jobs WHERE run_id IS NOT NULL").fetchall()
        return frozenset(run_id for (run_id,) in rows)

    def versions(self, number: int) -> list[Version]:
        """Return the versions of a job, the first one first."""
        return self._select(Version, "versions WHERE job = ? ORDER BY version", number)

    def makers(self, number: int) -> dict[str, str]:
        """Return the names of those who made a version of a job, or of one whose rows it tries again, by their ids."""
        with self._lock:
            rows = self._connection.execute(
                "WITH RECURSIVE parents (job) AS (VALUES (?) UNION SELECT retry_of FROM jobs JOIN parents "
                "ON jobs.number = parents.job WHERE retry_of IS NOT NULL) "
                "SELECT by_id, by_name FROM versions JOIN parents USING (job) ORDER BY job, version",
                (number,),
            ).fetchall()
        return dict(rows)

    def version(self, number: int, version: int) -> Version:
        """Return a version of a job."""
        return self._select(Version, "versions WHERE job = ? AND version = ?", number, version)[0]

    def jobs_with_digest(self, digest: str) -> list[WebJob]:
        """Return the jobs whose present version has the same rows."""
        where = (
            "jobs WHERE EXISTS (SELECT 1 FROM versions WHERE versions.digest = ? AND versions.job = jobs.number "
            "AND versions.version = jobs.version) ORDER BY number DESC"
        )
        return self._select(WebJob, where, digest)

    def latest_approval(self, number: int, version: int) -> Approval | None:
        """Return the latest decision on a version of a job."""
        where = "approvals WHERE job = ? AND version = ? ORDER BY number DESC LIMIT 1"
        found = self._select(Approval, where, number, version)
        return found[0] if found else None

    def audit_lines(self, *, job: int | None = None, after: int = 0, limit: int = 500) -> list[AuditLine]:
        """Return lines of the trail after a number, of one job or all."""
        if job is None:
            return self._select(AuditLine, "audit WHERE number > ? ORDER BY number LIMIT ?", after, limit)
        return self._select(AuditLine, "audit WHERE job = ? AND number > ? ORDER BY number LIMIT ?", job, after, limit)

    def last_audit_number(self) -> int:
        """Return the number of the trail's last line, 0 if it has none."""
        with self._lock:
            return int(self._connection.execute("SELECT coalesce(max(number), 0) FROM audit").fetchone()[0])

    def audit_head(self) -> str:
        """Return the head of the trail, to be kept where whoever can write the record cannot."""
        with self._lock:
            return read_head(self._connection)

    def audit(self, actor: Actor, event: str, detail: str, now: str, *, job: WebJob | None = None) -> None:
        """Append a line to the trail, of a job or of none."""
        with self._writing():
            self._audit(actor, job, event, detail, now)

    def form_answer(self, person: str, form_id: str) -> FormAnswer | None:
        """Return how a form was answered."""
        found = self._select(FormAnswer, "forms WHERE person = ? AND form_id = ?", person, form_id)
        return found[0] if found else None

    def keep_form(self, answer: FormAnswer) -> FormAnswer:
        """Store how a form was answered, unless that was done with its action; return what is stored."""
        stored = self.form_answer(answer.person, answer.form_id)
        if stored is None:
            with self._writing():
                self._insert("forms", answer)
        return stored or answer

    def forget_forms(self, before: str) -> None:
        """Forget forms that were answered before a time."""
        with self._writing() as connection:
            connection.execute("DELETE FROM forms WHERE at < ?", (before,))

    def _job(self, number: int) -> WebJob:
        job = self.job(number)
        if job is None:
            raise LookupError(f"there is no job {number}")
        return job

    def _update(self, job: WebJob) -> None:
        columns = ", ".join(f"{name} = :{name}" for name in WebJob.__struct_fields__ if name != "number")
        self._connection.execute(f"UPDATE jobs SET {columns} WHERE number = :number", asdict(job))  # noqa: S608 - our own names

    def _audit(self, actor: Actor, job: WebJob | None, event: str, detail: str, now: str, *, status: int = 200) -> str:
        """Append to the trail, and answer the form that has caused it: what its repetition gets is certain from now on."""
        form = actor.form
        if form and job and not self.form_answer(actor.id, form.form_id):
            location = f"{form.base}/jobs/{job.number}"
            self._insert("forms", FormAnswer(actor.id, form.form_id, form.route, status, location, now))
        if job and job.state is JobState.WAITING and event in LEADS_TO_WAITING:
            detail = ", ".join(filter(None, (detail, WAITS)))
        return append_line(self._connection, actor, job, event, detail, now)
