"""Shows the state of one run: as lines and a table, and while a process works on it again and again."""

import json
from collections.abc import Callable, Iterator
from time import monotonic, sleep

from msgspec import Struct
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from bulkreact.batch.journal.watched_rows import WATCHED
from bulkreact.cli.output.progress_reports import LINE_SECONDS
from bulkreact.cli.output.progress_view import ProgressView
from bulkreact.cli.output.status_table import status_table
from bulkreact.cli.output.streams import reader_has_left
from bulkreact.cli.output.terminal import echo, redact_and_escape
from bulkreact.models import FAILURES, RunState
from bulkreact.runs.outage_messages import describe_outage
from bulkreact.runs.progress_lines import format_progress_line, format_waits
from bulkreact.runs.progress_meter import ProgressSnapshot, estimate_time_left
from bulkreact.runs.run_snapshot import RunSnapshot
from bulkreact.timestamps import iso_seconds, utc_now
from bulkreact.wording import estimate_duration, plural, printable

_REDRAW_SECONDS = 1.0
# Reading a large run takes a while: it is looked at for a tenth of the time at most.
_IDLE = 9


class WatchClock(Struct, frozen=True):
    """The monotonic clock of a watch, and its sleep."""

    now: Callable[[], float] = monotonic
    sleep: Callable[[float], None] = sleep


SYSTEM_CLOCK = WatchClock()


def snapshot_lines(snapshot: RunSnapshot) -> Iterator[str]:
    """Yield a run as text, without the table of statuses."""
    yield from _fact_lines(snapshot)
    if snapshot.session and not snapshot.open:
        yield "Open:    none; accepted rows are being watched, or the results written"
    elif snapshot.session:
        yield f"Open:    {plural(snapshot.open, 'row')}{_time_left(snapshot)}, calls in flight: {snapshot.in_flight}"
        if waits := format_waits(snapshot.waits, snapshot.open):
            yield waits
    elif snapshot.overview.status.stop_reason.state is not RunState.FINISHED:
        yield f"Open:    {plural(snapshot.open, 'row')}"


def _fact_lines(snapshot: RunSnapshot) -> Iterator[str]:
    overview, metadata, status = snapshot.overview, snapshot.overview.metadata, snapshot.overview.status
    if session := snapshot.session:
        yield f"Run {metadata.id}: running, process {session.process_id}, since {session.started_at}"
    else:
        ended_at = f" at {overview.finished_at}" if status.end_recorded else ""
        yield f"Run {metadata.id}: {status.stop_reason.state}{ended_at}: {status.stop_reason.reason}"
    yield f"Input:   {printable(metadata.input_name)}, {plural(overview.rows, 'row')}"
    yield f"Target:  {overview.target}"
    if metadata.origin:
        yield f"Origin:  {metadata.origin}"
    yield f"Calls:   {overview.calls_made}"
    if snapshot.renewed_ids:
        yield f"Ids:     {plural(snapshot.renewed_ids, 'row')} got a second request id, as the answer to the first was final"
    elif snapshot.renewed_ids == 0 and overview.calls["sent"]:
        yield "Ids:     each row kept its request id: nothing was sent twice"
    if achieved := overview.pace["achieved_per_minute"]:
        yield f"Pace:    {achieved:,.0f}/min, {overview.ceiling}"
    if snapshot.outage:
        yield f"Outage:  {describe_outage(snapshot.outage)}"
    elif overview.outages:
        yield f"Outages: {overview.interruptions}"
    if snapshot.verified_by:
        yield f"Process {snapshot.verified_by} is reading the present status of accepted subscriptions."


def measure_progress(snapshot: RunSnapshot) -> ProgressSnapshot:
    """Return how far a process has come that works on a run; rows that are only watched are open until seen active."""
    overview, statuses = snapshot.overview, snapshot.overview.counts.statuses
    watched = 0 if snapshot.open else sum(statuses[status] for status in WATCHED)
    open_rows = snapshot.open or watched
    seconds_left, at_least = estimate_time_left(open_rows, _rows_per_second(snapshot), snapshot.waits)
    return ProgressSnapshot(
        "Verifying" if snapshot.verified_by or watched else "Reactivating",
        overview.rows - open_rows,
        overview.rows,
        sum(statuses[status] for status in FAILURES),
        overview.calls["sent"],
        snapshot.calls_per_minute,
        seconds_left,
        at_least,
        snapshot.waits,
    )


def watch_run(
    read: Callable[[], RunSnapshot], console: Console, *, as_json: bool, clock: WatchClock = SYSTEM_CLOCK
) -> RunSnapshot:
    """Show a run until no process works on it, and return it as it is then; a reader that leaves ends it as well.

    It is redrawn on a terminal, else there is a line a minute; ``as_json``: each line is an object.
    """
    if console.is_terminal and not as_json:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            return _watch(read, lambda snapshot: live.update(_frame(snapshot), refresh=True), clock)
    due = clock.now()

    def report(snapshot: RunSnapshot) -> None:
        nonlocal due
        if clock.now() >= due:
            due = clock.now() + LINE_SECONDS
            line = f"{iso_seconds(utc_now())}  {format_progress_line(measure_progress(snapshot))}"
            echo(json.dumps(snapshot.to_dict()) if as_json else line)

    return _watch(read, report, clock)


def _watch(read: Callable[[], RunSnapshot], show: Callable[[RunSnapshot], None], clock: WatchClock) -> RunSnapshot:
    while True:
        started = clock.now()
        snapshot = read()
        if not snapshot.is_active or reader_has_left():
            return snapshot
        show(snapshot)
        clock.sleep(max(_REDRAW_SECONDS, _IDLE * (clock.now() - started)))


def _frame(snapshot: RunSnapshot) -> Group:
    lines = (Text(redact_and_escape(line)) for line in _fact_lines(snapshot))
    return Group(*lines, ProgressView(measure_progress(snapshot)), status_table(snapshot.overview.counts.statuses))


def _time_left(snapshot: RunSnapshot) -> str:
    seconds, at_least = estimate_time_left(snapshot.open, _rows_per_second(snapshot), snapshot.waits)
    return "" if seconds is None else f", {'at least ' if at_least else ''}{estimate_duration(seconds)} left"


def _rows_per_second(snapshot: RunSnapshot) -> float:
    if not snapshot.open:
        return 0.0
    # The first moments of a process say little; that rows wait for something says nothing of the time after it.
    achieved = 0.0 if snapshot.waits.rows else snapshot.overview.pace["achieved_per_minute"]
    return (snapshot.calls_per_minute or achieved or 0.0) / 60
