"""One pass over an inbox: the partner's lock, one run after the other, and moving their input files."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bulkreact.batch.journal.metadata import SWEEP, RunMetadata
from bulkreact.batch.journal.pending_rows import OpenCount
from bulkreact.errors import EXIT_SOME_FAILED, EXIT_SUCCESS, CredentialsRefusedError
from bulkreact.inbox.file_mover import FileMover
from bulkreact.inbox.folder import open_inbox
from bulkreact.inbox.ledger import SIMULATED, Ledger, LedgerEntry, target_name
from bulkreact.inbox.ledger_schema import FilingStage
from bulkreact.inbox.outcomes import FileOutcome, FileResult
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.runs import store
from bulkreact.runs.beginning import InputSummary, describe_sending
from bulkreact.runs.execution import execute
from bulkreact.runs.input_reader import LoadedInput
from bulkreact.runs.interruption import ShutdownRequest, deferring_signals, exit_code_of, preserving_handlers
from bulkreact.runs.output_options import Output
from bulkreact.runs.partner_connection import PartnerConnection, RunAsync
from bulkreact.runs.partner_lock import hold_partner_lock
from bulkreact.runs.preparation import Confirm
from bulkreact.runs.reporter import Reporter
from bulkreact.runs.result_files import WrittenResults
from bulkreact.runs.run_job import RunJob
from bulkreact.runs.run_record import Run
from bulkreact.settings import Limits, Service
from bulkreact.steady_clock import SteadyClock
from bulkreact.wording import printable

_COMPLETE = frozenset({EXIT_SUCCESS, EXIT_SOME_FAILED})


class AccessSource:
    """Provides each run with new credentials, fetched when needed."""

    def __init__(self, authorize: Callable[[], AuthorizedAccess]) -> None:
        self._authorize = authorize
        self._unused: AuthorizedAccess | None = None

    def get(self) -> AuthorizedAccess:
        """Return credentials that no run has used; CredentialsRefusedError if they were refused."""
        if self._unused is None:
            self._unused = self._authorize()
        if self._unused.refusal:
            raise CredentialsRefusedError(f"{self._unused.refusal} No file was touched.")
        return self._unused

    def mark_used(self) -> None:
        """Fetch new credentials for the next run."""
        self._unused = None


@dataclass(frozen=True, slots=True)
class SweepEnvironment:
    """Dependencies injected into a sweep.

    ``confirm`` asks before sending and raises InputRefusedError unless the answer is yes. ``read_input`` loads a file
    into a draft's journal, from its name for people and the copy to be read. ``signals`` are those that came while no
    run received them.
    """

    reporter: Reporter
    access: AccessSource
    confirm: Confirm
    read_input: Callable[[Path, str, Path], LoadedInput]
    signals: list[int]
    run_async: RunAsync
    now: Callable[[], datetime]
    sleep: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class SweepJob:
    """The options of a sweep; ``settle`` and ``expect_within`` are seconds."""

    inbox: Path
    service: Service
    limits: Limits
    output: Output
    ledger: Ledger
    environment: SweepEnvironment
    keep: bool
    again: bool
    allow_empty: bool
    wait: bool
    settle: float
    expect_within: float | None

    @property
    def target(self) -> str:
        """Return the partner API's name in the ledger."""
        return target_name(self.service.base_url, self.service.api_version, simulated=self.service.simulated)

    def dedup_key(self, sha256: str) -> str:
        """Return the key of a file that stays in the inbox; simulated sweeps have separate keys."""
        return f"{SIMULATED} {sha256}" if self.service.simulated else sha256


