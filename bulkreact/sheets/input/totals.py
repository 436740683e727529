"""Tells totals from rows: they have no ids, stand below all rows that have some, and begin with a word for total. No I/O."""

import re
import unicodedata
from collections.abc import Container, Generator, Iterable, Sequence

from bulkreact.models import InputRow
from bulkreact.plain_rows import PlainRows
from bulkreact.sheets.input.guid_cells import is_blank
from bulkreact.sheets.input.row_checks import NO_IDS

_WORDS = (
    "grand total", "subtotal", "total", "sum",
    "gesamtsumme", "gesamt", "zwischensumme", "summe",
    "total général", "somme",
    "suma",
    "totale", "somma",
    "soma",
    "totaal", "som",
    "razem",
)  # fmt: skip
# A longer word is another one: Summit, Totally. Japanese has no spaces between words.
_TOTAL = re.compile(rf"\W*(?:(?:{'|'.join(_WORDS)})(?![^\W\d_])|合計|総計|小計)")
# How many rows there are, in the column of an id: no id that was lost has so few digits.
_COUNT = re.compile(r"\d{1,3}(?:[.,\u00a0\u202f' ]?\d{3})?", re.ASCII)


def is_total(cells: Sequence[str], ids: Sequence[str]) -> bool:
    """Return whether a row reads like a total; ``ids`` are its cells in the columns of ids."""
    first = next((cell for cell in cells if any(map(str.isalpha, cell))), "")
    if not _TOTAL.match(unicodedata.normalize("NFKC", first).casefold()):
        return False
    return all(cell == first or is_blank(cell) or _COUNT.fullmatch(cell.strip()) for cell in ids)


def leave_out_totals(
    batches: Iterable[PlainRows | list[InputRow]], totals: Container[int]
) -> Generator[PlainRows | list[InputRow], None, list[int]]:
    """Yield the rows but for those ``totals`` that no row with ids follows; return the numbers of these.

    ``totals`` are the numbers of rows that read like totals, as far as the rows have been read.
    """
    held: list[InputRow] = []
    for rows in batches:
        if isinstance(rows, PlainRows):
            yield held
            yield rows
            held = []
            continue
        kept = []
        for row in rows:
            if row.target is None and (row.number in totals or (held and row.problem_code == NO_IDS)):
                held.append(row)
                continue
            kept += [*held, row]
            held = []
        yield kept
    yield [row for row in held if row.number not in totals]
    return [row.number for row in held if row.number in totals]
