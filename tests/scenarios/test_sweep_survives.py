"""Sweeps that are killed, doubled, watched and interrupted: nothing is run twice, lost, or left where it does not belong."""

import errno
import json
import os
import signal
import sqlite3
import subprocess
from collections import Counter, deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest

from bulkreact.inbox.folder import Folder
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.conftest import Chaos
from tests.support.ids import guid, row, scenario_id, write_csv
from tests.support.inboxes import (
    NO_SETTLING,
    count_calls,
    drop_file,
    file_names,
    inbox_folder,
    run_journals,
    sweep,
    sweep_options,
)
from tests.support.instants import Instant, kill_at, signal_at
from tests.support.invariants import count_second_effects
from tests.support.marks import mostly_soak
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, ids_by_path, wait_until
from tests.support.seals import seal_again
from tests.support.webhook_receiver import receiving

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")

INSTANTS = [
    ("bulkreact.runs.store.publish", 1, 1),
    ("os.link", 1, 1),
    ("bulkreact.inbox.ledger.Ledger.mark_filed", 0, 1),
    ("bulkreact.inbox.ledger.Ledger.prepare", 1, 1),
    ("bulkreact.runs.store.publish", 0, 1),
    ("bulkreact.runs.result_files.ResultFiles.write", 0, 1),
    ("bulkreact.inbox.ledger.Ledger.set_stage", 1, 2),
    ("bulkreact.inbox.ledger.Ledger.prepare", 0, 1),
    ("bulkreact.inbox.ledger.Ledger.set_stage", 1, 1),
    ("bulkreact.runs.result_files.ResultFiles.write", 1, 1),
    ("bulkreact.batch.journal.journal.Journal.end_session", 1, 1),
    ("bulkreact.inbox.ledger.Ledger.set_stage", 0, 2),
    ("bulkreact.inbox.file_moves._partial_name", 1, 1),
    ("bulkreact.inbox.file_moves.copy", 1, 1),
    ("os.link", 0, 2),
    ("os.link", 1, 2),
    ("bulkreact.inbox.file_moves.move", 1, 1),
    ("bulkreact.inbox.ledger.Ledger.mark_filed", 1, 1),
]


@pytest.mark.parametrize(
    "instant",
    mostly_soak(INSTANTS, plain=3),
    ids=lambda instant: "-".join(map(str, instant)),
)
def test_killed_at_any_instant_the_next_sweep_brings_it_to_its_one_end(
    program: Program, partner: Partner, instant: Instant
) -> None:
    content = drop_file(program, "a.csv", 100, 5).read_bytes()
    kill_at(program, instant, "sweep", *sweep_options(partner))
    second = sweep(program, partner)
    assert second.code == 0, second.err
    assert "Traceback" not in second.err
    third = sweep(program, partner, "-q")
    assert (third.code, third.err) == (0, "")
    (run,) = run_journals(program)
    assert len(partner.service.call_log.effects) == 5
    assert count_calls(partner, 100, 5) == [1] * 5
    assert file_names(inbox_folder(program)) == []
    done = inbox_folder(program) / "done"
    results, report = (f"a.{run.parent.name}.{name}" for name in ("results.csv", "report.html"))
    assert sorted(path.name for path in done.iterdir()) == [report, results, "a.csv"]
    assert (done / "a.csv").read_bytes() == content
    assert (done / results).read_bytes() == (run.parent / "results.csv").read_bytes()


COPIES = [("bulkreact.inbox.file_moves._write_once", after, number) for number in range(1, 5) for after in (0, 1)]


@pytest.mark.parametrize("instant", mostly_soak(COPIES, plain=1), ids=lambda instant: "-".join(map(str, instant)))
def test_killed_between_copies_the_next_sweep_makes_each_of_them_once(
    program: Program, partner: Partner, instant: Instant
) -> None:
    write_csv(inbox_folder(program) / "a.csv", [row(guid(1)), ("x", "y", "z")])
    kill_at(program, instant, "sweep", *sweep_options(partner), "--xlsx")
    assert sweep(program, partner, "--xlsx").code == 1
    (run,) = run_journals(program)
    names = ("results.csv", "results.xlsx", "failed.xlsx", "report.html")
    copies = {f"a.{run.parent.name}.{name}": run.parent / name for name in names}
    done = inbox_folder(program) / "done"
    assert set(file_names(done)) == {"a.csv", *copies}
    same = [name for name, file in copies.items() if (done / name).read_bytes() == file.read_bytes()]
    # The report's links lead to the copies.
    assert same == list(copies)[:3]


