"""Reads JSON text value by value, so that a hostile text costs little memory and time. No I/O."""

import json
import re
from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\r\n]*")
# Most values fit into the first size; none may be longer than the last.
_SIZES = (1 << 14, 1 << 20)
_DIGITS = 18


def _whole_number(digits: str) -> int | None:
    """Return a number of usual length; Python refuses to read numbers of thousands of digits."""
    return int(digits) if len(digits) <= _DIGITS else None


def _ignore_fraction(_number: str) -> None:
    """Ignore a fraction: none is needed."""


# Not strict: unescaped control characters in strings are accepted.
_DECODER = json.JSONDecoder(
    parse_int=_whole_number, parse_float=_ignore_fraction, parse_constant=_ignore_fraction, strict=False
)


class JsonReader:
    """Reads a text from its beginning; all methods raise ValueError or RecursionError if it is no JSON.

    ``members`` and ``items`` stop before each value, which the caller reads with one of the other methods.
    """

    def __init__(self, text: str) -> None:
        self.position = 0
        self._text = text

    def peek(self) -> str:
        """Skip white space and return the next character, empty at the end."""
        match = _SPACE.match(self._text, self.position)
        self.position = match.end() if match else self.position
        return self._text[self.position : self.position + 1]

    def value(self) -> object:
        """Return the next value; fractions and very long numbers are None."""
        self.peek()
        for size in _SIZES:
            piece = self._text[self.position : self.position + size]
            is_rest = self.position + size >= len(self._text)
            try:
                value, end = _DECODER.raw_decode(piece)
            except ValueError:
                if is_rest:
                    raise
                continue
            # A number that reaches the end of a piece may go on after it.
            if is_rest or end < size:
                self.position += end
                result: object = value
                return result
        raise ValueError("a value is too long")

    def members(self) -> Iterator[str]:
        """Yield the names of an object's members, each before its value."""
        for _ in self._elements("{", "}"):
            name = self.value()
            if not isinstance(name, str):
                raise ValueError("a member has no name")  # noqa: TRY004 - the text is wrong, not the caller
            self._expect(":")
            self.peek()
            yield name

    def items(self) -> Iterator[None]:
        """Stop before each item of an array."""
        yield from self._elements("[", "]")

    def end(self) -> None:
        """Check that nothing follows."""
        if self.peek():
            raise ValueError("more than one value")

    def _elements(self, opening: str, closing: str) -> Iterator[None]:
        self._expect(opening)
        if self.peek() != closing:
            yield
            while self.peek() == ",":
                self.position += 1
                yield
        self._expect(closing)

    def _expect(self, character: str) -> None:
        if self.peek() != character:
            raise ValueError(f"{character} is missing")
        self.position += 1
