"""Items whose next call is due later, and customers that are held until a time. No I/O; times are monotonic."""

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Generic

from bulkreact.batch.dispatch.customer_queue import CustomerQueue, WaitingItem
from bulkreact.batch.environment import WaitReason
from bulkreact.batch.row_source import Item


class Schedule(Generic[Item]):
    """Items that wait for their time, and ``suspended`` ones that wait until they are released; ``size`` counts both."""

    def __init__(self) -> None:
        self.size = 0
        # Customers by the time at which they have an item to send, or are no longer held; an entry may be outdated.
        self._due: list[tuple[float, int, CustomerQueue[Item]]] = []
        self._suspended: list[tuple[CustomerQueue[Item], int]] = []
        self._sequence = count()

    @property
    def times(self) -> list[float]:
        """Return the earliest time, if there is one."""
        return [self._due[0][0]] if self._due else []

    @property
    def has_suspended(self) -> bool:
        """Return whether there may be suspended items."""
        return bool(self._suspended)

    def add(self, customer: CustomerQueue[Item], until: float, item: Item, reason: WaitReason) -> None:
        """Add an item that is due at a given time."""
        heappush(self._due, (until, self._store(customer, WaitingItem(item, until, reason)), customer))

    def add_hold(self, customer: CustomerQueue[Item]) -> None:
        """Add a customer that is held."""
        heappush(self._due, (customer.held_until, next(self._sequence), customer))

    def suspend(self, customer: CustomerQueue[Item], item: Item) -> None:
        """Add an item without a time."""
        self._suspended.append((customer, self._store(customer, WaitingItem(item, None, WaitReason.BUSY))))

    def release_due(self, now: float) -> Iterator[CustomerQueue[Item]]:
        """Return the items that are due to their customers, and yield these customers and those no longer held."""
        while self._due and self._due[0][0] <= now:
            _, number, customer = heappop(self._due)
            self._release(customer, number)
            yield customer

    def release_suspended(self) -> list[CustomerQueue[Item]]:
        """Return the suspended items to their customers, and return these."""
        suspended, self._suspended = self._suspended, []
        return [customer for customer, number in suspended if self._release(customer, number)]

    def remove(self, customer: CustomerQueue[Item]) -> list[Item]:
        """Remove and return the items of a customer."""
        items = [waiting.item for waiting in customer.waiting.values()]
        self.size -= len(items)
        customer.waiting.clear()
        return items

    def _store(self, customer: CustomerQueue[Item], waiting: WaitingItem[Item]) -> int:
        number = next(self._sequence)
        customer.waiting[number] = waiting
        self.size += 1
        return number

    def _release(self, customer: CustomerQueue[Item], number: int) -> bool:
        waiting = customer.waiting.pop(number, None)
        if waiting:
            self.size -= 1
            customer.returned.append(waiting.item)
        return waiting is not None
