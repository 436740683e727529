"""How long there is before targets are deleted for good, in words."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from bulkreact.settings import URGENT_WITHIN
from bulkreact.sheets.input.row_errors import format_ranges
from bulkreact.wording import plural


def days_left(deadline: str, now: datetime) -> float:
    """Return the days until a deadline (UTC, ISO 8601), negative when it has passed."""
    return round((datetime.fromisoformat(deadline) - now) / timedelta(days=1), 1)


def time_left(deadlines: Mapping[int, str], now: datetime) -> Iterator[str]:
    """Tell of rows, by their numbers, how long there is, and warn of those that have little; the soonest come first."""
    left = {number: days_left(deadline, now) for number, deadline in deadlines.items()}
    coming = [number for number, days in left.items() if days > 0]
    if coming:
        first = coming[0]
        date, last = deadlines[first][:10], deadlines[coming[-1]][:10]
        until = f", the last on {last}" if last != date else ""
        yield f"Time left: known of {plural(len(left), 'row')}; the first target is deleted for good on {date}{until}"
    soon = [number for number in coming if left[number] < URGENT_WITHIN.days]
    if soon:
        first = soon[0]
        yield (
            f"Warning:   {plural(len(soon), 'row')} ({format_ranges(sorted(soon))}) "
            f"{'has' if len(soon) == 1 else 'have'} less than {URGENT_WITHIN.days} days left, row {first} "
            f"{_words(left[first])}; --order urgent sends {'it' if len(soon) == 1 else 'them'} first"
        )
    past = [number for number, days in left.items() if days <= 0]
    if past:
        yield (
            f"Warning:   the deadline of {plural(len(past), 'row')} ({format_ranges(sorted(past))}) has passed: "
            "what they name may be deleted for good"
        )


def _words(days: float) -> str:
    return f"only {plural(round(days), 'day')}" if days >= 1 else "less than a day"
