"""Decides in which encoding a text table is written. No I/O."""

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator

WESTERN = "cp1252"
# Longer marks first: UTF-32's begins with UTF-16's.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# UTF-16 text without a byte order mark has at least this share of zeros among its even, or odd, bytes.
_ZEROS = 0.4
# Encodings that spreadsheets of other regions use for CSV.
_REGIONAL = {
    "cp932": "Japanese",
    "gb18030": "simplified Chinese",
    "big5": "traditional Chinese",
    "cp949": "Korean",
    "cp1250": "Central European",
    "cp1251": "Cyrillic",
}
REGIONAL = tuple(_REGIONAL)
# Punctuation that Western text has anywhere, also next to letters and to other punctuation: guillemets, quotation marks,
# dashes, the ellipsis, and spaces that do not break.
_COMMON = r"\xa0\xad\xab\xbb\xb4\xb7\u2018-\u201a\u201c-\u201e\u2013\u2014\u2026"
_LETTER = r"[^\W\d_]"
# What Western text hardly has: many accented letters and signs in a row, signs inside or before a word, capitals inside
# one, the florin sign, and Y with a diaeresis.
_STRANGE = re.compile(
    rf"[^\0-\x7f{_COMMON}]{{3,}}"
    rf"|(?<={_LETTER})(?:[^\w\0-\x7f\xad\xb4\xb7\u2018\u2019\u2013\u2014]|[\xaa\xba\xb9\xb2\xb3\xbc-\xbe])(?={_LETTER})"
    rf"|(?<!\w)[\xa3-\xa6\xa8\xaf\xb8\xb9\xb2\xb3\xbc-\xbe](?={_LETTER})"
    r"|(?<=[a-z\xdf-\xf6\xf8-\xff])[\xc0-\xd6\xd8-\xde\u0160\u017d]"
    r"|[\u0192\u0178]"
)
_FOREIGN = re.compile(r"[^\0-\x7f]")
_TOLERATED = 0.2
_EXAMPLE_LENGTH = 40


def find_mark(start: bytes) -> str | None:
    """Return the encoding whose byte order mark a file begins with."""
    return next((encoding for mark, encoding in _MARKS.items() if start.startswith(mark)), None)


def candidates(start: bytes) -> list[str]:
    """Return the encodings to try for a file, in order."""
    if marked := find_mark(start):
        return [marked]
    for offset, utf_16 in ((1, "utf-16-le"), (0, "utf-16-be")):
        high, low = start[offset::2], start[1 - offset :: 2]
        if high.count(0) > _ZEROS * len(high) and low.count(0) < _ZEROS * len(low) / 10:
            return [utf_16]
    return ["utf-8", WESTERN]


def find_nonsense(chunks: Iterable[str]) -> str:
    """Return an example of what makes no sense in a text read as cp1252, empty if it may well be Western text."""
    foreign = strange = 0
    example = ""
    for chunk in chunks:
        frequencies = Counter(word for word in _split(chunk) if not word.isascii())
        for word, times in frequencies.items():
            nonsense = sum(len(match[0]) for match in _nonsense(word))
            foreign += len(_FOREIGN.findall(word)) * times
            strange += nonsense * times
            example = example or (word[:_EXAMPLE_LENGTH] if nonsense else "")
    return example if strange > _TOLERATED * foreign else ""


def _split(text: str) -> list[str]:
    # A regular expression takes five times as long.
    for separator in ',;|"':
        text = text.replace(separator, " ")
    return text.split()


def _nonsense(text: str) -> Iterator[re.Match[str]]:
    return (match for match in _STRANGE.finditer(text) if len({*match[0]}) > 1 or len(match[0]) == 1)


def how_to_find_out(fitting: Iterable[str]) -> str:
    """Return how to find the encoding of a file; ``fitting`` are those with which its header names the columns."""
    if options := [f"--encoding {encoding} ({_REGIONAL[encoding]})" for encoding in fitting]:
        return f"With {' or '.join(options)} it has the columns"
    usual = ", ".join(f"{encoding} ({region})" for encoding, region in _REGIONAL.items())
    return (
        f"Say which it is with --encoding: usual are {usual}, {WESTERN} (Western). To find out, open the file in Excel with "
        "Data, From Text/CSV, and try 'File origin' until all names look right; or ask for the file as 'CSV UTF-8'"
    )
