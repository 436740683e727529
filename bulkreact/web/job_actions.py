"""The actions on jobs before their run: upload, replace, options and withdraw."""

import asyncio
import secrets
from collections.abc import Mapping

from msgspec import json
from msgspec.structs import replace

from bulkreact.sheets.input.layout_values import parse_delimiter, parse_encoding
from bulkreact.timestamps import iso_milliseconds
from bulkreact.web.file_checks import options_of
from bulkreact.web.jobs import EventRefusal, Happening, JobEvent, JobState, WebJob, is_possible
from bulkreact.web.page_request import Form, Visit
from bulkreact.web.plan_file import COLUMN_OPTIONS, OPTION_DEFAULTS
from bulkreact.web.records import Version
from bulkreact.web.refusals import RequestRefusedError, bad_field, wrong_state
from bulkreact.web.site import Site
from bulkreact.web.store import AddVersion
from bulkreact.web.texts import KINDS, format_time
from bulkreact.web.uploads import ReceivedFile, receive
from bulkreact.wording import describe_error

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "kind": tuple(KINDS),
    "hidden_rows": ("", "include", "skip"),
    "restore_auto_renew": ("yes", "no"),
    "order": ("input", "urgent"),
    "verify": ("yes", "no"),
}
NOTE, COMMENT = 500, 1000
_HEADER = 300
_MOST_OPEN, _MOST_VERSIONS = 50, 50
_encode = json.Encoder().encode


async def upload(site: Site, visit: Visit) -> tuple[int, str]:
    """Make a job of a file."""
    form = visit.form
    note, kind = form.text("note", NOTE), _choice("kind", form.get("kind") or "azure")
    await asyncio.to_thread(refuse_many, site, visit.person.id)
    with site.checks.admission():
        job = await add_job(site, visit, await _receive(site, form), kind=kind, note=note)
    return 201, f"{site.base}/jobs/{job.number}"


async def add_job(site: Site, visit: Visit, file: ReceivedFile, *, kind: str, note: str) -> WebJob:
    """Make a job of a file that has arrived, and check it."""
    person, now = visit.person, iso_milliseconds(site.now())
    options = {**OPTION_DEFAULTS, "kind": kind, "verify": "yes" if site.settings.verify else "no"}
    job = WebJob(
        number=0,
        state=JobState.CHECKING,
        activity=None,
        target=site.settings.target,
        name=file.name,
        note=note,
        by_id=person.id,
        by_name=person.name,
        created_at=now,
        changed_at=now,
    )
    make = _new_file(site, visit, "uploaded", file, options, now)
    try:
        job = await asyncio.to_thread(site.store.create_job, job, make, visit.actor)
    finally:
        file.path.unlink(missing_ok=True)
    site.checks.begin(job)
    return job


async def replace_file(site: Site, visit: Visit) -> None:
    """Let a job have another file."""
    form = visit.form
    version = await _change_of_version(site, visit, JobEvent.REPLACED)
    note = form.text("note", NOTE)
    with site.checks.admission():
        file = await _receive(site, form)
        make = _new_file(site, visit, "replaced", file, options_of(version), iso_milliseconds(site.now()))
        try:
            await change_job(
                site, visit, JobEvent.REPLACED, detail=file.sha256, name=file.name, note=note, version=make
            )
        finally:
            file.path.unlink(missing_ok=True)


async def change_options(site: Site, visit: Visit) -> None:
    """Let a job's file be read in another way."""
    version = await _change_of_version(site, visit, JobEvent.OPTIONS)
    refuse_without_file(site, version)
    options = {**options_of(version), **_options(visit.form)}
    made = _version(visit, "options", options, iso_milliseconds(site.now()))

    def make(number: int, present: int, /) -> Version:
        site.folders.copy_file(number, present, site.folders.input(number, version.version, version.file))
        file = {"file": version.file, "bytes": version.bytes, "sha256": version.sha256}
        return replace(made, job=number, version=present, **file)

    with site.checks.admission():
        await change_job(site, visit, JobEvent.OPTIONS, version=make)


async def withdraw(site: Site, visit: Visit) -> None:
    """Withdraw a job of which nothing was sent."""
    await present_version(site, visit, JobEvent.WITHDRAWN)
    comment = visit.form.text("comment", COMMENT)
    raise_refusal(visit.job.number, await site.queue.withdraw(visit.job, visit.actor, comment))


async def present_version(site: Site, visit: Visit, event: JobEvent) -> Version:
    """Return the version that the form is about; refuse it in a wrong state, or if another one is present now."""
    job = visit.job
    if not is_possible(job, event):
        raise wrong_state(job.number, job.state)
    versions = await asyncio.to_thread(site.store.versions, job.number)
    given = visit.form.get("version")
    if given is not None and given != str(job.version):
        raise stale(site, versions[-1])
    if given is None:
        raise bad_field("version", "The form does not say which version it is about. Load the page again.")
    return versions[-1]


