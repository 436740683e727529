"""Reads how long an answer asks to wait. No I/O."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bulkreact.models import Response
from bulkreact.partnercenter import response_bodies


def retry_after(response: Response, now: datetime) -> float | None:
    """Return the seconds to wait from the header, else from the body; None for absent or absurd values.

    A date counts from the answer's own ``Date``, if it has one: ``now`` is of this machine's clock, which may be wrong.
    """
    header = response.headers.get("retry-after", "").strip()
    seconds = _parse_positive(header) if header else None
    if header and seconds is None:
        seconds = _seconds_until(header, _parse_date(response.headers.get("date", "")) or now)
    return seconds if seconds is not None else response_bodies.seconds_in_text(response.body) or None


def _parse_positive(text: str) -> float | None:
    if not text.isascii() or not text.replace(".", "", 1).isdigit():
        return None
    return float(text) or None


def _seconds_until(text: str, now: datetime) -> float | None:
    date = _parse_date(text)
    return (date - now).total_seconds() if date and date > now else None


def _parse_date(text: str) -> datetime | None:
    """Return the date of a header, None if it is none."""
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
