"""The server of a team as the guide sets it up: behind nginx with TLS and a path, signed in to from another site."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.cookies import SimpleCookie
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import ClientConnectionError, ClientSession, CookieJar, FormData, TCPConnector
from playwright.async_api import Page as Tab

from bulkreact.guide import read_chapter
from bulkreact.web.serve_settings import parse_public_url
from bulkreact.web.store import STORE_NAME, RecordStore
from tests.support.entra_page import EntraPage, entra_page
from tests.support.gateways import free_port, needs, nginx
from tests.support.page_browser import chromium, needs_chromium, violations, watched
from tests.support.program import Program
from tests.support.systemd_units import read_units, started_by
from tests.support.team_settings import write_settings
from tests.support.token_authority import Authority, write_tls
from tests.support.web_page import OwnPage, table
from tests.support.web_server import read_link, run_folders, start_server

pytestmark = [pytest.mark.network, needs("nginx"), pytest.mark.usefixtures("trust")]
LINES = read_chapter("team-server").partition("```nginx\n")[2].partition("```")[0]
LIMIT = "client_max_body_size 100m;"
ROWS = 40


@pytest.fixture
def trust(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let msal trust the token service of the test."""
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(authority.ca_file))


@contextmanager
def gateway(folder: Path, server: int, public: int, *, limit: str = LIMIT) -> Iterator[None]:
    """Run nginx with TLS on a public port, with the lines of the guide."""
    certificate, key = write_tls(folder)
    assert "127.0.0.1:8765" in LINES
    assert LIMIT in LINES
    lines = LINES.replace("8765", str(server)).replace(LIMIT, limit)
    tls = f"listen 127.0.0.1:{public} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};"
    with nginx(folder, server, server=f"{tls}\n{lines}"):
        yield


@asynccontextmanager
async def team_page(folder: Path, authority: Authority, *, limit: str = LIMIT) -> AsyncIterator[EntraPage]:
    """Yield a browser at a page behind nginx, whose server is in this process."""
    public = free_port()
    url = parse_public_url(f"https://127.0.0.1:{public}/page")
    async with entra_page(folder, authority, public_url=url, max_upload=10_000_000) as team:
        own = team.page.site.settings.hosts - url.hosts
        server = next(int(host.rpartition(":")[2]) for host in own)
        with gateway(folder, server, public, limit=limit):
            async with client_at(authority) as client:
                yield EntraPage(OwnPage(client, f"{url.origin}/page", "", kept=team.page.site), authority)


@asynccontextmanager
async def client_at(authority: Authority) -> AsyncIterator[ClientSession]:
    """Yield a client that trusts the certificate of nginx."""
    jar = CookieJar(unsafe=True)
    async with ClientSession(cookie_jar=jar, connector=TCPConnector(ssl=authority.trust())) as client:
        yield client


async def choose(tab: Tab, origin: str, name: str) -> None:
    """Go to the page and choose an account where it leads."""
    await tab.goto(origin)
    await tab.get_by_role("link", name=f"{name} Example").click()
    await tab.wait_for_url(f"{origin}/")


def end_sessions(team: EntraPage) -> None:
    """Sign everybody out, as another process does."""
    record = RecordStore(team.page.site.settings.data / STORE_NAME)
    record.delete_sessions()
    record.close()


@asynccontextmanager
async def signed_in_tab(
    folder: Path, authority: Authority, name: str, **changed: object
) -> AsyncIterator[tuple[EntraPage, Tab]]:
    """Yield a page and a tab of it in which a person is signed in."""
    async with (
        entra_page(folder, authority, **changed) as team,
        chromium() as browser,
        watched(browser, ignore_https_errors=True) as context,
    ):
        tab = await context.tab()
        await choose(tab, team.page.origin, name)
        yield team, tab


