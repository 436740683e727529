"""Sweeps an inbox, once or repeatedly: first unfinished runs, then new files."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial

from msgspec.structs import replace

from bulkreact.errors import (
    EXIT_INTERRUPTED,
    EXIT_SOME_FAILED,
    EXIT_SUCCESS,
    BulkreactError,
    InputRefusedError,
    is_refused_by_system,
    most_severe,
)
from bulkreact.inbox.new_files import NewFileProcessor
from bulkreact.inbox.outcomes import FileOutcome, FileResult, ends_sweep, ends_watch, inactivity_message, sweep_metrics
from bulkreact.inbox.scan import InboxScan, scan
from bulkreact.inbox.sweep_pass import SweepJob, SweepPass
from bulkreact.inbox.unfinished import UnfinishedRuns
from bulkreact.monitoring.monitors import CommandEnd, ReportState
from bulkreact.monitoring.webhooks import shorten_list
from bulkreact.runs.interruption import deferring_signals, exit_code_of
from bulkreact.wording import describe_refusal, printable

# Between the two snapshots of a file that show whether it is being written.
_SNAPSHOT_SECONDS = 1.0
_POLL_SECONDS = 0.2


def sweep(job: SweepJob) -> CommandEnd:
    """Sweep once."""
    results, stop_code = _sweep_pass(job)
    if stop_code and all(result.exit_code != stop_code for result in results):
        job.environment.reporter.warning("Interrupted between two files: the next sweep takes the others.")
    return _end_of_pass(job, results, stop_code)


def watch(job: SweepJob, *, every: float, notify: Callable[[CommandEnd], None]) -> CommandEnd:
    """Sweep repeatedly; a signal ends this with exit code 0, unless it interrupted a run."""
    previous: list[FileResult] = []
    environment = job.environment
    environment.reporter.info(f"Watching {job.inbox}, every {every:g} s.")
    try:
        while True:
            results, stop_code = _sweep_pass(job)
            end = _end_of_pass(job, results)
            if any(map(ends_watch, results)):
                return end
            with deferring_signals() as received:
                unchanged = bool(results) and results == previous
                notify(replace(end, report_state=ReportState.UNCHANGED) if unchanged else end)
                previous = results
                if not stop_code and not environment.signals:
                    wait_for_signal(every, received, environment.sleep)
            if received or stop_code or environment.signals:
                break
    except (KeyboardInterrupt, SystemExit):
        # Between two passes: no run was interrupted.
        pass
    return CommandEnd(EXIT_SUCCESS, report_state=ReportState.ALREADY_REPORTED)


def wait_for_signal(seconds: float, received: list[int], sleep: Callable[[float], None]) -> None:
    """Wait some seconds, or until a signal is received."""
    while not received and seconds > 0:
        sleep(min(_POLL_SECONDS, seconds))
        seconds -= _POLL_SECONDS


def _sweep_pass(job: SweepJob) -> tuple[list[FileResult], int]:
    """Do one pass; return also the exit code of a signal that ended it, 0 if none did."""
    results: list[FileResult] = []
    signals = job.environment.signals
    with ExitStack() as stack:
        try:
            sweep_pass = SweepPass(job, stack)
        except InputRefusedError as error:
            return [_waiting(job, "", error)], EXIT_SUCCESS
        try:
            for result in _process_files(sweep_pass):
                if result:
                    results.append(result)
                # A signal's exception may be lost where it is raised.
                stop_code = sweep_pass.stop_code or (exit_code_of(signals[0]) if signals else EXIT_SUCCESS)
                if stop_code or (result and ends_sweep(result)):
                    return results, stop_code
        except (KeyboardInterrupt, SystemExit):
            # A signal between two runs: none was interrupted.
            return results, exit_code_of(signals[0]) if signals else EXIT_INTERRUPTED
    last_activity = job.ledger.last_activity()
    if message := inactivity_message(last_activity, job.environment.now(), job.expect_within):
        job.environment.reporter.error(f"{job.inbox}: {message}.")
        results.append(FileResult("", FileOutcome.INACTIVE, EXIT_SOME_FAILED, message=message))
    return results, EXIT_SUCCESS


def _process_files(sweep_pass: SweepPass) -> Iterator[FileResult | None]:
    """Continue unfinished runs, then process new files; yield after each."""
    job = sweep_pass.job
    for entry in job.ledger.find_unfiled():
        yield _catch_errors(sweep_pass, entry.file_name, partial(UnfinishedRuns(sweep_pass).resume, entry))
    found: list[InboxScan] = []
    yield _catch_errors(sweep_pass, "", partial(_scan, sweep_pass, found))
    for files in found:
        for foreign in files.foreign:
            yield sweep_pass.leave_waiting(foreign.name, "", InputRefusedError.exit_code, foreign.reason)
        for snapshot in files.ready:
            yield _catch_errors(sweep_pass, snapshot.name, partial(NewFileProcessor(sweep_pass).process, snapshot))


def _catch_errors(sweep_pass: SweepPass, name: str, step: Callable[[], FileResult | None]) -> FileResult | None:
    """Run a step; an error of one file does not affect the others."""
    try:
        return step()
    except BulkreactError as error:
        return _waiting(sweep_pass.job, name, error)
    except OSError as error:
        if not is_refused_by_system(error):
            raise
        return _waiting(sweep_pass.job, name, InputRefusedError(describe_refusal(error)))


def _waiting(job: SweepJob, name: str, error: BulkreactError) -> FileResult:
    message = str(error)
    job.environment.reporter.error(f"{printable(name)}: {message}" if name else message)
    return FileResult(name, FileOutcome.WAITING, error.exit_code, message=message)


def _scan(sweep_pass: SweepPass, found: list[InboxScan]) -> None:
    """Scan the inbox, and wait: files that change meanwhile are ignored when they are read."""
    job = sweep_pass.job
    reporter, settle = job.environment.reporter, job.settle
    now = job.environment.now().timestamp()
    files = scan(sweep_pass.inbox, settle=settle, now=now, keep=job.keep)
    for snapshot in files.settling:
        reporter.info(f"Left alone for now: {printable(snapshot.name)} changed less than {settle:g} s ago.")
    found.append(files)
    if files.ready:
        # Times to come do not tell whether a file has settled: the clock was set back, or the share's is ahead.
        undated = any(file.changed_ns / 1e9 > now for file in files.ready)
        job.environment.sleep(settle if undated else min(_SNAPSHOT_SECONDS, settle))


def _end_of_pass(job: SweepJob, results: Sequence[FileResult], stop_code: int = EXIT_SUCCESS) -> CommandEnd:
    files = [result.to_dict() for result in results]
    lines = [result.line for result in results if result.exit_code]
    return CommandEnd(
        stop_code or most_severe(result.exit_code for result in results),
        "; ".join(shorten_list(lines, "more files")),
        [result.written for result in results if result.written],
        {"inbox": str(job.inbox.resolve()), "files": files} if files else {},
        sweep_metrics(job.inbox, results, now=job.environment.now(), last_activity=job.ledger.last_activity()),
        [result.line for result in results if result.exit_code and not result.written],
    )
