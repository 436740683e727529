"""Reads the texts that cells of a workbook share."""

import re
from collections.abc import Mapping
from typing import IO

from bulkreact.sheets.input.workbook.xml_text import (
    XmlParser,
    decode_plain,
    resolve_entities,
    resolve_escapes,
    split_blocks,
)

_END = b"</si>"
# Texts as most are, without formats within them.
_PLAIN = re.compile(r"<si><t(?: xml:space=\"preserve\")?>([^<]*)</t></si>")


def read_shared_strings(part: IO[bytes]) -> list[str]:
    """Return the texts in order."""
    reader = _Reader()
    for block in split_blocks(part, _END):
        reader.read(block)
    reader.finish()
    return reader.texts


class _Reader:
    """Reads plain texts with a regular expression; the parser gets the document without them."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._parts: list[str] = []
        self._is_between_texts = False
        start = {"sst": self._begin, "si": self._start_text, "t": self._start_part, "rPh": self._start_phonetic}
        end = {"si": self._end_text, "t": self._end_part, "rPh": self._end_phonetic}
        self._parser = XmlParser("its texts", start, end)
        self._is_phonetic = False

    def read(self, block: bytes) -> None:
        """Read a block."""
        text = decode_plain(block) if self._is_between_texts and self._parser.hides_nothing else None
        if text is None or not self._read_plain(text):
            self._parser.feed(block)

    def finish(self) -> None:
        """Say that this was all."""
        self._parser.feed(b"", is_final=True)

    def _read_plain(self, text: str) -> bool:
        """Read a block of which most is plain; return whether it could be."""
        between, *parts = _PLAIN.split(text)
        texts = resolve_entities("\0".join(parts[::2])) if parts else ""
        if texts is None or not text.endswith(_END.decode()):
            return False
        for plain, following in zip(texts.split("\0") if parts else (), parts[1::2], strict=True):
            if between.strip():
                self._parser.feed(between.encode())
            self.texts.append(resolve_escapes(plain))
            between = following
        if between.strip():
            self._parser.feed(between.encode())
        return True

    def _begin(self, _attributes: Mapping[str, str]) -> None:
        self._is_between_texts = self._parser.prefix == ""

    def _start_text(self, _attributes: Mapping[str, str]) -> None:
        self._parts = []
        self._is_between_texts = False

    def _end_text(self) -> None:
        self.texts.append(resolve_escapes("".join(self._parts)))
        self._begin({})

    def _start_part(self, _attributes: Mapping[str, str]) -> None:
        if not self._is_phonetic:
            self._parser.collect(self._parts)

    def _end_part(self) -> None:
        self._parser.collect(None)

    def _start_phonetic(self, _attributes: Mapping[str, str]) -> None:
        self._is_phonetic = True

    def _end_phonetic(self) -> None:
        self._is_phonetic = False
