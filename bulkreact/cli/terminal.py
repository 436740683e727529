"""What people see: a progress bar on a terminal, sentences and a summary everywhere; all of it on stderr."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from bulkreact.batch.journal import RunFacts
from bulkreact.batch.queue import Row
from bulkreact.batch.runner import Ending, Runner
from bulkreact.cli.finish import Finished
from bulkreact.cli.options import Output
from bulkreact.errors import EXIT_SUCCESS
from bulkreact.models import SUCCESSES, Outcome, RunState, Status
from bulkreact.partnercenter.codes import explain
from bulkreact.sheets.intake import Intake

_REFRESH_SECONDS = 0.2
_PROBLEMS_SHOWN = 20
_CODES_SHOWN = 5
_STYLES = {
    Status.DUPLICATE: "dim",
    Status.PENDING: "yellow",
    Status.DEFERRED: "yellow",
    Status.NOT_ATTEMPTED: "yellow",
    **dict.fromkeys(SUCCESSES, "green"),
}


class _Console(Console):
    """A console that falls silent when nobody reads it any more; the run goes on."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class Terminal:
    """Speaks to people on stderr; says nothing that is not asked for when it is to be quiet."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._console = _Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._bar = self._console.is_terminal if output.progress is None else output.progress

    def note(self, words: str) -> None:
        """Say a sentence, unless quiet."""
        if not self._output.quiet:
            self._prose(words)

    def problems(self, intake: Intake) -> None:
        """List the rows that are invalid, the first ones in full."""
        count = intake.codes.total()
        if not count:
            return
        self.note(f"Invalid and not to be sent: {count:,} of {intake.count:,} rows:")
        for problem in intake.problems[:_PROBLEMS_SHOWN]:
            self.note(f"  row {problem.number}: {problem.words}")
        if count > _PROBLEMS_SHOWN:
            self.note(f"  … and {count - _PROBLEMS_SHOWN:,} more; the results list them all")

    def settled(self, row: Row, outcome: Outcome) -> None:
        """Say how one row ended, when asked to be verbose."""
        if not self._output.verbose:
            return
        status = outcome.call.answer.http_status if outcome.call else None
        words = [f"row {row.number}: {outcome.status}", f"HTTP {status}" if status else "", outcome.code]
        self.note(" ".join(word for word in words if word))

    @contextmanager
    def watching(self, runner: Runner) -> Iterator[None]:
        """Show the progress of a runner while it works."""
        if self._output.quiet or not self._bar or not runner.tally.total:
            yield
            return
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            console=self._console,
            auto_refresh=False,
        )
        with bar:
            ticker = _Ticker(bar, runner)
            ticker.show()
            try:
                yield
            finally:
                ticker.stop()

    def report(self, facts: RunFacts, finished: Finished, ending: Ending) -> None:
        """Say how a run ended: rows by status, the commonest errors with advice, the files, how to go on."""
        if self._output.quiet and finished.exit_code == EXIT_SUCCESS:
            return
        counts = finished.counts
        if not counts.statuses.total():
            self._prose("There were no rows.")
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("status")
        table.add_column("rows", justify="right")
        for status in Status:
            if number := counts.statuses[status]:
                table.add_row(Text(status, style=_STYLES.get(status, "red")), f"{number:,}")
        self._console.print()
        self._console.print(table)
        self._errors(finished)
        self._console.print()
        self._line(f"Results:  {finished.files['results']}")
        if finished.kept:
            self._line(f"Your edited failed.csv was kept as {finished.kept}")
        if counts.left_out:
            self._line(
                f"Left out by --limit: {counts.left_out:,}. Send them with: bulkreact resume {facts.id}{self._where()}"
            )
        if ending.state is RunState.FINISHED:
            if counts.unsuccessful:
                self._line(f"To mend:  {finished.files['failed']} (correct it, then run it)")
        else:
            self._prose(f"The run was {ending.state}: {ending.reason.rstrip('.')}.")
            self._line(f"Continue it with: bulkreact resume {facts.id}{self._where()}")

    def _errors(self, finished: Finished) -> None:
        codes = finished.counts.codes.most_common()
        if codes:
            self._console.print()
            self._prose("Most frequent errors")
        for code, number in codes[:_CODES_SHOWN]:
            entry = next(iter(explain(code)), None)
            words = entry.words if entry else "not in the catalogue; see error_description"
            self._prose(f"  {code} ({number:,}): {words}.")
            if entry and entry.advice:
                self._prose(f"      {entry.advice}")
        if len(codes) > _CODES_SHOWN:
            self._prose(f"  … and {len(codes) - _CODES_SHOWN} other codes")

    def _prose(self, words: str) -> None:
        """Print words, wrapped between them on a terminal and not at all elsewhere."""
        indent = len(words) - len(words.lstrip())
        if self._console.is_terminal:
            self._console.print(Padding(Text(words.lstrip()), (0, 0, 0, indent)))
        else:
            self._line(words)

    def _line(self, words: str) -> None:
        """Print one line as it is, whatever its length: paths and commands are to be copied."""
        self._console.print(words, soft_wrap=True)

    def _where(self) -> str:
        return "" if str(self._output.reports) == "reports" else f" --reports {self._output.reports}"


class _Ticker:
    """Refreshes the bar from the loop itself, a few times a second."""

    def __init__(self, bar: Progress, runner: Runner) -> None:
        self._bar = bar
        self._runner = runner
        self._task: TaskID = bar.add_task("Reactivating", total=runner.tally.total, state="")
        self._began = monotonic()
        self._timer: asyncio.TimerHandle | None = None

    def show(self) -> None:
        """Draw the present state and come back."""
        self._draw()
        self._timer = asyncio.get_running_loop().call_later(_REFRESH_SECONDS, self.show)

    def stop(self) -> None:
        """Draw for the last time."""
        if self._timer:
            self._timer.cancel()
        self._draw()

    def _draw(self) -> None:
        tally, now = self._runner.tally, monotonic()
        rate = tally.calls / max(now - self._began, 1.0) * 60
        words = [f"{rate:,.0f} calls/min", f"{tally.failures:,} failed"]
        if held := self._runner.queue.held(now):
            words.append(f"throttled, waiting {held:.0f} s")
        elif customers := self._runner.queue.held_customers(now):
            words.append(f"throttled customers: {customers}")
        elif waiting := self._runner.queue.waiting:
            words.append(f"waiting to try again: {waiting}")
        if self._runner.stopping:
            words.append("stopping")
        self._bar.update(self._task, completed=tally.settled, state=", ".join(words))
        self._bar.refresh()
