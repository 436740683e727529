"""Finds transactions that a journal's write-ahead log has, but SQLite would pass over: it reads up to the first bad frame.

After a crash only the end of a log is bad: its last transaction, or one that was never committed. See "WAL-mode File
Format", https://www.sqlite.org/walformat.html.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from struct import Struct, iter_unpack
from typing import Literal

_HEADER = Struct(">8I")
_FRAME = Struct(">6I")
_MAGIC, _BIG_ENDIAN = 0x377F0682, 1
_PAGE_SIZES = frozenset(1 << power for power in range(9, 17))
_LARGEST = 0xFFFFFFFF

_Order = Literal["<", ">"]
_Checksum = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Frame:
    """One page in the log; ``commits``: it ends a transaction. ``is_current``: of the log's present generation."""

    content: bytes
    commits: bool
    is_current: bool
    checksum: _Checksum


def damage_of_log(database: Path) -> str:
    """Return what is wrong with the log of a database, empty if nothing is; OSError if it cannot be read."""
    path = database.with_name(f"{database.name}-wal")
    try:
        log = path.read_bytes()
        while log_is_damaged(log):
            # A process may have written to it while it was read.
            before, log = log, path.read_bytes()
            if log == before:
                return "transactions are missing in its log"
    except FileNotFoundError:
        pass
    return ""


def log_is_damaged(log: bytes) -> bool:
    """Return whether committed transactions follow a bad frame, or a bad header, which no crash can leave behind."""
    if len(log) <= _HEADER.size:
        return False
    magic, _, page_size, _, *salts, first, second = _HEADER.unpack_from(log)
    order: _Order = ">" if magic & _BIG_ENDIAN else "<"
    checksum = _add(log[:24], (0, 0), order)
    if magic & ~_BIG_ENDIAN != _MAGIC or page_size not in _PAGE_SIZES or checksum != (first, second):
        return True
    frames = _frames(log, page_size, (salts[0], salts[1]))
    rest: list[_Frame] = []
    for frame in frames:
        checksum = _add(frame.content, checksum, order)
        if not frame.is_current or checksum != frame.checksum:
            rest = [frame, *frames]
            break
    return any(before.commits and after.is_current for before, after in pairwise(rest))


def _frames(log: bytes, page_size: int, salts: _Checksum) -> Iterator[_Frame]:
    size = _FRAME.size + page_size
    for begin in range(_HEADER.size, len(log) - size + 1, size):
        _, database_size, first_salt, second_salt, first, second = _FRAME.unpack_from(log, begin)
        content = log[begin : begin + 8] + log[begin + _FRAME.size : begin + size]
        yield _Frame(content, database_size > 0, (first_salt, second_salt) == salts, (first, second))


def _add(content: bytes, checksum: _Checksum, order: _Order) -> _Checksum:
    """Add content to a running checksum, as SQLite does: over pairs of integers of 32 bits."""
    first, second = checksum
    for even, odd in iter_unpack(f"{order}II", content):
        first = (first + even + second) & _LARGEST
        second = (second + odd + first) & _LARGEST
    return first, second