async def test_a_team_works_behind_nginx(tmp_path: Path, authority: Authority) -> None:
    async with team_page(tmp_path, authority) as ann, client_at(authority) as client:
        signed_in = await ann.sign_in("ann", "/page/jobs")
        ben = EntraPage(OwnPage(client, ann.page.origin, ""), authority)
        await ben.sign_in("ben")
        number = await ann.page.ready(table(3))
        await ann.page.act(number, "submit")
        check = (await ben.page.job(number))["check"]
        await ben.page.act(number, "approve", sha256=check["sha256"], digest=check["digest"])
        job = await ann.page.wait_for(number, "finished", "stopped")
        first = await ann.page.get("/", **{"X-Forwarded-For": "203.0.113.7"})
        addresses = {line.address for line in ann.page.site.store.audit_lines()}
    cookie = SimpleCookie(signed_in.headers["Set-Cookie"])["__Secure-bulkreact"]
    assert (cookie["path"], cookie["secure"], cookie["httponly"], cookie["samesite"]) == ("/page/", True, True, "Lax")
    assert signed_in.headers["Location"] == "/page/jobs"
    assert first.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert (job["state"], job["run"]["counts"]) == ("finished", {"accepted": 3})
    assert addresses <= {"127.0.0.1", ""}


@pytest.mark.browser
@needs_chromium
async def test_two_people_in_a_browser_send_a_file_on_its_way(tmp_path: Path, authority: Authority) -> None:
    found = list[str]()
    async with (
        team_page(tmp_path, authority, limit="client_max_body_size 1m;") as team,
        chromium() as browser,
        watched(browser, ignore_https_errors=True) as first,
        watched(browser, ignore_https_errors=True, java_script_enabled=False) as second,
    ):
        origin, ann, ben = team.page.origin, await first.tab(), await second.tab()
        await choose(ann, origin, "Ann")
        # nginx refuses it with a page of its own.
        large = {"name": "large.csv", "mimeType": "text/csv", "buffer": b"x" * 2_000_000}
        await ann.get_by_test_id("upload-file").set_input_files(large)  # type: ignore[arg-type]
        explained = await ann.get_by_text("client_max_body_size").inner_text()
        orders = {"name": "orders.csv", "mimeType": "text/csv", "buffer": table(3)}
        await ann.get_by_test_id("upload-file").set_input_files(orders)  # type: ignore[arg-type]
        await ann.get_by_test_id("submit").click()
        await ann.get_by_test_id("own-work").wait_for()
        await ben.goto(f"{origin}/jobs/1")
        await ben.get_by_role("link", name="Ben Example").click()
        await ben.get_by_role("button", name="Continue").click()
        await ben.get_by_test_id("approve").click()
        await ann.get_by_test_id("verdict").wait_for()
        found += await violations(ann)
        cookies = {cookie["name"]: cookie for cookie in await first.context.cookies()}
        await ann.get_by_test_id("sign-out").click()
        await ann.get_by_role("link", name="Sign in with Microsoft").wait_for()
        found += await violations(ann)
        await first.context.add_cookies([cookies["__Secure-bulkreact"]])  # type: ignore[list-item]
        await ann.goto(f"{origin}/jobs/1")
        await ann.get_by_role("heading", name="Pick an account").wait_for()
        await ann.goto(f"{origin}/auth/sign-in?signed-out=yes")
        await ann.get_by_role("link", name="Sign out there too").click()
        await ann.get_by_text("You are signed out. You may close this page.").wait_for()
    assert found == []
    assert "takes no files of 2.0 MB" in explained


@pytest.mark.browser
@needs_chromium
async def test_a_page_warns_before_a_session_ends(tmp_path: Path, authority: Authority) -> None:
    async with signed_in_tab(tmp_path, authority, "Vic", idle=100.0) as (team, tab):
        await tab.clock.install()
        await tab.goto(f"{team.page.origin}/help?q=1")
        await tab.get_by_test_id("session-warning").wait_for()
        await tab.get_by_test_id("stay-signed-in").click()
        await tab.wait_for_url(f"{team.page.origin}/help?q=1")
        await tab.get_by_test_id("session-warning").wait_for()
        end_sessions(team)
        await tab.clock.fast_forward(31_000)
        await tab.get_by_role("link", name="You are signed out. Sign in to go on.").click()
        await tab.get_by_role("link", name="Vic Example").click()
        await tab.wait_for_url(f"{team.page.origin}/help?q=1")


