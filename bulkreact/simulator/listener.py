"""Listens on a port of this machine, except while connections are to be refused."""

import asyncio
import socket
import ssl
from collections.abc import Iterable
from time import monotonic

from aiohttp import web

from bulkreact.simulator.partnercenter.outages import OutageKind, ScheduledOutage

HOST = "127.0.0.1"


class PortListener:
    """Opens and closes one port for a server; 0 takes a free one."""

    def __init__(self, runner: web.AppRunner, port: int, tls: ssl.SSLContext | None) -> None:
        self.port = port
        self._runner = runner
        self._tls = tls
        self._site: web.SockSite | None = None

    async def open(self) -> None:
        """Accept connections."""
        listener = socket.create_server((HOST, self.port))
        self.port = listener.getsockname()[1]
        self._site = web.SockSite(self._runner, listener, ssl_context=self._tls)
        await self._site.start()

    async def close(self) -> None:
        """Refuse connections, and cut those that are open."""
        if self._site:
            await self._site.stop()
        for connection in self._runner.server.connections if self._runner.server else ():
            if connection.transport:
                connection.transport.abort()

    async def follow(self, outages: Iterable[ScheduledOutage]) -> None:
        """Refuse connections during the outages that look so; their times count from now."""
        began = monotonic()
        for outage in sorted(outages, key=lambda outage: outage.begin):
            if outage.kind is OutageKind.REFUSED:
                await asyncio.sleep(began + outage.begin - monotonic())
                await self.close()
                await asyncio.sleep(began + outage.end - monotonic())
                await self.open()
