"""Orders calls: customers take turns, paused and waiting items do not block others, and memory stays flat."""

from collections.abc import Callable
from typing import Generic

from bulkreact.batch.dispatch.customer_queue import CustomerQueue
from bulkreact.batch.dispatch.customer_ring import CustomerRing
from bulkreact.batch.dispatch.gate import Gate
from bulkreact.batch.dispatch.in_flight_limit import InFlightLimit
from bulkreact.batch.dispatch.schedule import Schedule
from bulkreact.batch.dispatch.wait_state import describe_waits
from bulkreact.batch.dispatch.waiters import Waiters
from bulkreact.batch.environment import WaitReason, WaitState
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
        self._clock = clock
        self._customers = CustomerRing(
            source, per_customer=per_customer, active_customers=active_customers, clock=clock
        )
        self._schedule: Schedule[Item] = Schedule()
        self._gate: Gate[Item] = Gate()
        self._in_flight = 0
        self.limit = InFlightLimit()
        self._waiters = Waiters(clock, self._on_time)
        self._closed = False

    async def take(self) -> Item | None:
        """Wait for the next item that may be sent and return it; None if there will be no more."""
        while not self._closed:
            if item := self.take_now():
                return item
            if self.empty:
                self.close()
                break
            if self._schedule.has_suspended and not self.has_other_work(in_flight=0):
                self.release_suspended()
                continue
            waiter = self._waiters.join()
            self._set_timer()
            await waiter
        return None

    def take_now(self) -> Item | None:
        """Return an item that may be sent now, or None."""
        now = self._clock()
        self._release_due(now)
        if self._closed or not self._gate.admits(now) or self._in_flight >= self.limit.calls:
            return None
        skipped: list[CustomerQueue[Item]] = []
        item = None
        while item is None and (customer := self._next_ready()):
            if self._schedule.size >= WAITING_ITEMS and not customer.returned:
                skipped.append(customer)
            else:
                item = self._take_from(customer, now)
        self._customers.ready.extendleft(reversed(skipped))
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

    def wait(self, item: Item, until: float, reason: WaitReason = WaitReason.BUSY) -> None:
        """Take back an item whose next call is due at a given time, for a reason that is only shown."""
        customer = self._customers[item.customer_id]
        self._schedule.add(customer, until, item, reason)
        self._return(customer, item)

    def requeue_first(self, item: Item) -> None:
        """Requeue an item at the front: the ETag it just read expires soon."""
        customer = self._customers[item.customer_id]
        customer.returned.appendleft(item)
        self._return(customer, item)
        self._customers.move_to_front(customer)

    def park(self, item: Item, parent: int) -> None:
        """Take back an item until its parent is released."""
        customer = self._customers[item.customer_id]
        customer.parked.setdefault(parent, []).append(item)
        self._return(customer, item)

    def add(self, item: Item) -> None:
        """Add an item that does not come from a stream."""
        self._schedule.add(self._customers[item.customer_id], item.due, item, WaitReason.ACTIVATION)
        self._wake_all()

    def release(self, customer_id: str, parent: int) -> None:
        """Hand out the items that wait for a parent: the parked ones and those of its stream."""
        customer = self._customers[customer_id]
        customer.returned.extend(customer.parked.pop(parent, []))
        self._customers.begin(CustomerStream(customer_id, parent=parent))
        self._wake_all()

    def unpark(self, customer_id: str, parent: int) -> list[Item]:
        """Remove and return the items parked under a parent."""
        customer = self._customers[customer_id]
        items = customer.parked.pop(parent, [])
        self._customers.refresh(customer)
        self._wake()
        return items

    def parked_items(self, customer_id: str, parent: int) -> list[Item]:
        """Return the items parked under a parent."""
        customer = self._customers.get(customer_id)
        return list(customer.parked.get(parent, ())) if customer else []

    def awaited_parents(self, customer_id: str | None) -> list[int]:
        """Return the parents that items of a customer (None: of any) are parked under."""
        customers = self._customers if customer_id is None else [self._customers.get(customer_id)]
        return [parent for customer in customers if customer for parent in customer.parked]

    def hold_customer(self, customer_id: str, until: float) -> None:
        """Send nothing for a customer before a given time."""
        if customer := self._customers.get(customer_id):
            customer.held_until = max(customer.held_until, until)
            self._schedule.add_hold(customer)
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

    def record_answer(self, beside: int) -> None:
        """Record an answer to a call beside so many others, after which one more item may be handed out."""
        if self.limit.record_answer(beside):
            self._waiters.wake_one()

    def suspend(self, item: Item) -> None:
        """Take back an item until ``release_suspended``, or until there is nothing else to do."""
        customer = self._customers[item.customer_id]
        self._schedule.suspend(customer, item)
        self._return(customer, item)

    def release_suspended(self) -> None:
        """Hand out the suspended items."""
        released = self._schedule.release_suspended()
        for customer in released:
            self._customers.refresh(customer)
        if released:
            self._wake_all()

    def has_other_work(self, *, in_flight: int) -> bool:
        """Return whether there is work besides a number of items in flight and the suspended ones."""
        return bool(
            self._in_flight > in_flight
            or self._schedule.times
            or self._customers.has_upcoming
            or any(customer.has_next for customer in self._customers)
        )

    def drop_unsent(self, customer_id: str) -> None:
        """Drop the items of a customer without calls on record, also those of streams that start later."""
        self._customers.drop(customer_id)
        if customer := self._customers.get(customer_id):
            customer.drop_unsent()
            self._customers.refresh(customer)
            self._wake()

    def drop(self, customer_id: str) -> list[Item]:
        """Drop the items of a customer that are not in flight; return those with calls on record."""
        self._customers.drop(customer_id)
        customer = self._customers[customer_id]
        with_calls = self._schedule.remove(customer)
        customer.drop_unsent()
        with_calls.extend(customer.drain())
        self._customers.refresh(customer)
        self._wake()
        return with_calls

    def drop_all(self) -> list[Item]:
        """Drop all items that are not in flight; return those with calls on record."""
        with_calls = self._customers.drop_upcoming()
        return with_calls + [item for customer in list(self._customers) for item in self.drop(customer.customer_id)]

    def is_dropped(self, customer_id: str) -> bool:
        """Return whether the items of a customer without calls on record are dropped."""
        return self._customers.is_dropped(customer_id)

    @property
    def empty(self) -> bool:
        """Return whether no item is left, neither here nor in flight."""
        return self._customers.is_empty

    def is_only_customer(self, customer_id: str) -> bool:
        """Return whether no other customer has items left."""
        customers = self._customers
        return not customers.has_upcoming and all(other.customer_id == customer_id for other in customers)

    def wait_state(self, now: float, *, open_rows: int, otherwise: WaitReason) -> WaitState:
        """Return what waits, for a number of rows that are not settled; see describe_waits."""
        return describe_waits(
            self._customers,
            now=now,
            held_until=self._gate.held_until,
            unaccounted=open_rows - self._in_flight,
            otherwise=otherwise,
            has_upcoming=self._customers.has_upcoming,
        )

    def close(self) -> None:
        """Hand out no more items."""
        self._closed = True
        self._wake_all()

    def _next_ready(self) -> CustomerQueue[Item] | None:
        # Customers whose items all wait do not count: new customers must not wait for them.
        return self._customers.next_ready(may_begin=self._schedule.size < WAITING_ITEMS)

    def _take_from(self, customer: CustomerQueue[Item], now: float) -> Item | None:
        customer.is_ready = False
        item = customer.next() if customer.held_until <= now else None
        if item and item.due > now:
            self._schedule.add(customer, item.due, item, WaitReason.ACTIVATION)
            item = None
        customer.in_flight += item is not None
        self._in_flight += item is not None
        self._customers.refresh(customer)
        return item

    def _return(self, customer: CustomerQueue[Item], item: Item) -> None:
        customer.in_flight -= 1
        self._in_flight -= 1
        self._gate.record_returned(item)
        self._customers.refresh(customer)
        self._wake()

    def _release_due(self, now: float) -> None:
        for customer in self._schedule.release_due(now):
            self._customers.refresh(customer)

    def _wake(self) -> None:
        self._waiters.wake_one()
        if self.empty:
            self.close()

    def _wake_all(self) -> None:
        self._waiters.wake_all()
        self._set_timer()

    def _set_timer(self) -> None:
        """Wake waiters when the next item can become ready."""
        held_until = self._gate.held_until
        self._waiters.schedule([*self._schedule.times, *([held_until] if held_until > self._clock() else [])])

    def _on_time(self) -> None:
        self._release_due(self._clock())
        self._wake_all()
