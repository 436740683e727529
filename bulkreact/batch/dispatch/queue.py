"""The order of calls: customers take turns, held and waiting items step aside, memory stays flat."""

import asyncio
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Generic

from bulkreact.batch.dispatch.customer_queue import CustomerQueue
from bulkreact.batch.row_source import CustomerStream, Item, RowSource

ACTIVE_CUSTOMERS = 1024
WAITING_ROWS = 10_000


class Queue(Generic[Item]):
    """Hands items to workers; every item taken is handed back by ``done``, ``wait``, ``park`` or ``put_back``.

    ``active_customers`` is how many of them wait for their turn at a time, apart from those in flight.
    """

    def __init__(
        self,
        source: RowSource[Item],
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
        self._lines: dict[str, CustomerQueue[Item]] = {}
        self._ring: deque[CustomerQueue[Item]] = deque()
        self._due: list[tuple[float, int, CustomerQueue[Item], Item | None]] = []
        self._sequence = count()
        self._held_until = float("-inf")
        self._takers: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def take(self) -> Item | None:
        """Return the next item that may be sent, waiting for one; None when there will be no more."""
        while not self._closed:
            if item := self.take_now():
                return item
            if self.empty:
                self.close()
                break
            taker = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            self._set_timer()
            await taker
        return None

    def take_now(self) -> Item | None:
        """Return an item that may be sent at this moment, or None."""
        now = self._clock()
        self._release_due(now)
        if self._closed or now < self._held_until:
            return None
        self._activate()
        passed_over: list[CustomerQueue[Item]] = []
        item = None
        while self._ring and item is None:
            line = self._ring.popleft()
            if len(self._due) >= WAITING_ROWS and not line.again:
                passed_over.append(line)
                continue
            line.is_ready = False
            if line.held_until > now:
                continue
            item = line.next()
            if item and item.due > now:
                line.waiting += 1
                heappush(self._due, (item.due, next(self._sequence), line, item))
                item = None
            line.in_flight += item is not None
            self._make_ready(line)
            self._remove_if_empty(line)
            self._activate()
        self._ring.extendleft(reversed(passed_over))
        return item

    def may_send(self, item: Item) -> bool:
        """Tell whether an item taken before its turn may still be sent now."""
        line = self._lines[item.customer_id]
        if self._closed or (self.is_dropped(item.customer_id) and not item.begun):
            return False
        return self._clock() >= max(self._held_until, line.held_until)

    def done(self, item: Item) -> None:
        """Take note that an item was settled."""
        self._leave(item)

    def put_back(self, item: Item) -> None:
        """Take back an item that was not sent; a dropped one has been settled meanwhile."""
        line = self._lines[item.customer_id]
        if item.begun or not self.is_dropped(item.customer_id):
            line.again.appendleft(item)
        self._leave(item)

    def wait(self, item: Item, until: float) -> None:
        """Take back an item whose next call is due at a time."""
        line = self._lines[item.customer_id]
        line.waiting += 1
        heappush(self._due, (until, next(self._sequence), line, item))
        self._leave(item)

    def requeue_first(self, item: Item) -> None:
        """Take back an item whose next call is due now, and let it be the very next: what it was told grows old."""
        line = self._lines[item.customer_id]
        line.again.appendleft(item)
        self._leave(item)
        if line.is_ready:
            self._ring.remove(line)
            self._ring.appendleft(line)

    def add(self, item: Item) -> None:
        """Take in an item that comes from no stream."""
        line = self._queue_of(item.customer_id)
        line.waiting += 1
        heappush(self._due, (item.due, next(self._sequence), line, item))
        self._wake_all()

    def park(self, item: Item, awaited: int) -> None:
        """Take back an item that waits for what is released under a number."""
        self._lines[item.customer_id].parked.setdefault(awaited, []).append(item)
        self._leave(item)

    def release(self, customer_id: str, awaited: int) -> None:
        """Let the items of a customer go on that wait for a number, parked ones and those of the stream below it."""
        line = self._queue_of(customer_id)
        line.again.extend(line.parked.pop(awaited, []))
        self._begin(CustomerStream(customer_id, below=awaited))
        self._wake_all()

    def unpark(self, customer_id: str, awaited: int) -> list[Item]:
        """Forget the items that are parked under a number, and return them."""
        line = self._lines.get(customer_id)
        if line is None:
            return []
        items = line.parked.pop(awaited, [])
        self._remove_if_empty(line)
        self._wake()
        return items

    def parked(self, customer_id: str, awaited: int) -> list[Item]:
        """Return the items that are parked under a number."""
        line = self._lines.get(customer_id)
        return list(line.parked.get(awaited, ())) if line else []

    def awaited(self, customer_id: str | None) -> list[int]:
        """Return the numbers that items of a customer (None: of anybody) are parked under."""
        if customer_id is None:
            return [number for line in self._lines.values() for number in line.parked]
        line = self._lines.get(customer_id)
        return list(line.parked) if line else []

    def hold_customer(self, customer_id: str, until: float) -> None:
        """Send nothing for a customer before a time."""
        if line := self._lines.get(customer_id):
            line.held_until = max(line.held_until, until)
            heappush(self._due, (line.held_until, next(self._sequence), line, None))
            self._set_timer()

    def hold_everybody(self, until: float) -> None:
        """Send nothing at all before a time."""
        self._held_until = max(self._held_until, until)
        self._set_timer()

    def drop_unsent(self, customer_id: str) -> None:
        """Forget the items of a customer that were never sent."""
        # Streams of the customer may begin later on.
        self._dropped.add(customer_id)
        line = self._lines.get(customer_id)
        if line is None:
            return
        line.drop_unsent()
        self._make_ready(line)
        self._remove_if_empty(line)
        self._wake()

    def drop(self, customer_id: str) -> list[Item]:
        """Forget the items of a customer that are not in flight; return those among them that were sent before."""
        line = self._lines.get(customer_id)
        if line is None:
            self._dropped.add(customer_id)
            return []
        begun = [item for _, _, owner, item in self._due if owner is line and item]
        self._due = sorted(item for item in self._due if item[2] is not line or item[3] is None)
        line.waiting = 0
        self.drop_unsent(customer_id)
        begun.extend(line.take_kept())
        self._remove_if_empty(line)
        self._wake()
        return begun

    def drop_everybody(self) -> list[Item]:
        """Forget all items that are not in flight; return those among them that were sent before."""
        upcoming = [self._upcoming, *self._streams] if self._upcoming else []
        begun = [item for stream in upcoming for item in self._source.begun(stream, 0)]
        self._upcoming = None
        self._all_dropped = True
        return begun + [item for customer_id in list(self._lines) for item in self.drop(customer_id)]

    def is_dropped(self, customer_id: str) -> bool:
        """Tell whether what was never sent of a customer is forgotten."""
        return self._all_dropped or customer_id in self._dropped

    @property
    def empty(self) -> bool:
        """Tell whether no item is left, neither here nor in flight."""
        return not self._lines and self._upcoming is None

    def is_only_customer(self, customer_id: str) -> bool:
        """Tell whether no other customer has items left."""
        return self._upcoming is None and all(name == customer_id for name in self._lines)

    def held(self, now: float) -> float:
        """Return the seconds for which everybody is still held."""
        return max(0.0, self._held_until - now)

    def held_customers(self, now: float) -> int:
        """Return how many customers are held at present."""
        return sum(line.held_until > now for line in self._lines.values())

    @property
    def waiting(self) -> int:
        """Return how many items wait for the time of their next call."""
        return sum(line.waiting for line in self._lines.values())

    def close(self) -> None:
        """Hand out no more items."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
        while self._takers:
            self._release_taker()

    def _leave(self, item: Item) -> None:
        line = self._lines[item.customer_id]
        line.in_flight -= 1
        self._make_ready(line)
        self._remove_if_empty(line)
        self._wake()

    def _make_ready(self, line: CustomerQueue[Item]) -> None:
        """Put a line into the ring when an item of it may be sent."""
        may = line.in_flight < self._per_customer and line.held_until <= self._clock()
        if may and not line.is_ready and line.has_next:
            line.is_ready = True
            self._ring.append(line)

    def _remove_if_empty(self, line: CustomerQueue[Item]) -> None:
        """Forget a line that has nothing left."""
        if line.is_empty:
            self._lines.pop(line.customer_id, None)

    def _activate(self) -> None:
        # Customers all of whose items wait for their time do not count: others must not wait for them.
        while self._upcoming and len(self._ring) < self._active_customers and len(self._due) < WAITING_ROWS:
            stream = self._upcoming
            if stream.band > self._band and self._ring:
                return
            self._band = stream.band
            self._upcoming = next(self._streams, None)
            self._begin(stream)

    def _begin(self, stream: CustomerStream) -> None:
        line = self._queue_of(stream.customer_id)
        if self.is_dropped(stream.customer_id):
            line.again.extend(self._source.begun(stream, 0))
        else:
            line.begin(stream)
        self._make_ready(line)
        self._remove_if_empty(line)

    def _queue_of(self, customer_id: str) -> CustomerQueue[Item]:
        if customer_id not in self._lines:
            self._lines[customer_id] = CustomerQueue(customer_id, self._source)
        return self._lines[customer_id]

    def _release_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, _, line, item = heappop(self._due)
            if item:
                line.waiting -= 1
                line.again.append(item)
            self._make_ready(line)

    def _wake(self) -> None:
        self._release_taker()
        if self.empty:
            self.close()

    def _wake_all(self) -> None:
        """Let every taker look again: more than one item may be ready."""
        for _ in range(len(self._takers)):
            self._release_taker()
        self._set_timer()

    def _release_taker(self) -> None:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return

    def _set_timer(self) -> None:
        """Wake takers at the next moment at which an item can become ready."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        moments = [self._due[0][0]] if self._due else []
        if self._held_until > self._clock():
            moments.append(self._held_until)
        if moments and self._takers:
            delay = max(0.0, min(moments) - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._clock()
        self._release_due(now)
        self._wake_all()
