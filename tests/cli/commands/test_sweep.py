"""Sweeping an inbox: each content once, every file where it belongs, silent when all is well and loud when not."""

import gc
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import IO
from urllib.parse import unquote

import pytest

from bulkreact.cli.commands import sweep as sweep_command
from bulkreact.errors import JournalNotWrittenError
from bulkreact.inbox import sweep_pass
from bulkreact.inbox.scan import SHIPPED
from bulkreact.runs import store
from tests.support.ids import guid, read_csv, row, scenario_id, write_csv
from tests.support.inboxes import (
    NO_SETTLING,
    count_calls,
    drop_file,
    file_names,
    inbox_folder,
    run_journals,
    set_age,
    sweep,
    sweep_options,
)
from tests.support.program import PROJECT, Partner, Program
from tests.support.run_commands import FAST, latest_run, wait_until
from tests.support.signed_in import secret_app
from tests.support.token_authority import SECRET, Authority
from tests.support.webhook_receiver import receiving


def test_every_file_is_run_once_the_oldest_first_and_put_beside_its_results(program: Program, partner: Partner) -> None:
    old = drop_file(program, "old.csv", 100, age=7200).read_bytes()
    new = drop_file(program, "new.csv", 200, age=3600).read_bytes()
    process = sweep(program, partner, "-q")
    assert (process.code, process.out, process.err) == (0, "", "")
    assert [count_calls(partner, 100), count_calls(partner, 200)] == [[1, 1], [1, 1]]
    calls = [call["path"] for call in partner.requests()]
    assert max(index for index, path in enumerate(calls) if guid(100) in path or guid(101) in path) < 2
    (first,), (second,) = ((program.folder / "reports").glob(f"2*-{name}-*") for name in ("old", "new"))
    done = inbox_folder(program) / "done"
    assert file_names(inbox_folder(program)) == []
    assert file_names(done) == [
        f"new.{second.name}.report.html",
        f"new.{second.name}.results.csv",
        "new.csv",
        f"old.{first.name}.report.html",
        f"old.{first.name}.results.csv",
        "old.csv",
    ]
    assert (done / "old.csv").read_bytes() == old
    assert (done / "new.csv").read_bytes() == new
    assert (done / f"old.{first.name}.results.csv").read_bytes() == (first / "results.csv").read_bytes()
    assert (done / f"old.{first.name}.results.csv").stat().st_mode & 0o044
    assert json.loads((first / "summary.json").read_text())["command"] == "sweep"
    again = sweep(program, partner, "-q")
    assert (again.code, again.err) == (0, "")
    assert len(partner.requests()) == 4


@pytest.mark.parametrize("options", [("-q",), ()])
def test_an_empty_inbox_is_a_silent_success(program: Program, partner: Partner, options: tuple[str, ...]) -> None:
    process = sweep(program, partner, *options)
    assert (process.code, process.out, process.err) == (0, "", "")
    assert run_journals(program) == []


def test_practice_is_spoken_of_where_there_is_a_file(program: Program) -> None:
    inbox_folder(program)
    empty = program("sweep", "--simulate", *NO_SETTLING)
    drop_file(program, "a.csv", 1)
    practised = program("sweep", "--simulate", *FAST, *NO_SETTLING)
    assert (empty.code, empty.out, empty.err) == (0, "", "")
    assert practised.err.count("This is practice, and files are moved all the same") == 1


def test_a_file_with_failures_is_done_and_loud(program: Program, partner: Partner) -> None:
    write_csv(inbox_folder(program) / "a.csv", [row(scenario_id(800111)), row(guid(1))])
    process = sweep(program, partner, "-q")
    assert process.code == 1
    assert "800111" in process.err
    assert "a.csv" in file_names(inbox_folder(program) / "done")


def test_a_missing_folder_for_metrics_is_worth_a_warning(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100)
    process = sweep(program, partner, "-q", "--metrics", "missing/m.prom")
    assert process.code == 0
    assert process.err.startswith("Warning: --metrics missing/m.prom could not be written: No such file or directory")
    assert "a.csv" in file_names(inbox_folder(program) / "done")


