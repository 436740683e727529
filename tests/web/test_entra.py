"""People of one tenant sign in with Microsoft Entra: once for each flow, in the browser that began it, with a role."""

import asyncio
import re
from datetime import datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar

from bulkreact.partnercenter.auth.app_credentials import SecretValue
from bulkreact.settings import Identity
from bulkreact.timestamps import utc_now
from bulkreact.web.app import ACTS, SIGN_INS
from bulkreact.web.serve_settings import EntraApp, parse_public_url
from bulkreact.web.store import STORE_NAME, RecordStore
from tests.support.entra_page import EntraPage, entra_page
from tests.support.signed_in import OTHER_TENANT, secret_app
from tests.support.token_authority import CLIENT, SECRET, TENANT, Authority
from tests.support.web_page import OwnPage, table

pytestmark = pytest.mark.usefixtures("trust")
PEOPLE = {
    "ann": ["Uploader"],
    "ben": ["Approver"],
    "cleo": ["Uploader", "Approver"],
    "vic": ["Viewer"],
    "ada": ["Admin"],
}


class Time:
    """A clock of the page that can be put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@pytest.fixture
def trust(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let msal trust the token service of the test."""
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(authority.ca_file))


async def outcome(team: EntraPage, answer: dict[str, str], **headers: str) -> tuple[int, str, bool]:
    """Bring an answer; return the status, the code of the refusal, and whether somebody is signed in afterwards."""
    response = await team.bring(answer, Accept="application/json", **headers)
    content = await response.json(content_type=None)
    return response.status, content.get("code", ""), (await team.page.json("/api/session"))["signed_in"]


NOBODY = (403, "bad-token", False)


async def test_people_sign_in_with_the_roles_that_were_assigned(tmp_path: Path, authority: Authority) -> None:
    found = {}
    async with entra_page(tmp_path, authority) as team:
        for name in PEOPLE:
            response = await team.sign_in(name, "/jobs?by=Ann")
            session = await team.page.json("/api/session")
            found[name] = session["person"]["roles"]
            assert (response.status, response.headers["Location"], session["mode"]) == (303, "/jobs?by=Ann", "entra")
        events = [line.event for line in team.page.site.store.audit_lines()]
    users = {user.name: user.oid for user in authority.directory.users}
    assert (found, events) == (PEOPLE, ["signed-in"] * 5)
    assert (session["person"]["name"], session["person"]["id"]) == ("Ada Example", f"{TENANT}.{users['Ada Example']}")


async def test_a_flow_is_asked_for_as_it_should_be(tmp_path: Path, authority: Authority) -> None:
    async with entra_page(tmp_path, authority, path="/page") as team:
        response = await team.page.get("/auth/sign-in")
        query = response.headers["Location"]
        flow = SimpleCookie(response.headers["Set-Cookie"])["bulkreact_flow"]
        ended = await team.sign_in("ann")
        cookies = [SimpleCookie(value) for value in ended.headers.getall("Set-Cookie")]
        (port,) = {host.rpartition(":")[2] for host in team.page.site.settings.hosts}
    names = ("response_mode=form_post", "code_challenge_method=S256", "state=", "nonce=", "response_type=code")
    assert [name for name in names if name not in query] == []
    assert "offline_access" not in query
    assert (flow["httponly"], flow["secure"], flow["samesite"], flow["path"]) == (True, True, "None", "/page/auth")
    assert flow["max-age"] == "600"
    (own,) = [cookie[f"bulkreact-{port}"] for cookie in cookies if f"bulkreact-{port}" in cookie]
    assert (own["httponly"], own["samesite"], own["path"]) == (True, "Lax", "/page/")


async def test_an_answer_is_good_once_in_the_browser_that_asked(tmp_path: Path, authority: Authority) -> None:
    async with entra_page(tmp_path, authority) as team, team.another_browser() as other:
        answer = await team.choose(await team.begin(), "ann")
        foreign = await outcome(other, answer)
        await other.begin()
        crossed = await outcome(other, answer)
        accepted = await team.bring(answer)
        async with team.another_browser() as third:
            third.page.client.cookie_jar.update_cookies({"bulkreact_flow": "x" * 43})
            unknown = await outcome(third, answer)
        replayed = await team.bring(answer, Accept="application/json")
    assert (foreign, crossed, unknown) == (NOBODY, NOBODY, NOBODY)
    assert (accepted.status, replayed.status) == (303, 403)


