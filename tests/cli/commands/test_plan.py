"""The preview of a run, and a run that must match a saved plan."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bulkreact.runs import saved_plan
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.ids import guid, row, scenario_id, write_csv
from tests.support.program import CANARY, Partner, Program, ProgramResult
from tests.support.run_commands import FAST, row_statuses, wait_until

IDS = ("customer_id", "subscription_id", "entitlement_id")
ROWS: list[tuple[str, ...]] = [
    row(guid(1), 1),
    row(guid(2), 2),
    row(guid(3), 2),
    row(guid(2), 2),
    ("x", "", "4.892E+92"),
    row(guid(4), 1),
]


def run_plan(
    program: Program, *options: str | Path, rows: Sequence[tuple[str, ...]] = ROWS
) -> tuple[ProgramResult, dict[str, Any]]:
    """Plan rows, for programs."""
    write_csv(program.folder / "input.csv", rows)
    process = program("plan", "input.csv", "--json", *options)
    return process, json.loads(process.out) if process.out else {}


def test_everything_is_counted_and_adds_up(program: Program) -> None:
    process, plan = run_plan(program, "--rate", "2/s")
    assert process.code == 1
    assert (plan["rows"], plan["valid"], plan["invalid"], plan["duplicate"]) == (6, 4, 1, 1)
    assert plan["rows"] == plan["valid"] + plan["invalid"] + plan["duplicate"]
    assert (plan["customers"], plan["kinds"], plan["estimated_seconds"]) == (2, {"azure": 4}, 2.0)
    assert plan["per_customer"] == {row(guid(1), 1)[0]: 2, row(guid(2), 2)[0]: 2}
    assert plan["targets"] == [[number, "azure", *ROWS[number - 2]] for number in (2, 3, 4, 7)]
    assert not (program.folder / "reports").exists()


def test_every_problem_has_its_row_and_column_and_its_remedy(program: Program) -> None:
    _, plan = run_plan(program)
    assert [(problem["row"], problem["column"], problem["value"], problem["code"]) for problem in plan["problems"]] == [
        (6, "customer_id", "x", "invalid-customer-id"),
        (6, "subscription_id", "", "missing-subscription-id"),
        (6, "entitlement_id", "4.892E+92", "damaged-by-excel"),
    ]
    assert all(problem["reason"] and problem["remedy"] for problem in plan["problems"])


def test_it_is_shown_to_people(program: Program) -> None:
    write_csv(program.folder / "input.csv", [*ROWS, *((f"{number}E+10", "a", "b") for number in range(10, 40))])
    process = program("plan", "input.csv")
    assert process.code == 1
    assert process.err == ""
    lines = process.out.splitlines()
    assert lines[:3] == [
        "Input:     input.csv, 36 rows",
        "To send:   4 subscriptions of 2 customers; about 1 second at 300/min",
        "Duplicate: 1 (sent once, with the earlier row)",
    ]
    assert "Invalid:   31" in lines
    assert (
        "  rows 8-37 (30 rows, for example 8): customer_id is not a GUID: '10E+10' (Excel changed this cell"
        in process.out
    )
    assert len(lines) < 15


def test_a_file_that_could_be_sent_as_a_whole_is_a_success(program: Program) -> None:
    process, plan = run_plan(program, rows=[row(guid(1)), row(guid(1))])
    assert process.code == 0
    assert (plan["valid"], plan["duplicate"], plan["problems"]) == (1, 1, [])


@pytest.mark.parametrize(
    ("options", "rows", "message"),
    [
        ((), [], "has no rows"),
        (("--max-rows", "3"), ROWS, "more than the 3 that --max-rows allows"),
        (("--strict",), ROWS, "1 of 6 rows is invalid"),
        (("--sheet", "x"), ROWS, "is no workbook"),
    ],
)
def test_what_run_would_refuse_plan_refuses(
    program: Program, options: tuple[str, ...], rows: list[tuple[str, ...]], message: str
) -> None:
    process, _ = run_plan(program, *options, rows=rows)
    assert process.code == 2
    assert message in process.err


def test_it_reads_as_run_would(program: Program, partner: Partner) -> None:
    (program.folder / "bulkreact.toml").write_text('rate = "1/s"\n[run]\ndelimiter = "^"\nmax_rows = 10\n')
    write_csv(program.folder / "plain.csv", ROWS[:3])
    text = (program.folder / "plain.csv").read_text().replace(",", "^")
    (program.folder / "input.csv").write_text(text)
    process = program("plan", "input.csv", "--json")
    assert process.code == 0, process.err
    assert json.loads(process.out)["estimated_seconds"] == 3
    ran = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    assert ran.code == 0


def test_a_run_holds_itself_to_its_plan(program: Program, partner: Partner) -> None:
    target = ("--base-url", partner.base_url, *FAST, "--plan", "plan.json")
    run_plan(program, "--out", "plan.json")
    # Names, case and order of columns may change; what is sent may not.
    rows = [("Ann", *(cell.upper() for cell in reversed(ids))) for ids in ROWS]
    write_csv(program.folder / "input.csv", rows, ("name", *reversed(IDS)))
    process = program("run", "input.csv", *target)
    assert process.code == 1, process.err
    assert row_statuses(process.run) == ["accepted"] * 3 + ["duplicate", "invalid", "accepted"]
    changes = {
        f"planned is row 3 with {' / '.join(ROWS[1])}, and there is row 3 with {' / '.join(ROWS[2])}": ROWS[0:1]
        + ROWS[2:],
        f"planned is row 7 with {' / '.join(ROWS[5])}, and there is nothing more": ROWS[:5],
        f"planned is nothing more, and there is row 8 with {' / '.join(row(guid(9), 1))}": [*ROWS, row(guid(9), 1)],
    }
    before = len(partner.requests())
    for message, changed in changes.items():
        write_csv(program.folder / "input.csv", changed)
        refused = program("run", "input.csv", *target)
        assert refused.code == 2
        assert message in refused.err
    assert len(partner.requests()) == before
    assert len(list(process.reports.glob("*/journal.sqlite3"))) == 1


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "[]",
        '{"digest": 1}',
        '{"digest": "x", "targets": [1]}',
        '{"digest": "x", "targets": [[1]]}',
        "[" * 99_999,
    ],
)
def test_what_is_no_plan_is_refused(program: Program, content: str | None) -> None:
    write_csv(program.folder / "input.csv", ROWS)
    if content is not None:
        (program.folder / "plan.json").write_text(content)
    process = program("run", "input.csv", "--simulate", "--plan", "plan.json")
    assert process.code == 2
    assert "plan.json" in process.err
    assert "Traceback" not in process.err


def test_no_more_of_a_plan_is_read_than_one_may_have(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    write_csv(program.folder / "input.csv", ROWS)
    assert program("plan", "input.csv", "--out", "plan.json").code == 1
    monkeypatch.setattr(saved_plan, "_LARGEST", (program.folder / "plan.json").stat().st_size - 2)
    process = program("run", "input.csv", "--simulate", "--plan", "plan.json")
    assert (process.code, "plan.json is not a plan" in process.err) == (2, True)


def test_a_plan_that_cannot_be_saved_is_reported(program: Program) -> None:
    (program.folder / "plan.json").mkdir()
    write_csv(program.folder / "input.csv", ROWS)
    process = program("plan", "input.csv", "--out", "nowhere/plan.json")
    assert process.code == 2
    assert "cannot be written" in process.err


@pytest.mark.parametrize("out", ["./input.csv", "hard-link.csv"])
def test_a_plan_does_not_overwrite_its_input(program: Program, out: str) -> None:
    path = write_csv(program.folder / "input.csv", ROWS)
    (program.folder / "hard-link.csv").hardlink_to(path)
    before = path.read_bytes()
    process = program("plan", "input.csv", "--out", out)
    assert process.code == 2
    assert "would overwrite the input" in process.err
    assert path.read_bytes() == before


def plan_online(program: Program, partner: Partner, rows: Sequence[tuple[str, ...]], *options: str) -> dict[str, Any]:
    """Plan rows and read the status of their targets."""
    _, plan = run_plan(program, "--online", "--base-url", partner.base_url, "--rate", "off", *options, rows=rows)
    return plan


def test_it_reads_the_status_of_every_target_and_reactivates_nothing(program: Program, partner: Partner) -> None:
    rows = [row(scenario_id(208), 1), row(guid(1), 1), row(guid(2), 2), row(guid(2), 2), ("x", "", ""), row(guid(3), 3)]
    plan = plan_online(program, partner, rows)
    assert plan["statuses"] == [[2, "active"], [3, "inactive"], [4, "inactive"], [7, "inactive"]]
    assert partner.requests() == []
    assert partner.service.call_log.effects == []
    # Entitlements of one subscription are read by one call.
    paths = [str(call["path"]) for call in partner.service.call_log.calls]
    assert sum(path.endswith("/azureEntitlements") for path in paths) == 1
    text = program("plan", "input.csv", "--online", "--base-url", partner.base_url, "--rate", "off").out
    assert "At present: inactive 3, active 1" in text
    assert "Active, and in need of nothing: 1 row (2)" in text
    assert not (program.folder / "reports").exists()


def test_what_cannot_be_read_is_said(program: Program, partner: Partner) -> None:
    plan = plan_online(program, partner, [row(scenario_id(596), 1), row(guid(2), 2)])
    assert plan["statuses"] == [[2, None], [3, "inactive"]]
    shown = program("plan", "input.csv", "--online", "--base-url", partner.base_url, "--rate", "off")
    assert "not readable 1" in shown.out


def test_reading_keeps_to_the_pace_and_waits_when_asked(
    program: Program, start_partner: Callable[[Behaviour], Partner]
) -> None:
    partner = start_partner(Behaviour(partner_limit=3, window=1))
    plan = plan_online(program, partner, [row(guid(number), number) for number in range(8)])
    assert [word for _, word in plan["statuses"]] == ["inactive"] * 8
    assert any(str(call["answer"]) == "429" for call in partner.service.call_log.calls)


def test_reading_needs_credentials_and_excludes_a_run(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(scenario_id(1598))])
    target = ("--base-url", partner.base_url)
    process = program.start("run", "input.csv", *target, *FAST)
    wait_until(lambda: len(partner.requests()) == 1)
    beside = program("plan", "input.csv", "--online", *target)
    process.kill()
    program.wait(process)
    assert beside.code == 5
    program.environment["BULKREACT_ACCESS_TOKEN"] = ""
    assert program("plan", "input.csv", "--online", *target).code == 2
    assert program("plan", "input.csv").code == 0
    program.environment["BULKREACT_ACCESS_TOKEN"] = CANARY
    partner.service.behaviour = Behaviour()
    refused = program("plan", "input.csv", "--online", "--simulate")
    assert refused.code == 0


def test_rows_with_ids_in_the_wrong_column_do_not_count_for_the_digest(program: Program) -> None:
    good = [row(guid(1), 1), row(guid(2), 1)]
    customer, subscription, _ = good[0]
    _, invalid_plan = run_plan(program, rows=[*good, (customer, subscription, subscription)])
    _, without = run_plan(program, rows=good)
    assert (invalid_plan["invalid"], invalid_plan["problems"][0]["code"]) == (1, "swapped-ids")
    assert invalid_plan["problems"][0]["column"] == "entitlement_id"
    assert invalid_plan["digest"] == without["digest"]
    assert invalid_plan["targets"] == without["targets"]


def test_the_targets_of_a_large_input_are_only_saved(program: Program, partner: Partner) -> None:
    rows = [row(guid(10_000 + number), number % 7) for number in range(10_001)]
    process, plan = run_plan(program, "--out", "plan.json", rows=rows)
    assert "The 10,001 targets are left out of what is printed." in process.err
    assert (plan["valid"], plan["targets"], plan["targets_omitted"]) == (10_001, [], 10_001)
    saved = json.loads((program.folder / "plan.json").read_text())
    assert [tuple(target[2:]) for target in saved.pop("targets")] == rows
    assert saved.items() <= plan.items()
    # What was printed is a plan as well.
    (program.folder / "printed.json").write_text(process.out)
    target = ("--base-url", partner.base_url, *FAST, "--limit", "1", "--plan", "printed.json")
    assert program("run", "input.csv", *target).code == 0
    write_csv(program.folder / "input.csv", rows[1:])
    refused = program("run", "input.csv", *target)
    assert refused.code == 2
    assert "input.csv is not what printed.json was made from. Nothing was sent. Make another plan." in refused.err


def test_the_targets_of_other_inputs_are_printed(program: Program) -> None:
    _, plan = run_plan(program, rows=[row(guid(10_000 + number)) for number in range(10_000)])
    assert len(plan["targets"]) == 10_000
    assert "targets_omitted" not in plan
