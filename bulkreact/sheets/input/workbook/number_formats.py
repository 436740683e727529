"""Tells number formats of dates and durations from those of other numbers. No I/O."""

import re
from functools import cache

# What is shown as it is, skipped or filled in, and conditions, colours and locales.
_LITERAL = re.compile(r'"[^"]*"?|[\\_*].?|\[(?!(?:h+|m+|s+)\])[^\]]*\]?|general|standard', re.IGNORECASE)
_DATE = re.compile(r"[dmhys]|a/p", re.IGNORECASE)
_ELAPSED = re.compile(r"\[[hms]+\]", re.IGNORECASE)
_BUILT_IN_DATES = {*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)}
_BUILT_IN_DURATION = 46


@cache
def is_duration(number_format: str | int) -> bool:
    """Return whether cells of a format are durations, like ``[h]:mm``."""
    if isinstance(number_format, int):
        return number_format == _BUILT_IN_DURATION
    return bool(_ELAPSED.match(_first_section(number_format)))


@cache
def is_date(number_format: str | int) -> bool:
    """Return whether cells of a format are dates or times of day."""
    if isinstance(number_format, int):
        return number_format in _BUILT_IN_DATES
    return not is_duration(number_format) and bool(_DATE.search(_first_section(number_format)))


def _first_section(code: str) -> str:
    return _LITERAL.sub("", code).partition(";")[0].strip()