@pytest.mark.parametrize("same", ["bytes", "rows"])
def test_a_renamed_copy_is_reported_and_not_run_again(program: Program, partner: Partner, same: str) -> None:
    content = drop_file(program, "a.csv", 100).read_text()
    assert sweep(program, partner).code == 0
    copy = inbox_folder(program) / "copy.csv"
    copy.write_text(content if same == "bytes" else content.replace(",", ";").upper().replace("_ID", "_id"))
    process = sweep(program, partner, "-q")
    (run,) = run_journals(program)
    assert process.code == 1
    assert (
        f"copy.csv: it has the rows of a.csv, which were run as {run.parent.name}, and is not run again" in process.err
    )
    assert count_calls(partner, 100) == [1, 1]
    assert file_names(inbox_folder(program)) == []
    assert "copy.csv" in file_names(inbox_folder(program) / "done")


def test_a_copy_is_accepted_where_that_is_allowed(program: Program, partner: Partner) -> None:
    content = drop_file(program, "a.csv", 100).read_bytes()
    sweep(program, partner)
    (inbox_folder(program) / "copy.csv").write_bytes(content)
    process = sweep(program, partner, "-q", "--allow-empty")
    assert (process.code, process.err) == (0, "")
    assert count_calls(partner, 100) == [1, 1]


def test_the_same_file_dropped_again_is_a_copy_and_overwrites_nothing(program: Program, partner: Partner) -> None:
    content = drop_file(program, "a.csv", 100).read_bytes()
    sweep(program, partner)
    (inbox_folder(program) / "a.csv").write_bytes(content)
    assert sweep(program, partner).code == 1
    done = file_names(inbox_folder(program) / "done")
    assert [name for name in done if name.count(".") == 1] == ["a-2.csv", "a.csv"]
    assert len(run_journals(program)) == 1


def test_contents_are_run_again_when_asked_for(program: Program, partner: Partner) -> None:
    content = drop_file(program, "a.csv", 100).read_bytes()
    sweep(program, partner)
    (inbox_folder(program) / "copy.csv").write_bytes(content)
    assert sweep(program, partner, "--again").code in {0, 1}
    assert len(run_journals(program)) == 2
    assert sum(count_calls(partner, 100)) > 2


def test_practice_does_not_count_as_a_run(program: Program, partner: Partner) -> None:
    content = drop_file(program, "a.csv", 100).read_bytes()
    assert program("sweep", "--simulate", *NO_SETTLING).code == 0
    assert partner.requests() == []
    (inbox_folder(program) / "a.csv").write_bytes(content)
    assert sweep(program, partner).code == 0
    assert count_calls(partner, 100) == [1, 1]


def test_an_unreadable_file_is_put_aside_with_the_reason_and_the_others_are_run(
    program: Program, partner: Partner
) -> None:
    set_age(inbox_folder(program), 0)
    (inbox_folder(program) / "bad.csv").write_text("customer_id,subscription_id\nx,y\n")
    (inbox_folder(program) / "scan.pdf").write_bytes(b"%PDF-1.4\x00\xff\xfe")
    set_age(inbox_folder(program) / "bad.csv", 9000)
    drop_file(program, "good.csv", 100)
    process = sweep(program, partner, "-q")
    assert process.code == 2
    failed = inbox_folder(program) / "failed"
    assert file_names(failed) == ["bad.csv", "bad.csv.txt", "scan.pdf", "scan.pdf.txt"]
    assert "missing in the header: entitlement_id" in (failed / "bad.csv.txt").read_text()
    assert "missing in the header: entitlement_id" in process.err
    assert str(Path("failed") / "bad.csv") in process.err
    assert count_calls(partner, 100) == [1, 1]
    assert file_names(inbox_folder(program)) == []


def test_files_refused_under_the_same_name_lie_beside_each_other(program: Program, partner: Partner) -> None:
    (inbox_folder(program) / "bad.csv").write_text("a,b\nx,y\n")
    sweep(program, partner)
    (inbox_folder(program) / "bad.csv").write_text("a,b,c\nx,y,z\n")
    sweep(program, partner)
    failed = inbox_folder(program) / "failed"
    assert file_names(failed) == ["bad-2.csv", "bad-2.csv.txt", "bad.csv", "bad.csv.txt"]
    assert (failed / "bad.csv").read_text() == "a,b\nx,y\n"


