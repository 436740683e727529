"""Limits how many connections a server has at once."""

import asyncio
from collections.abc import Callable


class ConnectionLimit:
    """The number of open connections, and the most that there may be."""

    def __init__(self, most: int = 500) -> None:
        self.open = 0
        self.most = most

    def limit(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """Return a factory of protocols of which only so many are connected."""
        return lambda: _CountedConnection(make(), self)


class _CountedConnection(asyncio.Protocol):
    """A connection that is closed at once when it is one too many."""

    def __init__(self, inner: asyncio.Protocol, limit: ConnectionLimit) -> None:
        self._limit = limit
        self._inner = inner
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count a connection."""
        self._limit.open += 1
        self._inner.connection_made(transport)
        if self._limit.open > self._limit.most:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._limit.open -= 1
        self._inner.connection_lost(exc)
