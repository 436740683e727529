"""What earlier sweeps have begun and not brought to an end: killed, interrupted, halted, or just not put aside."""

from dataclasses import dataclass

from bulkreact.batch.journal.journal import is_locked
from bulkreact.batch.journal.metadata import SessionRecord
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.cli.confirm import confirm
from bulkreact.errors import (
    EXIT_SUCCESS,
    AlreadyRunningError,
    HaltedError,
    InputRefusedError,
    ResultsNotWrittenError,
)
from bulkreact.inbox.ledger import LedgerEntry, Stage
from bulkreact.inbox.outcomes import FileResult
from bulkreact.inbox.sweep import SweepPass
from bulkreact.models import RunState
from bulkreact.runs import store
from bulkreact.runs.execution import write_again
from bulkreact.runs.history import line_of
from bulkreact.runs.store import CONTINUED_WITHIN, Run
from bulkreact.sheets.output.results_csv import RESULTS


@dataclass(frozen=True, slots=True)
class UnfinishedRuns:
    """Goes on with what the ledger says is not done."""

    bench: SweepPass

    def resume(self, entry: LedgerEntry) -> FileResult | None:
        """Go on with one entry; None when nothing has to be said of it."""
        bench, reports = self.bench, self.bench.job.output.reports
        if entry.is_practice != bench.job.service.simulated:
            # Practice and what is real have nothing to do with each other.
            return None
        folder = reports / entry.run_id
        bench.spoken_of.add((entry.name, entry.sha256))
        if not folder.is_dir():
            return self._without_run(entry)
        if entry.stage is Stage.PREPARED:
            bench.job.ledger.set_stage(entry.run_id, Stage.BEGUN)
        run = store.find(reports, str(folder))
        if is_locked(folder):
            words = f"a process is working on its run {entry.run_id}"
            return self._waiting(entry, AlreadyRunningError.exit_code, words)
        if not run.ended:
            return self._unfinished(entry, run)
        session = _session(run)
        # One that ended without its results, for lack of room.
        missed = session is not None and session.exit_code == ResultsNotWrittenError.exit_code
        if missed or not (folder / RESULTS).is_file():
            write_again(run, reports)
        return bench.settled(entry, folder, line_of(run).exit_code or EXIT_SUCCESS)

    def _without_run(self, entry: LedgerEntry) -> FileResult | None:
        """Handle an entry whose run's folder is not there: it never was, or somebody has removed it."""
        bench = self.bench
        if entry.stage is Stage.PREPARED:
            bench.job.ledger.forget(entry.run_id)
            bench.spoken_of.discard((entry.name, entry.sha256))
            return None
        if bench.mover.find_input(entry) is None:
            bench.job.ledger.mark_filed(entry)
            return None
        words = f"the folder of its run {entry.run_id} is gone, and with it what was sent. To run it once more: --again"
        return self._waiting(entry, InputRefusedError.exit_code, words)

    def _unfinished(self, entry: LedgerEntry, run: Run) -> FileResult | None:
        bench, job = self.bench, self.bench.job
        how = f"bulkreact resume {store.cli_name(run.folder, job.output.reports)}"
        session = _session(run)
        if session and is_halted(run):
            if bench.mover.find_input(entry) is None:
                # Somebody has taken it in hand.
                job.ledger.mark_filed(entry)
                return None
            words = f"its run {entry.run_id} was halted: {session.reason}. Look at it, then: {how}"
            return self._waiting(entry, HaltedError.exit_code, words)
        granted = job.access()
        why = ""
        if entry.target != job.target:
            why = "is for another target"
        elif not granted.matches_tenant(run.facts.tenant_id):
            why = f"is for the tenant {run.facts.tenant_id}"
        elif run.age > CONTINUED_WITHIN:
            why = f"is more than {CONTINUED_WITHIN.days} days old"
        if why:
            words = f"its unfinished run {entry.run_id} {why}. Continue it with: {how}"
            return self._waiting(entry, InputRefusedError.exit_code, words)
        job.terminal.info(f"{entry.file_name}: continuing run {entry.run_id}.")
        tell = bench.turn(granted)
        confirm(lambda: store.open_count(run.folder), job.service, yes=job.output.yes)
        tell(entry.run_id)
        return bench.run(entry, run.folder, granted)

    def _waiting(self, entry: LedgerEntry, code: int, words: str) -> FileResult:
        return self.bench.waiting(entry.file_name, entry.run_id, code, words)


def is_halted(run: Run) -> bool:
    """Tell whether a run was stopped by its failure threshold, and not continued since."""
    session = _session(run)
    return session is not None and session.state is RunState.HALTED


def _session(run: Run) -> SessionRecord | None:
    with JournalReader(run.folder) as journal:
        return journal.latest_session()
