"""A retry takes what another attempt may settle, under the right request ids, and nothing else."""

import json
import shlex
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from bulkreact.models import Status
from bulkreact.runs.retry_selection import preview_retry
from bulkreact.runs.run_record import read_run
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.ids import HEADER, guid, read_csv, row, scenario_id, write_csv
from tests.support.made_runs import make_run
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, ids_by_path, latest_run, row_results, row_statuses, run, wait_until
from tests.support.seals import seal_again

ONCE = ("--attempts", "1", "--halt-on-failures", "off")


def lines(folder: Path) -> list[dict[str, str]]:
    """Return the results of a run."""
    return read_csv(folder / "results.csv")


def summary(folder: Path) -> dict[str, object]:
    """Return the summary of a run."""
    content: dict[str, object] = json.loads((folder / "summary.json").read_text())
    return content


MIXED: list[int | str] = ["a", 1503, 800111, 1504, 900278, 208, 1202, 1599, 6429, 900335, 2597]
TAKEN = ["failed", "unknown", "deferred", "unknown", "deferred"]


def test_rows_are_taken_that_another_attempt_may_settle(program: Program, partner: Partner) -> None:
    process = run(program, partner, MIXED, *ONCE)
    assert Counter(row_statuses(process.run)) == {
        "accepted": 2,
        "already_active": 1,
        "failed": 4,
        "unknown": 2,
        "deferred": 2,
    }
    before = len(partner.requests())
    again = program("retry", process.run.name, *FAST, *ONCE)
    assert again.code == 1, again.err
    retried = latest_run(program)
    assert row_statuses(retried) == TAKEN
    assert [line["row"] for line in lines(retried)] == ["3", "5", "6", "9", "10"]
    assert len(partner.requests()) == before + 5
    assert "Failed for good: 3" in again.err


def test_all_failed_takes_those_as_well_that_failed_for_good(program: Program, partner: Partner) -> None:
    process = run(program, partner, MIXED, *ONCE)
    program("retry", process.run.name, *FAST, *ONCE, "--all-failed")
    assert [line["row"] for line in lines(latest_run(program))] == ["3", "4", "5", "6", "9", "10", "11", "12"]


def test_a_retry_of_other_rows_than_planned_is_refused(program: Program, partner: Partner) -> None:
    first = read_run(run(program, partner, MIXED, *ONCE).run)
    rows, fewer = (preview_retry(first, first.reports, all_failed=all_failed) for all_failed in (True, False))
    plan = program.folder / "plan.json"
    plan.write_text(json.dumps({"digest": rows.digest}))
    before = len(partner.requests())
    refused = program("retry", first.name, *FAST, *ONCE, "--plan", plan)
    agreed = program("retry", first.name, *FAST, *ONCE, "--all-failed", "--plan", plan)
    assert (refused.code, agreed.code) == (2, 1)
    assert (rows.customers.total(), fewer.customers.total()) == (8, 5)
    assert "is not what" in refused.err
    assert len(partner.requests()) == before + 8


def test_a_retry_names_the_original_and_counts_its_own_rows(program: Program, partner: Partner) -> None:
    rows = [("note", *row(guid(1))), ("=1+1", *row(scenario_id(1503)))]
    write_csv(program.folder / "finance.csv", rows, header=("comment", *HEADER))
    process = program("run", "finance.csv", "--base-url", partner.base_url, *FAST, *ONCE)
    original = process.run
    program("retry", original.name, *FAST, *ONCE)
    retried = latest_run(program)
    assert list(lines(retried)[0]) == list(lines(original)[0])
    assert (lines(retried)[0]["comment"], lines(retried)[0]["row"]) == ("'=1+1", "3")
    first_summary, retry_summary = summary(original), summary(retried)
    assert retry_summary["input"] == {**first_summary["input"], "rows": 1}  # type: ignore[dict-item]
    assert retry_summary["target"] == first_summary["target"]
    assert (retry_summary["command"], retry_summary["retry_of"]) == ("retry", original.name)
    assert "finance" in retried.name
    assert f"looked at by: bulkreact verify {original.name}\n" in program("verify", *FAST).err
    assert f"{retried.name} (a retry)" in program("status", "finance.csv").err