@pytest.mark.parametrize(
    "instant",
    [
        ("bulkreact.inbox.file_moves._write_note", 0, 1),
        pytest.param(("bulkreact.inbox.file_moves._write_note", 1, 1), marks=pytest.mark.soak),
        ("os.link", 1, 1),
        ("os.link", 1, 2),
        pytest.param(("bulkreact.inbox.file_moves.move_with_note", 1, 1), marks=pytest.mark.soak),
    ],
)
def test_killed_while_it_refuses_a_file_nothing_is_lost_or_doubled(
    program: Program, partner: Partner, instant: Instant
) -> None:
    (inbox_folder(program) / "bad.csv").write_text("a,b\nx,y\n")
    kill_at(program, instant, "sweep", *sweep_options(partner))
    sweep(program, partner)
    assert file_names(inbox_folder(program)) == []
    assert file_names(inbox_folder(program) / "failed") == ["bad.csv", "bad.csv.txt"]
    assert (inbox_folder(program) / "failed" / "bad.csv").read_text() == "a,b\nx,y\n"


def test_killed_while_it_sends_the_run_is_continued_under_its_request_ids(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100, 60)
    drop_file(program, "b.csv", 300, age=60)
    process = program.start("sweep", "--base-url", partner.base_url, "--yes", *NO_SETTLING, "--rate", "30/s")
    wait_until(lambda: len(partner.requests()) >= 10)
    process.kill()
    program.wait(process)
    assert len(partner.requests()) < 60
    again = sweep(program, partner)
    assert again.code == 0, again.err
    assert "a.csv: continuing run" in again.err
    assert len(partner.service.call_log.effects) == 62
    assert {len(set(ids)) for ids in ids_by_path(partner).values()} == {1}
    assert Counter(call["request_id"] for call in partner.requests()).total() - 62 <= 16
    assert len(run_journals(program)) == 2
    assert file_names(inbox_folder(program)) == []


def test_a_kept_file_that_was_killed_is_run_once_too(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100)
    kill_at(program, ("bulkreact.inbox.ledger.Ledger.set_stage", 1, 2), "sweep", *sweep_options(partner), "--keep")
    assert sweep(program, partner, "--keep").code == 0
    third = sweep(program, partner, "--keep", "-q")
    assert (third.code, third.err) == (0, "")
    assert count_calls(partner, 100) == [1, 1]


def test_two_sweeps_of_one_folder_at_once(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100, 30)
    first = program.start("sweep", "--base-url", partner.base_url, "--yes", *NO_SETTLING, "--rate", "1/s")
    wait_until(lambda: len(partner.requests()) >= 2)
    second = sweep(program, partner, "--wait")
    first.terminate()
    assert program.wait(first).code == 143
    assert second.code == 5
    assert f"process {first.pid}" in second.err
    assert sweep(program, partner).code == 0
    assert count_calls(partner, 100, 30) == [1] * 30
    assert len(run_journals(program)) == 1


def test_one_sweep_is_killed_and_another_started(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100, 30)
    first = program.start("sweep", "--base-url", partner.base_url, "--yes", *NO_SETTLING, "--rate", "1/s")
    wait_until(lambda: len(partner.requests()) >= 2)
    second = program.start("sweep", *sweep_options(partner))
    assert program.wait(second).code == 5
    first.kill()
    program.wait(first)
    assert sweep(program, partner).code == 0
    assert len(partner.service.call_log.effects) == 30
    assert len(run_journals(program)) == 1


@pytest.mark.soak
def test_two_folders_with_one_partner_take_turns(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100, 30)
    other = program.folder / "other"
    other.mkdir()
    write_csv(other / "b.csv", [row(guid(300))])
    first = program.start("sweep", "--base-url", partner.base_url, "--yes", *NO_SETTLING, "--rate", "20/s")
    wait_until(lambda: len(partner.requests()) >= 3)
    second = program.start("sweep", "other", *sweep_options(partner), "--wait")
    assert program.wait(first).code == 0
    assert program.wait(second).code == 0
    assert count_calls(partner, 300, 1) == [1]
    assert "b.csv" in file_names(other / "done")


