"""One run per partner at a time: the lock of a base URL and tenant, outside any run's folder."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from bulkreact.errors import AlreadyRunningError, InputRefusedError

_PORTS = {"https": 443, "http": 80}


@contextmanager
def partner_lock(state: Path, *, base_url: str, tenant_id: str, now: str) -> Iterator[Callable[[str], None]]:
    """Hold the lock of a partner and yield what is told the run's id; AlreadyRunningError names who has it.

    ``state`` is the folder for locks. The system releases the lock when the process dies.
    """
    parts = urlsplit(base_url)
    key = f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS[parts.scheme]}{parts.path} {tenant_id}"
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    holder = state / f"{name}.json"
    lock = FileLock(state / f"{name}.lock", mode=0o600)

    def tell(run: str) -> None:
        content = {"pid": os.getpid(), "run": run, "started_at": now}
        holder.write_text(json.dumps(content), encoding="utf-8")

    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(blocking=False)
        tell("a run that is being prepared")
    except Timeout:
        raise AlreadyRunningError(
            f"Another run against {base_url} is active{_described(holder)}. Nothing was sent. "
            "Wait until it has ended, then try again."
        ) from None
    except OSError as error:
        raise InputRefusedError(
            f"The folder for locks, {state}, cannot be written: {error.strerror}. Name another in BULKREACT_STATE_DIR."
        ) from None
    try:
        yield tell
    finally:
        lock.release()


def _described(holder: Path) -> str:
    """Say who holds the lock, as far as it has said so itself."""
    try:
        content = json.loads(holder.read_text(encoding="utf-8"))
        return f": process {content['pid']}, {content['run']}, since {content['started_at']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
