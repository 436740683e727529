"""The items of one customer in a queue: returned, fresh, parked and unread."""

from collections import deque
from typing import Generic, NamedTuple

from msgspec import Struct, field

from bulkreact.batch.environment import WaitReason
from bulkreact.batch.row_source import CustomerStream, Item, ItemSource

# Of a thousand customers at a time: 32 more rows of each would take 17 MB.
_CHUNK = 32


class WaitingItem(NamedTuple, Generic[Item]):
    """An item whose next call is due at a time, None if it waits to be released, and why."""

    item: Item
    until: float | None
    reason: WaitReason


class _StreamCursor(Struct):
    """A stream, and the position up to which its items were read."""

    stream: CustomerStream
    read_up_to: int = 0


class CustomerQueue(Struct, Generic[Item], eq=False):
    """The items of one customer: ``returned`` ones were taken before, ``parked`` ones wait for a parent, by its number.

    ``in_flight`` counts the items that workers have, ``waiting`` are those due later, by the schedule's numbers for them;
    ``is_ready``: the customer is in the ring.
    """

    customer_id: str
    source: ItemSource[Item]
    returned: deque[Item] = field(default_factory=deque)
    parked: dict[int, list[Item]] = field(default_factory=dict)
    in_flight: int = 0
    waiting: dict[int, WaitingItem[Item]] = field(default_factory=dict)
    held_until: float = float("-inf")
    is_ready: bool = False
    _fresh: deque[Item] = field(default_factory=deque)
    _streams: deque[_StreamCursor] = field(default_factory=deque)

    @property
    def has_next(self) -> bool:
        """Return whether there may be an item to hand out."""
        return bool(self.returned or self._fresh or self._streams)

    @property
    def is_empty(self) -> bool:
        """Return whether no item is left, neither here nor in flight."""
        return not (self.has_next or self.in_flight or self.waiting or self.parked)

    def begin(self, stream: CustomerStream) -> None:
        """Append the items of a stream."""
        self._streams.append(_StreamCursor(stream))

    def next(self) -> Item | None:
        """Remove and return the next item, a returned one before any fresh one."""
        if self.returned:
            return self.returned.popleft()
        while not self._fresh and self._streams:
            cursor = self._streams[0]
            items = self.source.rows(cursor.stream, cursor.read_up_to, _CHUNK)
            self._fresh.extend(items)
            if len(items) < _CHUNK:
                self._streams.popleft()
            else:
                cursor.read_up_to = items[-1].position
        return self._fresh.popleft() if self._fresh else None

    def drop_unsent(self) -> None:
        """Drop the items without calls on record."""
        # An earlier process may have sent some of those that were not read yet.
        unread = [
            item for cursor in self._streams for item in self.source.items_with_calls(cursor.stream, cursor.read_up_to)
        ]
        self.returned = deque(item for item in (*self.returned, *self._fresh, *unread) if item.has_calls)
        self._streams.clear()
        self._fresh.clear()

    def drain(self) -> list[Item]:
        """Remove and return the parked and the returned items."""
        items = [*(item for parked in self.parked.values() for item in parked), *self.returned]
        self.parked.clear()
        self.returned.clear()
        return items
