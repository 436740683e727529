"""The members of a JSON object as they are spelled, and how one object deviates from another."""

import json
import re
from dataclasses import dataclass

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Member:
    """A name, and its value as it is spelled in a text, from where to where."""

    name: str
    raw: str
    begin: int
    end: int


def members(text: str) -> list[Member]:
    """Return the members of the object that a text is, in their order; ValueError when it is none."""
    position = _expect(text, 0, "{")
    found: list[Member] = []
    while not text.startswith("}", position):
        position = _expect(text, position, ",") if found else position
        name, position = _value(text, position)
        if not isinstance(name, str):
            raise ValueError("a name is no string")  # noqa: TRY004 - the text is wrong, not the caller
        begin = _expect(text, position, ":")
        _, end = _value(text, begin)
        found.append(Member(name, text[begin:end], begin, end))
        position = _skip(text, end)
    if _skip(text, position + 1) != len(text):
        raise ValueError("something follows the object")
    return found


def member(text: str, name: str) -> Member | None:
    """Return the member of a text with that name in any case; None when there is none, or no object."""
    try:
        found = members(text)
    except ValueError:
        return None
    return next((one for one in found if one.name.lower() == name.lower()), None)


def value(text: str, name: str) -> object:
    """Return the value of the member with that name in any case; None when there is none."""
    found = member(text, name)
    content: object = json.loads(found.raw) if found else None
    return content


def replaced(text: str, name: str, raw: str) -> str:
    """Return a text whose member with that name, in any case, has another value; everything else is left alone."""
    found = member(text, name)
    return text[: found.begin] + raw + text[found.end :] if found else text


def deviation(expected: str, body: bytes) -> str:
    """Return in words how a body is not the expected text in UTF-8; empty when it is."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return "is not UTF-8"
    if text == expected:
        return ""
    if text.startswith("\ufeff"):
        return "begins with a BOM"
    try:
        sent = members(text)
    except (ValueError, RecursionError):
        return "is not a JSON object"
    before, after = ({one.name: one.raw for one in some} for some in (members(expected), sent))
    differences = {
        "lost": [name for name in before if name not in after],
        "added": [name for name in after if name not in before],
        "changed": [name for name in before if name in after and before[name] != after[name]],
    }
    told = [f"{what} {', '.join(names)}" for what, names in differences.items() if names]
    return "; ".join(told) or "differs in spelling or order"


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _expect(text: str, position: int, character: str) -> int:
    """Return where it goes on after a character that must come next."""
    position = _skip(text, position)
    if not text.startswith(character, position):
        raise ValueError(f"{character} is missing")
    return _skip(text, position + 1)


def _value(text: str, position: int) -> tuple[object, int]:
    found: tuple[object, int] = _DECODER.raw_decode(text, position)
    return found
