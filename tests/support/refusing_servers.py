"""Servers and proxies that no call gets through: they refuse the connection, the handshake or the tunnel."""

import asyncio
import ssl
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import trustme

# A TLS record with a ServerHello of TLS 1.0, and one with the alert "protocol version".
_HELLO_BODY = b"\x03\x01" + b"r" * 32 + b"\x00" + b"\xc0\x13" + b"\x00"
OLD_SERVER_HELLO = b"\x16\x03\x01" + (len(_HELLO_BODY) + 4).to_bytes(2) + b"\x02" + len(_HELLO_BODY).to_bytes(3)
OLD_SERVER_HELLO += _HELLO_BODY
VERSION_ALERT = b"\x15\x03\x01\x00\x02\x02\x46"
PLAIN_HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


class Fault(StrEnum):
    """What is wrong with a certificate."""

    EXPIRED = "expired"
    OTHER_HOST = "other host"
    UNKNOWN_AUTHORITY = "unknown authority"


def faulty_tls(fault: Fault, authority: trustme.CA) -> ssl.SSLContext:
    """Return a context to serve localhost with a certificate that has a fault."""
    issuer = trustme.CA() if fault is Fault.UNKNOWN_AUTHORITY else authority
    host = "other.example" if fault is Fault.OTHER_HOST else "localhost"
    age = timedelta(days=-1 if fault is Fault.EXPIRED else 30)
    leaf = issuer.issue_cert(host, not_before=datetime.now(UTC) - timedelta(days=9), not_after=datetime.now(UTC) + age)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


@dataclass
class RefusingServer:
    """A server that gives the same bytes to each connection; ``received`` are the first bytes of each."""

    answer: bytes
    port: int = 0
    connections: int = 0
    received: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection and close it."""
        with suppress(ConnectionError, ssl.SSLError):
            if first := await reader.read(65536):
                self.received.append(first)
                writer.write(self.answer)
                await writer.drain()
        writer.close()


@contextmanager
def refusing(
    loop: asyncio.AbstractEventLoop, answer: bytes = b"", *, tls: ssl.SSLContext | None = None
) -> Iterator[RefusingServer]:
    """Serve in a loop that runs in another thread; a connection counts as soon as it is accepted."""
    server = RefusingServer(answer)

    def accept() -> asyncio.StreamReaderProtocol:
        server.connections += 1
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=loop), server.serve, loop=loop)

    def run(work: Awaitable[asyncio.Server]) -> asyncio.Server:
        async def wait() -> asyncio.Server:
            return await work

        return asyncio.run_coroutine_threadsafe(wait(), loop).result(60)

    listener = run(loop.create_server(accept, "127.0.0.1", 0, ssl=tls))
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(listener.close)
