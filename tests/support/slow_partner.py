"""A partner that accepts every reactivation after some time, knows nothing of the program, and keeps what came."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.support.background_loop import listening

_ECHOED = ("MS-RequestId", "MS-CorrelationId")


@dataclass
class SlowPartner:
    """Answers after ``latency`` seconds; ``ids`` are the request ids that came for each path."""

    latency: float
    base_url: str = ""
    ids: dict[str, set[str]] = field(default_factory=dict)

    async def answer(self, request: web.Request) -> web.Response:
        """Accept a call."""
        self.ids.setdefault(request.path, set()).add(request.headers["MS-RequestId"])
        await asyncio.sleep(self.latency)
        return web.Response(status=202, headers={name: request.headers[name] for name in _ECHOED})


@asynccontextmanager
async def slow_partner(latency: float) -> AsyncIterator[SlowPartner]:
    """Serve on a free port."""
    partner = SlowPartner(latency)
    app = web.Application()
    app.router.add_route("POST", "/{path:.*}", partner.answer)
    async with listening(app) as partner.base_url:
        yield partner
