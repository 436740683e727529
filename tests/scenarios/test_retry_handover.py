"""A retry that is stopped while it takes rows over: whatever is run next, every row is sent by one run alone."""

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from bulkreact.batch.journal.journal import Journal
from tests.support.ids import AT, guid, row, scenario_id, write_csv
from tests.support.inboxes import inbox_folder, set_age, sweep_options
from tests.support.instants import Instant, kill_at, signal_at
from tests.support.marks import mostly_soak
from tests.support.program import Partner, Program, ProgramResult
from tests.support.run_commands import FAST, ids_by_path, row_statuses, run

ONCE = ("--attempts", "1", "--halt-on-failures", "off")
TRANSFER = "bulkreact.batch.journal.journal.Journal.transfer_rows"
INSTANTS: dict[str, Instant] = {
    "before publishing": ("bulkreact.runs.store.publish", 0, 1),
    "after publishing": ("bulkreact.runs.store.publish", 1, 1),
    "before the first hand-over": (TRANSFER, 0, 1),
    "in the middle of the hand-over": (TRANSFER, 1, 1),
    "after the hand-over": (TRANSFER, 1, 2),
    "before the session": ("bulkreact.batch.journal.journal.Journal.begin_session", 0, 1),
    "before the first call": ("bulkreact.runs.execution.send_and_watch", 0, 1),
}


def prepare(program: Program, partner: Partner) -> tuple[Path, Path]:
    """Return a run and its retry that both own rows: refused ones of the first, rows beyond --limit of the second."""
    first = run(program, partner, [800111, 599, "a", "a", "a"], *ONCE, "--limit", "2").run
    program("retry", first.name, *FAST, *ONCE, "--limit", "1")
    (second,) = (folder for folder in folders(program) if folder != first)
    assert row_statuses(second) == ["accepted", *["not_attempted"] * 3]
    return first, second


def folders(program: Program) -> list[Path]:
    """Return the folders of all runs."""
    return sorted(path.parent for path in program.folder.glob("reports/[!.]*/journal.sqlite3"))


def retry_all(program: Program, run_folder: Path) -> ProgramResult:
    """Retry a run with the rows that were refused."""
    return program("retry", run_folder.name, *FAST, *ONCE, "--all-failed")


def resume_all(program: Program) -> list[int]:
    """Resume every run, the oldest first."""
    return [program("resume", folder.name, *FAST, *ONCE).code for folder in folders(program)]


def assert_sent_once(partner: Partner) -> None:
    """Check the calls as the partner has seen them: one effect and one request id for each row that was accepted."""
    ids, effects = (
        ids_by_path(partner),
        Counter(effect["entitlement_id"] for effect in partner.service.call_log.effects),
    )
    assert sorted(effects.values()) == [1, 1, 1, 1]
    accepted = {path: calls for path, calls in ids.items() if path.split("/")[-2] in effects}
    assert [len(set(calls)) for calls in accepted.values()] == [1, 1, 1, 1]
    assert sorted(len(calls) for calls in ids.values()) == [1, 1, 1, 2, 2]


@pytest.mark.parametrize("instant", mostly_soak(INSTANTS.values(), plain=3), ids=INSTANTS)
def test_a_retry_that_is_killed_is_finished_by_the_same_command(
    program: Program, partner: Partner, instant: Instant
) -> None:
    first, _ = prepare(program, partner)
    kill_at(program, instant, "retry", first.name, *FAST, *ONCE, "--all-failed")
    again = retry_all(program, first)
    assert again.code == 1, again.err
    assert resume_all(program) == [0, 0, 0]
    assert_sent_once(partner)
    assert len(folders(program)) == 3


@pytest.mark.parametrize("instant", mostly_soak(INSTANTS.values(), plain=3), ids=INSTANTS)
def test_a_retry_that_is_interrupted_is_finished_whichever_run_is_resumed_first(
    program: Program, partner: Partner, instant: Instant
) -> None:
    first, second = prepare(program, partner)
    with signal_at(instant, signal.SIGINT):
        assert retry_all(program, first).code == 130
    assert "nothing to continue" in program("resume", first.name, *FAST).err
    program("resume", second.name, *FAST)
    assert retry_all(program, first).code in {0, 1}
    assert resume_all(program) == [0] * len(folders(program))
    assert_sent_once(partner)


def stop_after_publishing(program: Program, run_folder: Path) -> Path:
    """Interrupt a retry between its publishing and its hand-over, and return its folder."""
    before = folders(program)
    with signal_at(INSTANTS["after publishing"], signal.SIGINT):
        assert program("retry", run_folder.name, *FAST, *ONCE).code == 130
    (retry,) = set(folders(program)) - set(before)
    return retry


