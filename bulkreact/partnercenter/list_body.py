"""Reads the body of a list item by item, within limits. No I/O."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from msgspec import Struct

from bulkreact.partnercenter.json_reader import JsonReader
from bulkreact.partnercenter.response_bodies import decode, resource_status

# No service that works sends more on one page.
MAX_ITEMS = 50_000
_MAX_MEMBERS = 1_000
_DIGITS = 9
_KEPT = frozenset({"totalcount", "continuationtoken", "links"})

Item = TypeVar("Item")


class ListBody(Struct, Generic[Item], frozen=True):
    """The items of a list as they were read, and its other members by lower-case name; a bare array has none.

    ``is_cut``: it has more than ``MAX_ITEMS``, and the rest was not read.
    """

    items: tuple[Item, ...]
    fields: Mapping[str, object]
    is_cut: bool = False

    @property
    def total_count(self) -> int | None:
        """Return how many entries the list says it has; None if it does not say."""
        total = self.fields.get("totalcount")
        if isinstance(total, str) and total.strip().isascii() and total.strip().isdigit():
            return int(total.strip()[:_DIGITS])
        return total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None


def read_list(body: bytes, read_item: Callable[[object], Item]) -> ListBody[Item] | None:
    """Return the list in a body, None unless it is one.

    An empty list may come without items, because the service omits nulls; then it says that it has none.
    """
    parser = _Parser(JsonReader(decode(body)), read_item)
    try:
        parser.parse()
    except _ItemLimitError:
        return ListBody(tuple(parser.items), parser.fields, is_cut=True)
    except (ValueError, RecursionError):
        return None
    result = ListBody(tuple(parser.items), parser.fields)
    is_list = parser.has_items or (not parser.has_other_items and result.total_count == 0)
    return result if is_list else None


def read_statuses(body: bytes) -> dict[str, str] | None:
    """Return the statuses of a list's resources by id, both in lower case; None if the body is no list.

    A resource that is listed with several statuses is left out: none of them counts.
    """
    listed = read_list(body, resource_status)
    if listed is None or "items" not in listed.fields:
        return None
    statuses: dict[str, set[str]] = {}
    for item in listed.items:
        statuses.setdefault(item.id, set()).add(item.status)
    return {id_: next(iter(seen)) for id_, seen in statuses.items() if id_ and len(seen) == 1 and "" not in seen}


class _ItemLimitError(Exception):
    """There are more items than are read."""


class _Parser(Generic[Item]):
    def __init__(self, reader: JsonReader, read_item: Callable[[object], Item]) -> None:
        self.items: list[Item] = []
        self.fields: dict[str, object] = {}
        self.has_items = False
        self.has_other_items = False
        self._reader = reader
        self._read_item = read_item

    def parse(self) -> None:
        if self._reader.peek() == "[":
            self._parse_items()
        else:
            self._parse_object()
        self._reader.end()

    def _parse_object(self) -> None:
        for number, name in enumerate(self._reader.members()):
            lower = name.lower()
            if number >= _MAX_MEMBERS:
                raise ValueError("too many members")
            if lower == "items" and self._reader.peek() == "[":
                self.fields[lower] = None
                self._parse_items()
                continue
            value = self._reader.value()
            self.has_other_items |= lower == "items" and value is not None
            if lower in _KEPT:
                self.fields[lower] = value

    def _parse_items(self) -> None:
        self.has_items = True
        for _ in self._reader.items():
            if len(self.items) >= MAX_ITEMS:
                raise _ItemLimitError
            self.items.append(self._read_item(self._reader.value()))
