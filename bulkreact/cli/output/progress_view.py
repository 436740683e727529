"""Shows the progress of a phase on a terminal, redrawn in place."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bulkreact.batch.environment import Phase
from bulkreact.runs.progress_lines import format_progress, format_waits
from bulkreact.runs.progress_meter import ProgressMeter, ProgressSnapshot
from bulkreact.runs.repetition import loop_time, repeating

_REDRAW_SECONDS = 0.2
_NARROWEST_BAR = 10


class ProgressView:
    """One line with a bar where there is room, and below it what the phase waits for."""

    def __init__(self, snapshot: ProgressSnapshot) -> None:
        self._snapshot = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines for the width of the console."""
        snapshot = self._snapshot
        line = format_progress(snapshot, options.max_width)
        room = options.max_width - len(line) - 2
        if room >= _NARROWEST_BAR:
            row = Table.grid(padding=(0, 2, 0, 0))
            row.add_row(Text(line), ProgressBar(snapshot.total, snapshot.settled, width=room - 1))
            yield row
        else:
            yield Text(line)
        if waits := format_waits(snapshot.waits, snapshot.open):
            yield Text(waits, style="yellow")


@contextmanager
def showing_progress(console: Console, phase: Phase) -> Iterator[None]:
    """Redraw the progress on a terminal within the context."""
    meter = ProgressMeter(phase, loop_time())
    with Live(ProgressView(meter.measure(loop_time())), console=console, auto_refresh=False) as live:

        def draw() -> None:
            live.update(ProgressView(meter.measure(loop_time())), refresh=True)

        with repeating(_REDRAW_SECONDS, draw):
            yield
        draw()
