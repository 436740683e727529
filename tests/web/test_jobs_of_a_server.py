"""From the upload to the results, as a browser without script goes."""

import asyncio
import io
import re
import zipfile
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import openpyxl
import pytest

from bulkreact.runs.store import find
from bulkreact.timestamps import utc_now
from tests.support.marks import mostly_soak
from tests.support.web_page import HEADER, Page, line, serving_page, table

WRONG = (HEADER + line(1) + line(2) + "x,y,z,\n").encode()


async def test_a_file_is_checked_row_by_row(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.ready(WRONG, "März.csv", note="for March")
        job, text = await page.job(number), await page.text(f"/jobs/{number}")
        rows = await page.json(f"/api/jobs/{number}/rows")
        shown = await page.text(f"/jobs/{number}/rows?show=all")
    check = job["check"]
    assert (check["rows"], check["valid"], check["invalid"], check["duplicate"], check["customers"]) == (3, 2, 1, 0, 1)
    assert {problem["code"] for problem in check["problems"]} >= {"invalid-customer-id"}
    assert [row["row"] for row in rows["rows"]] == [4]
    assert {problem["cell"] for problem in rows["rows"][0]["problems"]} >= {"A4"}
    assert (job["name"], job["note"], job["may"]) == (
        "März.csv",
        "for March",
        ["file", "options", "submit", "withdraw"],
    )
    assert "Reactivate 2 subscriptions" in text
    assert "Customer 1" in shown


async def test_a_file_is_run_to_its_results(tmp_path: Path) -> None:
    content = (HEADER + line(1) + line(2) + line(3, ending="000000020002") + "x,y,z,\n").encode()
    async with serving_page(tmp_path) as page:
        number = await page.finished(content)
        job, text = await page.job(number), await page.text(f"/jobs/{number}")
        failed = await page.json(f"/api/jobs/{number}/rows?status=failed")
        invalid = await page.json(f"/api/jobs/{number}/rows?status=invalid")
        found = await page.json(f"/api/jobs/{number}/rows?q=customer+2")
        elsewhere = await page.json(f"/runs/{job['run']['id']}/rows?status=invalid")
        live = await page.json(f"/api/jobs/{number}/live")
        summary = await page.json(f"/jobs/{number}/files/summary.json")
    assert (job["state"], job["run"]["exit_code"]) == ("finished", 1)
    assert job["run"]["counts"] == {"accepted": 2, "failed": 1, "invalid": 1}
    assert "2 of 4 rows ended well" in text
    assert [(row["row"], row["code"]) for row in failed["rows"]] == [(4, "20002")]
    assert {problem["cell"] for row in invalid["rows"] for problem in row["problems"]} >= {"A5"}
    advice = [page["rows"][0]["advice"] for page in (invalid, elsewhere)]
    assert ["upload" in text for text in advice] == [True, False]
    assert [row["cells"]["name"] for row in found["rows"]] == ["Customer 2"]
    assert (live["settled"], live["well"], live["attention"]) == (4, 2, 2)
    assert (summary["run_id"], summary["state"]) == (job["run"]["id"], "finished")


async def test_pages_of_rows_follow_each_other(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.ready(table(7))
        seen: list[int] = []
        after: int | None = 0
        while after is not None:
            rows = await page.json(f"/api/jobs/{number}/rows?show=sent&per=3&after={after}")
            seen += [row["row"] for row in rows["rows"]]
            after = rows["next"]
        refused = [
            (await page.get(f"/api/jobs/{number}/rows?{query}")).status
            for query in (
                "per=0",
                "per=501",
                "per=x",
                "show=x",
                f"after={2**53 + 1}",
                "after=" + "9" * 20,
                "after=" + "9" * 5000,
            )
        ]
    assert seen == list(range(2, 9))
    assert refused == [400] * 7


async def test_what_is_replaced_or_read_in_another_way_is_checked_anew(tmp_path: Path) -> None:
    renamed = table(2).replace(b"customer_id", b"Kunde")
    async with serving_page(tmp_path) as page:
        number = await page.ready(renamed)
        unusable = await page.job(number)
        mapped = await page.act(number, "options", customer_id="Kunde")
        read = await page.wait_for(number, "ready", "unusable")
        replaced = await page.upload(table(3), "new.csv", path=f"/jobs/{number}/file", version="2")
        ready = await page.wait_for(number, "ready", "unusable")
    refusal = unusable["refused"]["message"]
    assert ("Column of customer ids Kunde" in refusal, "--" in refusal) == (True, False)
    assert (unusable["state"], mapped.status, read["state"], replaced.status) == ("unusable", 200, "ready", 200)
    assert [(version["what"], version["valid"], version["invalid"]) for version in ready["versions"]] == [
        ("uploaded", None, None),
        ("options", 2, 0),
        ("replaced", 3, 0),
    ]
    assert ready["name"] == "new.csv"
    assert (ready["version"], ready["check"]["valid"]) == (3, 3)


@pytest.mark.parametrize(
    "fields",
    mostly_soak(
        [
            {"kind": "other"},
            {"encoding": "utf-8\n"},
            {"delimiter": "--yes"},
            {"hidden_rows": "x"},
            {"verify": "1"},
            {"sheet": "a\nb"},
        ]
    ),
    ids=str,
)
async def test_values_that_no_file_can_have_are_refused(tmp_path: Path, fields: dict[str, str]) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.ready(table(1))
        response = await page.act(number, "options", **fields)
        content = await response.json()
        job = await page.job(number)
    assert (response.status, content["code"], content["field"]) == (400, "bad-field", next(iter(fields)))
    assert job["version"] == 1


async def test_an_action_on_another_version_is_stale(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.ready(table(1))
        await page.act(number, "options", order="urgent")
        await page.wait_for(number, "ready")
        response = await page.post(f"/jobs/{number}/submit", {"version": "1"})
        missing = await page.post(f"/jobs/{number}/submit")
        content = await response.json()
    assert (response.status, content["code"], missing.status) == (409, "stale", 400)
    assert "ann" in content["detail"]


async def test_what_a_state_does_not_allow_is_refused(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.ready(table(1))
        refused = [(await page.act(number, action)).status for action in ("stop", "stop-now", "continue")]
        withdrawn = await page.act(number, "withdraw")
        after = [(await page.act(number, action)).status for action in ("submit", "withdraw", "options")]
        job = await page.job(number)
    assert (refused, withdrawn.status, after) == ([409] * 3, 200, [409] * 3)
    assert (job["state"], job["may"]) == ("withdrawn", [])


async def test_the_same_rows_are_not_sent_twice_without_being_asked_for(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        await page.finished(table(2))
        number = await page.ready(table(2), "again.csv")
        warnings = (await page.job(number))["check"]["warnings"]
        refused, agreed = await page.act(number, "submit"), await page.act(number, "submit", again="yes")
        code = (await refused.json())["code"]
    assert [(warning["code"], warning["job"]) for warning in warnings] == [("same-rows", 1)]
    assert (refused.status, code, agreed.status) == (409, "same-rows", 200)


async def test_files_are_downloaded_under_their_names(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.finished(WRONG, "März Storno.csv")
        files = {file["name"]: file["bytes"] for file in (await page.job(number))["files"]}
        sent = {name: len(await (await page.get(f"/jobs/{number}/files/{name}")).read()) for name in files}
        original = await page.get(f"/jobs/{number}/files/input")
        problems = await page.get(f"/jobs/{number}/files/problems.xlsx")
        report = await page.get(f"/jobs/{number}/files/report.html")
        refused = [
            (await page.get(f"/jobs/{number}/files/{name}")).status
            for name in ("journal.sqlite3", "..%2finput", "%2e%2e", "run.log", "x%00y")
        ]
        content, sheet = await original.read(), openpyxl.load_workbook(io.BytesIO(await problems.read())).active
    assert sent == files
    assert files.keys() >= {
        "input",
        "plan.json",
        "problems.xlsx",
        "results.csv",
        "results.xlsx",
        "failed.csv",
        "report.html",
        "summary.json",
    }
    assert content == WRONG
    assert original.headers["Content-Disposition"].endswith("filename*=UTF-8''M%C3%A4rz%20Storno.csv")
    assert report.headers["Content-Security-Policy"] == "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    assert sheet is not None
    assert [cell.value for cell in sheet[2]][:2] == [4, "A4"]
    assert set(refused) <= {400, 404}


async def test_nothing_that_is_downloaded_calculates(tmp_path: Path) -> None:
    content = table(2) + b"=1+1,=1+1,=1+1\n"
    async with serving_page(tmp_path) as page:
        number = await page.finished(content)
        files = {}
        for name in ("problems.xlsx", "results.xlsx", "failed.xlsx", "results.csv", "failed.csv"):
            files[name] = await (await page.get(f"/jobs/{number}/files/{name}")).read()
    cells = [
        cell
        for name in ("problems.xlsx", "results.xlsx", "failed.xlsx")
        for sheet in openpyxl.load_workbook(io.BytesIO(files[name]))
        for row in sheet
        for cell in row
    ]
    assert [cell.data_type for cell in cells if "=1+1" in str(cell.value)].count("s") >= 3
    assert not [cell for cell in cells if cell.data_type == "f"]
    for name in ("results.csv", "failed.csv"):
        assert b"1+1" in files[name]
        assert not re.search(rb'(^|[,"\r\n])=1', files[name])


async def test_templates_are_there_for_both_programs(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        text = await page.text("/template.csv")
        workbook = await (await page.get("/template.xlsx")).read()
    assert text.startswith("customer_id,subscription_id,entitlement_id")
    assert zipfile.is_zipfile(io.BytesIO(workbook))


async def test_the_history_has_jobs_and_runs_made_elsewhere(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        await page.finished(table(2), "first.csv")
        run = find(page.site.settings.reports, "latest")
        # As if a terminal had made it: no job knows it.
        page.site.store._connection.execute("UPDATE jobs SET run_id = run_id || 'x'")
        await page.ready(table(1), "second.csv")
        text = await page.text("/jobs")
        found, none = await page.text("/jobs?q=second"), await page.text("/jobs?from=2999-01-01")
        no_dates = [(await page.get(f"/jobs?{name}=soon")).status for name in ("from", "to")]
        jobs = (await page.json("/api/jobs?state=ready"))["jobs"]
        shown = await page.text(f"/runs/{run.metadata.id}")
        rows = await page.json(f"/runs/{run.metadata.id}/rows")
        results = await page.get(f"/runs/{run.metadata.id}/files/results.csv")
        unknown = [
            (await page.get(f"/runs/{name}")).status for name in ("latest", "..%2fx", f"{run.metadata.id}x", "serve")
        ]
    assert f"/runs/{run.metadata.id}" in text
    assert ("second.csv" in found, "first.csv" in found, "Nothing was found" in none) == (True, False, True)
    assert no_dates == [400, 400]
    assert [job["name"] for job in jobs] == ["second.csv"]
    assert "All 2 rows ended well" in shown
    assert (len(rows["rows"]), results.status, unknown) == (2, 200, [404] * 4)


async def test_the_doctor_is_asked_in_settings(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        response = await page.post("/settings/doctor")
        text = await page.text("/settings")
    assert response.status == 200
    assert 'data-testid="doctor-result"' in text
    assert "A run could work." in text
    assert "the list of customers was read" in text


async def test_a_poll_without_news_is_empty(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.finished(table(2))
        first = await page.get(f"/api/jobs/{number}/live")
        again = await page.get(f"/api/jobs/{number}/live", **{"If-None-Match": first.headers["ETag"]})
    assert (first.status, again.status, await again.read()) == (200, 304, b"")
    assert (first.headers["Cache-Control"], again.headers["Cache-Control"]) == ("no-store", "no-store")


async def test_twenty_equal_submits_start_one_run(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number, form_id = await page.ready(table(2)), str(uuid4())
        responses = await asyncio.gather(
            *(page.post(f"/jobs/{number}/submit", {"version": "1", "form_id": form_id}) for _ in range(15))
        )
        await page.wait_for(number, "finished")
        runs = [path for path in page.site.settings.reports.iterdir() if (path / "journal.sqlite3").exists()]
    assert {response.status for response in responses} == {200}
    assert len(runs) == 1


async def audit_of(page: Page, number: int) -> list[str]:
    """Return what happened to a job."""
    return [event["event"] for event in (await page.json(f"/api/jobs/{number}/audit"))["events"]]


async def test_the_trail_says_what_happened_and_by_whom(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.finished(table(1))
        finished = await page.text(f"/jobs/{number}")
        version = (await page.job(number))["versions"][-1]
        await page.get(f"/jobs/{number}/files/input")
        events = await audit_of(page, number)
        text = await page.text(f"/jobs/{number}/audit")
    assert events[:3] == ["uploaded", "checked", "submitted"]
    assert events[-2:] == ["ended", "downloaded"]
    assert f'data-digest="{version["digest"]}"' in finished
    assert f'data-sha256="{version["sha256"]}"' in finished
    assert 'data-testid="audit-table"' in text


async def test_files_of_a_job_that_never_ran_go_after_thirty_days(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.ready(table(1))
        page.site.remove_old_files()
        kept = (await page.get(f"/jobs/{number}/files/input")).status
        page.site.now = lambda: utc_now() + timedelta(days=31)
        page.site.remove_old_files()
        gone = (await page.get(f"/jobs/{number}/files/input")).status
        text, refused = await page.text(f"/jobs/{number}"), await page.act(number, "submit")
    assert (kept, gone, refused.status) == (200, 404, 409)
    assert "were removed" in text
