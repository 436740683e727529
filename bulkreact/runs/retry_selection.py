"""Prepares a retry: a new run over those rows of a finished one that may now succeed."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import replace

from bulkreact import __version__
from bulkreact.batch.journal.journal import Journal, create, finalize
from bulkreact.batch.journal.journal_file import damaged
from bulkreact.batch.journal.metadata import RunMetadata
from bulkreact.batch.journal.preview import planned_targets
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.retry_candidates import Candidate
from bulkreact.errors import InputRefusedError
from bulkreact.models import InputRow, RunState, Status
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.runs import store
from bulkreact.runs.column_sums import decimal_mark
from bulkreact.runs.handover import complete_handovers
from bulkreact.runs.index import list_related_runs
from bulkreact.runs.later_successes import find_successes
from bulkreact.runs.partner_connection import PartnerConnection
from bulkreact.runs.preparation import Confirm, PreparedRun, announce, run_settings
from bulkreact.runs.run_record import Run
from bulkreact.runs.run_trust import refuse_foreign
from bulkreact.runs.saved_plan import SavedPlan
from bulkreact.runs.store import CONTINUED_WITHIN
from bulkreact.timestamps import iso_milliseconds
from bulkreact.wording import plural

ReaderT = TypeVar("ReaderT", bound=JournalReader)


def prepare_retry(
    run: Run,
    reports: Path,
    connection: PartnerConnection,
    confirm: Confirm,
    *,
    all_failed: bool,
    row_limit: int | None,
    plan: SavedPlan | None = None,
    run_id: str | None = None,
) -> PreparedRun | None:
    """Return a run over the rows to be retried: an unfinished retry of ``run``, or a new one.

    It is always a new one if a ``run_id`` was chosen for it. None if there are no such rows. InputRefusedError if they
    are not those of a ``plan``.
    """
    runs = list_related_runs(run.folder.parent).runs
    complete_handovers(run.folder, runs)
    unfinished = None
    if run_id is None:
        unfinished = find_unfinished_retry(runs, run, reports, connection.access, row_limit=row_limit)
    if unfinished:
        return _continue(unfinished, run, connection, confirm, all_failed=all_failed)
    with ExitStack() as locks:
        # The runs stay locked from here on: nobody else may send or take what is selected.
        selection = RetrySelection(run, reports, locks, all_failed=all_failed)
        metadata = _new_metadata(run, connection, row_limit, run_id)
        # Next to the run whose rows are taken: runs find each other there.
        with store.draft(run.folder.parent, metadata.id) as draft:
            create(draft, selection.rows())
            finalize(draft, replace(metadata, digest=selection.digest))
            if plan:
                name = f"What a retry of run {run.metadata.id} would send"
                plan.compare(selection.digest, planned_targets(draft), name=name)
            if not selection.count:
                connection.reporter.info(f"Run {run.metadata.id} has no rows to retry.{selection.remark()}")
                return None
            connection.reporter.info(selection.summary(row_limit))
            announce(connection, metadata, run.folder.parent / metadata.id, store.open_count(draft), confirm)
            folder = store.publish(draft, metadata.id)
        selection.transfer(metadata.id)
    return PreparedRun(folder)


def _continue(
    unfinished: Run, run: Run, connection: PartnerConnection, confirm: Confirm, *, all_failed: bool
) -> PreparedRun:
    refuse_foreign(unfinished.folder)
    count = store.open_count(unfinished.folder)
    connection.reporter.info(
        f"Continuing run {unfinished.metadata.id}, an unfinished retry of run {run.metadata.id}; "
        f"not settled yet: {plural(count.rows, 'row')}."
        + (" --all-failed does not change which rows it takes." if all_failed else "")
    )
    announce(connection, unfinished.metadata, unfinished.folder, count, confirm)
    return PreparedRun(unfinished.folder, unfinished)


def _new_metadata(run: Run, connection: PartnerConnection, row_limit: int | None, run_id: str | None) -> RunMetadata:
    now, settings = connection.now(), run.metadata.settings
    return replace(
        run.metadata,
        id=run_id or store.new_id(run.metadata.input_name, now),
        uuid=str(uuid4()),
        version=__version__,
        command="retry",
        operator=connection.operator,
        created_at=iso_milliseconds(now),
        row_limit=row_limit,
        retry_of=run.metadata.id,
        tenant_id=connection.access.tenant_id or run.metadata.tenant_id,
        settings=replace(
            run_settings(connection.service, connection.access, settings.input_options),
            name_header=settings.name_header,
            sum_header=settings.sum_header,
            decimal_mark=decimal_mark(run.folder, run.metadata),
            column_widths=settings.column_widths,
            page=connection.page,
        ),
    )


def find_unfinished_retry(
    runs: Iterable[Run], run: Run, reports: Path, access: AuthorizedAccess, *, row_limit: int | None
) -> Run | None:
    """Return the newest unfinished retry of a run; InputRefusedError if only ``resume`` may continue it."""
    retry = next((other for other in runs if other.retry_of == run.metadata.id and not other.is_finished), None)
    if retry is None:
        return None
    if not access.matches_tenant(retry.metadata.tenant_id):
        obstacle = f"is for the tenant {retry.metadata.tenant_id}"
    elif retry.age > CONTINUED_WITHIN:
        obstacle = f"is more than {CONTINUED_WITHIN.days} days old"
    elif retry.metadata.row_limit != row_limit:
        obstacle = "had another --limit"
    else:
        return retry
    raise InputRefusedError(
        f"Run {retry.metadata.id}, an unfinished retry of run {run.metadata.id}, {obstacle}. Continue it with: "
        f"{store.resume_command(retry.folder, reports, retry.metadata.settings.options)}"
    )


class RetryRows(Struct, frozen=True):
    """The rows that a retry would send: their digest, and how many they are by kind and by customer.

    ``reactivated`` are the rows that it leaves out because other runs have reactivated them since.
    """

    digest: str
    kinds: Counter[str]
    customers: Counter[str]
    reactivated: int


class RetryPreview(Generic[ReaderT]):
    """The rows that a retry would take, each from the run that owns it: the requested one, or an earlier retry of it.

    The journals of these runs are opened by ``open_journal``, and stay open until ``stack`` is closed.
    """

    def __init__(
        self, run: Run, reports: Path, stack: ExitStack, open_journal: Callable[[Path], ReaderT], *, all_failed: bool
    ) -> None:
        self._run = run
        self._folder = run.folder
        self._reports = reports
        self._stack = stack
        self._open_journal = open_journal
        self._all_failed = all_failed
        self._candidates_of: dict[str, tuple[Path | None, dict[int, Candidate]]] = {}
        self._digest = hashlib.sha256()
        self._failed = 0
        self._pending: Counter[Path] = Counter()
        self._elsewhere: Counter[str] = Counter()
        self.reactivated: Counter[str] = Counter()
        self._journals: dict[Path, ReaderT] = {}
        self._taken: defaultdict[Path, list[int]] = defaultdict(list)
        self.count = 0
        self._source = self._open(run.folder)

    def rows(self) -> Iterator[InputRow]:
        """Yield the rows to be sent, in input order."""
        successes = find_successes(self._run, self._source)
        for candidate in self._source.candidates(all_failed=self._all_failed):
            owner, newest = self._newest(candidate)
            if owner is None:
                self._elsewhere[f"{newest.transferred_to}, which is not here"] += 1
            elif newest.row is not None:
                success = successes.get(newest.row.target) if newest.row.target else None
                if success and success.sent_at > (newest.sent_at or self._run.created_at):
                    self.reactivated[success.run_id] += 1
                    continue
                self.count += 1
                self._taken[owner].append(newest.number)
                if newest.row.target:
                    self._digest.update(newest.row.target.digest_line.encode())
                yield newest.row
            else:
                self._failed += newest.status is Status.FAILED
                self._pending[owner] += newest.status is Status.PENDING
                if owner != self._folder:
                    self._elsewhere[owner.name] += 1

    @property
    def digest(self) -> str:
        """Return the digest over the rows taken so far."""
        return self._digest.hexdigest()

    def summary(self, row_limit: int | None) -> str:
        """Return how many rows are retried, how many of them a limit leaves out, and which are not taken."""
        rows = f"Retrying {plural(self.count, 'row')} of run {self._run.metadata.id}"
        left_out = 0 if row_limit is None else max(0, self.count - row_limit)
        return f"{rows}{f', {left_out:,} of them left out by --limit' if left_out else ''}.{self.remark()}"

    def remark(self) -> str:
        """Return which rows are not taken, and what to do about them; empty if there are none."""
        remark = ""
        if self._failed:
            remark += f" Failed for good: {self._failed:,}; --all-failed takes them as well."
        for owner, pending in self._pending.items():
            if pending:
                name = store.run_arguments(owner, self._reports, self._journals[owner].metadata.settings.options)
                remark += f" Pending: {pending:,}; look at them with: bulkreact verify {name}"
        for run, rows in self._elsewhere.items():
            remark += f" Taken over before: {rows:,}, by run {run}."
        for run, rows in self.reactivated.items():
            remark += f" Reactivated since, so not sent again: {rows:,}, by run {run}."
        return remark

    def _newest(self, candidate: Candidate) -> tuple[Path | None, Candidate]:
        """Follow a row to the run that owns it now; None if that run's folder is missing."""
        owner: Path | None = self._folder
        path = {self._run.metadata.id}
        while run_id := candidate.transferred_to:
            if run_id in path:
                raise damaged(self._folder, f"row {candidate.number} was taken over from it and by it again")
            path.add(run_id)
            if run_id not in self._candidates_of:
                self._candidates_of[run_id] = self._load(run_id)
            owner, candidates = self._candidates_of[run_id]
            if owner is None:
                return None, candidate
            candidate = candidates[candidate.number]
        return owner, candidate

    def _load(self, run_id: str) -> tuple[Path | None, dict[int, Candidate]]:
        """Return the folder of another run that took rows over, and its rows by number; None if it is missing."""
        folder = store.locate(self._folder.parent, run_id)
        rows = self._open(folder).candidates(all_failed=self._all_failed) if folder else ()
        return folder, {row.number: row for row in rows}

    def _open(self, folder: Path) -> ReaderT:
        """Open the journal of a run; InputRefusedError if the run is unfinished."""
        if folder != self._folder:
            refuse_foreign(folder)
        journal = self._journals[folder] = self._open_journal(folder)
        self._stack.enter_context(journal)
        session = journal.latest_session()
        is_finished = session is not None and session.state is RunState.FINISHED
        if not is_finished and (session is None or journal.open_count().rows):
            which = "" if folder == self._folder else f", which took rows of run {self._run.metadata.id} over,"
            command = store.resume_command(folder, self._reports, journal.metadata.settings.options)
            raise InputRefusedError(f"Run {journal.metadata.id}{which} is unfinished. Continue it with: {command}")
        return journal


class RetrySelection(RetryPreview[Journal]):
    """The rows that a retry takes; no other process may send or take them while the journals of their runs are open."""

    def __init__(self, run: Run, reports: Path, locks: ExitStack, *, all_failed: bool) -> None:
        super().__init__(run, reports, locks, partial(Journal, check=True), all_failed=all_failed)

    def transfer(self, run_id: str) -> None:
        """Transfer the rows taken to the run with an id: their owners send them no more."""
        for owner, numbers in self._taken.items():
            self._journals[owner].transfer_rows(numbers, run_id)


def preview_retry(run: Run, reports: Path, *, all_failed: bool) -> RetryRows:
    """Return which rows a retry would send now; InputRefusedError as a retry would be refused."""
    with ExitStack() as stack:
        preview = RetryPreview(run, reports, stack, JournalReader, all_failed=all_failed)
        targets = [row.target for row in preview.rows() if row.target]
        kinds = Counter(target.kind.value for target in targets)
        customers = Counter(target.customer_id for target in targets)
        return RetryRows(preview.digest, kinds, customers, preview.reactivated.total())
