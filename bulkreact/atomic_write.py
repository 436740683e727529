"""Writes files atomically, and removes the drafts of killed processes.

A draft is locked for as long as its process works on it: the system releases the lock when the process dies. Windows
renames nothing that is open, so there drafts have no locks: files get new names, and folders are removed after a day.
"""

import errno
import io
import os
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

if sys.platform != "win32":
    import fcntl

# Name pattern of the draft that a killed process leaves behind.
PARTIAL = ".*.partial"
_HAS_LOCKS = sys.platform != "win32"
# As PostgreSQL ignores them; a disk that fails reports EIO.
_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.EBADF, errno.EOPNOTSUPP, errno.ENOSYS})
# Where drafts cannot be locked.
_ABANDONED_SECONDS = 86_400.0


@contextmanager
def replacing(path: Path, *, private: bool, complete: Callable[[Path], None] | None = None) -> Iterator[TextIO]:
    """Write a text file as ``replacing_bytes`` does, in UTF-8 and without translating line ends."""
    with replacing_bytes(path, private=private, complete=complete) as raw:
        file = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        yield file
        # Flushes without closing, which replacing_bytes does.
        file.detach()


@contextmanager
def replacing_bytes(path: Path, *, private: bool, complete: Callable[[Path], None] | None = None) -> Iterator[BinaryIO]:
    """Write a draft that replaces the file at ``path`` when it is complete and synced.

    ``private`` files get mode 0600, others follow the umask; ``complete`` is called with the draft before it
    replaces the file.
    Raises OSError, leaving an older file untouched.
    """
    draft, descriptor = _create_draft(path, mode=0o600 if private else 0o666)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - the descriptor has the mode
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if not _HAS_LOCKS:
                # Windows renames no open file.
                file.close()
            if complete:
                complete(draft)
            draft.replace(path)
        except BaseException:
            if not _HAS_LOCKS:
                file.close()
            draft.unlink(missing_ok=True)
            raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that renames in it are durable, if the platform and its file system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync_open_folder(descriptor)
    finally:
        os.close(descriptor)


def sync_open_folder(descriptor: int) -> None:
    """Sync an open folder; shares that keep the order of names by themselves refuse it, and are left at that."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


@contextmanager
def drafting(folder: Path) -> Iterator[None]:
    """Make a folder that only its owner can read; it is removed afterwards unless it was renamed."""
    if os.path.lexists(folder):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))
    descriptor = None
    try:
        # Inside, because a signal may come when the folder has just been made.
        descriptor = _make_folder(folder)
        yield
    finally:
        try:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            # A signal may have ended the first attempt.
            shutil.rmtree(folder, ignore_errors=True)
            if descriptor is not None:
                os.close(descriptor)


def remove_abandoned(draft: Path) -> None:
    """Remove a draft, a file or a folder, whose process is dead."""
    with suppress(OSError):
        if not _HAS_LOCKS:
            if time.time() - draft.lstat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(draft, ignore_errors=True)
            return
        descriptor = os.open(draft, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if not _lock(draft, descriptor, without_locks=False):
                return
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                shutil.rmtree(draft, ignore_errors=True)
            else:
                draft.unlink()
        finally:
            os.close(descriptor)


def _make_folder(folder: Path) -> int | None:
    """Make a folder and return its locked descriptor, None where folders cannot be locked."""
    while True:
        folder.mkdir(mode=0o700)
        if not _HAS_LOCKS:
            return None
        descriptor = os.open(folder, os.O_RDONLY)
        if _lock(folder, descriptor, without_locks=True):
            return descriptor
        os.close(descriptor)


def _create_draft(path: Path, *, mode: int) -> tuple[Path, int]:
    """Create and lock the draft of a file; one that another process is writing stays as it is."""
    draft = path.with_name(f".{path.name}.partial")
    remove_abandoned(draft)
    while True:
        if not _HAS_LOCKS or os.path.lexists(draft):
            draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
        try:
            descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
        except FileExistsError:
            continue
        if _lock(draft, descriptor, without_locks=True):
            return draft, descriptor
        os.close(descriptor)


def _lock(draft: Path, descriptor: int, *, without_locks: bool) -> bool:
    """Lock an open draft until it is closed; false if another process has it, or has just removed or renamed it.

    ``without_locks`` is the result on file systems that have none.
    """
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return without_locks
    try:
        return os.path.samestat(draft.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
