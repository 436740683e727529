"""Converts between the text of a workbook's cell and what the workbook stores for it. No I/O.

Dates are numbers of days since the end of 1899, as spreadsheets count them.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

from bulkreact.models import CellType, ColumnType, TypedCell

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")
# So few digits are exact.
_SHORT_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{0,3}[1-9])?(?<!-0)")
_SHORT_NUMBERS = re.compile(rf"(?:{_SHORT_NUMBER.pattern}\n)*")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DATE_LENGTH = 10
_TRUTH_VALUES = {"TRUE": "1", "FALSE": "0"}
# Spreadsheets keep only the first digits of larger whole numbers.
_EXACT = 1e15
# They count a 29 February 1900, which never was.
_EPOCH, _MARCH_1900, _EARLIER_EPOCH = datetime(1899, 12, 30), 60, datetime(1899, 12, 31)  # noqa: DTZ001 - cells have no zone
_LAST_DAY = 2_958_466
_DAYS_UNTIL_1904 = 1462
_MILLISECONDS = 86_400_000


def format_number(value: str) -> str:
    """Return a number as it would be typed: whole ones without a point; other text as it is."""
    if _SHORT_NUMBER.fullmatch(value):
        return value
    if not _NUMBER.fullmatch(value.strip()):
        return value
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < _EXACT else repr(number)


def are_short_numbers(values: Sequence[str]) -> bool:
    """Return whether all values, as most in a column of prices, are numbers as they would be typed."""
    return bool(_SHORT_NUMBERS.fullmatch("".join([f"{value}\n" for value in values])))


def format_date(value: str, *, counts_from_1904: bool) -> str:
    """Return a date, a time of day or both in ISO 8601; a number that is none of them as a number."""
    if not _NUMBER.fullmatch(value):
        return value
    days = float(value)
    if 0 <= days < 1:
        return _time_of(days).isoformat()
    days += _DAYS_UNTIL_1904 * counts_from_1904
    if not 1 <= days < _LAST_DAY:
        return format_number(value)
    epoch = _EPOCH if days >= _MARCH_1900 else _EARLIER_EPOCH
    return _format_moment(epoch + timedelta(milliseconds=round(days * _MILLISECONDS)))


def format_iso_date(value: str) -> str:
    """Return a date that a workbook stores in ISO 8601 as other dates; a zone, which is UTC's then, is left out."""
    try:
        return _format_moment(datetime.fromisoformat(value).replace(tzinfo=None))
    except ValueError:
        return value


def format_duration(value: str) -> str:
    """Return a duration in days, hours, minutes and seconds."""
    try:
        return str(timedelta(milliseconds=round(float(value) * _MILLISECONDS)))
    except (ValueError, OverflowError):
        return value


def shift_date(value: str, text: str) -> str:
    """Return what stands for a cell that counts from 1904 in a workbook that counts from 1900."""
    return repr(float(value) + _DAYS_UNTIL_1904) if _DATE.match(text) else value


def parse_cell(text: str, kind: CellType) -> str:
    """Return what a workbook stores for a text that is of this type, empty if it is not."""
    match kind:
        case CellType.NUMBER:
            return text if _NUMBER.fullmatch(text) else ""
        case CellType.TRUTH_VALUE:
            return _TRUTH_VALUES.get(text, "")
        case CellType.DATE:
            return _parse_date(text)


def type_cells(
    columns: Sequence[ColumnType], cells: Sequence[str] | Mapping[int, str], others: tuple[TypedCell, ...] = ()
) -> tuple[TypedCell, ...]:
    """Return the typed cells of a row: the ``others``, and those that the types of their columns describe."""
    if not columns:
        return others
    typed = [*others]
    described = {cell.column for cell in others}
    for column in columns:
        text = cells[column.column]
        if text and column.column not in described and (value := parse_cell(text, column.type)):
            typed.append(TypedCell(column.column, value, column.number_format, column.type is CellType.TRUTH_VALUE))
    return tuple(typed)


def _format_moment(moment: datetime) -> str:
    return moment.date().isoformat() if moment.time() == time() else moment.isoformat(sep=" ")


def _time_of(days: float) -> time:
    # As a duration of almost a day is rounded up to one, which is midnight.
    return (_EPOCH + timedelta(milliseconds=round(days * _MILLISECONDS))).time()


def _parse_date(text: str) -> str:
    try:
        if not _DATE.match(text):
            part = time.fromisoformat(text)
            return repr((datetime.combine(_EPOCH, part) - _EPOCH) / timedelta(days=1)) if ":" in text else ""
        if len(text) == _DATE_LENGTH:
            days = (date.fromisoformat(text) - _EPOCH.date()).days
            return str(days if days > _MARCH_1900 else days - 1)
        days_and_time = (datetime.fromisoformat(text) - _EPOCH) / timedelta(days=1)
        return repr(days_and_time if days_and_time > _MARCH_1900 else days_and_time - 1)
    except (ValueError, TypeError):
        return ""
