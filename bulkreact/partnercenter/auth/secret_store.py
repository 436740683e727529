"""Where refresh tokens are kept, through msal-extensions: encrypted by the platform, or in a file of their owner's."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from msal_extensions import FilePersistence, FilePersistenceWithDataProtection, build_encrypted_persistence
from msal_extensions.persistence import PersistenceNotFound

from bulkreact.errors import InputRefusedError
from bulkreact.partnercenter.auth.sign_in_records import Store

PARTIAL_SUFFIX = ".partial"


class Persistence(Protocol):
    """A place for one text; every trouble with it is an OSError."""

    def save(self, content: str) -> None:
        """Store a text in the place of what was there."""
        ...

    def load(self) -> str:
        """Return what was saved; FileNotFoundError before that."""
        ...


def persistence(store: Store, file: Path) -> Persistence:
    """Return the place for a text; InputRefusedError when there is no keyring that works.

    With a keyring, the file beside it only tells when it was changed.
    """
    if store is Store.FILE:
        return _WholeFile(FilePersistence, file)
    if sys.platform == "win32":
        return _WholeFile(FilePersistenceWithDataProtection, file)
    try:
        return _Keyring(build_encrypted_persistence(str(file)), file)
    except Exception as error:  # noqa: BLE001 - whatever the desktop's libraries raise
        raise InputRefusedError(
            f"The keyring of this machine cannot be reached ({type(error).__name__}). "
            "Where nobody is logged in to a desktop, keep the sign-in in a file: bulkreact login --store file"
        ) from None


def replace(path: Path, write: Callable[[FilePersistence], None]) -> None:
    """Let a draft be written beside a file, readable by its owner alone, and put it in the file's place."""
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


class _WholeFile:
    """A file that is replaced whole: MSAL's own writing would leave a torn one behind a kill or a power cut."""

    def __init__(self, kind: Callable[[str], FilePersistence], path: Path) -> None:
        self._kind = kind
        self._path = path

    def save(self, content: str) -> None:
        _replace(self._path, lambda draft: self._kind(str(draft)).save(content))

    def load(self) -> str:
        return str(_found(self._kind(str(self._path))))


class _Keyring:
    """A keyring whose every trouble is an OSError."""

    def __init__(self, inner: FilePersistence, file: Path) -> None:
        self._inner = inner
        self._file = file

    def save(self, content: str) -> None:
        # It may hold what was kept there before there was a keyring.
        self._file.unlink(missing_ok=True)
        try:
            self._inner.save(content)
        except Exception as error:
            raise OSError(f"the keyring refused it ({type(error).__name__})") from error

    def load(self) -> str:
        try:
            return str(_found(self._inner))
        except FileNotFoundError:
            raise
        except Exception as error:
            raise OSError(f"the keyring refused it ({type(error).__name__})") from error


def _found(inner: FilePersistence) -> object:
    try:
        return inner.load()
    except PersistenceNotFound:
        raise FileNotFoundError from None
