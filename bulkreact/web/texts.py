"""The page's words for states, causes, numbers, times and durations. No I/O."""

import re
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from bulkreact.errors import EXIT_INTERRUPTED, EXIT_SOME_FAILED, EXIT_SUCCESS, EXIT_TERMINATED
from bulkreact.models import Status
from bulkreact.partnercenter.error_codes.entry import Responsible
from bulkreact.partnercenter.error_codes.page_advice import advise_here
from bulkreact.web.file_wording import FIELDS
from bulkreact.web.jobs import JobActivity, JobState, StopCause, WebJob
from bulkreact.wording import estimate_duration, plural

CONSEQUENCE = "It begins by itself, cannot be undone, and what is active again is billed."
KINDS = {
    "azure": "cancelled Azure subscriptions",
    "subscription": "suspended subscriptions",
    "auto": "both: rows without entitlement_id are suspended subscriptions",
}
STATUSES = tuple(status.value for status in Status)
STATES: dict[JobState, str] = {
    JobState.CHECKING: "Being checked",
    JobState.UNUSABLE: "Cannot be used",
    JobState.READY: "Checked",
    JobState.WAITING: "Waiting for approval",
    JobState.REJECTED: "Rejected",
    JobState.QUEUED: "In the line",
    JobState.RUNNING: "Running",
    JobState.STOPPING: "Stopping",
    JobState.STOPPED: "Stopped",
    JobState.FINISHED: "Finished",
    JobState.WITHDRAWN: "Withdrawn",
    JobState.EXPIRED: "Expired",
}
ACTIVITIES: dict[JobActivity, str] = {
    JobActivity.READING: "the file is being read",
    JobActivity.ONLINE: "Partner Center is being asked",
    JobActivity.COMPLETING: "missing ids are being looked up",
    JobActivity.PREPARING: "the run is being prepared",
    JobActivity.WAITING_FOR_PARTNER: "waiting for another run against the same partner",
    JobActivity.SENDING: "rows are being sent",
    JobActivity.VERIFYING: "everything is sent; accepted rows are watched until they are active",
    JobActivity.WRITING: "the results are being written",
}
CAUSES: dict[StopCause, str] = {
    StopCause.PERSON: "Somebody stopped it. What has not been sent is kept and can be continued.",
    StopCause.THRESHOLD: "Too many rows failed. Look at the reasons before it is continued.",
    StopCause.CREDENTIALS: "Partner Center refused the credentials. An administrator must correct them first.",
    StopCause.SYSTEM: "The process was ended from outside. It can be continued.",
    StopCause.DISK: "The results could not be written. An administrator must make room first.",
    StopCause.BUG: "bulkreact met a bug; the log has the details. Nothing is lost, it can be continued.",
    StopCause.REFUSED: "The run refused the file: what lies here is not what was checked. Nothing was sent.",
    StopCause.BUSY: "Another process has this run. Nothing was sent.",
    StopCause.OUTAGE: "Partner Center was down for too long. It can be continued.",
}
OPTIONS = {**FIELDS, "all_failed": "Also rows that failed for good are sent again"}
FILES: dict[str, str] = {
    "input": "as it was uploaded",
    "plan.json": "what the check has found, for programs",
    "problems.xlsx": "the cells that are wrong, and what to do about each",
    "results.xlsx": "every row with its status, for Excel",
    "results.csv": "every row with its status, as text",
    "failed.xlsx": "the rows that did not end well: correct the marked cells and upload this file",
    "failed.csv": "the rows that did not end well, as text",
    "report.html": "the whole run on one page, to read or print (opens in a new tab)",
    "summary.json": "the numbers of the report, for programs",
    "approval.json": "who agreed to what, and when",
}
_STEPS = ("Check", "Approval", "Run", "Results")
_STEP_OF_STATE = {
    JobState.CHECKING: 0,
    JobState.UNUSABLE: 0,
    JobState.READY: 0,
    JobState.WAITING: 1,
    JobState.REJECTED: 1,
    JobState.EXPIRED: 1,
    JobState.WITHDRAWN: 1,
    JobState.QUEUED: 2,
    JobState.RUNNING: 2,
    JobState.STOPPING: 2,
    JobState.STOPPED: 3,
    JobState.FINISHED: 3,
}
_TENTHS = (
    "Fewer than one in ten rows are",
    *(
        f"{number} in ten rows are"
        for number in ("One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
    ),
    "All rows are",
)
_KB = 1000
_MANY_SECONDS = re.compile(r"\b([0-9]{3,9}) seconds")
_HASH = re.compile(r"\b[0-9a-f]{64}\b")
_ENDS = {
    f"exit code {EXIT_SUCCESS}": "all rows ended well",
    f"exit code {EXIT_SOME_FAILED}": "some rows need attention",
}
_STOPPED = re.compile(rf"exit code ({EXIT_INTERRUPTED}|{EXIT_TERMINATED})")
_RETRIED = re.compile(r"\b([Pp])ress (Retry(?: all)?)\b")


def advise(advice: str, job: WebJob) -> str:
    """Return advice in the words of a job's buttons: what is still to be sent of a stopped one is sent first."""
    advised = advise_here(advice)
    if job.state is JobState.STOPPED:
        return _RETRIED.sub(r"\1ress Continue, then \2 if it still did not end well", advised)
    return advised


def name_responsible(who: str, job: WebJob) -> str:
    """Return who must act: on the page whoever sent the file works with the program."""
    return job.by_name if who == Responsible.OPERATOR else who


def steps(job: WebJob) -> list[tuple[str, str]]:
    """Return the steps of a job, each with ``done``, ``current`` or ``ahead``."""
    current = _STEP_OF_STATE[JobState.FINISHED if job.is_verifying else job.state]
    return [
        (name, "done" if index < current else "current" if index == current else "ahead")
        for index, name in enumerate(_STEPS)
    ]


def describe_state(job: WebJob) -> str:
    """Return a job's state for people, with what is being done."""
    activity = f": {ACTIVITIES[job.activity]}" if job.activity else ""
    return STATES[JobState.FINISHED if job.is_verifying else job.state] + activity


def stop_consequence(job: WebJob) -> str:
    """Return what stopping a job means."""
    if job.activity is JobActivity.VERIFYING:
        return "All rows have been sent: only the watching stops. Look again does it later."
    return "Calls that are under way are let end. What has not been sent is kept and can be continued."


def format_time(value: str, zone: ZoneInfo) -> str:
    """Return a time as ``2026-11-29 20:31 CET``."""
    time = datetime.fromisoformat(value).astimezone(zone)
    return f"{time:%Y-%m-%d %H:%M} {time:%Z}"


def format_clock(value: str, zone: ZoneInfo) -> str:
    """Return the time of a day as ``20:31 CET``."""
    time = datetime.fromisoformat(value).astimezone(zone)
    return f"{time:%H:%M} {time:%Z}"


def format_seconds(seconds: float) -> str:
    """Return a duration as ``40 s``, ``4 min`` or ``2 h 10 min``."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004 - an hour


def format_bytes(size: int) -> str:
    """Return a size as ``14 MB``."""
    number, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if number < _KB or unit == "GB":
            break
        number /= _KB
    return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"  # noqa: PLR2004 - two digits


def name_durations(text: str) -> str:
    """Return text with what many seconds are in greater units beside them."""
    return _MANY_SECONDS.sub(lambda found: f"{found[0]} ({estimate_duration(int(found[1]))})", text)


def progress_sentence(settled: int, rows: int, attention: int) -> str:
    """Return what screen readers hear of a run; it changes with each tenth of the rows."""
    if not rows:
        return "There are no rows."
    share = f"{_TENTHS[settled * 10 // rows]} settled"
    return f"{share}, {attention:,} {'needs' if attention == 1 else 'need'} attention."


def submit_label(valid: int) -> str:
    """Return the words of the button that starts a run."""
    return f"Reactivate {plural(valid, 'subscription')}"


def support_text(row: Mapping[str, object]) -> str:
    """Return what Microsoft's support needs to find the last call of a row, in words that can be sent."""
    entitlement = f", entitlement {row['entitlement']}" if row["entitlement"] else ""
    code = f", error code {row['code']}" if row["code"] else ""
    answer = (
        f"It answered HTTP {row['http_status']}{code} at {row['finished_at']}"
        if row["http_status"]
        else "No answer came"
    )
    return (
        f"We asked Partner Center to reactivate subscription {row['subscription']}{entitlement} of customer "
        f"{row['customer']} at {row['started_at']} (UTC). {answer}. "
        f"MS-RequestId: {row['request_id']}, MS-CorrelationId: {row['correlation_id']}."
    )


def verdict(rows: int, well: int, excluded: int = 0) -> str:
    """Return the verdict on a run, as its report has it."""
    if not rows:
        return "There were no rows"
    if well == rows:
        return "The only row ended well" if rows == 1 else f"All {rows:,} rows ended well"
    rest = f"; {plural(excluded, 'row')} left out" if excluded else ""
    return f"{well:,} of {plural(rows, 'row')} ended well{rest}"


def describe_detail(event: str, detail: str) -> str:
    """Return a detail of the trail for people: hashes as the page of a job shows them, exit codes as what they mean."""
    match event:
        case "ended":
            return _ENDS.get(detail) or _STOPPED.sub("stopped before all rows were sent", detail)
        case "uploaded" | "replaced":
            detail = f"file {detail}"
        case "verified":
            return "Look again"
        case "approved" | "submitted":
            detail = detail.replace("sha256: ", "file ").replace("digest: ", "rows ").replace("options: ", "options ")
    return _HASH.sub(lambda found: group_digits(found[0]), detail)


def group_digits(value: str) -> str:
    """Return the first sixteen digits of a hash in groups of four."""
    return " ".join(value[index : index + 4] for index in range(0, 16, 4))


def describe_event(event: str, person: str, job: WebJob, detail: str) -> str:
    """Return what happened to a job in a sentence for those who are notified of it."""
    about = f"No. {job.number}, {job.name}"
    match event:
        case "approval-wanted":
            return f"{job.by_name} asks for approval of {about}"
        case "approved":
            return f"{person} has approved {about}"
        case "rejected":
            return f"{person} has rejected {about}: {detail}"
        case "stopped":
            return f"{person} has asked {about} to stop{f': {detail}' if detail else ''}"
    # By now it may have been continued: what counts is how this process has ended.
    how = "finished" if detail in _ENDS else "stopped"
    return f"{about} has ended: {how}, {detail or 'its process was killed'}"
