"""Standard streams that fail: at once, or after a number of bytes, as disks get full and readers leave."""

import io
from errno import ENOSPC, EPIPE
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# None: the stream was closed before the program started.
FAILURES = {"full": ENOSPC, "reader gone": EPIPE, "closed": None}


class FailingRaw(io.RawIOBase):
    """Takes ``room`` bytes, then fails; more room can be made."""

    def __init__(self, error: int, room: int = 0) -> None:
        self.taken, self.room, self._error = b"", room, error

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        content = bytes(data)[: self.room]
        if not content:
            raise OSError(self._error, "made up")
        self.taken, self.room = self.taken + content, self.room - len(content)
        return len(content)


def failing_stream(name: str, *, room: int = 0) -> TextIO | None:
    """Return a stream with one of the failures."""
    error = FAILURES[name]
    return None if error is None else io.TextIOWrapper(io.BufferedWriter(FailingRaw(error, room)), "utf-8")