@pytest.mark.parametrize("tail", [408, 401, 1429, 1503, 1504, 1599, 3599, 1597, 4597, 429])
def test_a_call_without_a_business_answer_is_retried_under_its_request_id(
    program: Program, partner: Partner, tail: int
) -> None:
    options = ("--max-throttle", "0", "--timeout", "5")
    process = run(program, partner, [tail], *ONCE, *options)
    assert row_statuses(process.run) != ["accepted"] or tail == 401
    program("retry", process.run.name, *FAST, *ONCE, *options)
    assert {len(set(ids)) for ids in ids_by_path(partner).values()} == {1}


@pytest.mark.parametrize("tail", [900278, 800111, 900337])
def test_a_row_with_a_business_answer_is_retried_under_a_new_request_id(
    program: Program, partner: Partner, tail: int
) -> None:
    process = run(program, partner, [tail], *ONCE)
    program("retry", process.run.name, *FAST, *ONCE, "--all-failed")
    assert [len(set(ids)) for ids in ids_by_path(partner).values()] == [2]


def test_a_lost_answer_that_took_effect_is_settled_by_a_retry(program: Program, partner: Partner) -> None:
    process = run(program, partner, [599, 504, "a", 2599], *ONCE)
    assert row_statuses(process.run) == ["unknown", "unknown", "accepted", "unknown"]
    again = program("retry", process.run.name, *FAST, *ONCE)
    assert again.code == 0, again.err
    assert row_statuses(latest_run(program)) == ["accepted", "accepted", "reactivated"]
    assert len(partner.service.call_log.effects) == 4


def test_the_failed_rows_of_an_unfinished_retry_continue_it(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a", 1504, 1599], *ONCE)
    program("retry", process.run.name, *FAST, *ONCE)
    retried = latest_run(program)
    again = program("run", retried / "failed.csv", "--base-url", partner.base_url, *FAST, *ONCE)
    assert f"Continuing the unfinished run {retried.name}" in again.err


def test_rows_that_could_not_be_reached_are_retried(program: Program) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1)), row(guid(2))])
    process = program("run", "input.csv", "--base-url", "http://127.0.0.1:1", *FAST, *ONCE)
    original = process.run
    assert row_results(process) == [("failed", "", "unreachable", "0")] * 2
    assert program("retry", original.name, *FAST, *ONCE).code == 1
    assert [line["row"] for line in lines(latest_run(program))] == ["2", "3"]
    assert {line["request_id"] for line in lines(latest_run(program))} == {
        line["request_id"] for line in lines(original)
    }


def test_what_an_earlier_retry_has_settled_is_left_alone(program: Program, partner: Partner) -> None:
    process = run(program, partner, [503, 1503, 800111, 599], *ONCE, "--concurrency", "1")
    original = process.run
    program("retry", original.name, *FAST, "--attempts", "2")
    first = latest_run(program)
    assert row_statuses(first) == ["accepted", "failed", "accepted"]
    again = program("retry", original.name, *FAST, *ONCE)
    assert again.code == 1
    assert [line["row"] for line in lines(latest_run(program))] == ["3"]
    assert len(partner.service.call_log.effects) == 2
    third = program("retry", latest_run(program).name, *FAST, *ONCE, "--all-failed")
    assert third.code == 1
    assert [line["row"] for line in lines(latest_run(program))] == ["3"]
    assert {len(set(ids)) for ids in ids_by_path(partner).values()} == {1}


def test_an_unfinished_run_is_resumed_and_not_retried(program: Program, partner: Partner) -> None:
    process = run(program, partner, [900329, "a", "a"], "--concurrency", "1")
    assert process.code == 3
    again = program("retry", process.run.name, *FAST)
    assert again.code == 2
    assert f"bulkreact resume {process.run.name}" in again.err
    assert len(list(program.folder.glob("reports/*/journal.sqlite3"))) == 1


