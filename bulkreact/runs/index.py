"""Lists the runs of a reports folder, and caches their journals' metadata in an index file.

An entry counts only while its journal is unchanged. Without write access to the folder there is no index.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from heapq import merge
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path

from msgspec import Struct, field

from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.errors import (
    JournalDamagedError,
    JournalNotAccessibleError,
    JournalUnreadableError,
    is_refused_by_system,
)
from bulkreact.runs import index_file
from bulkreact.runs.index_entries import EntryReader, folder_mtime
from bulkreact.runs.index_file import Entry, Facts, StoredIndex
from bulkreact.runs.run_record import Run, read_run
from bulkreact.timestamps import iso_milliseconds, utc_now
from bulkreact.wording import describe_error

_RUN_FOLDER = re.compile(r"\d{8}T\d{6}Z-.*")
# As many as a page of a list has at most.
_CHUNK = 100
_TIME_OF_ID = slice(len("YYYYMMDDTHHMMSSZ"))


class RunList(Struct, frozen=True):
    """The runs of a reports folder, newest first, and why other folders that look like runs cannot be read.

    ``undecided`` are those of the latter that may be ours: the journal is damaged, or a disk or a limit of the system
    refuses to read it. ``names`` are those of all folders.
    """

    runs: list[Run] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)
    undecided: list[Path] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def list_runs(reports: Path, *, counting: bool = False) -> RunList:
    """Return the runs of a reports folder; with ``counting`` also how their rows ended. Opens only changed journals."""
    return _collect(reports, index_file.load_all(reports), counting=counting)


def list_related_runs(reports: Path, *, digest: str = "", input_name: str = "") -> RunList:
    """Return the runs with a digest, all retries, and the runs of an input name that were open when last looked at.

    The others are not looked at: what a run was made for never changes.
    """
    stored = index_file.load(
        reports,
        lambda facts: facts.digest == digest or facts.retry_of or (facts.is_open and facts.input_name == input_name),
    )
    return _collect(reports, stored, skips=stored.others.__contains__)


def list_open_runs(reports: Path) -> RunList:
    """Return the runs that can be resumed; some others may be among them."""
    stored, root = index_file.load(reports, lambda facts: facts.is_open or not facts.seal), str(reports)
    return _collect(reports, stored, skips=lambda name: stored.others.get(name) == folder_mtime(f"{root}/{name}"))


def list_old_runs(reports: Path, *, before: datetime) -> RunList:
    """Return the runs created before a time and all retries, with how their rows ended; others may be among them."""
    limit = iso_milliseconds(before)
    stored = index_file.load(reports, lambda facts: facts.retry_of or facts.created_at < limit)
    return _collect(reports, stored, counting=True, skips=stored.others.__contains__)


def list_named_runs(reports: Path, name: str) -> RunList:
    """Return the runs that a name may mean: the beginning or ending of an id, or the name of an input."""
    stored = index_file.load(
        reports,
        lambda facts: (
            facts.name.startswith(name)
            or facts.name.endswith(name)
            or facts.input_name == name
            # A folder that was renamed does not tell its run's id.
            or not _RUN_FOLDER.fullmatch(facts.name)
        ),
    )
    return _collect(reports, stored, skips=stored.others.__contains__)


def indexed_run(reports: Path, name: str) -> Run | None:
    """Return the run in a folder, of which nothing is read if it has not changed; None if it cannot be read.

    To read that of a million rows takes 80 ms: all its outcomes are looked at.
    """
    found = _collect(reports, index_file.load_named(reports, [name]), names=[name])
    return next(iter(found.runs), None)


def list_newest_runs(reports: Path, is_wanted: Callable[[Facts], object]) -> Iterator[Run]:
    """Yield the wanted runs, the newest first, with how their rows ended; some others may be among them.

    An entry is read and checked when it is asked for: of ten thousand runs a page takes 40 ms instead of 110.
    """
    wanted = list[Facts]()

    def note(facts: Facts) -> None:
        # A folder that was renamed does not tell its run's id.
        if is_wanted(facts) or not _RUN_FOLDER.fullmatch(facts.name):
            wanted.append(facts)

    stored = index_file.load(reports, note)
    unknown = StoredIndex(is_damaged=stored.is_damaged)
    names = [name for name in folder_names(reports) if name not in stored.others]
    new = _collect(reports, unknown, counting=True, names=names)
    wanted.sort(key=attrgetter("created_at"), reverse=True)
    yield from merge(new.runs, _read_chunks(reports, wanted), key=attrgetter("created_at"), reverse=True)


def _read_chunks(reports: Path, wanted: Sequence[Facts]) -> Iterator[Run]:
    for begin in range(0, len(wanted), _CHUNK):
        names = [facts.name for facts in wanted[begin : begin + _CHUNK]]
        yield from _collect(reports, index_file.load_named(reports, names), counting=True, names=names).runs


def newest_runs(reports: Path, names: Iterable[str] | None = None) -> Iterator[Run]:
    """Yield the readable runs of a reports folder, the newest first; each is read when it is asked for.

    ``names`` are those of its folders, if the caller has listed them. Runs of a time to come are the last: the clock was
    ahead when they were made.
    """
    present = f"{utc_now():%Y%m%dT%H%M%SZ}"
    names = folder_names(reports) if names is None else names
    names = sorted(names, key=lambda name: (name[_TIME_OF_ID] <= present, name), reverse=True)
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
    reports: Path,
    stored: StoredIndex,
    *,
    counting: bool = False,
    skips: Callable[[str], bool] = lambda _name: False,
    names: list[str] | None = None,
) -> RunList:
    """Return the runs of a folder; of those without an entry in ``stored`` some are skipped, by their names.

    ``names`` are those of its folders that are looked at, all by default.
    """
    listed, changed = RunList(names=list(folder_names(reports)) if names is None else names), list[Entry]()
    reader = EntryReader(reports, counting=counting)
    for name in listed.names:
        entry = stored.entries.get(name)
        try:
            if entry is None and skips(name):
                continue
            current = reader.read(name, entry)
        except (OSError, JournalUnreadableError) as error:
            if _RUN_FOLDER.fullmatch(name):
                listed.unreadable[reports / name] = describe_error(error) if isinstance(error, OSError) else str(error)
                if _may_be_ours(reports / name, error):
                    listed.undecided.append(reports / name)
            continue
        if current:
            listed.runs.append(Run.stored_in(reports, current))
            if current is not entry and name.isascii() and reader.is_settled(current):
                changed.append(current)
    removed = {*stored.entries, *stored.others}.difference(listed.names)
    if changed or removed or stored.is_damaged:
        index_file.save(reports, changed, removed=removed, anew=stored.is_damaged)
    # Not by id: that has only whole seconds.
    listed.runs.sort(key=attrgetter("created_at"), reverse=True)
    return listed


def _may_be_ours(folder: Path, error: OSError | JournalUnreadableError) -> bool:
    """Return whether a run that cannot be read may be one of this user and version."""
    match error:
        case JournalDamagedError():
            return True
        case JournalNotAccessibleError():
            # Where there are rights to it, they are not what is missing.
            return os.access(folder, os.W_OK) and os.access(folder / JOURNAL_NAME, os.R_OK)
        case OSError():
            return is_refused_by_system(error) and not isinstance(error, PermissionError)
    return False


def read_new_runs(reports: Path, known: frozenset[str]) -> Iterator[Run]:
    """Yield the readable runs in folders that are not ``known``."""
    for name in folder_names(reports):
        if name not in known:
            with suppress(OSError, JournalUnreadableError):
                yield read_run(reports / name)


def folder_names(reports: Path) -> Iterator[str]:
    """Yield the names of the folders in which runs may be."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(reports) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and not entry.is_file(follow_symlinks=False):
                yield entry.name
