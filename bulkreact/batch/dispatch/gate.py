"""How many items a queue may hand out: all, a limited number at a time, one, or none before a given time. No I/O."""

from typing import Generic

from msgspec import Struct

from bulkreact.batch.row_source import Item


class Gate(Struct, Generic[Item], eq=False):
    """Lets items through; times are monotonic.

    ``one_at_a_time`` since ``closed_at``: the next item follows only when ``current`` is returned.
    """

    held_until: float = float("-inf")
    one_at_a_time: bool = False
    closed_at: float = float("-inf")
    current: Item | None = None

    def close(self, now: float, current: Item | None = None) -> None:
        """Let one item through at a time from now on; ``current`` is one that is on its way."""
        self.closed_at = now
        if not self.one_at_a_time:
            self.one_at_a_time = True
            self.current = current

    def open(self, started: float) -> bool:
        """Let all items through if a call was answered that started after the gate was closed; return whether it was."""
        opens = self.one_at_a_time and started >= self.closed_at
        if opens:
            self.one_at_a_time = False
            self.current = None
        return opens

    def admits(self, now: float) -> bool:
        """Return whether another item may be handed out."""
        return now >= self.held_until and (not self.one_at_a_time or self.current is None)

    def admits_further(self, item: Item, now: float) -> bool:
        """Return whether an item that was handed out earlier may still be sent."""
        return now >= self.held_until and (not self.one_at_a_time or self.current is item)

    def record_taken(self, item: Item) -> None:
        """Record that an item was handed out."""
        if self.one_at_a_time:
            self.current = item

    def record_returned(self, item: Item) -> None:
        """Record that an item came back."""
        if self.current is item:
            self.current = None
