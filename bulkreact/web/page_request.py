"""A request of the page: who makes it, its form, and the address of what it is about."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web
from aiohttp.multipart import MultipartReader

from bulkreact.web.jobs import WebJob
from bulkreact.web.permissions import Person
from bulkreact.web.records import Actor, PendingForm
from bulkreact.web.refusals import RequestRefusedError, bad_field
from bulkreact.web.sessions import Session
from bulkreact.web.uploads import SILENCE_SECONDS, UNREADABLE

# The largest number that programs of all kinds read exactly.
LARGEST = 2**53
_DIGITS = len(str(LARGEST))
_FIELD_BYTES = 16_384
_FIELDS = 2000
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class FilePart:
    """The file of an upload; where it ends the form must go on or end, or the rest of the file has not come."""

    form: MultipartReader
    part: BodyPartReader

    async def read_chunk(self, size: int) -> bytes:
        """Return the next bytes, none at the end; ValueError if the form was cut off."""
        chunk = await self.part.read_chunk(size)
        if not chunk:
            await self.form.next()
        return chunk


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, those before the file of an upload, which is read later."""

    fields: Mapping[str, list[str]] = field(default_factory=dict)
    upload: FilePart | None = None
    is_multipart: bool = False

    def get(self, name: str) -> str | None:
        """Return a field's value, None if it was not sent."""
        values = self.fields.get(name)
        return values[0] if values else None

    def text(self, name: str, most: int) -> str:
        """Return a field's text without spaces around it, empty if it was not sent; refuse one that is too long."""
        # Browsers send a line break as two characters, and count it as one.
        value = (self.get(name) or "").replace("\r\n", "\n").strip()
        if len(value) > most:
            raise bad_field(name, f"{name} has {len(value):,} characters; at most {most:,} are kept.")
        return value


@dataclass(frozen=True, slots=True)
class Visit:
    """A request that has passed the guard."""

    request: web.Request
    session: Session | None
    form: Form = field(default_factory=Form)
    loaded: WebJob | None = None
    pending: PendingForm | None = None

    @property
    def person(self) -> Person:
        """Return who makes the request; RequestRefusedError if nobody is signed in."""
        if self.session is None:
            raise RequestRefusedError("signed-out", "Sign in, then try again.")
        return self.session.person

    @property
    def actor(self) -> Actor:
        """Return who is named in the trail."""
        return Actor(self.person.id, self.person.name, self.request.remote or "", self.pending)

    @property
    def job(self) -> WebJob:
        """Return the job that the route is about."""
        if self.loaded is None:
            raise LookupError("the route is about no job")
        return self.loaded

    def query(self, name: str) -> str:
        """Return a parameter of the address, empty if it is not there."""
        return self.request.query.get(name, "").strip()

    def number(self, name: str, *, default: int, most: int) -> int:
        """Return a parameter that is a number."""
        text = self.query(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS or int(text) > most:
            raise bad_field(name, f"{name} is not a number up to {most:,}.")
        return int(text)


def route_of(request: web.Request) -> str:
    """Return the pattern of a request's address, which has nothing of what somebody may have put into it."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else ""


def wants_json(request: web.Request, base: str) -> bool:
    """Return whether a program asks."""
    return request.path.startswith(f"{base}/api/") or "application/json" in request.headers.get("Accept", "")


def json_response(content: Mapping[str, object], status: int = 200) -> web.Response:
    """Return JSON."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return web.Response(text=text, status=status, content_type="application/json")


async def read_form(request: web.Request) -> Form:
    """Read the fields of a form, of an upload those before the file; RequestRefusedError if that is impossible."""
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            if request.content_type == "multipart/form-data":
                return await _read_multipart(await request.multipart())
            if request.content_type == "application/x-www-form-urlencoded":
                return Form(await _read_urlencoded(request))
    except UNREADABLE:
        raise bad_field("form", "The form could not be read. Load the page again.") from None
    return Form()


async def _read_urlencoded(request: web.Request) -> dict[str, list[str]]:
    body = await request.content.read(_FIELD_BYTES * 4 + 1)
    while chunk := await request.content.read(_CHUNK):
        body += chunk
        if len(body) > _FIELD_BYTES * 64:
            raise ValueError("too long")
    fields: dict[str, list[str]] = {}
    pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_FIELDS)
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


async def _read_multipart(reader: MultipartReader) -> Form:
    fields: dict[str, list[str]] = {}
    for _ in range(_FIELDS):
        part = await reader.next()
        if part is None:
            return Form(fields, is_multipart=True)
        if not isinstance(part, BodyPartReader):
            raise ValueError("a part has parts")  # noqa: TRY004 - a broken form
        if part.name == "file":
            return Form(fields, FilePart(reader, part), is_multipart=True)
        value = b""
        while chunk := await part.read_chunk(_FIELD_BYTES):
            value += chunk
            if len(value) > _FIELD_BYTES:
                raise ValueError("too long")
        fields.setdefault(part.name or "", []).append(value.decode("utf-8"))
    raise ValueError("too many fields")


async def drain(request: web.Request, most: int) -> None:
    """Read what is left of a body and throw it away: otherwise browsers show a broken connection instead of the answer."""
    size = 0
    try:
        while size <= most:
            async with asyncio.timeout(SILENCE_SECONDS):
                chunk = await request.content.read(_CHUNK)
            if not chunk:
                return
            size += len(chunk)
    except (*UNREADABLE, web.HTTPException):
        return