class SweepPass:
    """Processes the files of one pass; InputRefusedError if the inbox or a folder in it cannot be used.

    The partner's lock is taken with the first run; the ``stack`` releases it and closes the inbox.

    ``stop_code`` is the exit code of a signal, or 0. ``already_reported`` are files, by name and digest, whose
    unfinished run was handled in this pass.
    """

    def __init__(self, job: SweepJob, stack: ExitStack) -> None:
        self.job = job
        self.inbox = stack.enter_context(open_inbox(job.inbox))
        self.mover = FileMover(self.inbox, job.keep)
        self.mover.open_folders()
        self.reporter = job.environment.reporter
        self.already_reported: set[tuple[bytes, str]] = set()
        self.stop_code = EXIT_SUCCESS
        self._stack = stack
        self._set_run_id: Callable[[str], None] | None = None

    def lock(self, access: AuthorizedAccess) -> Callable[[str], None]:
        """Take the partner's lock unless this pass has it; return the function that records the current run in it."""
        if self._set_run_id is None:
            on_wait = self.reporter.info if self.job.wait else None
            lock = hold_partner_lock(self.job.service, access.tenant_id, on_wait=on_wait)
            self._set_run_id = self._stack.enter_context(lock)
        return self._set_run_id

    def confirm_and_run(self, entry: LedgerEntry, run: Run, access: AuthorizedAccess) -> FileResult:
        """Continue a run, if confirmed."""
        self.lock(access)
        self.confirm(run.metadata, run.folder, store.open_count(run.folder), access)
        return self.run(entry, run.folder, access, seen=run)

    def confirm(
        self,
        metadata: RunMetadata,
        folder: Path,
        count: OpenCount,
        access: AuthorizedAccess,
        read: InputSummary | None = None,
        remark: str = "",
    ) -> None:
        """Report what is about to be sent of a run, and let it be confirmed."""
        job = self.job
        self.reporter.info(describe_sending(metadata, folder, count, access, job.limits, read))
        job.environment.confirm(count, remark)

    def run(self, entry: LedgerEntry, folder: Path, access: AuthorizedAccess, *, seen: Run | None = None) -> FileResult:
        """Work on a run, and move its input if the run is complete; ``seen`` is None for a run just made."""
        job = self.job
        # Of a new run it is open. Before anything is sent: what is put in the place of the folder later leads nowhere.
        self.mover.open_done()
        job.environment.access.mark_used()
        shutdown = ShutdownRequest(self.reporter.info, job.environment.signals)
        connection = PartnerConnection(
            job.service,
            job.limits,
            access,
            self.reporter,
            shutdown,
            job.environment.run_async,
            self.lock(access),
            SteadyClock(job.environment.now),
        )
        with preserving_handlers():
            written = execute(RunJob(folder, SWEEP, connection, job.output, is_new=not seen, seen=seen))
        self.stop_code = shutdown.exit_code
        if written.exit_code in _COMPLETE:
            return self.file_run(entry, folder, written.exit_code, written)
        return FileResult(entry.file_name, FileOutcome.WAITING, written.exit_code, entry.run_id, written=written)

    def file_run(
        self, entry: LedgerEntry, folder: Path, exit_code: int, written: WrittenResults | None = None
    ) -> FileResult:
        """Move the input of a complete run: first its results, then the file, then the ledger entry."""
        with self.deferring_signals():
            self.job.ledger.set_stage(entry.run_id, FilingStage.ENDED)
            path = self.mover.archive_run(entry, folder, ended_well=exit_code == EXIT_SUCCESS)
            if self.job.keep:
                self.job.ledger.mark_left_in_place(entry.name, self.job.dedup_key(entry.sha256))
            self.job.ledger.mark_filed(entry)
        if path:
            self.reporter.info(f"{printable(entry.file_name)} is now {printable(path)}")
        return FileResult(entry.file_name, FileOutcome.RUN, exit_code, entry.run_id, written=written)

    def leave_waiting(self, name: str, run_id: str, code: int, message: str) -> FileResult:
        """Warn that a file stays in the inbox, and why."""
        self.reporter.warning(f"{printable(name)}: {message}.")
        return FileResult(name, FileOutcome.WAITING, code, run_id, message)

    @contextmanager
    def deferring_signals(self) -> Iterator[None]:
        """Defer signals while files are moved; they end the pass afterwards."""
        with deferring_signals() as received:
            yield
        if received:
            self.stop_code = exit_code_of(received[0])
