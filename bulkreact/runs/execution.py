"""Works on a run whose journal exists: sends its open rows or watches its accepted ones, and writes the results."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec.structs import replace

from bulkreact import __version__
from bulkreact.atomic_write import PARTIAL, remove_abandoned
from bulkreact.batch.environment import StopReason
from bulkreact.batch.journal.journal import Journal
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.watched_rows import WATCHED
from bulkreact.batch.run.session import RunSession, send_and_watch
from bulkreact.errors import (
    AlreadyRunningError,
    BulkreactError,
    CredentialsRefusedError,
    InputRefusedError,
    JournalNotWrittenError,
    JournalUnreadableError,
    ResultsNotWrittenError,
    is_refused_by_system,
)
from bulkreact.models import RunState
from bulkreact.runs import store
from bulkreact.runs.beginning import describe_verifying
from bulkreact.runs.handover import complete_handovers, hand_over
from bulkreact.runs.naming_phase import naming_customers
from bulkreact.runs.next_steps import continuing_step
from bulkreact.runs.result_files import ResultFiles, WrittenResults
from bulkreact.runs.run_job import RunJob
from bulkreact.runs.run_status import RunStatus, latest_run_status
from bulkreact.runs.work_report import Activity
from bulkreact.sheets.output import results_csv
from bulkreact.sheets.output.results_csv import RowCounts
from bulkreact.timestamps import iso_milliseconds
from bulkreact.wording import describe_error, shell_quote


def execute(job: RunJob) -> WrittenResults:
    """Settle the open rows of a run and write its files.

    JournalNotWrittenError, with what to do then, if the journal cannot be written; the results are, if they can be.
    """
    try:
        with _translating_refusals():
            return _execute(job)
    except JournalNotWrittenError as error:
        raise JournalNotWrittenError(
            f"{error} Nothing more was sent. Fix the cause, then continue with: {job.resume_command} "
            "(what was under way is repeated under its old request ids). "
            f"The results so far are written by: bulkreact results {shell_quote(job.folder)}"
        ) from None


def _execute(job: RunJob) -> WrittenResults:
    connection = job.connection
    connection.shutdown.install()
    connection.reporter.started(job.folder.name)
    with _open_journal(job) as journal:
        _prepare(job, journal)
        before = None if job.sends_rows else _count_rows(job.folder)
        if before is not None:
            watched = sum(before.statuses[status] for status in WATCHED)
            connection.reporter.info(describe_verifying(journal.metadata, job.folder, watched, connection.access))
        number = journal.begin_session(
            command=job.command,
            version=__version__,
            configured_per_minute=job.configured_per_minute,
            now=iso_milliseconds(connection.now()),
            operator=connection.operator,
        )
        stop_reason = _work_in_session(job, journal, number, before)
        if failure := connection.reporter.failure():
            # The files and the journal are what still can say so.
            remark = f"{stop_reason.reason.rstrip('.')}; messages could not be written to standard error: {failure}"
            stop_reason = replace(stop_reason, reason=remark)
        with _ending_session(job, journal, number, stop_reason, before) as results:
            _report(job, results, stop_reason)
        return results


def _prepare(job: RunJob, journal: Journal) -> None:
    """Make sure that the rows of a run are this process's to send, and let others know that it works on them."""
    connection, access = job.connection, job.connection.access
    if job.seen and journal.latest_session() != job.seen.session:
        raise AlreadyRunningError(
            f"Another process has worked on run {journal.metadata.id} meanwhile. Nothing was sent. Look at it with: "
            f"bulkreact status {job.run_name}"
        )
    connection.record_run(journal.metadata.id)
    hand_over(journal)
    if job.lifts_limit:
        journal.lift_row_limit()
    if connection.control:
        total, left = journal.row_count(), journal.open_count(with_excluded=True).rows
        connection.control.begin(journal.metadata.id, total=total, settled=total - left)
    if not access.refusal:
        journal.record_tenant(access.tenant_id)


def _work_in_session(job: RunJob, journal: Journal, number: int, before: RowCounts | None) -> StopReason:
    """Work in a session that has begun; if an error stops that, write what can be written, and raise it."""
    try:
        with _translating_refusals():
            return _work(job, journal, number)
    except JournalUnreadableError:
        # Nothing more is written to it, and nothing is reported from it.
        raise
    except JournalNotWrittenError as error:
        # The session stays open, as after a kill; what is known is written if there is room.
        stop_reason = StopReason(RunState.ABORTED, error.exit_code, "the journal could not be written")
        with suppress(ResultsNotWrittenError):
            _write(job, stop_reason, iso_milliseconds(job.connection.now()), before)
        raise
    except BaseException:
        bug = StopReason(RunState.ABORTED, BulkreactError.exit_code, "a bug in bulkreact")
        with _ending_session(job, journal, number, bug, before):
            raise


