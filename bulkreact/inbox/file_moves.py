"""Moves and copies files between folders that others may write to: nothing is overwritten, and a crash loses nothing."""

import errno
import io
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count, zip_longest
from pathlib import Path
from typing import BinaryIO

from bulkreact.errors import FileRefusedError
from bulkreact.inbox.folder import Folder
from bulkreact.inbox.foreign_file import (
    FileChangedError,
    FileSnapshot,
    holding,
    read_unchanged,
    take_snapshot,
)

# What a killed process leaves behind.
PARTIAL = re.compile(r"\.[0-9a-f]{16}\.partial")
_CHUNK = 1 << 20
_COMPRESSED = ".gz"
# In bytes, of most file systems.
_LONGEST_NAME = 255


def truncate_name(name: str, *, spare: int) -> str:
    """Shorten a name so that the file system accepts it with ``spare`` more bytes."""
    encoded = os.fsencode(name)
    return name if len(encoded) + spare <= _LONGEST_NAME else encoded[: _LONGEST_NAME - spare].decode("utf-8", "ignore")


def stem_of(name: str) -> str:
    """Return a file's name without the suffixes of its format and compression."""
    return Path(name[: -len(_COMPRESSED)] if name.lower().endswith(_COMPRESSED) else name).stem


def move(inbox: Folder, file: FileSnapshot, folder: Folder, name: str = "") -> Path:
    """Move a file into a folder, under its own or a given ``name``, numbered if that is taken; return its new path."""
    names = _candidates(name or file.name)
    with holding(inbox, file):
        return folder.path / next(each for each in names if _move_to(inbox, file, folder, each))


def move_with_note(inbox: Folder, file: FileSnapshot, folder: Folder, text: str) -> Path:
    """Move a file into a folder, next to a text file with the reason; return its new path."""
    note = text.encode() + b"\n"
    with holding(inbox, file):
        names = (name for name in _candidates(file.name) if _move_beside_note(inbox, file, folder, name, note))
        return folder.path / next(names)


def copy(file: Path, folder: Folder, name: str) -> Path:
    """Copy a file into a folder, under a numbered name if another file has its own; return the copy's path."""
    return _write_new(folder, name, lambda: file.open("rb"))


def write(content: bytes, folder: Folder, name: str) -> Path:
    """Write a file into a folder, under a numbered name if another file has its own; return its path."""
    return _write_new(folder, name, lambda: io.BytesIO(content))


def _candidates(first: str) -> Iterator[str]:
    """Yield candidate names: the given one, then numbered ones, ``x.csv``, ``x-2.csv``."""
    yield first
    stem, suffix = Path(first).stem, Path(first).suffix
    for number in count(2):
        end = f"-{number}{suffix}"
        yield f"{truncate_name(stem, spare=len(os.fsencode(end)))}{end}"


def _move_to(source: Folder, file: FileSnapshot, folder: Folder, name: str) -> bool:
    """Move a file unless the name is taken; return whether it was moved; FileChangedError if another one has its name.

    A hard link and then the removal of the old name never replace a file, unlike a rename.
    """
    try:
        source.link(file.name, folder, name)
    except FileExistsError:
        # A crash between link and unlink left both names.
        if not file.is_same_file(folder.status(name)):
            return False
    except (OSError, NotImplementedError):
        # Not every file system has hard links, none links to another disk, and some systems none to others' files.
        if folder.status(name) is not None:
            return False
        _rename(source, file, folder, name)
    else:
        if not file.is_same_file(folder.status(name)):
            folder.unlink(name)
            raise FileChangedError(file.name)
    if file.is_same_file(source.status(file.name)):
        source.unlink(file.name)
    folder.sync()
    source.sync()
    return True


def _rename(source: Folder, file: FileSnapshot, folder: Folder, name: str) -> None:
    try:
        source.rename(file.name, folder, name)
    except FileNotFoundError:
        raise FileChangedError(file.name) from None
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # Another disk: complete the copy before the removal.
        if not _publish(_copy_unchanged(source, file, folder), folder, name):
            raise
        if take_snapshot(source, file.name) != file:
            folder.unlink(name)
            raise FileChangedError(file.name) from None
        source.unlink(file.name)
        return
    if not file.is_same_file(folder.status(name)):
        # Give back what was put in the place of the file.
        if source.status(file.name) is None:
            folder.rename(name, source, file.name)
        raise FileChangedError(file.name)


def _move_beside_note(source: Folder, file: FileSnapshot, folder: Folder, name: str, text: bytes) -> bool:
    note = f"{truncate_name(name, spare=4)}.txt"
    status = folder.status(name)
    if status is not None and not file.is_same_file(status):
        return False
    # The note first: after a crash, a file without one would have no explanation.
    return _write_note(folder, note, text) and _move_to(source, file, folder, name)


def _write_note(folder: Folder, name: str, text: bytes) -> bool:
    """Write a note unless the name has other content; return whether the note is there now."""
    return _write_once(folder, name, lambda: io.BytesIO(text))


def _write_new(folder: Folder, name: str, open_content: Callable[[], BinaryIO]) -> Path:
    return folder.path / next(free for free in _candidates(name) if _write_once(folder, free, open_content))


def _write_once(folder: Folder, name: str, open_content: Callable[[], BinaryIO]) -> bool:
    """Write a file unless the name has other content; return whether the content is there now."""
    if folder.status(name) is not None:
        return _has_content(folder, name, open_content)
    with open_content() as content:
        return _publish(_write(_chunks(content), folder), folder, name)


def _publish(draft: FileSnapshot, folder: Folder, name: str) -> bool:
    """Give a partial file its name unless that is taken; return whether it was free."""
    if _move_to(folder, draft, folder, name):
        return True
    folder.unlink(draft.name)
    return False


def _copy_unchanged(source: Folder, file: FileSnapshot, folder: Folder) -> FileSnapshot:
    """Copy a file into a partial one; FileChangedError if it cannot be read, or is not the same any more."""
    try:
        return _write(read_unchanged(source, file), folder)
    except FileRefusedError:
        raise FileChangedError(file.name) from None


def _has_content(folder: Folder, name: str, open_content: Callable[[], BinaryIO]) -> bool:
    try:
        with folder.open_file(name) as present, open_content() as content:
            return all(ours == theirs for ours, theirs in zip_longest(_chunks(present), _chunks(content)))
    except OSError:
        return False


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    return iter(partial(file.read, _CHUNK), b"")


def _write(chunks: Iterable[bytes], folder: Folder) -> FileSnapshot:
    """Write a partial file and sync it."""
    name = _partial_name()
    target = folder.create_file(name)
    try:
        with target:
            target.writelines(chunks)
            target.flush()
            os.fsync(target.fileno())
            return FileSnapshot.of(name, os.fstat(target.fileno()))
    except BaseException:
        folder.unlink(name)
        raise


def _partial_name() -> str:
    return f".{secrets.token_hex(8)}.partial"
