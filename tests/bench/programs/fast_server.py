"""Answers 202 to everything, in a process of its own: prints its port, and ends with its standard input."""

import asyncio
import sys

from aiohttp import web


async def _accept(_request: web.BaseRequest) -> web.Response:
    return web.Response(status=202)


async def main() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    server = await loop.create_server(web.Server(_accept), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - how it is found
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