@pytest.mark.soak
def test_files_dropped_while_it_sweeps_are_taken_by_the_next(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100, 20)
    process = program.start("sweep", "--base-url", partner.base_url, "--yes", *NO_SETTLING, "--rate", "10/s")
    wait_until(lambda: len(partner.requests()) >= 3)
    drop_file(program, "b.csv", 300)
    assert program.wait(process).code == 0
    assert sweep(program, partner).code == 0
    assert [count_calls(partner, 100, 20), count_calls(partner, 300)] == [[1] * 20, [1, 1]]
    assert file_names(inbox_folder(program)) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_interrupts_a_sweep_and_the_next_one_continues(
    program: Program, partner: Partner, number: signal.Signals, code: int
) -> None:
    drop_file(program, "a.csv", 100, 60)
    drop_file(program, "b.csv", 300, age=60)
    process = program.start("sweep", "--base-url", partner.base_url, "--yes", *NO_SETTLING, "--rate", "20/s")
    wait_until(lambda: len(partner.requests()) >= 3)
    process.send_signal(number)
    ended = program.wait(process)
    assert ended.code == code
    assert file_names(inbox_folder(program)) == ["a.csv", "b.csv"]
    assert sweep(program, partner).code == 0
    assert count_calls(partner, 100, 60) == [1] * 60
    assert count_calls(partner, 300) == [1, 1]
    assert len(run_journals(program)) == 2


@pytest.mark.parametrize(
    "instant",
    [
        ("bulkreact.runs.result_files.ResultFiles.write", 0, 1),
        ("bulkreact.inbox.ledger.Ledger.set_stage", 0, 2),
        ("bulkreact.inbox.file_moves.copy", 1, 1),
        ("bulkreact.inbox.ledger.Ledger.mark_filed", 1, 1),
    ],
)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_behind_the_last_call_lets_the_file_be_put_aside_and_then_stops(
    program: Program, partner: Partner, instant: Instant, number: signal.Signals, code: int
) -> None:
    drop_file(program, "a.csv", 100)
    drop_file(program, "b.csv", 300, age=60)
    with signal_at(instant, number):
        assert sweep(program, partner).code == code
    assert file_names(inbox_folder(program)) == ["b.csv"]
    assert len(file_names(inbox_folder(program) / "done")) == 3
    assert count_calls(partner, 300) == [0, 0]
    assert sweep(program, partner).code == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_between_two_runs_ends_the_sweep_and_reports_what_was_run(
    program: Program, partner: Partner, number: signal.Signals, code: int
) -> None:
    drop_file(program, "a.csv", 100)
    drop_file(program, "b.csv", 300, age=60)
    with receiving() as receiver:
        instant = ("bulkreact.runs.store.publish", 0, 2)
        with signal_at(instant, number):
            assert sweep(program, partner, "--notify-url", receiver.url).code == code
        content = receiver.content("/")
    assert content["exit_code"] == code
    assert [run["run_id"] for run in content["runs"]] == [run_journals(program)[0].parent.name]  # type: ignore[attr-defined]
    assert file_names(inbox_folder(program)) == ["b.csv"]
    assert sweep(program, partner).code == 0
    assert [count_calls(partner, 100), count_calls(partner, 300)] == [[1, 1], [1, 1]]


@pytest.mark.parametrize("missing", mostly_soak([True, False]))
def test_results_that_were_not_written_are_written_before_they_are_copied(
    program: Program, partner: Partner, missing: bool
) -> None:
    drop_file(program, "a.csv", 100)
    kill_at(program, ("bulkreact.inbox.ledger.Ledger.set_stage", 0, 2), "sweep", *sweep_options(partner))
    (run,) = run_journals(program)
    expected = (run.parent / "results.csv").read_bytes()
    (run.parent / "results.csv").unlink() if missing else (run.parent / "results.csv").write_bytes(b"old")
    with closing(sqlite3.connect(run)) as connection:
        connection.execute("UPDATE sessions SET exit_code = ?", (0 if missing else 74,))
        seal_again(connection)
        connection.commit()
    assert sweep(program, partner).code == 0
    (copy,) = (inbox_folder(program) / "done").glob("*.results.csv")
    assert copy.read_bytes() == expected


def start_watch(program: Program, partner: Partner, *more: str) -> "subprocess.Popen[str]":
    """Start a sweep that watches."""
    inbox_folder(program)
    return program.start("sweep", *sweep_options(partner), "--watch", "--every", "0.2", *more)


