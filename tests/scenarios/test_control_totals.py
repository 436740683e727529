"""What --sum adds up before a run is what it adds up afterwards, whatever continues the run."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook

from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.ids import HEADER, guid, row, scenario_id, write_csv
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, latest_run

REFUSED = 800111
# Accepted, refused, accepted, a duplicate, invalid, and one without an amount.
ROWS = [
    (*row(guid(1), 1), "Kessler", "1.234,50 €"),
    (*row(scenario_id(REFUSED), 1), "Kessler", "0,25 €"),
    (*row(guid(2), 2), "Nordwind", "1.000"),
    (*row(guid(2), 2), "Nordwind", "7,00"),
    ("no id", "", "", "", "-3,00"),
    (*row(guid(3), 2), "Nordwind", ""),
]
NAMED = (*HEADER, "Kundenname", "Betrag")


def read_sum(path: Path) -> dict[str, object]:
    """Return what a JSON file of ours says of the sum."""
    content: dict[str, object] = json.loads(path.read_text())["sum"]
    return content


def test_the_plan_and_the_results_have_the_same_total(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", ROWS, NAMED)
    shown = program("plan", "input.csv", "--sum", "betrag", "--out", "plan.json")
    assert (
        "Sum:       EUR 2,234.75 (Betrag); 1 row without an amount; duplicate EUR 7.00; invalid EUR -3.00" in shown.out
    )
    assert [line.split("  ")[-3:] for line in shown.out.splitlines()[-2:]] == [
        ["2", "EUR 1,234.75", f"Kessler ({guid(1001)})"],
        ["2", "EUR 1,000.00", f"Nordwind ({guid(1002)})"],
    ]
    assert read_sum(program.folder / "plan.json") == {
        "column": "Betrag",
        "currency": "EUR",
        "total": "2234.75",
        "without_amount": 1,
        "problem": "",
        "per_customer": {guid(1001): "1234.75", guid(1002): "1000.00"},
        "not_sent": {"duplicate": "7.00", "invalid": "-3.00"},
    }
    ended = program("run", "input.csv", "--sum", "Betrag", "--base-url", partner.base_url, *FAST)
    assert (ended.code, ended.err.count(" EUR 2,234.75 (Betrag); 1 row without an amount")) == (1, 2)
    assert [line.split() for line in ended.err.splitlines() if line.startswith(("accepted", "failed"))] == [
        ["accepted", "3", "EUR", "2,234.50"],
        ["failed", "1", "EUR", "0.25"],
    ]
    page = re.sub(r"<[^>]+>", " ", (ended.run / "report.html").read_text())
    assert "Sum of the rows to be sent: EUR 2,234.75 (Betrag); 1 row without an amount" in " ".join(page.split())
    assert "accepted 3 50.0 % EUR 2,234.50 yes" in " ".join(page.split())
    assert read_sum(ended.run / "summary.json") == {
        "column": "Betrag",
        "currency": "EUR",
        "total": "2234.75",
        "without_amount": 1,
        "problem": "",
        "by_status": {"accepted": "2234.50", "failed": "0.25", "duplicate": "7.00", "invalid": "-3.00"},
    }


def test_what_continues_the_run_remembers_the_column(
    program: Program, start_partner: Callable[[Behaviour], Partner]
) -> None:
    partner = start_partner(Behaviour(activation_delay=0))
    write_csv(program.folder / "input.csv", ROWS[:3], NAMED)
    target = ("--base-url", partner.base_url, *FAST)
    begun = program("run", "input.csv", "--sum", "Betrag", "--limit", "1", *target)
    assert "EUR 1,234.50 (Betrag); left out EUR 1,000.25" in begun.err
    folder = latest_run(program)
    assert read_sum(folder / "summary.json")["total"] == "1234.50"
    assert program("resume", *FAST).code == 1
    assert read_sum(folder / "summary.json")["total"] == "2234.75"
    verified = program("verify", "--verify-after", "0", "--rate", "off")
    assert "Sum of the rows to be sent: EUR 2,234.75 (Betrag)." in verified.err
    assert read_sum(folder / "summary.json")["by_status"] == {"reactivated": "2234.50", "failed": "0.25"}
    assert program("results", "--to", "again").code == 0
    assert read_sum(program.folder / "again" / "summary.json")["total"] == "2234.75"
    assert program("retry", "--all-failed", *FAST).code == 1
    assert read_sum(latest_run(program) / "summary.json")["total"] == "0.25"
    assert latest_run(program) != folder


@pytest.mark.parametrize(
    ("first", "second", "remark"),
    [
        ((), ("--sum", "Betrag"), "The run was begun without --sum: it keeps that."),
        (("--sum", "Betrag"), ("--sum", "Kundenname"), "The run was begun with --sum Betrag: it keeps that."),
        (("--sum", "Betrag"), ("--sum", "betrag"), ""),
        (("--sum", "Betrag"), (), ""),
    ],
)
def test_a_continued_run_keeps_its_column_and_says_so(
    program: Program, partner: Partner, first: tuple[str, ...], second: tuple[str, ...], remark: str
) -> None:
    # The token is refused: the run stops before its first row has ended.
    rows = [(*row(scenario_id(1401)), "Kessler", "1"), (*row(guid(1)), "Kessler", "2")]
    write_csv(program.folder / "input.csv", rows, NAMED)
    target = ("--base-url", partner.base_url, *FAST)
    assert program("run", "input.csv", *first, *target).code == 3
    continued = program("run", "input.csv", *second, *target)
    assert "Continuing the unfinished run" in continued.err
    assert (remark in continued.err, "it keeps that" in continued.err) == (True, bool(remark))


def test_a_retry_knows_the_decimal_mark_of_rows_that_it_has_not(program: Program, partner: Partner) -> None:
    rows = [(*row(guid(1)), "Kessler", "0,50"), (*row(scenario_id(REFUSED)), "Kessler", "1.234")]
    write_csv(program.folder / "input.csv", rows, NAMED)
    begun = program("run", "input.csv", "--sum", "Betrag", "--base-url", partner.base_url, *FAST)
    assert read_sum(begun.run / "summary.json")["total"] == "1234.50"
    for _ in range(2):
        assert program("retry", "--all-failed", *FAST).code == 1
        assert read_sum(latest_run(program) / "summary.json")["total"] == "1234"


def test_numbers_of_a_workbook_are_summed_as_numbers(program: Program) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(NAMED)
    for number, amount in enumerate([1.234, 0.1, 0.2, "5,5"]):
        sheet.append([*row(guid(number)), "Kessler", amount])
    book.save(program.folder / "input.xlsx")
    planned = json.loads(program("plan", "input.xlsx", "--sum", "Betrag", "--json").out)["sum"]
    assert planned["total"] == "7.034"
    ended = program("run", "input.xlsx", "--sum", "Betrag", "--simulate", "--rate", "off")
    assert read_sum(ended.run / "summary.json")["total"] == "7.034"


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("free", "row 3 ('free') has something else than an amount (1 such row)"),
        ("1,234.50", "row 2 ('1,234.50') has a decimal point, row 3 "),
        ("5 $", "there are several currencies"),
    ],
)
def test_a_column_that_is_not_all_amounts_is_said_and_not_guessed(program: Program, cell: str, problem: str) -> None:
    rows = [ROWS[0], (*row(guid(9)), "Nordwind", cell)]
    write_csv(program.folder / "input.csv", rows if cell == "free" else rows[::-1], NAMED)
    shown = program("plan", "input.csv", "--sum", "Betrag")
    assert f"Sum:       not known (Betrag): {problem}" in shown.out
    ended = program("run", "input.csv", "--sum", "Betrag", "--simulate", "--rate", "off")
    assert (ended.code, problem in ended.err) == (0, True)
    summed = read_sum(ended.run / "summary.json")
    assert (summed["total"], bool(summed["problem"]), cell in str(summed)) == (None, True, False)


def test_an_invalid_row_without_an_amount_leaves_the_total_alone(program: Program) -> None:
    write_csv(program.folder / "input.csv", [ROWS[0], ("please hurry", "", "", "", "see above")], NAMED)
    planned = json.loads(program("plan", "input.csv", "--sum", "Betrag", "--json").out)["sum"]
    ended = program("run", "input.csv", "--sum", "Betrag", "--simulate", "--rate", "off")
    summed = read_sum(ended.run / "summary.json")
    assert (planned["total"], summed["total"], summed["without_amount"]) == ("1234.50", "1234.50", 1)


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_column_that_is_not_there_is_refused(program: Program, command: str) -> None:
    write_csv(program.folder / "input.csv", ROWS, NAMED)
    refused = program(command, "input.csv", "--sum", "Preis", *(("--simulate",) if command == "run" else ()))
    assert (refused.code, "--sum Preis: no column is called that. There are: " in refused.err) == (2, True)
    assert not [*refused.reports.glob("[!.]*")]


def test_without_the_option_nothing_is_summed(program: Program) -> None:
    write_csv(program.folder / "input.csv", ROWS[:1], NAMED)
    assert "Sum" not in program("plan", "input.csv").out
    ended = program("run", "input.csv", "--simulate", "--rate", "off")
    assert ("Sum" in ended.err, "sum" in ended.summary) == (False, False)
