"""What a job waits for, until when, and what can be done meanwhile; and whom its advice names."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from bulkreact.web.jobs import JobActivity, JobState
from bulkreact.web.run_numbers import ProcessReport, RunNumbers, WaitingRows
from bulkreact.web.texts import advise, describe_state, name_responsible
from bulkreact.web.waiting import describe_turn, describe_waits
from tests.support.web_jobs import JOB
from tests.support.web_page import free_socket, practising, serving_page, settings_for, table

RUNNING = replace(JOB, state=JobState.RUNNING, activity=JobActivity.SENDING)
WATCHING = replace(RUNNING, activity=JobActivity.VERIFYING)
WATCHED = (
    "It begins when No. 1 has ended: its rows are watched until they are active, for at most 20 min; "
    "Stop on its page ends that."
)
ADMIN_ADVICE = "Give the account the role. Then continue the run if it was stopped, else run failed.csv."


@pytest.mark.parametrize(
    ("turn", "ahead", "message", "expected"),
    [
        (1, None, None, "It begins by itself."),
        (1, RUNNING, None, "It begins when No. 1 has ended."),
        (3, RUNNING, None, "It begins when No. 1 has ended, after 2 jobs in the line."),
        (
            1,
            WATCHING,
            None,
            WATCHED,
        ),
        (1, RUNNING, "Waiting for pid 7", "Waiting for pid 7"),
    ],
)
def test_a_job_in_the_line_says_what_it_waits_for(
    tmp_path: Path, turn: int, ahead: object, message: str | None, expected: str
) -> None:
    report = ProcessReport(phase="waiting" if message else "preparing", message=message)
    with free_socket() as listener:
        settings = settings_for(tmp_path, listener)
    assert describe_turn(turn, ahead, report, settings) == expected  # type: ignore[arg-type]


def test_rows_wait_for_as_long_as_the_settings_allow(tmp_path: Path) -> None:
    with free_socket() as listener:
        settings = settings_for(tmp_path, listener, longest_watch=600.0, time_zone=ZoneInfo("UTC"))
    down = RunNumbers(down_since="2026-03-01T08:00:10.000Z", waiting=WaitingRows(rows=1))
    waiting = RunNumbers(waiting=WaitingRows(rows=2))
    assert describe_waits(RUNNING, down, settings) == (
        "Partner Center is down since 08:00 UTC. It is asked again and again, until 08:30 UTC at most. "
        "Stop ends that; Continue goes on later."
    )
    assert describe_waits(RUNNING, waiting, settings) == "2 rows wait for Partner Center"
    assert describe_waits(WATCHING, waiting, settings) == "2 rows are watched until active, for at most 10 min"
    assert describe_waits(RUNNING, RunNumbers(), settings) == ""


def test_advice_names_the_buttons_that_are_there_and_who_sent_the_file() -> None:
    finished, stopped = replace(JOB, state=JobState.FINISHED), replace(JOB, state=JobState.STOPPED)
    assert advise(ADMIN_ADVICE, finished) == "Give the account the role. Then press Retry all."
    assert advise(ADMIN_ADVICE, stopped).endswith("Then press Continue, then Retry all if it still did not end well.")
    assert name_responsible("the operator of bulkreact", JOB) == "Ann"
    assert name_responsible("Microsoft support", JOB) == "Microsoft support"


def test_a_finished_job_that_is_looked_at_again_stays_finished_for_people() -> None:
    assert describe_state(WATCHING).startswith("Running: ")
    assert describe_state(replace(WATCHING, exit_code=1)).startswith("Finished: ")


async def test_rows_of_a_job_that_has_not_ended_cannot_be_sent_again_and_nothing_offers_it(tmp_path: Path) -> None:
    async with practising(tmp_path, "ann") as (ann,):
        first, second = await ann.ready(table(1)), await ann.ready(table(1))
        await ann.act(first, "submit")
        shown, refused = await ann.text(f"/jobs/{second}"), await ann.act(second, "submit", again="yes")
        detail = (await refused.json(content_type=None))["detail"]
    assert ("The same rows are in No. 1, which has not ended" in shown, shown.count("No. 1")) == (True, 1)
    assert ('data-testid="again"' in shown, 'data-testid="submit"' in shown) == (False, False)
    assert (refused.status, detail.endswith("when it has, if at all.")) == (409, True)


async def test_a_duplicate_names_the_row_that_is_sent(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.ready(table(2) + table(1).split(b"\n", 1)[1])
        shown, rows = await page.text(f"/jobs/{number}"), await page.text(f"/jobs/{number}/rows?show=duplicates")
    assert f'<a href="/jobs/{number}/rows?show=duplicates">sent once, with an earlier row</a>' in shown
    assert "The same as row 2: it is sent once, nothing need be done." in rows


async def test_whoever_decides_knows_what_approval_means_and_who_must_be_told(tmp_path: Path) -> None:
    async with practising(tmp_path, "ann", "ben") as (ann, ben):
        number = await ann.ready(table(1))
        before = await ann.text(f"/jobs/{number}")
        await ann.act(number, "submit")
        decided = await ben.text(f"/jobs/{number}")
    assert "not told by themselves: send them the address of this page" in before
    assert "It begins by itself, cannot be undone, and what is active again is billed." in decided
