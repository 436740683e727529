"""Connections on which an answer can only be the one to the request: aiohttp would take whatever comes next."""

import asyncio
import errno
import re
import select
from collections.abc import Callable
from functools import partial
from ssl import SSLContext
from weakref import WeakSet

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientRequest,
    ClientResponse,
    ClientResponseError,
    ClientTimeout,
    TCPConnector,
)
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

# So much is kept of an answer in case that aiohttp refuses to read its headers.
_HEAD_LENGTH = 1 << 16
_STATUS_LINE = re.compile(r"HTTP/1\.[01] ([2-5]\d\d)\b", re.ASCII)
# Connections on which an answer has come.
_answered: WeakSet[ResponseHandler] = WeakSet()


class UnreadableHeadersError(ClientError):
    """An answer has headers that are too long or too many: its status, and those that came first by lower-case name."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        super().__init__("unreadable headers")
        self.status = status
        self.headers = headers


class _HeadKeeper(ResponseHandler):
    """Keeps the beginning of the latest answer."""

    head = b""
    _poll: Callable[[int], list[tuple[int, int]]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Prepare to ask the system whether something has come, where that is possible: not on Windows."""
        super().connection_made(transport)
        connected_socket = transport.get_extra_info("socket")
        if connected_socket and hasattr(select, "poll"):
            poller = select.poll()
            poller.register(connected_socket, select.POLLIN)
            self._poll = poller.poll

    def has_nothing_unread(self) -> bool:
        """Return whether the socket certainly has neither data nor an end that the event loop has not read yet.

        To let the event loop look takes two of its turns, a tenth of what a call costs.
        """
        return self._poll is not None and not self._poll(0)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if len(self.head) < _HEAD_LENGTH:
            self.head += data[:_HEAD_LENGTH]
        super().data_received(data)


def _make_head_keeper(loop: asyncio.AbstractEventLoop) -> ResponseHandler:
    return _HeadKeeper(loop)


class CheckedConnector(TCPConnector):
    """Closes connections on which something came that no request had asked for, instead of using them again."""

    def __init__(self, *, limit: int, ssl: SSLContext | bool) -> None:
        super().__init__(limit=limit, ssl=ssl)
        self._factory = partial(_make_head_keeper, self._loop)
        self._reuses = True

    def stop_reusing(self) -> None:
        """Make a new connection for every call: on a used one, answers came to other calls than theirs."""
        self._reuses = False

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> Connection:  # noqa: ASYNC109 - as aiohttp declares it
        """Return a connection without unread data, from the pool or a new one."""
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol, is_new = connection.protocol, connection.protocol not in _answered
            if not (isinstance(protocol, _HeadKeeper) and protocol.has_nothing_unread()):
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
                    if isinstance(protocol, _HeadKeeper):
                        protocol.head = b""
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
        """Read status and headers; UnreadableHeadersError if only the status and some headers can be read."""
        protocol = self._used_protocol = connection.protocol
        self.is_reused = protocol in _answered
        try:
            await super().start(connection)
        except ClientResponseError as error:
            if isinstance(protocol, _HeadKeeper) and (partly_read := _read_head(protocol.head)):
                raise partly_read from error
            raise
        if self._used_protocol is not None:
            _answered.add(self._used_protocol)
        return self

    def discard(self) -> None:
        """Close the response and its connection."""
        self.close()
        if self._used_protocol is not None:
            self._used_protocol.close()


def _read_head(head: bytes) -> UnreadableHeadersError | None:
    """Return what the beginning of an answer says, None if it is none."""
    # The last line may be cut.
    first, *lines = head.decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")[:-1] or [""]
    match = _STATUS_LINE.match(first)
    fields = (line.partition(":") for line in lines)
    return UnreadableHeadersError(int(match[1]), {n.lower(): v.strip() for n, _, v in fields}) if match else None
