"""Receives files: counted while they are written, hashed, and under a clean name on disk."""

import asyncio
import os
import re
import unicodedata
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Protocol

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from msgspec import Struct

from bulkreact.web.refusals import RequestRefusedError, bad_field
from bulkreact.web.texts import format_bytes

SILENCE_SECONDS = 30.0
# What reading a body raises that stalls, breaks off, or is not as its head says.
UNREADABLE = (
    *(ValueError, LookupError, AssertionError),
    *(TimeoutError, ConnectionError, HttpProcessingError, web.RequestPayloadError),
)
# What a form may have beside its file.
FORM_BYTES = 1 << 16
CHUNK = 1 << 18
_SHOWN_LENGTH = 200
_NAME_LENGTH = 80
_UNSAFE = re.compile(r"[^\w .-]", re.ASCII)
_SUFFIXES = re.compile(r"(?:\.[A-Za-z0-9]{1,5}){0,2}\Z", re.ASCII)
# Windows has devices of these names, with any extension.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)", re.ASCII | re.IGNORECASE)


class ReceivedFile(Struct, frozen=True):
    """A file that has arrived as a whole: its name for people, its name on disk, its size and hash."""

    path: Path
    name: str
    disk_name: str
    bytes: int
    sha256: str


class Chunks(Protocol):
    """The part of a request that has the file."""

    async def read_chunk(self, size: int) -> bytes:
        """Return the next bytes, none at the end."""
        ...


def display_name(given: str) -> str:
    """Return a file's name for people: the last part of what the browser sent, without control characters."""
    last = re.split(r"[/\\]", given)[-1]
    return "".join(char for char in last if unicodedata.category(char) != "Cc").strip()


def clean_name(name: str) -> str:
    """Return a file's name on disk: letters, digits, space and ``. _ -``, the extension kept, no leading dot."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    safe = _UNSAFE.sub("_", ascii_name).rstrip(". ")
    match = _SUFFIXES.search(safe)
    suffix = match[0] if match else ""
    stem = safe[: len(safe) - len(suffix)].lstrip(". ")[: _NAME_LENGTH - len(suffix) - 1] or "file"
    cleaned = stem + suffix
    return f"_{cleaned}" if _DEVICES.match(cleaned) else cleaned


def check_length(length: int | None, most: int) -> None:
    """Raise RequestRefusedError unless the size of a body is known and its file can be small enough."""
    if length is None:
        raise RequestRefusedError("no-length", "The browser does not say how large the file is. Use another browser.")
    if length > most + FORM_BYTES:
        raise too_large(most)


def too_large(most: int) -> RequestRefusedError:
    """Return the refusal of a file that is too large."""
    return RequestRefusedError(
        "too-large",
        f"The file has more than {format_bytes(most)}, which is the most that this server takes. "
        "Split it, or ask the server's administrator.",
        field="file",
    )


async def receive(part: Chunks, given_name: str | None, path: Path, most: int) -> ReceivedFile:
    """Write a file as it comes; whoever calls this removes what is left of it after an error."""
    name = display_name(given_name or "")
    if not name:
        raise bad_field("file", "No file was chosen. Choose one, then send it.")
    with path.open("xb") as file:
        size, digest = 0, sha256()
        async for chunk in read_chunks(part):
            size += len(chunk)
            if size > most:
                raise too_large(most)
            await asyncio.to_thread(_write, file, digest, chunk)
        await asyncio.to_thread(_sync, file)
    return ReceivedFile(path, name[:_SHOWN_LENGTH].strip(), clean_name(name), size, digest.hexdigest())


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def _write(file: BinaryIO, digest: _Hash, chunk: bytes) -> None:
    file.write(chunk)
    digest.update(chunk)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


async def read_chunks(part: Chunks) -> AsyncIterator[bytes]:
    """Yield a file as it comes; RequestRefusedError if it stops coming."""
    while True:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                chunk = await part.read_chunk(CHUNK)
        except UNREADABLE:
            raise bad_field("file", "The file stopped coming. Send it again.") from None
        if not chunk:
            return
        yield chunk
