"""How commands name a run: ``latest``, its id, the beginning or ending of one, its input, or its folder."""

import json
import os
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bulkreact.models import Status
from bulkreact.runs.index import list_runs
from bulkreact.runs.store import new_id, run_of_results
from bulkreact.settings import parse_run_id
from tests.support.ids import guid, row, scenario_id, write_csv
from tests.support.made_runs import make_run
from tests.support.program import Program

NAMES: dict[str, Callable[[str], str]] = {
    "an id": lambda run_id: run_id,
    "the beginning of an id": lambda run_id: run_id[:-3],
    "the ending of an id": lambda run_id: run_id[-11:],
    "the last four digits of an id": lambda run_id: run_id[-4:],
    "an input that one run has": lambda _: "second.csv",
    "the path of that input": lambda _: "./inputs/second.csv",
    "a folder": lambda run_id: f"reports/{run_id}",
}


@pytest.fixture
def runs(program: Program) -> list[Path]:
    """Two runs of two inputs, the older one first."""
    for number, name in enumerate(("second.csv", "first.csv")):
        write_csv(program.folder / name, [row(guid(number), number)])
        assert program("run", name, "--simulate").code == 0
    return [run.folder for run in reversed(list_runs(program.folder / "reports").runs)]


def shown(program: Program, *name: str) -> str:
    """Return the id of the run that status shows."""
    result = program("status", *name, "--json")
    assert result.code == 0, result.err
    run_id = json.loads(result.out)["run_id"]
    assert isinstance(run_id, str)
    return run_id


@pytest.mark.parametrize("name", NAMES)
def test_an_older_run_is_found_by_its_name(program: Program, runs: list[Path], name: str) -> None:
    assert shown(program, NAMES[name](runs[0].name)) == runs[0].name


@pytest.mark.parametrize("name", [(), ("latest",)])
def test_the_newest_run_is_meant_unless_another_is_named(
    program: Program, runs: list[Path], name: tuple[str, ...]
) -> None:
    assert shown(program, *name) == runs[1].name


@pytest.mark.parametrize("command", ["status", "results", "verify", "resume", "retry"])
def test_every_command_takes_the_newest_run_unless_another_is_named(
    program: Program, runs: list[Path], command: str
) -> None:
    without, named = program(command), program(command, "latest")
    assert without.code == named.code < 2, (without.err, named.err)
    assert runs[1].name in without.err + without.out
    assert runs[1].name in named.err + named.out


@pytest.mark.parametrize("command", ["status", "results", "verify", "resume", "retry"])
def test_an_empty_name_is_refused(program: Program, runs: list[Path], command: str) -> None:
    result = program(command, "")
    assert result.code == 2
    assert "RUN is empty" in result.err
    assert {folder.name for folder in (program.folder / "reports").iterdir() if folder.is_dir()} == {
        folder.name for folder in runs
    }


@pytest.mark.parametrize("name", [".", "/", "..", "./"])
def test_a_folder_without_a_run_is_no_name_of_the_only_run(program: Program, name: str) -> None:
    write_csv(program.folder / "only.csv", [row(guid(1))])
    assert program("run", "only.csv", "--simulate", "--rate", "off").code == 0
    result = program("status", name)
    assert result.code == 2
    assert "No run called" in result.err


def test_a_beginning_of_two_ids_is_refused_with_their_names(program: Program, runs: list[Path]) -> None:
    result = program("status", runs[0].name[:2])
    assert result.code == 2
    assert runs[0].name in result.err
    assert runs[1].name in result.err


def test_an_input_that_two_runs_have_is_refused(program: Program, runs: list[Path]) -> None:
    assert program("run", "second.csv", "--simulate", "--new").code == 0
    result = program("status", "second.csv")
    assert result.code == 2
    assert runs[0].name in result.err
    assert "2 runs" in result.err


