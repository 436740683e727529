"""Reports the progress of a phase every minute."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bulkreact.batch.environment import Phase
from bulkreact.runs.progress_meter import ProgressMeter, ProgressSnapshot
from bulkreact.runs.repetition import loop_time, repeating

_SAMPLE_SECONDS = 1.0
LINE_SECONDS = 60.0


@contextmanager
def reporting_progress(phase: Phase, report: Callable[[ProgressSnapshot], None]) -> Iterator[None]:
    """Report the progress every minute within the context."""
    meter, due = ProgressMeter(phase, loop_time()), loop_time() + LINE_SECONDS

    def sample() -> None:
        nonlocal due
        now = loop_time()
        snapshot = meter.measure(now)
        if now >= due:
            due = now + LINE_SECONDS
            report(snapshot)

    with repeating(_SAMPLE_SECONDS, sample):
        yield
