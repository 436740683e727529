"""One file of an inbox: recognizing that it is still the same, and reading it without being led elsewhere."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bulkreact.errors import FileRefusedError, InputRefusedError
from bulkreact.inbox.folder import Folder
from bulkreact.wording import printable

_CHUNK = 1 << 20


class FileChangedError(Exception):
    """Another file has the name now, or it was written to: it is left for the next sweep."""


@dataclass(frozen=True, slots=True)
class FileSnapshot:
    """A file's identity, size and times: if they differ a moment later, it is being written, or is another file."""

    name: str
    size: int
    modified_ns: int
    changed_ns: int
    device: int
    inode: int

    @classmethod
    def of(cls, name: str, status: os.stat_result) -> "FileSnapshot":
        """Return the snapshot of a file with a status."""
        times = (status.st_mtime_ns, status.st_ctime_ns)
        return cls(name, status.st_size, *times, status.st_dev, status.st_ino)

    def is_same_file(self, status: os.stat_result | None) -> bool:
        """Return whether a status is of the same file, whatever its name and times."""
        return status is not None and (status.st_dev, status.st_ino) == (self.device, self.inode)

    def is_settling(self, *, settle: float, now: float) -> bool:
        """Return whether it changed less than ``settle`` seconds ago.

        A future mtime means another machine's clock; fall back to ctime.
        """
        modified = self.modified_ns / 1e9
        return abs(now - (modified if modified <= now else self.changed_ns / 1e9)) < settle


def take_snapshot(inbox: Folder, name: str) -> FileSnapshot | None:
    """Return a file's snapshot; None if it is gone, or not a regular file."""
    try:
        status = inbox.status(name)
    except OSError:
        return None
    return FileSnapshot.of(name, status) if status and stat.S_ISREG(status.st_mode) else None


def read_unchanged(inbox: Folder, file: FileSnapshot) -> Iterator[bytes]:
    """Yield the bytes of a file; FileRefusedError if it cannot be read, or is not the same any more.

    One that grows is read to one byte behind its end.
    """
    try:
        with _open_unchanged(inbox, file) as source:
            left = file.size + 1
            while chunk := source.read(min(_CHUNK, left)):
                left -= len(chunk)
                yield chunk
    except OSError as error:
        path = printable(inbox.path / file.name)
        raise FileRefusedError.plain(f"{path} cannot be read: {error.strerror}.") from None


def _open_unchanged(inbox: Folder, file: FileSnapshot) -> BinaryIO:
    source = inbox.open_file(file.name)
    if FileSnapshot.of(file.name, os.fstat(source.fileno())) != file:
        source.close()
        raise OSError(errno.EINVAL, "It has changed")
    return source


def digest_of(inbox: Folder, file: FileSnapshot) -> str:
    """Return the digest of a file's bytes, empty if it cannot be read."""
    digest = hashlib.sha256()
    try:
        for chunk in read_unchanged(inbox, file):
            digest.update(chunk)
    except FileRefusedError:
        return ""
    return digest.hexdigest()


@contextmanager
def private_copy(inbox: Folder, file: FileSnapshot, path: Path) -> Iterator[None]:
    """Copy a file to where only its reader can change it, and remove the copy afterwards."""
    try:
        # With this mode from its beginning on, nobody else can open it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with open(descriptor, "wb") as copy:  # noqa: PTH123 - the descriptor has the mode
            copy.writelines(read_unchanged(inbox, file))
    except OSError as error:
        raise InputRefusedError(f"{path.parent} cannot be written: {error.strerror}. Nothing was sent.") from None
    yield
    path.unlink()


@contextmanager
def holding(inbox: Folder, file: FileSnapshot) -> Iterator[None]:
    """Make sure that a name is still the file's, and that no new file gets its inode; FileChangedError if it is not."""
    with ExitStack() as stack:
        # Windows moves no open file.
        if os.name != "nt":
            with suppress(OSError):
                stack.enter_context(inbox.open_file(file.name))
        if take_snapshot(inbox, file.name) != file:
            raise FileChangedError(file.name)
        yield
