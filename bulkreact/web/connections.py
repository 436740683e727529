"""Limits the connections to a server, and closes those over which no request comes."""

import asyncio
from collections.abc import Callable

from bulkreact.web.uploads import SILENCE_SECONDS

_MOST = 500


class ConnectionLimits:
    """The connections of a server; those in ``answering`` have a request that is being answered."""

    def __init__(self, *, most: int = _MOST, silence: float = SILENCE_SECONDS) -> None:
        self.answering: set[asyncio.BaseTransport] = set()
        self.open = 0
        self.most = most
        self.silence = silence

    def limit(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """Return a factory of protocols that keep to the limits."""
        return lambda: _LimitedConnection(make(), self)


class _LimitedConnection(asyncio.Protocol):
    """A connection that is closed when it is one too many, or silent while a request is awaited."""

    def __init__(self, inner: asyncio.Protocol, limits: ConnectionLimits) -> None:
        self._inner = inner
        self._limits = limits
        self._transport: asyncio.BaseTransport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, unless there are too many."""
        self._limits.open += 1
        self._transport = transport
        self._inner.connection_made(transport)
        if self._limits.open > self._limits.most:
            transport.close()
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Pass bytes on."""
        self._watch()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass the end of the client's bytes on."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Pass on that the client reads too slowly."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the client reads again."""
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._limits.open -= 1
        if self._timer:
            self._timer.cancel()
        self._inner.connection_lost(exc)

    def _watch(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._limits.silence, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self._transport in self._limits.answering:
            self._watch()
        elif self._transport:
            self._transport.close()
