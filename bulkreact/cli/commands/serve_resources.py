"""What one server has for itself: its folders, their lock, and its port."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import Timeout

from bulkreact.cli.output.terminal import echo
from bulkreact.errors import AlreadyRunningError, InputRefusedError
from bulkreact.runs import store
from bulkreact.system_lock import system_lock
from bulkreact.timestamps import iso_milliseconds, utc_now
from bulkreact.wording import describe_error

_LOCK = "serve.lock"


def make_folders(reports: Path, data: Path) -> None:
    """Make both folders, the one for data private; InputRefusedError if that is impossible."""
    try:
        reports.mkdir(parents=True, exist_ok=True)
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        data.chmod(0o700)
    except OSError as error:
        raise InputRefusedError(
            f"The folder {data} cannot be written: {describe_error(error)}. Choose others with --reports and --data."
        ) from None


def end_sessions(data: Path) -> None:
    """Sign everybody out, also while a server runs."""
    from bulkreact.web.records import Actor  # noqa: PLC0415 - only where it is needed
    from bulkreact.web.store import STORE_NAME, RecordStore  # noqa: PLC0415

    record = RecordStore(data / STORE_NAME)
    record.delete_sessions()
    record.audit(Actor(name=store.operator()), "signed-out", "everybody", iso_milliseconds(utc_now()))
    record.close()
    echo("Everybody is signed out.", err=True)


@contextmanager
def only_server(data: Path) -> Iterator[None]:
    """Hold the lock of the data folder."""
    lock = system_lock(data / _LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise AlreadyRunningError(
            f"Another server has the folder {data}. End it first, or choose another folder with --data."
        ) from None
    except OSError as error:
        raise InputRefusedError(
            f"The folder {data} cannot be used: {describe_error(error)}. Choose another with --data."
        ) from None
    with lock:
        yield


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens at an address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        if os.name != "nt":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise InputRefusedError(
                f"Port {port} of {host} cannot be used: {describe_error(error)}. Choose another with --port."
            ) from None
        yield listener