@contextmanager
def _translating_refusals() -> Iterator[None]:
    """Raise JournalNotWrittenError if a disk or a limit of the system stops the run, and not a bug."""
    try:
        yield
    except OSError as error:
        if not is_refused_by_system(error):
            raise
        raise JournalNotWrittenError(f"The run was stopped: {describe_error(error)}.") from error


def _open_journal(job: RunJob) -> Journal:
    """Open the journal of a run; JournalNotWrittenError if that of a new one cannot be any more: its folder stays."""
    if not job.is_new:
        complete_handovers(job.folder)
    try:
        return Journal(job.folder, check=not job.is_new, meanwhile=True)
    except InputRefusedError as error:
        if not job.is_new:
            raise
        raise JournalNotWrittenError(str(error)) from None


def _work(job: RunJob, journal: Journal, number: int) -> StopReason:
    """Send or watch rows, and wait for the check of the journal that goes on meanwhile."""
    journal.on_damage(job.connection.shutdown.stop)
    try:
        return _send_or_watch(job, journal, number)
    finally:
        journal.finish_check()


def _send_or_watch(job: RunJob, journal: Journal, number: int) -> StopReason:
    connection = job.connection
    if connection.access.refusal:
        return StopReason(RunState.ABORTED, CredentialsRefusedError.exit_code, connection.access.refusal)
    limits = connection.limits
    if journal.metadata.retry_of:
        limits = replace(limits, halt=limits.halt_in_retry)
    begin_phase = naming_customers(connection.phase, journal.folder)
    return connection.run(
        lambda environment, service: send_and_watch(
            RunSession(journal, number, environment, service, limits, begin_phase), send=job.sends_rows
        ),
        folder=journal.folder,
    )


@contextmanager
def _ending_session(
    job: RunJob, journal: Journal, number: int, stop_reason: StopReason, before: RowCounts | None
) -> Iterator[WrittenResults]:
    """Write the files, then record the end of the session, even if writing fails.

    The end is recorded after everything else: from then on the same command would send all rows again, as a new run.
    """
    now = iso_milliseconds(job.connection.now())
    code = stop_reason.exit_code or ResultsNotWrittenError.exit_code
    try:
        results = _write(job, stop_reason, now, before)
        code = results.exit_code
        yield results
    finally:
        journal.end_session(number, state=stop_reason.state, exit_code=code, reason=stop_reason.reason, now=now)


def _count_rows(folder: Path) -> RowCounts:
    with JournalReader(folder) as journal:
        return results_csv.count_rows(journal.result_groups())


def _report(job: RunJob, results: WrittenResults, stop_reason: StopReason) -> None:
    if not job.sends_rows:
        if stop_reason.state is RunState.FINISHED:
            # Verifying leaves the sending as unfinished as it was before.
            stop_reason = latest_run_status(job.folder, now=iso_milliseconds(job.connection.now())).stop_reason
        else:
            results = replace(results, next_steps=(continuing_step(job.resume_command),))
    job.connection.reporter.finished(results, stop_reason)
    job.notify(results)


def _write(job: RunJob, stop_reason: StopReason, now: str, before: RowCounts | None) -> WrittenResults:
    """Write the files; verifying a run later does not change how its sending ended."""
    own = RunStatus(stop_reason, job.configured_per_minute, now)
    status = own if job.sends_rows else latest_run_status(job.folder, now=now)
    if job.connection.control:
        job.connection.control.report(Activity.WRITING, "Writing the results")
    _remove_partial_files(job.folder)
    results = ResultFiles(
        job.folder,
        status,
        job.output.reports,
        job.send_command,
        to=job.folder,
        results_copy=job.output.results,
        latest=store.latest_summary_path(job.folder),
        xlsx=job.output.xlsx,
        watches=job.sends_rows and job.connection.limits.verify is not None,
        process_status=own,
        before=before,
    ).write()
    return results if job.sends_rows else replace(results, exit_code=stop_reason.exit_code or results.counts.exit_code)


def _remove_partial_files(folder: Path) -> None:
    """Remove what a killed process left, as far as possible."""
    with suppress(OSError):
        for partial_file in folder.glob(PARTIAL):
            # A folder may be that of another process, which writes a workbook.
            if partial_file.is_dir():
                remove_abandoned(partial_file)
            else:
                partial_file.unlink(missing_ok=True)
