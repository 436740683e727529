"""Checks a journal while rows are sent from it, if it is the file that the last process left; else before."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bulkreact.batch.journal.fingerprint import has_fingerprint, remove_fingerprint
from bulkreact.batch.journal.integrity import check_journal
from bulkreact.errors import JournalDamagedError


class BackgroundCheck:
    """The check of all records of a journal, in a thread."""

    def __init__(self, folder: Path) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal-check")
        self._check = self._thread.submit(_check, folder)

    def on_failure(self, stop: Callable[[], None]) -> None:
        """Let a failure of the check call ``stop``, in any thread."""
        self._check.add_done_callback(lambda check: stop() if check.exception() else None)

    def finish(self) -> None:
        """Wait for the end of the check and raise its error."""
        self._thread.shutdown()
        self._check.result()


def begin_check(folder: Path) -> BackgroundCheck | None:
    """Return the running check of a journal that the last process left in order; check any other one at once."""
    if has_fingerprint(folder):
        return BackgroundCheck(folder)
    check_journal(folder)
    return None


def _check(folder: Path) -> None:
    try:
        # The first call is to be made meanwhile, and many machines have two processors.
        check_journal(folder, threads=1)
    except JournalDamagedError:
        # The next process is to find the damage before it sends anything.
        remove_fingerprint(folder)
        raise
