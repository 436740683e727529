"""Continues what earlier sweeps left unfinished: killed, interrupted or halted runs, and files not yet moved."""

from dataclasses import dataclass

from bulkreact.batch.journal.journal import is_locked
from bulkreact.errors import (
    EXIT_SUCCESS,
    AlreadyRunningError,
    HaltedError,
    InputRefusedError,
    ResultsNotWrittenError,
)
from bulkreact.inbox.ledger import SIMULATED, LedgerEntry
from bulkreact.inbox.ledger_schema import FilingStage
from bulkreact.inbox.outcomes import FileResult
from bulkreact.inbox.sweep_pass import SweepJob, SweepPass
from bulkreact.models import RunState
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.runs import store
from bulkreact.runs.history import summarize
from bulkreact.runs.rewriting import write_again
from bulkreact.runs.run_record import Run
from bulkreact.runs.run_trust import foreign_run
from bulkreact.runs.store import CONTINUED_WITHIN
from bulkreact.sheets.output.results_csv import RESULTS
from bulkreact.wording import printable


@dataclass(frozen=True, slots=True)
class UnfinishedRuns:
    """Continues the ledger entries whose files were not moved."""

    sweep: SweepPass

    def resume(self, entry: LedgerEntry) -> FileResult | None:
        """Continue one entry; None if there is nothing to report."""
        job = self.sweep.job
        if (entry.target == SIMULATED) != job.service.simulated:
            return None
        reports = job.output.reports
        folder = reports / entry.run_id
        if not folder.is_dir():
            return self._resume_without_run(entry)
        self.sweep.already_reported.add((entry.name, entry.sha256))
        if entry.stage is FilingStage.PREPARED:
            job.ledger.set_stage(entry.run_id, FilingStage.STARTED)
        if reason := foreign_run(folder):
            message = f"its run {entry.run_id} may have been written by others ({reason}). Correct owner and mode"
            return self._leave_waiting(entry, InputRefusedError.exit_code, message)
        run = store.find(reports, str(folder))
        if is_locked(folder):
            message = f"a process is working on its run {entry.run_id}"
            return self._leave_waiting(entry, AlreadyRunningError.exit_code, message)
        if not run.is_finished:
            return self._resume_run(entry, run)
        # A run can end without its results if the disk is full.
        missing = run.session is not None and run.session.exit_code == ResultsNotWrittenError.exit_code
        if missing or not (folder / RESULTS).is_file():
            write_again(run, reports, now=job.environment.now())
        return self.sweep.file_run(entry, folder, summarize(run).exit_code or EXIT_SUCCESS)

    def _resume_without_run(self, entry: LedgerEntry) -> FileResult | None:
        """Handle an entry without a run folder: it was never created, or was removed."""
        ledger = self.sweep.job.ledger
        if entry.stage is FilingStage.PREPARED:
            ledger.delete_prepared(entry.run_id)
            return None
        self.sweep.already_reported.add((entry.name, entry.sha256))
        if self.sweep.mover.find_input(entry) is None:
            ledger.mark_filed(entry)
            return None
        message = (
            f"the folder of its run {entry.run_id} is gone, and with it what was sent. To run it once more: --again"
        )
        return self._leave_waiting(entry, InputRefusedError.exit_code, message)

    def _resume_run(self, entry: LedgerEntry, run: Run) -> FileResult | None:
        job = self.sweep.job
        command = store.resume_command(run.folder, job.output.reports, run.metadata.settings.options)
        if run.session and is_halted(run):
            if self.sweep.mover.find_input(entry) is None:
                # Its file was removed, so a user is dealing with it.
                job.ledger.mark_filed(entry)
                return None
            message = f"its run {entry.run_id} was halted: {run.session.reason}. Look at it, then: {command}"
            return self._leave_waiting(entry, HaltedError.exit_code, message)
        access = job.environment.access.get()
        if obstacle := _obstacle(entry, run, job, access):
            message = f"its unfinished run {entry.run_id} {obstacle}. Continue it with: {command}"
            return self._leave_waiting(entry, InputRefusedError.exit_code, message)
        self.sweep.reporter.info(f"{printable(entry.file_name)}: continuing run {entry.run_id}.")
        return self.sweep.confirm_and_run(entry, run, access)

    def _leave_waiting(self, entry: LedgerEntry, code: int, message: str) -> FileResult:
        return self.sweep.leave_waiting(entry.file_name, entry.run_id, code, message)


def _obstacle(entry: LedgerEntry, run: Run, job: SweepJob, access: AuthorizedAccess) -> str:
    """Return why this sweep may not continue a run, empty if it may."""
    if entry.target != job.target:
        return "is for another target"
    if not access.matches_tenant(run.metadata.tenant_id):
        return f"is for the tenant {run.metadata.tenant_id}"
    if run.age > CONTINUED_WITHIN:
        return f"is more than {CONTINUED_WITHIN.days} days old"
    return ""


def is_halted(run: Run) -> bool:
    """Return whether the failure threshold halted a run that was not continued since."""
    return run.session is not None and run.session.state is RunState.HALTED
