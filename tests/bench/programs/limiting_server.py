"""Answers 202 within a limit and 429 above it, in a process of its own, and keeps when every call came.

It knows nothing of bulkreact. It says its port, and ends when its standard input does.
"""

import asyncio
import json
import math
import sys
import time
from collections import deque
from dataclasses import dataclass, field

from aiohttp import web

_CUSTOMER = 3


@dataclass
class Partner:
    """The limit, and the calls so far; refused ones count against no window."""

    calls: int
    window: float
    sliding: bool
    throttled: str
    throttled_seconds: float
    arrivals: list[tuple[float, str, int]] = field(default_factory=list)
    began: float = 0.0
    used: int = 0
    recent: deque[float] = field(default_factory=deque)

    def wait(self, customer: str, now: float) -> float:
        """Return how long a caller must wait, 0 when the call is taken."""
        if not self.arrivals:
            self.began = now
        first = self.arrivals[0][0] if self.arrivals else now
        if customer == self.throttled and now < first + self.throttled_seconds:
            return first + self.throttled_seconds - now
        if not self.calls:
            return 0.0
        return self._slide(now) if self.sliding else self._step(now)

    def _step(self, now: float) -> float:
        if now >= self.began + self.window:
            self.began += self.window * ((now - self.began) // self.window)
            self.used = 0
        if self.used >= self.calls:
            return self.began + self.window - now
        self.used += 1
        return 0.0

    def _slide(self, now: float) -> float:
        while self.recent and self.recent[0] <= now - self.window:
            self.recent.popleft()
        if len(self.recent) >= self.calls:
            return self.recent[0] + self.window - now
        self.recent.append(now)
        return 0.0

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Answer a call."""
        if request.method == "GET":
            return web.json_response(self.arrivals)
        now, customer = time.time(), request.path.split("/")[_CUSTOMER]
        wait = self.wait(customer, now)
        self.arrivals.append((now, customer, 429 if wait else 202))
        if wait:
            return web.Response(status=429, headers={"Retry-After": str(math.ceil(wait))})
        return web.Response(status=202)


async def main() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    partner = Partner(**json.loads(sys.argv[1]))
    server = await loop.create_server(web.Server(partner.answer), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - how it is found
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