async def test_several_tabs_may_sign_in_at_once(tmp_path: Path, authority: Authority) -> None:
    async with entra_page(tmp_path, authority) as team:
        addresses = [await team.begin(f"/jobs?q={tab}") for tab in range(3)]
        answers = [await team.choose(address, "ann") for address in reversed(addresses)]
        responses = [await team.bring(answer) for answer in answers]
        session = await team.page.json("/api/session")
        sessions = team.page.site.store.sessions()
    assert [response.headers["Location"] for response in responses] == ["/jobs?q=2", "/jobs?q=1", "/jobs?q=0"]
    assert (session["signed_in"], len(sessions)) == (True, 1)


async def test_a_flow_that_was_used_is_not_used_again_with_its_cookie(tmp_path: Path, authority: Authority) -> None:
    async with entra_page(tmp_path, authority) as team:
        address = await team.begin()
        (cookie,) = (cookie.value for cookie in team.page.client.cookie_jar if cookie.key == "bulkreact_flow")
        answers = [await team.choose(address, name) for name in ("ann", "cleo")]
        await team.bring(answers[0])
        async with team.another_browser() as thief:
            again = [await outcome(thief, answer, Cookie=f"bulkreact_flow={cookie}") for answer in answers]
    assert again == [NOBODY, NOBODY]


@pytest.mark.parametrize(("minutes", "signed_in"), [(9, True), (10, False)])
async def test_a_flow_is_good_for_ten_minutes(
    tmp_path: Path, authority: Authority, minutes: int, *, signed_in: bool
) -> None:
    time = Time()
    async with entra_page(tmp_path, authority, now=time) as team:
        answer = await team.choose(await team.begin(), "ann")
        time.ahead += timedelta(minutes=minutes)
        result = await outcome(team, answer)
    assert result == ((200, "", True) if signed_in else NOBODY)


async def test_a_code_of_another_flow_is_of_no_use(tmp_path: Path, authority: Authority) -> None:
    async with entra_page(tmp_path, authority) as team, team.another_browser() as thief:
        address = await thief.begin()
        # Without a challenge in it, only the nonce tells the two apart.
        bare = re.sub(r"&code_challenge(_method)?=[^&]*", "", address)
        outcomes = []
        for stolen in (address, bare):
            answer = {
                **await team.choose(await team.begin(), "ann"),
                "code": (await thief.choose(stolen, "cleo"))["code"],
            }
            outcomes.append(await outcome(team, answer))
    assert outcomes == [NOBODY, (403, "no-right", False)]


async def test_a_flow_outlives_the_server(tmp_path: Path, authority: Authority) -> None:
    async with entra_page(tmp_path, authority) as team:
        answer = await team.choose(await team.begin("/help"), "ann")
        (cookie,) = (cookie.value for cookie in team.page.client.cookie_jar if cookie.key == "bulkreact_flow")
    async with entra_page(tmp_path, authority) as team:
        # The port, and with it the redirect address, is another one: the token service compares what was stored.
        response = await team.bring(answer, Cookie=f"bulkreact_flow={cookie}")
    assert (response.status, response.headers.get("Location")) == (303, "/help")


async def test_who_has_no_role_is_told_whom_to_ask(tmp_path: Path, authority: Authority) -> None:
    async with entra_page(tmp_path, authority) as team:
        response = await team.sign_in("nora")
        text = await response.text()
        session = await team.page.json("/api/session")
        events = [(line.event, line.person) for line in team.page.site.store.audit_lines()]
    assert (response.status, session["signed_in"], events) == (403, False, [("refused", "Nora Example")])
    assert "Ask the administrator" in text
    assert CLIENT in text
    assert "signed-out=yes" in text


