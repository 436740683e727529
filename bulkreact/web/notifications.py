"""Posts what happened to jobs to the webhook: read from the trail, so that a server that died leaves nothing out."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from bulkreact import __version__
from bulkreact.atomic_write import replacing
from bulkreact.errors import EXIT_SUCCESS
from bulkreact.monitoring.webhooks import Notification, notify_end
from bulkreact.web.approvals import APPROVED
from bulkreact.web.audit import LEADS_TO_WAITING, WAITS, AuditLine
from bulkreact.web.file_checks import result_of
from bulkreact.web.jobs import WebJob
from bulkreact.web.live import LiveRuns
from bulkreact.web.serve_settings import ServeSettings
from bulkreact.web.store import RecordStore
from bulkreact.web.texts import describe_event

_LOOK_EVERY = 0.5
_REPORTED = ("approval-wanted", "approved", "rejected", "stopped", "ended")


class Notifications:
    """What the webhook has got: the number of the last line of the trail that was looked at is kept in a file."""

    def __init__(
        self,
        settings: ServeSettings,
        store: RecordStore,
        live: LiveRuns,
        warn: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._live = live
        self._warn = warn
        self._path = settings.data / "notified"
        self._done = self._read()

    async def work(self) -> NoReturn:
        """Post what is new for as long as the server runs."""
        await asyncio.to_thread(self._write)
        while True:
            for line in await asyncio.to_thread(self._store.audit_lines, after=self._done):
                self._done = line.number
                if await self._post(line):
                    await asyncio.to_thread(self._write)
            await asyncio.sleep(_LOOK_EVERY)

    def _read(self) -> int:
        """Return up to which line the server before has come; what happened while nobody was to know is not posted."""
        if self._settings.notify is None:
            self._path.unlink(missing_ok=True)
        with suppress(OSError, ValueError):
            return int(self._path.read_text("ascii"))
        return self._store.last_audit_number()

    def _write(self) -> None:
        # Where nothing can be written, the next server posts some of it again.
        with suppress(OSError), replacing(self._path, private=True) as file:
            file.write(str(self._done))

    async def _post(self, line: AuditLine) -> bool:
        """Post a line if it is for others; return whether it was."""
        job = await asyncio.to_thread(self._store.job, line.job) if line.job else None
        if job is None:
            return False
        is_wanted = line.event in LEADS_TO_WAITING and line.detail.endswith(WAITS)
        event = "approval-wanted" if is_wanted else line.event
        targets = self._settings.notify
        if targets is None or event not in _REPORTED:
            return False
        for warning in await notify_end(targets, await self._describe(event, line, job)):
            self._warn(warning)
        return True

    async def _describe(self, event: str, line: AuditLine, job: WebJob) -> Notification:
        version = await asyncio.to_thread(self._store.version, job.number, line.version or job.version)
        check = result_of(version)
        counts = (
            {name: getattr(check.plan, name) for name in ("rows", "valid", "invalid", "customers")} if check else {}
        )
        if event == "ended" and job.run_id:
            # Of a run that never began those of the check are all there is.
            numbers = await self._live.final(job.run_id)
            counts = numbers.counts if numbers else counts
        said = line.detail
        if event == APPROVED:
            approval = await asyncio.to_thread(self._store.latest_approval, job.number, version.version)
            said = approval.comment if approval else ""
        sentence, headline = describe_event(event, line.person, job, said), f"bulkreact: {event}"
        content = {
            "version": __version__,
            "event": event,
            "at": line.at,
            "job": job.number,
            "name": job.name,
            "by": job.by_name,
            "person": line.person,
            "url": f"{self._settings.public_url}/jobs/{job.number}",
            "state": job.state.value,
            # The job's own may be that of a later process, or gone: it may have been continued meanwhile.
            "exit_code": int(line.detail.split()[-1]) if event == "ended" and line.detail else None,
            "counts": counts,
            "head": await asyncio.to_thread(self._store.audit_head),
        }
        return Notification(EXIT_SUCCESS, headline, [sentence, str(content["url"])], content, title=headline)
