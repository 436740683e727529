"""Which lock a command takes before it calls the partner, and where locks are kept."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from platformdirs import user_state_path

from bulkreact.batch.edges import iso
from bulkreact.batch.lock import partner_lock
from bulkreact.settings import Service


@contextmanager
def locked(service: Service) -> Iterator[Callable[[str], None]]:
    """Hold the partner's lock, and yield what is told the run's id; a simulated run needs none."""
    if service.simulated:
        yield lambda _run: None
        return
    now = iso(datetime.now(UTC))
    with partner_lock(_state() / "locks", base_url=service.base_url, tenant_id="", now=now) as tell:
        yield tell


def _state() -> Path:
    given = os.environ.get("BULKREACT_STATE_DIR")
    return Path(given) if given else user_state_path("bulkreact", appauthor=False)
