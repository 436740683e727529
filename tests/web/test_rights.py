"""Who may do what: every route, for every person, with a job of their own and with another's."""

import json
import re
from pathlib import Path
from uuid import uuid4

from aiohttp import ClientResponse, FormData

from bulkreact.web.app import ACTS, SIGN_INS, VIEWS
from tests.support.web_page import OwnPage, practising, table

PEOPLE = {"A": "ann", "B": "ben", "C": "cleo", "V": "vic", "M": "ada"}
ALL = "ABCVM"
# Routes, the status that those get who may, who may with a job of their own, and who with another's or without a job.
# The jobs are checked and the forms say nothing: whoever may gets as far as being told that.
RIGHTS: dict[str, tuple[int, str, str]] = {
    "GET /": (200, "", ALL),
    "GET /jobs": (200, "", ALL),
    "GET /jobs/*": (200, "AC", ALL),
    "GET /jobs/*/rows": (200, "AC", ALL),
    "GET /jobs/*/audit": (200, "AC", ALL),
    "GET /jobs/*/stop": (200, "AC", "BCM"),
    "GET /jobs/*/files/*": (404, "AC", ALL),
    "GET /runs/*": (404, "", ALL),
    "GET /runs/*/rows": (404, "", ALL),
    "GET /runs/*/files/*": (404, "", ALL),
    "GET /help": (200, "", ALL),
    "GET /help/*": (404, "", ALL),
    "GET /template.*": (200, "", ALL),
    "GET /settings": (200, "", "M"),
    "GET /audit": (200, "", "BCM"),
    "GET /find": (200, "", "AC"),
    "GET /find/*": (404, "", "AC"),
    "GET /auth/sign-in": (200, "", ALL),
    "GET /auth/token": (404, "", ALL),
    "GET /static/*": (404, "", ALL),
    "GET /healthz": (200, "", ALL),
    "GET /api/session": (200, "", ALL),
    "GET /api/jobs": (200, "", ALL),
    "GET /api/jobs/*": (200, "AC", ALL),
    "GET /api/jobs/*/live": (200, "AC", ALL),
    "GET /api/jobs/*/rows": (200, "AC", ALL),
    "GET /api/jobs/*/audit": (200, "AC", ALL),
    "GET /api/audit": (200, "", "BCM"),
    "GET /api/find/*": (404, "", "AC"),
    "GET /api/find/*/live": (404, "", "AC"),
    "POST /jobs": (400, "", "AC"),
    "POST /jobs/*/file": (400, "AC", "AC"),
    "POST /jobs/*/options": (400, "AC", "AC"),
    "POST /jobs/*/submit": (400, "AC", "AC"),
    "POST /jobs/*/withdraw": (400, "AC", ""),
    "POST /jobs/*/approve": (409, "", "BC"),
    "POST /jobs/*/reject": (409, "", "BC"),
    "POST /jobs/*/stop": (409, "AC", "BCM"),
    "POST /jobs/*/stop-now": (409, "AC", "BCM"),
    "POST /jobs/*/continue": (409, "AC", "BCM"),
    "POST /jobs/*/verify": (409, "AC", "ABC"),
    "POST /jobs/*/retry": (409, "AC", ""),
    "POST /find": (400, "", "AC"),
    "POST /find/*/stop": (404, "", "AC"),
    "POST /find/*/jobs": (404, "", "AC"),
    "POST /settings/doctor": (200, "", "M"),
    "POST /settings/connection": (200, "", "M"),
    "POST /auth/token": (404, "", ALL),
    "POST /auth/practice": (400, "", ALL),
    "POST /auth/callback": (404, "", ALL),
    "POST /auth/stay": (200, "", ALL),
    "POST /auth/sign-out": (200, "", ALL),
}
# The forms that lead somewhere without a field say one that nobody knows.
FORM = {"kind": "unknown"}
ROUTES = {f"GET {route.path}" for route in VIEWS} | {f"POST {route.path}" for route in (*ACTS, *SIGN_INS)}
PATTERN = re.compile(r"\{\w+(?::[^{}]*(?:\{[^}]*\})?)?\}")
UPLOADS = {f"POST {PATTERN.sub('*', act.path)}" for act in ACTS if act.is_upload}


def test_every_route_has_an_expectation() -> None:
    assert {PATTERN.sub("*", route) for route in ROUTES} - set(RIGHTS) == set()


def expected(route: str, letter: str, *, is_own: bool) -> tuple[int, str]:
    """Return the status that a person gets, and the code of a refusal of their right."""
    status, own, other = RIGHTS[route]
    if letter in (own if is_own else other):
        return status, ""
    is_hand_in = is_own and letter == "C" and route.endswith(("/approve", "/reject"))
    return 403, "own-work" if is_hand_in else "no-right"


async def ask(page: OwnPage, route: str, job: int) -> tuple[int, str]:
    """Return the status of a route, and the code of a refusal of the person's right."""
    method, path = route.split()
    path = path.replace("/jobs/*", f"/jobs/{job}").replace("template.*", "template.csv").replace("find/*", "find/9")
    path = path.replace("*", "x")
    response = await (page.get(path, Accept="application/json") if method == "GET" else send(page, route, path))
    text = await response.text()
    return response.status, json.loads(text)["code"] if response.status == 403 else ""


async def send(page: OwnPage, route: str, path: str) -> ClientResponse:
    """Return the response to a form that says nothing."""
    if route not in UPLOADS:
        return await page.post(path, FORM if path == "/find" else {})
    form = FormData({"csrf": page.token, "form_id": str(uuid4())}, default_to_multipart=True)
    return await page.post(path, form)


async def test_every_person_may_what_their_roles_say(tmp_path: Path) -> None:
    async with practising(tmp_path, *PEOPLE.values()) as pages:
        by_letter = dict(zip(PEOPLE, pages, strict=True))
        anns, cleos = await by_letter["A"].ready(table(1)), await by_letter["C"].ready(table(2))
        jobs = {"A": (anns, cleos), "C": (cleos, anns)}
        there = {PATTERN.sub("*", route) for route in ROUTES}
        asked = [
            (route, letter, is_own)
            for route in RIGHTS
            for letter in PEOPLE
            for is_own in ((True, False) if letter in jobs and "/jobs/*" in route else (False,))
            if route in there
        ]
        found = {
            each: await ask(by_letter[each[1]], each[0], jobs.get(each[1], (0, anns))[0 if each[2] else 1])
            for each in asked
        }
    wrong = {each: answer for each, answer in found.items() if answer != expected(each[0], each[1], is_own=each[2])}
    assert (wrong, len(found) > 200) == ({}, True)
