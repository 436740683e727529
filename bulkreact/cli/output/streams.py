"""The standard streams of the program: what cannot be shown is escaped, and what cannot be written is no bug."""

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

from bulkreact.errors import OutputNotWrittenError
from bulkreact.wording import DescribedError, describe_error

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STANDARD = (0, 1, 2)
_LINE_END = ord("\n")
# Windows has no EPIPE.
_READER_LEFT = {errno.EPIPE, errno.ECONNRESET} | ({errno.EINVAL} if os.name == "nt" else set())


class OutputChannel(io.BufferedIOBase):
    """The bytes of a standard stream; ``raw`` is None if it was closed when the program started."""

    name = ""

    def __init__(self, raw: io.RawIOBase | io.BufferedIOBase | None) -> None:
        self._raw = raw
        self._in_line = False

    def writable(self) -> bool:
        """Return true, as a text stream expects."""
        return True

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self._raw is not None and self._raw.isatty()

    def fileno(self) -> int:
        """Return the descriptor; OSError if there is none."""
        return self._open().fileno()

    def _open(self) -> io.RawIOBase | io.BufferedIOBase:
        if self._raw is None:
            raise DescribedError("it is closed")
        return self._raw

    def _send(self, data: memoryview) -> None:
        """Write all of the data; OSError if that is not possible."""
        raw = self._open()
        while data:
            written = raw.write(data)
            if written is None:
                # Another process has made the descriptor non-blocking, and the reader is slow.
                select.select([], [raw], [])
                continue
            self._in_line = data[written - 1] != _LINE_END
            data = data[written:]


class MessageChannel(OutputChannel):
    """Standard error: what cannot be written is left out, and changes nothing.

    ``failure`` says why something could not be written; it is empty if everything could.
    """

    name = "<stderr>"
    failure = ""

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write what can be written; return the length of the data."""
        content = bytes(data)
        # A line that a full disk has cut off must not spoil the next one.
        start = b"\n" if self.failure and self._in_line else b""
        try:
            self._send(memoryview(start + content))
        except OSError as error:
            self.failure = self.failure or describe_error(error)
        return len(content)


class DataChannel(OutputChannel):
    """Standard output: data that cannot be written ends the command; what a reader that has left misses does not."""

    name = "<stdout>"
    reader_has_left = False

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write all of the data; OutputNotWrittenError if that is not possible."""
        content = memoryview(data)
        try:
            if not self.reader_has_left:
                self._send(content)
        except OSError as error:
            if error.errno not in _READER_LEFT:
                raise OutputNotWrittenError(
                    f"Standard output could not be written: {describe_error(error)}. Send it elsewhere, or make room, "
                    "then give the command again."
                ) from None
            self.reader_has_left = True
        return content.nbytes


def install_streams() -> None:
    """Let standard output and error of this process escape what they cannot show, and fail as their channels do."""
    for descriptor in _STANDARD:
        _ensure_open(descriptor)
    if sys.stdin is None:
        sys.stdin = open(_STANDARD[0], encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays open
    sys.stdout = _wrap(sys.stdout, DataChannel)
    sys.stderr = _wrap(sys.stderr, MessageChannel, line_buffering=True)


def message_failure() -> str:
    """Return why messages could not be written to standard error, empty if all could."""
    channel = sys.stderr.buffer
    return channel.failure if isinstance(channel, MessageChannel) else ""


def reader_has_left() -> bool:
    """Return whether nobody reads standard output any more."""
    channel = sys.stdout.buffer
    return isinstance(channel, DataChannel) and channel.reader_has_left


def _ensure_open(descriptor: int) -> None:
    """Open the null device as a standard descriptor that is closed: the next file would get its number, and its output."""
    try:
        os.fstat(descriptor)
    except OSError:
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _wrap(stream: TextIO | None, channel: type[OutputChannel], *, line_buffering: bool = False) -> TextIO:
    if stream is None:
        return io.TextIOWrapper(channel(None), "utf-8", "backslashreplace", line_buffering=line_buffering)
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    buffer = stream.buffer
    raw = buffer.raw if isinstance(buffer, io.BufferedWriter) else buffer
    return io.TextIOWrapper(
        channel(raw),
        stream.encoding,
        "backslashreplace",
        line_buffering=line_buffering or stream.line_buffering,
    )
