"""The bytes of a file, unpacked if it is compressed, and no more of them than a table has."""

import gzip
import io
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from bulkreact.sheets.input.read_limits import ReadLimits, UnreadableError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CORRUPT = (EOFError, gzip.BadGzipFile, zlib.error)
_BUFFER = 1 << 16


class UnpackedFile(io.RawIOBase):
    """The bytes of a file; UnreadableError as soon as they are too many, or too many for what they were packed in."""

    def __init__(self, path: Path, limits: ReadLimits, *, compressed: bool) -> None:
        try:
            self._packed = path.open("rb")
        except OSError as error:
            raise UnreadableError(f"cannot be read: {error.strerror}.") from None
        self._unpacked = gzip.GzipFile(fileobj=self._packed) if compressed else None
        self._limits = limits
        self._count = 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read the next bytes."""
        try:
            count = (self._unpacked or self._packed).readinto(buffer)
        except _CORRUPT:
            raise UnreadableError("cannot be unpacked: it is damaged or cut off. Compress it again.") from None
        except OSError as error:
            raise UnreadableError(f"cannot be read: {error.strerror}.") from None
        self._count += count
        self._limits.check("bytes", self._count, "{} bytes")
        if self._unpacked:
            self._limits.check_ratio(self._packed.tell(), self._count)
        return count

    def close(self) -> None:
        """Close the file."""
        self._packed.close()
        super().close()


def open_unpacked(path: Path, limits: ReadLimits, *, compressed: bool) -> io.BufferedReader:
    """Open a file for reading its bytes unpacked."""
    return io.BufferedReader(UnpackedFile(path, limits, compressed=compressed), _BUFFER)
