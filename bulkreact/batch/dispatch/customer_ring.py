"""The customers of a queue: those whose turn it is, those with items in flight or waiting, and those still to come."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic

from bulkreact.batch.dispatch.customer_queue import CustomerQueue
from bulkreact.batch.row_source import CustomerStream, Item, ItemSource


class CustomerRing(Generic[Item]):
    """The customers with items; the ``ready`` ones take turns, each with at most ``per_customer`` items in flight.

    Others come out of the source's streams while fewer than ``active_customers`` are ready.
    """

    def __init__(
        self, source: ItemSource[Item], *, per_customer: int, active_customers: int, clock: Callable[[], float]
    ) -> None:
        self._source = source
        self._per_customer = per_customer
        self._active_customers = active_customers
        self._clock = clock
        self._streams = source.streams()
        self._upcoming = next(self._streams, None)
        self._band = 0
        self._dropped: set[str] = set()
        self._all_dropped = False
        self._customers: dict[str, CustomerQueue[Item]] = {}
        self.ready: deque[CustomerQueue[Item]] = deque()

    @property
    def is_empty(self) -> bool:
        """Return whether no customer has items left, and none will come."""
        return not self._customers and self._upcoming is None

    @property
    def has_upcoming(self) -> bool:
        """Return whether more customers come out of the source."""
        return self._upcoming is not None

    def __iter__(self) -> Iterator[CustomerQueue[Item]]:
        """Yield the customers that have come."""
        return iter(self._customers.values())

    def get(self, customer_id: str) -> CustomerQueue[Item] | None:
        """Return a customer, None if it has no items."""
        return self._customers.get(customer_id)

    def __getitem__(self, customer_id: str) -> CustomerQueue[Item]:
        """Return a customer, a new one if it had no items."""
        if customer_id not in self._customers:
            self._customers[customer_id] = CustomerQueue(customer_id, self._source)
        return self._customers[customer_id]

    def next_ready(self, *, may_begin: bool) -> CustomerQueue[Item] | None:
        """Remove the next ready customer from the ring, after adding new ones if streams ``may_begin``."""
        while may_begin and self._upcoming and len(self.ready) < self._active_customers:
            stream = self._upcoming
            if stream.priority > self._band and self.ready:
                break
            self._band = stream.priority
            self._upcoming = next(self._streams, None)
            self.begin(stream)
        return self.ready.popleft() if self.ready else None

    def begin(self, stream: CustomerStream) -> None:
        """Add the items of a stream to its customer: of a dropped one only those with calls on record."""
        customer = self[stream.customer_id]
        if self.is_dropped(stream.customer_id):
            customer.returned.extend(self._source.items_with_calls(stream, 0))
        else:
            customer.begin(stream)
        self.refresh(customer)

    def drop(self, customer_id: str) -> None:
        """Add no more items of a customer without calls on record."""
        self._dropped.add(customer_id)

    def drop_upcoming(self) -> list[Item]:
        """Add no more items at all; return those with calls on record that have not come yet."""
        upcoming = [self._upcoming, *self._streams] if self._upcoming else []
        self._upcoming = None
        self._all_dropped = True
        return [item for stream in upcoming for item in self._source.items_with_calls(stream, 0)]

    def is_dropped(self, customer_id: str) -> bool:
        """Return whether the items of a customer without calls on record are dropped."""
        return self._all_dropped or customer_id in self._dropped

    def refresh(self, customer: CustomerQueue[Item]) -> None:
        """Update a customer after any change: ready if it may send an item, forgotten if it has none."""
        free = customer.in_flight < self._per_customer and customer.held_until <= self._clock()
        if free and customer.has_next and not customer.is_ready:
            customer.is_ready = True
            self.ready.append(customer)
        if customer.is_empty:
            if customer.is_ready:
                customer.is_ready = False
                self.ready.remove(customer)
            if self._customers.get(customer.customer_id) is customer:
                del self._customers[customer.customer_id]

    def move_to_front(self, customer: CustomerQueue[Item]) -> None:
        """Let a customer be the next, if it is ready."""
        if customer.is_ready:
            self.ready.remove(customer)
            self.ready.appendleft(customer)
