"""What is done with a run that has ended: look at its rows again, continue it, retry them."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import load_workbook

from bulkreact.batch.journal.journal import Journal
from bulkreact.batch.journal.metadata import VERIFY
from bulkreact.models import RunState
from bulkreact.timestamps import iso_milliseconds, utc_now
from bulkreact.web import processes
from bulkreact.web.jobs import JobActivity, JobState, StopCause
from bulkreact.web.live import final_numbers
from tests.support.web_page import HEADER, Json, Page, line, practising, serving_page, table, until


async def looked_at(page: Page, number: int) -> Json:
    """Look at a run's rows until all of them are active, which takes some seconds."""
    async with asyncio.timeout(120):
        while (job := await page.wait_for(number, "finished"))["run"]["counts"].keys() != {"reactivated"}:
            await page.act(number, "verify")
    return job


def shown(job: Json) -> dict[str, str]:
    """Return what a form says of the version that its page showed."""
    return {name: job["check"][name] for name in ("sha256", "digest")}


async def agree(page: Page, number: int) -> None:
    """Approve a job."""
    response = await page.act(number, "approve", **shown(await page.job(number)))
    assert response.status == 200, await response.text()


async def test_looking_again_reads_the_rows_and_changes_their_counts(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.finished(table(3))
        before = await page.job(number)
        response = await page.act(number, "verify")
        pressed, step = (await response.json())["job"], await page.text(f"/jobs/{number}")
        after = await looked_at(page, number)
        text = await page.text(f"/jobs/{number}")
        events = [event["event"] for event in (await page.json(f"/api/jobs/{number}/audit"))["events"]]
    assert (before["run"]["counts"], before["may"]) == ({"accepted": 3}, ["verify", "retry"])
    assert (response.status, pressed["state"], pressed["activity"], pressed["run"]["exit_code"]) == (
        200,
        "running",
        "verifying",
        0,
    )
    assert (after["run"]["counts"], after["activity"]) == ({"reactivated": 3}, None)
    assert 'aria-current="step">Results' in step
    assert "All 3 rows ended well" in text
    assert events[-2:] == ["verified", "ended"]


async def test_a_row_has_what_support_needs(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.finished((HEADER + line(1) + line(2, ending="000000020002")).encode())
        [row] = (await page.json(f"/api/jobs/{number}/rows?show=attention"))["rows"]
        text = await page.text(f"/jobs/{number}")
        of_customer = await page.json(f"/api/jobs/{number}/rows?customer={row['customer']}")
        nobody = await page.json(f"/api/jobs/{number}/rows?customer={row['customer'][:-1]}")
    assert f"MS-RequestId: {row['request_id']}, MS-CorrelationId: {row['correlation_id']}." in text
    assert (
        f"of customer {row['customer']} at {row['started_at']} (UTC). It answered HTTP {row['http_status']}, error code 20002"
        in text
    )
    assert f'<a href="/jobs/{number}/rows?code=20002">' in text
    assert f'<a href="/jobs/{number}/rows?status=failed">' in text
    assert (len(of_customer["rows"]), len(nobody["rows"])) == (2, 0)


async def test_the_connection_is_tested_with_a_file_that_is_thrown_away(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        sent = await page.upload(bytes(1_000_000), "test.csv", path="/settings/connection")
        enough = await page.text("/settings")
        await page.upload(bytes(1000), "test.csv", path="/settings/connection")
        less = await page.text("/settings")
        too_much = await page.upload(bytes(1_000_001), "test.csv", path="/settings/connection")
        kept = [path for path in page.site.settings.data.rglob("*") if path.name == "test.csv"]
    assert (sent.status, too_much.status, kept) == (200, 413, [])
    assert ("1.0 MB came through" in enough, "Only 1.0 kB came" in less) == (True, True)


@pytest.mark.soak
async def test_what_was_stopped_is_continued_and_watched_after_another_approval_if_the_first_is_old(
    tmp_path: Path,
) -> None:
    async with practising(tmp_path, "ann", "ben", speed="--rate=4/s") as (ann, ben):
        number = await ann.ready(table(12))
        await ann.act(number, "options", verify="yes")
        await ann.wait_for(number, "ready")
        await ann.act(number, "submit")
        await agree(ben, number)
        await ann.wait_for(number, "running")
        await ann.act(number, "stop", comment="look first")
        await ann.wait_for(number, "stopped")
        ann.site.queue._now = lambda: utc_now() + timedelta(days=8)
        asked = (await (await ann.act(number, "continue")).json())["job"]
        page = await ben.text(f"/jobs/{number}")
        rejected = await ben.act(number, "reject", comment="not yet", **shown(await ben.job(number)))
        stopped = (await rejected.json())["job"]
        await ann.act(number, "continue")
        ann.site.queue._now = utc_now
        await agree(ben, number)
        job = await ann.wait_for(number, "finished", "stopped")
        runs = [path.parent.name for path in ann.site.settings.reports.glob("[!.]*/journal.sqlite3")]
    assert (asked["state"], asked["may"], asked["run"]["id"]) == ("waiting", [], job["run"]["id"])
    assert ("approving continues with the rest" in page, 'data-testid="verdict"' in page) == (True, True)
    assert (stopped["state"], stopped["cause"], stopped["may"]) == ("stopped", "person", ["continue"])
    assert (job["state"], job["run"]["counts"], runs) == ("finished", {"reactivated": 12}, [job["run"]["id"]])


async def test_a_look_that_failed_is_told_until_the_next(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.finished(table(1))
        folder = page.site.settings.reports / (await page.job(number))["run"]["id"]
        now = iso_milliseconds(utc_now())
        with Journal(folder) as journal:
            session = journal.begin_session(command=VERIFY, version="1", configured_per_minute=None, now=now)
            killed = final_numbers(folder).look
            reason = "Partner Center was down"
            journal.end_session(session, state=RunState.INTERRUPTED, exit_code=75, reason=reason, now=now)
        shown = await page.text(f"/jobs/{number}")
        await page.act(number, "verify")
        await page.wait_for(number, "finished")
        after = await page.text(f"/jobs/{number}")
    assert killed == "the process was ended from outside"
    assert "The rows could not be looked at again: Partner Center was down" in shown
    assert "could not be looked at again" not in after


async def test_a_process_that_ends_before_it_is_looked_at_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, start = list[str](), processes.start

    def counting(arguments: Sequence[str], *args: Path, **options: Mapping[str, str]) -> processes.ChildProcess:
        started.append(arguments[0])
        return start(arguments, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(processes, "start", counting)
    # Its process refuses the option at once.
    async with serving_page(tmp_path, speed="--rate=nothing") as page:
        number = await page.ready(table(1))
        await page.act(number, "submit")
        job = await page.wait_for(number, "stopped")
        await page.site.queue.look()
    assert (job["cause"], started) == ("refused", ["plan", "run"])


async def test_what_nobody_stopped_is_continued_at_the_start(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.finished(table(1))
        continued = set[StopCause]()
        async with page.site.queue._lock:
            for cause in StopCause:
                page.site.store._connection.execute("UPDATE jobs SET state = 'stopped', cause = ?", (cause,))
                await page.site.queue.continue_stopped()
                [job] = page.site.store.jobs_in([JobState.STOPPED, JobState.QUEUED])
                continued |= {cause} if job.state is JobState.QUEUED else set()
            page.site.store._connection.execute("UPDATE jobs SET state = 'finished', cause = NULL")
        assert (await page.job(number))["state"] == "finished"
    assert continued == {StopCause.SYSTEM, StopCause.OUTAGE}


async def test_when_only_the_watching_is_stopped_the_job_is_finished(tmp_path: Path) -> None:
    content = (HEADER + line(1) + line(2, ending="408")).encode()
    async with serving_page(tmp_path, speed="--attempts=1", verify=True) as page:
        arguments = page.site.settings.arguments
        arguments["run"] = (*arguments["run"], "--verify-after=300s")  # type: ignore[index]
        number = await page.ready(content)
        await page.act(number, "submit")
        await until(
            lambda: [job.activity for job in page.site.store.jobs_in([JobState.RUNNING])] == [JobActivity.VERIFYING]
        )
        asked = await page.text(f"/jobs/{number}/stop")
        await page.act(number, "stop")
        job, shown = await page.wait_for(number, "finished", "stopped"), await page.text(f"/jobs/{number}")
        report = await page.text(f"/jobs/{number}/files/report.html")
        failed = await (await page.get(f"/jobs/{number}/files/failed.xlsx")).read()
        trail = await page.text(f"/jobs/{number}/audit")
        retried = await (await page.act(number, "retry")).json()
        sent_again = await page.wait_for(2, "running", "finished", "stopped")
    assert "only the watching stops" in asked
    assert (job["state"], job["cause"], job["run"]["exit_code"], job["may"]) == (
        "finished",
        None,
        1,
        ["verify", "retry"],
    )
    assert ("Look again at 1 row" in shown, "Retry 1 row" in shown) == (True, True)
    assert "Exit code 143: all rows were sent; only the watching of accepted ones was stopped." in report
    instructions = [cell.value for row in load_workbook(BytesIO(failed)).worksheets[-1] for cell in row]
    assert ([text for text in instructions if "Continue it first" in str(text)], "can be continued" in report) == (
        [],
        False,
    )
    assert "some rows need attention" in trail
    assert (retried["job"]["check"]["rows"], sent_again["state"]) == (1, "running")
