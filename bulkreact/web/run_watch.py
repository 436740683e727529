"""What can be seen of a job's run from outside: its folder, its locks, its journal, and its process's own report."""

from pathlib import Path

from msgspec import DecodeError, json

from bulkreact.batch.journal.journal import is_locked
from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.batch.journal.metadata import SessionRecord
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.errors import EXIT_INTERRUPTED, EXIT_TERMINATED, JournalUnreadableError
from bulkreact.runs.control_folder import STOP, STOP_NOW
from bulkreact.runs.own_outputs import PROGRESS
from bulkreact.runs.reserved_ids import is_reserved
from bulkreact.sheets.output.results_csv import count_rows
from bulkreact.web.jobs import WebJob
from bulkreact.web.run_numbers import ProcessReport, RunFacts


def look_at(reports: Path, run_id: str, *, verifying: bool = False) -> RunFacts:
    """Return the facts of the run with an id: of its latest process that sent rows, or of one that looked at them."""
    folder = reports / run_id
    exists = (folder / JOURNAL_NAME).is_file()
    if is_reserved(reports, run_id) or (exists and is_locked(folder)):
        return RunFacts(exists, at_work=True)
    session = _latest_session(folder, sending=not verifying)
    if session is None:
        return RunFacts(exists, at_work=False)
    return RunFacts(exists, at_work=False, exit_code=session.exit_code, session_at=session.started_at)


def has_begun(reports: Path, run_id: str, since: str) -> bool:
    """Return whether a process has begun to send the rows of a run at or after a time."""
    session = _latest_session(reports / run_id, sending=True)
    return session is not None and session.started_at >= since


def _latest_session(folder: Path, *, sending: bool) -> SessionRecord | None:
    """Return the latest session that sent rows, or of any kind; None if there is none, or no journal yet."""
    try:
        with JournalReader(folder) as journal:
            return journal.latest_session(sending=sending)
    except (OSError, JournalUnreadableError):
        return None


def final_exit_code(reports: Path, job: WebJob, exit_code: int | None) -> int | None:
    """Return how the run of a job has ended: as its rows have, if a person stopped only the watching of them."""
    if not job.stop_by or job.is_verifying or exit_code not in {EXIT_INTERRUPTED, EXIT_TERMINATED, None}:
        return exit_code
    try:
        with JournalReader(reports / (job.run_id or "")) as journal:
            if journal.latest_session() is None or journal.open_count().rows:
                return exit_code
            return count_rows(journal.result_groups()).exit_code
    except (OSError, JournalUnreadableError):
        return exit_code


def read_report(control: Path) -> ProcessReport:
    """Return what a process says of itself; nothing yet if it has not written."""
    try:
        return json.decode((control / PROGRESS).read_bytes(), type=ProcessReport)
    except (OSError, DecodeError):
        return ProcessReport()


def clear_control(control: Path) -> None:
    """Remove what is left of the process before: a request to stop would be obeyed however old it is."""
    control.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in (PROGRESS, STOP, STOP_NOW):
        (control / name).unlink(missing_ok=True)


def ask_to_stop(control: Path, *, at_once: bool = False) -> None:
    """Ask a process to let its calls end and stop, or to stop at once."""
    (control / STOP).touch(mode=0o600)
    if at_once:
        (control / STOP_NOW).touch(mode=0o600)
