"""Escapes text for the cells of a workbook. No I/O."""

import re

# Excel reports a workbook with a longer cell as damaged.
CELL_LENGTH = 32_767
_CUT = "…"
# XML cannot contain these. Carriage returns, and underscores that would begin an escape, are escaped as in Excel.
_UNSAFE = re.compile("[\0-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4})")
_HALF_ESCAPE = re.compile("_x?[0-9A-F]{0,4}$")
_PICTURES = 0x2400
_XML_SPACE = " \t\r\n"
_LAST_CONTROL = 0x1F


def escape(text: str) -> str:
    """Return a text for a cell: impossible characters visibly replaced, and cut with ``…`` if it is too long."""
    safe = _UNSAFE.sub(_replace_unsafe, text)
    if not safe.strip():
        # Readers drop cells of only white space unless it is escaped; they know no escapes of other white space.
        safe = "".join(_escape_character(char) if char in _XML_SPACE else char for char in safe)
    return safe if len(safe) <= CELL_LENGTH // 2 else _cut(safe)


def _replace_unsafe(match: re.Match[str]) -> str:
    char = match[0]
    if char in "_\r":
        return _escape_character(char)
    return chr(_PICTURES + ord(char)) if ord(char) <= _LAST_CONTROL else "\ufffd"


def _escape_character(char: str) -> str:
    return f"_x{ord(char):04X}_"


def _cut(text: str) -> str:
    """Cut a text to Excel's limit, which counts UTF-16 code units."""
    units = text.encode("utf-16-le")
    if len(units) <= 2 * CELL_LENGTH:
        return text
    start = units[: 2 * (CELL_LENGTH - len(_CUT))].decode("utf-16-le", "ignore")
    return _HALF_ESCAPE.sub("", start) + _CUT
