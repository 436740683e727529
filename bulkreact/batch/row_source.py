"""The items of a queue, and the source that provides them."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct


class CustomerStream(Struct, frozen=True):
    """Items of one customer, in order.

    ``priority`` 0 comes first: streams of a higher number start when no item of a lower one is ready. A stream with a
    ``parent`` starts when the parent is released.
    """

    customer_id: str
    priority: int = 0
    parent: int | None = None


class _Item(Protocol):
    """An item is released at ``due``, in order of ``position``; one with calls on record is never dropped.

    ``attempts`` is how often its call was made, 0 if that is not counted.
    """

    @property
    def position(self) -> int: ...

    @property
    def due(self) -> float: ...

    @property
    def customer_id(self) -> str: ...

    @property
    def has_calls(self) -> bool: ...

    @property
    def attempts(self) -> int: ...


Item = TypeVar("Item", bound=_Item)
Item_co = TypeVar("Item_co", bound=_Item, covariant=True)


class ItemSource(Protocol[Item_co]):
    """The source of a queue's items, such as the pending rows of a journal."""

    def streams(self) -> Iterator[CustomerStream]:
        """Yield the streams without a parent, in the order in which they start."""
        ...

    def rows(self, stream: CustomerStream, after: int, limit: int) -> Sequence[Item_co]:
        """Return the next items of a stream after a position."""
        ...

    def items_with_calls(self, stream: CustomerStream, after: int) -> Sequence[Item_co]:
        """Return the items of a stream after a position that have calls on record."""
        ...
