"""Processes the files of an inbox: a new content is run, a known one is not, an unreadable file is refused."""

import os
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from bulkreact.batch.journal.journal import finalize
from bulkreact.batch.journal.metadata import SWEEP, RunMetadata
from bulkreact.errors import EXIT_SOME_FAILED, EXIT_SUCCESS, FileRefusedError, HaltedError, InputRefusedError
from bulkreact.inbox.foreign_file import FileSnapshot, digest_of, private_copy, take_snapshot
from bulkreact.inbox.ledger import LedgerEntry, content_of
from bulkreact.inbox.ledger_schema import FilingStage
from bulkreact.inbox.outcomes import FileOutcome, FileResult
from bulkreact.inbox.reading import FileFailedError, read_guarded
from bulkreact.inbox.sweep_pass import SweepPass
from bulkreact.inbox.unfinished import UnfinishedRuns, is_halted
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.runs import store
from bulkreact.runs.beginning import summarize_input
from bulkreact.runs.input_reader import LoadedInput, name_of
from bulkreact.runs.preparation import correcting, find_unfinished, new_metadata
from bulkreact.runs.publication import known_runs, publish_alone
from bulkreact.runs.run_record import Run
from bulkreact.wording import printable

# Of the file, in the draft of its run while it is read.
_COPY = "input"


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file that cannot be read: it is moved to ``failed`` with the ``public`` reason, which quotes nothing of it."""

    reason: str
    public: str
    exit_code: int = InputRefusedError.exit_code


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file whose rows are in a draft; ``entry`` and ``metadata`` are for its run, unless its content is known.

    ``earlier`` is a run of the same content, ``unfinished`` a run of the same rows that was started outside the inbox,
    ``remark`` what is known of others.
    """

    loaded: LoadedInput
    entry: LedgerEntry
    metadata: RunMetadata
    earlier: LedgerEntry | None = None
    unfinished: Run | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class IgnoredFile:
    """It changed while it was read: the next sweep takes it."""


@dataclass(frozen=True, slots=True)
class DuplicateFile:
    """Its content had a run, and is not run again."""

    earlier: LedgerEntry


@dataclass(frozen=True, slots=True)
class ContinuedFile:
    """Its rows have an unfinished run, whose request ids must be used."""

    entry: LedgerEntry
    run: Run


def classify(
    file: RefusedFile | NewFile, *, changed: bool
) -> IgnoredFile | RefusedFile | DuplicateFile | ContinuedFile | NewFile:
    """Decide what happens to a file; ``changed``: it was written to while it was read.

    ======= ======= =========== ============== =========
    changed file    earlier run unfinished run decision
    yes     any     any         any            ignored
    no      refused                            refused
    no      new     yes         any            duplicate
    no      new     no          yes            continued
    no      new     no          no             new
    ======= ======= =========== ============== =========
    """
    if changed:
        return IgnoredFile()
    if isinstance(file, RefusedFile):
        return file
    if file.earlier:
        return DuplicateFile(file.earlier)
    if file.unfinished:
        return ContinuedFile(replace(file.entry, run_id=file.unfinished.metadata.id), file.unfinished)
    return file


