"""Hides the secrets of this process in text that leaves it, in whatever form they come back. No I/O."""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from html.entities import html5

HIDDEN = "[hidden]"
# A text shorter than any real secret is not hidden: it would be found in ordinary words.
_SHORTEST = 6
# How many times a text may be escaped, and the longest escape of one character.
_ROUNDS = 4
_ESCAPE_LENGTH = 12
# Positions are kept for so many characters at a time.
_WINDOW = 1 << 16
_ESCAPE = re.compile(
    r"\\+u\{?(?P<json>[0-9a-f]{4})\}?|\\+x(?P<byte>[0-9a-f]{2})|%(?:25)*(?P<percent>[0-9a-f]{2})"
    r"|&(?:amp;)*#0*(?P<decimal>\d{1,7});?|&(?:amp;)*#x0*(?P<hex>[0-9a-f]{1,6});?|&(?:amp;)*(?P<name>[a-z]{2,8};)"
    r"|\\+|[\0-\x1f\x7f-\xa0\xad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufffd]",
    re.IGNORECASE,
)
_MAY_BE_ESCAPED = re.compile(r"[\\%&\0-\x1f\x7f-\xa0\xad\u061c\u180e\u200b-\u206f\ufeff\ufffd]")


class Redactor:
    """Knows the secrets of this process; one instance is handed to whatever writes text outward."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._forms: list[str] = []

    def __repr__(self) -> str:
        return "Redactor(…)"

    def add(self, *secrets: str) -> None:
        """Hide secrets from now on."""
        for secret in set(secrets) - self._secrets:
            self._secrets.add(secret)
            forms = {form for form in _forms_of(secret) if len(form) >= _SHORTEST <= len(secret)}
            self._forms = sorted({*self._forms, *forms}, key=len, reverse=True)

    def redact(self, text: str, *, is_cut: bool = False) -> str:
        """Return a text without the secrets; of a text that was cut, the end is left off: a secret may begin there."""
        if not self._forms:
            return text
        overlap = _ESCAPE_LENGTH * len(self._forms[0])
        spans: list[tuple[int, int]] = []
        for start in range(0, len(text), _WINDOW):
            spans += (
                (start + begin, start + end) for begin, end in self._spans(text[start : start + _WINDOW + overlap])
            )
        shown = _without(text, spans) if spans else text
        return shown[: max(0, len(shown) - overlap)] if is_cut else shown

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where secrets are in a text, and in what it says when its escapes are decoded."""
        yield from self._literal_spans(text)
        for decoded, positions in _decodings(text):
            yield from ((positions[begin], positions[end]) for begin, end in self._literal_spans(decoded))

    def _literal_spans(self, text: str) -> Iterator[tuple[int, int]]:
        for form in self._forms:
            begin = text.find(form)
            while begin >= 0:
                yield begin, begin + len(form)
                begin = text.find(form, begin + 1)


def _forms_of(secret: str) -> Iterator[str]:
    """Yield a secret as it may be found when all escapes are decoded: as it is, as bytes, in base64, in hexadecimal."""
    raw = secret.encode("utf-8", "surrogatepass")
    # Percent-encoded bytes are decoded one by one.
    for text in (secret, raw.decode("latin-1")):
        yield text
        # A secret may itself look escaped.
        yield from (decoded for decoded, _ in _decodings(text))
    yield raw.hex()
    yield raw.hex().upper()
    # Also as UTF-16 has it, both ways.
    for content in (raw, b"".join(bytes((byte, 0)) for byte in raw), b"".join(bytes((0, byte)) for byte in raw)):
        # Where it begins among others, as after a user's name, the characters at both ends belong to its neighbours too.
        for before in range(3):
            coded = b64encode(bytes(before) + content).decode()
            inner = coded[(0, 2, 3)[before] : (len(content) + before) // 3 * 4]
            yield inner
            yield inner.replace("+", "-").replace("/", "_")


def _decodings(text: str) -> Iterator[tuple[str, list[int]]]:
    """Yield what a text says when its escapes are decoded once, twice and so on, with the positions of the characters."""
    positions = list(range(len(text) + 1)) if _MAY_BE_ESCAPED.search(text) else []
    for _ in range(_ROUNDS if positions else 0):
        decoded, positions = _decode(text, positions)
        if decoded == text:
            return
        yield decoded, positions
        text = decoded


def _decode(text: str, positions: list[int]) -> tuple[str, list[int]]:
    """Decode all escapes once; ``positions`` says where each character is in the original text."""
    parts: list[str] = []
    kept: list[int] = []
    last = 0
    for match in _ESCAPE.finditer(text):
        begin = match.start()
        char = _character(match)
        parts += (text[last:begin], char)
        kept += positions[last:begin]
        kept += [positions[begin]] * len(char)
        last = match.end()
    return "".join((*parts, text[last:])), kept + positions[last:]


def _character(match: re.Match[str]) -> str:
    """Return what an escape stands for: nothing for a backslash before a character, or for an invisible one."""
    kind, code = match.lastgroup, match[match.lastgroup or 0]
    if kind is None:
        return ""
    if kind == "name":
        return html5.get(code, html5.get(code.lower(), match[0]))
    number = int(code, 10 if kind == "decimal" else 16)
    return chr(number) if number < 0x110000 else match[0]  # noqa: PLR2004 - the end of Unicode


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    parts: list[str] = []
    last = 0
    for begin, end in sorted(_without_backslashes(text, span) for span in spans):
        if begin > last or not parts:
            parts += (text[last:begin], HIDDEN)
        last = max(last, end)
    return "".join((*parts, text[last:]))


def _without_backslashes(text: str, span: tuple[int, int]) -> tuple[int, int]:
    """Return a span with the backslashes before it, and without those that escape what follows: JSON must stay JSON."""
    begin, end = span
    begin -= len(text[:begin]) - len(text[:begin].rstrip("\\"))
    return begin, end - (len(text[begin:end]) - len(text[begin:end].rstrip("\\")))
