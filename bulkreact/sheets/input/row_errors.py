"""Formats what is wrong with the rows of an input: row by row, or together if many rows share an error."""

import re
from collections.abc import Collection, Iterable, Iterator

from msgspec import Struct

# Up to this many rows with the same errors get a line each.
_LISTED_SINGLY = 3
_RANGES_SHOWN = 12
_CELL_LENGTH = 60


class CellError(Struct, frozen=True):
    """What is wrong with a cell, or with a whole row if ``column`` is empty; ``remedy`` may be empty."""

    code: str
    column: str
    value: str
    reason: str
    remedy: str = ""

    @property
    def message(self) -> str:
        """Return the error as a phrase: the first part of the reason, the cell, then the rest and the remedy."""
        if not self.column:
            return self.reason
        summary, _, explanation = self.reason.partition(": ")
        cell = f": {quote_cell(self.value)}" if self.value.strip() else ""
        rest = f" ({explanation}. {self.remedy})" if explanation and self.remedy else f" ({explanation})"
        return f"{self.column} {summary}{cell}{rest if explanation else ''}"


class RowError(Struct, frozen=True):
    """Why a row is invalid; its first error gives the row's code."""

    number: int
    errors: tuple[CellError, ...]

    @property
    def code(self) -> str:
        """Return the row's code in the results: a damaged cell says more than a missing one."""
        return min(self.errors, key=lambda error: error.code.startswith("missing-")).code

    @property
    def message(self) -> str:
        """Return everything that is wrong with the row."""
        return "; ".join(error.message for error in self.errors)


def split_message(message: str, columns: Collection[str]) -> dict[str, str]:
    """Return the phrases of a row's message by the column that each begins with, which is one of ``columns``."""
    _, *parts = re.split(rf"(?:^|; )({'|'.join(columns)}) ", message)
    phrases: dict[str, str] = {}
    for column, phrase in zip(parts[::2], parts[1::2], strict=True):
        phrases.setdefault(column, f"{column} {phrase}")
    return phrases


def format_errors(errors: Iterable[RowError]) -> Iterator[str]:
    """Yield a line for each row, in order; rows that share their errors with many others get one line together."""
    groups: dict[tuple[tuple[str, str, str], ...], list[RowError]] = {}
    for error in errors:
        key = tuple((cell.code, cell.column, cell.reason) for cell in error.errors)
        groups.setdefault(key, []).append(error)
    lines = []
    for group in groups.values():
        if len(group) <= _LISTED_SINGLY:
            lines += [(error.number, f"row {error.number}: {error.message}") for error in group]
            continue
        first, numbers = group[0], [error.number for error in group]
        rows = f"rows {format_ranges(numbers)} ({len(group):,} rows, for example {first.number})"
        lines.append((first.number, f"{rows}: {first.message}"))
    yield from (line for _, line in sorted(lines, key=lambda line: line[0]))


def quote_cell(cell: str) -> str:
    """Return a cell in quotes, cut, with ``?`` for unprintable characters."""
    printable = "".join(char if char.isprintable() else "?" for char in cell)
    return f"'{printable}'" if len(printable) <= _CELL_LENGTH else f"'{printable[:_CELL_LENGTH]}…'"


def format_ranges(numbers: Iterable[int]) -> str:
    """Return row numbers as ranges, ``3-7, 9``; only the first ones of many."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    ranges = [str(first) if first == last else f"{first}-{last}" for first, last in spans]
    more = ", …" if len(ranges) > _RANGES_SHOWN else ""
    return f"{', '.join(ranges[:_RANGES_SHOWN])}{more}"
