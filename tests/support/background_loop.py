"""An event loop in a thread of its own, for servers that answer while the test does something else."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TypeVar

from aiohttp import web

_T = TypeVar("_T")


@contextmanager
def background_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run a loop in another thread; its unfinished tasks are cancelled at the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_tasks(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def serving(loop: asyncio.AbstractEventLoop, server: AbstractAsyncContextManager[_T]) -> Iterator[_T]:
    """Enter and exit an asynchronous context in a loop that runs in another thread."""
    entered = asyncio.run_coroutine_threadsafe(_enter(server), loop).result(60)
    try:
        yield entered
    finally:
        asyncio.run_coroutine_threadsafe(_exit(server), loop).result(60)


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    """Serve an application on a loopback port; yield its URL."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _enter(server: AbstractAsyncContextManager[_T]) -> _T:
    return await server.__aenter__()


async def _exit(server: AbstractAsyncContextManager[_T]) -> None:
    await server.__aexit__(None, None, None)


async def _cancel_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
