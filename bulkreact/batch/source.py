"""What a queue hands out, and where that comes from."""

from collections.abc import Iterator
from typing import Protocol, TypeVar


class _Item(Protocol):
    """What a queue must know of what it hands out.

    It is handed out for the first time when it is ``due``; one that is ``begun`` is never simply forgotten.
    """

    @property
    def ordinal(self) -> int: ...

    @property
    def due(self) -> float: ...

    @property
    def customer_id(self) -> str: ...

    @property
    def begun(self) -> bool: ...


Item = TypeVar("Item", bound=_Item)


class Source(Protocol[Item]):
    """Where the items come from: the journal's open rows, or those whose activation is watched."""

    def customers(self) -> Iterator[str]:
        """Yield the customers who have items, in the order of the input."""
        ...

    def rows(self, customer_id: str, after: int, limit: int) -> list[Item]:
        """Return the next items of a customer behind an ordinal."""
        ...

    def begun(self, customer_id: str, after: int) -> list[Item]:
        """Return those items of a customer behind an ordinal that are begun already."""
        ...
