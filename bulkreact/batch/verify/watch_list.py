"""The watches of a journal's accepted rows, as a queue source."""

from collections.abc import Iterator

from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.watched_rows import WatchSelection
from bulkreact.batch.row_source import CustomerStream
from bulkreact.batch.verify.subscription_watch import PollSchedule, SubscriptionWatch, watch_rows

_WITHOUT_LIMIT = -1


class WatchList:
    """The rows of a journal to be watched, by customer and subscription.

    ``everything`` watches all accepted rows, ``restoring`` at least those whose auto-renewal is to be restored.
    """

    def __init__(self, journal: JournalReader, schedule: PollSchedule, *, everything: bool, restoring: bool) -> None:
        self._schedule = schedule
        self._restoring = restoring
        self._selection = WatchSelection(journal, everything=everything, restoring=restoring)

    def count(self) -> int:
        """Return how many rows are watched."""
        return self._selection.count()

    def customer_count(self) -> int:
        """Return how many customers have watched rows."""
        return self._selection.customer_count()

    def streams(self) -> Iterator[CustomerStream]:
        """Yield the customers with watched rows, in the order of the input."""
        yield from map(CustomerStream, self._selection.customers())

    def rows(self, stream: CustomerStream, after: int, limit: int) -> list[SubscriptionWatch]:
        """Return a customer's next watches, in the order of their first rows."""
        groups = self._selection.groups(stream.customer_id, after, limit)
        return [watch_rows(rows, self._schedule, restoring=self._restoring) for rows in groups]

    def items_with_calls(self, stream: CustomerStream, after: int) -> list[SubscriptionWatch]:
        """Return all watches of a customer after a position: their rows were all sent."""
        return self.rows(stream, after, _WITHOUT_LIMIT)
