"""Prepares a retry: a new run over those rows of a finished one that may now succeed."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

from msgspec.structs import replace

from bulkreact import __version__
from bulkreact.batch.journal.journal import Journal, create, finalize
from bulkreact.batch.journal.reading import JOURNAL_NAME, JournalReader
from bulkreact.batch.journal.retry_candidates import Candidate
from bulkreact.errors import InputRefusedError
from bulkreact.models import InputRow, Status
from bulkreact.runs import store
from bulkreact.runs.index import Run
from bulkreact.runs.partner_connection import PartnerConnection
from bulkreact.runs.preparation import Confirm
from bulkreact.timestamps import iso_milliseconds
from bulkreact.wording import plural


def prepare_retry(
    run: Run,
    reports: Path,
    connection: PartnerConnection,
    confirm: Confirm,
    *,
    all_failed: bool,
    row_limit: int | None,
) -> Path | None:
    """Return the folder of a new run over the rows to be retried, None if there are none."""
    selection = RetrySelection(run, reports, all_failed=all_failed)
    now = connection.now()
    metadata = replace(
        run.metadata,
        id=store.new_id(run.metadata.input_name, now),
        uuid=str(uuid4()),
        version=__version__,
        command="retry",
        operator=store.operator(),
        created_at=iso_milliseconds(now),
        row_limit=row_limit,
        retry_of=run.metadata.id,
        tenant_id=connection.access.tenant_id or run.metadata.tenant_id,
    )
    # Next to the run whose rows are taken: runs find each other there.
    with store.draft(run.folder.parent, metadata.id) as draft:
        create(draft, selection.rows())
        finalize(draft, replace(metadata, digest=selection.digest))
        if not selection.count:
            connection.reporter.info(f"Run {run.metadata.id} has no rows to retry.{selection.remark()}")
            return None
        rows = plural(selection.count, "row")
        connection.reporter.info(f"Retrying {rows} of run {run.metadata.id}.{selection.remark()}")
        confirm(lambda: store.open_count(draft))
        with ExitStack() as stack:
            journals = [(stack.enter_context(Journal(owner)), rows) for owner, rows in selection.owners.items()]
            folder = store.publish(draft, metadata.id)
            # Before anything is sent: from here on these rows belong to this run.
            for journal, row_numbers in journals:
                journal.transfer_rows(row_numbers, metadata.id)
        return folder


class RetrySelection:
    """The rows that a retry takes, each from the run that owns it: the requested one, or an earlier retry of it.

    ``owners`` are the folders of those runs, with the numbers of the rows taken from each.
    """

    def __init__(self, run: Run, reports: Path, *, all_failed: bool) -> None:
        self._run = run
        self._reports = reports
        self._all_failed = all_failed
        self._candidates_of: dict[str, dict[int, Candidate]] = {}
        self._digest = hashlib.sha256()
        self._failed = 0
        self._pending: Counter[Path] = Counter()
        self._missing: Counter[str] = Counter()
        self.owners: dict[Path, list[int]] = {}
        self.count = 0
        self._refuse_unfinished(run)

    def rows(self) -> Iterator[InputRow]:
        """Yield the rows to be sent, in input order."""
        for candidate in self._candidates(self._run.folder):
            owner, newest = self._newest(candidate)
            if owner is None:
                self._missing[newest.transferred_to] += 1
            elif newest.is_selected:
                self.count += 1
                self.owners.setdefault(owner, []).append(newest.row.number)
                if newest.row.target:
                    self._digest.update(newest.row.target.digest_line.encode())
                yield newest.row
            else:
                self._failed += newest.status is Status.FAILED
                self._pending[owner] += newest.status is Status.PENDING

    @property
    def digest(self) -> str:
        """Return the digest over the rows taken so far."""
        return self._digest.hexdigest()

    def remark(self) -> str:
        """Return which rows are not taken, and what to do about them; empty if there are none."""
        remark = ""
        if self._failed:
            remark += f" Failed for good: {self._failed:,}; --all-failed takes them as well."
        for owner, pending in self._pending.items():
            if pending:
                name = store.cli_name(owner, self._reports)
                remark += f" Pending: {pending:,}; look at them with: bulkreact verify {name}"
        for run_id, rows in self._missing.items():
            remark += f" Taken over before: {rows:,}, by run {run_id}, which is not here."
        return remark

    def _newest(self, candidate: Candidate) -> tuple[Path | None, Candidate]:
        """Follow a row to the run that owns it now; None if that run's folder is missing."""
        owner = self._run.folder
        while run_id := candidate.transferred_to:
            owner = self._run.folder.parent / run_id
            if run_id not in self._candidates_of:
                if not (owner / JOURNAL_NAME).is_file():
                    return None, candidate
                self._refuse_unfinished(store.find(owner.parent, str(owner)))
                self._candidates_of[run_id] = {other.row.number: other for other in self._candidates(owner)}
            candidate = self._candidates_of[run_id][candidate.row.number]
        return owner, candidate

    def _refuse_unfinished(self, run: Run) -> None:
        if not run.is_finished:
            which = "" if run is self._run else f", which took rows of run {self._run.metadata.id} over,"
            command = store.resume_command(run.folder, self._reports)
            raise InputRefusedError(f"Run {run.metadata.id}{which} is unfinished. Continue it with: {command}")

    def _candidates(self, folder: Path) -> Iterator[Candidate]:
        with JournalReader(folder) as journal:
            yield from journal.candidates(all_failed=self._all_failed)
