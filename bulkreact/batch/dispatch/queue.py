"""Orders calls: customers take turns, paused and waiting items do not block others, and memory stays flat."""

import asyncio
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Generic

from bulkreact.batch.dispatch.customer_queue import CustomerQueue
from bulkreact.batch.dispatch.gate import Gate, InFlightLimit
from bulkreact.batch.environment import ThrottleState
from bulkreact.batch.row_source import CustomerStream, Item, ItemSource

ACTIVE_CUSTOMERS = 1024
WAITING_ITEMS = 10_000


class Queue(Generic[Item]):
    """Hands items to workers, which return each with ``done``, ``wait``, ``requeue_first``, ``park`` or ``put_back``.

    ``active_customers`` limits how many customers are ready at a time.
    """

    def __init__(
        self,
        source: ItemSource[Item],
        *,
        per_customer: int,
        clock: Callable[[], float],
        active_customers: int = ACTIVE_CUSTOMERS,
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
        self._ready: deque[CustomerQueue[Item]] = deque()
        # Customers by the time at which they have an item to send, or are no longer held; an entry may be outdated.
        self._due: list[tuple[float, int, CustomerQueue[Item]]] = []
        self._waiting = 0
        self._sequence = count()
        self._gate: Gate[Item] = Gate()
        self._in_flight = 0
        self._limit = InFlightLimit()
        self._suspended: list[tuple[CustomerQueue[Item], int]] = []
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def take(self) -> Item | None:
        """Wait for the next item that may be sent and return it; None if there will be no more."""
        while not self._closed:
            if item := self.take_now():
                return item
            if self.empty:
                self.close()
                break
            if self._suspended and not self.has_other_work(in_flight=0):
                self.release_suspended()
                continue
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            self._set_timer()
            await waiter
        return None

    def take_now(self) -> Item | None:
        """Return an item that may be sent now, or None."""
        now = self._clock()
        self._release_due(now)
        if self._closed or not self._gate.admits(now) or self._in_flight >= self._limit.items:
            return None
        skipped: list[CustomerQueue[Item]] = []
        item = None
        while item is None and (customer := self._next_ready()):
            if self._waiting >= WAITING_ITEMS and not customer.returned:
                skipped.append(customer)
            else:
                item = self._take_from(customer, now)
        self._ready.extendleft(reversed(skipped))
        if item:
            self._gate.record_taken(item)
        return item

    def may_send(self, item: Item) -> bool:
        """Return whether an item taken earlier may still be sent."""
        if self._closed or (self.is_dropped(item.customer_id) and not item.has_calls):
            return False
        now = self._clock()
        return self._gate.admits_further(item, now) and now >= self._customers[item.customer_id].held_until

    def done(self, item: Item) -> None:
        """Take back a settled item."""
        self._return(self._customers[item.customer_id], item)

    def put_back(self, item: Item) -> None:
        """Take back an unsent item; if it was dropped meanwhile, it is already settled."""
        customer = self._customers[item.customer_id]
        if item.has_calls or not self.is_dropped(item.customer_id):
            customer.returned.appendleft(item)
        self._return(customer, item)

    def wait(self, item: Item, until: float) -> None:
        """Take back an item whose next call is due at a given time."""
        customer = self._customers[item.customer_id]
        self._schedule(customer, until, item)
        self._return(customer, item)

    def requeue_first(self, item: Item) -> None:
        """Requeue an item at the front: the ETag it just read expires soon."""
        customer = self._customers[item.customer_id]
        customer.returned.appendleft(item)
        self._return(customer, item)
        if customer.is_ready:
            self._ready.remove(customer)
            self._ready.appendleft(customer)

    def park(self, item: Item, parent: int) -> None:
        """Take back an item until its parent is released."""
        customer = self._customers[item.customer_id]
        customer.parked.setdefault(parent, []).append(item)
        self._return(customer, item)

    def add(self, item: Item) -> None:
        """Add an item that does not come from a stream."""
        self._schedule(self._queue_of(item.customer_id), item.due, item)
        self._wake_all()

    def release(self, customer_id: str, parent: int) -> None:
        """Hand out the items that wait for a parent: the parked ones and those of its stream."""
        customer = self._queue_of(customer_id)
        customer.returned.extend(customer.parked.pop(parent, []))
        self._begin(CustomerStream(customer_id, parent=parent))
        self._wake_all()

    def unpark(self, customer_id: str, parent: int) -> list[Item]:
        """Remove and return the items parked under a parent."""
        customer = self._queue_of(customer_id)
        items = customer.parked.pop(parent, [])
        self._refresh(customer)
        self._wake()
        return items

    def parked_items(self, customer_id: str, parent: int) -> list[Item]:
        """Return the items parked under a parent."""
        customer = self._customers.get(customer_id)
        return list(customer.parked.get(parent, ())) if customer else []

    def awaited_parents(self, customer_id: str | None) -> list[int]:
        """Return the parents that items of a customer (None: of any) are parked under."""
        customers = self._customers.values() if customer_id is None else [self._customers.get(customer_id)]
        return [parent for customer in customers if customer for parent in customer.parked]

    def hold_customer(self, customer_id: str, until: float) -> None:
        """Send nothing for a customer before a given time."""
        if customer := self._customers.get(customer_id):
            customer.held_until = max(customer.held_until, until)
            self._schedule(customer, customer.held_until)
            self._set_timer()

    def hold_all(self, until: float) -> None:
        """Send nothing at all before a given time."""
        self._gate.held_until = max(self._gate.held_until, until)
        self._set_timer()

    def send_one_at_a_time(self, current: Item | None = None) -> None:
        """Hand out the next item only when the one before has come back; ``current`` is on its way."""
        self._gate.close(self._clock(), current)

    def send_all(self, started: float) -> None:
        """Hand out items freely again if a call that started since was answered."""
        if self._gate.open(started):
            self._wake_all()

    def halve_limit(self, concurrency: int) -> None:
        """Hand out half as many items at the same time, of as many as there are workers."""
        self._limit.halve(concurrency)

    def raise_limit(self) -> None:
        """Note an answer, which raises the number of items at the same time a little."""
        if self._limit.raise_slowly():
            self._wake_one()

    def suspend(self, item: Item) -> None:
        """Take back an item until ``release_suspended``, or until there is nothing else to do."""
        customer = self._customers[item.customer_id]
        number = next(self._sequence)
        customer.waiting[number] = item
        self._waiting += 1
        self._suspended.append((customer, number))
        self._return(customer, item)

    def release_suspended(self) -> None:
        """Hand out the suspended items."""
        suspended, self._suspended = self._suspended, []
        for customer, number in suspended:
            if item := customer.waiting.pop(number, None):
                self._waiting -= 1
                customer.returned.append(item)
                self._refresh(customer)
        if suspended:
            self._wake_all()

    def has_other_work(self, *, in_flight: int) -> bool:
        """Return whether there is work besides a number of items in flight and the suspended ones."""
        return bool(
            self._in_flight > in_flight
            or self._due
            or self._upcoming
            or any(customer.has_next for customer in self._customers.values())
        )

    def drop_unsent(self, customer_id: str) -> None:
        """Drop the items of a customer without calls on record, also those of streams that start later."""
        self._dropped.add(customer_id)
        if customer := self._customers.get(customer_id):
            customer.drop_unsent()
            self._refresh(customer)
            self._wake()

    def drop(self, customer_id: str) -> list[Item]:
        """Drop the items of a customer that are not in flight; return those with calls on record."""
        self._dropped.add(customer_id)
        customer = self._queue_of(customer_id)
        with_calls = list(customer.waiting.values())
        self._waiting -= len(with_calls)
        customer.waiting.clear()
        customer.drop_unsent()
        with_calls.extend(customer.drain())
        self._refresh(customer)
        self._wake()
        return with_calls

    def drop_all(self) -> list[Item]:
        """Drop all items that are not in flight; return those with calls on record."""
        upcoming = [self._upcoming, *self._streams] if self._upcoming else []
        with_calls = [item for stream in upcoming for item in self._source.items_with_calls(stream, 0)]
        self._upcoming = None
        self._all_dropped = True
        return with_calls + [item for customer_id in list(self._customers) for item in self.drop(customer_id)]

    def is_dropped(self, customer_id: str) -> bool:
        """Return whether the items of a customer without calls on record are dropped."""
        return self._all_dropped or customer_id in self._dropped

    @property
    def empty(self) -> bool:
        """Return whether no item is left, neither here nor in flight."""
        return not self._customers and self._upcoming is None

    def is_only_customer(self, customer_id: str) -> bool:
        """Return whether no other customer has items left."""
        return self._upcoming is None and all(other == customer_id for other in self._customers)

    def throttle_state(self, now: float) -> ThrottleState:
        """Return what is paused."""
        customers = self._customers.values()
        return ThrottleState(
            max(0.0, self._gate.held_until - now),
            sum(customer.held_until > now for customer in customers),
            self._waiting,
        )

    def close(self) -> None:
        """Hand out no more items."""
        self._closed = True
        self._wake_all()

    def _next_ready(self) -> CustomerQueue[Item] | None:
        """Remove the next ready customer from the ring, after adding new ones."""
        # Customers whose items all wait do not count: new customers must not wait for them.
        while self._upcoming and len(self._ready) < self._active_customers and self._waiting < WAITING_ITEMS:
            stream = self._upcoming
            if stream.priority > self._band and self._ready:
                break
            self._band = stream.priority
            self._upcoming = next(self._streams, None)
            self._begin(stream)
        return self._ready.popleft() if self._ready else None

    def _take_from(self, customer: CustomerQueue[Item], now: float) -> Item | None:
        customer.is_ready = False
        item = customer.next() if customer.held_until <= now else None
        if item and item.due > now:
            self._schedule(customer, item.due, item)
            item = None
        customer.in_flight += item is not None
        self._in_flight += item is not None
        self._refresh(customer)
        return item

    def _return(self, customer: CustomerQueue[Item], item: Item) -> None:
        customer.in_flight -= 1
        self._in_flight -= 1
        self._gate.record_returned(item)
        self._refresh(customer)
        self._wake()

    def _refresh(self, customer: CustomerQueue[Item]) -> None:
        """Update a customer after any change: ready if it may send an item, forgotten if it has none."""
        free = customer.in_flight < self._per_customer and customer.held_until <= self._clock()
        if free and customer.has_next and not customer.is_ready:
            customer.is_ready = True
            self._ready.append(customer)
        if customer.is_empty:
            if customer.is_ready:
                customer.is_ready = False
                self._ready.remove(customer)
            if self._customers.get(customer.customer_id) is customer:
                del self._customers[customer.customer_id]

    def _begin(self, stream: CustomerStream) -> None:
        customer = self._queue_of(stream.customer_id)
        if self.is_dropped(stream.customer_id):
            customer.returned.extend(self._source.items_with_calls(stream, 0))
        else:
            customer.begin(stream)
        self._refresh(customer)

    def _queue_of(self, customer_id: str) -> CustomerQueue[Item]:
        if customer_id not in self._customers:
            self._customers[customer_id] = CustomerQueue(customer_id, self._source)
        return self._customers[customer_id]

    def _schedule(self, customer: CustomerQueue[Item], until: float, item: Item | None = None) -> None:
        """Schedule a customer that has an item due at a later time."""
        sequence = next(self._sequence)
        if item:
            customer.waiting[sequence] = item
            self._waiting += 1
        heappush(self._due, (until, sequence, customer))

    def _release_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, sequence, customer = heappop(self._due)
            if item := customer.waiting.pop(sequence, None):
                self._waiting -= 1
                customer.returned.append(item)
            self._refresh(customer)

    def _wake(self) -> None:
        self._wake_one()
        if self.empty:
            self.close()

    def _wake_all(self) -> None:
        """Wake every waiter: more than one item may be ready."""
        while self._waiters:
            self._wake_one()
        self._set_timer()

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _set_timer(self) -> None:
        """Wake waiters when the next item can become ready."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        times = [self._due[0][0]] if self._due else []
        if self._gate.held_until > self._clock():
            times.append(self._gate.held_until)
        if times and self._waiters:
            delay = max(0.0, min(times) - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._release_due(self._clock())
        self._wake_all()
