"""``bulkreact retry``: a new run over the rows of a finished one that another attempt may settle."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import click
from msgspec.structs import replace

from bulkreact import __version__
from bulkreact.batch.journal.journal import Journal, create, finalize
from bulkreact.batch.journal.reading import JOURNAL_NAME, JournalReader
from bulkreact.batch.journal.retry_candidates import Candidate
from bulkreact.cli.confirm import confirm
from bulkreact.cli.options import automation, shared
from bulkreact.cli.options.automation import MonitoredCommand, unattended_options
from bulkreact.cli.options.identity import identity_options
from bulkreact.cli.session import open_session
from bulkreact.errors import EXIT_SUCCESS, InputRefusedError
from bulkreact.models import InputRow, Status
from bulkreact.monitoring.monitors import CommandEnd
from bulkreact.runs import store
from bulkreact.runs.execution import RunJob, execute
from bulkreact.runs.index import Run
from bulkreact.runs.partner_session import PartnerSession
from bulkreact.timestamps import iso
from bulkreact.wording import plural


@click.command("retry", cls=MonitoredCommand)
@click.argument("name", metavar="RUN")
@identity_options
@shared.pace_options
@shared.halt_options
@shared.verify_options
@shared.output_options
@unattended_options
@click.option("--all-failed", is_flag=True, help="Also take the rows that failed for good.")
@click.option("--limit", type=click.IntRange(0), help="Send only the first N rows.")
@click.pass_context
def command(ctx: click.Context, /, name: str, **_: object) -> CommandEnd:
    """Make a new run of those rows of RUN that another attempt may settle.

    These are the unknown, deferred and not attempted ones, and those that failed for a passing reason or because
    Partner Center could not be reached. What an earlier retry of RUN has settled is left alone.
    """
    output, limits = shared.output(ctx), shared.limits(ctx)
    reporter = automation.make_reporter(ctx, output)
    run = store.find(output.reports, name)
    service = shared.service_of(run.metadata)
    with open_session(ctx, service, limits, reporter, tenant_id=run.metadata.tenant_id) as session:
        folder = _prepare(ctx, run, session)
        if folder is None:
            ctx.exit(EXIT_SUCCESS)
        session.announce(folder.name)
        results = execute(RunJob(folder, "retry", session, output))
    return automation.end_of(results)


def _prepare(ctx: click.Context, run: Run, session: PartnerSession) -> Path | None:
    """Return the folder of a new run over the rows to be retried, None when there are none."""
    # Beside the run whose rows are taken over: they find each other there.
    reports = run.folder.parent
    # Without a token nothing is sent, so nothing need be confirmed.
    agreed = ctx.params["yes"] or bool(session.access.refusal)
    retry = _Retry(run, ctx.params["reports"], all_failed=ctx.params["all_failed"])
    now = datetime.now(UTC)
    facts = replace(
        run.metadata,
        id=store.new_id(run.metadata.input_name, now),
        uuid=str(uuid4()),
        version=__version__,
        command="retry",
        operator=store.operator(),
        created_at=iso(now),
        row_limit=ctx.params["limit"],
        retry_of=run.metadata.id,
        tenant_id=session.access.tenant_id or run.metadata.tenant_id,
    )
    with store.draft(reports, facts.id) as folder:
        create(folder, retry.rows())
        finalize(folder, replace(facts, digest=retry.digest))
        if not retry.taken:
            session.reporter.info(f"Run {run.metadata.id} has no rows to retry.{retry.left_to_others()}")
            return None
        session.reporter.info(
            f"Retrying {plural(retry.taken, 'row')} of run {run.metadata.id}.{retry.left_to_others()}"
        )
        confirm(lambda: store.open_count(folder), session.service, yes=agreed)
        with ExitStack() as holders:
            journals = [(holders.enter_context(Journal(holder)), rows) for holder, rows in retry.holders.items()]
            adopted = store.publish(folder, facts.id)
            # Before anything is sent: from here on these rows are this run's.
            for journal, numbers in journals:
                journal.transfer_rows(numbers, facts.id)
        return adopted


class _Retry:
    """The rows that a retry takes, each from the run that has it now: the one asked for, or an earlier retry of it.

    ``holders`` are the folders of those runs, with the numbers of the rows taken from each.
    """

    def __init__(self, run: Run, reports: Path, *, all_failed: bool) -> None:
        self._run = run
        self._reports = reports
        self._all_failed = all_failed
        self._known: dict[str, dict[int, Candidate]] = {}
        self._digest = hashlib.sha256()
        self._failed = 0
        self._pending: Counter[Path] = Counter()
        self._gone: Counter[str] = Counter()
        self.holders: dict[Path, list[int]] = {}
        self.taken = 0
        self._check(run)

    def rows(self) -> Iterator[InputRow]:
        """Yield the rows to be sent, in the order of the input."""
        for candidate in self._candidates(self._run.folder):
            holder, newest = self._newest(candidate)
            if holder is None:
                self._gone[newest.handed_to] += 1
            elif newest.taken:
                self.taken += 1
                self.holders.setdefault(holder, []).append(newest.row.number)
                if newest.row.target:
                    self._digest.update(newest.row.target.digest_line.encode())
                yield newest.row
            else:
                self._failed += newest.status is Status.FAILED
                self._pending[holder] += newest.status is Status.PENDING

    @property
    def digest(self) -> str:
        """Return the digest over the rows taken so far."""
        return self._digest.hexdigest()

    def left_to_others(self) -> str:
        """Say which rows are left that something else is needed for; empty when there are none."""
        words = ""
        if self._failed:
            words += f" Failed for good: {self._failed:,}; --all-failed takes them as well."
        for holder, pending in self._pending.items():
            if pending:
                name = store.cli_name(holder, self._reports)
                words += f" Pending: {pending:,}; look at them with: bulkreact verify {name}"
        for missing, count in self._gone.items():
            words += f" Taken over before: {count:,}, by run {missing}, which is not here."
        return words

    def _newest(self, candidate: Candidate) -> tuple[Path | None, Candidate]:
        """Follow a row to the run that has it now; None for one that cannot be found."""
        holder = self._run.folder
        while candidate.handed_to:
            holder = self._run.folder.parent / candidate.handed_to
            if candidate.handed_to not in self._known:
                if not (holder / JOURNAL_NAME).is_file():
                    return None, candidate
                self._check(store.find(holder.parent, str(holder)))
                rows = {one.row.number: one for one in self._candidates(holder)}
                self._known[candidate.handed_to] = rows
            candidate = self._known[candidate.handed_to][candidate.row.number]
        return holder, candidate

    def _check(self, run: Run) -> None:
        if not run.ended:
            what = "" if run is self._run else f", which took rows of run {self._run.metadata.id} over,"
            name = store.cli_name(run.folder, self._reports)
            raise InputRefusedError(
                f"Run {run.metadata.id}{what} is unfinished. Continue it with: bulkreact resume {name}"
            )

    def _candidates(self, folder: Path) -> Iterator[Candidate]:
        with JournalReader(folder) as journal:
            yield from journal.candidates(all_failed=self._all_failed)