@dataclass(frozen=True, slots=True)
class NewFileProcessor:
    """Processes the files of an inbox in one pass."""

    sweep: SweepPass

    def process(self, snapshot: FileSnapshot) -> FileResult | None:
        """Process one file; None if there is nothing to report."""
        job, name, sha256 = self.sweep.job, os.fsencode(snapshot.name), digest_of(self.sweep.inbox, snapshot)
        if not job.again and (
            (name, sha256) in self.sweep.already_reported or job.ledger.is_left_in_place(name, job.dedup_key(sha256))
        ):
            return None
        access = job.environment.access.get()
        # The lock first: waiting for it later would send rows of a file that may have changed meanwhile.
        self.sweep.lock(access)
        if self._has_changed(snapshot):
            return None
        now = job.environment.now()
        run_id = store.new_id(name_of(snapshot.name), now)
        with store.draft(job.output.reports, run_id) as draft:
            file = self._read(draft, snapshot, sha256, run_id, access, now)
            changed, known = self._has_changed(snapshot), known_runs(job.output.reports)
            if isinstance(file, NewFile) and not changed and not job.again:
                file = self._with_runs(file, access)
            decision = classify(file, changed=changed)
            if isinstance(decision, NewFile):
                self._publish(decision, draft, access, known)
        # Outside the draft's context, which reports every write error as one before anything was sent.
        match decision:
            case IgnoredFile():
                return None
            case RefusedFile():
                return self._refuse(snapshot, sha256, decision)
            case DuplicateFile(earlier):
                return self._file_copy(snapshot, sha256, earlier)
            case ContinuedFile(entry, run):
                return self._resume(entry, run, access)
            case NewFile(entry=entry):
                return self.sweep.run(entry, job.output.reports / entry.run_id, access)

    def _read(
        self, draft: Path, snapshot: FileSnapshot, sha256: str, run_id: str, access: AuthorizedAccess, now: datetime
    ) -> RefusedFile | NewFile:
        job, inbox, copy = self.sweep.job, self.sweep.inbox, draft / _COPY
        name = printable(inbox.path / snapshot.name)
        try:
            with private_copy(inbox, snapshot, copy):
                loaded = read_guarded(
                    *(job.ledger, os.fsencode(snapshot.name), sha256, name),
                    lambda: job.environment.read_input(draft, name, copy),
                )
        except FileRefusedError as error:
            return _refused(name, error)
        except FileFailedError as error:
            return RefusedFile(f"{error.trace}{name} {error}", f"{name} {error}", error.exit_code)
        metadata = new_metadata(
            run_id, name_of(snapshot.name), loaded, job.service, access, command=SWEEP, row_limit=None, now=now
        )
        metadata = correcting(metadata, store.run_of_results(inbox.path / snapshot.name, job.output.reports))
        content = content_of(loaded.digest, loaded.input_file.sha256)
        file_name, sha256 = os.fsencode(snapshot.name), loaded.input_file.sha256
        entry = LedgerEntry(
            run_id, content, job.target, access.tenant_id, job.ledger.inbox, file_name, sha256, FilingStage.PREPARED
        )
        return NewFile(loaded, entry, metadata)

    def _with_runs(self, file: NewFile, access: AuthorizedAccess) -> NewFile:
        """Add the earlier runs of the file's content."""
        job = self.sweep.job
        runs = job.ledger.runs_of(file.entry.content, job.target)
        earlier = next((entry for entry in runs if access.matches_tenant(entry.tenant_id or None)), None)
        if earlier:
            return replace(file, earlier=earlier)
        unfinished, remark = find_unfinished(job.output.reports, file.metadata, access, self.sweep.reporter)
        return replace(file, unfinished=unfinished, remark=remark)

    def _publish(self, file: NewFile, draft: Path, access: AuthorizedAccess, known: frozenset[str]) -> None:
        """Confirm and create the run of a new file."""
        job, reporter, entry = self.sweep.job, self.sweep.reporter, file.entry
        finalize(draft, file.metadata, file.loaded.traits)
        input_file, metadata = file.loaded.input_file, file.metadata
        reporter.info(input_file.remark)
        reporter.problems(input_file)
        read = summarize_input(draft, metadata, rows=input_file.count, invalid=input_file.codes.total())
        folder, count = job.output.reports / entry.run_id, store.open_count(draft)
        self.sweep.confirm(metadata, folder, count, access, read, file.remark)
        self.sweep.mover.open_done()
        job.ledger.prepare(entry)
        job.ledger.record_activity(job.environment.now())
        if job.again:
            store.publish(draft, entry.run_id)
        else:
            publish_alone(draft, file.metadata, access, known=known)
        job.ledger.set_stage(entry.run_id, FilingStage.STARTED)

    def _resume(self, entry: LedgerEntry, run: Run, access: AuthorizedAccess) -> FileResult | None:
        """Continue a run that was started outside the inbox."""
        job = self.sweep.job
        job.ledger.prepare(entry)
        job.ledger.record_activity(job.environment.now())
        if not run.is_finished:
            return UnfinishedRuns(self.sweep).resume(entry)
        job.ledger.set_stage(entry.run_id, FilingStage.STARTED)
        self.sweep.reporter.info(
            f"{printable(entry.file_name)}: continuing run {entry.run_id}, in which answers are still lost."
        )
        return self.sweep.confirm_and_run(entry, run, access)

    def _has_changed(self, snapshot: FileSnapshot) -> bool:
        """Return whether a file was modified or removed since the snapshot."""
        if take_snapshot(self.sweep.inbox, snapshot.name) == snapshot:
            return False
        self.sweep.reporter.info(f"Left alone for now: {printable(snapshot.name)} changed while it was read.")
        return True

    def _refuse(self, snapshot: FileSnapshot, sha256: str, refused: RefusedFile) -> FileResult:
        job, name = self.sweep.job, snapshot.name
        with self.sweep.deferring_signals():
            job.ledger.record_activity(job.environment.now())
            path = self.sweep.mover.refuse(snapshot, refused.public)
            if job.keep:
                job.ledger.mark_left_in_place(os.fsencode(name), job.dedup_key(sha256))
        moved = f" It was moved to {printable(path)}." if path else ""
        self.sweep.reporter.error(f"{refused.reason}{moved}")
        return FileResult(name, FileOutcome.REFUSED, refused.exit_code, message=refused.public)

    def _file_copy(self, snapshot: FileSnapshot, sha256: str, earlier: LedgerEntry) -> FileResult:
        """Move a duplicate away and report it; it stays if its run is unfinished."""
        job, name = self.sweep.job, snapshot.name
        folder = job.output.reports / earlier.run_id
        run = store.find(job.output.reports, str(folder)) if folder.is_dir() else None
        if earlier.stage not in {FilingStage.ENDED, FilingStage.FILED} or (run and not run.is_finished):
            options = run.metadata.settings.options if run else ()
            command = store.resume_command(folder, job.output.reports, options)
            message = f"it has the rows of {printable(earlier.file_name)}, whose run {earlier.run_id} is unfinished. Continue it with: {command}"
            code = HaltedError.exit_code if run and is_halted(run) else InputRefusedError.exit_code
            return self.sweep.leave_waiting(name, earlier.run_id, code, message)
        message = f"it has the rows of {printable(earlier.file_name)}, which were run as {earlier.run_id}, and is not run again"
        with self.sweep.deferring_signals():
            self.sweep.mover.archive_duplicate(snapshot)
            if job.keep:
                job.ledger.mark_left_in_place(os.fsencode(name), job.dedup_key(sha256))
        reporter, allowed = self.sweep.reporter, job.allow_empty
        report = reporter.info if allowed else reporter.warning
        report(f"{printable(name)}: {message}. To run it all the same: --again")
        code = EXIT_SUCCESS if allowed else EXIT_SOME_FAILED
        return FileResult(name, FileOutcome.COPY, code, earlier.run_id, message)


def _refused(name: str, error: FileRefusedError) -> RefusedFile:
    reason, public = str(error), error.public or f"{name} has no table that could be read."
    return RefusedFile(reason, public if public == reason else f"{public} The output of the sweep says more.")
