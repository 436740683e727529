"""What a sweep works with: its orders, the partner's lock, runs one after the other, and where their files go."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import click

from bulkreact.cli import credentials
from bulkreact.cli.event_loop import run_async
from bulkreact.cli.options import automation
from bulkreact.cli.output.console import ConsoleReporter
from bulkreact.cli.output.json_log import warn
from bulkreact.early_signals import early_signals
from bulkreact.errors import EXIT_SOME_FAILED, EXIT_SUCCESS, CredentialsRefusedError
from bulkreact.inbox.file_moves import FileMover
from bulkreact.inbox.ledger import PRACTICE, Ledger, LedgerEntry, Stage
from bulkreact.inbox.outcomes import FileOutcome, FileResult
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.runs.execution import RunJob, execute
from bulkreact.runs.interruption import ShutdownRequest, deferring_signals, exit_code_of, preserving_handlers
from bulkreact.runs.output_options import Output
from bulkreact.runs.partner_lock import locked
from bulkreact.runs.partner_session import PartnerSession
from bulkreact.settings import Limits, Service

_COMMAND = "sweep"
_COMPLETE = frozenset({EXIT_SUCCESS, EXIT_SOME_FAILED})


@dataclass(frozen=True, slots=True)
class SweepJob:
    """What a sweep is to do: the folder, where calls go, how hard to try, and the ledger of what has been done.

    ``granted`` holds credentials that no run has used yet; each run uses some up.
    """

    ctx: click.Context
    inbox: Path
    service: Service
    limits: Limits
    output: Output
    terminal: ConsoleReporter
    ledger: Ledger
    now: Callable[[], datetime]
    granted: list[AuthorizedAccess]

    @property
    def target(self) -> str:
        """Return what tells one partner API from another, as the ledger has it."""
        return PRACTICE if self.service.simulated else f"{self.service.base_url} {self.service.api_version}"

    def dedup_key(self, sha256: str) -> str:
        """Return how the ledger knows a file that stays in the inbox; practising does not make it known to others."""
        return f"{PRACTICE} {sha256}" if self.service.simulated else sha256

    @property
    def again(self) -> bool:
        """Tell whether contents are run that had a run before."""
        return bool(self.ctx.params["again"])

    def access(self) -> AuthorizedAccess:
        """Return credentials that no run has used yet; CredentialsRefusedError when they are no good."""
        if not self.granted:
            self.granted.append(credentials.authorize(self.ctx, self.service))
        return usable(self.granted[-1])


def usable(granted: AuthorizedAccess) -> AuthorizedAccess:
    """Return credentials that are good; CredentialsRefusedError says why they are not."""
    if granted.refusal:
        raise CredentialsRefusedError(f"{granted.refusal} No file was touched.")
    return granted


class SweepPass:
    """Where the files of one pass are worked on; the partner's lock is taken with the first run and held to the end.

    ``stopped`` is the exit code of a signal that came. ``spoken_of`` are files, by name and digest of their bytes, of
    which everything has been said.
    """

    def __init__(self, job: SweepJob) -> None:
        self.job = job
        self.mover = FileMover(job.inbox, keep=bool(job.ctx.params["keep"]))
        self.spoken_of: set[tuple[bytes, str]] = set()
        self.stopped = 0
        self._stack = ExitStack()
        self._tell: Callable[[str], None] | None = None

    def __enter__(self) -> Self:
        self.mover.remove_partial_files()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def turn(self, granted: AuthorizedAccess) -> Callable[[str], None]:
        """Return what is told the run's id, when the partner is ours."""
        if self._tell is None:
            waiting = automation.waiting(self.job.ctx, self.job.terminal)
            self._tell = self._stack.enter_context(locked(self.job.service, granted.tenant_id, waiting=waiting))
        return self._tell

    def run(self, entry: LedgerEntry, folder: Path, granted: AuthorizedAccess) -> FileResult:
        """Work on a run, and put its file where it belongs if the run is complete."""
        job = self.job
        job.granted.clear()
        shutdown = ShutdownRequest(job.terminal.info, early_signals)
        session = PartnerSession(job.service, job.limits, granted, job.terminal, shutdown, run_async)
        with preserving_handlers():
            code = execute(RunJob(folder, _COMMAND, session, job.output)).exit_code
        self.stopped = shutdown.exit_code
        if code not in _COMPLETE:
            return FileResult(entry.file_name, FileOutcome.WAITING, code, entry.run_id)
        return self.settled(entry, folder, code)

    def settled(self, entry: LedgerEntry, folder: Path, code: int) -> FileResult:
        """Put a file whose run is complete where it belongs: first the results, then the file, then the ledger."""
        with self.undisturbed():
            self.job.ledger.set_stage(entry.run_id, Stage.ENDED)
            place = self.mover.file_run(entry, folder)
            if self.mover.keep:
                self.job.ledger.mark_left_in_place(entry.name, self.job.dedup_key(entry.sha256))
            self.job.ledger.mark_filed(entry)
        if place:
            self.job.terminal.info(f"{entry.file_name} is now {place}")
        return FileResult(entry.file_name, FileOutcome.RUN, code, entry.run_id)

    def waiting(self, name: str, run_id: str, code: int, words: str) -> FileResult:
        """Say why a file stays in the inbox."""
        warn(f"{name}: {words}.")
        return FileResult(name, FileOutcome.WAITING, code, run_id, words)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Let signals wait while files are moved; they end the pass afterwards."""
        with deferring_signals() as came:
            yield
        if came:
            self.stopped = exit_code_of(came[0])
