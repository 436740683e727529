"""Files and bodies that are to take the server down: each is refused in words, and the page answers meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bulkreact.web import page_request, uploads
from tests.support import bombs
from tests.support.web_page import OwnPage, serving_page, table

pytestmark = pytest.mark.soak

FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "line.csv.gz": (lambda: bombs.endless_line(3), "unpacks to more than"),
    "rows.csv.gz": (lambda: bombs.many_rows(3), "rows"),
    "nested.xlsx": (lambda: bombs.nested_archive(5), "is a zip archive, and no workbook"),
    "entries.xlsx": (lambda: bombs.many_entries(10**6), "has more than 10,000 parts"),
    "laughs.xlsx": (bombs.laughing_workbook, "defines entities of its own"),
}


class Bystander:
    """Somebody else, who looks at a live page and whether the server is well, again and again."""

    def __init__(self, page: OwnPage, number: int) -> None:
        self._page = page
        self._number = number
        self.answers = 0

    async def look(self) -> None:
        """Look once."""
        live = await self._page.get(f"/api/jobs/{self._number}/live")
        healthy = await self._page.get("/healthz")
        assert (live.status, healthy.status) == (200, 200)
        self.answers += 1

    async def look_during(self, work: Awaitable[str]) -> str:
        """Look until work is done, at least once; return what it returned."""
        task = asyncio.ensure_future(work)
        while not task.done():
            await self.look()
        return await task


@asynccontextmanager
async def bystander(folder: Path) -> AsyncIterator[tuple[OwnPage, Bystander]]:
    """Yield a page and somebody who looks at a job of its."""
    async with serving_page(folder, max_upload=100_000_000) as page:
        yield page, Bystander(page, await page.ready(table(1)))


@pytest.mark.parametrize("name", FILES)
async def test_a_file_that_is_a_bomb_is_unusable_and_the_page_answers_meanwhile(tmp_path: Path, name: str) -> None:
    make, part = FILES[name]

    async def send() -> str:
        response = await page.upload(make(), name)
        assert response.status == 201
        return str((await page.wait_for(2, "unusable", "ready"))["refused"]["message"])

    async with bystander(tmp_path) as (page, other):
        message = await other.look_during(send())
        assert part in message
        assert other.answers


def head(page: OwnPage, kind: str, *lines: str) -> bytes:
    """Return the head of a POST to the jobs."""
    cookie = "; ".join(f"{cookie.key}={cookie.value}" for cookie in page.client.cookie_jar)
    host = page.origin.removeprefix("http://")
    fixed = (
        "POST /jobs HTTP/1.1",
        f"Host: {host}",
        f"Cookie: {cookie}",
        f"Content-Type: {kind}",
        "Accept: application/json",
    )
    return "\r\n".join([*fixed, "Sec-Fetch-Site: same-origin", *lines, "", ""]).encode()


async def converse(page: OwnPage, sent: bytes, more: bytes = b"") -> str:
    """Send bytes, then others for as long as the server takes them; return the first line of its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(page.origin.rpartition(":")[2]))
    writer.write(sent)
    answer = asyncio.ensure_future(reader.readline())
    while more and not answer.done():
        writer.write(more)
        try:
            await writer.drain()
        except ConnectionError:
            break
        await asyncio.sleep(0)
    line = await answer
    writer.close()
    return line.decode().strip()


MULTIPART = "multipart/form-data; boundary=x"
FIELD = b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n'
FILE = b"""\
--x\r
Content-Disposition: form-data; name="csrf"\r
\r
TOKEN\r
--x\r
Content-Disposition: form-data; name="form_id"\r
\r
53f1de5e-0000-4000-8000-00000000000a\r
--x\r
Content-Disposition: form-data; name="file"; filename="a.csv"\r
\r
customer_id
"""
BODIES = {
    "endless": (MULTIPART, ("Transfer-Encoding: chunked",), b"", b"10000\r\n" + b"a" * 0x10000 + b"\r\n"),
    "endless preamble": (MULTIPART, ("Content-Length: 99000000",), b"", b"a\r\n" * 20_000),
    "endless field": (MULTIPART, ("Content-Length: 99000000",), FIELD, b"a" * 60_000),
    "slow file": (MULTIPART, ("Content-Length: 900000",), FILE + b"a" * 600_000, b""),
    "endless file": (MULTIPART, ("Content-Length: 99000000",), FILE, b"a" * 60_000),
    "no boundary": ("multipart/form-data", ("Content-Length: 5",), b"hello", b""),
    "slow": (MULTIPART, ("Content-Length: 1000",), FIELD, b""),
    "slow form": ("application/x-www-form-urlencoded", ("Content-Length: 1000",), b"csrf=", b""),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_never_ends_is_refused_and_the_page_answers_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    kind, lines, begin, more = BODIES[name]
    for module in (page_request, uploads):
        monkeypatch.setattr(module, "SILENCE_SECONDS", 1.0)
    async with bystander(tmp_path) as (page, other):
        status = await other.look_during(
            converse(page, head(page, kind, *lines) + begin.replace(b"TOKEN", page.token.encode()), more)
        )
        jobs = (await page.json("/api/jobs"))["jobs"]
        left = list(page.site.folders.incoming.iterdir())
    assert status.split()[1] in {"400", "403", "411", "413"}
    assert ([job["number"] for job in jobs], left) == ([1], [])


async def test_a_file_whose_sender_goes_away_leaves_nothing(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        incoming = page.site.folders.incoming
        _, writer = await asyncio.open_connection("127.0.0.1", int(page.origin.rpartition(":")[2]))
        writer.write(head(page, MULTIPART, "Content-Length: 900000") + FILE.replace(b"TOKEN", page.token.encode()))
        async with asyncio.timeout(60):
            while not list(incoming.iterdir()):
                writer.write(b"a" * 50_000)
                await asyncio.sleep(0.02)
            writer.close()
            while list(incoming.iterdir()):  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.02)
        jobs = (await page.json("/api/jobs"))["jobs"]
    assert jobs == []
