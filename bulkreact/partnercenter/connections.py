"""Connections on which an answer can only be the one to the request: aiohttp would take whatever comes next."""

import asyncio
import errno
from ssl import SSLContext
from weakref import WeakSet

from aiohttp import ClientConnectorError, ClientRequest, ClientResponse, ClientTimeout, TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

# Connections on which an answer has come.
_answered: WeakSet[ResponseHandler] = WeakSet()


class CheckedConnector(TCPConnector):
    """Closes connections on which something came that no request had asked for, instead of using them again."""

    def __init__(self, *, limit: int, ssl: SSLContext | bool) -> None:
        super().__init__(limit=limit, ssl=ssl)
        self._reuses = True

    def stop_reusing(self) -> None:
        """Make a new connection for every call: on a used one, answers came to other calls than theirs."""
        self._reuses = False

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> Connection:  # noqa: ASYNC109 - as aiohttp declares it
        """Return a connection without unread data, from the pool or a new one."""
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol, is_new = connection.protocol, connection.protocol not in _answered
            try:
                # The first turn of the event loop polls the sockets, at the second what they had has been read.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            except BaseException:
                connection.close()
                raise
            if protocol is not None and protocol.is_connected():
                if protocol.should_close:
                    self.stop_reusing()
                elif is_new or self._reuses:
                    return connection
            connection.close()
            if is_new:
                cause = ConnectionAbortedError(errno.ECONNABORTED, "closed, or answered, before anything was asked")
                raise ClientConnectorError(req.connection_key, cause)


class DiscardableResponse(ClientResponse):
    """A response whose connection can be closed even after it has been given back, as soon as the body was complete.

    ``is_reused``: other answers have come on the connection before.
    """

    is_reused = False
    _used_protocol: ResponseHandler | None = None

    async def start(self, connection: Connection) -> ClientResponse:
        """Read status and headers."""
        self._used_protocol, self.is_reused = connection.protocol, connection.protocol in _answered
        await super().start(connection)
        if self._used_protocol is not None:
            _answered.add(self._used_protocol)
        return self

    def discard(self) -> None:
        """Close the response and its connection."""
        self.close()
        if self._used_protocol is not None:
            self._used_protocol.close()
