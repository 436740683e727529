"""Forged, foreign and repeated requests are refused, in words, with all headers."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from errno import ENOSPC
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

import pytest
from aiohttp import ClientSession, FormData

from bulkreact.web.app import ACTS, VIEWS
from bulkreact.web.rate_limits import Bucket
from bulkreact.web.request_guard import Act, SignInForm, View
from bulkreact.web.responses import HEADERS
from bulkreact.web.store import RecordStore
from tests.support.web_page import Page, serving_page, table, until

ADDRESSES = {
    "number:[0-9]{1,9}": "1",
    "search:[0-9]{1,9}": "1",
    "name": "x",
    "run": "x",
    "code": "x",
    "extension:csv|xlsx": "csv",
}


def address(route: View | Act | SignInForm) -> str:
    """Return an address of a route."""
    path = route.path
    for pattern, value in ADDRESSES.items():
        path = path.replace(f"{{{pattern}}}", value)
    return path


VIEW_ADDRESSES = [address(view) for view in VIEWS]
ACT_ADDRESSES = [address(act) for act in ACTS]


async def code_of(response: object) -> str:
    """Return the code of a refusal."""
    return str(json.loads(await response.text())["code"])  # type: ignore[attr-defined]


async def test_every_route_answers_at_its_own_host_alone(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        port = page.origin.rpartition(":")[2]
        hosts = ["evil.example", f"127.0.0.1.:{port}", "127.0.0.1", f"evil.example:{port}", ""]
        statuses = {(await page.get(path, Host=host)).status for path in (*VIEW_ADDRESSES, "/none") for host in hosts}
        posted = {(await page.post(path, headers={"Host": "evil.example"})).status for path in ACT_ADDRESSES}
        known = {
            (await page.get("/healthz", Host=f"{name}:{port}")).status for name in ("127.0.0.1", "localhost", "[::1]")
        }
    assert (statuses, posted, known) == ({421}, {421}, {200})


async def test_every_response_has_every_header(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        responses = [await page.get("/", Host="evil.example"), await page.upload(b"x" * 2_000_000)]
        responses += [await page.get(path) for path in (*VIEW_ADDRESSES, "/none", "/jobs/9")]
        responses += [await page.post(path) for path in (*ACT_ADDRESSES, "/healthz", "/none")]
    page_responses = [response for response in responses if "/static/" not in str(response.url)]
    missing = [
        (response.url, name)
        for response in page_responses
        for name, value in HEADERS.items()
        if response.headers.get(name) != value and not (name == "Cache-Control" and "live" in str(response.url))
    ]
    assert missing == []
    assert {response.status for response in responses} >= {200, 404, 405, 413, 421}


async def test_nothing_is_shown_before_signing_in(tmp_path: Path) -> None:
    async with serving_page(tmp_path, signed_in=False) as page:
        guarded = [address(view) for view in VIEWS if view.right is not None]
        pages = [await page.get(path) for path in guarded if not path.startswith("/api/")]
        programs = [await page.get(path) for path in guarded if path.startswith("/api/")]
        acts = [await page.post(path) for path in ACT_ADDRESSES]
    assert {response.headers["Location"].split("?")[0] for response in pages} == {"/auth/sign-in"}
    assert {response.status for response in programs + acts} == {401}


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "", "Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "", "Origin": "null"},
    ],
    ids=str,
)
async def test_forms_of_other_pages_are_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    async with serving_page(tmp_path) as page:
        page.headers = {name: value for name, value in headers.items() if value}
        answers = {
            (response.status, await code_of(response)) for path in ACT_ADDRESSES for response in [await page.post(path)]
        }
        sign_in = await page.post("/auth/token", {"token": page.site.link.token})
    assert answers == {(403, "cross-site")}
    assert sign_in.status == 403


async def test_without_both_headers_the_token_decides(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        page.headers = {}
        accepted = await page.post("/auth/stay")
        refused = [await page.post("/auth/stay", {"csrf": token}) for token in ("", "0" * 64, "é")]
    assert accepted.status == 200
    assert {await code_of(response) for response in refused} == {"bad-token"}


async def test_a_token_is_good_for_its_own_session_alone(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        first = page.token
        await page.sign_in()
        response = await page.post("/auth/stay", {"csrf": first})
    assert first != page.token
    assert await code_of(response) == "bad-token"


async def test_a_form_needs_an_id_which_is_good_for_one_route(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        used = str(uuid4())
        missing = await page.post("/auth/stay", {"form_id": ""})
        first, again = [await page.post("/auth/stay", {"form_id": used}) for _ in range(2)]
        elsewhere = await page.post("/settings/doctor", {"form_id": used})
    assert [response.status for response in (missing, first, again, elsewhere)] == [400, 200, 200, 400]


async def test_many_equal_uploads_make_one_job(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        form_id = str(uuid4())
        responses = await asyncio.gather(*(page.upload(table(1), form_id=form_id) for _ in range(15)))
        locations = {(response.status, (await response.json())["location"]) for response in responses}
        jobs = (await page.json("/api/jobs"))["jobs"]
    assert locations == {(201, "/jobs/1")}
    assert isinstance(jobs, list)
    assert len(jobs) == 1


async def test_twenty_requests_are_answered_at_once(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        responses = await asyncio.gather(*(page.get("/help/accepted") for _ in range(60)))
        polls = await asyncio.gather(*(page.get("/healthz") for _ in range(60)))
    limited = [response for response in responses if response.status == 429]
    assert limited
    assert {int(response.headers["Retry-After"]) for response in limited} == {1}
    assert {response.status for response in polls} == {200}


async def test_the_link_works_once_and_wrong_ones_close_the_door(tmp_path: Path) -> None:
    async with serving_page(tmp_path, signed_in=False) as page:
        token = page.site.link.token
        looks = [(await page.get(f"/auth/token?token={token}")).status for _ in range(3)]
        used = [(await page.post("/auth/token", {"token": token})).status for _ in range(2)]
        guesses = [await page.post("/auth/token", {"token": "guess"}) for _ in range(5)]
        right = await page.post("/auth/token", {"token": page.site.link.token})
    assert (looks, used) == ([200] * 3, [200, 403])
    assert [response.status for response in guesses] == [403] * 4 + [429]
    assert (right.status, right.headers["Retry-After"]) == (429, "60")
    assert page.links == [page.site.link.token]


async def test_a_session_ends_with_signing_out_and_gets_a_new_id_when_signing_in(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        [before] = [cookie.value for cookie in page.client.cookie_jar]
        await page.sign_in()
        [cookie] = list(page.client.cookie_jar)
        await page.post("/auth/sign-out")
        async with ClientSession(cookies={cookie.key: cookie.value}) as copied:
            after = await copied.get(f"{page.origin}/api/session")
    assert before != cookie.value
    assert after.status == 401
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "Lax", "")


async def test_signing_out_twice_at_once_is_answered_alike(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        [cookie] = list(page.client.cookie_jar)
        form = {"csrf": page.token, "form_id": str(uuid4())}
        async with ClientSession(headers={"Cookie": f"{cookie.key}={cookie.value}"}) as copied:
            address = f"{page.origin}/auth/sign-out"
            responses = [await copied.post(address, data=form, allow_redirects=False) for _ in range(2)]
            elsewhere = await copied.post(f"{page.origin}/auth/stay", data=form)
            another = await copied.post(address, data=form | {"form_id": str(uuid4())})
        async with ClientSession() as nobody:
            stranger = await nobody.post(address, data=form)
        events = [line.event for line in page.site.store.audit_lines()]
    assert [(response.status, response.headers["Location"]) for response in responses] == [(303, "/auth/sign-in")] * 2
    assert (elsewhere.status, another.status, stranger.status) == (401, 401, 401)
    assert events == ["signed-in", "signed-out"]


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "/\\evil.example", "https://evil.example", "/%0d%0aX: y\r\n", "/ü", ""]
)
async def test_signing_in_leads_to_no_other_site(tmp_path: Path, wanted: str) -> None:
    async with serving_page(tmp_path, signed_in=False) as page:
        response = await page.post("/auth/token", {"token": page.site.link.token, "next": wanted})
        content = await response.json()
    assert content == {"location": "/"}


async def upload_without_length(page: Page) -> int:
    async def body() -> object:
        yield b"--x\r\n"

    response = await page.client.post(
        f"{page.origin}/jobs", data=body(), headers={"Content-Type": "multipart/form-data; boundary=x", **page.headers}
    )
    return response.status


async def test_an_upload_must_say_its_size_and_keep_to_the_limit(tmp_path: Path) -> None:
    async with serving_page(tmp_path, max_upload=100_000) as page:
        endless = await upload_without_length(page)
        large = await page.upload(b"a" * 100_001)
        far_larger = await page.upload(b"a" * 10_000_000)
        plain = await page.post("/jobs", {"note": "no file"})
        form = FormData({"csrf": page.token, "form_id": str(uuid4())}, default_to_multipart=True)
        without = await page.post("/jobs", form)
        jobs = (await page.json("/api/jobs"))["jobs"]
        left = list(page.site.folders.incoming.iterdir())
    statuses = [endless, large.status, far_larger.status, plain.status, without.status]
    assert (statuses, jobs, left) == ([411, 413, 413, 415, 400], [], [])


async def test_a_bug_is_answered_in_words_with_all_headers_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving_page(tmp_path) as page:
        with patch.object(RecordStore, "find_jobs", side_effect=ValueError("broken")):
            shown, for_programs = await page.get("/jobs"), await page.get("/api/jobs")
            code, text = await code_of(for_programs), await shown.text()
        after = await page.get("/jobs")
    missing = [
        name
        for name, value in HEADERS.items()
        for response in (shown, for_programs)
        if response.headers.get(name) != value
    ]
    assert (shown.status, for_programs.status, code, missing, after.status) == (500, 500, "bug", [], 200)
    assert "bug in bulkreact" in text
    assert "broken" not in text
    assert [record.getMessage() for record in caplog.records] == ["GET /jobs failed", "GET /api/jobs failed"]


async def test_an_upload_that_cannot_be_kept_leaves_nothing(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        with patch("bulkreact.web.uploads._sync", side_effect=OSError(ENOSPC, "No space left on device")):
            refused = await page.upload(table(1))
        code, left = await code_of(refused), list(page.site.folders.incoming.iterdir())
    assert (refused.status, code, left) == (503, "read-only", [])


async def test_an_upload_whose_sender_goes_away_leaves_no_word_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving_page(tmp_path) as page:
        body = form_text(csrf=page.token, form_id=str(uuid4())) + b"a" * 300_000
        [cookie] = page.client.cookie_jar
        head = (
            f"POST /jobs HTTP/1.1\r\nHost: {page.origin.removeprefix('http://')}\r\nContent-Length: 500000\r\n"
            f"Cookie: {cookie.key}={cookie.value}\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n"
        )
        _, writer = await asyncio.open_connection("127.0.0.1", int(page.origin.rpartition(":")[2]))
        writer.write(head.encode() + body)
        incoming = page.site.folders.incoming
        await until(lambda: bool(list(incoming.iterdir())))
        writer.close()
        await until(lambda: not list(incoming.iterdir()))
        jobs = (await page.json("/api/jobs"))["jobs"]
    assert (jobs, caplog.records) == ([], [])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"%(form)s%(file)s\r\n--x--\r\n", 201),
        (b'%(form)s%(file)s\r\n--x\r\nContent-Disposition: form-data; name="note"\r\n\r\nn\r\n--x--', 201),
        (b"%(form)s%(file)s", 400),
        (b"%(form)s%(file)s\r\n--", 400),
        (b"%(form)s", 400),
        (b"%(form)s%(file)s\r\n--y--\r\n", 400),
    ],
)
async def test_a_file_is_whole_where_its_form_goes_on(tmp_path: Path, body: bytes, status: int) -> None:
    async with serving_page(tmp_path) as page:
        form = form_text(csrf=page.token, form_id=str(uuid4()))
        response = await page.client.post(
            f"{page.origin}/jobs",
            data=body % {b"form": form, b"file": table(2)},
            headers={
                "Content-Type": "multipart/form-data; boundary=x",
                "Accept": "application/json",
                **page.headers,
            },
        )
        left = list(page.site.folders.incoming.iterdir())
    assert (response.status, left) == (status, [])


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def form_text(**fields: str) -> bytes:
    parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{fields[name]}\r\n' for name in fields]
    return "".join([*parts, '--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n']).encode()


@pytest.mark.parametrize("is_measured", [True, False])
async def test_an_upload_is_refused_for_its_size_after_token_form_id_and_job(tmp_path: Path, is_measured: bool) -> None:
    async with serving_page(tmp_path, max_upload=100_000) as page:
        token, form_id, codes = page.token, str(uuid4()), []
        for csrf, form, path in [
            ("", form_id, "/jobs"),
            ("a" * 64, form_id, "/jobs"),
            (token, "none", "/jobs"),
            (token, form_id, "/jobs/9/file"),
            (token, form_id, "/jobs"),
        ]:
            sent = [form_text(csrf=csrf, form_id=form), b"a" * 200_000, b"\r\n--x--\r\n"]
            body = b"".join(sent) if is_measured else chunks(*sent)
            kind = {"Content-Type": "multipart/form-data; boundary=x", "Accept": "application/json"}
            response = await page.client.post(page.origin + path, data=body, headers=page.headers | kind)
            codes.append((await response.json(content_type=None))["code"])
    refused = "too-large" if is_measured else "no-length"
    assert codes == ["bad-token", "bad-token", "bad-field", "unknown", refused]


async def test_only_so_many_files_wait_for_their_check_however_many_come_at_once(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        page.site.requests = Bucket(100, 1.0)
        page.site.checks._slots = asyncio.Semaphore(0)
        responses = await asyncio.gather(*(page.upload(table(1)) for _ in range(25)))
        jobs = (await page.json("/api/jobs"))["jobs"]
    refused = [response for response in responses if response.status == 429]
    assert (len(jobs), len(refused)) == (22, 3)
    assert {response.headers["Retry-After"] for response in refused} == {"60"}


async def test_the_page_lives_below_a_path(tmp_path: Path) -> None:
    async with serving_page(tmp_path, path="/page") as page:
        outside = await page.client.get(page.origin.removesuffix("/page") + "/healthz")
        bare = await page.client.get(page.origin, allow_redirects=False)
        home, upload = await page.text("/"), await page.upload(table(1))
        page.client.cookie_jar.clear()
        signed_out = await page.get("/jobs")
        location = (await upload.json())["location"]
    assert (outside.status, location) == (404, "/page/jobs/1")
    assert (bare.status, bare.headers["Location"]) == (303, "/page/")
    assert signed_out.headers["Location"] == "/page/auth/sign-in?next=/page/jobs"
    assert [link for link in re.findall(r'(?:href|action|src)="(/[^"]*)', home) if not link.startswith("/page/")] == []


async def test_what_cannot_be_saved_is_refused_and_pages_are_still_read(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        page.site.store._connection.execute("PRAGMA query_only = ON")
        responses = [await page.upload(table(1)), await page.post("/auth/sign-out")]
        codes = [await code_of(response) for response in responses]
        home = await page.get("/")
    assert ([response.status for response in responses], codes, home.status) == ([503] * 2, ["read-only"] * 2, 200)


async def read_to_end(port: int, data: bytes) -> bytes:
    """Send bytes over a connection, and return what comes until it is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    async with asyncio.timeout(60):
        answer = await reader.read()
    writer.close()
    return answer


async def test_connections_are_limited_and_silent_ones_closed(tmp_path: Path) -> None:
    async with serving_page(tmp_path, silence=0.5) as page:
        port = int(page.origin.rpartition(":")[2])
        silent = [await read_to_end(port, data) for data in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost:")]
        page.site.connections.most = 0
        refused = await read_to_end(port, b"")
    assert (silent, refused) == ([b"", b"", b""], b"")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["two hosts", "NUL", "TLS", "long", "chunk"],
)
async def test_what_is_no_request_is_refused_without_a_trace(
    tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving_page(tmp_path, silence=0.5) as page:
        answer = await read_to_end(int(page.origin.rpartition(":")[2]), data)
    assert answer.split(b" ")[1:2] in ([b"400"], [b"421"])
    assert "Traceback" not in caplog.text
