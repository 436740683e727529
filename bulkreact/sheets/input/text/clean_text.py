"""Text as it is in a file, without what is no text: byte order marks, NUL characters, and Ctrl-Z at the end."""

import codecs
import re
from collections.abc import Callable
from functools import partial
from io import TextIOWrapper
from typing import BinaryIO, TextIO

from msgspec import Struct

from bulkreact.sheets.input.read_limits import ReadLimits

_MARK = "\ufeff"
# The end of a file in old programs.
_CTRL_Z = "\x1a"
_CHUNK = 1 << 16
# As long as the shortest id: shorter blocks cannot hide one, so that no row is lost and no id gets into another row.
_BLOCK = 32
_PARTS = re.compile(r"\0+|[^\0]+")
_NO_CONTENT = f" \t\r\n{_CTRL_Z}{_MARK}"


class CleanText(TextIOWrapper):
    """Text without NUL characters, marks before a line or cell, and Ctrl-Z at either end of a line.

    A mark inside a cell is text. ``has_nuls`` tells whether there were NUL characters so far, ``is_changed`` whether
    anything else than the text was.
    """

    def __init__(self, raw: BinaryIO, encoding: str, delimiters: str, limits: ReadLimits) -> None:
        super().__init__(raw, encoding=encoding, newline="")
        self._limits = limits
        # A mark of UTF-8 among text in another encoding.
        self._foreign_mark = codecs.BOM_UTF8.decode(encoding, "replace")
        marks = f"{_MARK}|{re.escape(self._foreign_mark)}"
        self._marks = re.compile(
            rf"(?<=[\r\n])(?:{marks}|{_CTRL_Z})+|{_CTRL_Z}+(?=[\r\n])|(?<=[{re.escape(delimiters)}])(?:{marks})+"
        )
        self._before = "\n"
        self._held = ""
        self.has_nuls = self.is_changed = False

    @property
    def ends_in_line(self) -> bool:
        """Return whether the text read so far ends without a line end."""
        return self._before not in "\r\n"

    def read(self, size: int | None = -1, /) -> str:
        """Return the next text, empty at the end of the file only."""
        return self._clean(partial(super().read, size))

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        """Return the rest of the line; UnreadableError if it is too long for a row."""
        return self._clean(partial(self._read_line, size if size >= 0 else self._limits.row + 1))

    def _read_line(self, size: int) -> str:
        line = super().readline(size)
        self._limits.check("row", len(line), "{} characters in a row")
        return line

    def _clean(self, read: Callable[[], str]) -> str:
        # An empty result would mean the end of the file.
        while part := read():
            if text := self._strip(self._held + part):
                return text
        return ""

    def _strip(self, text: str) -> str:
        if "\0" in text:
            self.has_nuls = True
            text = text.replace("\0", "")
        stripped = text.rstrip(_CTRL_Z)
        self._held = text[len(stripped) :]
        self.is_changed = self.is_changed or self.has_nuls or bool(self._held)
        if _MARK in stripped or _CTRL_Z in stripped or self._foreign_mark in stripped:
            self.is_changed = True
            stripped = self._marks.sub("", self._before + stripped)[1:]
        if stripped:
            self._before = stripped[-1]
        return stripped


class NulReport(Struct, frozen=True):
    """Where a file has NUL characters: ``block_line`` is the line of a block that text follows, 0 if there is none.

    ``stray`` are those in front of other text, the first in ``stray_line``; ``at_end`` those behind all text.
    """

    block_line: int = 0
    stray: int = 0
    stray_line: int = 0
    at_end: int = 0


def find_nuls(file: TextIO) -> NulReport:
    """Read a text, with universal line ends, for its NUL characters; no further than to the first block."""
    line, first_line = 1, 0
    pending = longest = run = stray = stray_line = 0
    for part in (match[0] for chunk in iter(partial(file.read, _CHUNK), "") for match in _PARTS.finditer(chunk)):
        if part[0] == "\0":
            first_line = first_line if pending else line
            run += len(part)
            pending += len(part)
            longest = max(longest, run)
            continue
        if pending and part.strip(_NO_CONTENT):
            if longest >= _BLOCK:
                return NulReport(first_line)
            stray_line = stray_line or first_line
            stray += pending
            pending = longest = 0
        run = 0
        line += part.count("\n")
    return NulReport(0, stray, stray_line, pending)
