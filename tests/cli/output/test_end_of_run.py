"""The end of a run: how the rows ended, what to do next with commands that work, the files, and few errors."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from bulkreact.batch.journal.journal import Journal
from bulkreact.cli.output.status_table import describe_changes
from bulkreact.models import RunState
from bulkreact.partnercenter.error_codes.lookup import find_entries
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.html_page import Page
from tests.support.ids import guid, read_csv, scenario_id
from tests.support.program import Partner, Program, ProgramResult
from tests.support.run_commands import FAST, latest_run, row_statuses, run

AT = "2026-03-01T12:00:00.000Z"
ONCE = ("--attempts", "1", "--halt-on-failures", "off")
WAYS = ("Correct ", "Send ", "Look at ", " accepted and may take")


def commands(process: ProgramResult) -> list[list[str]]:
    """Return the commands that the end of a run names, as arguments after ``bulkreact``."""
    named = [line.partition("with: bulkreact ")[2] for line in process.err.splitlines()]
    return [shlex.split(arguments) for arguments in named if arguments]


def positions(text: str, *parts: str) -> list[int]:
    return [text.index(part) for part in parts]


def test_the_table_comes_first_then_three_errors_then_the_files_then_what_to_do(
    program: Program, partner: Partner
) -> None:
    process = run(program, partner, ["a", 1503, 800111, 900278, 900335, 2597], *ONCE)
    files = ("Report:", "Results:", "Failed:")
    found = positions(process.err, "status ", "Most frequent errors", *files, "Correct 1 row in", "Send 2 rows again")
    assert found == sorted(found)
    errors = process.err.partition("says who must act, and how)\n")[2].partition("\n\n")[0].splitlines()
    assert len(errors) == 4
    assert errors[-1] == "  … and 2 other codes: see the report"
    assert all("(1 row): " in line for line in errors[:3])


def test_the_report_has_the_same_order(program: Program, partner: Partner) -> None:
    ended = run(program, partner, ["a", 800111], *ONCE)
    text = Page(ended.run / "report.html").text
    found = positions(text, "How the rows ended", "How to continue", "Files beside this page", "What went wrong")
    assert found == sorted(found)


def test_the_corrected_file_is_sent_by_the_command_that_is_named(program: Program, partner: Partner) -> None:
    lines = [f"{guid(1)},{guid(2)},{guid(3)}", f"{guid(1)},{guid(4)},{scenario_id(800111)}"]
    (program.folder / "list.csv").write_text("\n".join(["Kunde,Abo,Recht", *lines]) + "\n")
    maps = ("--map", "customer_id=Kunde", "--map", "subscription_id=Abo", "--map", "entitlement_id=Recht")
    reports = ("--reports", "my reports")
    process = program(
        "run", "list.csv", "--base-url", partner.base_url, *maps, *reports, "--kind", "auto", "--locale", "de-DE", *FAST
    )
    correct = next(command for command in commands(process) if command[0] == "run")
    failed = Path(correct[1])
    assert len(read_csv(failed)) == 1
    failed.write_text(failed.read_text().replace(scenario_id(800111), guid(9)))
    again = program(*correct, "--yes")
    assert again.code == 0, again.err
    assert "--kind auto" in " ".join(correct)
    assert correct[correct.index("--locale") + 1] == "de-DE"
    assert len(list((program.folder / "my reports").glob("2*"))) == 2


def test_a_retry_names_the_layout_of_its_parent(program: Program, partner: Partner) -> None:
    (program.folder / "list.csv").write_text(f"Kunde,s,e\n{guid(1)},{guid(4)},{scenario_id(2597)}\n")
    maps = ("--map", "customer_id=Kunde", "--map", "subscription_id=s", "--map", "entitlement_id=e")
    first = program("run", "list.csv", "--base-url", partner.base_url, *maps, *FAST)
    partner.service.behaviour = Behaviour()
    again = program("retry", latest_run(program).name, "--all-failed", *FAST)
    assert [command for command in commands(again) if command[0] == "run"] == []
    assert first.code == again.code == 1


@pytest.mark.parametrize("tails", [[900335], [2597], [1599], ["a"], [208], [1503]])
def test_no_correction_is_offered_where_the_file_is_right(
    program: Program, partner: Partner, tails: list[int | str]
) -> None:
    assert "Correct " not in run(program, partner, tails, *ONCE, "--max-outage", "0").err


def test_nothing_is_offered_when_nothing_is_left(program: Program, partner: Partner) -> None:
    process = run(program, partner, [208, 208])
    assert not [line for line in process.err.splitlines() if any(way in line for way in WAYS)]
    assert "Failed:" not in process.err


def test_verify_says_what_has_changed_and_no_more(program: Program, partner: Partner) -> None:
    partner.service.behaviour = Behaviour(activation_delay=0)
    process = run(program, partner, ["a", "b", 800111])
    again = program("verify", process.run.name, *FAST)
    assert "Changed: reactivated 0 → 2, accepted 2 → 0." in again.err
    assert "Most frequent errors" not in again.err
    assert "status " not in again.err
    assert row_statuses(process.run) == ["reactivated", "reactivated", "failed"]
    assert "Correct " not in again.err
    assert f"Report:   {process.run / 'report.html'}" in again.err
    third = program("verify", process.run.name, *FAST)
    assert third.err.partition("To look at: nothing\n")[2].split("\n") == ["", "Nothing has changed.", "", ""]


def test_verify_names_itself_again_while_rows_are_not_active(program: Program, partner: Partner) -> None:
    partner.service.behaviour = Behaviour(activation_delay=3600)
    first = run(program, partner, ["a", 800111])
    program("verify", first.run.name, *FAST)
    again = program("verify", first.run.name, *FAST)
    assert commands(again) == [["verify", first.run.name]]
    assert "Report:" not in again.err


def test_status_names_the_same_next_steps_as_the_end_of_the_run(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a", 1503, 800111, 1599, 900278], *ONCE)
    shown = program("status")
    assert commands(replace(shown, err=shown.out)) == commands(process) != []
    (process.run / "failed.csv").unlink()
    assert "Correct " not in program("status").out


def test_a_complete_run_with_a_lost_answer_is_not_called_unfinished(program: Program, partner: Partner) -> None:
    ended = run(program, partner, ["a", 1599], *ONCE)
    again = program("results")
    assert row_statuses(ended.run) == ["accepted", "unknown"]
    assert "not finished" not in again.err
    assert commands(again) == commands(ended)


def test_rows_that_were_never_sent_are_not_sent_again(program: Program, partner: Partner) -> None:
    process = run(program, partner, [900278, "a", "b"], *ONCE, "--limit", "1")
    name = process.run.name
    assert f"Send 2 rows that --limit left out with: bulkreact resume {name}" in process.err
    step = "Send 1 row again that may succeed in 24 hours, and those left out, with:"
    assert f"{step} bulkreact retry {name}\n" in process.err


def test_every_row_that_did_not_end_well_is_in_a_step_and_what_may_have_worked_is_looked_at_first(
    program: Program, partner: Partner
) -> None:
    process = run(program, partner, ["a", 800111, 900335, 2597, 900278, 900280, 1599], *ONCE, "--max-outage", "0")
    name, steps = process.run.name, process.err.splitlines()[-4:]
    assert steps[0].startswith("Correct 1 row in failed.csv, then send it with: bulkreact run ")
    assert steps[1:] == [
        "2 rows were refused. See who must act, and how, with: bulkreact explain 900335 unexpected-redirect",
        (
            "1 row is accepted and may take minutes to become active. 1 row got no answer, but may be active. See "
            f"whether they are active, before anything is sent again, with: bulkreact verify {name}"
        ),
        f"Send 3 rows again that may succeed now, 1 of them in 24 hours, with: bulkreact retry {name}",
    ]
    assert program("explain", "900335", "unexpected-redirect").out.count("Who must act: ") == 2


def test_one_row_that_was_refused_is_spoken_of_as_one(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a", 900335], *ONCE)
    assert "1 row was refused. See who must act, and how, with: bulkreact explain 900335" in process.err


def test_a_run_that_was_interrupted_when_all_was_sent_is_not_to_be_continued(
    program: Program, partner: Partner
) -> None:
    partner.service.behaviour = Behaviour(activation_delay=0)
    ended = run(program, partner, ["a"])
    with Journal(ended.run) as journal:
        number = journal.begin_session(command="resume", version="1", configured_per_minute=None, now=AT)
        journal.end_session(number, state=RunState.INTERRUPTED, exit_code=130, reason="Ctrl-C", now=AT)
    assert commands(replace(ended, err=program("status").out)) == [["verify", ended.run.name]]
    verified = program("verify", *FAST)
    assert "Changed: reactivated 0 → 1, accepted 1 → 0." in verified.err
    assert commands(verified) == []
    assert "bulkreact resume 2" not in program("status").out + (ended.run / "report.html").read_text(encoding="utf-8")


def test_on_a_terminal_a_command_is_on_a_line_of_its_own(program: Program, partner: Partner) -> None:
    process = run(program, partner, ["a", 800111])
    program.environment |= {"FORCE_COLOR": "1", "COLUMNS": "60"}
    lines = program("status").out.splitlines()
    assert f"  bulkreact verify {process.run.name}" in lines
    (correction,) = (line for line in lines if line.startswith("  bulkreact run "))
    assert correction.endswith(f"/failed.csv --base-url {partner.base_url}")


def test_on_a_terminal_what_an_error_means_is_wrapped_and_not_cut(program: Program, partner: Partner) -> None:
    program.environment |= {"FORCE_COLOR": "1", "COLUMNS": "60"}
    shown = run(program, partner, [2597], *ONCE).err
    description = find_entries("unexpected-redirect")[0].description
    assert len(description) > 60
    assert description in " ".join(shown.split())


def test_unchanged_counts_are_left_out() -> None:
    assert describe_changes({"accepted": 2, "failed": 1}, {"reactivated": 1200, "failed": 1}) == (
        "Changed: reactivated 0 → 1,200, accepted 2 → 0."
    )


def test_calls_that_never_left_are_not_repeated(program: Program) -> None:
    rows = [f"{guid(1)},{guid(2)},{guid(3)}"]
    (program.folder / "input.csv").write_text("\n".join(["customer_id,subscription_id,entitlement_id", *rows]) + "\n")
    nowhere = ("--base-url", "http://127.0.0.1:9", "--max-outage", "0", "--attempts", "2")
    program("run", "input.csv", *nowhere, *FAST)
    assert "0 sent, 0 repeated" in program("status").out
