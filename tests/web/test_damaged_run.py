"""A run whose record is damaged or gone is said to be so, and takes no other page down."""

import shutil
from pathlib import Path

from tests.support.web_page import serving_page, table


async def test_a_job_whose_run_cannot_be_read_is_still_shown(tmp_path: Path) -> None:
    paths = ("/", "/jobs", "/jobs/1", "/jobs/1/rows", "/api/jobs", "/api/jobs/1", "/api/jobs/1/live", "/jobs/1/audit")
    async with serving_page(tmp_path) as page:
        await page.finished(table(2))
        [journal] = (tmp_path / "reports").glob("[!.]*/journal.sqlite3")
        for path in journal.parent.glob(f"{journal.name}*"):
            path.write_bytes(b"no journal " * 1000)
        damaged = {path: (await page.get(path)).status for path in paths}
        shown = await page.text("/jobs/1")
        job = await page.job(1)
        retries = [await page.act(1, "retry")]
        for path in journal.parent.iterdir():
            path.unlink()
        journal.parent.rmdir()
        gone = {path: (await page.get(path)).status for path in paths}
        shown_later = await page.text("/jobs/1")
        retries += [await page.act(1, "retry")]
        refused = [(response.status, (await response.json(content_type=None))["detail"]) for response in retries]
    assert (set(damaged.values()), set(gone.values())) == ({200}, {200}), (damaged, gone)
    assert refused == [(409, "The record of its run cannot be read. Ask an administrator.")] * 2
    assert (job["state"], "verdict" in shown, "verdict" in shown_later) == ("finished", False, False)
    assert "no record of its run that can be read" in shown
    assert "no record of its run that can be read" in shown_later


async def test_a_job_whose_run_was_pruned_is_not_run_again_by_the_next_server(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        await page.finished(table(1))
    reports = tmp_path / "reports"
    [folder] = (path.parent for path in reports.glob("[!.]*/journal.sqlite3"))
    shutil.rmtree(folder)
    async with serving_page(tmp_path) as page:
        job = await page.job(1)
        # It runs what waits, one job after the other.
        await page.finished(table(2))
        events = [line.event for line in page.site.store.audit_lines() if line.job == 1]
    assert job["state"] == "finished"
    assert len(list(reports.glob("[!.]*/journal.sqlite3"))) == 1
    assert events.count("started") <= 1
