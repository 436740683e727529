"""Runs coroutines: the program's only entry into asyncio."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


def run_async(main: Coroutine[object, object, T], /) -> T:
    """Run a coroutine to completion in a new event loop."""
    return asyncio.run(main)
