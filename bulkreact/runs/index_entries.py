"""Makes the entries of an index of runs from their journals, and tells whether an entry is still right."""

import os
import time
from contextlib import suppress
from pathlib import Path

from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.batch.journal.reading import remove_empty_log
from bulkreact.errors import JournalUnreadableError
from bulkreact.runs.index_file import Entry
from bulkreact.runs.run_record import Run, read_run

# A file changed twice within one tick of its file system's clock looks unchanged; the coarsest one ticks every 2 s.
_SETTLED_NANOSECONDS = 3_000_000_000
_LARGEST = 2**63 - 1

# Modification time, size and inode of a journal, and the same of its write-ahead log as text.
_Signature = tuple[int, int, int, str]


class EntryReader:
    """Checks the entries of one listing, and reads the journals that have changed.

    An entry is sealed with its folder's modification time if the journal has no log: whatever writes to the journal
    must make one, and changes that time. Windows changes it later.
    """

    def __init__(self, reports: Path, *, counting: bool) -> None:
        self._reports = reports
        self._root = str(reports)
        self._counting = counting
        self._settled_before = time.time_ns() - _SETTLED_NANOSECONDS
        self._can_seal = os.name == "posix" and os.access(reports, os.W_OK)

    def read(self, name: str, entry: Entry | None) -> Entry | None:
        """Return the current entry of a folder, the same one if nothing changed; None if there is no journal."""
        path = f"{self._root}/{name}"
        modified = folder_mtime(path)
        if entry and entry.counted < self._counting:
            entry = None
        if entry and entry.seal == modified:
            return entry
        journal = f"{path}/{JOURNAL_NAME}"
        # Asking first costs half of what a missing file costs otherwise.
        has_log = os.access(f"{journal}-wal", os.F_OK)
        signature = _signature(journal, has_log=has_log)
        if signature is None:
            return None
        seal = modified if self._can_seal and not has_log and modified < self._settled_before else 0
        if entry and entry.signature == signature:
            if has_log and not entry.wal and self._can_seal and self.is_settled(entry):
                remove_empty_log(Path(path))
            return entry._replace(seal=seal) if seal else entry
        run, seal = self._read_journal(Path(path), seal)
        if not (seal or signature[-1]) and self._can_seal:
            remove_empty_log(run.folder)
        return _entry(run, signature, seal)

    def is_settled(self, entry: Entry) -> bool:
        """Return whether a journal was last changed so long ago that another change has another time."""
        return max(entry.mtime, int(entry.wal.partition(" ")[0] or 0)) < self._settled_before

    def _read_journal(self, folder: Path, seal: int) -> tuple[Run, int]:
        if seal:
            with suppress(JournalUnreadableError):
                run = read_run(folder, counting=self._counting, at_rest=True)
                if folder.stat().st_mtime_ns == seal:
                    return run, seal
        return read_run(folder, counting=self._counting), 0


def _entry(run: Run, signature: _Signature, seal: int) -> Entry:
    metadata = run.metadata
    facts = (
        run.name,
        seal,
        run.created_at,
        run.retry_of,
        metadata.digest,
        metadata.input_name,
        int(run.can_be_resumed),
    )
    return Entry(*facts, *signature, int(run.counted), run.stored)


def folder_mtime(folder: str) -> int:
    """Return when the folder of a run was last changed."""
    return os.stat(folder).st_mtime_ns  # noqa: PTH116 - making 35,000 Path objects takes longer than the calls


def _signature(journal: str, *, has_log: bool) -> _Signature | None:
    """Return a signature that changes whenever a journal does, None if there is none."""
    file = _stat(journal)
    if file is None:
        return None
    log = _stat(f"{journal}-wal") if has_log else None
    # Readers may leave an empty log behind.
    wal = f"{log.st_mtime_ns} {log.st_size} {log.st_ino}" if log and log.st_size else ""
    return file.st_mtime_ns, file.st_size, file.st_ino & _LARGEST, wal


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - see above
    except (FileNotFoundError, NotADirectoryError):
        return None
