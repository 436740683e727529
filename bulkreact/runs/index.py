"""Lists the runs of a reports folder, and caches their journals' metadata in an index file.

An entry counts only while its journal is unchanged. Without write access to the folder there is no index.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Self

from msgspec import DecodeError, Struct, ValidationError, msgpack

from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.batch.journal.metadata import RunMetadata, SessionRecord
from bulkreact.batch.journal.reading import JournalReader, RestingJournalReader, remove_empty_log
from bulkreact.errors import JournalDamagedError, JournalUnreadableError
from bulkreact.models import RunState
from bulkreact.runs import index_file
from bulkreact.runs.index_file import Entry, StoredIndex
from bulkreact.sheets.output import results_csv
from bulkreact.timestamps import iso_milliseconds, utc_now
from bulkreact.wording import describe_error

# A file changed twice within one tick of its file system's clock looks unchanged; the coarsest one ticks every 2 s.
_SETTLED_NANOSECONDS = 3_000_000_000
_LARGEST = 2**63 - 1
_RUN_FOLDER = re.compile(r"\d{8}T\d{6}Z-.*")
_TIME_OF_ID = slice(len("YYYYMMDDTHHMMSSZ"))


class RunCounts(Struct, frozen=True, array_like=True):
    """How the rows of a run ended: the number of each status, and the resulting exit code."""

    statuses: dict[str, int]
    exit_code: int


class RunRecord(Struct, frozen=True, array_like=True):
    """What a run's journal records; ``session`` is the latest that sent rows, ``counts`` is None unless requested.

    ``has_unknown``: answers are still lost. ``has_transferred``: another run has taken over such rows.
    """

    metadata: RunMetadata
    session: SessionRecord | None = None
    has_unknown: bool = False
    has_transferred: bool = False
    counts: RunCounts | None = None


_decode = msgpack.Decoder(RunRecord).decode


class Run(Struct, frozen=True, dict=True):
    """A run in a reports folder; its record is decoded on demand: of thousands a command needs a few."""

    reports: Path
    name: str
    created_at: str
    retry_of: str | None
    counted: bool
    stored: bytes

    @classmethod
    def of(cls, folder: Path, record: RunRecord) -> Self:
        """Return the run in a folder with a record."""
        metadata, counted = record.metadata, record.counts is not None
        return cls(folder.parent, folder.name, metadata.created_at, metadata.retry_of, counted, msgpack.encode(record))

    @classmethod
    def stored_in(cls, reports: Path, entry: Entry) -> Self:
        """Return the run of an entry of the index."""
        return cls(reports, entry.name, entry.created_at, entry.retry_of, bool(entry.counted), entry.content)

    @cached_property
    def record(self) -> RunRecord:
        """Return the journal's record; it is read if the index has a bad one."""
        try:
            return _decode(self.stored)
        except (DecodeError, ValidationError):
            return read_run(self.folder, counting=self.counted).record

    @property
    def metadata(self) -> RunMetadata:
        """Return the run's metadata."""
        return self.record.metadata

    @property
    def session(self) -> SessionRecord | None:
        """Return the latest session that sent rows."""
        return self.record.session

    @property
    def folder(self) -> Path:
        """Return the folder of the run."""
        return self.reports / self.name

    @property
    def is_finished(self) -> bool:
        """Return whether the run finished; a stopped or killed run did not."""
        return self.session is not None and self.session.state is RunState.FINISHED

    @property
    def can_be_resumed(self) -> bool:
        """Return whether there is something left to send: the run did not finish, or an answer is still lost."""
        return not self.is_finished or self.record.has_unknown

    @property
    def age(self) -> timedelta:
        """Return how long ago the run was created."""
        return utc_now() - datetime.fromisoformat(self.created_at)


@dataclass(frozen=True, slots=True)
class RunList:
    """The runs of a reports folder, newest first, and why other folders that look like runs cannot be read.

    ``damaged`` are those of the latter whose journals are, ``names`` those of all folders.
    """

    runs: list[Run] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)
    damaged: list[Path] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


# Modification time, size and inode of a journal, and the same of its write-ahead log as text.
_Signature = tuple[int, int, int, str]


def list_runs(reports: Path, *, counting: bool = False) -> RunList:
    """Return the runs of a reports folder; with ``counting`` also how their rows ended. Opens only changed journals."""
    return _collect(reports, index_file.load_all(reports), counting=counting)


def list_related_runs(reports: Path, *, digest: str = "", input_name: str = "") -> RunList:
    """Return the runs with a digest, all retries, and the runs of an input name that were open when last looked at.

    The others are not looked at: what a run was made for never changes.
    """
    stored = index_file.load_related(reports, digest=digest, input_name=input_name)
    return _collect(reports, stored, skips=stored.seals.__contains__)