async def test_nobody_of_another_tenant_gets_in(tmp_path: Path, authority: Authority) -> None:
    authority.directory.domains[TENANT] = OTHER_TENANT
    async with entra_page(tmp_path, authority) as team:
        result = await outcome(team, await team.choose(await team.begin(), "cleo"))
        events = [(line.event, line.detail) for line in team.page.site.store.audit_lines()]
    assert (result, events) == ((403, "no-right", False), [("refused", "no-right: /auth/callback")])


async def test_who_declines_is_not_signed_in(tmp_path: Path, authority: Authority) -> None:
    authority.directory.sign_in_error = "access_denied"
    async with entra_page(tmp_path, authority) as team:
        answer = await asyncio.to_thread(authority.sign_in, await team.begin())
        answer["error_description"] = "AADSTS65004: <b>declined</b>"
        response = await team.bring(answer)
        text = await response.text()
    assert (response.status, "AADSTS65004" in text, "declined" in text) == (403, True, False)


async def test_a_wrong_secret_is_the_administrators_to_mend(tmp_path: Path, authority: Authority) -> None:
    warned: list[str] = []
    authority.directory.register(secret_app(secrets={"another": "valid"}))
    async with entra_page(tmp_path, authority) as team:
        team.page.site.warn = warned.append
        result = await outcome(team, await team.choose(await team.begin(), "ann"))
    assert result == NOBODY
    assert "AADSTS7000215" in warned[0]
    assert SECRET not in warned[0]


async def test_a_token_service_that_is_away_is_said_to_be(tmp_path: Path, authority: Authority) -> None:
    away = EntraApp(Identity(f"https://127.0.0.1:9/{TENANT}", TENANT, CLIENT, "", ""), SecretValue(SECRET, "a test"))
    async with entra_page(tmp_path, authority, entra=away) as team:
        response = await team.page.get("/auth/sign-in", Accept="application/json")
        content = await response.json(content_type=None)
    assert (response.status, content["code"]) == (503, "no-sign-in")


async def test_only_the_way_back_may_come_from_another_site(tmp_path: Path, authority: Authority) -> None:
    async with entra_page(tmp_path, authority) as team:
        await team.sign_in("cleo")
        team.page.headers = {"Sec-Fetch-Site": "cross-site", "Origin": authority.authority_url}
        paths = [re.sub(r"\{\w+:[^/]*\}", "1", route.path) for route in (*ACTS, *SIGN_INS)]
        statuses = {path: await (await team.page.post(path)).json(content_type=None) for path in paths}
    assert {path for path, content in statuses.items() if content["code"] != "cross-site"} == {"/auth/callback"}


async def test_signing_out_ends_the_session_here_and_shows_the_way_to_end_it_there(
    tmp_path: Path, authority: Authority
) -> None:
    async with entra_page(tmp_path, authority) as team:
        await team.sign_in("ann")
        copied = {cookie.key: cookie.value for cookie in team.page.client.cookie_jar}
        response = await team.page.post("/auth/sign-out", headers={"Accept": "text/html"})
        shown = await team.page.text(response.headers["Location"])
        (name, value) = next((key, value) for key, value in copied.items() if key.startswith("bulkreact-"))
        async with team.another_browser() as thief:
            replayed = await thief.page.get("/api/session", Cookie=f"{name}={value}")
        events = [line.event for line in team.page.site.store.audit_lines()]
    assert (response.status, replayed.status, events) == (303, 401, ["signed-in", "signed-out"])
    assert f"{authority.authority_url}/{TENANT}/oauth2/v2.0/logout" in shown


async def test_who_has_no_session_is_led_to_microsoft_but_not_from_a_form(tmp_path: Path, authority: Authority) -> None:
    async with entra_page(tmp_path, authority) as team:
        asked = [("/jobs?q=a", "none"), ("/jobs", "same-origin"), ("/jobs?q=a", "same-origin")]
        led = [(await team.page.get(path, **{"Sec-Fetch-Site": site})).headers["Location"] for path, site in asked]
        statuses = [(await team.page.get(path)).status for path in led]
    assert [path.endswith("&signed-out=yes") for path in led] == [False, False, True]
    assert statuses == [303, 303, 200]


