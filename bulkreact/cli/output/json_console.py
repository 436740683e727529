"""Reports as JSON log lines."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from msgspec import to_builtins

from bulkreact.batch.environment import OutageRecord, Phase, StopReason
from bulkreact.cli.output.json_log import LogLevel, write
from bulkreact.cli.output.progress_reports import reporting_progress
from bulkreact.cli.output.streams import message_failure
from bulkreact.errors import EXIT_SOME_FAILED, EXIT_SUCCESS
from bulkreact.models import SUCCESSES, Outcome
from bulkreact.runs.output_options import Output
from bulkreact.runs.progress_meter import ProgressSnapshot
from bulkreact.runs.result_files import WrittenResults
from bulkreact.sheets.output import results_csv

if TYPE_CHECKING:
    from bulkreact.sheets.input.input_file import InputFile


class JsonReporter:
    """Writes a line for every row and every step; when quiet, nothing of a success."""

    def __init__(self, output: Output) -> None:
        self._quiet = output.quiet
        self._progress_wanted = not output.quiet and output.progress is not False
        self._run_id = ""

    def failure(self) -> str:
        """Return why messages could not be written, empty if all could."""
        return message_failure()

    def started(self, run_id: str) -> None:
        """Write a line; later lines have the run's id, until ``finished``."""
        self._run_id = run_id
        self._write(LogLevel.INFO, "run.began")

    def info(self, message: str) -> None:
        """Write a message, unless quiet or empty."""
        if message:
            self._write(LogLevel.INFO, "note", message=message)

    def warning(self, message: str) -> None:
        """Write a warning, even when quiet."""
        write(LogLevel.WARNING, "warning", message=message)

    def error(self, message: str) -> None:
        """Write an error, even when quiet."""
        write(LogLevel.ERROR, "error", message=message)

    def problems(self, input_file: "InputFile") -> None:
        """Write a line for each invalid row that the input stores in full."""
        for error in input_file.errors:
            self._write(LogLevel.WARNING, "row.invalid", row=error.number, error_code=error.code, message=error.message)

    def row_settled(self, number: int, outcome: Outcome) -> None:
        """Write a line for a row that was settled by a call."""
        call = outcome.call
        self._write(
            LogLevel.INFO if outcome.status in SUCCESSES else LogLevel.WARNING,
            "row.settled",
            row=number,
            request_id=call.request_id if call else "",
            correlation_id=call.correlation_id if call else "",
            status=outcome.status.value,
            http_status=call.answer.http_status if call else None,
            error_code=outcome.code,
            attempts=outcome.attempts,
        )

    def outage(self, outage: OutageRecord) -> None:
        """Write a line for each change of an outage."""
        event = "outage.ended" if outage.ended_at else "outage.probed" if outage.probes else "outage.began"
        fields = {name: value for name, value in to_builtins(outage).items() if value != ""}
        self._write(LogLevel.INFO if outage.ended_at else LogLevel.WARNING, event, **fields)

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Write a line when a phase begins and when it ends."""
        self._write(LogLevel.INFO, "phase.began", phase=phase.title, rows=phase.progress.total)
        with reporting_progress(phase, self._progress) if self._progress_wanted else nullcontext():
            yield
        progress = phase.progress
        self._write(
            LogLevel.INFO,
            "phase.ended",
            phase=phase.title,
            settled=progress.settled,
            failures=progress.failures,
            calls=progress.calls,
        )

    def _progress(self, snapshot: ProgressSnapshot) -> None:
        waits, seconds_left = snapshot.waits, snapshot.seconds_left
        self._write(
            LogLevel.INFO,
            "phase.progress",
            phase=snapshot.title,
            rows=snapshot.total,
            settled=snapshot.settled,
            failures=snapshot.failures,
            calls=snapshot.calls,
            calls_per_minute=round(snapshot.calls_per_minute),
            seconds_left=None if seconds_left is None else round(seconds_left),
            held=waits.held,
            waiting={reason.value: count for reason, count in waits.rows.items()} or None,
            throttled_customers=waits.customers,
            next_call_in=None if waits.next_seconds is None else round(waits.next_seconds),
            next_attempt=waits.attempt or None,
        )

    def finished(self, results: WrittenResults, stop_reason: StopReason) -> None:
        """Write a line that says how a run ended."""
        code, run_id, self._run_id = results.exit_code, self._run_id, ""
        level = {EXIT_SUCCESS: LogLevel.INFO, EXIT_SOME_FAILED: LogLevel.WARNING}.get(code, LogLevel.ERROR)
        if self._quiet and code == EXIT_SUCCESS:
            return
        write(
            level,
            "run.ended",
            run_id=run_id,
            input=results.input_name,
            state=stop_reason.state.value,
            exit_code=code,
            message=stop_reason.reason,
            counts=results_csv.counts_by_status(results.counts),
            error_codes=dict(results.counts.codes.most_common()),
            sum=results.amounts.to_dict() if results.amounts else None,
            results=results.files["results"],
        )

    def _write(self, level: LogLevel, event: str, **fields: object) -> None:
        if not self._quiet:
            write(level, event, run_id=self._run_id, **fields)
