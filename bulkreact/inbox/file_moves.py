"""Puts files where they belong when they are done with: nothing is ever overwritten, and a kill loses nothing."""

import errno
import filecmp
import os
import secrets
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from bulkreact.atomic_write import PARTIAL, sync_folder

_PACKED = ".gz"
# In bytes, of most file systems.
_LONGEST_NAME = 255


def remove_partial_files(folder: Path) -> None:
    """Remove the drafts of a process that was killed while it wrote into a folder."""
    for draft in folder.glob(PARTIAL):
        draft.unlink(missing_ok=True)


def truncate_name(name: str, *, spare: int) -> str:
    """Return a name, cut where no file system would take it with so many bytes more."""
    found = os.fsencode(name)
    return name if len(found) + spare <= _LONGEST_NAME else found[: _LONGEST_NAME - spare].decode("utf-8", "ignore")


def stem_of(name: str) -> str:
    """Return a file's name without what tells its kind."""
    bare = name[: -len(_PACKED)] if name.lower().endswith(_PACKED) else name
    return Path(bare).stem


def move(file: Path, folder: Path) -> Path:
    """Move a file into a folder, under another name if its own is taken; raises OSError when that is not possible."""
    folder.mkdir(exist_ok=True)
    place = next(place for place in _places(folder / file.name) if _moved(file, place))
    sync_folder(folder)
    sync_folder(file.parent)
    return place


def move_with_note(file: Path, folder: Path, words: str) -> Path:
    """Move a file into a folder, beside a text that says why; raises OSError when that is not possible."""
    folder.mkdir(exist_ok=True)
    # Names of files may be no text.
    words = words.encode("utf-8", "replace").decode()
    for place in _places(folder / file.name):
        note = place.with_name(f"{truncate_name(place.name, spare=4)}.txt")
        if (place.exists() and not _same(file, place)) or (note.exists() and not _says(note, words)):
            continue
        # The words first: a file without them would say nothing after a kill.
        if not note.exists():
            _write(note, words)
        if _moved(file, place):
            sync_folder(folder)
            sync_folder(file.parent)
            return place
    raise FileExistsError(errno.EEXIST, "all names are taken", str(folder))


def copy(file: Path, place: Path) -> Path:
    """Copy a file to a place, or to another one beside it if something else is there; returns where it is now."""
    place.parent.mkdir(exist_ok=True)
    for one in _places(place):
        if one.exists():
            if filecmp.cmp(file, one, shallow=False):
                return one
            continue
        draft = _copied(file, _draft(one))
        if _moved(draft, one):
            sync_folder(place.parent)
            return one
        draft.unlink()
    raise FileExistsError(errno.EEXIST, "all names are taken", str(place))


def _places(first: Path) -> Iterator[Path]:
    """Yield names for a file, the first one as it is, then with a number: ``x.csv``, ``x-2.csv``."""
    yield first
    for number in count(2):
        end = f"-{number}{first.suffix}"
        yield first.with_name(f"{truncate_name(first.stem, spare=len(os.fsencode(end)))}{end}")


def _moved(file: Path, place: Path) -> bool:
    """Give a file another name unless that is taken; return whether it has it.

    A second name and then the first one's removal never replaces anything, as renaming would.
    """
    try:
        os.link(file, place, follow_symlinks=False)
    except FileExistsError:
        if not _same(file, place):
            return False
        # A kill has left both names.
    except (OSError, NotImplementedError):
        # Not every file system knows second names, and none gives one on another disk.
        if place.exists():
            return False
        _rename(file, place)
        return True
    file.unlink()
    return True


def _rename(file: Path, place: Path) -> None:
    try:
        file.rename(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # Another disk: whole there before it is gone here.
        _copied(file, _draft(place)).replace(place)
        file.unlink()


def _copied(file: Path, draft: Path) -> Path:
    with file.open("rb") as source, draft.open("xb") as target:
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())
    return draft


def _same(file: Path, place: Path) -> bool:
    try:
        return file.samefile(place)
    except OSError:
        return False


def _says(note: Path, words: str) -> bool:
    return note.read_text(encoding="utf-8", errors="replace") == f"{words}\n"


def _write(place: Path, words: str) -> None:
    draft = _draft(place)
    with draft.open("x", encoding="utf-8") as file:
        file.write(f"{words}\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(place)


def _draft(place: Path) -> Path:
    return place.with_name(f".{secrets.token_hex(8)}.partial")
