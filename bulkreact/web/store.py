"""Stores jobs, their versions, sessions, forms and the audit trail in one SQLite file; the only module with their SQL."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from threading import RLock
from typing import Protocol, TypeVar

from msgspec import Struct, convert, json
from msgspec.structs import asdict, replace

from bulkreact.errors import InputRefusedError
from bulkreact.web.audit import LEADS_TO_WAITING, WAITS, AuditLine
from bulkreact.web.audit_trail import append_line, read_head
from bulkreact.web.history import HistoryFilter
from bulkreact.web.jobs import EventRefusal, Happening, JobEvent, JobState, WebJob, step
from bulkreact.web.permissions import Person, Role
from bulkreact.web.records import Actor, Approval, FormAnswer, StoredSession, Version
from bulkreact.web.refusals import RequestRefusedError
from bulkreact.wording import describe_error

STORE_NAME = "serve.sqlite3"
_VERSION = 1
RecordT = TypeVar("RecordT", bound=Struct)
_Value = str | int | float | None

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


class RecordStore:
    """The record of one server; every write is on disk when it returns."""

    def __init__(self, path: Path) -> None:
        self._lock = RLock()
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._connection = _connect(path)
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                schema = files(__package__).joinpath("schema.sql").read_text("utf-8")
                self._connection.executescript(f"BEGIN IMMEDIATE; {schema} COMMIT;")
            elif version != _VERSION:
                raise InputRefusedError(
                    f"{path} has format {version}, this program reads format {_VERSION}: use the version of bulkreact "
                    "that made it."
                )
        except (OSError, sqlite3.Error) as error:
            raise InputRefusedError(
                f"{path} cannot be opened: {describe_error(error)}. Choose another folder with --data."
            ) from None

    def close(self) -> None:
        """Close the file, when nobody is at work on it any more."""
        with self._lock:
            self._connection.close()

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
            if any(other.holds_rows for other in self.retries(parent.number)):
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

    def add_session(self, session: StoredSession, person: Person) -> None:
        """Store a session and its person."""
        roles = json.encode(person.roles).decode()
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO people VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET name = excluded.name, roles = excluded.roles",
                (person.id, person.name, roles),
            )
            self._insert("sessions", session)

    def sessions(self) -> list[tuple[StoredSession, Person]]:
        """Return all sessions with their people."""
        with self._lock:
            rows = self._connection.execute("SELECT id, name, roles FROM people").fetchall()
        people = {key: Person(key, name, json.decode(roles, type=tuple[Role, ...])) for key, name, roles in rows}
        return [(session, people[session.person]) for session in self._select(StoredSession, "sessions")]

    def changed_elsewhere(self, *, wait: bool = True) -> int | None:
        """Return a number that changes when another process writes to the file; None instead of waiting for a writer."""
        if not self._lock.acquire(blocking=wait):
            return None
        try:
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        finally:
            self._lock.release()

    @property
    def revision(self) -> int:
        """Return a number that changes with everything that this server writes."""
        return self._connection.total_changes

    def touch_session(self, hashed: str, used_at: str) -> None:
        """Store when a session was last used."""
        with self._writing() as connection:
            connection.execute("UPDATE sessions SET used_at = ? WHERE hash = ?", (used_at, hashed))

    def delete_sessions(self, hashes: Sequence[str] | None = None) -> None:
        """Delete sessions, all of them without hashes."""
        with self._writing() as connection:
            if hashes is None:
                connection.execute("DELETE FROM sessions")
            else:
                connection.executemany("DELETE FROM sessions WHERE hash = ?", [(hashed,) for hashed in hashes])

    def add_flow(self, hashed: str, content: str, *, now: str, expires_at: str) -> None:
        """Store a sign-in that has begun, and forget those that took too long."""
        with self._writing() as connection:
            connection.execute("DELETE FROM flows WHERE expires_at <= ?", (now,))
            connection.execute("INSERT INTO flows VALUES (?, ?, ?)", (hashed, content, expires_at))

    def take_flow(self, hashed: str, now: str) -> str | None:
        """Return a sign-in that has begun, and forget it; None if there is none or it took too long."""
        with self._writing() as connection:
            rows = connection.execute(
                "DELETE FROM flows WHERE hash = ? RETURNING content, expires_at", (hashed,)
            ).fetchall()
        return next((content for content, expires_at in rows if expires_at > now), None)

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

    def _insert(self, table: str, record: Struct) -> None:
        names = record.__struct_fields__
        marks = ", ".join(f":{name}" for name in names)
        self._connection.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", asdict(record))  # noqa: S608 - our own names

    def _audit(self, actor: Actor, job: WebJob | None, event: str, detail: str, now: str, *, status: int = 200) -> str:
        """Append to the trail, and answer the form that has caused it: what its repetition gets is certain from now on."""
        form = actor.form
        if form and job and not self.form_answer(actor.id, form.form_id):
            location = f"{form.base}/jobs/{job.number}"
            self._insert("forms", FormAnswer(actor.id, form.form_id, form.route, status, location, now))
        if job and job.state is JobState.WAITING and event in LEADS_TO_WAITING:
            detail = ", ".join(filter(None, (detail, WAITS)))
        return append_line(self._connection, actor, job, event, detail, now)

    def _select(self, record: type[RecordT], rest: str, *values: _Value) -> list[RecordT]:
        names = record.__struct_fields__
        with self._lock:
            rows = self._connection.execute(f"SELECT {', '.join(names)} FROM {rest}", values).fetchall()  # noqa: S608 - our own names
        # SQLite has no booleans: lax conversion takes 0 and 1.
        if record.__struct_config__.array_like:
            return [convert(row, record, strict=False) for row in rows]
        return [convert(dict(zip(names, row, strict=True)), record, strict=False) for row in rows]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Hold a transaction; RequestRefusedError if the file cannot be written."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    # A full disk may have rolled it back, or have left it open.
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.OperationalError as error:
                raise RequestRefusedError(
                    "read-only",
                    f"The server cannot save it: {describe_error(error)}. Runs that have begun go on. Tell the server's "
                    "administrator.",
                ) from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.create_function("casefold", 1, str.casefold, deterministic=True)
    return connection
