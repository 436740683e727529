"""GUIDs as people paste them: normalised where that is safe, explained where a program destroyed them; pure."""

import re
from dataclasses import dataclass

import pandas as pd

_CANONICAL = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_GUID = re.compile(_CANONICAL, re.ASCII)
_BARE = re.compile(r"[0-9a-f]{32}", re.ASCII)
# Characters that copying leaves around an id and nobody sees: white space, zero-width marks, byte order marks.
_INVISIBLE = " \t\r\n\v\f\u00a0\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u202f\u2060\ufeff"
_QUOTES = "\"'\u201c\u201d\u2018\u2019`"
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-")
_NIL = "00000000-0000-0000-0000-000000000000"
# A number in scientific notation, or what a spreadsheet shows where it has no value.
_DAMAGE = re.compile(r"[+-]?\d+(?:[.,]\d+)?E[+-]?\d+|#[A-Z/0]+[!?]?|#{3,}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Defect:
    """What is wrong with an identifier: the kind of problem and words for people."""

    code: str
    words: str


def canonical(cells: "pd.Series[str]") -> "pd.Series[str]":
    """Return the cells in canonical form (lower case, dashes), empty strings where a cell is no usable GUID."""
    lowered = cells.str.strip().str.lower()
    good = lowered.str.fullmatch(_CANONICAL)
    if not good.all():
        repaired = lowered[~good].map(_repair)
        lowered = lowered.where(good, repaired.reindex(lowered.index, fill_value=""))
    return lowered.where(lowered != _NIL, "")


def defect(column: str, cell: str) -> Defect:
    """Explain why a cell of an id column is not usable."""
    name = column.replace("_", "-")
    bare = cell.strip(_INVISIBLE)
    if not bare:
        return Defect(f"missing-{name}", f"{column} is empty")
    shown = "".join(char if char.isprintable() else "?" for char in cell)
    shown = f"'{shown}'" if len(shown) <= 60 else f"'{shown[:60]}…'"  # noqa: PLR2004 - fits a terminal line
    if _DAMAGE.fullmatch(bare):
        words = (
            f"{column} is not a GUID: {shown} (Excel changed this cell; the original is lost. "
            "Format the column as text and paste it again)"
        )
        return Defect("damaged-by-excel", words)
    if _repair(bare.lower()) == _NIL:
        return Defect(f"invalid-{name}", f"{column} is the nil GUID, which names nothing: {shown}")
    return Defect(f"invalid-{name}", f"{column} is not a GUID: {shown}")


def is_guid(cell: str) -> bool:
    """Tell whether a cell is a GUID in canonical form, of either case."""
    return _GUID.fullmatch(cell.lower()) is not None


def _repair(cell: str) -> str:
    bare = cell.translate(_DASHES).strip(_INVISIBLE + _QUOTES).removeprefix("{").removesuffix("}").strip(_INVISIBLE)
    if _BARE.fullmatch(bare):
        bare = "-".join((bare[:8], bare[8:12], bare[12:16], bare[16:20], bare[20:]))
    return bare if _GUID.fullmatch(bare) else ""
