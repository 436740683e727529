"""Standard streams that are full, closed or read no longer: a run does not change, and missing data is exit code 74."""

import io
import json
import os
import re
import subprocess
import sys
from errno import ENOSPC
from pathlib import Path

import pytest

from bulkreact.cli.output.streams import MessageChannel
from tests.support.failing_streams import FAILURES, FailingRaw, failing_stream
from tests.support.ids import guid, read_csv, row, scenario_id, write_csv
from tests.support.marks import mostly_soak
from tests.support.program import PROJECT, Partner, Program
from tests.support.run_commands import FAST, run

# Accepted, refused, lost: the exit code is 1.
TAILS: list[int | str] = ["a", 800111, "b"]
PRINTING = {
    "plan": ("plan", "input.csv"),
    "plan --json": ("plan", "input.csv", "--json"),
    "explain": ("explain", "800111"),
    "explain --list": ("explain", "--list"),
    "guide": ("guide",),
    "guide --plain": ("guide", "results", "--plain"),
    "help": ("help",),
    "status": ("status",),
    "status --json": ("status", "--json"),
    "status --all": ("status", "--all"),
    "status --all --json": ("status", "--all", "--json"),
    "discover": ("discover", "--simulate", "--rate", "off"),
    "doctor": ("doctor", "--simulate"),
    "doctor --json": ("doctor", "--simulate", "--json"),
    "prune": ("prune", "--older-than", "90d"),
    "--help": ("--help",),
    "--version": ("--version",),
    "run --help": ("run", "--help"),
}


@pytest.fixture
def finished(program: Program) -> Program:
    """Make an input with a row that is invalid, and a run of it."""
    write_csv(program.folder / "input.csv", [row(guid(1)), ("x", *row(guid(2))[1:])])
    assert program("run", "input.csv", "--simulate", "--rate", "off").code == 1
    return program


@pytest.mark.parametrize(("failure", "room"), [("full", 0), ("full", 60), ("reader gone", 60), ("closed", 0)])
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_standard_error_changes_nothing_of_a_run(
    program: Program, partner: Partner, failure: str, log_format: str, room: int
) -> None:
    rows = [row(scenario_id(800111) if number == 2 else guid(number), number) for number in range(5)]
    write_csv(program.folder / "input.csv", rows)
    arguments = ("run", "input.csv", "--base-url", partner.base_url, *FAST, "-v", "--log-format", log_format)
    process = program(*arguments, streams={"stderr": failing_stream(failure, room=room)})
    assert process.code == 1
    assert len(partner.requests()) == 5
    assert [line["status"] for line in read_csv(process.run / "results.csv")].count("accepted") == 4
    assert "; messages could not be written to standard error: " in str(process.summary["reason"])
    assert process.summary["exit_code"] == 1
    status = json.loads(program("status", "--json").out)
    assert status["reason"] == process.summary["reason"]


def test_a_run_whose_messages_were_written_says_nothing_of_them(program: Program, partner: Partner) -> None:
    assert run(program, partner, TAILS).summary["reason"] == "complete"


@pytest.mark.parametrize("command", ["resume", "verify", "retry", "results", "sweep"])
@pytest.mark.parametrize("failure", ["full", pytest.param("closed", marks=pytest.mark.soak)])
def test_standard_error_changes_no_other_exit_code(
    program: Program, partner: Partner, command: str, failure: str
) -> None:
    run(program, partner, TAILS, "--limit", "2")
    (program.folder / "inputs").mkdir()
    write_csv(program.folder / "inputs" / "b.csv", [row(guid(20)), row(scenario_id(800111, 1))])
    options = {
        "resume": FAST,
        "retry": (*FAST, "--all-failed"),
        "verify": ("--verify-after", "0", "--verify-every", "1", "--verify-timeout", "1"),
        "results": (),
        "sweep": ("--settle", "0", "--base-url", partner.base_url, *FAST),
    }[command]
    process = program(command, *options, streams={"stderr": failing_stream(failure)})
    # Results are written, whatever is in them.
    assert process.code == (0 if command == "results" else 1)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("arguments", [("missing.csv",), ("--no-such-option",), ("input.csv", "--rate", "fast")])
def test_a_refusal_that_cannot_be_shown_has_its_own_exit_code(
    program: Program, arguments: tuple[str, ...], log_format: str, failure: str
) -> None:
    streams = {"stderr": failing_stream(failure)}
    assert program("run", *arguments, "--log-format", log_format, streams=streams).code == 2


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("command", mostly_soak(PRINTING, plain=6))
def test_data_that_cannot_be_written_is_an_error_and_a_reader_that_left_is_none(
    finished: Program, command: str, failure: str
) -> None:
    own_code = finished(*PRINTING[command]).code
    process = finished(*PRINTING[command], streams={"stdout": failing_stream(failure)})
    assert "Traceback" not in process.err
    if failure == "reader gone":
        assert process.code == own_code
        assert "could not be written" not in process.err
    else:
        assert process.code == 74
        assert "Error: Standard output could not be written: " in process.err


def test_nothing_is_removed_where_it_cannot_be_shown(finished: Program) -> None:
    process = finished("prune", "--older-than", "0s", "--yes", streams={"stdout": failing_stream("full")})
    assert process.code == 74
    assert process.run.is_dir()


def test_what_discover_has_read_is_kept_when_its_output_is_full(finished: Program) -> None:
    process = finished("discover", "--simulate", "--rate", "off", streams={"stdout": failing_stream("full", room=700)})
    assert process.code == 74
    assert "What was read is kept" in process.err
    assert "Continuing: 3 customers of 3" in finished("discover", "--simulate", "--rate", "off").err


