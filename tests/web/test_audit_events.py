"""What the page records in its trail, and who may see it."""

import re
from pathlib import Path

from bulkreact.web.audit import ChainedLine
from bulkreact.web.audit_trail import check_trail
from bulkreact.web.rate_limits import Bucket
from bulkreact.web.records import Actor
from bulkreact.web.store import STORE_NAME
from tests.support.web_page import CUSTOMER, HEADER, OwnPage, Page, line, practising, serving_page, table

NOW = "2026-03-01T08:00:00.000Z"
Event = tuple[str, str, int | None, str]


async def events_of(page: Page) -> list[Event]:
    """Return the whole trail."""
    events = (await page.json("/audit"))["events"]
    return [(event["person"], event["event"], event["job"], event["detail"]) for event in events]


def heads_of(page: OwnPage) -> list[str]:
    """Return all heads that the trail has had; it must be whole."""
    stored = list[ChainedLine]()
    assert check_trail(page.site.settings.data / STORE_NAME, "", stored.append).is_whole
    return [line.hash for line in stored]


async def test_everything_that_is_done_is_in_the_trail_at_its_moment(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.ready(table(1))
        await page.act(number, "options", order="urgent")
        await page.wait_for(number, "ready")
        await page.upload(table(2), path=f"/jobs/{number}/file", version="2")
        version = (await page.wait_for(number, "ready"))["versions"][-1]
        await page.act(number, "submit", note="for March")
        await page.wait_for(number, "finished")
        await page.client.head(f"{page.origin}/jobs/{number}/files/input")
        await page.get(f"/jobs/{number}/files/input")
        approval = await page.json(f"/jobs/{number}/files/approval.json")
        run = (await page.job(number))["run"]["id"]
        of_run = await page.json(f"/runs/{run}/files/approval.json")
        await page.post("/settings/doctor")
        found, head = await events_of(page), (await page.json("/audit"))["head"]
        text = await page.text("/audit")
        heads = heads_of(page)
    names = [(person, event) for person, event, _, _ in found]
    assert names == [
        ("ann", "signed-in"),
        ("ann", "uploaded"),
        ("bulkreact", "checked"),
        ("ann", "options"),
        ("bulkreact", "checked"),
        ("ann", "replaced"),
        ("bulkreact", "checked"),
        ("ann", "submitted"),
        ("bulkreact", "started"),
        ("bulkreact", "ended"),
        ("ann", "downloaded"),
        ("ann", "downloaded"),
        ("ann", "downloaded"),
        ("ann", "settings"),
    ]
    assert found[7][3].startswith(
        f"approved_by: same person; sha256: {version['sha256']}; digest: {version['digest']}; "
    )
    assert approval["head"] == of_run["head"]
    assert approval["head"] == heads[names.index(("bulkreact", "ended"))]
    assert f'data-head="{head}"' in text
    assert 'data-testid="audit-table"' in text


async def test_who_may_not_do_something_is_in_the_trail_with_the_job(tmp_path: Path) -> None:
    async with practising(tmp_path, "ann", "cleo", "vic", "ada") as (ann, cleo, vic, ada):
        number = await cleo.ready(table(1))
        await cleo.act(number, "submit")
        version = (await cleo.job(number))["versions"][0]
        shown = {"sha256": str(version["sha256"]), "digest": str(version["digest"])}
        refused = [
            await cleo.act(number, "approve", **shown),
            await vic.act(number, "withdraw"),
            await vic.get("/audit"),
            await ann.post("/auth/stay", {"csrf": "0"}),
            await ann.post("/auth/stay", headers={"Sec-Fetch-Site": "same-site"}),
            await ann.post("/jobs/99/withdraw"),
            await ann.post("/auth/practice", {"person": "nora"}),
        ]
        found = await events_of(ada)
    assert [response.status for response in refused] == [403] * 5 + [404, 403]
    assert [event for event in found if event[1] == "refused"] == [
        ("Cleo", "refused", number, "own-work: /jobs/{number}/approve"),
        ("Vic", "refused", number, "no-right: /jobs/{number}/withdraw"),
        ("Vic", "refused", None, "no-right: /audit"),
        ("Ann", "refused", None, "bad-token: /auth/stay"),
        ("Ann", "refused", None, "cross-site: /auth/stay"),
        ("Nora", "refused", None, "no-right: /auth/practice"),
    ]


async def test_guesses_and_floods_fill_no_disk(tmp_path: Path) -> None:
    async with serving_page(tmp_path, signed_in=False) as page:
        page.site.refusals = Bucket(2, 3600.0)
        await page.post("/auth/token", {"token": "guess"})
        await page.sign_in()
        for _ in range(3):
            await page.post("/auth/stay", {"csrf": "0"})
        found = [event for event in await events_of(page) if event[1] == "refused"]
    assert [(person, detail) for person, _, _, detail in found] == [
        ("unknown", "bad-token: /auth/token"),
        ("ann", "bad-token: /auth/stay"),
    ]


async def test_pages_of_the_trail_follow_each_other(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        for number in range(205):
            page.site.store.audit(Actor(), "settings", str(number), NOW)
        first, text = await page.json("/audit?after=2"), await page.text("/audit?after=2")
        last = await page.json(f"/audit?after={first['next']}")
        wrong = (await page.get("/audit?after=x")).status
    numbers = [event["number"] for event in [*first["events"], *last["events"]]]
    assert (numbers, first["next"], last["next"], wrong) == (list(range(3, 207)), 202, None, 400)
    assert 'href="/audit?after=202"' in text


async def test_heads_are_logged_at_every_decision_and_every_end_of_a_run(tmp_path: Path) -> None:
    logged = list[str]()
    async with practising(tmp_path, "ann", "ben") as (ann, ben):
        ann.site.inform = ann.site.queue._inform = logged.append
        number = await ann.ready(table(1))
        await ann.act(number, "submit")
        version = (await ann.job(number))["versions"][0]
        await ben.act(number, "approve", sha256=str(version["sha256"]), digest=str(version["digest"]))
        await ann.wait_for(number, "finished")
        heads = heads_of(ann)
    found = [re.findall("[0-9a-f]{64}", message) for message in logged]
    assert [message.partition(";")[0] for message in logged] == ["No. 1: approved", "No. 1 has ended"]
    assert [head in heads for (head,) in found] == [True, True]


async def test_neither_cells_nor_ids_nor_secrets_are_in_the_trail(tmp_path: Path) -> None:
    content = (HEADER + line(1, name="=canary-cell") + "x,canary-id,z,\n").encode()
    async with serving_page(tmp_path) as page:
        link = page.links[-1]
        number = await page.finished(content, "canary-name.csv")
        for name in ("input", "results.csv", "report.html", "problems.xlsx"):
            await page.get(f"/jobs/{number}/files/{name}")
        run = (await page.job(number))["run"]["id"]
        await page.get(f"/runs/{run}/files/results.csv")
        await page.post("/auth/token", {"token": "canary-token"})
        [cookie] = page.client.cookie_jar
        shown = [await page.text("/audit"), await page.text(f"/jobs/{number}/audit"), str(await events_of(page))]
        shown.append(page.site.folders.log(number).read_text())
        secrets = [page.token, cookie.value, link, page.site.link.token]
    # The pages have the token of the session in their forms.
    parts = [text.partition("<table")[2] for text in shown[:2]] + shown[2:]
    cells = [CUSTOMER, "22222222-", "33333333-", "canary-cell", "canary-id"]
    assert [
        text for text in [*cells, *secrets, "canary-token", "canary-name", run] for part in parts[:3] if text in part
    ] == []
    assert [secret for secret in secrets if secret in parts[3]] == []
