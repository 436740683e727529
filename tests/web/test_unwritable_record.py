"""A record that cannot be written holds the work up, and ends nothing."""

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from unittest.mock import patch

import pytest
from msgspec import json
from msgspec.structs import replace

from bulkreact.web.app import serving
from bulkreact.web.jobs import JobState, StopCause
from bulkreact.web.plan_file import OPTION_DEFAULTS
from bulkreact.web.records import Actor, Approval, Version
from bulkreact.web.refusals import RequestRefusedError
from bulkreact.web.run_queue import RunQueue
from bulkreact.web.site import Site
from bulkreact.web.store import STORE_NAME, RecordStore
from tests.support.web_jobs import JOB, NOW
from tests.support.web_page import free_socket, serving_page, settings_for, table

FORM_ID = "44444444-0000-4000-8000-00000000000a"
ACTOR = Actor()
KILLED = replace(
    JOB, state=JobState.STOPPED, cause=StopCause.SYSTEM, by_id="local", run_id="20260301T080000Z-orders-0000"
)


AGREED = Approval(
    job=1,
    version=1,
    sha256="0" * 64,
    digest="0" * 64,
    options_sha256="0" * 64,
    target="simulated",
    rows=1,
    customers=1,
    person_id="local",
    person="ann",
    decision="same person",
    comment="",
    at=NOW,
)


def first_version(job: int, version: int, /) -> Version:
    """Return the version of a job."""
    values = {
        "what": "uploaded",
        "by_id": "local",
        "by_name": "ann",
        "at": NOW,
        "file": "orders.csv",
        "sha256": "0" * 64,
    }
    return Version(job=job, version=version, bytes=1, options=json.encode(OPTION_DEFAULTS).decode(), **values)


async def test_a_server_starts_though_nothing_can_be_saved_and_continues_runs_when_it_can(tmp_path: Path) -> None:
    warned, listener = asyncio.Event(), free_socket()
    site = Site(settings_for(tmp_path, listener), lambda _token: None, warn=lambda _message: warned.set())
    site.store.create_job(KILLED, first_version, ACTOR)
    site.store._insert("approvals", AGREED)
    with patch("bulkreact.web.processes.start") as start, patch.object(RunQueue, "_find_difference", return_value=None):
        start.return_value.exit_code.return_value = None
        site.store._connection.execute("PRAGMA query_only = ON")
        async with serving(site, listener), asyncio.timeout(60):
            await warned.wait()
            started_early = start.called
            site.store._connection.execute("PRAGMA query_only = OFF")
            while not start.called:  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.05)
            events = [line.event for line in site.store.audit_lines(job=1)]
    assert (started_early, events) == (False, ["uploaded", "continued"])


def test_a_commit_that_fails_leaves_no_transaction_open(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / STORE_NAME)
    store._connection.execute("CREATE TABLE later (job REFERENCES jobs DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(sqlite3.IntegrityError), store._writing() as connection:
        connection.execute("INSERT INTO later VALUES (1)")
    store.audit(ACTOR, "settings", "", NOW)
    store.close()


def test_the_record_is_closed_when_nobody_is_at_work_on_it(tmp_path: Path) -> None:
    path, entered, may_end = tmp_path / STORE_NAME, threading.Event(), threading.Event()
    store = RecordStore(path)

    def make_version(job: int, version: int, /) -> Version:
        entered.set()
        may_end.wait()
        return first_version(job, version)

    with ThreadPoolExecutor(2) as pool:
        created = pool.submit(store.create_job, KILLED, make_version, ACTOR)
        entered.wait()
        closed = pool.submit(store.close)
        # Time enough for a close that does not wait.
        wait([closed], timeout=0.2)
        may_end.set()
        assert created.result().number == 1
        closed.result()
    store = RecordStore(path)
    assert [job.number for job in store.jobs_in([JobState.STOPPED])] == [1]
    store.close()


async def test_the_answer_of_a_form_is_stored_with_its_action(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        with patch.object(RecordStore, "keep_form", side_effect=RequestRefusedError("read-only", "The disk is full.")):
            lost = await page.upload(table(1), form_id=FORM_ID)
        again = await page.upload(table(1), form_id=FORM_ID)
        location = (await again.json())["location"]
        jobs = (await page.json("/api/jobs"))["jobs"]
    assert (lost.status, again.status, location) == (503, 201, "/jobs/1")
    assert isinstance(jobs, list)
    assert len(jobs) == 1
