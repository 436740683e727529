"""Listing the runs of a reports folder and removing old ones, but none that may still be needed."""

import json
import os
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from bulkreact.batch.journal.journal import Journal, create, finalize
from bulkreact.models import InputRow, RunState
from bulkreact.runs.history import summarize
from bulkreact.runs.index import list_runs
from tests.support.ids import guid, metadata, row, target, write_csv
from tests.support.program import Partner, Program, ProgramResult
from tests.support.run_commands import FAST, run, wait_until
from tests.support.seals import seal_again


def make_older(folder: Path, days: int) -> None:
    """Date a run and its sessions back."""
    with closing(sqlite3.connect(folder / "journal.sqlite3")) as connection:
        back = (f"-{days} days",)
        connection.execute("UPDATE run SET created_at = strftime('%Y-%m-%dT%H:%M:%fZ', created_at, ?)", back)
        connection.execute("UPDATE sessions SET ended_at = strftime('%Y-%m-%dT%H:%M:%fZ', ended_at, ?)", back)
        seal_again(connection)
        connection.commit()


def make_run(program: Program, partner: Partner, tails: list[int | str], *options: str) -> Path:
    """Run rows and return the folder of the run."""
    before = set((program.folder / "reports").glob("2*"))
    run(program, partner, tails, *options, "--new")
    (folder,) = set((program.folder / "reports").glob("2*")) - before
    return folder


def history(program: Program) -> list[dict[str, object]]:
    """Return the runs as ``status --all --json`` lists them."""
    process = program("status", "--all", "--json")
    assert process.code == 0, process.err
    listed: list[dict[str, object]] = json.loads(process.out)["runs"]
    return listed


def prune(program: Program, *options: str) -> ProgramResult:
    """Remove what is older than ninety days."""
    return program("prune", "--older-than", "90d", *options)


def start_long_run(program: Program, partner: Partner) -> "subprocess.Popen[str]":
    """Start a run that takes half a minute, and wait until it is well under way."""
    write_csv(program.folder / "long.csv", [row(guid(5000 + number), number) for number in range(300)])
    before = len(partner.requests())
    process = program.start("run", "long.csv", "--base-url", partner.base_url, "--yes", "--rate", "10/s")
    wait_until(lambda: len(partner.requests()) >= before + 3)
    return process


def test_the_history_lists_every_run_with_state_counts_and_duration(program: Program, partner: Partner) -> None:
    well = make_run(program, partner, ["a", 800111])
    halted = make_run(program, partner, [800111] * 4, "--halt-after", "1", "--concurrency", "1")
    process = start_long_run(program, partner)
    listed = history(program)
    shown = program("status", "--all")
    process.kill()
    program.wait(process)
    killed = history(program)[0]
    assert [run["state"] for run in listed] == ["running", "halted", "finished"]
    assert [run["exit_code"] for run in listed] == [None, 4, 1]
    assert [run["run_id"] for run in listed[1:]] == [halted.name, well.name]
    summary = json.loads((well / "summary.json").read_text())
    assert listed[2]["counts"] == summary["counts"]
    assert listed[2]["finished_at"] == summary["finished_at"]
    assert isinstance(listed[2]["duration_seconds"], float)
    assert (killed["state"], killed["duration_seconds"]) == ("interrupted", None)
    lines = shown.out.splitlines()
    assert len(lines) == 4
    assert lines[3].split()[:4] == [well.name, "finished", "1", "2"]
    assert "accepted 1, failed 1" in lines[3]
    assert lines[3].rstrip().endswith(f" UTC  {summary['operator']}")
    assert listed[2]["operator"] == summary["operator"]


def test_a_run_took_as_long_as_processes_worked_at_it(tmp_path: Path) -> None:
    folder = tmp_path / "20260301T120000Z-test-0000"
    folder.mkdir()
    create(folder, [InputRow(2, ("", "", ""), target(guid(1)))])
    finalize(folder, metadata(id=folder.name))
    work = [("run", "12:05:00", "12:05:30"), ("verify", "13:00:00", "13:20:00"), ("resume", "18:00:00", "18:00:12")]
    with Journal(folder) as journal:
        for command, begin, end in work:
            session = journal.begin_session(
                command=command, version="1", configured_per_minute=None, now=f"2026-03-01T{begin}.000Z"
            )
            now = f"2026-03-01T{end}.000Z"
            journal.end_session(session, state=RunState.FINISHED, exit_code=0, reason="", now=now)
    (run,) = list_runs(tmp_path, counting=True).runs
    assert summarize(run).seconds == 42


def test_the_history_of_an_empty_folder_is_empty(program: Program) -> None:
    assert history(program) == []
    assert "There is no run in reports." in program("status", "--all").out


def test_a_run_that_cannot_be_read_is_in_the_history(program: Program, partner: Partner) -> None:
    folder = make_run(program, partner, ["a"])
    (folder / "journal.sqlite3").write_bytes(b"this is no database" * 1000)
    process = program("status", "--all", "--json")
    assert list(json.loads(process.out)["unreadable"]) == [folder.name]
    assert f"{folder.name} cannot be read" in program("status", "--all").err


