"""Reads what people write for the delimiter and the encoding of a file."""

import codecs

_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "bar": "|", "pipe": "|"}


def parse_delimiter(text: str) -> str:
    """Read a character or its name; ValueError says what is expected."""
    delimiter = _DELIMITERS.get(text.strip().lower(), text)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(f"{text!r} is not a delimiter; write it like , ; | or tab")
    return delimiter


def parse_encoding(text: str) -> str:
    """Read the name of a text encoding; ValueError says what is expected."""
    try:
        if codecs.lookup(text)._is_text_encoding:  # noqa: SLF001 - there is no public way to tell
            return text
    except LookupError:
        pass
    raise ValueError(f"{text!r} is not an encoding; write it like utf-8, utf-16 or cp1252")
