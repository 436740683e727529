"""A retry that is stopped while it takes rows over: whatever is run next, every row is sent by one run alone."""

import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.support.instants import Instant, kill_at, signal_at
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


@pytest.mark.parametrize("instant", INSTANTS.values(), ids=INSTANTS)
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


@pytest.mark.parametrize("instant", INSTANTS.values(), ids=INSTANTS)
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