def list_open_runs(reports: Path) -> RunList:
    """Return the runs that can be resumed; some others may be among them."""
    stored, root = index_file.load_open(reports), str(reports)
    return _collect(reports, stored, skips=lambda name: stored.seals.get(name) == _folder_mtime(f"{root}/{name}"))


def list_old_runs(reports: Path, *, before: datetime) -> RunList:
    """Return the runs created before a time and all retries, with how their rows ended; others may be among them."""
    stored = index_file.load_old(reports, before=iso_milliseconds(before))
    return _collect(reports, stored, counting=True, skips=stored.seals.__contains__)


def list_named_runs(reports: Path, name: str) -> RunList:
    """Return the runs that a name may mean: the beginning or ending of an id, or the name of an input."""
    stored = index_file.load_named(reports, name)
    return _collect(reports, stored, skips=stored.seals.__contains__)


def newest_runs(reports: Path, names: Iterable[str] | None = None) -> Iterator[Run]:
    """Yield the readable runs of a reports folder, the newest first; each is read when it is asked for.

    ``names`` are those of its folders, if the caller has listed them.
    """
    names = sorted(folder_names(reports) if names is None else names, reverse=True)
    if not all(map(_RUN_FOLDER.fullmatch, names)):
        # Names that people gave do not tell the order.
        yield from list_runs(reports).runs
        return
    for _, same_second in groupby(names, key=itemgetter(_TIME_OF_ID)):
        runs = []
        for name in same_second:
            with suppress(OSError, JournalUnreadableError):
                runs.append(read_run(reports / name))
        yield from sorted(runs, key=attrgetter("created_at"), reverse=True)


def _collect(
    reports: Path, stored: StoredIndex, *, counting: bool = False, skips: Callable[[str], bool] = lambda _name: False
) -> RunList:
    """Return the runs of a folder; of those without an entry in ``stored`` some are skipped, by their names."""
    listed, changed = RunList(names=list(folder_names(reports))), list[Entry]()
    reader = _EntryReader(reports, counting=counting)
    for name in listed.names:
        entry = stored.entries.get(name)
        try:
            if entry is None and skips(name):
                continue
            current = reader.read(name, entry)
        except (OSError, JournalUnreadableError) as error:
            if _RUN_FOLDER.fullmatch(name):
                listed.unreadable[reports / name] = describe_error(error) if isinstance(error, OSError) else str(error)
                if isinstance(error, JournalDamagedError):
                    listed.damaged.append(reports / name)
            continue
        if current:
            listed.runs.append(Run.stored_in(reports, current))
            if current is not entry and name.isascii() and reader.is_settled(current):
                changed.append(current)
    removed = stored.seals.keys() - listed.names
    if changed or removed:
        index_file.save(reports, changed, removed=removed)
    # Not by id: that has only whole seconds.
    listed.runs.sort(key=attrgetter("created_at"), reverse=True)
    return listed


def read_new_runs(reports: Path, known: frozenset[str]) -> Iterator[Run]:
    """Yield the readable runs in folders that are not ``known``."""
    for name in folder_names(reports):
        if name not in known:
            with suppress(OSError, JournalUnreadableError):
                yield read_run(reports / name)


class _EntryReader:
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
        folder_mtime = _folder_mtime(path)
        if entry and entry.counted < self._counting:
            entry = None
        if entry and entry.seal == folder_mtime:
            return entry
        journal = f"{path}/{JOURNAL_NAME}"
        # Asking first costs half of what a missing file costs otherwise.
        has_log = os.access(f"{journal}-wal", os.F_OK)
        signature = _signature(journal, has_log=has_log)
        if signature is None:
            return None
        seal = folder_mtime if self._can_seal and not has_log and folder_mtime < self._settled_before else 0
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


def read_run(folder: Path, *, counting: bool = False, at_rest: bool = False) -> Run:
    """Return the run in a folder, read from its journal; raises JournalUnreadableError and OSError.

    ``at_rest``: nobody works on it; if somebody does after all, what is returned may be wrong.
    """
    with RestingJournalReader(folder) if at_rest else JournalReader(folder) as journal:
        unknown, counts = journal.unknown_count(), None
        if counting:
            counted = results_csv.count_rows(journal.result_groups())
            counts = RunCounts(results_csv.counts_by_status(counted), counted.exit_code)
        record = RunRecord(journal.metadata, journal.latest_session(), unknown.own > 0, unknown.transferred > 0, counts)
        return Run.of(folder, record)


def _entry(run: Run, signature: _Signature, seal: int) -> Entry:
    metadata, is_open = run.metadata, run.can_be_resumed
    facts = (run.created_at, run.retry_of, metadata.digest, metadata.input_name)
    return Entry(run.name, seal, *signature, *facts, is_open, run.counted, run.stored)


def folder_names(reports: Path) -> Iterator[str]:
    """Yield the names of the folders in which runs may be."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(reports) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and not entry.is_file(follow_symlinks=False):
                yield entry.name


def _folder_mtime(folder: str) -> int:
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
