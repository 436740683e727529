"""What those who watch a job are told: made once for all, and never behind its journal."""

import asyncio
from pathlib import Path

import pytest

from bulkreact.models import Status
from bulkreact.web import run_queue
from bulkreact.web.jobs import Happening, JobEvent
from bulkreact.web.live_answers import LiveAnswers
from bulkreact.web.records import Actor
from tests.support.made_runs import make_run
from tests.support.web_page import OwnPage, serving_page, table

RUN = "20260301T120000Z-orders-0000"
BEFORE, AFTER = "2026-01-01T08:00:00.000Z", "2099-01-01T08:00:00.000Z"


class Watched:
    """A job with a number that its watchers are told, and the clock and the record by which that is valid."""

    def __init__(self) -> None:
        self.made = self.revision = 0
        self.now = 0.0
        self.answers = LiveAnswers(self._make, lambda: self.revision, lambda: self.now)

    async def _make(self, number: int) -> dict[str, object]:
        self.made += 1
        await asyncio.sleep(0)
        return {"number": number, "settled": self.revision}


async def test_all_who_watch_are_told_what_was_made_once() -> None:
    watched = Watched()
    answers = await asyncio.gather(*(watched.answers.get(1) for _ in range(200)))
    assert ({answer.text for answer in answers}, watched.made) == ({'{"number":1,"settled":0}'}, 1)


async def test_an_answer_is_made_anew_when_the_record_changes_or_it_is_old() -> None:
    watched = Watched()
    first = await watched.answers.get(1)
    watched.revision = 1
    second = await watched.answers.get(1)
    watched.now = 0.5
    third = await watched.answers.get(1)
    assert (watched.made, second.text, third.tag) == (3, '{"number":1,"settled":1}', second.tag)
    assert first.tag != second.tag


@pytest.fixture
def rare_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the line be looked at when it is asked to alone."""
    monkeypatch.setattr(run_queue, "_LOOK_EVERY", 3600.0)


async def queued(page: OwnPage, *, queued_at: str) -> int:
    """Return a job whose run has two rows settled, and which nobody has looked at since it was queued."""
    number = await page.ready(table(2))
    make_run(page.site.settings.reports / RUN, 2, Status.ACCEPTED)
    happening = Happening(event=JobEvent.SUBMITTED, now=queued_at, run_id=RUN)
    page.site.store.change(number, happening, Actor())
    return number


@pytest.mark.usefixtures("rare_looks")
async def test_a_job_whose_rows_are_settled_is_never_said_to_be_in_the_line(
    tmp_path: Path,
) -> None:
    async with serving_page(tmp_path) as page:
        number = await queued(page, queued_at=BEFORE)
        live = await page.json(f"/api/jobs/{number}/live")
        job = await page.job(number)
    assert (live["settled"], live["state"], job["state"]) == (2, "finished", "finished")


@pytest.mark.usefixtures("rare_looks")
async def test_a_job_in_the_line_is_said_to_be_there(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await queued(page, queued_at=AFTER)
        live = await page.json(f"/api/jobs/{number}/live")
    assert (live["state"], live["said"]) == ("queued", "In the line")


@pytest.mark.usefixtures("rare_looks")
async def test_a_job_whose_rows_are_settled_is_not_withdrawn(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await queued(page, queued_at=BEFORE)
        response = await page.post(f"/jobs/{number}/withdraw", {"version": "1"})
        job = await page.job(number)
    assert (response.status, job["state"]) == (409, "finished")


@pytest.mark.usefixtures("rare_looks")
async def test_a_continued_job_that_is_withdrawn_from_the_line_is_stopped_by_that_person(
    tmp_path: Path,
) -> None:
    async with serving_page(tmp_path) as page:
        number = await queued(page, queued_at=AFTER)
        response = await page.post(f"/jobs/{number}/withdraw", {"version": "1"})
        job = await page.job(number)
    assert (response.status, job["state"], job["cause"], job["run"]["counts"]) == (
        200,
        "stopped",
        "person",
        {"accepted": 2},
    )


@pytest.mark.usefixtures("rare_looks")
async def test_a_run_is_asked_to_stop_and_then_to_stop_at_once(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await queued(page, queued_at=AFTER)
        page.site.store.change(number, Happening(event=JobEvent.STARTED, now=AFTER), Actor())
        control, asked = page.site.folders.control(number), []
        for action in ("stop", "stop-now"):
            response = await page.post(f"/jobs/{number}/{action}", {"version": "1"})
            asked.append((response.status, sorted(path.name for path in control.glob("stop*"))))
    assert asked == [(200, ["stop"]), (200, ["stop", "stop-now"])]
