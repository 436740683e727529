"""A plan is kept for another program: all rows and problems beside it, and why a file is refused as a code."""

import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import openpyxl
import pytest

from bulkreact.cli.output import plan_json
from tests.support.ids import HEADER, guid, row, write_csv
from tests.support.instants import kill_at
from tests.support.program import Partner, Program, ProgramResult
from tests.support.run_commands import FAST
from tests.support.sqlite_steps import counting_steps

CONTAINER = b"\xd0\xcf\x11\xe0" + bytes(600)


def plan_in(folder: Path) -> dict[str, object]:
    """Return the plan in a folder."""
    content: dict[str, object] = json.loads((folder / "plan.json").read_text())
    return content


def rows_in(folder: Path, sql: str) -> list[tuple[object, ...]]:
    """Return records of the kept rows."""
    with closing(sqlite3.connect(f"{(folder / 'rows.sqlite3').as_uri()}?mode=ro&immutable=1", uri=True)) as rows:
        return rows.execute(sql).fetchall()


def keep(program: Program, name: str, *options: str) -> ProgramResult:
    """Plan an input and keep the plan."""
    return program("plan", name, "--keep", "kept", *options)


def write_mixed(program: Program) -> None:
    """Write a table below a title: a good row, its duplicate, a row with two problems, a total."""
    good = [*row(guid(1)), "x"]
    damaged = [row(guid(1))[0], "", "4,892E+92", "y"]
    lines = [["Title"], [], [*HEADER, "note"], good, good, damaged, ["", "", "", "Total 3"]]
    (program.folder / "mixed.csv").write_text("".join(f"{';'.join(line)}\n" for line in lines), encoding="cp1252")


def test_a_kept_plan_says_how_the_file_was_read(program: Program) -> None:
    write_mixed(program)
    result = keep(program, "mixed.csv")
    plan = plan_in(program.folder / "kept")
    assert (result.code, plan["rows"], plan["valid"], plan["invalid"], plan["duplicate"]) == (1, 3, 1, 1, 1), result.err
    assert {name: plan[name] for name in ("sheet", "sheets", "header_row", "delimiter", "from_spreadsheet")} == {
        "sheet": None,
        "sheets": [],
        "header_row": 3,
        "delimiter": ";",
        "from_spreadsheet": True,
    }
    assert plan["header"] == [*HEADER, "note"]
    assert plan["columns"] == {
        **{name: name for name in HEADER},
        **dict.fromkeys(("kind", "restore_auto_renew", "cancelled_on", "deadline", "candidates")),
    }
    assert [line[-1] for line in plan["sample"]] == ["x", "x", "y", "Total 3"]  # type: ignore[attr-defined]
    assert len(str(plan["sha256"])) == 64
    assert "has a total, row 7" in str(plan["remarks"])


def test_all_rows_and_problems_are_kept_with_the_names_of_cells(program: Program) -> None:
    write_mixed(program)
    keep(program, "mixed.csv")
    kept = program.folder / "kept"
    assert rows_in(kept, "SELECT ordinal, number, problem_code, duplicate_of FROM rows") == [
        (1, 4, "", None),
        (2, 5, "", 1),
        (3, 6, "damaged-by-excel", None),
    ]
    assert rows_in(kept, 'SELECT ordinal, "row", "column", cell, value, code FROM problems') == [
        (3, 6, "subscription_id", "B6", "", "missing-subscription-id"),
        (3, 6, "entitlement_id", "C6", "4,892E+92", "damaged-by-excel"),
    ]
    assert [problem["cell"] for problem in plan_in(kept)["problems"]] == ["B6", "C6"]  # type: ignore[attr-defined]
    assert sorted(path.name for path in kept.iterdir()) == ["plan.json", "rows.sqlite3"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (kept, kept / "plan.json", kept / "rows.sqlite3")] == [
        0o700,
        0o600,
        0o600,
    ]


