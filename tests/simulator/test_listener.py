"""The simulator's port: closed while connections are to be refused, and open again afterwards."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from bulkreact.simulator.listener import HOST, PortListener
from bulkreact.simulator.partnercenter.outages import OutageKind, ScheduledOutage


@contextlib.asynccontextmanager
async def listener() -> AsyncIterator[PortListener]:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    try:
        listener = PortListener(runner, 0, None)
        await listener.open()
        yield listener
    finally:
        await runner.cleanup()


def connect(port: PortListener) -> socket.socket:
    return socket.create_connection((HOST, port.port), 60)


async def test_while_it_is_closed_connections_are_refused_and_open_ones_cut() -> None:
    async with listener() as port:
        with connect(port) as before:
            before.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert await asyncio.to_thread(before.recv, 65536)
            await port.close()
            assert await asyncio.to_thread(before.recv, 1) == b""
        with pytest.raises(ConnectionRefusedError):
            connect(port)


@pytest.mark.parametrize("kind", OutageKind)
async def test_after_an_outage_the_same_port_is_open_again(kind: OutageKind) -> None:
    async with listener() as port:
        number = port.port
        await port.follow([ScheduledOutage(0, 0.01, kind), ScheduledOutage(0.02, 0.03, kind)])
        assert port.port == number
        connect(port).close()


async def test_only_an_outage_that_looks_so_closes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listener() as port:
        closed: list[str] = []

        async def close() -> None:
            closed.append("")

        async def open_again() -> None:
            closed.append("open")

        monkeypatch.setattr(port, "close", close)
        monkeypatch.setattr(port, "open", open_again)
        await port.follow(ScheduledOutage(0, 0, kind) for kind in OutageKind)
        assert closed == ["", "open"]
