"""Texts as the cells of a workbook can hold them; pure."""

import re

# Of a longer one Excel says that the workbook is damaged.
CELL_LENGTH = 32_767
_CUT = "…"
# XML has no place for these. Carriage returns, and what would be read as an escape, are escaped as Excel does it.
_UNFIT = re.compile("[\0-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4})")
_HALF_ESCAPE = re.compile("_x?[0-9A-F]{0,4}$")
_PICTURES = 0x2400
_XML_SPACE = " \t\r\n"
_LAST_CONTROL = 0x1F


def escape(text: str) -> str:
    """Return a text as it is written into a workbook.

    What a workbook cannot hold is replaced where all can see it; cells that are too long are cut and end with ``…``.
    """
    fitting = _UNFIT.sub(_replaced, text)
    if not fitting.strip():
        # White space alone is dropped by readers unless it is escaped; they know no escapes of any other.
        fitting = "".join(_escaped(char) if char in _XML_SPACE else char for char in fitting)
    return fitting if len(fitting) <= CELL_LENGTH // 2 else _cut(fitting)


def _replaced(found: re.Match[str]) -> str:
    char = found[0]
    if char in "_\r":
        return _escaped(char)
    return chr(_PICTURES + ord(char)) if ord(char) <= _LAST_CONTROL else "\ufffd"


def _escaped(char: str) -> str:
    return f"_x{ord(char):04X}_"


def _cut(text: str) -> str:
    """Cut a text by Excel's measure, which counts what UTF-16 has two units for as two."""
    units = text.encode("utf-16-le")
    if len(units) <= 2 * CELL_LENGTH:
        return text
    kept = units[: 2 * (CELL_LENGTH - len(_CUT))].decode("utf-16-le", "ignore")
    return _HALF_ESCAPE.sub("", kept) + _CUT
