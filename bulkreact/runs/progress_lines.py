"""Describes the progress of a phase on one line, and what it waits for on another."""

from collections.abc import Iterator

from bulkreact.batch.environment import WaitReason, WaitState
from bulkreact.runs.progress_meter import ProgressSnapshot
from bulkreact.wording import format_duration, plural

_REASONS = {
    WaitReason.BUSY: "busy",
    WaitReason.THROTTLED: "throttled",
    WaitReason.PARENT: "for their parent",
    WaitReason.OUTAGE: "for the service",
    WaitReason.ACTIVATION: "to become active",
}
_GAP = "  "


def format_progress(snapshot: ProgressSnapshot, width: int) -> str:
    """Return the rows done, the time left and the failures; the title and the pace only where there is room."""
    core = [
        f"{snapshot.settled:,}/{snapshot.total:,}",
        _format_time_left(snapshot),
        f"{snapshot.failures:,} failed",
        *(["stopping"] if snapshot.stopping else []),
    ]
    pace = f"{snapshot.calls_per_minute:,.0f} calls/min"
    lines = (_GAP.join(parts) for parts in ([snapshot.title, *core, pace], [snapshot.title, *core], [*core]))
    return next((line for line in lines if len(line) <= width), _GAP.join(core))


def format_progress_line(snapshot: ProgressSnapshot) -> str:
    """Return the progress and what it waits for as one line of a log."""
    return "; ".join(filter(None, [format_progress(snapshot, 1000), format_waits(snapshot.waits, snapshot.open)]))


def format_waits(waits: WaitState, open_rows: int) -> str:
    """Return how many rows wait, why, when the next call is due and which attempt it is; empty if none waits."""
    due = "" if waits.next_seconds is None else f"in {format_duration(waits.next_seconds)}"
    if waits.held is WaitReason.OUTAGE:
        probe = f"probe {waits.attempt} {due}" if waits.next_seconds else f"probe {waits.attempt} is on its way"
        end = f"; stops in {format_duration(waits.gives_up_seconds)}" if waits.gives_up_seconds is not None else ""
        return f"Partner Center is down: {_count_waiting(open_rows)}; {probe}{end}"
    if waits.held:
        return f"Throttled: {_count_waiting(open_rows)}; next call {due}"
    described = "; ".join(_describe_rows(waits))
    if not described or not due:
        return described
    attempt = f" (attempt {waits.attempt})" if waits.attempt else ""
    return f"{described}; next call {due}{attempt}"


def _describe_rows(waits: WaitState) -> Iterator[str]:
    rows = {_REASONS[reason]: count for reason, count in waits.rows.items() if count}
    if rows:
        reasons = rows if len(rows) == 1 else [f"{count:,} {reason}" for reason, count in rows.items()]
        yield f"{_count_waiting(sum(rows.values()))}: {', '.join(reasons)}"
    if waits.customers:
        yield f"{_describe_customers(waits)} throttled"


def _describe_customers(waits: WaitState) -> str:
    if not waits.customer:
        return plural(waits.customers, "customer")
    more = waits.customers - 1
    return f"customer {waits.customer}{f' and {more:,} more' if more else ''}"


def _count_waiting(rows: int) -> str:
    return f"{plural(rows, 'row')} {'waits' if rows == 1 else 'wait'}"


def _format_time_left(snapshot: ProgressSnapshot) -> str:
    if snapshot.seconds_left is None:
        return "-:-- left"
    return f"{'at least ' if snapshot.at_least else ''}{format_duration(snapshot.seconds_left)} left"
