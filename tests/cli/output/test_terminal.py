"""What the command line writes has no secret of its invocation, and nothing that commands a terminal."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from errno import ENOSPC
from pathlib import Path
from threading import Thread

import click
import pytest
from rich.table import Table

from bulkreact.cli.commands.discover_customers import write_output
from bulkreact.cli.invocation import Invocation, secrets_in_url, secrets_of
from bulkreact.cli.output import json_log
from bulkreact.cli.output.console import ConsoleReporter
from bulkreact.cli.output.library_log import show_library_log
from bulkreact.cli.output.safe_console import stdout_console
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import InputRefusedError
from bulkreact.runs import store
from bulkreact.runs.output_options import Output
from tests.support.failing_streams import FailingRaw
from tests.support.program import CANARY, Program

HOSTILE = f"{CANARY} \x1b[2J\u202e\x9b"


@pytest.fixture
def invocation() -> Iterator[Invocation]:
    invocation = Invocation()
    invocation.redactor.add(CANARY)
    with click.Context(click.Command("run"), obj=invocation):
        yield invocation


@pytest.mark.usefixtures("invocation")
def test_every_writer_hides_secrets_and_escapes_commands(capsys: pytest.CaptureFixture[str]) -> None:
    reporter, console = ConsoleReporter(Output(Path())), stdout_console()
    table = Table("a")
    table.add_row(HOSTILE)
    for write in (echo, reporter.info, reporter.warning, reporter.error, console.print):
        write(HOSTILE)
    console.print(table)
    json_log.warn("text", HOSTILE)
    json_log.write(json_log.LogLevel.INFO, "note", message=HOSTILE)
    out, err = capsys.readouterr()
    assert CANARY not in out + err
    assert (out + err).count("[hidden]") == 8
    assert not [char for char in out + err if not char.isprintable() and char != "\n"]
    assert json.loads(err.splitlines()[-1])["message"] == "[hidden] \x1b[2J\u202e\x9b"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_an_error_that_a_library_logs_is_one_line_without_secrets(
    invocation: Invocation,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
    log_format: str,
) -> None:
    monkeypatch.setattr(logging, "lastResort", None)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    invocation.log_format = log_format
    show_library_log(invocation)
    logger = logging.getLogger("some.library")
    logger.warning("nothing that a user could act on")
    warnings.warn_explicit("neither is this", UserWarning, __file__, 1, registry={}, module="x")
    failure = ValueError(f"{HOSTILE}\nTraceback")
    # In a thread of the library's own.
    thread = Thread(target=lambda: logger.error("no answer", exc_info=failure))
    thread.start()
    thread.join()
    logging.captureWarnings(capture=False)
    assert not recwarn.list
    (line,) = capsys.readouterr().err.splitlines()
    expected = "some.library: no answer (ValueError: [hidden] \\x1b[2J\\u202e\\x9b\\nTraceback)"
    assert (json.loads(line)["message"] if log_format == "json" else line.removeprefix("Warning: ")) == expected


def test_rows_that_a_terminal_shows_do_not_command_it(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = FailingRaw(ENOSPC, room=100)
    monkeypatch.setattr(raw, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BufferedWriter(raw), "utf-8"))
    write_output(None, Path.unlink, lambda file: file.writelines(["name\n", "\x1b[2J\u202e\n"]))
    assert raw.taken == b"name\n\\x1b[2J\\u202e\n"


@pytest.mark.parametrize("error", [InputRefusedError(HOSTILE), click.UsageError(HOSTILE), ValueError(HOSTILE)])
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_error_that_ends_a_command_shows_a_secret(
    program: Program, monkeypatch: pytest.MonkeyPatch, error: Exception, log_format: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(store, "find", fail)
    program.environment["BULKREACT_LOG_FORMAT"] = log_format
    process = program("status")
    assert process.code in {2, 70}
    assert CANARY not in process.err
    assert "[hidden]" in process.err
    assert not [char for char in process.err if not char.isprintable() and char != "\n"]


def test_the_secrets_of_the_environment_are_known() -> None:
    secrets = set(
        secrets_of(
            {
                "BULKREACT_ACCESS_TOKEN": " a-token ",
                "BULKREACT_CLIENT_SECRET": "a-secret",
                "BULKREACT_CERTIFICATE_PASSWORD": "a-password",
                "BULKREACT_REFRESH_TOKEN": "a-refresh-token",
                "HTTPS_PROXY": "http://ann:p%40ss:word@proxy.example:3128",
                "all_proxy": "ann:other-word@proxy.example",
                "NO_PROXY": "a.example,b.example",
                "PATH": "/bin",
            }
        )
    )
    assert {"a-token", "a-secret", "a-password", "a-refresh-token"} < secrets
    assert {"ann:p%40ss:word", "ann:p@ss:word", "p@ss:word", "ann:other-word", "other-word"} < secrets
    assert not [secret for secret in secrets if "example" in secret or secret == "/bin"]


def test_of_a_webhook_only_what_is_no_ordinary_word_is_a_secret_alone() -> None:
    url = "https://hooks.example/results/0f1e2d3c4b5a69788796?sig=a-signature-of-it&v=1"
    assert set(secrets_in_url(url)) == {url, "0f1e2d3c4b5a69788796", "a-signature-of-it"}