@pytest.mark.parametrize("number", mostly_soak([signal.SIGTERM, signal.SIGINT]))
def test_watching_takes_what_is_dropped_and_ends_cleanly_when_idle(
    program: Program, partner: Partner, number: signal.Signals
) -> None:
    process = start_watch(program, partner, "-q")
    wait_until(lambda: any((program.folder / "reports").glob("sweeps.sqlite3")))
    drop_file(program, "a.csv", 100)
    wait_until(lambda: "a.csv" in file_names(inbox_folder(program) / "done"))
    drop_file(program, "b.csv", 200)
    wait_until(lambda: "b.csv" in file_names(inbox_folder(program) / "done"))
    process.send_signal(number)
    ended = program.wait(process)
    assert (ended.code, ended.err) == (0, "")
    assert [count_calls(partner, 100), count_calls(partner, 200)] == [[1, 1], [1, 1]]


def test_a_watch_that_is_interrupted_says_so_and_the_next_continues(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100, 60)
    process = start_watch(program, partner, "--rate", "20/s")
    wait_until(lambda: len(partner.requests()) >= 3)
    process.send_signal(signal.SIGTERM)
    assert program.wait(process).code == 143
    assert sweep(program, partner).code == 0
    assert count_calls(partner, 100, 60) == [1] * 60


def test_watching_continues_after_a_file_that_is_refused(program: Program, partner: Partner) -> None:
    (inbox_folder(program) / "bad.csv").write_text("a,b\nx,y\n")
    process = start_watch(program, partner, "-q")
    wait_until(lambda: "bad.csv" in file_names(inbox_folder(program) / "failed"))
    drop_file(program, "a.csv", 100)
    wait_until(lambda: "a.csv" in file_names(inbox_folder(program) / "done"))
    process.send_signal(signal.SIGTERM)
    ended = program.wait(process)
    assert ended.code == 0
    assert ended.err.count("bad.csv") == 2


def test_results_that_could_not_be_put_aside_are_put_aside_by_the_next_sweep(
    program: Program, partner: Partner
) -> None:
    drop_file(program, "a.csv", 100)
    broken = OSError(errno.EIO, "Input/output error")
    with patch.object(Folder, "link", side_effect=broken), patch.object(Folder, "rename", side_effect=broken):
        process = sweep(program, partner)
    assert process.code == 74
    assert "could not be moved out of the inbox" in process.err
    assert sweep(program, partner).code == 0
    assert count_calls(partner, 100) == [1, 1]
    assert "a.csv" in file_names(inbox_folder(program) / "done")


def test_a_run_whose_folder_is_gone_in_mid_run_is_not_simply_run_again(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100)
    kill_at(program, ("bulkreact.inbox.ledger.Ledger.set_stage", 1, 1), "sweep", *sweep_options(partner))
    (run,) = run_journals(program)
    run.parent.rename(program.folder / "elsewhere")
    process = sweep(program, partner)
    assert process.code == 2
    assert "--again" in process.err
    assert partner.requests() == []
    assert sweep(program, partner, "--again").code == 2
    assert count_calls(partner, 100) == [1, 1]
    assert sweep(program, partner, "-q").code == 0


def test_a_content_is_known_although_its_run_was_pruned(program: Program, partner: Partner) -> None:
    content = drop_file(program, "a.csv", 100).read_bytes()
    sweep(program, partner)
    assert program("prune", "--older-than", "0s", "--yes").code == 0
    assert run_journals(program) == []
    (inbox_folder(program) / "copy.csv").write_bytes(content)
    assert sweep(program, partner).code == 1
    assert count_calls(partner, 100) == [1, 1]


def test_a_run_whose_file_is_still_to_be_put_aside_is_not_pruned(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100)
    kill_at(program, ("bulkreact.inbox.file_moves.copy", 0, 1), "sweep", *sweep_options(partner))
    pruned = program("prune", "--older-than", "0s", "--yes")
    assert "a sweep has not moved its input file yet" in pruned.out
    assert len(run_journals(program)) == 1


def test_an_unfinished_run_for_another_partner_is_not_continued_here(
    program: Program, partner: Partner, start_partner: Callable[[Behaviour], Partner]
) -> None:
    drop_file(program, "a.csv", 100)
    kill_at(program, ("bulkreact.inbox.ledger.Ledger.set_stage", 1, 1), "sweep", *sweep_options(partner))
    other = start_partner(Behaviour())
    process = sweep(program, other)
    assert process.code == 2
    assert "is for another target" in process.err
    assert other.requests() == []
    assert file_names(inbox_folder(program)) == ["a.csv"]


