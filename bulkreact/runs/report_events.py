"""Says what happened to a run over time: its processes, outages, and pauses because of throttling. No I/O."""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from bulkreact.batch.environment import OutageRecord
from bulkreact.batch.journal.run_history import RunProcess, ThrottlePeriod
from bulkreact.models import RunState
from bulkreact.runs.run_status import RunStatus
from bulkreact.sheets.output.report_data import RunEvent
from bulkreact.timestamps import seconds_between
from bulkreact.wording import format_duration, plural


def run_events(
    processes: Iterable[RunProcess], outages: Iterable[OutageRecord], periods: Iterable[ThrottlePeriod]
) -> tuple[RunEvent, ...]:
    """Return the events in the order in which they began."""
    events = [*map(_describe_process, processes), *map(_describe_outage, outages), *map(_describe_period, periods)]
    return tuple(sorted(events, key=lambda event: event.since))


def end_process(process: RunProcess, status: RunStatus) -> RunProcess:
    """Return a process with the end that will be recorded for it."""
    reason = status.stop_reason
    return replace(process, ended_at=status.finished_at, state=reason.state.value, reason=reason.reason)


def _describe_process(process: RunProcess) -> RunEvent:
    return RunEvent(process.started_at, process.ended_at, f"bulkreact {process.command}", _describe_end(process))


def _describe_end(process: RunProcess) -> str:
    if not process.ended_at:
        return "No end was recorded: the process was killed, or is still at work."
    took = f"after {format_duration(seconds_between(process.started_at, process.ended_at))}"
    if process.state == RunState.FINISHED:
        return f"Complete {took}."
    return f"{process.state.capitalize()} {took}: {process.reason.rstrip('.')}."


def _describe_outage(outage: OutageRecord) -> RunEvent:
    details = ". ".join(_outage_details(outage))
    return RunEvent(outage.since, outage.ended_at, "Partner Center could not be reached", f"{details}.")


def _outage_details(outage: OutageRecord) -> Iterator[str]:
    if outage.ended_at:
        yield f"All calls waited for {format_duration(seconds_between(outage.since, outage.ended_at))}"
    else:
        yield "It had not ended when the run stopped"
    yield plural(outage.probes, "probe")
    if outage.cause:
        yield f"The latest answer: {outage.cause.rstrip('.')}"


def _describe_period(period: ThrottlePeriod) -> RunEvent:
    pause = period.pause_seconds
    longest = f"; at the longest nothing was sent for {format_duration(pause)}" if pause >= 1 else ""
    description = f"{plural(period.calls, 'call')} throttled{longest}."
    return RunEvent(period.since, period.until, "Partner Center asked to wait", description)
