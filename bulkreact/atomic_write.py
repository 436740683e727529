"""Writes files atomically."""

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

# Name pattern of the temporary file that a killed process leaves behind.
PARTIAL = ".*.partial"


@contextmanager
def replacing(path: Path, *, private: bool) -> Iterator[TextIO]:
    """Write a text file as ``replacing_bytes`` does, in UTF-8 and without translating line ends."""
    with replacing_bytes(path, private=private) as raw:
        file = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        yield file
        # Flushes without closing, which replacing_bytes does.
        file.detach()


@contextmanager
def replacing_bytes(path: Path, *, private: bool) -> Iterator[BinaryIO]:
    """Write a temporary file that replaces the one at ``path`` when it is complete and synced.

    ``private`` files get mode 0600, others follow the umask. Raises OSError, leaving an older file untouched.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600 if private else 0o666)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - the descriptor has the mode
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that renames in it are durable, if the platform can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