@pytest.mark.parametrize(
    ("path", "wanted"), [("/jobs/1/submit", "/page/jobs/1"), ("/jobs", "/page/"), ("/auth/stay", "/page/")]
)
async def test_a_form_without_a_session_shows_the_way_back_to_its_page(
    tmp_path: Path, authority: Authority, path: str, wanted: str
) -> None:
    async with entra_page(tmp_path, authority, path="/page") as team:
        response = await team.page.post(path, headers={"Accept": "text/html"})
        text = await response.text()
    assert response.status == 401
    assert f'<a href="/page/auth/sign-in?next={wanted}">' in text


async def test_the_id_before_signing_in_is_not_the_one_after(tmp_path: Path, authority: Authority) -> None:
    async with entra_page(tmp_path, authority) as team:
        ids = []
        for _ in range(2):
            await team.sign_in("ann")
            ids.append({cookie.key: cookie.value for cookie in team.page.client.cookie_jar})
        (name,) = [key for key in ids[0] if key.startswith("bulkreact-")]
        async with team.another_browser() as other:
            before = await other.page.get("/api/session", Cookie=f"{name}={ids[0][name]}")
            planted = await outcome(other, await other.choose(await other.begin(), "ben"), Cookie=f"{name}=planted")
            (kept,) = [cookie.value for cookie in other.page.client.cookie_jar if cookie.key == name]
    assert len({ids[0][name], ids[1][name], kept, "planted"}) == 4
    assert (before.status, planted) == (401, (200, "", True))


@pytest.mark.parametrize(
    ("steps", "ends"),
    [([59, 59, 59], False), ([60], True), ([59] * 8 + [9], True), ([59] * 8 + [7], False)],
    ids=["used", "idle", "longest", "nearly"],
)
async def test_a_session_ends_after_its_time_or_without_use(
    tmp_path: Path, authority: Authority, steps: list[int], *, ends: bool
) -> None:
    time = Time()
    limits = {"longest_session": 8 * 3600.0, "idle": 3600.0}
    async with entra_page(tmp_path, authority, now=time, **limits) as team:
        await team.sign_in("ann")
        for minutes in steps:
            time.ahead += timedelta(minutes=minutes)
            answer = await team.page.get("/jobs", Accept="text/html")
    assert answer.status == (303 if ends else 200)


async def test_watching_a_hidden_tab_is_no_use_of_a_session(tmp_path: Path, authority: Authority) -> None:
    time = Time()
    async with entra_page(tmp_path, authority, now=time, longest_session=8 * 3600.0, idle=3600.0) as team:
        await team.sign_in("ann")
        statuses = []
        paths = ("/api/jobs/1/live", "/api/session", "/api/jobs/1/live?hidden=1", "/api/session?hidden=1")
        for path, minutes in zip((*paths, "/api/session"), (40, 40, 25, 25, 15), strict=True):
            time.ahead += timedelta(minutes=minutes)
            statuses.append((await team.page.get(path)).status)
    assert statuses == [404, 200, 404, 200, 401]


async def test_a_page_says_when_its_session_ends(tmp_path: Path, authority: Authority) -> None:
    time = Time()
    async with entra_page(tmp_path, authority, now=time, longest_session=8 * 3600.0, idle=3600.0) as team:
        await team.sign_in("ann")
        page = await team.page.text("/")
        time.ahead += timedelta(minutes=59)
        await team.page.post("/auth/stay")
        session = await team.page.json("/api/session")
        ends_in = datetime.fromisoformat(session["expires_at"]) - time()
    assert "session-warning" in page
    assert "stay-signed-in" in page
    assert ends_in > timedelta(minutes=59)


async def test_everybody_can_be_signed_out_while_the_server_runs(tmp_path: Path, authority: Authority) -> None:
    async with entra_page(tmp_path, authority) as team, team.another_browser() as other:
        await team.sign_in("ann")
        await other.sign_in("ben")
        record = RecordStore(team.page.site.settings.data / STORE_NAME)
        record.delete_sessions()
        record.close()
        statuses = [(await each.page.get("/api/session")).status for each in (team, other)]
    assert statuses == [401, 401]


