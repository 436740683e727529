"""The items of one customer on their way through a queue: handed back, fresh, parked, and those not read yet."""

from collections import deque
from dataclasses import dataclass, field
from typing import Generic

from bulkreact.batch.row_source import CustomerStream, Item, RowSource

_CHUNK = 64


@dataclass(slots=True)
class _StreamCursor:
    """A stream, and the place up to which its items were read."""

    stream: CustomerStream
    read_up_to: int = 0


@dataclass(slots=True)
class CustomerQueue(Generic[Item]):
    """The items of one customer; ``again`` were handed back, ``parked`` wait for another, by what they wait for.

    ``in_flight`` and ``waiting`` count the items that somebody else keeps; ``in_ring`` says that the line has its turn.
    """

    customer_id: str
    source: RowSource[Item]
    again: deque[Item] = field(default_factory=deque)
    parked: dict[int, list[Item]] = field(default_factory=dict)
    in_flight: int = 0
    waiting: int = 0
    held_until: float = float("-inf")
    is_ready: bool = False
    _fresh: deque[Item] = field(default_factory=deque)
    _streams: deque[_StreamCursor] = field(default_factory=deque)

    @property
    def has_next(self) -> bool:
        """Tell whether there may be an item to be handed out."""
        return bool(self.again or self._fresh or self._streams)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is left, neither here nor on its way."""
        return not (self.has_next or self.in_flight or self.waiting or self.parked)

    def begin(self, stream: CustomerStream) -> None:
        """Let the items of a stream follow those that are here."""
        self._streams.append(_StreamCursor(stream))

    def next(self) -> Item | None:
        """Take out the next item, one that was handed back before any that is fresh."""
        if self.again:
            return self.again.popleft()
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
        """Forget the items that were never sent."""
        # An item that an earlier process sent may be among those that were not read yet.
        unread = [item for one in self._streams for item in self.source.begun(one.stream, one.read_up_to)]
        self.again = deque(item for item in (*self.again, *self._fresh, *unread) if item.begun)
        self._streams.clear()
        self._fresh.clear()

    def take_kept(self) -> list[Item]:
        """Take out the items that were parked or handed back."""
        kept = [*(item for items in self.parked.values() for item in items), *self.again]
        self.parked.clear()
        self.again.clear()
        return kept
