"""A caller may choose the id of a new run: it belongs to one process from before the input is read, and to one run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from bulkreact.batch.locks import run_id_lock
from bulkreact.runs import store
from bulkreact.runs.reserved_ids import is_reserved
from tests.support.ids import guid, row, write_csv
from tests.support.instants import kill_at
from tests.support.program import Partner, Program, ProgramResult
from tests.support.run_commands import FAST, row_statuses, wait_until
from tests.support.run_commands import run as run_rows

RUN_ID = "20260228T093000Z-orders-1f0c"
HALTED = ("--halt-on-failures", "0%", "--halt-after", "1", "--concurrency", "1")
RETRY_ID = "20260228T093001Z-orders_2-2e1d"


def run(program: Program, partner: Partner, *options: str) -> ProgramResult:
    """Run two rows under the chosen id."""
    return run_rows(program, partner, ["a", "b"], "--run-id", RUN_ID, *options)


@contextmanager
def reserved(reports: Path, run_id: str) -> Iterator[None]:
    """Hold an id as another process does."""
    reports.mkdir(exist_ok=True)
    lock = run_id_lock(reports, run_id)
    lock.acquire()
    try:
        yield
    finally:
        lock.remove()


def lock_path(reports: Path) -> Path:
    """Return the file of the id's lock."""
    return run_id_lock(reports, RUN_ID).path


def test_the_new_run_gets_the_chosen_id_and_leaves_no_lock(program: Program, partner: Partner) -> None:
    result = run(program, partner)
    assert (result.code, result.run.name, result.summary["run_id"]) == (0, RUN_ID, RUN_ID), result.err
    assert not lock_path(result.reports).exists()


def test_it_is_a_new_run_although_one_of_the_same_rows_is_unfinished(program: Program, partner: Partner) -> None:
    halted = run_rows(program, partner, [800111, "a"], *HALTED)
    assert row_statuses(halted.run) == ["failed", "not_attempted"]
    second = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--run-id", RUN_ID)
    assert "Continuing" not in second.err
    assert row_statuses(second.reports / RUN_ID) == ["failed", "accepted"]


def test_a_retry_gets_the_chosen_id(program: Program, partner: Partner) -> None:
    first = run_rows(program, partner, ["a", 800111])
    name = first.run.name
    program("retry", name, "--all-failed", *FAST, "--run-id", RETRY_ID)
    assert row_statuses(first.reports / RETRY_ID) == ["failed"]
    again = program("retry", name, "--all-failed", *FAST, "--run-id", RETRY_ID)
    assert (again.code, RETRY_ID in again.err) == (2, True)


@pytest.mark.parametrize("options", [(), ("--wait",)])
def test_while_another_process_has_the_id_nothing_is_read(
    program: Program, partner: Partner, options: tuple[str, ...]
) -> None:
    with reserved(program.folder / "reports", RUN_ID):
        result = program("run", "no such file.csv", "--base-url", partner.base_url, *FAST, "--run-id", RUN_ID, *options)
        assert is_reserved(program.folder / "reports", RUN_ID)
    assert (result.code, RUN_ID in result.err) == (5, True), result.err


def test_a_process_has_the_id_as_long_as_it_works_on_the_run(program: Program, partner: Partner) -> None:
    reports, read, write = program.folder / "reports", *os.pipe()
    with os.fdopen(write, "w") as stream, os.fdopen(read) as stdin:
        process = program.start("run", "-", "--base-url", partner.base_url, *FAST, "--run-id", RUN_ID, stdin=stdin)
        wait_until(lambda: is_reserved(reports, RUN_ID))
        assert run(program, partner).code == 5
        write_csv(program.folder / "piped.csv", [row(guid(7))])
        stream.write((program.folder / "piped.csv").read_text())
    assert program.wait(process).code == 0
    assert run(program, partner).code == 2
    assert len(partner.requests()) == 1


def test_an_id_that_a_run_has_is_refused_whatever_its_folder_is_called(program: Program, partner: Partner) -> None:
    first = run(program, partner)
    first.run.rename(first.reports / "renamed")
    again = run(program, partner)
    assert (again.code, f"There is a run {RUN_ID} already." in again.err) == (2, True), again.err
    assert len(partner.requests()) == 2


@pytest.mark.parametrize("before", ["bulkreact.runs.store.publish", "bulkreact.runs.execution.execute"])
def test_a_killed_process_has_its_id_no_more(program: Program, partner: Partner, before: str) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1))])
    command = ("run", "input.csv", "--base-url", partner.base_url, *FAST, "--run-id", RUN_ID)
    kill_at(program, (before, 0, 1), *command)
    reports = program.folder / "reports"
    assert lock_path(reports).exists()
    assert not is_reserved(reports, RUN_ID)
    assert not lock_path(reports).exists()
    exists = (reports / RUN_ID).exists()
    again = program(*command)
    assert again.code == (2 if exists else 0), again.err
    assert not store.draft_path(reports, RUN_ID).exists()


def test_what_a_killed_process_left_is_in_the_way_of_no_draft(program: Program, partner: Partner) -> None:
    # As on Windows, where drafts have no locks.
    draft = store.draft_path(program.folder / "reports", RUN_ID)
    draft.mkdir(parents=True)
    with patch("bulkreact.atomic_write._HAS_LOCKS", new=False):
        assert run(program, partner).code == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "orders",
        "../20260228T093000Z-orders-1f0c",
        "20260228T093000Z-orders-1F0C",
        "20260228T093000Z-a.b-1f0c",
        f"20260228T093000Z-{'x' * 61}-1f0c",
        "20260228T093000Z--1f0c",
        f"{RUN_ID}\n",
        "\u0662\u0660260228T093000Z-orders-1f0c",
    ],
)
def test_an_id_of_another_form_is_refused(program: Program, text: str) -> None:
    result = program("run", "input.csv", "--simulate", "--run-id", text)
    assert (result.code, "--run-id" in result.err) == (2, True), result.err
    assert not result.reports.exists()
