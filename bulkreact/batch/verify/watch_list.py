"""The watches of a journal's accepted rows, as the queue reads them."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from http import HTTPStatus

from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.watched_rows import WatchSelection, load_watch
from bulkreact.batch.row_source import CustomerStream
from bulkreact.batch.verify.activation import ActivationWatch, AutoRenewRestore
from bulkreact.batch.verify.subscription_watch import SubscriptionWatch
from bulkreact.models import AutoRenew, Status

_WITHOUT_LIMIT = -1
_NOT_RESTORED = frozenset({AutoRenew.OFF, AutoRenew.UNTOUCHED})


class WatchList:
    """The rows of a journal to be watched, by customer and subscription.

    ``due`` returns when to read a row first that was accepted at a time (None: not known). ``everything`` watches all
    accepted rows, ``restoring`` at least those whose auto-renewal is to be switched on again.
    """

    def __init__(
        self,
        journal: JournalReader,
        *,
        due: Callable[[datetime | None], float],
        everything: bool = True,
        restoring: bool = False,
    ) -> None:
        self._journal = journal
        self._due = due
        self._restoring = restoring
        self._selection = WatchSelection(journal, everything=everything, restoring=restoring)

    def count(self) -> int:
        """Return how many rows are watched."""
        return self._selection.count()

    def streams(self) -> Iterator[CustomerStream]:
        """Yield the customers with watched rows, in the order of the input."""
        yield from map(CustomerStream, self._selection.customers())

    def rows(self, stream: CustomerStream, after: int, limit: int) -> list[SubscriptionWatch]:
        """Return a customer's next watches, in the order of their first rows."""
        groups = self._selection.groups(stream.customer_id, after, limit)
        return [load_subscription(self._journal, rows, due=self._due, restoring=self._restoring) for rows in groups]

    def begun(self, stream: CustomerStream, after: int) -> list[SubscriptionWatch]:
        """Return all watches of a customer after a position: their rows were all sent."""
        return self.rows(stream, after, _WITHOUT_LIMIT)


def load_subscription(
    journal: JournalReader,
    ordinals: Sequence[int],
    *,
    due: Callable[[datetime | None], float],
    restoring: bool = False,
) -> SubscriptionWatch:
    """Return the watch of one subscription's rows as the journal has them; its position is that of the first."""
    rows = {row.target.entitlement_id: row for row in (load_watch(journal, ordinal) for ordinal in ordinals)}
    target = next(iter(rows.values())).target
    subscription = rows.get("")
    finished = [row.outcome.call.finished_at for row in rows.values() if row.outcome.call]
    accepted = max(filter(None, finished), default=None)
    location, restore, is_updated = "", None, False
    if subscription:
        location, outcome = subscription.location, subscription.outcome
        if restoring and subscription.restore_auto_renew and outcome.auto_renew in _NOT_RESTORED:
            restore = AutoRenewRestore(intent=subscription.restore_attempts)
            http_status = outcome.call and outcome.call.answer.http_status
            is_updated = outcome.status is Status.REACTIVATED or http_status == HTTPStatus.OK
    return SubscriptionWatch(
        ordinals[0],
        target.customer_id,
        rows,
        ActivationWatch(target.subscription_id, location),
        # A finished update needs no time to take effect.
        due=float("-inf") if is_updated else due(datetime.fromisoformat(accepted) if accepted else None),
        restore=restore,
    )
