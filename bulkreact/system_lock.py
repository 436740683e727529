"""Locks of files that the system releases when their process dies."""

from contextlib import suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock


def system_lock(path: Path, *, mode: int = 0o600, timeout: float = -1, thread_local: bool = True) -> BaseFileLock:
    """Return the lock of a file, whose acquisition raises OSError on a file system without locks.

    A marker file instead would outlive a killed process, and its run could not be continued.
    """
    return FileLock(path, mode=mode, timeout=timeout, thread_local=thread_local, fallback_to_soft=False)


def release(lock: BaseFileLock) -> None:
    """Release a lock; one that the system does not give back ends with the process."""
    with suppress(OSError):
        lock.release()
