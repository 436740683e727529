"""Which lock a command takes before it calls the partner."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from bulkreact.batch.edges import iso
from bulkreact.batch.lock import partner_lock
from bulkreact.cli.state import state_folder
from bulkreact.settings import Service


@contextmanager
def locked(service: Service, tenant_id: str) -> Iterator[Callable[[str], None]]:
    """Hold the partner's lock, and yield what is told the run's id; a simulated run needs none.

    ``tenant_id`` is empty when nobody knows it.
    """
    if service.simulated:
        yield lambda _run: None
        return
    now = iso(datetime.now(UTC))
    with partner_lock(state_folder() / "locks", base_url=service.base_url, tenant_id=tenant_id, now=now) as tell:
        yield tell
