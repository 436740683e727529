"""What the command line promises before anything is run: quick start-up, help and words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bulkreact.cli.options.help_groups import COMMANDS
from tests.support.ids import guid, row, write_csv
from tests.support.program import Program


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("explain", "404")])
def test_help_and_version_import_nothing_heavy(arguments: tuple[str, ...]) -> None:
    code = (
        "import sys; sys.argv[1:] = " + repr(list(arguments)) + "\n"
        "from bulkreact.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'pandas', 'aiohttp', 'msal', 'rich', 'numpy', 'asyncio'} & set(sys.modules)))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1] == "[]"


def test_the_list_of_commands_loads_nothing_of_the_program_but_its_commands_and_options() -> None:
    code = (
        "import sys; sys.argv[1:] = ['--help']\n"
        "from bulkreact.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'msgspec', 'tomllib', 'json', 'pathlib', 'subprocess', 'urllib.parse', 'traceback'}\n"
        "print(sorted(heavy & set(sys.modules) | {name for name in sys.modules if name.startswith('bulkreact.')}))"
    )
    process = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1] == str(
        [
            "bulkreact.cli",
            "bulkreact.cli.app",
            "bulkreact.cli.help_text",
            "bulkreact.cli.invocation",
            "bulkreact.cli.options",
            "bulkreact.cli.options.configuration",
            "bulkreact.cli.options.help_groups",
            "bulkreact.cli.output",
            "bulkreact.cli.output.streams",
            "bulkreact.errors",
            "bulkreact.secret_variables",
            "bulkreact.wording",
        ]
    )


@pytest.mark.parametrize("command", ["status", "results"])
def test_looking_at_a_run_loads_neither_tables_nor_what_makes_calls(command: str) -> None:
    code = (
        f"import sys; sys.argv[1:] = ['{command}', '--reports', 'none']\n"
        "from bulkreact.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sending = {'bulkreact.batch.run.session', 'bulkreact.partnercenter.auth.access'}\n"
        "print(sorted((sending | {'pandas', 'aiohttp', 'msal', 'numpy'}) & set(sys.modules)))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1] == "[]"


def test_a_quiet_run_loads_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    write_csv(tmp_path / "input.csv", [row(guid(1))])
    code = (
        "import sys; sys.argv[1:] = ['run', 'input.csv', '--simulate', '--rate', 'off', '-q']\n"
        "from bulkreact.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "unused = {'cryptography', 'msal', 'openpyxl', 'prometheus_client', 'python_calamine', 'rich', 'xlsxwriter'}\n"
        "print(sorted(unused & set(sys.modules)))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "BULKREACT_STATE_DIR": str(tmp_path / "state")},
    )
    assert process.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / "reports" / "latest.json").exists()


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_is_listed_and_has_help(program: Program, command: str) -> None:
    assert f"  {command} " in program("--help").out
    assert program(command, "--help").code == 0


def test_explain_writes_to_stdout_and_knows_unknown_codes_for_what_they_are(program: Program) -> None:
    process = program("explain", "900337", "unknown", "1234567")
    assert process.code == 0
    assert "900337 (HTTP 400): the partner cannot reactivate" in process.out
    assert "unknown: an answer was lost" in process.out
    assert "1234567: not in the catalogue" in process.out
    assert "4xx" in process.out


def test_an_unknown_command_is_a_usage_error(program: Program) -> None:
    assert program("reactivate").code == 2


def test_a_simulator_runs_alone_and_ends_when_asked(program: Program) -> None:
    process = program.start("simulator", "--port", "0")
    assert process.stdout
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    process.terminate()
    assert program.wait(process).code == 0


def test_shell_completion_offers_the_commands(program: Program) -> None:
    program.environment |= {"_BULKREACT_COMPLETE": "bash_complete", "COMP_WORDS": "bulkreact re", "COMP_CWORD": "1"}
    process = program()
    assert process.out.split() == ["plain,resume", "plain,retry", "plain,results"]


def test_garbage_is_collected_when_the_command_is_loaded() -> None:
    code = (
        "import gc, sys; sys.argv[1:] = ['explain', '404']\n"
        "from bulkreact.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(gc.isenabled(), gc.get_threshold()[0])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1] == "True 20000"
