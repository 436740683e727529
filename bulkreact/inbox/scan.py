"""The inbox of a sweep: which of its files are ready to be run, and which are left alone."""

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path

from bulkreact.errors import InputRefusedError
from bulkreact.settings import FILE_NAME

# What lies in this project's own inbox, as shipped; with other contents they are anybody's files.
SHIPPED = {
    "sample.csv": frozenset({"c952ad1a787f463707599782e71745f18a5710164716e710c2062aad2a4cd9fa"}),
    "incident.csv": frozenset({"8cefea71360edc70ec9bc5d4c4fce2f0bdddcfe1383ecd37fdda44b03451f629"}),
}
_NEVER = frozenset({FILE_NAME, "desktop.ini", "thumbs.db"})
_HIDDEN = (".", "~$")
# As browsers, copying programs and editors call what is not complete.
_HALF_WRITTEN = (".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp", ".temp", ".swp", "~")


@dataclass(frozen=True, slots=True)
class FileSnapshot:
    """A file as it was found: if it is found otherwise a moment later, somebody is writing it."""

    path: Path
    size: int
    modified_ns: int
    changed_ns: int = 0

    def is_settling(self, *, settle: float, now: float) -> bool:
        """Tell whether it changed less than some seconds before a moment.

        One that comes from the future has another machine's clock: then this one's tells when it was written to.
        """
        modified = self.modified_ns / 1e9
        return abs(now - (modified if modified <= now else self.changed_ns / 1e9)) < settle


@dataclass(frozen=True, slots=True)
class InboxScan:
    """What is in an inbox: files that are ready, the oldest first, and those that changed just now."""

    ready: tuple[FileSnapshot, ...]
    young: tuple[FileSnapshot, ...]


def scan(inbox: Path, *, settle: float, now: float) -> InboxScan:
    """Look at an inbox; InputRefusedError when that is not possible."""
    try:
        found = [one for path in inbox.iterdir() if not is_left_alone(path.name) and (one := take_snapshot(path))]
    except OSError as error:
        raise InputRefusedError(f"The inbox {inbox} cannot be read: {error.strerror}.") from None
    found.sort(key=lambda one: (one.modified_ns, one.path.name))
    young = {one for one in found if one.is_settling(settle=settle, now=now)}
    return InboxScan(
        tuple(one for one in found if one not in young and not _is_shipped(one.path)),
        tuple(one for one in found if one in young),
    )


def take_snapshot(path: Path) -> FileSnapshot | None:
    """Look at a file; None for what is none, hidden, or gone."""
    try:
        found = path.stat()
    except OSError:
        # Not even to be looked at, like a link to nowhere: reading it will say why.
        return FileSnapshot(path, -1, 0) if path.is_symlink() else None
    hidden = getattr(found, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_HIDDEN
    if not stat.S_ISREG(found.st_mode) or hidden:
        return None
    return FileSnapshot(path, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def is_left_alone(name: str) -> bool:
    """Tell whether a file's name says that it is no input, or not yet one."""
    small = name.casefold()
    return small.startswith(_HIDDEN) or small.endswith(_HALF_WRITTEN) or small in _NEVER


def file_sha256(path: Path) -> str:
    """Return the digest of a file's bytes, empty when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _is_shipped(path: Path) -> bool:
    """Tell whether a file is one of this project's own samples, also with the line ends of Windows."""
    if path.name not in SHIPPED:
        return False
    try:
        content = path.read_bytes().replace(b"\r\n", b"\n")
    except OSError:
        return False
    return hashlib.sha256(content).hexdigest() in SHIPPED[path.name]
