"""Reads large XML in blocks: what is plain as text, for regular expressions, and all else with a parser."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import IO
from xml.parsers import expat

from bulkreact.sheets.input.workbook.workbook_parts import damage_error

_BLOCK = 1 << 18
# The parser gets all of it.
_FIRST_BLOCK = 1 << 12
# An element that is longer is handed out in parts.
_LONGEST = 1 << 22
_ENTITY = re.compile("&(?:(amp)|(lt)|(gt)|(quot)|apos);")
_MEANINGS = ("'", "&", "<", ">", '"')
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
# XML cannot have these, apart from a carriage return, which is part of a line break.
_CONTROLS = bytes({*range(0x20)} - {0x09, 0x0A})


def split_blocks(part: IO[bytes], end: bytes) -> Iterator[bytes]:
    """Yield the content in blocks that end behind an element whose closing tag is ``end``; the last has what is left."""
    rest = bytearray()
    size = min(_FIRST_BLOCK, _BLOCK)
    while block := part.read(size):
        size = _BLOCK
        searched = max(0, len(rest) - len(end))
        rest += block
        position = rest.rfind(end, searched)
        if position >= 0:
            yield bytes(rest[: position + len(end)])
            del rest[: position + len(end)]
        elif len(rest) > _LONGEST:
            yield bytes(rest)
            rest.clear()
    yield bytes(rest)


def decode_plain(block: bytes) -> str | None:
    """Return a block as text; None if it has what only a parser understands: control characters, comments and the like."""
    if len(block.translate(None, _CONTROLS)) < len(block):
        return None
    # These characters alone are found in a tenth of the time, and are rare.
    if any(mark[1:] in block and mark in block for mark in (b"<!", b"<?")):
        return None
    try:
        return block.decode()
    except UnicodeDecodeError:
        return None


def resolve_entities(text: str) -> str | None:
    """Return a text with XML's own entities resolved, None if it has others, or numbers of characters."""
    if "&" not in text:
        return text
    return None if "&" in _ENTITY.sub("", text) else _ENTITY.sub(lambda match: _MEANINGS[match.lastindex or 0], text)


def resolve_escapes(text: str) -> str:
    """Return the text of a cell, in which workbooks write some characters like ``_x000D_``."""
    if "_x" not in text:
        return text
    # Halves of a character may be written one by one; one alone is none.
    units = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text).encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "replace")


class XmlParser:
    """Parses a part of a workbook; handlers of elements are called by their local names.

    All elements of a part have the prefix of its root, which is mostly none. ``hides_nothing``: no comment or the like
    has been met, so that what looks like an element is one.
    """

    def __init__(
        self,
        part: str,
        start: Mapping[str, Callable[[Mapping[str, str]], None]],
        end: Mapping[str, Callable[[], None]],
    ) -> None:
        self.hides_nothing = True
        self.prefix: str | None = None
        self._part = part
        self._start, self._end = start, end
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._start_root

    def feed(self, block: bytes, *, is_final: bool = False) -> None:
        """Parse some of the XML."""
        declaration = self.prefix is None and not is_final
        if b"<!" in block or block.count(b"<?") > declaration:
            self.hides_nothing = False
        try:
            self._parser.Parse(block, is_final)
        except expat.ExpatError:
            raise damage_error(f"the XML of {self._part} is broken") from None

    def collect(self, texts: list[str] | None) -> None:
        """Append the texts of elements to a list from now on; to none at all without one."""
        self._parser.CharacterDataHandler = None if texts is None else texts.append

    def _refuse_doctype(self, *_declaration: object) -> None:
        raise damage_error(f"{self._part} defines entities of its own")

    def _start_root(self, name: str, _attributes: Mapping[str, str]) -> None:
        self.prefix = name[: name.rfind(":") + 1]
        starts = {f"{self.prefix}{local}": handler for local, handler in self._start.items()}
        ends = {f"{self.prefix}{local}": handler for local, handler in self._end.items()}

        def start(name: str, attributes: Mapping[str, str]) -> None:
            if handler := starts.get(name):
                handler(attributes)

        def end(name: str) -> None:
            if handler := ends.get(name):
                handler()

        self._parser.StartElementHandler, self._parser.EndElementHandler = start, end
