"""Reports as text on stderr: messages, a summary, and a progress bar on a terminal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from bulkreact.batch.environment import OutageRecord, Phase, StopReason
from bulkreact.cli.output.progress_reports import reporting_progress
from bulkreact.cli.output.streams import message_failure
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import EXIT_SUCCESS
from bulkreact.models import Outcome, RunState
from bulkreact.partnercenter.error_codes.lookup import describe_code
from bulkreact.runs.outage_messages import describe_outage
from bulkreact.runs.output_options import Output
from bulkreact.runs.progress_lines import format_progress_line
from bulkreact.runs.result_files import WrittenResults
from bulkreact.sheets.input.row_errors import format_errors
from bulkreact.wording import plural, printable

if TYPE_CHECKING:
    # The table readers take long to import, and only two commands need them; a quiet run that succeeds prints nothing.
    from bulkreact.cli.output.safe_console import SafeConsole
    from bulkreact.sheets.input.input_file import InputFile

_PROBLEMS_SHOWN = 20
_CODES_SHOWN = 3


class ConsoleReporter:
    """Reports as text; when quiet only warnings, errors and a run that did not succeed."""

    def __init__(self, output: Output) -> None:
        self._output = output

    @cached_property
    def _console(self) -> "SafeConsole":
        from bulkreact.cli.output.safe_console import SafeConsole  # noqa: PLC0415 - see above

        return SafeConsole(stderr=True)

    def failure(self) -> str:
        """Return why messages could not be written, empty if all could."""
        return message_failure()

    def started(self, run_id: str) -> None:
        """Report nothing: the user knows what they started."""

    def info(self, message: str) -> None:
        """Print a message, unless quiet or empty."""
        if message and not self._output.quiet:
            self._wrap(message)

    def warning(self, message: str) -> None:
        """Print a warning, even when quiet."""
        echo(f"Warning: {message}", err=True)

    def error(self, message: str) -> None:
        """Print an error, even when quiet."""
        echo(f"Error: {message}", err=True)

    def problems(self, input_file: "InputFile") -> None:
        """List the rows that are invalid, the first ones in full."""
        count = input_file.codes.total()
        if not count:
            return
        self.info(f"Invalid and not to be sent: {count:,} of {plural(input_file.count, 'row')}:")
        lines = list(format_errors(input_file.errors))
        for line in lines[:_PROBLEMS_SHOWN]:
            self.info(f"  {line}")
        if len(lines) > _PROBLEMS_SHOWN or count > len(input_file.errors):
            self.info("  … and more; the results list them all")
        if not self._output.quiet:
            self._console.print()

    def row_settled(self, number: int, outcome: Outcome) -> None:
        """Print how a row ended, if verbose."""
        if not self._output.verbose:
            return
        status = outcome.call.answer.http_status if outcome.call else None
        parts = [f"row {number}: {outcome.status}", f"HTTP {status}" if status else "", outcome.code]
        self.info(" ".join(filter(None, parts)))

    def outage(self, outage: OutageRecord) -> None:
        """Print since when the service is down and when the next probe is, or that it is back.

        Progress that is redrawn in place shows the later probes.
        """
        if not (self._redraws and outage.probes and outage.next_probe_at):
            self.info(describe_outage(outage))

    @property
    def _redraws(self) -> bool:
        return (self._console.is_terminal and self._output.progress is not False) or bool(self._output.progress)

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Show the progress within the context: on a terminal in place, else with a line a minute."""
        output = self._output
        if output.quiet or output.progress is False or not phase.progress.total:
            yield
            return
        from bulkreact.cli.output.progress_view import showing_progress  # noqa: PLC0415 - see above

        with (
            showing_progress(self._console, phase)
            if self._redraws
            else reporting_progress(phase, lambda snapshot: self._line(format_progress_line(snapshot)))
        ):
            yield

    def finished(self, results: WrittenResults, stop_reason: StopReason) -> None:
        """Print how a run ended: rows by status, the most frequent errors, the files, what to do next."""
        if self._output.quiet and results.exit_code == EXIT_SUCCESS:
            return
        counts, state = results.counts, stop_reason.state
        if self._output.quiet:
            # Nothing else names the file: a sweep has several, and cron mails it all.
            self._line(f"{printable(results.input_name)}: {state}, exit code {results.exit_code}")
        self._rows(results, stop_reason)
        if results.before is None:
            self._errors(counts.own_codes.most_common())
        self._console.print()
        for line in results.lines():
            self._line(line)
        # What to do is what one looks for at the end.
        if results.next_steps and not results.is_unchanged:
            self._console.print()
        for step in results.next_steps:
            self._console.print_step(step)

    def _rows(self, results: WrittenResults, stop_reason: StopReason) -> None:
        """Print how many rows ended how, or what verifying has changed, and why the run stopped."""
        from bulkreact.cli.output.status_table import describe_changes, status_table  # noqa: PLC0415 - see above

        counts, state = results.counts, stop_reason.state
        if not counts.statuses.total():
            self._wrap("There were no rows.")
        self._console.print()
        if results.before is None:
            self._console.print(status_table(counts.statuses, results.amounts.formatted if results.amounts else None))
        else:
            self._wrap(describe_changes(results.before.statuses, counts.statuses))
        if state is not RunState.FINISHED:
            self._wrap(f"The run was {state}: {stop_reason.reason.rstrip('.')}.")
        if results.amounts:
            self._wrap(f"Sum of the rows to be sent: {results.amounts.describe()}.")
        if results.affected and not results.is_unchanged:
            self._wrap(f"Affected customers: {results.affected}")

    def _errors(self, codes: Sequence[tuple[str, int]]) -> None:
        if codes:
            self._console.print()
            self._wrap("Most frequent errors (bulkreact explain CODE says who must act, and how)")
        for code, number in codes[:_CODES_SHOWN]:
            self._wrap(f"  {code} ({plural(number, 'row')}): {describe_code(code)}")
        if (more := len(codes) - _CODES_SHOWN) > 0:
            self._wrap(f"  … and {plural(more, 'other code')}: see the report")

    def _wrap(self, message: str) -> None:
        self._console.print_wrapped(message)

    def _line(self, line: str) -> None:
        """Print a line unwrapped: paths and commands must be copyable."""
        self._console.print(line, soft_wrap=True)