def test_what_lies_in_failed_already_gets_no_reason_of_another_file(program: Program, partner: Partner) -> None:
    failed = inbox_folder(program) / "failed"
    failed.mkdir()
    (failed / "bad.csv").write_text("another")
    (inbox_folder(program) / "bad.csv").write_text("a,b\nx,y\n")
    assert sweep(program, partner).code == 2
    assert file_names(failed) == ["bad-2.csv", "bad-2.csv.txt", "bad.csv"]
    assert (failed / "bad.csv").read_text() == "another"


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names are text there")
def test_names_that_are_no_text_are_files_like_any_other(program: Program, partner: Partner) -> None:
    drop_file(program, os.fsdecode(b"caf\xe9.csv"), 100)
    (inbox_folder(program) / os.fsdecode(b"bad\xff.csv")).write_text("a,b\nx,y\n")
    with receiving() as receiver:
        hooks = ("--ping", receiver.url, "--notify-url", f"{receiver.url}/hook", "--metrics", "m.prom")
        process = sweep(program, partner, *hooks, "--log-format", "json")
    assert process.code == 2, process.err
    assert "Traceback" not in process.err
    assert receiver.paths == ["/start", "/fail", "/hook"]
    assert count_calls(partner, 100) == [1, 1]
    assert os.fsdecode(b"caf\xe9.csv") in file_names(inbox_folder(program) / "done")
    assert len(file_names(inbox_folder(program) / "failed")) == 2
    assert sweep(program, partner, "-q").code == 0


def test_an_empty_file_is_refused_unless_that_is_allowed(program: Program, partner: Partner) -> None:
    write_csv(inbox_folder(program) / "a.csv", [])
    assert sweep(program, partner).code == 2
    write_csv(inbox_folder(program) / "b.csv", [])
    assert sweep(program, partner, "--allow-empty").code == 0
    assert "b.csv" in file_names(inbox_folder(program) / "done")


def test_a_file_without_a_single_valid_row_is_not_passed_over_in_silence(program: Program, partner: Partner) -> None:
    write_csv(inbox_folder(program) / "a.csv", [("x", "y", "z")])
    write_csv(inbox_folder(program) / "b.csv", [("u", "v", "w")])
    process = sweep(program, partner, "-q")
    assert process.code == 1
    assert process.err.count("invalid-customer-id") >= 2
    assert len(run_journals(program)) == 2


def test_what_is_no_input_is_left_alone(program: Program, partner: Partner) -> None:
    for name in (
        ".hidden.csv",
        "~$book.xlsx",
        "half.csv.part",
        "half.crdownload",
        "x.tmp",
        "Thumbs.db",
        "bulkreact.toml",
    ):
        (inbox_folder(program) / name).write_text("nonsense")
    for name in SHIPPED:
        (inbox_folder(program) / name).write_bytes((PROJECT / "inputs" / name).read_bytes())
    (inbox_folder(program) / "folder").mkdir()
    before = file_names(inbox_folder(program))
    process = sweep(program, partner, "-q")
    assert (process.code, process.err) == (0, "")
    assert file_names(inbox_folder(program)) == before


def test_the_samples_are_those_that_are_shipped() -> None:
    digests = {name: hashlib.sha256((PROJECT / "inputs" / name).read_bytes()).hexdigest() for name in SHIPPED}
    assert {name: frozenset({digest}) for name, digest in digests.items()} == SHIPPED


def test_a_sample_with_other_contents_is_run(program: Program, partner: Partner) -> None:
    drop_file(program, "sample.csv", 100)
    assert sweep(program, partner).code == 0
    assert count_calls(partner, 100) == [1, 1]


def test_a_young_file_waits_until_it_has_settled(program: Program, partner: Partner) -> None:
    drop_file(program, "young.csv", 100, age=5)
    drop_file(program, "old.csv", 200, age=20)
    drop_file(program, "from-another-clock.csv", 300, age=-3600)
    process = program("sweep", "--base-url", partner.base_url, *FAST)
    assert process.code == 0
    assert "Left alone for now: young.csv" in process.err
    # What the other clock says is no reason to take a file that was written just now.
    assert "Left alone for now: from-another-clock.csv" in process.err
    assert [count_calls(partner, 100), count_calls(partner, 200), count_calls(partner, 300)] == [[0, 0], [1, 1], [0, 0]]
    assert sweep(program, partner).code == 0
    assert count_calls(partner, 300) == [1, 1]
    assert file_names(inbox_folder(program)) == []


