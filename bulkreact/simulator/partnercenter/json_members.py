"""The members of a JSON object with their exact spelling, and the differences between two objects."""

import json
import re

from msgspec import Struct

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class Member(Struct, frozen=True):
    """A name, its value as spelled in the text, and the value's begin and end."""

    name: str
    raw: str
    begin: int
    end: int


def members(text: str) -> list[Member]:
    """Return the members of a JSON object in order; ValueError if the text is not one."""
    position = _expect(text, 0, "{")
    items: list[Member] = []
    while not text.startswith("}", position):
        position = _expect(text, position, ",") if items else position
        name, position = _value(text, position)
        if not isinstance(name, str):
            raise ValueError("a name is no string")  # noqa: TRY004 - the text is wrong, not the caller
        begin = _expect(text, position, ":")
        _, end = _value(text, begin)
        items.append(Member(name, text[begin:end], begin, end))
        position = _skip(text, end)
    if _skip(text, position + 1) != len(text):
        raise ValueError("text follows the object")
    return items


def member(text: str, name: str) -> Member | None:
    """Return the member of a text with that name in any case; None if there is none, or no object."""
    try:
        items = members(text)
    except ValueError:
        return None
    return next((item for item in items if item.name.lower() == name.lower()), None)


def value(text: str, name: str) -> object:
    """Return the value of the member with that name in any case; None if there is none."""
    found = member(text, name)
    content: object = json.loads(found.raw) if found else None
    return content


def replace_value(text: str, name: str, raw: str) -> str:
    """Return the text with another value for the member with that name, in any case; nothing else changes."""
    found = member(text, name)
    return text[: found.begin] + raw + text[found.end :] if found else text


def describe_deviation(expected: str, body: bytes) -> str:
    """Return how a body differs from the expected text in UTF-8; empty if it does not."""
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
    before, after = ({item.name: item.raw for item in items} for items in (members(expected), sent))
    differences = {
        "lost": [name for name in before if name not in after],
        "added": [name for name in after if name not in before],
        "changed": [name for name in before if name in after and before[name] != after[name]],
    }
    return (
        "; ".join(f"{kind} {', '.join(names)}" for kind, names in differences.items() if names)
        or "differs in spelling or order"
    )


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _expect(text: str, position: int, character: str) -> int:
    """Return the position after a character that must come next."""
    position = _skip(text, position)
    if not text.startswith(character, position):
        raise ValueError(f"{character} is missing")
    return _skip(text, position + 1)


def _value(text: str, position: int) -> tuple[object, int]:
    result: tuple[object, int] = _DECODER.raw_decode(text, position)
    return result
