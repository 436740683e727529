"""No command writes over its input, over another output, through a link, or over what is not its own earlier output."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from unittest.mock import patch

import click
import pytest
from openpyxl import Workbook, load_workbook

from bulkreact.cli.app import _bulkreact
from bulkreact.cli.options.paths import InputName, OutputFile, ReadablePath
from bulkreact.result_chunk import ResultChunk
from bulkreact.runs.output_kinds import OutputKind
from bulkreact.runs.own_outputs import RESULT_FILES
from bulkreact.sheets.output import results_csv
from bulkreact.sheets.output.results_csv import RowCounts
from bulkreact.sheets.output.results_xlsx import FAILED_WORKBOOK, WORKBOOK
from tests.support.ids import guid, row, write_csv
from tests.support.marks import mostly_soak
from tests.support.program import Partner, Program, ProgramResult
from tests.support.run_commands import FAST, latest_run, run
from tests.support.workbooks import TABLE, cell, row_xml, sheet_xml, write_workbook

RUN = ("run", "input.csv", "--simulate", *FAST)
DISCOVER = ("discover", "--simulate", "--rate", "off")
# Every option that names an output, with a command that has it.
OUTPUTS = [
    (*RUN, "--results"),
    (*RUN, "--metrics"),
    ("resume", *FAST, "--results"),
    ("resume", *FAST, "--metrics"),
    ("retry", "latest", *FAST, "--results"),
    ("retry", "latest", *FAST, "--metrics"),
    ("verify", "latest", *FAST, "--results"),
    ("verify", "latest", *FAST, "--metrics"),
    ("sweep", "inbox", "--simulate", *FAST, "--metrics"),
    ("plan", "input.csv", "--out"),
    (*DISCOVER, "--out"),
    (*DISCOVER, "--complete", "input.csv", "--out"),
    ("template",),
]


@pytest.fixture
def folder(program: Program) -> Path:
    """Return the program's folder, with an input, an inbox, a run, and a file of somebody's own."""
    write_csv(program.folder / "input.csv", [row(guid(1))])
    assert program(*RUN, "--limit", "0", "--results", "own.csv").code == 0
    (program.folder / "inbox").mkdir()
    (program.folder / "mine.csv").write_text("note\nmine\n")
    return program.folder


def call(program: Program, command: tuple[str, ...], *more: str | Path) -> ProgramResult:
    """Run a command whose word ``latest`` means the only run."""
    return program(*(latest_run(program).name if word == "latest" else word for word in command), *more)


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file but what the program records for itself."""
    files = (path for path in folder.rglob("*") if path.is_file() and "state" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if ".sqlite3" not in path.name}


@pytest.mark.parametrize("command", mostly_soak(OUTPUTS, plain=5), ids=" ".join)
@pytest.mark.parametrize("there", ["foreign", "link", "dangling", "hard link", "pipe", "folder"])
def test_what_is_there_is_left_as_it_is(program: Program, folder: Path, command: tuple[str, ...], there: str) -> None:
    path = folder / "x.csv"
    match there:
        case "foreign":
            path.write_text("a,b\n1,2\n")
        case "link":
            path.symlink_to("own.csv")
        case "dangling":
            path.symlink_to("nowhere.csv")
        case "hard link":
            path.hardlink_to(folder / "mine.csv")
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
    before, mode = contents(folder), path.lstat().st_mode
    process = call(program, command, "x.csv")
    assert process.code == 2, process.err
    assert "x.csv" in process.err
    assert contents(folder) == before
    assert path.lstat().st_mode == mode


@pytest.mark.parametrize("command", OUTPUTS, ids=" ".join)
def test_own_earlier_output_and_an_empty_file_are_replaced(
    program: Program, folder: Path, command: tuple[str, ...]
) -> None:
    (folder / "x.csv").touch()
    first = call(program, command, "x.csv")
    written = (folder / "x.csv").read_bytes()
    second = call(program, command, "x.csv")
    assert (first.code in {0, 1}, second.code in {0, 1}) == (True, True), first.err + second.err
    # A resume or retry with nothing to do writes no results.
    assert written or "--results" in command


@pytest.mark.parametrize("out", ["input.csv", "./input.csv", "inbox/../input.csv", "hard.csv", "linked/input.csv"])
@pytest.mark.parametrize(
    "command",
    [
        (*RUN, "--results"),
        (*RUN, "--metrics"),
        (*DISCOVER, "--complete", "input.csv", "--out"),
        (*DISCOVER, "--customers", "input.csv", "--out"),
    ],
    ids=" ".join,
)
def test_an_input_that_could_be_an_earlier_output_is_not_overwritten(
    program: Program, folder: Path, command: tuple[str, ...], out: str
) -> None:
    text = (folder / "own.csv").read_text() if command[0] == "run" else program("discover", "--simulate").out
    (folder / "input.csv").write_text(text)
    (folder / "hard.csv").hardlink_to(folder / "input.csv")
    (folder / "linked").symlink_to(".", target_is_directory=True)
    process = program(*command, out)
    assert process.code == 2
    assert "would overwrite the " in process.err
    assert (folder / "input.csv").read_text() == text


