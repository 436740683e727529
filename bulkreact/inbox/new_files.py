"""The files of an inbox: new contents are run, known ones are not, and what cannot be read is put aside."""

import hashlib
import os
import sys
from dataclasses import dataclass, replace

from bulkreact.batch.journal.journal import finalize
from bulkreact.cli.confirm import confirm
from bulkreact.cli.output.json_log import print_error, warn
from bulkreact.errors import EXIT_SOME_FAILED, EXIT_SUCCESS, FileRefusedError, HaltedError, InputRefusedError
from bulkreact.inbox import scan
from bulkreact.inbox.ledger import LedgerEntry, Stage
from bulkreact.inbox.outcomes import FileOutcome, FileResult
from bulkreact.inbox.scan import FileSnapshot, file_sha256
from bulkreact.inbox.sweep import SweepPass
from bulkreact.inbox.unfinished import UnfinishedRuns, is_halted
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.runs import store
from bulkreact.runs.input_reader import LoadedInput, name_of, read
from bulkreact.runs.preparation import find_unfinished, new_metadata
from bulkreact.runs.store import Run
from bulkreact.timestamps import iso

_NOTHING = hashlib.sha256().hexdigest()


@dataclass(frozen=True, slots=True)
class NewFiles:
    """Handles the files of an inbox."""

    bench: SweepPass

    def process(self, look: FileSnapshot) -> FileResult | None:
        """Handle one file; None for one that is left alone."""
        job = self.bench.job
        name, sha256 = os.fsencode(look.path.name), file_sha256(look.path)
        if not job.again and (
            (name, sha256) in self.bench.spoken_of or job.ledger.is_left(name, job.dedup_key(sha256))
        ):
            return None
        granted = job.access()
        # What is found now must still be so when it is sent: nobody is waited for in between.
        tell = self.bench.turn(granted)
        if self._changes(look):
            return None
        now = job.now()
        run_id = store.new_id(name_of(str(look.path)), now)
        with store.draft(job.output.reports, run_id) as folder:
            try:
                found = read(folder, str(look.path), look.path, job.ctx.params)
            except FileRefusedError as error:
                return self._refused(look, sha256, str(error))
            if self._changes(look):
                return None
            content = _content(found)
            if not job.again and (earlier := self._earlier(content, granted)):
                return self._copy(look, sha256, earlier)
            facts = new_metadata(
                run_id,
                name_of(str(look.path)),
                found,
                job.service,
                granted,
                command="sweep",
                row_limit=None,
                now=now,
            )
            finalize(folder, facts)
            entry = LedgerEntry(
                run_id,
                content,
                job.target,
                granted.tenant_id,
                job.ledger.inbox,
                name,
                facts.input_sha256,
                Stage.PREPARED,
            )
            by_hand = None if job.again else find_unfinished(job.output.reports, facts, granted, job.terminal)
            if by_hand:
                return self._continued(replace(entry, run_id=by_hand.facts.id), by_hand, granted)
            job.terminal.info(f"{look.path.name}: run {run_id}.")
            job.terminal.info_if(found.intake.remark)
            job.terminal.problems(found.intake)
            confirm(lambda: store.open_count(folder), job.service, yes=job.output.yes)
            job.ledger.prepare(entry)
            job.ledger.record_activity(iso(now))
            adopted = store.publish(folder, run_id)
        job.ledger.set_stage(run_id, Stage.BEGUN)
        tell(run_id)
        return self.bench.run(entry, adopted, granted)

    def _continued(self, entry: LedgerEntry, run: Run, granted: AuthorizedAccess) -> FileResult | None:
        """Go on with a run of the same rows that somebody has made by hand: its request ids are the ones to be used."""
        job = self.bench.job
        job.ledger.prepare(entry)
        job.ledger.record_activity(iso(job.now()))
        if not run.ended:
            return UnfinishedRuns(self.bench).resume(entry)
        job.ledger.set_stage(entry.run_id, Stage.BEGUN)
        job.terminal.info(f"{entry.file_name}: continuing run {entry.run_id}, in which answers are still lost.")
        tell = self.bench.turn(granted)
        confirm(lambda: store.open_count(run.folder), job.service, yes=job.output.yes)
        tell(entry.run_id)
        return self.bench.run(entry, run.folder, granted)

    def _changes(self, look: FileSnapshot) -> bool:
        """Tell whether a file is being written, or was taken away; what was read of it then counts for nothing."""
        if scan.take_snapshot(look.path) == look:
            return False
        self.bench.job.terminal.info(f"Left alone for now: {look.path.name} changed while it was read.")
        return True

    def _earlier(self, content: str, granted: AuthorizedAccess) -> LedgerEntry | None:
        known = self.bench.job.ledger.known(content, self.bench.job.target)
        return next((one for one in known if granted.matches_tenant(one.tenant_id or None)), None)

    def _refused(self, look: FileSnapshot, sha256: str, words: str) -> FileResult | None:
        if self._changes(look):
            return None
        job = self.bench.job
        with self.bench.undisturbed():
            job.ledger.record_activity(iso(job.now()))
            place = self.bench.mover.refuse(look.path, words)
            if self.bench.mover.keep:
                job.ledger.mark_left_in_place(os.fsencode(look.path.name), job.dedup_key(sha256))
        moved = f" It was moved to {place}." if place else ""
        print_error(f"Error: {words}{moved}", sys.argv[1:])
        return FileResult(look.path.name, FileOutcome.REFUSED, InputRefusedError.exit_code, message=words)

    def _copy(self, look: FileSnapshot, sha256: str, earlier: LedgerEntry) -> FileResult:
        """Put a file aside whose content had a run; nothing is done for it, and that is not kept quiet."""
        job, name = self.bench.job, look.path.name
        folder = job.output.reports / earlier.run_id
        run = store.find(job.output.reports, str(folder)) if folder.is_dir() else None
        if earlier.stage not in {Stage.ENDED, Stage.SETTLED} or (run and not run.ended):
            how = f"bulkreact resume {store.cli_name(folder, job.output.reports)}"
            words = f"it has the rows of {earlier.file_name}, whose run {earlier.run_id} is unfinished. Continue it with: {how}"
            halted = run is not None and is_halted(run)
            code = HaltedError.exit_code if halted else InputRefusedError.exit_code
            return self.bench.waiting(name, earlier.run_id, code, words)
        words = f"it has the rows of {earlier.file_name}, which were run as {earlier.run_id}, and is not run again"
        with self.bench.undisturbed():
            self.bench.mover.file_copy(look.path)
            if self.bench.mover.keep:
                job.ledger.mark_left_in_place(os.fsencode(name), job.dedup_key(sha256))
        allowed = bool(job.ctx.params["allow_empty"])
        tell = job.terminal.info if allowed else warn
        tell(f"{name}: {words}. To run it all the same: --again")
        return FileResult(name, FileOutcome.COPY, EXIT_SUCCESS if allowed else EXIT_SOME_FAILED, earlier.run_id, words)


def _content(found: LoadedInput) -> str:
    """Return what tells one content from another: what would be sent, or the bytes where that is nothing."""
    return f"file {found.intake.sha256}" if found.digest == _NOTHING else found.digest
