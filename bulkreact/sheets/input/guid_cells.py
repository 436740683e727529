"""Normalizes cells that should be GUIDs, and explains those that are not. No I/O."""

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bulkreact.guids import GUID, count_guids, is_guid
from bulkreact.sheets.input.row_errors import CellError

if TYPE_CHECKING:
    import pandas as pd

# Replaces every digit by a zero, for a whole column at once: a regular expression takes five times as long.
_DIGITS = bytes.maketrans(b"0123456789abcdef", b"0" * 16)
_SHAPE = b"00000000-0000-0000-0000-000000000000\n"
_BARE = re.compile(r"[0-9a-f]{32}", re.ASCII)
# White space and quotes that copying leaves around an id.
_SURROUNDING = " \t\r\n\v\f\u00a0\u2007\u202f\"'\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb`"
# Invisible characters: soft hyphens, zero-width characters, directions, byte order marks.
_INVISIBLE = dict.fromkeys((0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF))
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-")
_PREFIX = "urn:uuid:"
_NIL = "00000000-0000-0000-0000-000000000000"
# The template's examples for customer, subscription and entitlement.
EXAMPLES = (
    "e8a3f1c0-5d27-4b96-a1f4-7c0e92d3b58f",
    "e8a3f1c0-91be-4e0d-8c35-2fa6d7401e9b",
    "e8a3f1c0-c64a-4f72-b7d8-135be08a6cf2",
)
_UNUSABLE = frozenset({_NIL, *EXAMPLES})
_FOUND = {
    "customer_id": "the customer's Microsoft ID in Partner Center",
    "subscription_id": "the id of the Azure plan or subscription in Partner Center",
    "entitlement_id": "the id of the Azure subscription, as Partner Center and the Azure portal show it",
}
# What spreadsheets turn ids into: scientific notation, errors in any language, and marks for narrow columns.
_DAMAGE = re.compile(r"[+-]?\d+(?:[.,]\d+)?E[+-]?\d+|#[^\s#-]{1,12}[!?]?|#{3,}", re.ASCII | re.IGNORECASE)
# Numbers rounded to fifteen digits.
_ROUNDED = re.compile(r"\d{15}0{2,}", re.ASCII)
_MONTH = r"[^\W\d_]{3,9}\.?"
_DATE = re.compile(
    rf"\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{2,4}}(?:[ T]\d{{1,2}}:\d{{2}}.*)?|\d{{1,2}}[. -]{_MONTH}(?:[. -]\d{{2,4}})?|{_MONTH}[ -]\d{{2,4}}"
)
# A truncated id.
_HEX = re.compile(r"[0-9a-f-]{16,35}", re.ASCII)


def are_canonical(cells: Sequence[str]) -> bool:
    """Return whether all cells are usable GUIDs in lower case with dashes, as in most columns."""
    # If all lines have the shape of a GUID, no cell contains a line end.
    text = "\n".join([*cells, ""]).encode("utf-8", "replace")
    return text.translate(_DIGITS) == _SHAPE * len(cells) and _UNUSABLE.isdisjoint(cells)


def normalize(cells: "pd.Series[str]") -> "pd.Series[str]":
    """Return the cells in lower case with dashes, empty for those that are not usable GUIDs."""
    guids, valid = cells, cells.str.fullmatch(GUID)
    if not valid.all():
        guids = cells.str.strip().str.lower()
        valid = guids.str.fullmatch(GUID)
        repaired = guids[~valid].map(_repair)
        guids = guids.where(valid, repaired.reindex(guids.index, fill_value=""))
    return guids.where(~guids.isin(_UNUSABLE), "")


def guid_error(column: str, cell: str) -> CellError:
    """Return why a cell of an id column is not usable."""
    name = column.replace("_", "-")
    bare = cell.translate(_INVISIBLE).strip(_SURROUNDING)
    if not bare:
        return CellError(f"missing-{name}", column, cell, "is empty", f"Fill it in: {_FOUND[column]}")
    if any(pattern.fullmatch(bare) for pattern in (_DAMAGE, _ROUNDED, _DATE)):
        reason = "is not a GUID: Excel changed this cell; the original is lost"
        return CellError("damaged-by-excel", column, cell, reason, "Format the column as text and paste it again")
    guid = _repair(bare.lower())
    if guid == _NIL:
        reason = "is the nil GUID, which names nothing"
    elif guid in EXAMPLES:
        reason = "is the template's example, put your own there"
    elif _HEX.fullmatch(bare.lower()):
        reason = "is not a GUID: it looks cut off, a GUID has 32 digits"
    else:
        reason = "is not a GUID"
    return CellError(f"invalid-{name}", column, cell, reason, "Copy it again, whole, from Partner Center")


def is_blank(cell: str) -> bool:
    """Return whether a cell has no visible characters."""
    return not cell.translate(_INVISIBLE).strip(_SURROUNDING)


def holds_rows(cell: str) -> bool:
    """Return whether a cell has several lines and several ids, as after a quotation mark that was closed too late."""
    return has_line_break(cell) and count_guids(cell) > 1


def has_line_break(text: str) -> bool:
    """Return whether a text has several lines."""
    return "\n" in text or "\r" in text


def _repair(cell: str) -> str:
    """Return a cell, in lower case, as a GUID with dashes; empty if it is not a GUID even after repair."""
    plain = unicodedata.normalize("NFKC", cell.translate(_INVISIBLE).translate(_DASHES)).strip(_SURROUNDING)
    bare = plain.removeprefix(_PREFIX).strip(_SURROUNDING).removeprefix("{").removesuffix("}").strip(_SURROUNDING)
    if _BARE.fullmatch(bare):
        bare = "-".join((bare[:8], bare[8:12], bare[12:16], bare[16:20], bare[20:]))
    return bare if is_guid(bare) else ""