def test_closed_standard_input_has_no_rows_and_answers_no_question(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1))])
    question = program("run", "input.csv", "--base-url", partner.base_url, streams={"stdin": None})
    assert (question.code, "I cannot ask" in question.err) == (2, True)
    assert partner.requests() == []


def test_a_line_that_was_cut_off_does_not_spoil_the_next_one() -> None:
    raw = FailingRaw(ENOSPC, room=8)
    channel = MessageChannel(raw)
    channel.write(b"one\n")
    channel.write(b"two, cut off\n")
    channel.write(b"three is lost\n")
    raw.room = 100
    channel.write(b"four\n")
    channel.write(b"five\n")
    assert raw.taken == b"one\ntwo,\nfour\nfive\n"
    assert channel.failure == os.strerror(ENOSPC)


def test_a_slow_reader_of_a_descriptor_that_does_not_block_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = FailingRaw(ENOSPC, room=100)
    answers = [None, 3, None, 2]
    monkeypatch.setattr(raw, "write", lambda data: (count := answers.pop(0)) and FailingRaw.write(raw, data[:count]))
    reading, writing = os.pipe()
    monkeypatch.setattr(raw, "fileno", lambda: writing)
    MessageChannel(raw).write(b"slow\n")
    os.close(reading)
    os.close(writing)
    assert (raw.taken, answers) == (b"slow\n", [])


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "utf-8"])
def test_what_an_encoding_cannot_show_is_escaped(program: Program, partner: Partner, encoding: str) -> None:
    name = "Gr\u00fc\u00dfe \u9867\u5ba2 \U0001f4c4.csv"
    write_csv(program.folder / name, [row(guid(1))])
    for arguments in (("plan", name), ("run", name, "--base-url", partner.base_url, *FAST), ("run", f"{name}x")):
        raw = io.BytesIO()
        streams = {stream: io.TextIOWrapper(raw, encoding, "strict") for stream in ("stdout", "stderr")}
        process = program(*arguments, streams=streams)
        assert process.code == (2 if name not in arguments else 0)
        shown = raw.getvalue().decode(encoding)
        assert "Traceback" not in shown
    expected = name.encode(encoding, "backslashreplace").decode(encoding)
    assert expected in shown


def test_help_can_be_shown_in_ascii(program: Program) -> None:
    # Click writes its own texts in UTF-8 where a terminal has only ASCII.
    names = re.findall(r"^  ([a-z]+)  ", program("--help").out, re.MULTILINE)
    assert len(names) > 10
    assert [name for name in names if not program(name, "--help").out.isascii()] == []


def test_no_file_gets_the_number_of_a_standard_stream_that_was_closed(tmp_path: Path) -> None:
    code = (
        "import os, sys; from bulkreact.cli.output.streams import install_streams\n"
        "os.closerange(0, 3); sys.stdin = sys.stdout = sys.stderr = None; install_streams()\n"
        "with open('numbers', 'w') as file: print(file.fileno(), [os.get_inheritable(n) for n in range(3)], file=file)\n"
        "print('nobody sees this', file=sys.stderr)"
    )
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(PROJECT)}, check=True
    )
    assert (tmp_path / "numbers").read_text() == "3 [True, True, True]\n"


REDIRECTIONS = {
    "stdout full": ">/dev/full",
    "stdout closed": ">&-",
    "stdout unread": "| true",
    "stderr full": "2>/dev/full",
    "stderr closed": "2>&-",
    "stderr unread": "2>&1 >/dev/null | true",
    "all closed": "<&- >&- 2>&-",
}


@pytest.mark.soak
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the full device is Linux's")
@pytest.mark.parametrize("redirection", REDIRECTIONS)
@pytest.mark.parametrize("encoding", ["", "ascii", "cp1252"])
@pytest.mark.parametrize(
    ("arguments", "prints", "own_code"),
    [
        ("run in.csv --simulate --rate off -v", False, 1),
        ("run in.csv --simulate --rate off --log-format json", False, 1),
        ("sweep inbox --simulate --settle 0 --rate off", False, 1),
        ("plan in.csv", True, 1),
        ("explain 800111", True, 0),
        ("discover --simulate --rate off", True, 0),
        ("doctor --simulate", True, 0),
        ("template", False, 0),
        ("--help", True, 0),
    ],
)
def test_the_shell_s_redirections_change_no_exit_code(
    program: Program, redirection: str, encoding: str, arguments: str, *, prints: bool, own_code: int
) -> None:
    (program.folder / "inbox").mkdir()
    for path in (program.folder / "in.csv", program.folder / "inbox" / "in.csv"):
        write_csv(path, [row(scenario_id(tail, tail), tail) for tail in (202, 800111)])
    write_csv(program.folder / "in.csv", [row(guid(1)), ("\u9867", *row(guid(2))[1:])])
    script = f"({sys.executable} -m bulkreact {arguments}; echo $? >code) {REDIRECTIONS[redirection]}"
    environment = {**os.environ, **program.variables, "PYTHONPATH": str(PROJECT)}
    environment |= {"PYTHONIOENCODING": encoding} if encoding else {}
    result = subprocess.run(
        ["/bin/sh", "-c", script], cwd=program.folder, env=environment, capture_output=True, check=False
    )
    code = int((program.folder / "code").read_text())
    fails = prints and redirection in {"stdout full", "stdout closed", "all closed"}
    assert code == (74 if fails else own_code)
    assert b"Traceback" not in result.stdout + result.stderr
