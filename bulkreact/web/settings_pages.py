"""The settings: what the server is started with, what the doctor says of it, and whether files come through."""

import json
import tempfile
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from bulkreact.timestamps import iso_milliseconds
from bulkreact.web import processes
from bulkreact.web.audit_events import record
from bulkreact.web.job_pages import html
from bulkreact.web.page_request import Visit
from bulkreact.web.site import ConnectionTest, DoctorResult, Site
from bulkreact.web.uploads import read_chunks, too_large

# More than proxies let through unless they are told to: nginx takes 1 MB.
_TEST_BYTES = 2_000_000


async def show_settings(site: Site, visit: Visit) -> web.StreamResponse:
    """Show the settings, and what the doctor and the test of the connection have found."""
    test_bytes = min(_TEST_BYTES, site.settings.max_upload)
    return html(
        site.pages.render(
            "settings", visit.session, doctor=site.doctor, connection=site.connection, test_bytes=test_bytes
        )
    )


async def test_connection(site: Site, visit: Visit) -> tuple[int, str]:
    """Take a file and throw it away, to see what a proxy in front of the server lets through."""
    began, size = site.clock(), 0
    if visit.form.upload:
        async for chunk in read_chunks(visit.form.upload):
            size += len(chunk)
            if size > site.settings.max_upload:
                raise too_large(site.settings.max_upload)
    await record(site, visit.actor, "settings", "connection tested")
    site.connection = ConnectionTest(iso_milliseconds(site.now()), size, site.clock() - began)
    return 200, f"{site.base}/settings"


async def ask_doctor(site: Site, visit: Visit) -> tuple[int, str]:
    """Prove that a run could work."""
    await record(site, visit.actor, "settings", "doctor asked")
    with tempfile.TemporaryDirectory(dir=site.folders.data) as folder:
        output, log = Path(folder) / "doctor.json", Path(folder) / "doctor.log"
        arguments = ["doctor", *site.settings.arguments["doctor"], "--json"]
        process = processes.start(arguments, log, output=output, environment={})
        try:
            await process.wait()
        finally:
            process.kill()
        site.doctor = _doctor_result(output, iso_milliseconds(site.now()))
    return 200, f"{site.base}/settings"


def _doctor_result(output: Path, now: str) -> DoctorResult:
    with suppress(ValueError, KeyError, TypeError, OSError):
        found = json.loads(output.read_bytes())
        checks = [
            (str(c["name"]), str(c["result"]), str(c["words"]), str(c.get("advice") or "")) for c in found["checks"]
        ]
        return DoctorResult(now, "A run could work." if found["healthy"] else "A run could not work.", checks)
    return DoctorResult(now, "The doctor could not be asked. Run bulkreact doctor where the server was started.")