@pytest.mark.parametrize(("hours", "waits"), [(0, [1.0]), (-1, [10.0])])
def test_files_of_a_time_to_come_are_watched_until_they_have_settled(
    program: Program, partner: Partner, monkeypatch: pytest.MonkeyPatch, hours: int, waits: list[float]
) -> None:
    drop_file(program, "a.csv", 100, age=20)
    slept: list[float] = []
    monkeypatch.setattr(sweep_command, "sleep", slept.append)
    monkeypatch.setattr(sweep_command, "utc_now", lambda: datetime.now(UTC) + timedelta(hours=hours, seconds=20))
    assert program("sweep", "--base-url", partner.base_url, *FAST).code == 0
    assert (slept, count_calls(partner, 100)) == (waits, [1, 1])


@contextmanager
def growing_file(path: Path) -> Iterator[None]:
    """Let a file grow that looks old all the while."""
    over = threading.Event()

    def grow() -> None:
        while not over.is_set():
            with path.open("a") as file:
                file.write("\n")
            set_age(path, 3600)
            time.sleep(0.05)

    thread = threading.Thread(target=grow)
    thread.start()
    yield
    over.set()
    thread.join()


def test_a_growing_file_is_left_alone_until_it_is_whole(program: Program, partner: Partner) -> None:
    with growing_file(drop_file(program, "a.csv", 100)):
        process = program("sweep", "--base-url", partner.base_url, *FAST, "-q")
    assert (process.code, process.err) == (0, "")
    assert partner.requests() == []
    assert file_names(inbox_folder(program)) == ["a.csv"]
    assert sweep(program, partner).code == 0
    assert count_calls(partner, 100) == [1, 1]


def test_keep_leaves_the_inbox_as_it_is_and_still_runs_once(program: Program, partner: Partner) -> None:
    content = drop_file(program, "a.csv", 100).read_bytes()
    (inbox_folder(program) / "bad.csv").write_text("a,b\nx,y\n")
    assert sweep(program, partner, "--keep").code == 2
    (inbox_folder(program) / "bad.csv").unlink()
    (inbox_folder(program) / "copy.csv").write_bytes(content)
    assert sweep(program, partner, "--keep", "-q").code == 1
    third = sweep(program, partner, "--keep", "-q")
    assert (third.code, third.err) == (0, "")
    assert sorted(path.name for path in inbox_folder(program).iterdir()) == ["a.csv", "copy.csv"]
    assert count_calls(partner, 100) == [1, 1]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("missing",), "There is no folder missing"),
        (("--every", "0"), "--every must be greater than 0"),
        (("--settle", "soon"), "is not a duration"),
        (("--map", "customer_id=a", "--map", "customer_id=b"), "names one column twice"),
        (("--reports", "inputs"), "is the reports folder"),
    ],
)
def test_settings_are_checked_before_a_file_is_touched(
    program: Program, partner: Partner, more: tuple[str, ...], message: str
) -> None:
    drop_file(program, "a.csv", 100)
    process = sweep(program, partner, *more)
    assert process.code == 2
    assert message in " ".join(process.err.split())
    assert file_names(inbox_folder(program)) == ["a.csv"]
    assert partner.requests() == []


def test_credentials_are_checked_before_a_file_is_touched(program: Program, partner: Partner) -> None:
    (inbox_folder(program) / "bad.csv").write_text("a,b\nx,y\n")
    program.environment["BULKREACT_ACCESS_TOKEN"] = ""
    assert sweep(program, partner).code == 2
    # Expired in 2001.
    program.environment["BULKREACT_ACCESS_TOKEN"] = "eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDAwMDAwMDB9.eA"
    process = sweep(program, partner)
    assert process.code == 3, process.err
    assert file_names(inbox_folder(program)) == ["bad.csv"]
    assert run_journals(program) == []


def test_without_a_terminal_it_wants_to_be_agreed_to(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100)
    process = program("sweep", "--base-url", partner.base_url, *NO_SETTLING)
    assert process.code == 2
    assert "--yes" in process.err
    assert file_names(inbox_folder(program)) == ["a.csv"]


