"""Made-up people sign in where nothing is real, each with their own rights."""

from pathlib import Path

import pytest

from tests.support.web_page import practising, serving_page, table

ROLES = {
    "ann": ["Uploader"],
    "ben": ["Approver"],
    "cleo": ["Uploader", "Approver"],
    "vic": ["Viewer"],
    "ada": ["Admin"],
}


async def test_each_person_has_their_roles(tmp_path: Path) -> None:
    async with practising(tmp_path, *ROLES) as pages:
        sessions = [await page.json("/api/session") for page in pages]
    assert {session["person"]["id"]: session["person"]["roles"] for session in sessions} == ROLES
    assert [session["person"]["name"] for session in sessions] == ["Ann", "Ben", "Cleo", "Vic", "Ada"]
    assert {session["mode"] for session in sessions} == {"practice"}


async def test_nobody_without_a_role_gets_in(tmp_path: Path) -> None:
    async with serving_page(tmp_path, signed_in=False, sign_in="practice") as page:
        nora = await page.post("/auth/practice", {"person": "nora"})
        nobody = await page.post("/auth/practice", {"person": "eve"})
        refused = await nora.json(content_type=None)
        session = await page.json("/api/session")
        (line,) = page.site.store.audit_lines()
    assert (nora.status, refused["code"], "administrator" in refused["detail"]) == (403, "no-right", True)
    assert (nobody.status, session["signed_in"], "Set-Cookie" in nora.headers) == (400, False, False)
    assert (line.event, line.person) == ("refused", "Nora")


@pytest.mark.parametrize(("way", "other"), [("local", "practice"), ("practice", "token")])
async def test_there_is_one_way_to_sign_in(tmp_path: Path, way: str, other: str) -> None:
    async with serving_page(tmp_path, signed_in=False, sign_in=way) as page:
        answer = await page.post(f"/auth/{other}", {"person": "ann", "token": page.site.link.token})
        session = await page.json("/api/session")
    assert (answer.status, session["signed_in"]) == (404, False)


async def test_a_session_of_a_made_up_person_is_none_where_others_sign_in(tmp_path: Path) -> None:
    async with practising(tmp_path, "cleo") as (cleo,):
        cookies = {cookie.key: cookie.value for cookie in cleo.client.cookie_jar}
    async with serving_page(tmp_path, signed_in=False) as page:
        name = f"bulkreact-{page.origin.rpartition(':')[2]}"
        response = await page.get("/api/session", Cookie=f"{name}={next(iter(cookies.values()))}")
    assert response.status == 401


async def test_pages_offer_what_a_person_may_do(tmp_path: Path) -> None:
    async with practising(tmp_path, *ROLES) as pages:
        homes = [await page.text("/") for page in pages]
        sign_in = await pages[0].text("/auth/sign-in")
    assert ["upload-form" in home for home in homes] == [True, False, True, False, False]
    assert ["Upload a file above" in home for home in homes] == [True, False, True, False, False]
    assert ["nav-settings" in home for home in homes] == [False, False, False, False, True]
    assert all(f"person-{person}" in sign_in for person in (*ROLES, "nora"))
    assert "banner-simulated" in sign_in


async def test_every_page_says_whether_it_is_real(tmp_path: Path) -> None:
    async with practising(tmp_path / "1", "ann", "ada") as (ann, ada):
        number = await ann.ready(table(1))
        paths = ("/", "/jobs", "/find", "/help", "/auth/sign-in", "/none", *(f"/jobs/{number}{part}" for part in PARTS))
        practised = [await (await ann.get(path)).text() for path in paths] + [await ada.text("/settings")]
    async with serving_page(tmp_path / "2", simulated=False, target_label="https://real.example") as page:
        real = [await (await page.get(path)).text() for path in paths]
    assert {SIMULATED in page and "banner-real" not in page for page in practised} == {True}
    assert {REAL in page and "SIMULATED" not in page for page in real} == {True}


PARTS = ("", "/rows", "/audit", "/stop")
SIMULATED = 'class="banner simulated" data-testid="banner-simulated"><strong>SIMULATED</strong>: nothing real happens'
REAL = 'class="banner real" data-testid="banner-real"><strong>Real:</strong> https://real.example'


async def test_the_page_that_was_wanted_comes_after_signing_in(tmp_path: Path) -> None:
    async with practising(tmp_path, "vic") as (vic,):
        wanted = [
            (await vic.post("/auth/practice", {"person": "vic", "next": path}, headers={"Accept": "text/html"})).headers
            for path in ("/jobs?by=Ann", "//evil.example/", "")
        ]
    assert [headers["Location"] for headers in wanted] == ["/jobs?by=Ann", "/", "/"]