@pytest.mark.browser
@needs_chromium
async def test_a_file_that_was_chosen_goes_on_after_signing_in_again(tmp_path: Path, authority: Authority) -> None:
    async with signed_in_tab(tmp_path, authority, "Ann") as (team, tab):
        end_sessions(team)
        orders = {"name": "orders.csv", "mimeType": "text/csv", "buffer": table(3)}
        await tab.get_by_test_id("upload-file").set_input_files(orders)  # type: ignore[arg-type]
        async with tab.context.expect_page() as opened:
            await tab.get_by_role("link", name="sign in in another tab").click()
        other = await opened.value
        await other.get_by_role("link", name="Ann Example").click()
        await other.wait_for_url(f"{team.page.origin}/")
        await tab.wait_for_url(f"{team.page.origin}/jobs/1")


@pytest.mark.browser
@needs_chromium
async def test_a_filter_leads_to_the_sign_in_when_the_session_has_ended(tmp_path: Path, authority: Authority) -> None:
    async with signed_in_tab(tmp_path, authority, "Vic") as (team, tab):
        await tab.goto(f"{team.page.origin}/jobs")
        end_sessions(team)
        await tab.get_by_label("Search").fill("orders")
        await tab.get_by_test_id("filter-submit").click()
        await tab.get_by_role("link", name="Sign in with Microsoft").click()
        await tab.get_by_role("link", name="Vic Example").click()
        await tab.wait_for_url(f"{team.page.origin}/jobs?*q=orders*")


async def upload(page: OwnPage, number: int) -> str:
    """Upload a file until there is an answer, under one form id; return where it leads."""
    form_id = str(uuid4())
    for _ in range(600):
        data = FormData()
        data.add_field("csrf", page.token)
        data.add_field("form_id", form_id)
        data.add_field("file", BytesIO(table(number)), filename=f"{number}.csv", content_type="text/csv")
        try:
            answer = await page.post("/jobs", data)
            if answer.status == 201:
                return str((await answer.json())["location"])
            assert answer.status in {429, 502, 504}, await answer.text()
        except ClientConnectionError:
            pass
        await asyncio.sleep(0.1)
    raise AssertionError("the server did not come back")


async def test_a_restart_under_load_loses_nothing(program: Program, authority: Authority) -> None:
    public, server = free_port(), free_port()
    write_settings(program, public)
    unit = started_by(read_units("team-server")["bulkreact-serve.service"], program.folder)[1:]

    def start() -> "subprocess.Popen[str]":
        process = start_server(program, *unit, f"--port={server}", "--rate=10/s")
        assert read_link(process) == f"https://127.0.0.1:{public}/page"
        return process

    process = start()
    try:
        with gateway(program.folder, server, public):
            async with client_at(authority) as first, client_at(authority) as second:
                origin = f"https://127.0.0.1:{public}/page"
                cleo, ben = (EntraPage(OwnPage(client, origin, ""), authority) for client in (first, second))
                await cleo.sign_in("cleo")
                await ben.sign_in("ben")
                number = await cleo.page.ready(table(ROWS))
                await cleo.page.act(number, "submit")
                check = (await ben.page.job(number))["check"]
                await ben.page.act(number, "approve", sha256=check["sha256"], digest=check["digest"])
                await ben.page.wait_for(number, "running")
                uploads = [asyncio.create_task(upload(cleo.page, rows)) for rows in range(1, 7)]
                for end in (signal.SIGTERM, signal.SIGKILL):
                    process.send_signal(end)
                    await asyncio.to_thread(process.communicate, timeout=60)
                    process = start()
                locations = [await task for task in uploads]
                job = await ben.page.wait_for(number, "finished", "stopped")
                jobs = (await ben.page.json("/api/jobs?per=100"))["jobs"]
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert (job["run"]["counts"], len(run_folders(program))) == ({"accepted": ROWS}, 1)
    assert len(authority.service.call_log.effects) == ROWS
    assert len(set(locations)) == 6
    assert len(jobs) == 7
