"""Reads the body of a response, decodes it and cuts it to a length; what cannot be read hides no status."""

import asyncio
import zlib
from contextlib import suppress

from aiohttp import ClientPayloadError, ClientResponse
from aiohttp.hdrs import CONTENT_ENCODING

from bulkreact.partnercenter.protocol import is_business, is_from_service

# What is asked for, and no other encoding that aiohttp would know.
ACCEPTED_ENCODINGS = "gzip, deflate"
# How zlib names its formats; some servers send "deflate" without its header.
_WINDOW_BITS = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}
_UNDECODABLE = b"the body cannot be decoded"
_CHUNK = 1 << 16


async def read_body(response: ClientResponse, cap: int) -> bytes:
    """Return the body, cut to a length; an unreadable one is empty if the status counts without it.

    ClientPayloadError if it broke off and the status may not be the service's.
    """
    if response.content_length == 0:
        # It is complete, and its connection is released.
        return b""
    is_own = is_from_service(response.headers)
    try:
        body = await _read_raw(response, cap)
    except ClientPayloadError:
        if is_own or not is_business(response.status):
            return b""
        raise
    encoding = response.headers.get(CONTENT_ENCODING, "").strip().lower()
    if not body or encoding in {"", "identity"}:
        return body
    decoded = await asyncio.to_thread(_decode, body, encoding, cap)
    if decoded is None:
        # A text is no answer of the service.
        return b"" if is_own else _UNDECODABLE
    return decoded


async def _read_raw(response: ClientResponse, cap: int) -> bytes:
    length = response.content_length
    if length is not None and length < cap:
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) >= cap:
            # Ignore the rest of a longer body; the connection is not reused.
            response.close()
            return bytes(body[:cap])
    return bytes(body)


def _decode(body: bytes, encoding: str, cap: int) -> bytes | None:
    """Return a compressed body as it was, cut to a length; None if it cannot be decoded."""
    for window_bits in _WINDOW_BITS.get(encoding, ()):
        decoder = zlib.decompressobj(window_bits)
        with suppress(zlib.error):
            decoded = decoder.decompress(body, cap)
            if decoder.eof or len(decoded) == cap:
                return decoded
    return None