def test_a_retry_that_was_killed_is_continued_and_not_started_again(program: Program, partner: Partner) -> None:
    process = run(program, partner, [1503, 1598], "--timeout", "1", *ONCE)
    original = process.run
    assert row_statuses(original) == ["failed", "unknown"]
    retry = program.start("retry", original.name, *FAST, *ONCE)
    wait_until(lambda: len(partner.requests(1598)) >= 2)
    retry.kill()
    program.wait(retry)
    again = program("retry", original.name, "--timeout", "1", *FAST, *ONCE)
    assert again.code == 1
    assert f"an unfinished retry of run {original.name}; not settled yet: " in again.err
    assert row_statuses(latest_run(program))[1] == "unknown"
    assert len(partner.requests(1598)) == 3
    assert {len(set(ids)) for ids in ids_by_path(partner).values()} == {1}
    assert len(list(program.folder.glob("reports/*/journal.sqlite3"))) == 2


def test_nothing_to_retry_is_said_and_leaves_nothing_behind(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a", 800111], *ONCE)
    again = program("retry", process.run.name, *FAST)
    assert again.code == 0
    assert "no rows to retry" in again.err
    assert "--all-failed" in again.err
    assert sorted(path.name for path in (program.folder / "reports").glob("[!.]*")) == [process.run.name, "latest.json"]


def test_pending_rows_are_left_to_verify(program: Program, partner: Partner) -> None:
    times = ("--verify", "--verify-after", "0", "--verify-timeout", "0")
    process = run(program, partner, [1202, 1503], *ONCE, *times)
    original = process.run
    again = program("retry", original.name, *FAST, *ONCE)
    assert row_statuses(latest_run(program)) == ["failed"]
    assert f"bulkreact verify {original.name}" in again.err


def test_what_a_limit_left_out_can_be_retried_a_few_at_a_time(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a"] * 5, "--limit", "1")
    again = program("retry", process.run.name, *FAST, "--limit", "2")
    assert again.code == 0, again.err
    assert Counter(row_statuses(latest_run(program))) == {"accepted": 2, "not_attempted": 2}
    assert len(partner.service.call_log.effects) == 3


def test_a_retry_asks_before_it_sends(program: Program, partner: Partner) -> None:
    process = run(program, partner, [1503], *ONCE)
    assert program("retry", process.run.name).code == 2
    assert len(partner.requests()) == 1
    assert len(list(program.folder.glob("reports/*/journal.sqlite3"))) == 1


def test_a_retry_can_watch_activation(program: Program, partner: Partner) -> None:
    partner.service.behaviour = Behaviour(activation_delay=0)
    process = run(program, partner, [503], *ONCE)
    again = program("retry", process.run.name, *FAST, "--verify", "--verify-after", "0", "--attempts", "3")
    assert again.code == 0, again.err
    assert row_statuses(latest_run(program)) == ["reactivated"]


def calls(partner: Partner) -> list[int]:
    """Return how often each row was sent."""
    return [len(ids) for ids in ids_by_path(partner).values()]


def test_rows_that_a_retry_has_taken_over_are_sent_by_no_other_run(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a", 2599], *ONCE)
    original = process.run
    assert program("retry", original.name, *FAST).code == 0
    retried = latest_run(program)
    assert (row_statuses(retried), calls(partner)) == (["reactivated"], [1, 2])
    for command in (("resume",), ("resume", original.name), ("run", "input.csv", "--base-url", partner.base_url)):
        program(*command, *FAST)
    assert calls(partner) == [1, 2]
    assert row_statuses(original) == ["accepted", "unknown"]
    assert f"taken over by run {retried.name}" in lines(original)[1]["error_description"]


def test_what_a_limit_left_out_and_a_retry_has_sent_is_not_resumed(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a"] * 5, "--limit", "1")
    original = process.run
    assert program("retry", original.name, *FAST).code == 0
    again = program("resume", original.name, *FAST)
    assert (again.code, "nothing to continue" in again.err) == (0, True)
    assert calls(partner) == [1] * 5


def test_a_row_is_followed_to_the_run_that_has_it_now_whatever_the_clock_said(
    program: Program, partner: Partner
) -> None:
    process = run(program, partner, [503], *ONCE)
    original = process.run
    program("retry", original.name, *FAST, *ONCE)
    first = latest_run(program)
    program("retry", original.name, *FAST, *ONCE)
    second = latest_run(program)
    assert [row_statuses(run_folder) for run_folder in (original, first, second)] == [
        ["failed"],
        ["failed"],
        ["accepted"],
    ]
    with closing(sqlite3.connect(second / "journal.sqlite3")) as journal:
        journal.execute("UPDATE run SET created_at = '2001-01-01T00:00:00.000Z'")
        seal_again(journal)
        journal.commit()
    for run_folder in (original, first, second):
        assert "no rows to retry" in program("retry", run_folder.name, *FAST, *ONCE).err
    assert calls(partner) == [3]


def test_a_retry_is_made_beside_its_run_also_from_within_its_folder(program: Program, partner: Partner) -> None:
    process = run(program, partner, [1503], *ONCE)
    original = process.run
    inside = Program(original, {"BULKREACT_STATE_DIR": str(program.folder / "state")})
    assert inside("retry", ".", *FAST, *ONCE).code == 1
    assert latest_run(program).parent == original.parent
    assert latest_run(program) != original
    assert not (original / "reports").exists()


def test_a_row_whose_retry_is_not_here_is_left_alone(program: Program, partner: Partner) -> None:
    process = run(program, partner, [1503], *ONCE)
    original = process.run
    program("retry", original.name, *FAST, *ONCE)
    latest_run(program).rename(program.folder / "elsewhere")
    again = program("retry", original.name, *FAST, *ONCE)
    assert (again.code, "which is not here" in again.err) == (0, True)
    assert calls(partner) == [2]


def test_what_is_refused_for_good_after_one_repetition_is_not_transient(program: Program, partner: Partner) -> None:
    process = run(program, partner, [501])
    assert "no rows to retry" in program("retry", process.run.name, *FAST).err


def test_a_practised_retry_remembers_what_the_practised_run_has_sent(program: Program) -> None:
    write_csv(program.folder / "input.csv", [row(scenario_id(599))])
    process = program("run", "input.csv", "--simulate", "--rate", "off", *ONCE)
    assert row_statuses(process.run) == ["unknown"]
    assert program("retry", process.run.name, "--rate", "off", *ONCE).code == 0


def test_what_another_run_has_reactivated_since_is_not_sent_again(program: Program, partner: Partner) -> None:
    original = run(program, partner, [503, 1503, 800111], *ONCE).run
    shutil.copyfile(original / "failed.csv", program.folder / "corrected.csv")
    program("run", "corrected.csv", "--base-url", partner.base_url, *FAST, "--attempts", "2")
    corrected = latest_run(program)
    assert row_statuses(corrected) == ["accepted", "failed", "failed"]
    assert preview_retry(read_run(original), original.parent, all_failed=True).customers.total() == 2
    again = program("retry", original.name, *FAST, *ONCE, "--all-failed")
    assert [line["row"] for line in lines(latest_run(program))] == ["3", "4"]
    assert f"Reactivated since, so not sent again: 1, by run {corrected.name}." in again.err
    assert calls(partner) == [3, 4, 3]


def test_what_was_reactivated_in_practice_is_sent(program: Program, partner: Partner) -> None:
    original = run(program, partner, [503], *ONCE).run
    assert program("run", "input.csv", "--simulate", "--rate", "off").code == 0
    assert program("retry", original.name, *FAST, "--attempts", "2").code == 0
    assert calls(partner) == [3]


def test_what_was_reactivated_before_it_failed_is_sent(tmp_path: Path) -> None:
    failed = make_run(tmp_path / "20260301T120000Z-test-0000", 2, Status.FAILED)
    make_run(tmp_path / "20260301T120001Z-test-0001", 2, Status.ACCEPTED)
    assert preview_retry(read_run(failed), tmp_path, all_failed=False).customers.total() == 2


def test_commands_are_named_as_they_must_be_typed(program: Program, partner: Partner) -> None:
    run(program, partner, [900329, "a"], "--concurrency", "1", "--reports", "my reports")
    (original,) = (path.parent for path in program.folder.glob("my reports/*/journal.sqlite3"))
    refused = program("retry", original.name, *FAST, "--reports", "my reports")
    named = shlex.split(refused.err.partition("Continue it with: bulkreact ")[2])
    assert named == ["resume", original.name, "--reports", "my reports"]
    assert program(*named, *FAST).code == 3


def test_in_a_retry_the_failure_threshold_is_off_unless_it_is_given(program: Program, partner: Partner) -> None:
    first = run(program, partner, [1500] * 4, *ONCE).run
    limits = (*FAST, "--attempts", "1", "--halt-after", "1", "--concurrency", "1")
    assert program("retry", first.name, *limits).code == 1
    halted = program("retry", first.name, *limits, "--halt-on-failures", "50%")
    assert halted.code == 4, halted.err
    environment = Program(program.folder, {"BULKREACT_HALT_ON_FAILURES": "1"})
    assert environment("resume", *limits).code == 4
    assert program("resume", *limits).code == 1
    assert "not_attempted" not in row_statuses(latest_run(program))


def test_what_a_retry_has_taken_over_is_named_wherever_its_first_run_is_shown(
    program: Program, partner: Partner
) -> None:
    first = run(program, partner, ["a", 599, 1500, 1500, 800111], *ONCE).run
    again = program("retry", first.name, *FAST, *ONCE, "--limit", "2")
    assert f"Retrying 3 rows of run {first.name}, 1 of them left out by --limit." in again.err
    second = latest_run(program)
    retried = program("retry", first.name, *FAST, *ONCE)
    third = latest_run(program)
    assert f"Taken over before: 1, by run {second.name}." in retried.err
    named = [
        f"Taken over: 1 row, by run {second.name}. See how they ended: bulkreact status {second.name}",
        f"Taken over: 2 rows, by run {third.name}. See how they ended: bulkreact status {third.name}",
    ]
    status = program("status", first.name)
    resumed = program("resume", first.name, *FAST)
    repeated = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    written = program("results", first.name)
    for text in (status.out, resumed.err, repeated.err, written.err):
        assert [line for line in text.splitlines() if line.startswith("Taken over")] == named
        assert "bulkreact retry" not in text
    assert "has none left to send" in repeated.err
    assert "the same command again" not in repeated.err
    assert json.loads(program("status", first.name, "--json").out)["taken_over"] == {second.name: 3}
    assert summary(first)["taken_over"] == {second.name: 3}


def test_a_row_that_was_taken_over_is_in_the_files_of_one_run_alone(program: Program, partner: Partner) -> None:
    cells = [row(guid(1)), row(guid(2)), row(guid(2)), row(scenario_id(800111))]
    write_csv(program.folder / "input.csv", cells)
    first = program("run", "input.csv", "--base-url", partner.base_url, *FAST, *ONCE, "--limit", "1").run
    program("retry", first.name, *FAST, *ONCE, "--limit", "1")
    second = latest_run(program)
    program("results", first.name)
    taken = f"taken over by run {second.name}: "
    assert [line["error_description"] for line in lines(first)[1:]] == [
        f"{taken}left out by --limit",
        f"{taken}same target as row 3, which has the outcome",
        f"{taken}left out by --limit",
    ]
    assert {line["advice"] for line in lines(first)[1:]} == {f"Look at run {second.name}: it has taken this row over."}
    assert read_csv(first / "failed.csv") == []
    assert [line["row"] for line in read_csv(second / "failed.csv")] == ["5"]