def test_an_unfinished_run_made_by_hand_is_continued(program: Program, partner: Partner) -> None:
    path = drop_file(program, "a.csv", 100, 60)
    process = program.start("run", path, "--base-url", partner.base_url, "--yes", "--rate", "30/s")
    wait_until(lambda: len(partner.requests()) >= 10)
    process.kill()
    program.wait(process)
    assert sweep(program, partner).code == 0
    assert len(run_journals(program)) == 1
    assert {len(set(ids)) for ids in ids_by_path(partner).values()} == {1}
    assert len(partner.service.call_log.effects) == 60
    assert "a.csv" in file_names(inbox_folder(program) / "done")
    assert sweep(program, partner, "-q").err == ""


def test_answers_that_a_run_by_hand_has_lost_are_asked_for_under_their_ids(program: Program, partner: Partner) -> None:
    path = write_csv(inbox_folder(program) / "a.csv", [row(scenario_id(599)), row(guid(1))])
    assert program("run", path, "--base-url", partner.base_url, *FAST, "--attempts", "1").code == 1
    assert sweep(program, partner).code == 0
    assert len({call["request_id"] for call in partner.requests(599)}) == 1
    assert len(run_journals(program)) == 1
    assert "a.csv" in file_names(inbox_folder(program) / "done")


def test_a_ledger_of_another_version_is_refused(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100)
    (program.folder / "reports").mkdir()
    with closing(sqlite3.connect(program.folder / "reports" / "sweeps.sqlite3")) as connection:
        connection.execute("PRAGMA user_version = 99")
    process = sweep(program, partner)
    assert process.code == 2
    assert "has format 99" in process.err
    assert file_names(inbox_folder(program)) == ["a.csv"]


def test_unknown_rows_are_reported_and_left_to_people(program: Program, partner: Partner) -> None:
    write_csv(inbox_folder(program) / "a.csv", [row(scenario_id(1599))])
    process = sweep(program, partner, "--attempts", "1")
    assert process.code == 1
    assert "a.csv" in file_names(inbox_folder(program) / "done")
    (run,) = run_journals(program)
    assert json.loads((run.parent / "summary.json").read_text())["counts"]["unknown"] == 1
    assert sweep(program, partner, "-q").code == 0


def test_the_state_of_sweeps_is_beside_the_runs_and_its_locks_are_in_the_state_folder(
    program: Program, partner: Partner
) -> None:
    drop_file(program, "a.csv", 100)
    sweep(program, partner)
    assert Path(program.folder / "reports" / "sweeps.sqlite3").stat().st_mode & 0o077 == 0
    assert len(list((program.folder / "state" / "locks").glob("*.json"))) == 2


@pytest.mark.soak
def test_killed_at_random_moments_while_files_keep_coming(program: Program, partner: Partner, chaos: Chaos) -> None:
    chance = Random(chaos.seed)
    partner.service.behaviour = Behaviour(fault_share=0.1, seed=chaos.seed)
    contents: dict[str, bytes] = {}

    def sweep_and_kill(number: int) -> None:
        name = f"{number}.csv"
        contents[name] = drop_file(program, name, 1000 * (number + 10), 12).read_bytes()
        process = program.start("sweep", "--base-url", partner.base_url, "--yes", *NO_SETTLING, "--rate", "40/s", "-q")
        try:
            process.communicate(timeout=chance.uniform(0.5, 2.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    deque(map(sweep_and_kill, range(chaos.kills)), maxlen=0)
    sweep(program, partner, "--attempts", "50")
    # A file that was being read at two kills has been put aside; people put it back.
    for path in (inbox_folder(program) / "failed").glob("?.csv"):
        path.rename(inbox_folder(program) / path.name)
    last = sweep(program, partner, "--attempts", "50")
    assert last.code == 0, last.err
    done = inbox_folder(program) / "done"
    moved = {path.name: path.read_bytes() for path in done.glob("?.csv")}
    assert moved == contents
    assert len(run_journals(program)) == len(contents)
    assert len(list(done.glob("*.results.csv"))) == len(contents)
    assert not list(done.glob(".*"))
    assert file_names(inbox_folder(program)) == []
    assert count_second_effects(partner.service.call_log.effects) == 0
    assert len(partner.service.call_log.effects) == 12 * len(contents)
    assert {len(set(ids)) for ids in ids_by_path(partner).values()} == {1}
    assert partner.service.call_log.violations == []
