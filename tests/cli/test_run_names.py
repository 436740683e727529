"""How commands name a run: ``latest``, its id, the beginning or ending of one, its input, or its folder."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkreact.runs.index import list_runs
from tests.support.ids import guid, row, write_csv
from tests.support.program import Program

NAMES: dict[str, Callable[[str], str]] = {
    "an id": lambda run_id: run_id,
    "the beginning of an id": lambda run_id: run_id[:-3],
    "the ending of an id": lambda run_id: run_id[-11:],
    "an input that one run has": lambda _: "second.csv",
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
