"""Tells files that a user has edited from those as they were written, by the digests of what was written."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import msgspec

from bulkreact.atomic_write import replacing

WRITTEN = ".written.json"
_DIGEST = "sha256"


def note_digest(folder: Path, name: str) -> Callable[[Path], None]:
    """Return what notes the digest of a draft, durably, before it replaces the file of that name.

    The digest of the file that it replaces stays, so that a process that is killed before leaves a file that is known.
    """

    def note(draft: Path) -> None:
        noted = _read(folder) or {}
        present = _digest(folder / name)
        kept = [digest for digest in noted.get(name, ()) if digest == present]
        with replacing(folder / WRITTEN, private=True) as file:
            file.write(msgspec.json.encode({**noted, name: [*kept, _digest(draft)]}).decode())

    return note


def set_aside_edited(folder: Path, name: str, *, summary: Path) -> Path | None:
    """Rename a file that was edited since it was written, and return its new path; None if unedited.

    Earlier versions noted no digests: there files that are newer than the ``summary`` are edited.
    """
    file = folder / name
    if not file.is_file():
        return None
    noted = _read(folder)
    if noted is None:
        edited = summary.is_file() and file.stat().st_mtime_ns > summary.stat().st_mtime_ns
    else:
        edited = _digest(file) not in noted.get(name, ())
    if not edited:
        return None
    candidates = (file.with_name(f"{file.stem}.edited-{number}{file.suffix}") for number in count(1))
    return file.rename(next(path for path in candidates if not path.exists()))


def _read(folder: Path) -> dict[str, list[str]] | None:
    """Return the noted digests by file name, None if there are none that can be read."""
    with suppress(FileNotFoundError, msgspec.DecodeError):
        return msgspec.json.decode((folder / WRITTEN).read_bytes(), type=dict[str, list[str]])
    return None


def _digest(path: Path) -> str:
    """Return the digest of a file, empty if there is none."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        return hashlib.file_digest(file, _DIGEST).hexdigest()
    return ""
