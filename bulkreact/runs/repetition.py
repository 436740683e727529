"""Calls functions at regular intervals from the event loop."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def repeating(seconds: float, action: Callable[[], None]) -> Iterator[None]:
    """Call a function at regular intervals within the context, from the event loop."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle

    def act() -> None:
        nonlocal timer
        timer = loop.call_later(seconds, act)
        action()

    timer = loop.call_later(seconds, act)
    try:
        yield
    finally:
        timer.cancel()


def loop_time() -> float:
    """Return the time of the running event loop in seconds."""
    return asyncio.get_running_loop().time()