def test_a_halted_run_is_reported_each_time_and_continued_by_people(program: Program, partner: Partner) -> None:
    write_csv(inbox_folder(program) / "a.csv", [row(scenario_id(800111, index), index) for index in range(6)])
    more = ("--halt-after", "2", "--concurrency", "1", "-q")
    assert sweep(program, partner, *more).code == 4
    calls = len(partner.requests())
    again = sweep(program, partner, *more)
    (run,) = run_journals(program)
    assert again.code == 4
    assert f"bulkreact resume {run.parent.name}" in again.err
    assert len(partner.requests()) == calls
    assert file_names(inbox_folder(program)) == ["a.csv"]
    assert program("resume", run.parent.name, *FAST, "--halt-on-failures", "off").code == 1
    last = sweep(program, partner, *more)
    assert last.code == 1
    assert "a.csv" in file_names(inbox_folder(program) / "done")
    assert len(partner.requests()) == 6


def test_credentials_that_are_refused_end_the_sweep_and_are_tried_again_by_the_next(
    program: Program, partner: Partner
) -> None:
    write_csv(
        inbox_folder(program) / "a.csv", [row(scenario_id(900329)), *(row(guid(50 + index)) for index in range(3))]
    )
    set_age(inbox_folder(program) / "a.csv", 9000)
    drop_file(program, "b.csv", 100)
    assert sweep(program, partner, "--concurrency", "1").code == 3
    assert file_names(inbox_folder(program)) == ["a.csv", "b.csv"]
    assert count_calls(partner, 100) == [0, 0]
    assert sweep(program, partner, "--concurrency", "1").code == 3
    assert len(run_journals(program)) == 1


def test_a_busy_partner_has_its_own_exit_code_and_nothing_is_lost(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "long.csv", [row(guid(5000 + index), index) for index in range(200)])
    first = program.start("run", "long.csv", "--base-url", partner.base_url, "--yes", "--rate", "10/s")
    wait_until(lambda: len(partner.requests()) >= 3)
    drop_file(program, "a.csv", 100)
    second = sweep(program, partner)
    waiting = program.start("sweep", *sweep_options(partner), "--wait")
    assert waiting.stderr
    assert any("Waiting until it has ended." in line for line in waiting.stderr)
    first.terminate()
    program.wait(first)
    assert program.wait(waiting).code == 0
    assert second.code == 5
    assert f"process {first.pid}" in second.err
    assert count_calls(partner, 100) == [1, 1]


def test_a_workbook_gets_a_workbook_beside_it(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100)
    assert sweep(program, partner, "--xlsx").code == 0
    (run,) = run_journals(program)
    assert f"a.{run.parent.name}.results.xlsx" in file_names(inbox_folder(program) / "done")


@pytest.mark.parametrize(("option", "failed"), [("--xlsx", "failed.xlsx"), ("--no-xlsx", "failed.csv")])
def test_the_file_with_failed_rows_shows_by_its_name_what_did_not_end_well(
    program: Program, partner: Partner, option: str, failed: str
) -> None:
    set_age(write_csv(inbox_folder(program) / "bad.csv", [row(guid(1)), ("x", "y", "z")]), 3600)
    drop_file(program, "good.csv", 100)
    assert sweep(program, partner, option).code == 1
    done, (run,) = inbox_folder(program) / "done", (program.folder / "reports").glob("2*-bad-*")
    names = [name for name in file_names(done) if "failed" in name]
    assert names == [f"bad.{run.name}.{failed}"]
    assert (done / names[0]).read_bytes() == (run / failed).read_bytes()
    assert (done / names[0]).stat().st_mode & 0o044
    report = (done / f"bad.{run.name}.report.html").read_text()
    links = re.findall(r' href="([^"#:/]+)"', report)
    assert {unquote(link) for link in links} <= set(file_names(done))


@pytest.mark.parametrize("folder", ["done", ""])
def test_failed_rows_that_a_sweep_gave_back_are_corrected_and_run(
    program: Program, partner: Partner, folder: str
) -> None:
    set_age(write_csv(inbox_folder(program) / "a.csv", [row(guid(1)), (*row(guid(2))[:2], "z")]), 3600)
    assert sweep(program, partner).code == 1
    (run,) = (path.parent for path in run_journals(program))
    done = inbox_folder(program) / "done" / f"a.{run.name}.failed.csv"
    done.write_text(done.read_text().replace(",z,", f",{guid(2)},", 1))
    if folder:
        assert program("run", done, "--base-url", partner.base_url, *FAST).code == 0
    else:
        done.rename(set_age(done, 3600).parent.parent / done.name)
        assert sweep(program, partner).code == 0
        # No name says any longer that something needs attention.
        names = file_names(done.parent)
        assert [name for name in names if name.endswith(".failed.csv")] == []
        assert f"a.{run.name}.fixed.csv" in names
    assert count_calls(partner, 1) == [1, 1]
    assert json.loads((latest_run(program) / "summary.json").read_text())["corrects"] == run.name


