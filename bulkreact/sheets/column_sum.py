"""Sums the amounts in a column, exactly; a column that cannot all be read has no sum, and says why. No I/O."""

from collections.abc import Hashable, Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import Generic, TypeVar

from msgspec import Struct, field

from bulkreact.models import TypedCell
from bulkreact.sheets.amounts import EXACT, Amount, read_amount
from bulkreact.wording import plural, printable

Key = TypeVar("Key", bound=Hashable)
POINT, COMMA = ".", ","
_ZERO = Decimal(0)
_QUOTED = 40
_MONEY_DECIMALS = 2


class ColumnSum(Struct, Generic[Key], frozen=True):
    """The totals of a column by a key of its rows, and how many rows have an empty cell.

    ``decimals`` is how many all totals have; ``decimal_mark`` is empty if no cell shows it. There are no totals if there is a
    ``problem``: why the column cannot be summed, with row and cell; ``public_problem`` quotes no cell.
    """

    header: str
    totals: Mapping[Key, Decimal]
    currency: str = ""
    blank: int = 0
    problem: str = ""
    public_problem: str = ""
    decimal_mark: str = ""
    decimals: int = 0

    def read(self, cell: str, column: int, typed_cells: Iterable[TypedCell] = ()) -> Decimal:
        """Return the amount in a cell of the column that was summed; zero in an empty one."""
        amount = read_amount(cell, column, typed_cells)
        number = (amount.with_comma if self.decimal_mark == COMMA else amount.with_point) if amount else None
        return number or _ZERO

    def total(self, *keys: Key) -> Decimal:
        """Return the total of some keys."""
        return sum_exactly(self.totals.get(key, _ZERO) for key in keys)

    def format(self, amount: Decimal) -> str:
        """Return an amount for people."""
        return f"{self.currency} {amount:,.{self.decimals}f}".lstrip()

    def to_text(self, amount: Decimal) -> str:
        """Return an amount for programs."""
        return f"{amount:.{self.decimals}f}"


class _Example(Struct):
    """The first cell of a kind, and how many there are."""

    row: int = 0
    cell: str = ""
    count: int = 0

    def add(self, row: int, cell: str) -> None:
        if not self.count:
            self.row, self.cell = row, cell
        self.count += 1

    def describe(self, *, is_public: bool) -> str:
        shown = self.cell if len(self.cell) <= _QUOTED else f"{self.cell[:_QUOTED]}…"
        return f"row {self.row}" if is_public else f"row {self.row} ('{printable(shown)}')"


class ColumnAdder(Struct, Generic[Key]):
    """Adds the cells of a column up in both styles: only all of them show whether the comma or the point is decimal.

    ``known_mark`` is what other cells of the column have shown before; these ones may show another.
    """

    header: str
    column: int
    known_mark: str = ""
    _totals: dict[Key, tuple[Decimal, Decimal]] = field(default_factory=dict)
    _currencies: dict[str, _Example] = field(default_factory=dict)
    _with_point: _Example = field(default_factory=_Example)
    _with_comma: _Example = field(default_factory=_Example)
    _ambiguous: _Example = field(default_factory=_Example)
    _unreadable: _Example = field(default_factory=_Example)
    _blank: int = 0
    # How many cells do not read with a decimal point, and with a decimal comma.
    _not_in_style: list[int] = field(default_factory=lambda: [0, 0])

    def add(
        self, key: Key, row: int, cell: str, typed_cells: Iterable[TypedCell] = (), *, is_invalid: bool = False
    ) -> None:
        """Add the cell of a row; that of an invalid row shows nothing about the column, and need not be an amount."""
        amount = read_amount(cell, self.column, typed_cells)
        if amount is None:
            if is_invalid or not cell.strip():
                self._blank += 1
            else:
                self._unreadable.add(row, cell)
            return
        if not is_invalid:
            self._examine(amount, row, cell)
        point, comma = amount.with_point, amount.with_comma
        totals = self._totals.get(key, (_ZERO, _ZERO))
        self._totals[key] = EXACT.add(totals[0], point or _ZERO), EXACT.add(totals[1], comma or _ZERO)
        self._not_in_style[0] += point is None
        self._not_in_style[1] += comma is None

    def result(self) -> ColumnSum[Key]:
        """Return the sum of what was added."""
        currency = next(iter(self._currencies), "") if len(self._currencies) == 1 else ""
        if problem := self._problem(is_public=False):
            return ColumnSum(self.header, {}, currency, self._blank, problem, self._problem(is_public=True))
        mark = COMMA if self._with_comma.count else POINT if self._with_point.count else self.known_mark
        has_comma = mark == COMMA
        totals = {key: totals[has_comma] for key, totals in self._totals.items()}
        decimals = max((-_exponent(total) for total in totals.values()), default=0)
        # A workbook stores 12.5 and shows 12.50.
        decimals = _MONEY_DECIMALS if decimals == 1 else decimals
        blank = self._blank + self._not_in_style[has_comma]
        return ColumnSum(self.header, totals, currency, blank, decimal_mark=mark, decimals=decimals)

    def _examine(self, amount: Amount, row: int, cell: str) -> None:
        """Record what a cell shows about its column."""
        if amount.currency:
            self._currencies.setdefault(amount.currency, _Example()).add(row, cell)
        point, comma = amount.with_point, amount.with_comma
        if point is None or comma is None:
            (self._with_comma if point is None else self._with_point).add(row, cell)
        elif point != comma:
            self._ambiguous.add(row, cell)

    def _problem(self, *, is_public: bool) -> str:
        describe = partial(_Example.describe, is_public=is_public)
        if self._unreadable.count:
            rows = plural(self._unreadable.count, "such row")
            return f"{describe(self._unreadable)} has something else than an amount ({rows})"
        if self._with_point.count and self._with_comma.count:
            return f"{describe(self._with_point)} has a decimal point, {describe(self._with_comma)} a decimal comma"
        if self._ambiguous.count and not (self._with_point.count or self._with_comma.count or self.known_mark):
            return (
                f"{describe(self._ambiguous)} may have a decimal or a thousands separator. Write it without the latter"
            )
        if len(self._currencies) > 1:
            rows = ", ".join(f"{name} in {describe(example)}" for name, example in self._currencies.items())
            return f"there are several currencies: {rows}"
        return ""


def _exponent(number: Decimal) -> int:
    return min(0, int(number.as_tuple().exponent))


def sum_exactly(amounts: Iterable[Decimal]) -> Decimal:
    """Return the sum of amounts without rounding."""
    total = _ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
