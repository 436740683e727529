"""The files of jobs and runs that can be downloaded: a closed list of names."""

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from bulkreact.atomic_write import replacing
from bulkreact.web.folders import JobFolders
from bulkreact.web.jobs import WebJob
from bulkreact.web.records import Approval, Version

INPUT, PLAN_NAME, PROBLEMS = "input", "plan.json", "problems.xlsx"
APPROVAL = "approval.json"
_RUN_FILES = ("results.csv", "results.xlsx", "failed.csv", "failed.xlsx", "report.html", "summary.json")
_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
}
# Cells are escaped: the only such element is the report's own.
_SCRIPT = re.compile(rb"<script>.*</script>", re.DOTALL)
REPORT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'"


def job_files(job: WebJob, version: Version, folders: JobFolders, reports: Path) -> list[tuple[str, Path]]:
    """Return the files of a job that are there, by their names."""
    folder = folders.version(job.number, version.version)
    found = [(INPUT, folder / "input" / version.file), (PLAN_NAME, folder / PLAN_NAME), (PROBLEMS, folder / PROBLEMS)]
    if job.run_id:
        found += [(name, path) for name, path in run_files(reports / job.run_id) if name != APPROVAL]
        found.append((APPROVAL, folder / APPROVAL))
    return [(name, path) for name, path in found if path.is_file()]


def run_files(folder: Path) -> list[tuple[str, Path]]:
    """Return the files of a run that are there, by their names."""
    return [(name, folder / name) for name in (*_RUN_FILES, APPROVAL) if (folder / name).is_file()]


def write_approval(folder: Path, approval: Approval, makers: Sequence[str], head: str) -> None:
    """Write who agreed to what, to be shown with the job and kept with its run, and the head of the trail by then."""
    content = {
        "job": approval.job,
        "version": approval.version,
        "sha256": approval.sha256,
        "digest": approval.digest,
        "target": approval.target,
        "made_by": list(dict.fromkeys(makers)),
        "approved_by": approval.person if approval.decision == "approved" else approval.decision,
        "at": approval.at,
        "comment": approval.comment,
        "head": head,
    }
    with replacing(folder / APPROVAL, private=True) as file:
        json.dump(content, file, ensure_ascii=False, indent=2)


def copy_approval(source: Path, folder: Path, head: str) -> None:
    """Write what was agreed to once more, in another folder, with the head of the trail by now."""
    content = json.loads((source / APPROVAL).read_bytes())
    for target in (source, folder):
        with replacing(target / APPROVAL, private=True) as file:
            json.dump(content | {"head": head}, file, ensure_ascii=False, indent=2)


async def file_response(path: Path, name: str, given_name: str) -> web.StreamResponse:
    """Return a file to be saved; only the report is shown, in a sandbox, and without its script, which must not run there."""
    headers = {"Content-Type": _TYPES.get(Path(name).suffix, "application/octet-stream")}
    if name == "report.html":
        headers |= {"Content-Security-Policy": REPORT_POLICY, "Content-Disposition": "inline"}
        report = await asyncio.to_thread(path.read_bytes)
        # Blanks, that it has as many bytes as are said of it.
        body = _SCRIPT.sub(lambda script: b" " * len(script[0]), report)
        return web.Response(body=body, headers=headers)
    headers["Content-Disposition"] = content_disposition(given_name)
    return web.FileResponse(path, headers=headers)


def content_disposition(name: str) -> str:
    """Return the header that saves a file under a name, which may be in any script (RFC 6266, RFC 5987)."""
    plain = "".join(char if char.isascii() and (char.isalnum() or char in " ._-") else "_" for char in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def save_name(job_name: str, file_name: str) -> str:
    """Return under which name a file of a job is saved."""
    if file_name == INPUT:
        return job_name
    stem = job_name.split(".", 1)[0] or job_name
    return f"{stem}.{file_name}"
