"""Reads a stranger's file in a sweep: whatever that does to the program, the next files are taken up."""

from collections.abc import Callable
from pathlib import Path
from traceback import extract_tb, format_exception
from types import TracebackType
from typing import TypeVar

from bulkreact.batch.journal.writer import translating_write_errors
from bulkreact.errors import BulkreactError, FileRefusedError, is_refused_by_system
from bulkreact.inbox.ledger import Ledger

# The program may have been ended once by something else, as a power cut.
_MOST_DEATHS = 2

ReadT = TypeVar("ReadT")


class FileFailedError(BulkreactError):
    """Reading a file met a bug of ours: this file is refused, with the exit code of a bug, and no other.

    ``trace`` says where the bug is; it may quote the file.
    """

    def __init__(self, error: Exception, trace: TracebackType | None) -> None:
        frame = extract_tb(trace)[-1]
        super().__init__(
            f"met a bug of bulkreact while it was read: {type(error).__name__} in {Path(frame.filename).name}, line "
            f"{frame.lineno}. Please report that. Save the table as 'CSV UTF-8' and try that file."
        )
        self.trace = "".join(format_exception(error))


class _Survival:
    """Records in the ledger that a file is about to be read, and afterwards that the process has survived it."""

    def __init__(self, ledger: Ledger, name: bytes, sha256: str) -> None:
        self._ledger, self._name, self._sha256 = ledger, name, sha256

    def __enter__(self) -> int:
        """Return how many times the process did not survive it."""
        return self._ledger.begin_reading(self._name, self._sha256)

    def __exit__(self, _kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        """Raise FileFailedError for what nobody expected."""
        self._ledger.end_reading(self._name, self._sha256)
        expected = isinstance(error, BulkreactError) or (isinstance(error, OSError) and is_refused_by_system(error))
        if isinstance(error, Exception) and not expected:
            raise FileFailedError(error, trace) from error


def read_guarded(ledger: Ledger, name: bytes, sha256: str, shown: str, read: Callable[[], ReadT]) -> ReadT:
    """Read a file; FileRefusedError if it has ended the process twice, FileFailedError for a bug."""
    with _Survival(ledger, name, sha256) as deaths, translating_write_errors():
        if deaths >= _MOST_DEATHS:
            raise FileRefusedError.plain(
                f"{shown} was being read each time when the program was ended from outside, {deaths} times, as a system "
                "without memory does. Save the table alone as 'CSV UTF-8' and put that file here."
            )
        return read()