@pytest.mark.parametrize("command", ["resume", "retry", "verify", "results"])
def test_the_input_of_an_earlier_command_is_not_overwritten(program: Program, folder: Path, command: str) -> None:
    (folder / "results.csv").write_bytes((folder / "own.csv").read_bytes())
    assert program("run", "results.csv", "--simulate", *FAST, "--limit", "0").code == 0
    name = latest_run(program).name
    before = contents(folder)
    output = (
        ("--to", ".")
        if command == "results"
        else ("--results", "./results.csv", *FAST[: 2 if command == "verify" else 3])
    )
    process = program(command, name, *output)
    assert process.code == 2
    assert "results.csv would overwrite the input of the run" in process.err
    assert contents(folder) == before


@pytest.mark.parametrize("option", ["--results", "--metrics"])
def test_a_dash_is_no_file(program: Program, folder: Path, option: str) -> None:
    process = program(*RUN, option, "-")
    assert process.code == 2
    assert f"{option} - names no file" in process.err
    assert not (folder / "-").exists()


def test_an_input_behind_a_link_is_not_overwritten(program: Program, folder: Path) -> None:
    (folder / "link.csv").symlink_to("own.csv")
    process = program("run", "link.csv", "--simulate", *FAST, "--results", "own.csv")
    assert process.code == 2
    assert "--results own.csv would overwrite the input" in process.err


@pytest.mark.parametrize(("stream", "name"), [("stdin", "the input"), ("stdout", "standard output")])
def test_a_file_behind_a_stream_is_not_overwritten(program: Program, folder: Path, stream: str, name: str) -> None:
    text = (folder / "own.csv").read_text()
    with (folder / "own.csv").open("r+") as file:
        process = subprocess.run(
            [sys.executable, "-m", "bulkreact", "run", "-", "--simulate", *FAST, "--results", "own.csv"],
            stdin=file if stream == "stdin" else subprocess.DEVNULL,
            stdout=file if stream == "stdout" else subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**os.environ, **program.variables},
            text=True,
            check=False,
        )
    assert process.returncode == 2
    assert f"--results own.csv would overwrite {name}" in process.stderr
    assert (folder / "own.csv").read_text() == text


@pytest.mark.parametrize(("results", "metrics"), [("x", "./x"), ("x.csv", "X.CSV"), ("e\u0301", "\u00e9")])
def test_two_outputs_are_two_files(program: Program, partner: Partner, results: str, metrics: str) -> None:
    process = run(program, partner, ["a"], "--results", results, "--metrics", metrics)
    assert process.code == 2
    assert "are the same file" in process.err
    assert partner.requests() == []
    assert not (program.folder / metrics).exists()


@pytest.mark.parametrize("name", ["latest.json", "LATEST.json", ".runs.sqlite3", ".ledger"])
def test_names_in_the_reports_folder_that_the_program_uses_are_refused(
    program: Program, folder: Path, name: str
) -> None:
    (folder / "other").mkdir()
    process = program(*RUN, "--reports", "other", "--results", f"other/{name}")
    assert process.code == 2
    assert "the program uses itself" in process.err
    assert list((folder / "other").iterdir()) == []


@pytest.mark.parametrize("name", ["results.csv", "failed.csv", "new.csv"])
@pytest.mark.usefixtures("folder")
def test_nothing_is_written_into_the_folder_of_a_run(program: Program, name: str) -> None:
    run_folder = latest_run(program)
    before = contents(run_folder)
    for command in ((*RUN, "--results"), ("resume", *FAST, "--results")):
        process = program(*command, run_folder / name)
        assert process.code == 2
        assert "the folder of a run" in process.err
    assert program("results", run_folder.name, "--to", run_folder).code == 2
    assert contents(run_folder) == before


@pytest.mark.parametrize("name", [*RESULT_FILES, WORKBOOK, FAILED_WORKBOOK])
@pytest.mark.parametrize("link", [False, True])
def test_results_written_elsewhere_replace_only_results(program: Program, folder: Path, name: str, link: bool) -> None:
    command = ("results", latest_run(program).name, "--xlsx", "--to", "elsewhere")
    assert program(*command).code == 0
    assert program(*command).code == 0
    path = folder / "elsewhere" / name
    path.unlink()
    if link:
        path.symlink_to(folder / "own.csv")
    else:
        path.write_text("mine")
    before = contents(folder)
    process = program(*command)
    assert process.code == 2
    assert f"elsewhere/{name}" in process.err
    assert contents(folder) == before


