"""Timestamps as ISO 8601 text in UTC."""

from datetime import UTC, datetime

from msgspec.json import Encoder

# An eighth of what isoformat takes.
_encode = Encoder().encode
_LENGTH_WITHOUT_FRACTION = len('"2026-01-01T00:00:00Z"')


def iso_milliseconds(time: datetime) -> str:
    """Return a UTC time as ISO 8601 with milliseconds and ``Z``."""
    text = _encode(time)
    # In quotes, with microseconds unless they are zero.
    return f"{text[1:24].decode()}Z" if len(text) > _LENGTH_WITHOUT_FRACTION else f"{text[1:20].decode()}.000Z"


def iso_seconds(time: datetime) -> str:
    """Return a UTC time as ISO 8601 to the second, with ``Z``."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def parse_time(text: str) -> datetime | None:
    """Return an ISO 8601 date or time in UTC, None for anything else; without a zone it is UTC already."""
    try:
        time = datetime.fromisoformat(text.strip())
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def seconds_between(earlier: str, later: str) -> float:
    """Return the seconds between two times in ISO 8601; none if a clock was set back in between."""
    return max(0.0, (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds())


def utc_now() -> datetime:
    """Return the wall clock time."""
    return datetime.now(UTC)