def test_the_gravest_exit_code_is_that_of_the_sweep(program: Program, partner: Partner) -> None:
    write_csv(inbox_folder(program) / "a.csv", [row(scenario_id(800111, index), index) for index in range(6)])
    set_age(inbox_folder(program) / "a.csv", 9000)
    set_age(write_csv(inbox_folder(program) / "b.csv", [("x", "y", "z")]), 8000)
    (inbox_folder(program) / "c.csv").write_text("a,b\nx,y\n")
    drop_file(program, "d.csv", 100)
    process = sweep(program, partner, "--halt-after", "2", "--concurrency", "1")
    assert process.code == 4
    assert file_names(inbox_folder(program)) == ["a.csv"]
    assert count_calls(partner, 100) == [1, 1]
    assert re.search(r"a\.csv.*halted", process.err.replace("\n", " "))


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_to_nowhere_is_left_and_not_overlooked(program: Program, partner: Partner) -> None:
    (inbox_folder(program) / "a.csv").symlink_to("missing.csv")
    process = sweep(program, partner, "-q")
    assert process.code == 2
    assert "a.csv: it is a link, and links are not followed" in process.err
    assert [path.name for path in inbox_folder(program).iterdir()] == ["a.csv"]


def test_a_file_replaced_while_its_run_works_is_a_new_file(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100, 20)
    process = program.start("sweep", "--base-url", partner.base_url, "--yes", *NO_SETTLING, "--rate", "10/s")
    wait_until(lambda: len(partner.requests()) >= 3)
    drop_file(program, "a.csv", 200)
    assert program.wait(process).code == 0
    assert file_names(inbox_folder(program)) == ["a.csv"]
    assert sweep(program, partner).code == 0
    assert count_calls(partner, 200) == [1, 1]
    assert count_calls(partner, 100, 20) == [1] * 20
    assert len([name for name in file_names(inbox_folder(program) / "done") if "results" in name]) == 2


def test_json_lines_say_what_becomes_of_files(program: Program, partner: Partner) -> None:
    (inbox_folder(program) / "bad.csv").write_text("a,b\nx,y\n")
    drop_file(program, "a.csv", 100)
    process = sweep(program, partner, "--log-format", "json")
    events = [json.loads(line)["event"] for line in process.err.splitlines()]
    assert {"run.began", "row.settled", "run.ended", "error", "note"} <= set(events)


def test_results_in_done_are_those_of_the_run(program: Program, partner: Partner) -> None:
    drop_file(program, "a.b.csv", 100)
    assert sweep(program, partner).code == 0
    (results,) = (inbox_folder(program) / "done").glob("a.b.*.results.csv")
    assert [line["status"] for line in read_csv(results)] == ["accepted", "accepted"]


def test_a_simulated_sweep_needs_neither_credentials_nor_agreement(program: Program) -> None:
    drop_file(program, "a.csv", 100)
    program.environment["BULKREACT_ACCESS_TOKEN"] = ""
    process = program.start("sweep", "--simulate", *NO_SETTLING)
    ended = program.wait(process)
    assert ended.code == 0
    assert "a.csv" in file_names(inbox_folder(program) / "done")
    assert "--keep leaves them where they are" in ended.err


def test_practising_can_leave_real_files_where_they_are_and_unknown(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100)
    for _ in range(2):
        assert program("sweep", "--simulate", "--keep", *NO_SETTLING).code == 0
    assert len(run_journals(program)) == 1
    assert file_names(inbox_folder(program)) == ["a.csv"]
    assert sweep(program, partner).code == 0
    assert count_calls(partner, 100) == [1, 1]


def test_a_simulated_sweep_that_was_interrupted_does_not_hinder_a_real_one(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100, 30)
    practice = program.start("sweep", "--simulate", "--rate", "1/s", *NO_SETTLING)
    wait_until(lambda: len(run_journals(program)) == 1)
    practice.kill()
    program.wait(practice)
    assert sweep(program, partner).code == 0
    assert count_calls(partner, 100, 30) == [1] * 30


