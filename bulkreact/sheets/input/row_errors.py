"""What is wrong with the rows of an input, in words: row by row, or together where the same happens again and again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# So many rows with the same trouble are named one by one; more of them in one line.
_SINGLY = 3
_ROWS_SHOWN = 12
_CELL_LENGTH = 60


@dataclass(frozen=True, slots=True)
class CellError:
    """What is wrong with a cell, or with a row as a whole where ``column`` is empty; ``remedy`` may be empty."""

    code: str
    column: str
    value: str
    reason: str
    remedy: str = ""

    @property
    def message(self) -> str:
        """Return it for people, as it stands behind the row's number."""
        if not self.column:
            return self.reason
        # The kind of trouble goes before the cell, its story behind.
        kind, _, story = self.reason.partition(": ")
        cell = f": {quote_cell(self.value)}" if self.value.strip() else ""
        rest = f" ({story}. {self.remedy})" if story and self.remedy else f" ({story})" if story else ""
        return f"{self.column} {kind}{cell}{rest}"


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row is invalid; the first of its defects gives the row its code."""

    number: int
    errors: tuple[CellError, ...]

    @property
    def code(self) -> str:
        """Return the code that the row gets in the results."""
        # What is damaged says more than what is missing.
        return min(self.errors, key=lambda one: one.code.startswith("missing-")).code

    @property
    def message(self) -> str:
        """Return everything that is wrong with the row, for people."""
        return "; ".join(one.message for one in self.errors)


def format_errors(problems: Iterable[RowError]) -> Iterator[str]:
    """Yield problems a line each, in the order of their rows; those that many rows share as one line."""
    groups: dict[tuple[tuple[str, str, str], ...], list[RowError]] = {}
    for problem in problems:
        key = tuple((one.code, one.column, one.reason) for one in problem.errors)
        groups.setdefault(key, []).append(problem)
    found = [(one, group) for group in groups.values() for one in (group if len(group) <= _SINGLY else group[:1])]
    for problem, group in sorted(found, key=lambda pair: pair[0].number):
        if len(group) <= _SINGLY:
            yield f"row {problem.number}: {problem.message}"
        else:
            rows = f"rows {format_ranges([one.number for one in group])} ({len(group):,} rows, for example {problem.number})"
            yield f"{rows}: {problem.message}"


def quote_cell(cell: str) -> str:
    """Return a cell for people: in quotes, without what cannot be printed, and not too long."""
    printable = "".join(char if char.isprintable() else "?" for char in cell)
    return f"'{printable}'" if len(printable) <= _CELL_LENGTH else f"'{printable[:_CELL_LENGTH]}…'"


def format_ranges(numbers: list[int]) -> str:
    """Return the numbers of rows as people write them, ``3-7, 9``; many are cut."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in spans]
    more = ", …" if len(words) > _ROWS_SHOWN else ""
    return f"{', '.join(words[:_ROWS_SHOWN])}{more}"
