"""Reserves the id that a caller chose for a new run, from before the input is read until its process ends."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import Timeout

from bulkreact.batch.locks import run_id_lock
from bulkreact.errors import AlreadyRunningError, InputRefusedError
from bulkreact.runs import store
from bulkreact.wording import describe_error


@contextmanager
def reserving_id(reports: Path, run_id: str | None) -> Iterator[None]:
    """Hold the lock of an id; AlreadyRunningError if another process has it, InputRefusedError if there is such a run.

    Without an id nothing is reserved.
    """
    if run_id is None:
        yield
        return
    lock = run_id_lock(reports, run_id)
    look = f"Look at it with: bulkreact status {store.cli_name(reports / run_id, reports)}"
    try:
        reports.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise AlreadyRunningError(f"Another process has the run {run_id}. This one has sent nothing. {look}") from None
    except OSError as error:
        raise store.unwritable(reports, describe_error(error)) from None
    try:
        if store.locate(reports, run_id) or (reports / run_id).exists():
            raise InputRefusedError(f"There is a run {run_id} already. Nothing was sent. Choose another id. {look}")
        # Left by a killed process: no other one works on it while the lock is held.
        shutil.rmtree(store.draft_path(reports, run_id), ignore_errors=True)
        yield
    finally:
        # A file that cannot be removed is no lock any more when the process has ended.
        with suppress(OSError):
            lock.remove()


def is_reserved(reports: Path, run_id: str) -> bool:
    """Return whether a process makes a run, or works on one, under an id that was chosen for it."""
    lock = run_id_lock(reports, run_id)
    return lock.path.exists() and lock.is_held()
