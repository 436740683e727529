"""What the command line promises before anything is run: quick start-up, help, words, and a README that is true."""

import re
import subprocess
import sys

import pytest

from bulkreact.cli.options.help_groups import COMMANDS
from bulkreact.models import Status
from bulkreact.partnercenter.auth import credential_source
from bulkreact.partnercenter.network import CERTIFICATE_VARIABLES
from bulkreact.settings import CONFIG_FILE_NAME
from bulkreact.sheets.result_columns import RESULT_COLUMNS
from bulkreact.simulator.partnercenter.customer_scenarios import CUSTOMER_SCENARIOS
from bulkreact.simulator.partnercenter.entitlement_scenarios import ENTITLEMENT_SCENARIOS
from bulkreact.simulator.partnercenter.subscription_scenarios import SUBSCRIPTION_SCENARIOS
from tests.support.program import PROJECT, Program

README = (PROJECT / "README.md").read_text()


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


def test_looking_at_a_run_loads_neither_tables_nor_the_network() -> None:
    code = (
        "import sys; sys.argv[1:] = ['status', '--reports', 'none']\n"
        "from bulkreact.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'pandas', 'aiohttp', 'msal', 'numpy'} & set(sys.modules)))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1] == "[]"


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


def test_the_readme_offers_two_commands_that_set_everything_up() -> None:
    install = "python3 -m venv .venv && .venv/bin/pip install -e "
    assert f"\n{install}. && .venv/bin/bulkreact run inputs/sample.csv --simulate\n" in README
    assert f"\n{install}'.[test]' && .venv/bin/pytest\n" in README


def test_the_readme_names_every_command_and_every_variable_that_is_no_option() -> None:
    assert not [command for command in COMMANDS if f"`bulkreact {command}" not in README]
    variables = [value for name, value in vars(credential_source).items() if name.endswith("_VARIABLE")]
    assert len(variables) == 4
    more = [*CERTIFICATE_VARIABLES, "HTTPS_PROXY", "NO_PROXY", "BULKREACT_STATE_DIR", "BULKREACT_PROFILE"]
    assert not [name for name in (*variables, *more, CONFIG_FILE_NAME) if name not in README]


def test_the_configuration_file_of_the_readme_is_one(program: Program) -> None:
    example = README.partition("```toml\n")[2].partition("```")[0]
    (program.folder / CONFIG_FILE_NAME).write_text(example)
    for name in ("contoso", "fabrikam"):
        assert f"[profiles.{name}]" in example
        shown = program("doctor", "--simulate", "--profile", name)
        assert shown.code == 0, shown.err
        assert f"{CONFIG_FILE_NAME} [profiles.{name}]" in shown.out


def test_the_readme_names_every_status_every_exit_code_and_every_column() -> None:
    assert all(f"| `{status}` |" in README for status in Status)
    assert all(
        re.search(rf"^\| .*\b{code}\b.* \|", README, re.MULTILINE) for code in (0, 1, 2, 3, 4, 5, 70, 74, 130, 143)
    )
    assert f"`{', '.join(RESULT_COLUMNS)}`" in README


def scenario_lines(kind: str, number: int) -> list[str]:
    """Return the lines about a number in the README's table of scenarios for a kind of id."""
    table = README.partition(f"| last digits of {kind} id |")[2].partition("\n\n")[0]
    return [line for line in table.splitlines() if f"`{number}`" in line]


@pytest.mark.parametrize("number", sorted(ENTITLEMENT_SCENARIOS))
def test_the_readme_describes_every_entitlement_scenario(number: int) -> None:
    (line,) = scenario_lines("an entitlement", number)
    description = ENTITLEMENT_SCENARIOS[number].description
    assert description in line or f"{description.partition(',')[0]} with that code" in line


@pytest.mark.parametrize("number", sorted(SUBSCRIPTION_SCENARIOS))
def test_the_readme_describes_every_subscription_scenario(number: int) -> None:
    (line,) = scenario_lines("a subscription", number)
    description = SUBSCRIPTION_SCENARIOS[number].description
    expected = [
        description.removesuffix(", an unknown status").removeprefix("reading it says "),
        f"{description.partition(',')[0]} with that code",
        f"{description.partition(',')[0]} with the digits after the 9 as its code",
    ]
    same = (
        description == getattr(ENTITLEMENT_SCENARIOS.get(number), "description", "")
        and "what an entitlement meets" in line
    )
    assert same or [text for text in expected if text in line]


@pytest.mark.parametrize("number", sorted(CUSTOMER_SCENARIOS))
def test_the_readme_describes_every_customer_scenario(number: int) -> None:
    (line,) = scenario_lines("a customer", number)
    assert CUSTOMER_SCENARIOS[number].description in line
