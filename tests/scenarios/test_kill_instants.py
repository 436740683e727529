"""Named instants at which a command is killed; tests/soak/test_kills.py has all others."""

import os

import pytest

from tests.support.ids import guid, row, scenario_id, write_csv
from tests.support.instants import Instant, kill_at
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, ids_by_path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")


@pytest.mark.parametrize(
    "instant",
    [
        pytest.param(("bulkreact.runs.store.publish", 0, 1), id="before the run exists"),
        pytest.param(("bulkreact.sheets.output.results_csv.write_json", 0, 1), id="before the summary"),
        pytest.param(("bulkreact.monitoring.prometheus.write", 0, 1), id="before the monitors are told"),
    ],
)
def test_a_killed_run_is_continued_by_the_same_command(program: Program, partner: Partner, instant: Instant) -> None:
    write_csv(program.folder / "input.csv", [row(guid(number)) for number in range(3)])
    arguments = ("run", "input.csv", "--base-url", partner.base_url, *FAST, "--metrics", "run.prom")
    kill_at(program, instant, *arguments)
    assert program(*arguments).code == 0
    assert {path[-47:-11]: len(ids) for path, ids in ids_by_path(partner).items()} == {guid(n): 1 for n in range(3)}
    assert [path for path in program.folder.rglob(".*") if path.suffix in {".partial", ".draft"}] == []
    assert (program.folder / "run.prom").is_file()


def test_what_a_killed_process_wrote_is_not_taken_for_edited(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(scenario_id(1599))])
    arguments = ("run", "input.csv", "--base-url", partner.base_url, *FAST, "--attempts", "1", "--xlsx")
    first = program(*arguments)
    kill_at(program, ("bulkreact.sheets.output.results_csv.write_json", 0, 1), *arguments)
    assert "edited" not in program(*arguments).err
    assert list(first.run.glob("*.edited-*")) == []
    (first.run / "failed.csv").write_text("edited")
    assert "Your edited failed.csv was kept" in program(*arguments).err


@pytest.mark.soak
@pytest.mark.parametrize(
    "instant",
    [
        pytest.param(("bulkreact.sheets.output.xlsx_writer.WorkbookWriter.save", 0, 1), id="within the workbook"),
        pytest.param(("bulkreact.sheets.output.xlsx_writer.WorkbookWriter.save", 0, 2), id="between the workbooks"),
        pytest.param(("bulkreact.sheets.output.xlsx_writer.drafting", 1, 1), id="after the workbook's folder is named"),
        pytest.param(("bulkreact.sheets.output.edited_files.note_digest", 1, 2), id="within the tables"),
        pytest.param(("bulkreact.sheets.output.report_html.write", 0, 1), id="before the report"),
        pytest.param(("bulkreact.sheets.output.results_csv.write_json", 0, 1), id="before the summary"),
        pytest.param(("bulkreact.sheets.output.results_csv.write_json", 1, 1), id="after the summary"),
    ],
)
def test_killed_results_leave_nothing_that_prune_would_keep_a_run_for(
    program: Program, partner: Partner, instant: Instant
) -> None:
    temporary = program.folder / "tmp"
    temporary.mkdir()
    program.environment["TMPDIR"] = str(temporary)
    write_csv(program.folder / "input.csv", [row(scenario_id(800111))])
    first = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--xlsx")
    kill_at(program, instant, "results", first.run.name)
    assert list(temporary.iterdir()) == []
    assert "Removed 1 run." in program("prune", "--older-than", "0s", "--yes").out
    assert list(first.reports.rglob("*.csv")) == []


@pytest.mark.parametrize("workbook", [1, 2])
def test_results_after_a_kill_remove_what_it_left_and_set_nothing_aside(
    program: Program, partner: Partner, workbook: int
) -> None:
    write_csv(program.folder / "input.csv", [row(scenario_id(800111))])
    first = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--xlsx")
    before = sorted(first.run.glob("[!j]*"))
    instant = ("bulkreact.sheets.output.xlsx_writer.WorkbookWriter.save", 0, workbook)
    kill_at(program, instant, "results", first.run.name)
    assert sorted(first.run.glob("[!j]*")) != before
    assert "edited" not in program("results", first.run.name).err
    assert sorted(first.run.glob("[!j]*")) == before
