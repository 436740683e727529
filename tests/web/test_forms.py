"""Each form acts once, however often and however fast it is sent."""

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from bulkreact.timestamps import utc_now
from bulkreact.web.forms import Forms
from bulkreact.web.records import FormAnswer
from bulkreact.web.refusals import RequestRefusedError
from bulkreact.web.store import STORE_NAME, RecordStore
from tests.support.web_page import Json, Page, line, practising, table, until

FORM_ID = str(uuid4())
MANY = 20


async def submit(forms: Forms, act: "Act") -> FormAnswer:
    """Submit the form as the guard does."""
    answer = await forms.find("ann", FORM_ID, "/jobs")
    return answer or await forms.answer("ann", FORM_ID, "/jobs", act.work)


class Act:
    """An action that begins, waits to be let end, and fails so often, perhaps when it has stored the answer."""

    def __init__(self, failures: int, store: RecordStore | None = None) -> None:
        self._store = store
        self.begun = 0
        self.may_end = asyncio.Event()
        self._failures = failures

    async def work(self) -> tuple[int, str]:
        """Fail, or return the answer."""
        self.begun += 1
        await self.may_end.wait()
        if self._store:
            self._store.keep_form(FormAnswer("ann", FORM_ID, "/jobs", 201, "/jobs/1", "2999"))
        if self.begun <= self._failures:
            raise ConnectionResetError("the sender has gone away")
        return 201, f"/jobs/{self.begun}"


@pytest.mark.parametrize("has_acted", [False, True])
async def test_a_repetition_acts_itself_when_the_first_one_has_gone_away_without_acting(
    tmp_path: Path, has_acted: bool
) -> None:
    store = RecordStore(tmp_path / STORE_NAME)
    forms, act = Forms(store, utc_now), Act(1, store if has_acted else None)
    async with asyncio.timeout(60):
        tasks = [asyncio.create_task(submit(forms, act)) for _ in range(4)]
        await until(lambda: act.begun)
        act.may_end.set()
        first, *answers = await asyncio.gather(*tasks, return_exceptions=True)
    store.close()
    times = 1 if has_acted else 2
    assert isinstance(first, ConnectionResetError)
    assert {answer.location if isinstance(answer, FormAnswer) else "" for answer in answers} == {f"/jobs/{times}"}
    assert act.begun == times


async def test_a_form_is_forgotten_when_nobody_will_send_it_again(tmp_path: Path) -> None:
    store, act = RecordStore(tmp_path / STORE_NAME), Act(failures=0)
    act.may_end.set()
    await submit(Forms(store, utc_now), act)
    later = Forms(store, lambda: utc_now() + timedelta(hours=23))
    later.forget_old()
    with pytest.raises(RequestRefusedError, match="something else"):
        await later.find("ann", FORM_ID, "/jobs/1/submit")
    latest = Forms(store, lambda: utc_now() + timedelta(hours=25))
    latest.forget_old()
    assert await latest.find("ann", FORM_ID, "/jobs") is None
    store.close()


async def press(page: Page, path: str, fields: dict[str, str], content: bytes = b"") -> Json:
    """Send one form twenty times at once; return the answer, which must be the same for all."""
    values = {"form_id": str(uuid4())} | fields
    sent = (
        page.upload(content, path=path, **values) if content else page.post(path, {"csrf": page.token} | values)
        for _ in range(MANY)
    )
    responses = await asyncio.gather(*sent)
    answers = [(response.status, (await response.json(content_type=None))["location"]) for response in responses]
    assert len(set(answers)) == 1, answers
    return {"status": answers[0][0], "location": answers[0][1]}


async def events(page: Page, number: int) -> list[str]:
    """Return what happened to a job."""
    return [event["event"] for event in (await page.json(f"/api/jobs/{number}/audit"))["events"]]


async def shown(page: Page, number: int) -> dict[str, str]:
    """Return what the page of a job shows of its version."""
    job = await page.job(number)
    version = job["versions"][-1]
    return {"version": str(job["version"]), "sha256": str(version["sha256"]), "digest": str(version["digest"])}


async def test_twenty_equal_forms_have_one_effect_and_one_answer(tmp_path: Path) -> None:
    async with practising(tmp_path, "ann", "ben") as (ann, ben):
        uploaded = await press(ann, "/jobs", {}, table(1))
        await ann.wait_for(1, "ready")
        await press(ann, "/jobs/1/options", {"version": "1", "order": "urgent"})
        await ann.wait_for(1, "ready")
        await press(ann, "/jobs/1/file", {"version": "2"}, table(2))
        await ann.wait_for(1, "ready")
        await press(ann, "/jobs/1/submit", {"version": "3"})
        await press(ben, "/jobs/1/reject", {"comment": "no"} | await shown(ben, 1))
        await press(ann, "/jobs/1/withdraw", {"version": "3"})
        found, jobs = await events(ann, 1), (await ann.json("/api/jobs"))["jobs"]
    assert (uploaded, len(jobs)) == ({"status": 201, "location": "/jobs/1"}, 1)
    assert [event for event in found if event != "checked"] == [
        "uploaded",
        "options",
        "replaced",
        "submitted",
        "rejected",
        "withdrawn",
    ]


@pytest.mark.soak
async def test_twenty_equal_forms_for_a_run_have_one_effect_and_one_answer(tmp_path: Path) -> None:
    content = table(8) + line(9, ending="000000020002").encode()
    async with practising(tmp_path, "ann", "cleo", "ben", speed="--rate=2/s") as (ann, cleo, ben):
        await ann.ready(content)
        await press(ann, "/jobs/1/submit", {"version": "1"})
        await press(ben, "/jobs/1/approve", await shown(ben, 1))
        await ann.wait_for(1, "running")
        await press(ann, "/jobs/1/stop", {"version": "1"})
        await ann.wait_for(1, "stopped")
        await press(ann, "/jobs/1/continue", {"version": "1"})
        await ann.wait_for(1, "finished")
        await press(cleo, "/jobs/1/verify", {"version": "1"})
        await ann.wait_for(1, "finished")
        retried = await press(ann, "/jobs/1/retry", {"version": "1", "all_failed": "yes"})
        searched = await press(ann, "/find", {"kind": "azure"})
        found, jobs = await events(ann, 1), (await ann.json("/api/jobs"))["jobs"]
        searches = ann.site.searches.records.newest()
        await until(lambda: not ann.site.searches.records.newest()[0].is_open)
    assert [event for event in found if event not in {"checked", "downloaded"}] == [
        *("uploaded", "submitted", "approved", "started", "stopped", "ended", "continued", "started", "ended"),
        *("verified", "ended", "retried"),
    ]
    assert (retried["location"], len(jobs), searched["location"], len(searches)) == ("/jobs/2", 2, "/find/1", 1)
