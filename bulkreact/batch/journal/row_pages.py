"""Rows as they are shown a page at a time, before and after a run."""

from msgspec import Struct

from bulkreact.models import ResultRow


class RowProblem(Struct, frozen=True):
    """What is wrong with a cell of a row; ``cell`` as a spreadsheet names it, empty for a whole row."""

    row: int
    column: str
    cell: str
    value: str
    code: str
    reason: str
    remedy: str


class ProblemGroup(Struct, frozen=True):
    """How many rows have a problem, with the first cells that have it."""

    code: str
    rows: int
    remedy: str
    examples: tuple[RowProblem, ...]


class KeptRow(Struct, frozen=True):
    """A row of the input and its problems; ``duplicate_of`` is the number of the earlier row with the same target."""

    ordinal: int
    number: int
    cells: tuple[str, ...]
    customer_id: str
    subscription_id: str
    entitlement_id: str
    problems: tuple[RowProblem, ...]
    duplicate_of: int | None


class RowFilter(Struct, frozen=True):
    """Which rows of a run are wanted; empty values are no condition. ``well`` is whether they succeeded."""

    status: str = ""
    code: str = ""
    customer: str = ""
    text: str = ""
    well: bool | None = None

    @property
    def has_outcome(self) -> bool:
        """Return whether the outcome of a row is a condition."""
        return bool(self.status or self.code or self.well is not None)

    def accepts(self, row: ResultRow) -> bool:
        """Return whether a row, with its derived outcome, is wanted."""
        outcome = row.outcome
        return (
            self.status in {"", outcome.status}
            and self.code in {"", outcome.code}
            and self.well in {None, not row.needs_attention}
        )


class PageRow(Struct, frozen=True):
    """A row of a page: its ordinal, by which the next page is found, its ids and its result."""

    ordinal: int
    customer_id: str
    subscription_id: str
    entitlement_id: str
    result: ResultRow
