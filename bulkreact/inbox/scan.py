"""Scans an inbox: which files are ready to be run, and which are ignored."""

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path

from bulkreact.errors import InputRefusedError
from bulkreact.settings import CONFIG_FILE_NAME

# The samples in this project's own inbox; files of these names with other contents are ordinary input.
SHIPPED = {
    "sample.csv": frozenset({"c952ad1a787f463707599782e71745f18a5710164716e710c2062aad2a4cd9fa"}),
    "incident.csv": frozenset({"8cefea71360edc70ec9bc5d4c4fce2f0bdddcfe1383ecd37fdda44b03451f629"}),
}
_NOT_INPUT = frozenset({CONFIG_FILE_NAME, "desktop.ini", "thumbs.db"})
_HIDDEN = (".", "~$")
# Suffixes that browsers, copying programs and editors give to incomplete files.
_INCOMPLETE = (".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp", ".temp", ".swp", "~")


@dataclass(frozen=True, slots=True)
class FileSnapshot:
    """A file's size and times: if they differ a moment later, the file is being written."""

    path: Path
    size: int
    modified_ns: int
    changed_ns: int = 0

    def is_settling(self, *, settle: float, now: float) -> bool:
        """Return whether it changed less than ``settle`` seconds ago.

        A future mtime means another machine's clock; fall back to ctime.
        """
        modified = self.modified_ns / 1e9
        return abs(now - (modified if modified <= now else self.changed_ns / 1e9)) < settle


@dataclass(frozen=True, slots=True)
class InboxScan:
    """The files of an inbox, oldest first: ready ones, and those that changed just now."""

    ready: tuple[FileSnapshot, ...]
    settling: tuple[FileSnapshot, ...]


def scan(inbox: Path, *, settle: float, now: float) -> InboxScan:
    """Scan an inbox; raise InputRefusedError if it cannot be read."""
    try:
        paths = [path for path in inbox.iterdir() if not is_ignored(path.name)]
    except OSError as error:
        raise InputRefusedError(f"The inbox {inbox} cannot be read: {error.strerror}.") from None
    files = [file for path in paths if (file := take_snapshot(path))]
    files.sort(key=lambda file: (file.modified_ns, file.path.name))
    settling = {file for file in files if file.is_settling(settle=settle, now=now)}
    return InboxScan(
        tuple(file for file in files if file not in settling and not _is_shipped(file.path)),
        tuple(file for file in files if file in settling),
    )


def take_snapshot(path: Path) -> FileSnapshot | None:
    """Return a file's snapshot; None if it is hidden, gone, or not a regular file."""
    try:
        status = path.stat()
    except OSError:
        # A broken link: reading it will fail with the reason.
        return FileSnapshot(path, -1, 0) if path.is_symlink() else None
    hidden = getattr(status, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_HIDDEN
    if not stat.S_ISREG(status.st_mode) or hidden:
        return None
    return FileSnapshot(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def is_ignored(name: str) -> bool:
    """Return whether a file name marks no input or an incomplete file."""
    name = name.casefold()
    return name.startswith(_HIDDEN) or name.endswith(_INCOMPLETE) or name in _NOT_INPUT


def file_sha256(path: Path) -> str:
    """Return the digest of a file's bytes, empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _is_shipped(path: Path) -> bool:
    """Return whether a file is one of the samples, also with Windows line ends."""
    if path.name not in SHIPPED:
        return False
    try:
        content = path.read_bytes().replace(b"\r\n", b"\n")
    except OSError:
        return False
    return hashlib.sha256(content).hexdigest() in SHIPPED[path.name]
