"""What is done with a run that has ended: look at its rows again, continue it, retry them."""

import asyncio
from pathlib import Path

from tests.support.web_page import Json, Page, serving_page, table


async def looked_at(page: Page, number: int) -> Json:
    """Look at a run's rows until all of them are active, which takes some seconds."""
    async with asyncio.timeout(120):
        while (job := await page.wait_for(number, "finished"))["run"]["counts"].keys() != {"reactivated"}:
            await page.act(number, "verify")
    return job


async def test_looking_again_reads_the_rows_and_changes_their_counts(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.finished(table(3))
        before = await page.job(number)
        response = await page.act(number, "verify")
        pressed = (await response.json())["job"]
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
    assert "All 3 rows ended well" in text
    assert events[-2:] == ["verified", "ended"]
