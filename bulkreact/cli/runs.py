"""The runs in a reports folder: making one, finding the one that is meant, and the one to be continued."""

import re
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bulkreact.batch.journal import JOURNAL_NAME, RunFacts, latest_session, read_facts, read_only
from bulkreact.errors import InputRefusedError
from bulkreact.models import RunState
from bulkreact.sheets.atomic import sync_folder
from bulkreact.sheets.results import LATEST

CONTINUED_WITHIN = timedelta(days=7)
_DRAFT_AGE = timedelta(days=1)
_NAME_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Run:
    """A run found in a reports folder."""

    folder: Path
    facts: RunFacts
    unfinished: bool

    @property
    def age(self) -> timedelta:
        """Return how long ago the run was made."""
        return datetime.now(UTC) - datetime.fromisoformat(self.facts.created_at)


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
        yield folder
    except sqlite3.OperationalError as error:
        raise InputRefusedError(f"The reports folder {reports} cannot be written: {error}. Nothing was sent.") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_old_drafts(reports: Path) -> None:
    """Remove what a killed process left behind before its run had begun."""
    before = (datetime.now(UTC) - _DRAFT_AGE).timestamp()
    for folder in reports.glob(".*Z-*.draft"):
        if folder.stat().st_mtime < before:
            shutil.rmtree(folder, ignore_errors=True)


def adopt(folder: Path, run_id: str) -> Path:
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


def to_resume(reports: Path) -> Run | None:
    """Return the latest unfinished run, else the latest one, which may have rows that a limit left out."""
    found = runs(reports)
    return next((run for run in found if run.unfinished), found[0] if found else None)


def heartbeat(reports: Path, run: Run) -> Path | None:
    """Return where the newest run's summary is copied to, None for any older run."""
    newest = next(iter(runs(reports)), None)
    return reports / LATEST if newest and newest.facts.id == run.facts.id else None


def find(reports: Path, name: str) -> Run:
    """Return the run with an id, a unique beginning of one, or in a folder."""
    if (Path(name) / JOURNAL_NAME).is_file():
        found = [run for run in [_read(Path(name))] if run]
    else:
        begins = [run for run in runs(reports) if run.facts.id.startswith(name)]
        found = [run for run in begins if run.facts.id == name] or begins
    if not found:
        raise InputRefusedError(
            f"No run called {name!r} was found in {reports}. Look there, or name another folder with --reports."
        )
    if len(found) > 1:
        names = ", ".join(run.facts.id for run in found[:5])
        raise InputRefusedError(f"{name!r} is the beginning of {len(found)} runs ({names} …): give more of the id.")
    return found[0]


def _read(folder: Path) -> Run | None:
    try:
        with closing(read_only(folder)) as connection:
            facts = read_facts(connection)
            session = latest_session(connection)
            unknown = connection.execute(
                "SELECT EXISTS (SELECT 1 FROM outcomes AS one WHERE status = 'unknown' "
                "AND id = (SELECT max(id) FROM outcomes WHERE ordinal = one.ordinal))"
            ).fetchone()[0]
    except (sqlite3.Error, InputRefusedError):
        return None
    ended = session is not None and session.state is RunState.FINISHED
    return Run(folder, facts, unfinished=not ended or bool(unknown))
