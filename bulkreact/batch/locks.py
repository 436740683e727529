"""Locks outside any run's folder: one run per partner, one sweep per folder, one new run per reports folder at a time."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from filelock import Timeout

from bulkreact.errors import AlreadyRunningError, InputRefusedError
from bulkreact.file_access import open_private, take_private_folder
from bulkreact.system_lock import release, system_lock
from bulkreact.wording import describe_error

_PORTS = {"https": 443, "http": 80}
_POLL_SECONDS = 0.25
REPORTS_LOCK = ".runs.lock"
# Users who share a reports folder share its lock.
_REPORTS_LOCK_MODE = 0o660
# Publishing takes milliseconds.
_PUBLISHING_SECONDS = 30.0


class RemovableLock:
    """A lock whose file is removed in the end.

    Whoever takes or removes it holds the ``guard``, whose file stays: otherwise one process could lock a file that another
    is about to remove, and a third one the file that comes after it.
    """

    def __init__(self, path: Path, guard: Path, *, guard_mode: int = 0o600) -> None:
        self.path = path
        self._lock = system_lock(path)
        self._guard = system_lock(guard, mode=guard_mode)

    def acquire(self) -> None:
        """Take the lock; raise Timeout if another process has it, and OSError if the folder cannot be written."""
        with self._guard:
            self._lock.acquire(blocking=False)

    def is_held(self) -> bool:
        """Return whether another process has the lock; what a killed one has left is removed."""
        with self._guard:
            try:
                self._lock.acquire(blocking=False)
            except Timeout:
                return True
            release(self._lock)
            self.path.unlink(missing_ok=True)
            return False

    def release(self) -> None:
        """Give the lock up; its file stays."""
        release(self._lock)

    def remove(self) -> None:
        """Give the lock up and remove its file."""
        with self._guard:
            # In this order, because Windows removes no open file.
            release(self._lock)
            self.path.unlink(missing_ok=True)


def partner_lock(
    state: Path,
    *,
    base_url: str,
    tenant_id: str,
    now: Callable[[], str],
    on_wait: Callable[[str], None] | None = None,
) -> AbstractContextManager[Callable[[str], None]]:
    """Hold a partner's lock and yield a function that records the run's id; AlreadyRunningError names the holder.

    With ``on_wait``, which receives a message, wait for the lock instead. ``state`` is the folder for locks. The system
    releases the lock when the process dies.
    """
    parts = urlsplit(base_url)
    key = f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS[parts.scheme]}{parts.path} {tenant_id}"
    return _lock(state, key, f"Another run against {base_url}", now=now, on_wait=on_wait)


@contextmanager
def reports_lock(reports: Path) -> Iterator[None]:
    """Hold the lock of a reports folder for as long as a run is published in it.

    Its file lies in that folder: processes that share it may have other folders for locks.
    """
    lock = system_lock(reports / REPORTS_LOCK, mode=_REPORTS_LOCK_MODE)
    try:
        lock.acquire(timeout=_PUBLISHING_SECONDS)
    except Timeout:
        raise AlreadyRunningError(
            f"Another process has been beginning a run in {reports} for {_PUBLISHING_SECONDS:g} s. Nothing was sent. "
            "Try again."
        ) from None
    except OSError as error:
        raise InputRefusedError(
            f"The reports folder {reports} cannot be locked: {describe_error(error)}. Nothing was sent. Choose another with --reports."
        ) from None
    try:
        yield
    finally:
        release(lock)


def run_id_lock(reports: Path, run_id: str) -> RemovableLock:
    """Return the lock of the process that makes and works on a run under an id that was chosen for it."""
    return RemovableLock(reports / f".{run_id}.lock", reports / REPORTS_LOCK, guard_mode=_REPORTS_LOCK_MODE)


@contextmanager
def folder_lock(state: Path, folder: Path, *, now: Callable[[], str]) -> Iterator[None]:
    """Hold the lock of a folder that is being swept; AlreadyRunningError names the holder."""
    key = f"sweep {os.path.normcase(folder.resolve())}"
    with _lock(state, key, f"Another sweep of {folder}", now=now, on_wait=None) as record_run:
        record_run("a sweep")
        yield


@contextmanager
def _lock(
    state: Path, key: str, subject: str, *, now: Callable[[], str], on_wait: Callable[[str], None] | None
) -> Iterator[Callable[[str], None]]:
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    holder = state / f"{name}.json"
    lock = system_lock(state / f"{name}.lock")

    def record_run(run: str) -> None:
        with open(holder, "w", encoding="utf-8", opener=open_private) as file:
            json.dump({"pid": os.getpid(), "run": run, "started_at": since}, file)

    try:
        take_private_folder(state)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            message = f"{subject} is active{_describe(holder)}."
            if on_wait is None:
                hint = "Nothing was sent. Wait until it ends, then try again."
                raise AlreadyRunningError(f"{message} {hint}") from None
            on_wait(f"{message} Waiting until it has ended.")
            lock.acquire(poll_interval=_POLL_SECONDS)
        since = now()
        record_run("a run that is being prepared")
    except OSError as error:
        raise InputRefusedError(
            f"The folder for locks, {state}, cannot be used: {error.strerror}. Nothing was sent. Name another in BULKREACT_STATE_DIR."
        ) from None

    def try_to_record(run: str) -> None:
        # It only helps others to see who has the lock.
        with suppress(OSError):
            record_run(run)

    try:
        yield try_to_record
    finally:
        release(lock)


def _describe(holder: Path) -> str:
    """Return who holds a lock, empty if its file does not say."""
    try:
        content = json.loads(holder.read_text(encoding="utf-8"))
        return f": process {content['pid']}, {content['run']}, since {content['started_at']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