@pytest.mark.parametrize("moved", ["renamed", "back"])
def test_a_copy_of_what_was_halted_is_not_done(program: Program, partner: Partner, moved: str) -> None:
    path = write_csv(inbox_folder(program) / "a.csv", [row(scenario_id(800111, index), index) for index in range(6)])
    more = ("--halt-after", "2", "--concurrency", "1", "-q")
    assert sweep(program, partner, *more).code == 4
    away = path.rename(program.folder / "elsewhere.csv")
    assert sweep(program, partner, *more).code == 0
    away.rename(inbox_folder(program) / {"renamed": "b.csv", "back": "a.csv"}[moved])
    again = sweep(program, partner, *more)
    (run,) = run_journals(program)
    assert again.code == 4
    assert f"bulkreact resume {run.parent.name}" in again.err
    assert file_names(inbox_folder(program) / "done") == []


@pytest.mark.soak
def test_a_file_that_is_withdrawn_while_another_run_is_waited_for_is_not_sent(
    program: Program, partner: Partner
) -> None:
    write_csv(program.folder / "long.csv", [row(guid(5000 + index), index % 3) for index in range(300)])
    first = program.start("run", "long.csv", "--base-url", partner.base_url, "--yes", "--rate", "5/s")
    wait_until(lambda: len(partner.requests()) >= 2)
    path = drop_file(program, "a.csv", 100)
    queued = program.start("sweep", *sweep_options(partner), "--wait")
    assert queued.stderr
    next(line for line in queued.stderr if "Waiting until it has ended." in line)
    path.unlink()
    first.terminate()
    assert program.wait(first).code == 143
    assert program.wait(queued).code == 0
    assert count_calls(partner, 100) == [0, 0]


@pytest.mark.parametrize("content", ["good", "bad"])
def test_the_longest_possible_name_is_filed_like_any_other(program: Program, partner: Partner, content: str) -> None:
    name = f"{'Ж' * 124}.csv"
    drop_file(program, name, 100)
    path = inbox_folder(program) / name
    path.write_bytes({"good": path.read_bytes(), "bad": b"nothing of ours\n1\n"}[content])
    set_age(path, 3600)
    drop_file(program, "z.csv", 200)
    assert sweep(program, partner).code == {"good": 0, "bad": 2}[content]
    assert count_calls(partner, 200) == [1, 1]
    assert file_names(inbox_folder(program)) == []
    assert name in file_names(inbox_folder(program) / {"good": "done", "bad": "failed"}[content])


def test_what_would_be_run_in_every_pass_is_refused(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100)
    process = sweep(program, partner, "--watch", "--again", "--keep")
    assert process.code == 2
    assert partner.requests() == []


def test_a_refused_file_that_stays_is_reported_once(program: Program, partner: Partner) -> None:
    path = inbox_folder(program) / "a.csv"
    path.write_text("nothing of ours\n1\n")
    set_age(path, 3600)
    assert sweep(program, partner, "--keep").code == 2
    assert sweep(program, partner, "--keep").code == 0
    assert file_names(inbox_folder(program)) == ["a.csv"]


