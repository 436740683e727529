"""Takes the locks of a command: for the partner that it calls, or the folder that it sweeps."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from bulkreact.batch.locks import folder_lock, partner_lock
from bulkreact.runs.state_dir import state_folder
from bulkreact.settings import Service
from bulkreact.timestamps import iso_milliseconds, utc_now


def hold_partner_lock(
    service: Service, tenant_id: str, *, on_wait: Callable[[str], None] | None = None
) -> AbstractContextManager[Callable[[str], None]]:
    """Hold the partner's lock, and yield a function that records the run's id in it; a simulated run needs none.

    ``tenant_id`` is empty if unknown. With ``on_wait``, which receives a message, wait for another run.
    """
    if service.simulated:
        return nullcontext(lambda _run: None)
    names = {"base_url": service.base_url, "tenant_id": tenant_id}
    return partner_lock(_locks(), **names, now=_now, on_wait=on_wait)


def hold_inbox_lock(folder: Path) -> AbstractContextManager[None]:
    """Hold the lock of a folder that is being swept."""
    return folder_lock(_locks(), folder, now=_now)


def _locks() -> Path:
    return state_folder() / "locks"


def _now() -> str:
    return iso_milliseconds(utc_now())