def test_results_are_not_written_through_a_link_to_a_folder(program: Program, folder: Path) -> None:
    (folder / "link").symlink_to("inbox", target_is_directory=True)
    assert program("results", latest_run(program).name, "--to", "link").code == 2
    assert list((folder / "inbox").iterdir()) == []


@pytest.mark.parametrize("kind", [".csv", ".xlsx"])
def test_a_template_that_was_filled_in_is_left_as_it_is(program: Program, kind: str) -> None:
    path = program.folder / f"t{kind}"
    assert program("template", path).code == 0
    assert program("template", path).code == 0
    if kind == ".csv":
        with path.open("a") as file:
            file.write(f"{guid(1)},{guid(2)},{guid(3)}\n")
    else:
        book = load_workbook(path)
        book["Subscriptions"].append([guid(1), guid(2), guid(3)])
        book.save(path)
    before = path.read_bytes()
    process = program("template", path)
    assert process.code == 2
    assert "is not an empty template" in process.err
    assert path.read_bytes() == before


def test_a_discovered_workbook_is_replaced_and_another_is_not(program: Program) -> None:
    command = (*DISCOVER, "--out", "found.xlsx")
    assert program(*command).code == 0
    assert program(*command).code == 0
    book = Workbook()
    book.active.append(["customer_id", "note"])
    book.save(program.folder / "found.xlsx")
    before = (program.folder / "found.xlsx").read_bytes()
    assert program(*command).code == 2
    assert (program.folder / "found.xlsx").read_bytes() == before


@contextmanager
def at_the_end_of_a_run(act: Callable[[], object]) -> Iterator[None]:
    """Do something after the rows were sent and before any result is written."""
    write = results_csv.writing

    def act_and_write(
        folder: Path, header: tuple[str, ...], chunks: Iterable[ResultChunk], *, failed_file: str
    ) -> AbstractContextManager[RowCounts]:
        act()
        return write(folder, header, chunks, failed_file=failed_file)

    with patch.object(results_csv, "writing", act_and_write):
        yield


@pytest.mark.parametrize("planted", ["file", "link"])
def test_what_comes_while_a_run_is_at_work_is_not_written_over(
    program: Program, partner: Partner, planted: str
) -> None:
    target, path = program.folder / "mine.csv", program.folder / "x.csv"
    target.write_text("mine")
    with at_the_end_of_a_run(lambda: path.symlink_to(target) if planted == "link" else path.write_text("mine")):
        process = run(program, partner, ["a"], "--results", "x.csv", "--metrics", "m.prom")
    assert process.code == 74
    assert "--results x.csv" in process.err
    assert path.read_text() == target.read_text() == "mine"
    assert (process.run / "results.csv").is_file()


def test_metrics_that_became_something_else_are_worth_a_warning(program: Program, partner: Partner) -> None:
    path = program.folder / "m.prom"
    with at_the_end_of_a_run(lambda: path.write_text("mine")):
        process = run(program, partner, ["a"], "--metrics", "m.prom")
    assert process.code == 0
    assert "--metrics m.prom could not be written" in process.err
    assert path.read_text() == "mine"


def test_every_option_that_names_a_file_says_whether_it_is_read_or_written() -> None:
    ctx = click.Context(_bulkreact)
    commands = [_bulkreact.get_command(ctx, name) for name in _bulkreact.list_commands(ctx)]
    params = [param for command in commands if command for param in command.params]
    # These are folders, and the configuration file, which is never an earlier output.
    undeclared = {str(param.name) for param in params if type(param.type) is click.Path} - {"config"}
    assert undeclared == {"data", "inbox", "reports"}
    assert {param.type.kind for param in params if isinstance(param.type, OutputFile)} == set(OutputKind) - {
        OutputKind.PROGRESS,
        OutputKind.REPORT,
        OutputKind.ROWS,
        OutputKind.SUMMARY,
    }
    assert {str(param.name) for param in params if isinstance(param.type, InputName)} == {"source", "complete"}
    assert sum(isinstance(param.type, ReadablePath) for param in params) > 5


def test_a_workbook_that_would_end_the_process_is_left_as_it_is(program: Program) -> None:
    far = [row_xml(TABLE[0], 1), f'<row r="2">{cell("x", "A2")}{cell("x", "XFD1048576")}</row>']
    properties = {"docProps/core.xml": "<p><dc:creator>bulkreact</dc:creator></p>"}
    path = write_workbook(program.folder / "own.xlsx", sheet_xml(far), parts=properties)
    before = path.read_bytes()
    result = program("template", "own.xlsx")
    assert result.code == 2
    assert "own.xlsx exists already, and is left as it is" in result.err
    assert path.read_bytes() == before
