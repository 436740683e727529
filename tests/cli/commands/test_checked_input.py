"""What was checked before is what is sent: the same bytes, the same rows; and who asked for it is named."""

import gzip
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest

from bulkreact.batch.journal import journal
from bulkreact.batch.journal.row_traits import TraitFinder
from bulkreact.models import InputRow
from bulkreact.plain_rows import PlainRows
from tests.support.ids import guid, row, write_csv
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST
from tests.support.seals import make_earlier

ANN = "Zoë (ann@contoso.example), approved by ben@contoso.example"


def write(program: Program, name: str = "input.csv", count: int = 2) -> Path:
    """Write an input."""
    return write_csv(program.folder / name, [row(guid(number)) for number in range(count)])


def sha256(path: Path) -> str:
    """Return the hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("case", [str.lower, str.upper])
@pytest.mark.parametrize("compressed", [False, True])
def test_the_named_bytes_are_sent(
    program: Program, partner: Partner, case: Callable[[str], str], compressed: bool
) -> None:
    path = write(program)
    if compressed:
        path = path.with_suffix(".csv.gz")
        path.write_bytes(gzip.compress((program.folder / "input.csv").read_bytes()))
    named = ("--sha256", case(sha256(path)))
    assert program("plan", path.name, *named).code == 0
    result = program("run", path.name, "--base-url", partner.base_url, *FAST, *named)
    assert (result.code, len(partner.requests())) == (0, 2), result.err


@pytest.mark.parametrize("command", ["run", "plan"])
def test_other_bytes_are_refused_although_the_rows_are_the_same(
    program: Program, partner: Partner, command: str
) -> None:
    path = write(program)
    named = sha256(path)
    path.write_bytes(path.read_bytes() + b"\n")
    options = ("--base-url", partner.base_url, *FAST) if command == "run" else ()
    result = program(command, path.name, *options, "--sha256", named)
    assert (result.code, partner.requests(), result.reports.exists()) == (2, [], command == "run"), result.err
    assert f"its SHA-256 is {sha256(path)}" in result.err


def test_a_file_that_is_exchanged_while_it_is_read_is_refused(program: Program, partner: Partner) -> None:
    path = write(program)
    named = sha256(path)

    def exchange(folder: Path, rows: Iterable[InputRow | PlainRows]) -> TraitFinder:
        traits = journal.create(folder, rows)
        write(program, count=3)
        return traits

    with patch("bulkreact.runs.input_reader.create", exchange):
        result = program("run", path.name, "--base-url", partner.base_url, *FAST, "--sha256", named)
    assert (result.code, partner.requests()) == (2, []), result.err


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "g" * 64])
def test_what_is_no_hash_is_refused(program: Program, text: str) -> None:
    write(program)
    result = program("run", "input.csv", "--simulate", "--sha256", text)
    assert (result.code, "--sha256" in result.err) == (2, True)


def test_of_a_plan_without_targets_only_the_digest_counts(program: Program, partner: Partner) -> None:
    write(program)
    plan = json.loads(program("plan", "input.csv", "--json").out)
    del plan["targets"]
    (program.folder / "plan.json").write_text(json.dumps(plan))
    run = ("--base-url", partner.base_url, *FAST, "--plan", "plan.json")
    write(program, count=3)
    other = program("run", "input.csv", *run)
    assert (other.code, "is not what plan.json was made from" in other.err, partner.requests()) == (2, True, [])
    write(program)
    assert program("run", "input.csv", *run).code == 0


def test_the_named_operator_is_in_journal_summary_and_report(program: Program, partner: Partner) -> None:
    write(program)
    result = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--operator", ANN)
    with closing(sqlite3.connect(result.run / "journal.sqlite3")) as record:
        assert record.execute("SELECT operator FROM run").fetchall() == [(ANN,)]
    assert result.summary["operator"] == ANN
    assert ANN in (result.run / "report.html").read_text()
    assert json.loads(program("status", "--json").out)["operator"] == ANN


@pytest.mark.parametrize("command", [("resume",), ("verify", "--verify-timeout", "0")])
def test_who_continues_a_run_is_named_beside_who_began_it(
    program: Program, partner: Partner, command: tuple[str, ...]
) -> None:
    write(program)
    program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--limit", "1", "--operator", "ann")
    result = program(*command, *FAST, "--operator", "ben")
    assert result.summary["operator"] == "ben", result.err
    with closing(sqlite3.connect(result.run / "journal.sqlite3")) as record:
        assert record.execute("SELECT operator FROM run").fetchall() == [("ann",)]
        assert record.execute("SELECT session, name FROM operators").fetchall() == [(1, "ann"), (2, "ben")]


def test_a_retry_names_its_own_operator(program: Program, partner: Partner) -> None:
    write(program)
    program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--limit", "1", "--operator", "ann")
    retry_id = "20260228T093001Z-orders-2e1d"
    result = program("retry", *FAST, "--operator", "ben", "--run-id", retry_id)
    summary = json.loads((result.reports / retry_id / "summary.json").read_text())
    assert summary["operator"] == "ben"


def test_a_journal_of_an_earlier_version_is_continued_without_naming_the_operator(
    program: Program, partner: Partner
) -> None:
    write(program)
    first = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--limit", "1", "--operator", "ann")
    with closing(sqlite3.connect(first.run / "journal.sqlite3", isolation_level=None)) as record:
        make_earlier(record)
    assert program("resume", *FAST, "--operator", "ben").code == 0
    assert first.summary["operator"] == "ann"


@pytest.mark.parametrize("text", ["", " ", "ann\nben", "ann\r", "ann\u2028ben", "a" * 201])
def test_an_operator_is_one_line(program: Program, text: str) -> None:
    write(program)
    result = program("run", "input.csv", "--simulate", "--operator", text)
    assert (result.code, "--operator" in result.err, result.reports.exists()) == (2, True, False), result.err