def test_prune_removes_old_finished_runs_alone(program: Program, partner: Partner) -> None:
    old = make_run(program, partner, ["a", 800111])
    young = make_run(program, partner, ["a"])
    unknown = make_run(program, partner, [1599], "--attempts", "1")
    halted = make_run(program, partner, [800111] * 4, "--halt-after", "1", "--concurrency", "1")
    (old / "approval.json").write_text("{}")
    make_older(old, 91)
    make_older(young, 89)
    make_older(unknown, 91)
    make_older(halted, 91)
    process = prune(program, "--yes")
    assert process.code == 0, process.err
    assert not old.exists()
    assert [folder.exists() for folder in (young, unknown, halted)] == [True, True, True]
    assert f"Will be removed: {old.name}" in process.out
    assert f"Kept:  {unknown.name}: it is unfinished" in process.out
    assert f"Kept:  {halted.name}: it is unfinished" in process.out
    assert young.name not in process.out
    assert "Removed 1 run." in process.out


def test_prune_asks_and_without_a_terminal_removes_nothing(program: Program, partner: Partner) -> None:
    old = make_run(program, partner, ["a"])
    make_older(old, 91)
    process = prune(program)
    assert process.code == 2
    assert f"Will be removed: {old.name}" in process.out
    assert "--yes" in process.err
    assert old.exists()


def test_prune_leaves_alone_what_is_not_ours(program: Program, partner: Partner) -> None:
    noted = make_run(program, partner, ["a"])
    (noted / "notes.txt").write_text("keep this")
    renamed = make_run(program, partner, ["a"])
    make_older(noted, 91)
    make_older(renamed, 91)
    renamed = renamed.rename(renamed.with_name("my-run"))
    (program.folder / "reports" / "other").mkdir()
    process = prune(program, "--yes")
    assert process.code == 0
    assert "There is nothing to remove." in process.out
    assert f"Kept:  {noted.name}: there are files in it that are not bulkreact's: notes.txt" in process.out
    assert (noted / "notes.txt").read_text() == "keep this"
    assert renamed.is_dir()
    assert (program.folder / "reports" / "other").is_dir()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_prune_does_not_follow_links(
    program: Program, partner: Partner, tmp_path_factory: pytest.TempPathFactory
) -> None:
    old = make_run(program, partner, ["a"])
    make_older(old, 91)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / old.name
    old.rename(elsewhere)
    old.symlink_to(elsewhere)
    assert prune(program, "--yes").code == 0
    assert (elsewhere / "results.csv").is_file()


@pytest.mark.skipif(getattr(os, "geteuid", int)() != 0 or os.name == "nt", reason="only root may give files away")
def test_prune_leaves_alone_what_belongs_to_another_user(program: Program, partner: Partner) -> None:
    old = make_run(program, partner, ["a"])
    make_older(old, 91)
    half_removed = make_run(program, partner, ["a"])
    half_removed = half_removed.rename(half_removed.with_name(f".{half_removed.name}.pruned"))
    for folder in (old, half_removed):
        os.chown(folder, 12345, -1)
    process = prune(program, "--yes")
    assert f"Kept:  {old.name}: it belongs to" in process.out
    assert (old / "results.csv").is_file()
    assert (half_removed / "results.csv").is_file()


def test_a_run_and_its_retry_go_together_or_not_at_all(program: Program, partner: Partner) -> None:
    first = make_run(program, partner, [1503, "a"], "--attempts", "1")
    program("retry", first.name, *FAST, "--attempts", "1")
    (retry,) = set((program.folder / "reports").glob("2*")) - {first}
    make_older(first, 100)
    assert "nothing to remove" in prune(program, "--yes").out
    make_older(retry, 95)
    assert "Removed 2 runs." in prune(program, "--yes").out
    assert not list((program.folder / "reports").glob("2*"))


def test_a_run_that_is_running_is_not_removed(program: Program, partner: Partner) -> None:
    process = start_long_run(program, partner)
    (folder,) = (program.folder / "reports").glob("2*")
    removed = program("prune", "--older-than", "0s", "--yes")
    process.send_signal(signal.SIGTERM)
    assert program.wait(process).code == 143
    assert "nothing to remove" in removed.out
    assert (folder / "results.csv").is_file()


def test_a_run_half_removed_by_a_killed_prune_is_removed(program: Program, partner: Partner) -> None:
    old = make_run(program, partner, ["a"])
    old.rename(old.with_name(f".{old.name}.pruned"))
    assert prune(program).code == 0
    assert not list((program.folder / "reports").glob(".*"))


@pytest.mark.parametrize("options", [(), ("--older-than", "soon"), ("--older-than", "90"), ("--older-than", "0")])
def test_prune_requires_an_age_with_its_unit(program: Program, partner: Partner, options: tuple[str, ...]) -> None:
    folder = make_run(program, partner, ["a"])
    make_older(folder, 1)
    assert program("prune", *options, "--yes").code == 2
    assert (folder / "results.csv").is_file()


def test_the_configuration_file_does_not_take_an_age_without_its_unit(program: Program, partner: Partner) -> None:
    make_older(make_run(program, partner, ["a"]), 1)
    (program.folder / "bulkreact.toml").write_text("[prune]\nolder_than = 90\n")
    assert "'90' has no unit; write it like 90d" in program("prune", "--yes").err