def test_cells_of_a_workbook_have_the_names_that_excel_shows(program: Program) -> None:
    book = openpyxl.Workbook()
    book.active.title = "Tabelle1"
    for column, name in enumerate(HEADER, start=27):
        book.active.cell(3, column, name)
        book.active.cell(4, column, "4.892E+92" if name == "entitlement_id" else guid(column))
    book.create_sheet("Notes").sheet_state = "hidden"
    book.save(program.folder / "book.xlsx")
    keep(program, "book.xlsx", "--sheet", "Tabelle1")
    kept = program.folder / "kept"
    assert rows_in(kept, "SELECT cell FROM problems") == [("AC4",)]
    plan = plan_in(kept)
    assert {name: plan[name] for name in ("sheet", "sheets", "header_row", "delimiter", "encoding")} == {
        "sheet": "Tabelle1",
        "sheets": ["Tabelle1", "Notes"],
        "header_row": 3,
        "delimiter": None,
        "encoding": None,
    }


def test_ids_in_the_wrong_column_are_among_the_problems(program: Program) -> None:
    customer, subscription = guid(1), guid(2)
    rows = [(customer, subscription, guid(number)) for number in (10, 11, 12)]
    write_csv(program.folder / "input.csv", [*rows, (subscription, guid(3), guid(13))])
    keep(program, "input.csv")
    kept = program.folder / "kept"
    assert rows_in(kept, "SELECT ordinal, cell, code FROM problems") == [(4, "A5", "swapped-ids")]


def test_of_many_rows_the_plan_has_neither_targets_nor_all_problems(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1)), *(("a", "b", "c"),) * 3])
    with patch.object(plan_json, "MOST_LISTED", 2):
        keep(program, "input.csv")
    kept, listed = program.folder / "kept", plan_in(program.folder / "kept")
    assert ("targets" in listed, listed["targets_omitted"], listed["problems_omitted"]) == (False, 1, 7)
    assert rows_in(kept, "SELECT count(*) FROM problems") == [(9,)]
    run = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--plan", "kept/plan.json")
    assert (run.code, len(partner.requests())) == (1, 1), run.err


def test_the_work_grows_with_the_problems(program: Program) -> None:
    steps = []
    for count in (300, 1200):
        write_csv(program.folder / "input.csv", (("a", "b", str(number)) for number in range(count)))
        with counting_steps() as counted:
            assert keep(program, "input.csv").code == 1
        steps.append(counted.hundreds)
    assert steps[1] < 6 * steps[0]


def test_a_second_plan_replaces_both_files(program: Program) -> None:
    write_mixed(program)
    keep(program, "mixed.csv")
    write_csv(program.folder / "good.csv", [row(guid(1))])
    assert keep(program, "good.csv").code == 0
    assert (
        plan_in(program.folder / "kept")["rows"],
        rows_in(program.folder / "kept", "SELECT count(*) FROM rows"),
    ) == (
        1,
        [(1,)],
    )
    write_csv(program.folder / "bad.csv", [("1",)], ["a"])
    assert keep(program, "bad.csv").code == 2
    assert [path.name for path in (program.folder / "kept").iterdir()] == ["plan.json"]
    assert keep(program, "good.csv").code == 0


@pytest.mark.parametrize(
    "function", ["bulkreact.runs.kept_plan.store_problems", "bulkreact.runs.kept_plan.sync_folder"]
)
def test_a_killed_plan_leaves_whole_files_and_is_in_no_ones_way(program: Program, function: str) -> None:
    write_mixed(program)
    keep(program, "mixed.csv")
    write_csv(program.folder / "good.csv", [row(guid(1))])
    kill_at(program, (function, 0, 1), "plan", "good.csv", "--keep", "kept")
    kept = program.folder / "kept"
    (rows,) = rows_in(kept, "SELECT count(*) FROM rows")
    assert (rows[0], plan_in(kept)["rows"]) in {(3, 3), (1, 1)}
    assert keep(program, "good.csv").code == 0
    assert sorted(path.name for path in kept.iterdir()) == ["plan.json", "rows.sqlite3"]