@pytest.mark.parametrize(("path", "cookie"), [("", "__Host-bulkreact"), ("/page", "__Secure-bulkreact")])
async def test_over_tls_nothing_goes_without_it(tmp_path: Path, authority: Authority, path: str, cookie: str) -> None:
    url = parse_public_url(f"https://localhost:9443{path}")
    async with entra_page(tmp_path, authority, public_url=url) as team:
        (host,) = (host for host in team.page.site.settings.hosts - url.hosts if host.startswith("127."))
        jar = CookieJar(unsafe=True, treat_as_secure_origin=f"http://{host}")
        async with ClientSession(cookie_jar=jar) as client:
            browser = EntraPage(OwnPage(client, f"http://{host}{path}", ""), authority)
            response = await browser.sign_in("ann")
            missing = await browser.page.get("/none")
    own = SimpleCookie(response.headers["Set-Cookie"])[cookie]
    assert (own["secure"], own["path"], own["domain"]) == (True, f"{path}/", "")
    assert {each.headers.get("Strict-Transport-Security") for each in (response, missing)} == {"max-age=31536000"}


async def test_attempts_to_sign_in_are_counted(tmp_path: Path, authority: Authority) -> None:
    async with entra_page(tmp_path, authority) as team:
        statuses = [(await team.page.get("/auth/sign-in")).status for _ in range(11)]
        other = await team.page.get("/auth/sign-in", **{"X-Forwarded-For": "203.0.113.7"})
    assert (statuses, other.status) == ([303] * 10 + [429], 303)


async def test_the_trail_has_the_address_that_our_proxy_has_seen(tmp_path: Path, authority: Authority) -> None:
    async with entra_page(tmp_path, authority) as team:
        team.page.headers["X-Forwarded-For"] = "198.51.100.1, 203.0.113.9"
        answer = await team.choose(await team.begin(), "ann")
        await team.bring(answer, **team.page.headers)
        team.page.token = str((await team.page.json("/api/session"))["csrf"])
        await team.page.ready(table(1))
        lines = team.page.site.store.audit_lines()
    assert {line.event: line.address for line in lines} == {
        "signed-in": "203.0.113.9",
        "uploaded": "203.0.113.9",
        "checked": "",
    }


@pytest.mark.parametrize("wanted", ["//evil.example", "/\\evil.example", "https://evil.example", "/page/../x", "x"])
async def test_nobody_is_led_away_after_signing_in(tmp_path: Path, authority: Authority, wanted: str) -> None:
    async with entra_page(tmp_path, authority, path="/page") as team:
        response = await team.sign_in("ann", wanted)
    assert response.headers["Location"] == "/page/"


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file below a folder."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_nothing_of_a_sign_in_is_kept_or_shown(tmp_path: Path, authority: Authority) -> None:
    async with entra_page(tmp_path, authority) as team:
        answer = await team.choose(await team.begin("/help"), "cleo")
        [flow] = [cookie.value for cookie in team.page.client.cookie_jar]
        await team.bring(answer)
        team.page.token = str((await team.page.json("/api/session"))["csrf"])
        [session] = [cookie.value for cookie in team.page.client.cookie_jar if cookie.key != "bulkreact_flow"]
        number = await team.page.ready(table(1))
        paths = ("/", "/jobs", f"/jobs/{number}", f"/jobs/{number}/audit", "/audit", f"/api/jobs/{number}", "/api/jobs")
        shown = {path: (await team.page.text(path)).encode() for path in paths}
        files = contents(tmp_path)
    # The tokens of Microsoft begin with eyJ, and so does nothing else.
    secrets = {"code": answer["code"], "secret": SECRET, "flow": flow, "session": session, "tokens": "eyJ"}
    everything = shown | files
    found = [
        (name, path)
        for name, value in secrets.items()
        for path, content in everything.items()
        if value.encode() in content
    ]
    kept = [path for path, content in files.items() if team.page.token.encode() in content]
    assert (len(files) > len(secrets), found, kept) == (True, [], [])