def test_each_run_has_credentials_of_its_own(program: Program, authority: Authority) -> None:
    authority.directory.register(secret_app())
    program.environment["BULKREACT_CLIENT_SECRET"] = SECRET
    drop_file(program, "a.csv", 100)
    drop_file(program, "b.csv", 200)
    assert program("sweep", *FAST, *NO_SETTLING).code == 0
    assert authority.outcomes == [("client_credentials", "issued")] * 2
    assert len(authority.service.call_log.effects) == 4


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_with_a_terminal_it_asks_about_each_file(program: Program, partner: Partner) -> None:
    drop_file(program, "a.csv", 100, age=7200)
    drop_file(program, "b.csv", 200)
    keyboard, terminal = os.openpty()
    with os.fdopen(terminal) as stdin:
        process = program.start("sweep", "--base-url", partner.base_url, "--rate", "off", *NO_SETTLING, stdin=stdin)
        os.write(keyboard, b"n\ny\n")
        ended = program.wait(process)
    os.close(keyboard)
    assert ended.code == 2
    assert ended.err.count("Reactivate 2 subscriptions of 2 customers") == 2
    assert [count_calls(partner, 100), count_calls(partner, 200)] == [[0, 0], [1, 1]]
    assert file_names(inbox_folder(program)) == ["a.csv"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize(
    ("number", "code", "message"),
    [
        (None, 2, "b.csv: it was not confirmed."),
        (signal.SIGINT, 130, "Interrupted between two files: the next sweep takes the others."),
    ],
    ids=["end of input", "Ctrl-C"],
)
def test_a_question_left_unanswered_ends_only_its_own_file(
    program: Program, partner: Partner, number: signal.Signals | None, code: int, message: str
) -> None:
    drop_file(program, "a.csv", 100, age=7200)
    drop_file(program, "b.csv", 200)
    keyboard, terminal = os.openpty()
    with os.fdopen(terminal) as stdin:
        process = program.start("sweep", "--base-url", partner.base_url, "--rate", "off", *NO_SETTLING, stdin=stdin)
        os.write(keyboard, b"y\n")
        wait_until((inbox_folder(program) / "done" / "a.csv").exists)
        assert process.stderr
        wait_for_question(process.stderr, "b.csv")
        if number is None:
            os.write(keyboard, b"\x04")
        else:
            interrupt_question(process, number)
        ended = program.wait(process)
    os.close(keyboard)
    assert ended.code == code
    assert message in ended.err
    assert "Nothing was sent" not in ended.err
    assert [count_calls(partner, 100), count_calls(partner, 200)] == [[1, 1], [0, 0]]
    assert file_names(inbox_folder(program)) == ["b.csv"]


def interrupt_question(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    """Send a signal, and another one if Python has lost it: input() ignores errors while it flushes its question."""
    while process.poll() is None:
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)


def wait_for_question(stderr: IO[str], file_name: str) -> None:
    """Read what the program prints until it has asked about a file."""
    printed = ""
    while not re.search(rf"Input: +{file_name}, .*Reactivate .*\[y/N\]", printed, re.DOTALL):
        printed += stderr.read(1)


def test_a_journal_that_cannot_be_written_in_mid_run_is_not_reported_as_nothing_sent(
    program: Program, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise JournalNotWrittenError("The journal could not be written.")

    drop_file(program, "a.csv", 100)
    monkeypatch.setattr(sweep_pass, "execute", fail)
    process = sweep(program, partner)
    assert process.code == JournalNotWrittenError.exit_code
    assert "The journal could not be written." in process.err
    assert file_names(inbox_folder(program)) == ["a.csv"]


@pytest.mark.soak
def test_a_run_leaves_nothing_behind_in_memory(
    program: Program, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Libraries are frozen when they are loaded.
    for library in ("pandas", "aiohttp"):
        import_module(library)
    frozen: list[int] = []
    alive: list[int] = []
    prepare = store.new_id

    def counting(input_name: str, now: datetime) -> str:
        gc.collect()
        alive.append(len(gc.get_objects()))
        return prepare(input_name, now)

    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(1))
    monkeypatch.setattr(store, "new_id", counting)
    for number in range(8):
        drop_file(program, f"{number}.csv", 100 * (number + 1))
    assert sweep(program, partner).code == 0
    # When its command is loaded and when it exits: at every run it would keep what the collector has not seen yet.
    assert frozen == [1, 1]
    # The first runs import modules; after that a run leaves its result, and what Python itself caches.
    assert alive[-1] - alive[3] < 4 * 50


def test_a_quiet_sweep_names_each_file_that_did_not_end_well_first(program: Program, partner: Partner) -> None:
    for number, (name, tail) in enumerate((("a.csv", 800111), ("b.csv", 100), ("c\nd.csv", 800111))):
        write_csv(inbox_folder(program) / name, [row(scenario_id(tail, number))])
    process = sweep(program, partner, "-q")
    assert process.code == 1
    lines = process.err.splitlines()
    starts = [number for number, line in enumerate(lines) if ".csv: finished, exit code 1" in line]
    assert [lines[number] for number in starts] == [
        "a.csv: finished, exit code 1",
        "c\\nd.csv: finished, exit code 1",
    ]
    # What comes before the first one would be nobody's.
    assert starts[0] == 0
    assert "b.csv" not in process.err