def test_a_new_run_of_the_input_sends_nothing_while_a_retry_of_it_is_open(program: Program, partner: Partner) -> None:
    first = run(program, partner, ["a", 503, 503], *ONCE).run
    assert row_statuses(first) == ["accepted", "failed", "failed"]
    retry, before = stop_after_publishing(program, first), len(partner.requests())
    again = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    assert (again.code, len(partner.requests())) == (1, before)
    assert f"Taken over: 2 rows, by run {retry.name}. Continue that with: bulkreact resume {retry.name}" in again.err
    assert program("resume", retry.name, *FAST).code == 0
    again = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    assert f"The same rows were run before and finished, as {first.name}" in again.err
    assert len(partner.requests()) == before + 4 + 3


def test_a_sweep_that_continues_a_run_leaves_a_retry_its_rows(program: Program, partner: Partner) -> None:
    set_age(write_csv(inbox_folder(program) / "a.csv", [row(scenario_id(599, number)) for number in range(2)]), 3600)
    archiving = ("bulkreact.inbox.file_mover.FileMover.archive_run", 0, 1)
    kill_at(program, archiving, "sweep", *sweep_options(partner), *ONCE)
    (first,) = folders(program)
    retry = stop_after_publishing(program, first)
    with Journal(first) as journal:
        journal.begin_session(command="resume", version="1", configured_per_minute=None, now=AT)
    swept = program("sweep", *sweep_options(partner))
    assert (swept.code, len(partner.requests())) == (1, 2), swept.err
    assert program("resume", retry.name, *FAST).code == 0
    assert [(len(ids), len(set(ids))) for ids in ids_by_path(partner).values()] == [(2, 1)] * 2


def test_a_retry_whose_run_is_missing_is_refused_until_it_is_back(program: Program, partner: Partner) -> None:
    first = run(program, partner, [503, 503], *ONCE).run
    retry, before = stop_after_publishing(program, first), len(partner.requests())
    elsewhere = first.rename(program.folder / "elsewhere")
    refused = program("resume", retry.name, *FAST)
    assert (refused.code, len(partner.requests())) == (2, before)
    assert f"belong to run {first.name}, which cannot hand them over" in refused.err
    # Whatever its folder is called.
    elsewhere.rename(first.with_name("renamed"))
    assert program("resume", retry.name, *FAST).code == 0
    assert "nothing to continue" in program("resume", first.name, *FAST).err
    assert len(partner.requests()) == before + 4


def test_a_retry_that_has_begun_needs_its_run_no_more(program: Program, partner: Partner) -> None:
    first = run(program, partner, [503, 503], *ONCE).run
    with signal_at(INSTANTS["before the first call"], signal.SIGINT):
        assert program("retry", first.name, *FAST).code == 130
    first.rename(program.folder / "elsewhere")
    assert program("resume", *FAST).code == 0


def test_a_run_that_is_worked_on_gives_up_no_rows(program: Program, partner: Partner) -> None:
    first = run(program, partner, [503], *ONCE).run
    with Journal(first):
        assert program("retry", first.name, *FAST).code == 5
    assert folders(program) == [first]


def test_a_practised_retry_that_is_stopped_is_handed_its_rows_as_well(program: Program) -> None:
    write_csv(program.folder / "input.csv", [row(guid(number)) for number in range(3)])
    first = program("run", "input.csv", "--simulate", "--rate", "off", "--limit", "1").run
    retry = stop_after_publishing(program, first)
    assert "nothing to continue" in program("resume", first.name, "--rate", "off").err
    assert program("resume", retry.name, "--rate", "off").code == 0
    assert row_statuses(retry) == ["accepted"] * 2


def test_a_retry_has_its_rows_before_it_lets_go_of_the_runs_that_owned_them(program: Program, partner: Partner) -> None:
    first = run(program, partner, ["a", 503, 503], *ONCE).run
    with signal_at(("bulkreact.cli.commands.retry.execute", 0, 1), signal.SIGINT):
        assert program("retry", first.name, *FAST).code == 130
    assert list(json.loads(program("status", first.name, "--json").out)["taken_over"].values()) == [2]


def test_an_earlier_retry_gives_no_rows_to_another_while_a_stopped_one_takes_them(
    program: Program, partner: Partner
) -> None:
    first, second = prepare(program, partner)
    with signal_at(INSTANTS["after publishing"], signal.SIGINT):
        assert retry_all(program, first).code == 130
    refused = program("retry", second.name, *FAST, *ONCE)
    assert refused.code == 2
    assert "is unfinished. Continue it with: bulkreact resume" in refused.err
    assert program("resume", *FAST, *ONCE).code == 1
    assert resume_all(program) == [0] * 3
    assert_sent_once(partner)