def stale(site: Site, latest: Version) -> RequestRefusedError:
    """Return the refusal of a form about something else than the present version."""
    at = format_time(latest.at, site.settings.time_zone)
    return RequestRefusedError(
        "stale",
        f"{latest.by_name} has changed No. {latest.job} since the page was loaded: version {latest.version}, {latest.what} "
        f"{at}. Look at it before you go on.",
    )


def refuse_without_file(site: Site, version: Version) -> None:
    """Refuse what needs a file that was removed, thirty days after the job's last change."""
    if not site.folders.input(version.job, version.version, version.file).is_file():
        raise RequestRefusedError("wrong-state", f"The file of No. {version.job} was removed. Upload it again.")


async def _change_of_version(site: Site, visit: Visit, event: JobEvent) -> Version:
    version = await present_version(site, visit, event)
    if visit.job.version >= _MOST_VERSIONS:
        raise bad_field("file", f"No. {visit.job.number} has {_MOST_VERSIONS} versions already. Upload a new file.")
    return version


async def change_job(
    site: Site,
    visit: Visit,
    event: JobEvent,
    *,
    detail: str = "",
    name: str = "",
    note: str = "",
    version: AddVersion | None = None,
) -> None:
    """Let an event happen to a job; RequestRefusedError if its state does not allow that."""
    now, job = iso_milliseconds(site.now()), visit.job
    happening = Happening(event=event, now=now, version=job.version, person=visit.person.id, name=name, note=note)
    changed = await asyncio.to_thread(
        site.store.change, job.number, happening, visit.actor, detail=detail, version=version
    )
    raise_refusal(visit.job.number, changed)
    if isinstance(changed, WebJob) and changed.state is JobState.CHECKING:
        site.checks.begin(changed)


def raise_refusal(number: int, changed: WebJob | EventRefusal) -> None:
    """Raise RequestRefusedError if an event could not happen."""
    if isinstance(changed, EventRefusal):
        raise wrong_state(number, changed.state)


async def _receive(site: Site, form: Form) -> ReceivedFile:
    if form.upload is None:
        raise bad_field("file", "No file was chosen. Choose one, then send it.")
    path = site.folders.incoming / secrets.token_hex(8)
    try:
        return await receive(form.upload, form.upload.part.filename, path, site.settings.max_upload)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise RequestRefusedError(
                "read-only", f"The file cannot be kept: {describe_error(error)}. Tell the server's administrator."
            ) from error
        raise


def _new_file(
    site: Site, visit: Visit, what: str, file: ReceivedFile, options: Mapping[str, str], now: str
) -> AddVersion:
    made = _version(visit, what, options, now)

    def make(number: int, version: int, /) -> Version:
        site.folders.add_file(number, version, file.disk_name, file.path)
        return replace(made, job=number, version=version, file=file.disk_name, bytes=file.bytes, sha256=file.sha256)

    return make


def _version(visit: Visit, what: str, options: Mapping[str, str], now: str) -> Version:
    """Return a version by this person, without its numbers and its file."""
    return Version(
        job=0,
        version=0,
        what=what,
        by_id=visit.person.id,
        by_name=visit.person.name,
        at=now,
        file="",
        bytes=0,
        sha256="",
        options=_encode(dict(options)).decode(),
    )


def _options(form: Form) -> dict[str, str]:
    """Return the options that a form changes: a field that is not sent stays, an empty one returns to its default."""
    changed: dict[str, str] = {}
    for name, default in OPTION_DEFAULTS.items():
        value = form.get(name)
        if value is None:
            continue
        if name in _CHOICES:
            changed[name] = _choice(name, value or default)
        elif name in COLUMN_OPTIONS or name in {"sum", "sheet"}:
            changed[name] = _line(name, value)
        else:
            changed[name] = _parse_value(name, value)
    return changed


def _choice(name: str, value: str) -> str:
    if value not in _CHOICES[name]:
        raise bad_field(name, f"{name} is one of: {', '.join(filter(None, _CHOICES[name]))}.")
    return value


def _line(name: str, value: str) -> str:
    if len(value) > _HEADER or not value.isprintable():
        raise bad_field(name, f"{name} is the text of one cell, at most {_HEADER} characters.")
    return value


def _parse_value(name: str, value: str) -> str:
    if not value.isprintable() and value != "\t":
        raise bad_field(name, f"{name} has characters that cannot be shown.")
    try:
        return {"delimiter": parse_delimiter, "encoding": parse_encoding}[name](value) if value else ""
    except ValueError as error:
        raise bad_field(name, str(error)) from None


def refuse_many(site: Site, person: str) -> None:
    """Refuse a job of a person with many open ones."""
    states = [state for state in JobState if state not in _OVER]
    if sum(job.by_id == person for job in site.store.jobs_in(states)) >= _MOST_OPEN:
        raise bad_field("file", f"You have {_MOST_OPEN} open jobs. Withdraw what is not needed any more.")


_OVER = frozenset({JobState.FINISHED, JobState.WITHDRAWN, JobState.EXPIRED, JobState.STOPPED})