@pytest.mark.parametrize("name", ["plan.json", "rows.sqlite3"])
def test_files_of_others_are_not_replaced(program: Program, name: str) -> None:
    write_mixed(program)
    (program.folder / "kept").mkdir()
    (program.folder / "kept" / name).write_text("mine")
    result = keep(program, "mixed.csv")
    assert (result.code, "--keep" in result.err, (program.folder / "kept" / name).read_text()) == (2, True, "mine")


def hidden(path: Path) -> None:
    """Write a workbook with two hidden rows."""
    book = openpyxl.Workbook()
    for line in [HEADER, row(guid(1)), row(guid(2)), row(guid(3))]:
        book.active.append(line)
    for number in (2, 3):
        book.active.row_dimensions[number].hidden = True
    book.save(path)


def text(content: str | bytes) -> Callable[[Path], None]:
    """Return a function that writes a file."""

    def write(path: Path) -> None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return write


ROW = ",".join(row(guid(1)))
NAMES = ",".join(HEADER)


@pytest.mark.parametrize(
    ("name", "write", "options", "facts"),
    [
        ("a.csv", text("a,b\n1,2\n"), (), {"code": "no-header", "header": ["a", "b"]}),
        ("a.csv", text(f"customer_id,x\n{ROW}\n"), (), {"code": "missing-columns", "header": ["customer_id", "x"]}),
        ("a.csv", text(f"{NAMES},Customer ID\n{ROW},\n"), (), {"code": "ambiguous-columns"}),
        ("a.xlsx", hidden, (), {"code": "hidden-rows", "hidden_rows": 2, "sheets": ["Sheet"], "header": [*HEADER]}),
        ("a.xlsx", hidden, ("--sheet", "Other"), {"code": "no-sheet", "sheets": ["Sheet"]}),
        ("a.csv", text(f"{NAMES}\n"), (), {"code": "no-rows", "rows": 0, "header": [*HEADER]}),
        ("a.csv", text(""), (), {"code": "no-rows", "rows": 0, "header": []}),
        ("a.csv", text(f"{NAMES}\n{ROW}\n{ROW}\n"), ("--max-rows", "1"), {"code": "too-many-rows", "rows": 2}),
        ("a.csv", text(f"{NAMES}\n{ROW}\na,b,c\n"), ("--strict",), {"code": "invalid-rows", "rows": 2}),
        ("a.csv", text(b"\x89PNG\r\n\x1a\n"), (), {"code": "not-a-table"}),
        ("a.xlsx", text(b"PK\x03\x04 damaged"), (), {"code": "not-a-table"}),
        ("a.xlsx", text(CONTAINER + "EncryptedPackage".encode("utf-16-le")), (), {"code": "protected"}),
        ("a.xls", text(CONTAINER + "Workbook".encode("utf-16-le")), (), {"code": "old-excel"}),
        ("a.csv", text(NAMES.encode() + b"\n\x81\x8d"), ("--encoding", "utf-8"), {"code": "bad-encoding"}),
        ("a.csv", text(f"{NAMES}\n{ROW}\n"), ("--sha256", "0" * 64), {"code": "other-bytes"}),
        ("a.csv", lambda _path: None, (), {"code": "unreadable"}),
    ],
)
def test_a_refusal_is_written_for_programs(
    program: Program, name: str, write: Callable[[Path], None], options: tuple[str, ...], facts: dict[str, object]
) -> None:
    write(program.folder / name)
    result = keep(program, name, "--json", *options)
    refused = json.loads(result.out)["refused"]
    assert (result.code, plan_in(program.folder / "kept")) == (2, {"refused": refused}), result.err
    assert refused | facts == refused
    assert refused.keys() == {"code", "message", "header", "sheets", "hidden_rows", "rows"}
    assert refused["message"].isprintable()
    assert refused["message"].split()[0] in result.err
