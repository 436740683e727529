"""GUIDs as people paste them: normalised where that is safe, explained where a program destroyed them; pure."""

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bulkreact.sheets.input.row_errors import CellError

if TYPE_CHECKING:
    import pandas as pd

_CANONICAL = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_GUID = re.compile(_CANONICAL, re.ASCII)
# Every digit as a zero, for a whole column at once: a regular expression takes five times as long.
_DIGITS = bytes.maketrans(b"0123456789abcdef", b"0" * 16)
_SHAPE = b"00000000-0000-0000-0000-000000000000\n"
_BARE = re.compile(r"[0-9a-f]{32}", re.ASCII)
# White space and quotes that copying leaves around an id.
_AROUND = " \t\r\n\v\f\u00a0\u2007\u202f\"'\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb`"
# Marks that nobody sees, wherever they are: soft hyphens, zero-width characters, directions, byte order marks.
_UNSEEN = dict.fromkeys((0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF))
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-")
_PREFIX = "urn:uuid:"
_NIL = "00000000-0000-0000-0000-000000000000"
# What the template shows for customer, subscription and entitlement; nobody has them.
EXAMPLES = (
    "e8a3f1c0-5d27-4b96-a1f4-7c0e92d3b58f",
    "e8a3f1c0-91be-4e0d-8c35-2fa6d7401e9b",
    "e8a3f1c0-c64a-4f72-b7d8-135be08a6cf2",
)
_UNUSABLE = frozenset({_NIL, *EXAMPLES})
# What spreadsheets make of ids: scientific notation, errors in any language, and columns that were too narrow.
_DAMAGE = re.compile(r"[+-]?\d+(?:[.,]\d+)?E[+-]?\d+|#[^\s#-]{1,12}[!?]?|#{3,}", re.ASCII | re.IGNORECASE)
# Numbers of which only the first fifteen digits were kept.
_ROUNDED = re.compile(r"\d{15}0{2,}", re.ASCII)
_MONTH = r"[^\W\d_]{3,9}\.?"
_DATE = re.compile(
    rf"\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{2,4}}(?:[ T]\d{{1,2}}:\d{{2}}.*)?|\d{{1,2}}[. -]{_MONTH}(?:[. -]\d{{2,4}})?|{_MONTH}[ -]\d{{2,4}}"
)
# What is left of an id when its end or its beginning is cut off.
_HEX = re.compile(r"[0-9a-f-]{16,35}", re.ASCII)
_COPY = "Copy it again, whole, from Partner Center"


def are_canonical(cells: Sequence[str]) -> bool:
    """Tell whether all cells are usable GUIDs in canonical form, as those of most columns are."""
    # No cell has a line end in it where all lines have the shape, so each of them is one cell.
    text = "\n".join([*cells, ""]).encode("utf-8", "replace")
    return text.translate(_DIGITS) == _SHAPE * len(cells) and _UNUSABLE.isdisjoint(cells)


def normalize(cells: "pd.Series[str]") -> "pd.Series[str]":
    """Return the cells in canonical form (lower case, dashes), empty strings where a cell is no usable GUID."""
    lowered, good = cells, cells.str.fullmatch(_CANONICAL)
    if not good.all():
        lowered = cells.str.strip().str.lower()
        good = lowered.str.fullmatch(_CANONICAL)
        repaired = lowered[~good].map(_repair)
        lowered = lowered.where(good, repaired.reindex(lowered.index, fill_value=""))
    return lowered.where(~lowered.isin(_UNUSABLE), "")


def explain(column: str, cell: str) -> CellError:
    """Explain why a cell of an id column is not usable."""
    name = column.replace("_", "-")
    bare = cell.translate(_UNSEEN).strip(_AROUND)
    if is_blank(cell):
        return CellError(f"missing-{name}", column, cell, "is empty", "Fill it in.")
    if any(damage.fullmatch(bare) for damage in (_DAMAGE, _ROUNDED, _DATE)):
        reason = "is not a GUID: Excel changed this cell; the original is lost"
        return CellError("damaged-by-excel", column, cell, reason, "Format the column as text and paste it again")
    guid = _repair(bare.lower())
    if guid == _NIL:
        return CellError(f"invalid-{name}", column, cell, "is the nil GUID, which names nothing", _COPY)
    if guid in EXAMPLES:
        return CellError(f"invalid-{name}", column, cell, "is the template's example, put your own there", _COPY)
    if _HEX.fullmatch(bare.lower()):
        return CellError(
            f"invalid-{name}", column, cell, "is not a GUID: it looks cut off, a GUID has 32 digits", _COPY
        )
    return CellError(f"invalid-{name}", column, cell, "is not a GUID", _COPY)


def is_blank(cell: str) -> bool:
    """Tell whether there is nothing in a cell that anybody could see."""
    return not cell.translate(_UNSEEN).strip(_AROUND)


def is_guid(cell: str) -> bool:
    """Tell whether a cell is a GUID in canonical form, of either case."""
    return _GUID.fullmatch(cell.lower()) is not None


def _repair(cell: str) -> str:
    """Return a cell of lower case in canonical form, empty when it is no GUID in strange clothes."""
    plain = unicodedata.normalize("NFKC", cell.translate(_UNSEEN).translate(_DASHES)).strip(_AROUND)
    bare = plain.removeprefix(_PREFIX).strip(_AROUND).removeprefix("{").removesuffix("}").strip(_AROUND)
    if _BARE.fullmatch(bare):
        bare = "-".join((bare[:8], bare[8:12], bare[12:16], bare[16:20], bare[20:]))
    return bare if _GUID.fullmatch(bare) else ""
