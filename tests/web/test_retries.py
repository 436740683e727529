"""A retry is a job of its own: it sends what another attempt may settle, and what failed for good when somebody agrees."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from bulkreact.timestamps import utc_now
from bulkreact.web import processes
from tests.support.web_page import HEADER, Json, Page, line, practising, serving_page, table

# Two that may succeed at another attempt and do, one that may and does not, and one that failed for good.
CONTENT = (
    HEADER
    + line(1)
    + line(2, ending="408")
    + line(3, ending="504")
    + line(4, ending="1500")
    + line(5, ending="000000020002")
).encode()
ONCE = "--attempts=1"


async def retry(page: Page, number: int, **fields: str) -> Json:
    """Press the button that makes a retry; return the answer with its status."""
    response = await page.act(number, "retry", **fields)
    content: Json = await response.json()
    return content | {"status": response.status}


async def request_ids(page: Page, number: int) -> Mapping[int, str]:
    """Return the request ids of a job's rows by their numbers."""
    rows = (await page.json(f"/api/jobs/{number}/rows"))["rows"]
    return {row["row"]: row["request_id"] for row in rows}


async def approved(maker: Page, approver: Page, number: int) -> Json:
    """Let a job be approved and run to its end."""
    check = (await approver.job(number))["check"]
    response = await approver.act(number, "approve", sha256=check["sha256"], digest=check["digest"])
    assert response.status == 200, await response.text()
    return await maker.wait_for(number, "finished", "stopped")


async def test_what_may_succeed_now_is_sent_again_under_its_request_ids(tmp_path: Path) -> None:
    async with serving_page(tmp_path, speed=ONCE) as page:
        number = await page.finished(CONTENT)
        before, shown = await page.job(number), await page.text(f"/jobs/{number}")
        made = await retry(page, number)
        await page.wait_for(2, "finished")
        first, second = await page.job(number), await page.job(2)
        first_ids, second_ids = await request_ids(page, number), await request_ids(page, 2)
        parent, child = await page.text(f"/jobs/{number}"), await page.text("/jobs/2")
        trails = [[event["event"] for event in (await page.json(f"/api/jobs/{job}/audit"))["events"]] for job in (1, 2)]
        reports = [await page.text(f"/jobs/{job}/files/report.html") for job in (1, 2)]
    assert before["run"]["counts"] == {"accepted": 1, "failed": 3, "unknown": 1}
    assert ("Retry 3 rows" in shown, "Retry all 4 rows" in shown) == (True, True)
    assert (made["status"], made["location"]) == (201, "/jobs/2")
    assert (made["job"]["retry_of"], made["job"]["check"]["rows"], first["retries"]) == (number, 3, [2])
    assert second["run"]["counts"] == {"accepted": 2, "failed": 1}
    assert second_ids == {row: first_ids[row] for row in (3, 4, 5)}
    assert "3 of 4 retried in No. 2: 2 ended well" in parent
    assert ("Retry 1 row" in parent, "Retry all 2 rows" in parent) == (True, True)
    assert 'data-testid="retry-of">No. 1</a>' in child
    for job, report in enumerate(reports, 1):
        assert f'/jobs/{job}">Back to the page' in report
    assert (trails[0][-1], trails[1][0], trails[1][-1]) == ("retried", "retried", "ended")


async def test_what_failed_for_good_is_sent_again_when_that_is_wanted(tmp_path: Path) -> None:
    async with serving_page(tmp_path, speed=ONCE) as page:
        number = await page.finished(CONTENT)
        refused = await retry(page, number, all_failed="perhaps")
        form = str(uuid4())
        equal = await asyncio.gather(*(retry(page, number, all_failed="yes", form_id=form) for _ in range(6)))
        made = equal[0]
        again = await retry(page, number)
        job = await page.wait_for(2, "finished")
        files = {file["name"] for file in job["files"]}
    assert (refused["status"], refused["field"]) == (400, "all_failed")
    assert (made["status"], made["job"]["check"]["rows"]) == (201, 4)
    assert {(answer["status"], answer["location"]) for answer in equal} == {(201, "/jobs/2")}
    assert (again["status"], again["code"]) == (409, "wrong-state")
    assert job["run"]["counts"] == {"accepted": 2, "failed": 2}
    assert {"input", "plan.json", "approval.json", "results.xlsx"} <= files


