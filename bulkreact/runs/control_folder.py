"""The folder through which another program watches this process and stops it: no signals, so it works on every system.

``progress.json`` is replaced every second. A file ``stop`` acts as SIGTERM does, ``stop-now`` as a second one.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from bulkreact.batch.environment import Phase
from bulkreact.errors import InputRefusedError
from bulkreact.file_access import open_private
from bulkreact.runs.own_outputs import PROGRESS
from bulkreact.runs.progress_meter import ProgressMeter
from bulkreact.runs.repetition import loop_time, repeating
from bulkreact.runs.work_report import Activity, WorkReport
from bulkreact.timestamps import iso_milliseconds
from bulkreact.wording import describe_error

STOP, STOP_NOW = "stop", "stop-now"
_LOOK_SECONDS = 0.2
_REPORT_SECONDS = 1.0


class Stoppable(Protocol):
    """Work that can be stopped at once, from any thread and more than once."""

    def force(self) -> None:
        """Stop at once."""
        ...


class ControlFolder:
    """What the files of the folder say, and what they ask for."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._now = now
        # Replaced as a whole: a thread of its own writes it.
        self._report = WorkReport()
        self._work: Stoppable | None = None
        self._is_stopping = False
        self._ended = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Write reports and obey the files within the context; InputRefusedError if the folder cannot be used."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write()
        except OSError as error:
            raise InputRefusedError(
                f"The folder of --control, {self._folder}, cannot be used: {describe_error(error)}. Nothing was sent."
            ) from None
        # Here, so that a file that is there already stops the command before it does anything.
        self._apply_requests()
        thread = threading.Thread(target=self._watch, name="control", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def attach(self, work: Stoppable) -> None:
        """Let ``stop-now`` stop work, now and later."""
        self._work = work

    def report(self, activity: Activity, message: str) -> None:
        """Report what is done now."""
        self._report = replace(self._report, activity=activity, message=message)

    def begin(self, run_id: str, *, total: int, settled: int) -> None:
        """Report that there is a run, with all its rows and those settled before."""
        self._report = replace(self._report, run_id=run_id, total=total, settled=settled)

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Report a phase within the context; it is measured in its event loop."""
        before, meter = self._report, ProgressMeter(phase, loop_time())

        def measure() -> None:
            self._report = before.in_phase(meter.measure(loop_time()))

        measure()
        try:
            with repeating(_REPORT_SECONDS, measure):
                yield
        finally:
            measure()
            self._report = self._report.after_phase()

    def _watch(self) -> None:
        due = 0.0
        while not self._ended.wait(_LOOK_SECONDS):
            self._apply_requests()
            if time.monotonic() >= due:
                due = time.monotonic() + _REPORT_SECONDS
                self._try_to_write()
        self._try_to_write()

    def _try_to_write(self) -> None:
        # Who reads sees the time of the last report; the work itself must go on.
        with suppress(OSError):
            self._write()

    def _write(self) -> None:
        report = replace(self._report, stopping=self._report.stopping or self._is_stopping)
        members = report.members(time=iso_milliseconds(self._now()), pid=os.getpid())
        draft = self._folder / f".{PROGRESS}.partial"
        with open(draft, "w", encoding="utf-8", opener=open_private) as file:
            json.dump(members, file)
        # Without a sync: after a crash of the machine there is no process to be watched.
        try:
            draft.replace(self._folder / PROGRESS)
        except PermissionError:
            # Windows does not replace a file while it is read: the next report is a second away.
            if os.name != "nt":
                raise

    def _apply_requests(self) -> None:
        at_once = _exists(self._folder / STOP_NOW)
        if not at_once and not _exists(self._folder / STOP):
            return
        if not self._is_stopping:
            self._is_stopping = True
            _interrupt_main_thread()
        if at_once and self._work:
            # Each time, because the work may only begin now.
            self._work.force()


def _exists(path: Path) -> bool:
    with suppress(OSError):
        return path.exists()
    return False


def _interrupt_main_thread() -> None:
    """Let the main thread handle SIGTERM, whatever it does; no other process is involved."""
    if hasattr(signal, "pthread_kill"):
        # It also ends a system call that blocks.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    else:
        signal.raise_signal(signal.SIGTERM)
