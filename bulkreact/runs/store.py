"""Creates run folders, and finds the run for a name or a command."""

import getpass
import os
import re
import secrets
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from bulkreact.atomic_write import drafting, remove_abandoned, sync_folder
from bulkreact.batch.journal.journal import check_lock
from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.batch.journal.pending_rows import OpenCount
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.writer import translating_write_errors
from bulkreact.errors import (
    InputRefusedError,
    JournalNotWrittenError,
    JournalUnreadableError,
    is_refused_by_system,
)
from bulkreact.runs.customer_names import customer_label
from bulkreact.runs.index import RunList, list_named_runs, list_runs, newest_runs
from bulkreact.runs.run_record import Run, read_run
from bulkreact.runs.run_trust import foreign_run
from bulkreact.settings import LATEST_RUN, parse_run_id
from bulkreact.sheets.output.results_csv import LATEST
from bulkreact.wording import describe_error, printable, shell_quote

CONTINUED_WITHIN = timedelta(days=7)
_NAME_LENGTH = 40
# Letters that do not come apart into one of ASCII and an accent, or are written otherwise.
_LETTERS = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "Ä": "Ae",
        "Ö": "Oe",
        "Ü": "Ue",
        "ß": "ss",
        "æ": "ae",
        "Æ": "Ae",
        "ø": "o",
        "Ø": "O",
    }
    | {"œ": "oe", "Œ": "Oe", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "þ": "th", "Þ": "Th", "\u0131": "i"}
)
# In the folder of a run, also those that were kept because a user had edited them.
_CORRECTABLE = re.compile(r"(?:failed|results)(?:\.edited-\d+)?\.(?:csv|xlsx)")
_COPY = re.compile(r".*\.([^.]+)\.(?:failed|results)(?:-\d+)?\.(?:csv|xlsx)")
_NAMED = 5


def operator() -> str:
    """Return the name of the user who runs the program."""
    try:
        return printable(getpass.getuser())
    except (OSError, KeyError, ImportError):
        return "unknown"


def new_id(input_name: str, now: datetime) -> str:
    """Return a run id, sortable by time: ``YYYYMMDDTHHMMSSZ-<input name>-<4 hex>``; it is ASCII, for every file system."""
    stem = input_name.split(".", 1)[0] or input_name
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", _to_ascii(stem)).strip("-")[:_NAME_LENGTH].rstrip("-") or "input"
    return f"{now:%Y%m%dT%H%M%SZ}-{name}-{secrets.token_hex(2)}"


def _to_ascii(text: str) -> str:
    """Write letters of other Latin alphabets in ASCII: ``Kündigungen`` becomes ``Kuendigungen``, ``naïve`` ``naive``."""
    letters = unicodedata.normalize("NFC", text).translate(_LETTERS)
    return "".join(char for char in unicodedata.normalize("NFKD", letters) if not unicodedata.combining(char))


def run_of_results(file: Path, reports: Path) -> str:
    """Return the id of the run whose result file this is, empty for any other file, and for a run of others.

    It is in the folder of the run, or it has the name of a copy that a sweep has made.
    """
    if copied := _COPY.fullmatch(file.name):
        folder = locate(reports, copied[1])
    else:
        is_own = _CORRECTABLE.fullmatch(file.name) and (file.parent / JOURNAL_NAME).is_file()
        folder = file.parent if is_own else None
    try:
        return read_run(folder).metadata.id if folder and not foreign_run(folder) else ""
    except (OSError, JournalUnreadableError):
        return ""


@contextmanager
def draft(reports: Path, run_id: str) -> Iterator[Path]:
    """Yield a hidden folder for a run that has not started; it is removed afterwards unless it was published."""
    folder = draft_path(reports, run_id)
    exists = False
    try:
        reports.mkdir(parents=True, exist_ok=True)
        _remove_abandoned_drafts(reports)
        # No ExitStack: a signal between the making of the folder and its own bookkeeping would leave the folder behind.
        with drafting(folder):
            exists = True
            with translating_write_errors():
                yield folder
    except JournalNotWrittenError as error:
        raise unwritable(reports, describe_error(error.__cause__ or error)) from None
    except OSError as error:
        is_within = error.filename and is_refused_by_system(error) and Path(error.filename).is_relative_to(folder)
        if exists and not is_within:
            raise
        raise unwritable(reports, error.strerror) from None


def draft_path(reports: Path, run_id: str) -> Path:
    """Return the folder of a run that has not started."""
    return reports / f".{run_id}.draft"


def unwritable(reports: Path, reason: object) -> InputRefusedError:
    """Return the error for a reports folder that cannot be written."""
    return InputRefusedError(
        f"The reports folder {reports} cannot be written: {reason}. Nothing was sent. Choose another with --reports."
    )


def _remove_abandoned_drafts(reports: Path) -> None:
    """Remove drafts of killed processes."""
    with os.scandir(reports) as entries:
        drafts = [entry.path for entry in entries if entry.name.startswith(".") and entry.name.endswith(".draft")]
    for path in drafts:
        remove_abandoned(Path(path))


