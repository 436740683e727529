"""One run per partner at a time, and one sweep per folder: locks outside any run's folder."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from bulkreact.errors import AlreadyRunningError, InputRefusedError

_PORTS = {"https": 443, "http": 80}
_POLL_SECONDS = 0.25


@contextmanager
def partner_lock(
    state: Path,
    *,
    base_url: str,
    tenant_id: str,
    now: Callable[[], str],
    waiting: Callable[[str], None] | None = None,
) -> Iterator[Callable[[str], None]]:
    """Hold the lock of a partner and yield what is told the run's id; AlreadyRunningError names who has it.

    With ``waiting``, which is told who has it, the lock is waited for instead. ``state`` is the folder for locks. The
    system releases the lock when the process dies.
    """
    parts = urlsplit(base_url)
    key = f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS[parts.scheme]}{parts.path} {tenant_id}"
    with _held(state, key, f"Another run against {base_url}", now=now, waiting=waiting) as tell:
        yield tell


@contextmanager
def folder_lock(state: Path, folder: Path, *, now: Callable[[], str]) -> Iterator[None]:
    """Hold the lock of a folder that is being swept; AlreadyRunningError names who has it."""
    key = f"sweep {os.path.normcase(folder.resolve())}"
    with _held(state, key, f"Another sweep of {folder}", now=now, waiting=None) as tell:
        tell("a sweep")
        yield


@contextmanager
def _held(
    state: Path, key: str, what: str, *, now: Callable[[], str], waiting: Callable[[str], None] | None
) -> Iterator[Callable[[str], None]]:
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    holder = state / f"{name}.json"
    lock = FileLock(state / f"{name}.lock", mode=0o600)

    def tell(run: str) -> None:
        content = {"pid": os.getpid(), "run": run, "started_at": since}
        holder.write_text(json.dumps(content), encoding="utf-8")

    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        _acquire(lock, holder, what, waiting)
        since = now()
        tell("a run that is being prepared")
    except OSError as error:
        raise InputRefusedError(
            f"The folder for locks, {state}, cannot be written: {error.strerror}. Name another in BULKREACT_STATE_DIR."
        ) from None
    try:
        yield tell
    finally:
        lock.release()


def _acquire(lock: FileLock, holder: Path, what: str, waiting: Callable[[str], None] | None) -> None:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        words = f"{what} is active{_described(holder)}."
        if waiting is None:
            raise AlreadyRunningError(f"{words} Nothing was sent. Wait until it has ended, then try again.") from None
        waiting(f"{words} Waiting until it has ended.")
        lock.acquire(poll_interval=_POLL_SECONDS)


def _described(holder: Path) -> str:
    """Say who holds the lock, as far as it has said so itself."""
    try:
        content = json.loads(holder.read_text(encoding="utf-8"))
        return f": process {content['pid']}, {content['run']}, since {content['started_at']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
