"""Moves the files of an inbox to ``done`` or ``failed``: nothing is overwritten, and a crash loses nothing."""

import errno
import filecmp
import io
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO

from bulkreact.atomic_write import PARTIAL, sync_folder
from bulkreact.errors import ResultsNotWrittenError
from bulkreact.inbox.ledger import LedgerEntry
from bulkreact.inbox.scan import file_sha256
from bulkreact.sheets.output.results_csv import RESULTS
from bulkreact.sheets.output.results_xlsx import WORKBOOK

_DONE = "done"
_FAILED = "failed"
_COMPRESSED = ".gz"
# In bytes, of most file systems.
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class FileMover:
    """Moves files out of an inbox; with ``keep`` it does nothing."""

    inbox: Path
    keep: bool

    def remove_partial_files(self) -> None:
        """Remove partial files of a killed process."""
        if not self.keep:
            for name in (_DONE, _FAILED):
                for partial in (self.inbox / name).glob(PARTIAL):
                    partial.unlink(missing_ok=True)

    def find_input(self, entry: LedgerEntry) -> Path | None:
        """Return a run's input file if it is still in the inbox with unchanged content."""
        path = self.inbox / entry.file_name
        return path if file_sha256(path) == entry.sha256 else None

    def archive_run(self, entry: LedgerEntry, run: Path) -> Path | None:
        """Copy a run's results to ``done``, then move its input file next to them; return its new path."""
        if self.keep:
            return None
        with _as_results_error(entry.file_name):
            for name in (RESULTS, WORKBOOK):
                if (run / name).is_file():
                    end = f".{entry.run_id}.{name}"
                    stem = truncate_name(stem_of(entry.file_name), spare=len(os.fsencode(end)))
                    copy(run / name, self.inbox / _DONE / f"{stem}{end}")
            source = self.find_input(entry)
            return move(source, self.inbox / _DONE) if source else None

    def archive_duplicate(self, path: Path) -> None:
        """Move a file that needs no run to ``done``."""
        if not self.keep:
            with _as_results_error(path.name):
                move(path, self.inbox / _DONE)

    def refuse(self, path: Path, reason: str) -> Path | None:
        """Move a file that cannot be run to ``failed``, next to a note with the reason; return its new path."""
        if self.keep:
            return None
        with _as_results_error(path.name):
            return move_with_note(path, self.inbox / _FAILED, reason)


@contextmanager
def _as_results_error(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsNotWrittenError(
            f"{name} could not be moved out of the inbox: {error.strerror}. Fix the cause: the next sweep moves it, and "
            "does not run it again."
        ) from None


def truncate_name(name: str, *, spare: int) -> str:
    """Shorten a name so that the file system accepts it with ``spare`` more bytes."""
    encoded = os.fsencode(name)
    return name if len(encoded) + spare <= _LONGEST_NAME else encoded[: _LONGEST_NAME - spare].decode("utf-8", "ignore")


def stem_of(name: str) -> str:
    """Return a file's name without the suffixes of its format and compression."""
    return Path(name[: -len(_COMPRESSED)] if name.lower().endswith(_COMPRESSED) else name).stem


def move(file: Path, folder: Path) -> Path:
    """Move a file into a folder, under another name if its own is taken; return its new path."""
    folder.mkdir(exist_ok=True)
    return next(path for path in _candidates(folder / file.name) if _move_to(file, path))


def move_with_note(file: Path, folder: Path, text: str) -> Path:
    """Move a file into a folder, next to a text file with the reason; return its new path."""
    folder.mkdir(exist_ok=True)
    # File names in it need not be valid text.
    note = text.encode("utf-8", "replace") + b"\n"
    return next(path for path in _candidates(folder / file.name) if _move_beside_note(file, path, note))


def copy(file: Path, path: Path) -> Path:
    """Copy a file to a path, or to a numbered one if another file is there; return the copy's path."""
    path.parent.mkdir(exist_ok=True)
    return next(candidate for candidate in _candidates(path) if _copy_to(file, candidate))


def _candidates(first: Path) -> Iterator[Path]:
    """Yield candidate paths: the given one, then numbered ones, ``x.csv``, ``x-2.csv``."""
    yield first
    for number in count(2):
        end = f"-{number}{first.suffix}"
        yield first.with_name(f"{truncate_name(first.stem, spare=len(os.fsencode(end)))}{end}")


def _move_to(file: Path, path: Path) -> bool:
    """Move a file unless the path is taken; return whether it was moved.

    A hard link and then the removal of the old name never replace a file, unlike a rename.
    """
    try:
        os.link(file, path, follow_symlinks=False)
    except FileExistsError:
        # A crash between link and unlink left both names.
        if not _is_same(file, path):
            return False
        file.unlink()
    except (OSError, NotImplementedError):
        # Not every file system has hard links, and none links to another disk.
        if path.exists():
            return False
        _rename(file, path)
    else:
        file.unlink()
    sync_folder(path.parent)
    sync_folder(file.parent)
    return True


def _rename(file: Path, path: Path) -> None:
    try:
        file.rename(path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # Another disk: complete the copy before the removal.
        with file.open("rb") as source:
            _write(source, _partial_path(path)).replace(path)
        file.unlink()


def _move_beside_note(file: Path, path: Path, text: bytes) -> bool:
    note = path.with_name(f"{truncate_name(path.name, spare=4)}.txt")
    if (path.exists() and not _is_same(file, path)) or (note.exists() and note.read_bytes() != text):
        return False
    # The note first: after a crash, a file without one would have no explanation.
    if not note.exists():
        _write_note(note, text)
    return _move_to(file, path)


def _write_note(path: Path, text: bytes) -> None:
    _write(io.BytesIO(text), _partial_path(path)).replace(path)


def _copy_to(file: Path, path: Path) -> bool:
    """Copy a file unless the path has other content; return whether the content is there now."""
    if path.exists():
        return filecmp.cmp(file, path, shallow=False)
    with file.open("rb") as source:
        partial = _write(source, _partial_path(path))
    if _move_to(partial, path):
        return True
    partial.unlink()
    return False


def _write(source: BinaryIO, path: Path) -> Path:
    with path.open("xb") as target:
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())
    return path


def _is_same(file: Path, path: Path) -> bool:
    try:
        return file.samefile(path)
    except OSError:
        return False


def _partial_path(path: Path) -> Path:
    return path.with_name(f".{secrets.token_hex(8)}.partial")