@pytest.mark.parametrize(
    ("input_name", "shown_as"),
    [
        ("Kündigungen März.csv", "Kuendigungen-Maerz"),
        (unicodedata.normalize("NFD", "Kündigungen März.csv"), "Kuendigungen-Maerz"),
        ("naïve façade.csv", "naive-facade"),
        ("Straße Łódź Ørsted.xlsx", "Strasse-Lodz-Orsted"),
        ("ﬁle №5.csv", "file-No5"),
        ("注文.csv", "input"),
        ("pass  wd/etc.csv", "pass-wd-etc"),
        ("ü" * 30 + ".csv", "ue" * 20),
    ],
)
def test_the_id_of_a_run_has_the_letters_of_its_input(input_name: str, shown_as: str) -> None:
    run_id = new_id(input_name, datetime(2026, 11, 30, 4, tzinfo=UTC))
    assert re.fullmatch(rf"20261130T040000Z-{shown_as}-[0-9a-f]{{4}}", run_id)
    assert parse_run_id(run_id) == run_id


@pytest.fixture
def family(program: Program) -> list[Path]:
    """A run with a deferred row, its retry, and a run of its failed.csv."""
    write_csv(program.folder / "incident.csv", [row(guid(1)), row(scenario_id(800111)), row("no-guid")])
    assert program("run", "incident.csv", "--simulate", "--rate", "off").code == 1
    (folder,) = (program.folder / "reports").glob("2*")
    assert program("retry", "--all-failed").code < 2
    result = program("run", folder / "failed.csv", "--simulate", "--rate", "off")
    assert result.code == 1, result.err
    assert f"failed.csv has rows of run {folder.name}" in result.err
    return [run.folder for run in reversed(list_runs(program.folder / "reports").runs)]


def test_a_retry_and_a_run_of_failed_rows_tell_whose_child_they_are(program: Program, family: list[Path]) -> None:
    first, retry, corrected = family
    assert f"retry of {first.name}" in program("status", retry.name).out
    assert f"rows of {first.name}, corrected" in program("status", corrected.name).out
    assert json.loads((corrected / "summary.json").read_text())["corrects"] == first.name
    assert json.loads((first / "summary.json").read_text())["corrects"] is None
    assert first.name in (corrected / "report.html").read_text()
    listed = json.loads(program("status", "--all", "--json").out)["runs"]
    assert [(run["retry_of"], run["corrects"]) for run in listed] == [
        (None, first.name),
        (first.name, None),
        (None, None),
    ]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_run_that_others_may_have_written_has_no_children(program: Program, family: list[Path]) -> None:
    (family[0] / "journal.sqlite3").chmod(0o666)
    result = program("run", family[0] / "failed.csv", "--simulate", "--rate", "off", "--new", "--reports", "other")
    assert json.loads((program.folder / "other" / "latest.json").read_text())["corrects"] is None, result.err


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
def test_ids_are_never_cut_in_the_list_of_runs(program: Program, family: list[Path], columns: int) -> None:
    # What rich takes for a terminal, and its width.
    program.environment |= {"FORCE_COLOR": "1", "COLUMNS": str(columns)}
    lines = program("status", "--all").out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("2")] == [folder.name for folder in reversed(family)]


@pytest.mark.parametrize(
    ("name", "is_known"),
    [
        ("{folder}/failed.csv", True),
        ("{folder}/results.xlsx", True),
        ("{folder}/failed.edited-2.xlsx", True),
        ("{folder}/notes.xlsx", False),
        ("elsewhere/failed.xlsx", False),
        ("elsewhere/a.b.{run}.failed.xlsx", True),
        ("elsewhere/a.{run}.results-2.csv", True),
        ("elsewhere/a.{run}.report.html", False),
        ("elsewhere/a.20200101T000000Z-a-0000.failed.csv", False),
        ("elsewhere/a....failed.csv", False),
    ],
)
def test_result_files_and_their_copies_are_known_by_their_names(tmp_path: Path, name: str, is_known: bool) -> None:
    run_id = "20260301T120000Z-test-0000"
    folder = make_run(tmp_path / run_id, 1, Status.ACCEPTED)
    path = tmp_path / name.format(folder=folder, run=run_id)
    assert run_of_results(path, tmp_path) == (run_id if is_known else "")


@pytest.mark.parametrize("name", ["failed.csv", "input.csv"])
def test_a_file_elsewhere_is_nobodys_child(program: Program, name: str) -> None:
    write_csv(program.folder / name, [row(guid(1))])
    assert program("run", name, "--simulate", "--rate", "off").summary["corrects"] is None
