"""Open the journal of a run for reading: the only way in for everything outside this package."""

import os
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

JOURNAL_NAME = "journal.sqlite3"


class JournalReader:
    """The journal in a run's folder, as it is at one instant, also while another process writes to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / JOURNAL_NAME
        self.connection = self._connect()

    def __enter__(self) -> Self:
        self.connection.execute("BEGIN")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def _connect(self) -> sqlite3.Connection:
        return read_only(self.folder)


def read_only(folder: Path) -> sqlite3.Connection:
    """Open a journal for reading, without disturbing a process that works on it."""
    path = folder / JOURNAL_NAME
    # In a folder that cannot be written SQLite opens a journal at rest only when told that nobody will change it.
    at_rest = not os.access(folder, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
    mode = "immutable=1" if at_rest else "mode=ro"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None)
