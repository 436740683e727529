"""Scans an inbox: which files are ready to be run, and which are ignored."""

import hashlib
import os
import stat
from dataclasses import dataclass

from bulkreact import CONFIG_FILE_NAME
from bulkreact.errors import FileRefusedError, InputRefusedError
from bulkreact.inbox.folder import Folder, is_link
from bulkreact.inbox.foreign_file import FileSnapshot, read_unchanged
from bulkreact.wording import printable

DONE = "done"
FAILED = "failed"
# In bytes: a table of millions of rows is smaller, and whoever may drop files must not fill the disk with a copy.
LARGEST_FILE = 2 << 30

# The samples in this project's own inbox; files of these names with other contents are ordinary input.
SHIPPED = {
    "sample.csv": frozenset({"c952ad1a787f463707599782e71745f18a5710164716e710c2062aad2a4cd9fa"}),
    "incident.csv": frozenset({"8cefea71360edc70ec9bc5d4c4fce2f0bdddcfe1383ecd37fdda44b03451f629"}),
}
# In bytes; the samples are much smaller.
_LARGEST_SAMPLE = 1 << 20
_NOT_INPUT = frozenset({CONFIG_FILE_NAME, "desktop.ini", "thumbs.db"})
_HIDDEN = (".", "~$")
# Suffixes that browsers, copying programs and editors give to incomplete files.
_INCOMPLETE = (".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp", ".temp", ".swp", "~")


@dataclass(frozen=True, slots=True)
class ForeignEntry:
    """An entry that is not touched, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class InboxScan:
    """The files of an inbox, oldest first: ready ones, and those that changed just now; and what is left alone."""

    ready: tuple[FileSnapshot, ...]
    settling: tuple[FileSnapshot, ...]
    foreign: tuple[ForeignEntry, ...]


def scan(inbox: Folder, *, settle: float, now: float, keep: bool) -> InboxScan:
    """Scan an inbox whose files stay in it with ``keep``; raise InputRefusedError if it cannot be read."""
    try:
        names = [name for name in inbox.names() if not is_ignored(name)]
        entries = [entry for name in names if (entry := _examine(inbox, name, keep=keep))]
    except OSError as error:
        raise InputRefusedError(f"The inbox {printable(inbox.path)} cannot be read: {error.strerror}.") from None
    files = [entry for entry in entries if isinstance(entry, FileSnapshot)]
    files.sort(key=lambda file: (file.modified_ns, file.name))
    settling = {file for file in files if file.is_settling(settle=settle, now=now)}
    foreign = (entry for entry in entries if isinstance(entry, ForeignEntry))
    return InboxScan(
        tuple(file for file in files if file not in settling and not _is_shipped(inbox, file)),
        tuple(file for file in files if file in settling),
        tuple(sorted(foreign, key=lambda entry: entry.name)),
    )


def _examine(inbox: Folder, name: str, *, keep: bool) -> FileSnapshot | ForeignEntry | None:
    """Return what an entry is, None for folders, hidden files and what is gone."""
    status = inbox.status(name)
    if status is None or getattr(status, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_HIDDEN:
        return None
    if is_link(status):
        return ForeignEntry(name, "it is a link, and links are not followed. Put the file itself there")
    if stat.S_ISDIR(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        return ForeignEntry(name, "it is a pipe, a socket or a device, and no file. Remove it")
    if reason := _rejection_reason(inbox, status, keep=keep):
        return ForeignEntry(name, reason)
    return FileSnapshot.of(name, status)


def _rejection_reason(inbox: Folder, status: os.stat_result, *, keep: bool) -> str:
    """Return why a file is not touched, empty if it may be."""
    # A link may show a file that whoever made it cannot read.
    if status.st_nlink > 1 and not _is_half_moved(inbox, status):
        return "it has another name elsewhere, by a hard link. Put a copy there instead"
    if status.st_size > LARGEST_FILE:
        return f"it is larger than {LARGEST_FILE >> 30} GiB. Split it, or run it by its name: bulkreact run"
    if not keep and inbox.is_sticky_of_another and status.st_uid != os.geteuid():
        return "it is another user's and the folder has the sticky bit, so that it cannot be moved. Use another folder, or add --keep"
    return ""


def _is_half_moved(inbox: Folder, status: os.stat_result) -> bool:
    """Return whether a sweep that was killed has left both names of a file that it moved."""
    folders = [folder for name in (DONE, FAILED) if (folder := inbox.subfolder(name))]
    return status.st_nlink == 2 and any(status.st_ino in folder.inodes() for folder in folders)  # noqa: PLR2004


def is_ignored(name: str) -> bool:
    """Return whether a file name marks no input or an incomplete file."""
    name = name.casefold()
    return name.startswith(_HIDDEN) or name.endswith(_INCOMPLETE) or name in _NOT_INPUT


def _is_shipped(inbox: Folder, file: FileSnapshot) -> bool:
    """Return whether a file is one of the samples, also with Windows line ends."""
    if file.name not in SHIPPED or file.size > _LARGEST_SAMPLE:
        return False
    try:
        content = b"".join(read_unchanged(inbox, file)).replace(b"\r\n", b"\n")
    except FileRefusedError:
        return False
    return hashlib.sha256(content).hexdigest() in SHIPPED[file.name]
