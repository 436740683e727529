"""How much of a file is read before it is refused: an honest one reaches none of these limits. No I/O."""

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct
from msgspec.structs import fields

from bulkreact.errors import FileRefusedError, RefusalCode

# A ratio alone says little of small files.
_ALWAYS_UNPACKED = 16 << 20
# Titles, headers and the like.
_FEW_ROWS = 1000


class UnreadableError(Exception):
    """A file cannot be read; the message is a sentence that begins behind its name and quotes nothing of it."""

    def __init__(self, message: str, code: RefusalCode = RefusalCode.NOT_A_TABLE) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def refusing(name: str) -> Iterator[None]:
    """Raise FileRefusedError if a file cannot be read, or not with the memory that there is."""
    try:
        yield
    except UnreadableError as error:
        raise FileRefusedError.plain(f"{name} {error}", error.code) from None
    except MemoryError:
        raise FileRefusedError.plain(
            f"{name} takes more memory to read than there is. Nothing was sent. Make more available, or split the file."
        ) from None


class ReadLimits(Struct, frozen=True):
    """Limits on one input, apart from ``max_rows``.

    ``bytes`` are unpacked ones, at most ``ratio`` times the packed ones. ``row`` and ``cell`` are characters, ``cells``
    those of the rectangle around a table. ``memory`` in bytes and ``seconds`` are for the process that reads a workbook.
    """

    bytes: int = 4 << 30
    ratio: int = 250
    row: int = 16 << 20
    cell: int = 4 << 20
    columns: int = 16_384
    cells: int = 100_000_000
    sheets: int = 1_000
    parts: int = 10_000
    memory: int = 4 << 30
    seconds: int = 600
    max_rows: int | None = None

    def check(self, name: str, count: int, what: str, remedy: str = "") -> None:
        """Raise UnreadableError if a file has more of something than the limit of a name allows."""
        if count > getattr(self, name):
            raise self.error(name, what, remedy)

    def error(self, name: str, what: str, remedy: str = "") -> UnreadableError:
        """Return the refusal of a file that has more of ``what``, like ``{} columns``, than it may."""
        most = f"{getattr(self, name):,}"
        remedy = remedy or "Check that it is the right file"
        return UnreadableError(
            f"has more than {what.format(most)}. {remedy}; if it is as it should be, raise --read-limit {name}."
        )

    def check_rows(self, count: int) -> None:
        """Raise UnreadableError if so many rows with content are too many, even if every second one is a header."""
        if self.max_rows is not None and count > (most := 2 * self.max_rows + _FEW_ROWS):
            raise UnreadableError(too_many_rows(f"more than {most:,}", self.max_rows), RefusalCode.TOO_MANY_ROWS)

    def check_ratio(self, packed: int, unpacked: int) -> None:
        """Raise UnreadableError if something unpacks to more than any table does."""
        if unpacked > max(_ALWAYS_UNPACKED, packed * self.ratio):
            raise UnreadableError(
                f"unpacks to more than {self.ratio:,} times its size, as no table does. Copy the table alone into a new "
                "file; if it is as it should be, raise --read-limit ratio."
            )


# What the user may change.
LIMIT_NAMES = tuple(field.name for field in fields(ReadLimits) if field.name != "max_rows")


def too_many_rows(count: str, max_rows: int) -> str:
    """Return the refusal of a file with more rows than allowed, without its name."""
    return (
        f"has {count} rows, more than the {max_rows:,} that --max-rows allows. "
        "Check that it is the right file; if it is, raise --max-rows."
    )
