"""What a job waits for, for how long at most, and what can be done meanwhile. No I/O."""

from datetime import datetime, timedelta

from bulkreact.timestamps import iso_seconds
from bulkreact.web.jobs import JobActivity, JobState, WebJob
from bulkreact.web.run_numbers import ProcessReport, RunNumbers
from bulkreact.web.serve_settings import ServeSettings
from bulkreact.web.texts import format_clock, format_seconds
from bulkreact.wording import plural


def describe_turn(turn: int, ahead: WebJob | None, report: ProcessReport, settings: ServeSettings) -> str:
    """Return what a job in the line waits for: its ``turn`` among those that wait, and which job is at work."""
    if report.activity is JobActivity.WAITING_FOR_PARTNER and report.message:
        return report.message
    before = f", after {plural(turn - 1, 'job')} in the line" if turn > 1 else ""
    if ahead is None:
        return f"It begins by itself{before}."
    if ahead.activity is JobActivity.VERIFYING:
        watched = f"its rows are watched until they are active, for at most {format_seconds(settings.longest_watch)}"
        return f"It begins when No. {ahead.number} has ended{before}: {watched}; Stop on its page ends that."
    return f"It begins when No. {ahead.number} has ended{before}."


def describe_waits(job: WebJob, numbers: RunNumbers, settings: ServeSettings) -> str:
    """Return what the rows of a job at work wait for, empty if they do not."""
    if numbers.down_since and job.state is JobState.RUNNING:
        end = datetime.fromisoformat(numbers.down_since) + timedelta(seconds=settings.longest_outage)
        since, until = (format_clock(time, settings.time_zone) for time in (numbers.down_since, iso_seconds(end)))
        return (
            f"Partner Center is down since {since}. It is asked again and again, until {until} at most. "
            "Stop ends that; Continue goes on later."
        )
    rows = numbers.waiting.rows
    if not rows:
        return ""
    if job.activity is JobActivity.VERIFYING:
        are = "is" if rows == 1 else "are"
        return f"{plural(rows, 'row')} {are} watched until active, for at most {format_seconds(settings.longest_watch)}"
    return f"{plural(rows, 'row')} {'waits' if rows == 1 else 'wait'} for Partner Center"