def publish(folder: Path, run_id: str) -> Path:
    """Rename a draft to its run id: from here on the run exists, unless InputRefusedError is raised."""
    named = folder.with_name(run_id)
    try:
        check_lock(folder)
        sync_folder(folder)
        folder.rename(named)
        try:
            sync_folder(named.parent)
        except OSError:
            named.rename(folder)
            raise
    except OSError as error:
        raise unwritable(folder.parent, error.strerror) from None
    return named


def open_count(folder: Path, *, with_excluded: bool = False) -> OpenCount:
    """Return how many rows of a run are open, optionally with the rows that a limit excludes."""
    with JournalReader(folder) as journal:
        count = journal.open_count(with_excluded=with_excluded)
        return replace(count, customer=customer_label(journal, count.customer)) if count.customer else count


def to_resume(reports: Path, listed: RunList) -> Run | None:
    """Return the latest unfinished one of the runs, else the latest of all, which may have rows that a limit excludes."""
    unfinished = next((run for run in listed.runs if run.can_be_resumed), None)
    return unfinished or next(newest_runs(reports, listed.names), None)


def latest_summary_path(folder: Path) -> Path | None:
    """Return the path of the copy of the newest run's summary, None for an older run's folder."""
    folder = folder.resolve()
    newest = next(newest_runs(folder.parent), None)
    return folder.parent / LATEST if newest and newest.folder == folder else None


def retry_lineage(folder: Path) -> list[Path]:
    """Return the folders of a run and of those whose rows it took over, if they are next to it, oldest first."""
    lineage = [folder]
    with suppress(OSError, JournalUnreadableError):
        while (retried := read_run(lineage[0]).metadata.retry_of) and (folder.parent / retried).is_dir():
            if folder.parent / retried in lineage:
                # Damaged journals may name each other.
                break
            lineage.insert(0, folder.parent / retried)
    return lineage


def locate(folder: Path, run_id: str) -> Path | None:
    """Return where in a folder the run with an id is, whatever its own folder is called; None if it is not there."""
    try:
        # It may come out of a journal, and must not lead out of the folder.
        parse_run_id(run_id)
    except ValueError:
        return None
    if (folder / run_id / JOURNAL_NAME).is_file():
        return folder / run_id
    return next((run.folder for run in list_named_runs(folder, run_id).runs if run.metadata.id == run_id), None)


def find(reports: Path, name: str) -> Run:
    """Return a run of a reports folder, or the one in another folder; InputRefusedError unless it is exactly one.

    A name is ``latest``, an id, the beginning or ending of one, the name or path of an input, or a folder.
    """
    if (Path(name) / JOURNAL_NAME).is_file():
        folder = Path(name).resolve()
        try:
            return read_run(folder)
        except (OSError, JournalUnreadableError) as error:
            reason = describe_error(error) if isinstance(error, OSError) else str(error)
            raise _unreadable(folder, reason) from None
    if name == LATEST_RUN:
        return latest(reports)
    with suppress(OSError, JournalUnreadableError):
        run = read_run(reports / name)
        if run.metadata.id == name:
            return run
    given, name = name, Path(name).name or name
    listed = list_named_runs(reports, name)
    matching = [run for run in listed.runs if _is_called(run, name)]
    matching = [run for run in matching if run.metadata.id == name] or matching
    if len(matching) > 1:
        names = ", ".join(f"{run.metadata.id}{' (a retry)' if run.retry_of else ''}" for run in matching[:_NAMED])
        more = " …" if len(matching) > _NAMED else ""
        raise InputRefusedError(f"{given!r} may mean {len(matching)} runs ({names}{more}): give more of the id.")
    if matching:
        return matching[0]
    for folder, reason in listed.unreadable.items():
        if folder.name.startswith(name) or folder.name.endswith(name):
            raise _unreadable(folder, reason)
    raise InputRefusedError(
        f"No run called {given!r} was found in {reports}. Look there, or name another folder with --reports."
    )


def _is_called(run: Run, name: str) -> bool:
    metadata = run.metadata
    return metadata.id.startswith(name) or metadata.id.endswith(name) or metadata.input_name == name


def latest(reports: Path) -> Run:
    """Return the newest run of a reports folder; InputRefusedError if there is none."""
    if newest := next(newest_runs(reports), None):
        return newest
    for folder, reason in list_runs(reports).unreadable.items():
        raise _unreadable(folder, reason)
    raise InputRefusedError(f"There is no run in {reports}. Look there, or name another folder with --reports.")


def _unreadable(folder: Path, reason: str) -> InputRefusedError:
    return InputRefusedError(f"The run in {folder} cannot be read: {reason}")


def resume_command(folder: Path, reports: Path, options: Sequence[str]) -> str:
    """Return the command that continues a run with this reports folder; ``options`` as for ``run_arguments``."""
    return f"bulkreact resume {run_arguments(folder, reports, options)}"


def run_arguments(folder: Path, reports: Path, options: Sequence[str]) -> str:
    """Return what ``resume``, ``retry`` and ``verify`` need: the run's name, and ``options`` for the same credentials."""
    return " ".join([cli_name(folder, reports), *map(shell_quote, options)])


def cli_name(folder: Path, reports: Path) -> str:
    """Return a run's name on the command line with this reports folder."""
    if folder.resolve().parent != reports.resolve():
        return shell_quote(folder)
    name = shell_quote(folder.name)
    return name if reports == Path("reports") else f"{name} --reports {shell_quote(reports)}"
