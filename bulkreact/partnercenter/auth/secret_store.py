"""Stores refresh tokens through msal-extensions: encrypted by the platform, or in a file only its owner can read."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from msal_extensions import FilePersistence, FilePersistenceWithDataProtection, build_encrypted_persistence
from msal_extensions.persistence import PersistenceNotFound

from bulkreact.errors import InputRefusedError
from bulkreact.partnercenter.auth.sign_in_records import TokenStorage
from bulkreact.wording import DescribedError

PARTIAL_SUFFIX = ".partial"


class Persistence(Protocol):
    """Stores one text; every failure is an OSError."""

    def save(self, content: str) -> None:
        """Store a text, replacing the earlier one."""
        ...

    def load(self) -> str:
        """Return the stored text; FileNotFoundError if there is none."""
        ...


def persistence(store: TokenStorage, file: Path) -> Persistence:
    """Return the storage for a text; InputRefusedError if no keyring works.

    With a keyring, the file only shows when the text was changed.
    """
    if store is TokenStorage.FILE:
        return _AtomicFile(FilePersistence, file)
    if sys.platform == "win32":
        return _AtomicFile(FilePersistenceWithDataProtection, file)
    try:
        return _Keyring(build_encrypted_persistence(str(file)), file)
    except Exception as error:  # noqa: BLE001 - the desktop's libraries raise anything
        raise InputRefusedError(
            f"The keyring of this machine cannot be reached ({type(error).__name__}). "
            "Without a desktop session, store the sign-in in a file: bulkreact login --store file"
        ) from None


def replace(path: Path, write: Callable[[FilePersistence], None]) -> None:
    """Replace a file with a draft that ``write`` writes next to it, readable only by its owner."""
    _replace(path, lambda draft: write(FilePersistence(str(draft))))


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL_SUFFIX}")
    try:
        write(draft)
        with draft.open("rb+") as handle:
            os.fsync(handle.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


class _AtomicFile:
    """A file that is replaced atomically: MSAL's own writing can leave a torn file after a kill or a power cut."""

    def __init__(self, kind: Callable[[str], FilePersistence], path: Path) -> None:
        self._kind = kind
        self._path = path

    def save(self, content: str) -> None:
        _replace(self._path, lambda draft: self._kind(str(draft)).save(content))

    def load(self) -> str:
        return _load(self._kind(str(self._path)))


class _Keyring:
    """A keyring whose every failure is an OSError."""

    def __init__(self, inner: FilePersistence, file: Path) -> None:
        self._inner = inner
        self._file = file

    def save(self, content: str) -> None:
        # It may still have a token from before there was a keyring.
        self._file.unlink(missing_ok=True)
        try:
            self._inner.save(content)
        except Exception as error:
            raise DescribedError(f"the keyring refused it ({type(error).__name__})") from error

    def load(self) -> str:
        try:
            return _load(self._inner)
        except FileNotFoundError:
            raise
        except Exception as error:
            raise DescribedError(f"the keyring refused it ({type(error).__name__})") from error


def _load(inner: FilePersistence) -> str:
    try:
        return str(inner.load())
    except PersistenceNotFound:
        raise FileNotFoundError from None
