"""The runs in a reports folder: making one, finding the one that is meant, and the one to be continued."""

import getpass
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bulkreact.atomic_write import sync_folder
from bulkreact.batch.journal.metadata import RunMetadata
from bulkreact.batch.journal.pending_rows import OpenCount
from bulkreact.batch.journal.reading import JOURNAL_NAME, JournalReader
from bulkreact.batch.journal.writer import translating_write_errors
from bulkreact.errors import InputRefusedError, JournalNotWrittenError, JournalUnreadableError
from bulkreact.models import RunState
from bulkreact.sheets.output.results_csv import LATEST
from bulkreact.wording import shell_quote

CONTINUED_WITHIN = timedelta(days=7)
_DRAFT_AGE = timedelta(days=1)
_NAME_LENGTH = 40
_RUN_FOLDER = re.compile(r"\d{8}T\d{6}Z-.*")


@dataclass(frozen=True, slots=True)
class Run:
    """A run found in a reports folder.

    ``has_unknown`` says that answers are still lost, ``has_handed_over`` that another run has taken such rows over.
    """

    folder: Path
    facts: RunMetadata
    ended: bool
    has_unknown: bool
    has_handed_over: bool

    @property
    def unfinished(self) -> bool:
        """Tell whether there is something left to send: the run did not end by itself, or an answer is still lost."""
        return not self.ended or self.has_unknown

    @property
    def age(self) -> timedelta:
        """Return how long ago the run was made."""
        return datetime.now(UTC) - datetime.fromisoformat(self.facts.created_at)


def operator() -> str:
    """Return who runs the program, for the record."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def new_id(input_name: str, now: datetime) -> str:
    """Return a run id, sortable by time: ``YYYYMMDDTHHMMSSZ-<input name>-<4 hex>``."""
    stem = input_name.split(".", 1)[0] or input_name
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:_NAME_LENGTH] or "input"
    return f"{now:%Y%m%dT%H%M%SZ}-{name}-{secrets.token_hex(2)}"


@contextmanager
def draft(reports: Path, run_id: str) -> Iterator[Path]:
    """Yield a hidden folder for a run that has not begun; it is gone afterwards unless it was adopted."""
    folder = reports / f".{run_id}.draft"
    try:
        reports.mkdir(parents=True, exist_ok=True)
        _remove_old_drafts(reports)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise InputRefusedError(
            f"The reports folder {reports} cannot be written: {error.strerror}. Choose another with --reports."
        ) from None
    try:
        with translating_write_errors():
            yield folder
    except JournalNotWrittenError as error:
        raise InputRefusedError(
            f"The reports folder {reports} cannot be written: {error.__cause__}. Nothing was sent."
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_old_drafts(reports: Path) -> None:
    """Remove what a killed process left behind before its run had begun."""
    before = (datetime.now(UTC) - _DRAFT_AGE).timestamp()
    for folder in reports.glob(".*Z-*.draft"):
        if folder.stat().st_mtime < before:
            shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, run_id: str) -> Path:
    """Give a draft its name: from here on the run exists."""
    named = folder.with_name(run_id)
    folder.rename(named)
    sync_folder(named)
    sync_folder(named.parent)
    return named


def runs(reports: Path) -> list[Run]:
    """Return the runs in a reports folder, the newest first; what is no run is passed over."""
    found = [run for journal in reports.glob(f"[!.]*/{JOURNAL_NAME}") if (run := _read(journal.parent))]
    # Not by their ids: those tell only the second.
    return sorted(found, key=lambda run: run.facts.created_at, reverse=True)


def unreadable(reports: Path) -> dict[Path, str]:
    """Return the folders that look like runs and cannot be read, and why: another version, damage, no permission."""
    if not reports.is_dir():
        return {}
    folders = sorted(folder for folder in reports.iterdir() if _RUN_FOLDER.fullmatch(folder.name))
    return {folder: why for folder in folders if (why := _why_unreadable(folder))}


def open_count(folder: Path, *, with_left_out: bool = False) -> OpenCount:
    """Return how much of a run is still to be sent, perhaps with what a limit had left out."""
    with JournalReader(folder) as journal:
        return journal.open_count(with_left_out=with_left_out)


def to_resume(reports: Path) -> Run | None:
    """Return the latest unfinished run, else the latest one, which may have rows that a limit left out."""
    found = runs(reports)
    return next((run for run in found if run.unfinished), found[0] if found else None)


def latest_summary_path(folder: Path) -> Path | None:
    """Return where the newest run's summary is copied to, None for any older run's folder."""
    folder = folder.resolve()
    newest = next(iter(runs(folder.parent)), None)
    return folder.parent / LATEST if newest and newest.folder == folder else None


def retry_lineage(folder: Path) -> list[Path]:
    """Return the folders of a run and of those whose rows it took over, as far as they lie beside it, oldest first."""
    found = [folder]
    while (run := _read(found[0])) and run.facts.retry_of and (folder.parent / run.facts.retry_of).is_dir():
        found.insert(0, folder.parent / run.facts.retry_of)
    return found


def find(reports: Path, name: str) -> Run:
    """Return the run with an id, a unique beginning of one, or in a folder."""
    if (Path(name) / JOURNAL_NAME).is_file():
        folder = Path(name).resolve()
        found = [run for run in [_read(folder)] if run]
        broken = {folder: _why_unreadable(folder)}
    else:
        begins = [run for run in runs(reports) if run.facts.id.startswith(name)]
        found = [run for run in begins if run.facts.id == name] or begins
        broken = {folder: why for folder, why in unreadable(reports).items() if folder.name.startswith(name)}
    if not found:
        for folder, why in broken.items():
            raise InputRefusedError(f"The run in {folder} cannot be read: {why}")
        raise InputRefusedError(
            f"No run called {name!r} was found in {reports}. Look there, or name another folder with --reports."
        )
    if len(found) > 1:
        names = ", ".join(run.facts.id for run in found[:5])
        raise InputRefusedError(f"{name!r} is the beginning of {len(found)} runs ({names} …): give more of the id.")
    return found[0]


def cli_name(folder: Path, reports: Path) -> str:
    """Return how a run is named on the command line, for somebody who uses this reports folder."""
    if folder.resolve().parent != reports.resolve():
        return shell_quote(folder)
    return folder.name if reports == Path("reports") else f"{folder.name} --reports {shell_quote(reports)}"


def _why_unreadable(folder: Path) -> str:
    """Return why a run cannot be read, empty when it can or is none."""
    try:
        if not (folder / JOURNAL_NAME).is_file():
            return ""
        with JournalReader(folder) as journal:
            _ = journal.metadata
    except (OSError, JournalUnreadableError) as error:
        return str(error)
    return ""


def _read(folder: Path) -> Run | None:
    try:
        with JournalReader(folder) as journal:
            facts, session, unknown = journal.metadata, journal.latest_session(), journal.unknown_count()
    except (OSError, JournalUnreadableError):
        return None
    ended = session is not None and session.state is RunState.FINISHED
    return Run(folder, facts, ended, has_unknown=bool(unknown.own), has_handed_over=bool(unknown.transferred))