async def test_nothing_is_retried_where_nothing_failed_or_the_run_has_not_ended(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        ready = await page.ready(table(1))
        early = await retry(page, ready)
        number = await page.finished(table(2))
        well, shown = await retry(page, number, all_failed="yes"), await page.text(f"/jobs/{number}")
        unknown = await page.post("/jobs/9/retry", {"version": "1"})
    assert [(answer["status"], answer["code"]) for answer in (early, well)] == [(409, "wrong-state")] * 2
    assert (unknown.status, "Retry" in shown) == (404, False)


async def test_a_retry_of_all_needs_an_approval_and_a_plain_one_none_for_seven_days(tmp_path: Path) -> None:
    async with practising(tmp_path, "ann", "ben", "cleo", speed=ONCE) as (ann, ben, cleo):
        number = await ann.ready(CONTENT)
        await ann.act(number, "submit")
        await approved(ann, ben, number)
        foreign = [(await retry(page, number))["code"] for page in (ben, cleo)]
        plain = await retry(ann, number)
        await ann.wait_for(2, "finished")
        kept = await ann.json("/jobs/2/files/approval.json")
        summary = await ann.json("/jobs/2/files/summary.json")
        ann.site.now = lambda: utc_now() + timedelta(days=8)
        late = await retry(ann, number)
        ann.site.now = utc_now
        await ann.act(3, "withdraw")
        parent = await ann.text(f"/jobs/{number}")
        every = await retry(ann, number, all_failed="yes")
        page = await ben.text("/jobs/4")
        rows = await ben.json("/api/jobs/4/rows")
        meanwhile = await ann.text(f"/jobs/{number}")
        finished = await approved(ann, ben, 4)
    assert foreign == ["no-right"] * 2
    assert (
        'data-testid="retry-all"' in meanwhile,
        "When it has ended, Retry is here for those that are left" in meanwhile,
    ) == (
        False,
        True,
    )
    assert "1 of 4 were to be retried in No. 3: withdrawn, nothing was sent again" in parent
    assert (plain["job"]["state"], plain["job"]["approval"]["by"]["name"]) == ("queued", "Ben")
    assert (kept["approved_by"], kept["comment"], summary["operator"]) == (
        "Ben",
        "As a part of No. 1",
        "Ann approved by Ben",
    )
    assert (every["job"]["state"], every["job"]["check"]["rows"], every["job"]["may"]) == ("waiting", 2, ["withdraw"])
    assert (late["job"]["state"], late["job"]["check"]["rows"], late["job"]["may"]) == ("waiting", 1, ["withdraw"])
    assert ("Approve 2 subscriptions" in page, "Also rows that failed for good" in page) == (True, True)
    assert {row["row"] for row in rows["rows"]} == {3, 4, 5, 6}
    assert (finished["state"], finished["run"]["counts"]) == ("finished", {"failed": 2})


@pytest.mark.soak
async def test_a_retry_that_would_send_other_rows_than_approved_sends_none(tmp_path: Path) -> None:
    async with practising(tmp_path, "ann", "ben", speed=ONCE) as (ann, ben):
        number = await ann.ready(CONTENT)
        await ann.act(number, "submit")
        run = (await approved(ann, ben, number))["run"]["id"]
        await retry(ann, number, all_failed="yes")
        # Meanwhile a terminal sends some of these rows.
        elsewhere = processes.start(["retry", run, f"--reports={tmp_path}/reports", "--yes", ONCE], tmp_path / "log")
        assert await elsewhere.wait() == 1
        job = await approved(ann, ben, 2)
        log = ann.site.folders.log(2).read_text()
        runs = list(ann.site.settings.reports.glob("[!.]*/journal.sqlite3"))
    assert (job["state"], job["cause"], job["may"], job["run"]["exit_code"]) == ("stopped", "refused", [], 2)
    assert ("is not what" in log, len(runs)) == (True, 2)
