"""What the command line promises before anything is run: quick start-up, help, words, and a README that is true."""

import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from conftest import PROJECT, Program

from bulkreact import settings
from bulkreact.models import Status
from bulkreact.settings import (
    Cloud,
    Threshold,
    is_loopback,
    parse_base_url,
    parse_duration,
    parse_rate,
    parse_threshold,
)
from bulkreact.sheets.columns import RESULT_COLUMNS
from bulkreact.simulator.fates import FATES

README = (PROJECT / "README.md").read_text()


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("explain", "404")])
def test_help_and_words_import_nothing_heavy(arguments: tuple[str, ...]) -> None:
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


@pytest.mark.parametrize("command", ["run", "resume", "retry", "verify", "status", "results", "explain", "simulator"])
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
    assert program.ended(process).code == 0


def test_shell_completion_offers_the_commands(program: Program) -> None:
    program.environment |= {"_BULKREACT_COMPLETE": "bash_complete", "COMP_WORDS": "bulkreact re", "COMP_CWORD": "1"}
    code = "import sys; sys.argv[0] = 'bulkreact'; from bulkreact.cli import main; main()"
    process = subprocess.run(
        [sys.executable, "-c", code], env=program.environment, capture_output=True, text=True, check=False
    )
    assert process.stdout.split() == ["plain,resume", "plain,retry", "plain,results"]


def test_the_readme_offers_two_commands_that_set_everything_up() -> None:
    install = "python3 -m venv .venv && .venv/bin/pip install -e "
    assert f"\n{install}. && .venv/bin/bulkreact run inputs/sample.csv --simulate\n" in README
    assert f"\n{install}'.[test]' && .venv/bin/pytest\n" in README


def test_the_readme_names_every_status_every_exit_code_and_every_column() -> None:
    assert all(f"| `{status}` |" in README for status in Status)
    assert all(
        re.search(rf"^\| .*\b{code}\b.* \|", README, re.MULTILINE) for code in (0, 1, 2, 3, 4, 5, 70, 74, 130, 143)
    )
    assert f"`{', '.join(RESULT_COLUMNS)}`" in README


@pytest.mark.parametrize("number", sorted(FATES))
def test_the_readme_tells_every_fate(number: int) -> None:
    (line,) = [line for line in README.splitlines() if line.startswith("| `") and f"`{number}`" in line]
    words = FATES[number].words
    assert words in line or f"{words.partition(',')[0]} with that code" in line


@pytest.mark.parametrize(
    ("text", "rate"), [("300/min", 5), ("5/s", 5), ("0.5/s", 0.5), (" 60/MIN ", 1), ("off", None), ("10 / s", 10)]
)
def test_rates_are_read(text: str, rate: float | None) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("30s", 30), ("15m", 900), ("12h", 43_200), ("90d", 7_776_000)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "threshold"), [("50%", Threshold(share=0.5)), ("20", Threshold(number=20)), ("off", Threshold())]
)
def test_thresholds_are_read(text: str, threshold: Threshold) -> None:
    assert parse_threshold(text) == threshold


@pytest.mark.parametrize(
    ("threshold", "failures", "settled", "passed"),
    [
        (Threshold(share=0.5), 10, 20, False),
        (Threshold(share=0.5), 11, 20, True),
        (Threshold(number=3), 3, 3, False),
        (Threshold(number=3), 4, 99, True),
        (Threshold(), 99, 99, False),
    ],
)
def test_a_threshold_is_passed_strictly_above_it(
    threshold: Threshold, failures: int, settled: int, passed: bool
) -> None:
    assert threshold.passed(failures, settled) is passed


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *((parse_rate, text) for text in ("", "5", "-5/s", "0/s", "5/h", "five/s", "\u0665/s")),
        *((parse_duration, text) for text in ("", "-1", "1w", "1h30", "s")),
        *((parse_threshold, text) for text in ("", "-1", "101%", "half", "1.5")),
        *((settings.parse_api_version, text) for text in ("", "..", "v1/", "v1?x", "v 1")),
        *((settings.parse_locale, text) for text in ("", "en_US", "en-US\r\nEvil: 1")),
        *((parse_base_url, text) for text in ("", "partner.example", "ftp://x", "http://partner.example")),
        *((parse_base_url, text) for text in ("https://", "https://x?y", "https://x#y", "https://[", "https://x:0")),
        *((parse_base_url, text) for text in ("http://127.0.0.1.evil.example", "http://localhost.evil.example")),
    ],
)
def test_what_cannot_be_read_is_refused(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://Partner.Example/", "https://partner.example"),
        ("https://partner.example:8443/api/", "https://partner.example:8443/api"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_base_urls_are_read(text: str, url: str) -> None:
    assert parse_base_url(text) == url


def test_every_cloud_has_its_documented_address() -> None:
    assert settings.BASE_URLS == {
        Cloud.GLOBAL: "https://api.partnercenter.microsoft.com",
        Cloud.USGOV: "https://api.partnercenter.microsoft.com",
        Cloud.CHINA: "https://partner.partnercenterapi.microsoftonline.cn",
    }
    assert not is_loopback("partner.example")
