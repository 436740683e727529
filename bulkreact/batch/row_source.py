"""What a queue hands out, and where that comes from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class CustomerStream:
    """Items of one customer that come one after the other.

    Streams of a higher ``band`` are begun when nothing of a lower one is ready any more. ``below`` is what the items of
    the stream wait for; such a stream is begun when that is there.
    """

    customer_id: str
    band: int = 0
    parent: int | None = None


class _Item(Protocol):
    """What a queue must know of what it hands out.

    It is handed out for the first time when it is ``due``, in the order of the ``place`` in its stream; one that is
    ``begun`` is never simply forgotten.
    """

    @property
    def position(self) -> int: ...

    @property
    def due(self) -> float: ...

    @property
    def customer_id(self) -> str: ...

    @property
    def begun(self) -> bool: ...


Item = TypeVar("Item", bound=_Item)
Item_co = TypeVar("Item_co", bound=_Item, covariant=True)


class RowSource(Protocol[Item_co]):
    """Where the items come from: the journal's open rows, or those whose activation is watched."""

    def streams(self) -> Iterator[CustomerStream]:
        """Yield the streams that wait for nothing, in the order in which they are to be begun."""
        ...

    def rows(self, stream: CustomerStream, after: int, limit: int) -> Sequence[Item_co]:
        """Return the next items of a stream behind a place."""
        ...

    def begun(self, stream: CustomerStream, after: int) -> Sequence[Item_co]:
        """Return those items of a stream behind a place that are begun already."""
        ...
