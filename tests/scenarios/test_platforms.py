"""Every command as on Windows and on macOS, as far as one system can show another: the branches for each are taken."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkreact.cli.options.help_groups import COMMANDS
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.ids import guid, row, write_csv
from tests.support.inboxes import set_age
from tests.support.marks import mostly_soak
from tests.support.other_platform import MODULES, NAMES
from tests.support.program import PROJECT, Partner, Program
from tests.support.run_commands import FAST
from tests.support.workbooks import sheet_xml, write_workbook

# What exists on one system alone is behind one of these.
GUARD = re.compile(
    r"sys\.platform|os\.name|hasattr\(|getattr\(os|_HAS_LOCKS|_HAS_RELATIVE_CALLS|current_user\(\)|is_sticky"
)


def commands(url: str) -> list[tuple[list[str], int]]:
    """Return a command line for each command, with its exit code."""
    target = ["--base-url", url, *FAST]
    return [
        (["template", "empty.csv"], 0),
        (["plan", "input.csv"], 0),
        (["run", "input.csv", *target, "--xlsx", "--results", "copy.csv", "--metrics", "run.prom"], 0),
        (["verify", "latest", *FAST, "--verify-after", "0", "--verify-every", "1"], 0),
        (["run", "input.csv", "--new", *target], 0),
        (["run", "book.xlsx", "--simulate", "--rate", "off"], 0),
        (["resume", *FAST], 0),
        (["retry", "latest", "--all-failed", *FAST], 0),
        (["results", "latest"], 0),
        (["status"], 0),
        (["sweep", *target, "--settle", "0", "--metrics", "sweep.prom"], 2),
        (["sweep", *target, "--settle", "0", "--keep"], 0),
        (["doctor", "--base-url", url], 0),
        (["discover", "--base-url", url, "--out", "found.csv"], 0),
        (["explain", "900337"], 0),
        (["help"], 0),
        (["guide"], 0),
        (["login"], 2),
        (["logout"], 0),
        (["prune", "--older-than", "0s", "--yes"], 0),
        (["simulator", "--help"], 0),
        (["serve", "--simulate", "--check"], 0),
        (["audit"], 2),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="the others are shown on Linux")
@pytest.mark.parametrize("platform", mostly_soak(["win32", "darwin"]))
def test_every_command_works_as_on_another_system(
    program: Program, start_partner: Callable[[Behaviour], Partner], platform: str
) -> None:
    partner = start_partner(Behaviour(activation_delay=0))
    write_csv(program.folder / "input.csv", [row(guid(1)), row(guid(2), 2)])
    write_workbook(program.folder / "book.xlsx", sheet_xml())
    (program.folder / "inputs").mkdir()
    set_age(write_csv(program.folder / "inputs" / "a.csv", [row(guid(3))]), 60)
    set_age(write_csv(program.folder / "inputs" / "b.csv", [row(guid(3))]), 50)
    set_age(write_csv(program.folder / "inputs" / "wrong.csv", []), 40)
    lines = commands(partner.base_url)
    ended = subprocess.run(
        [sys.executable, "-m", "tests.support.other_platform", platform, json.dumps([line for line, _ in lines])],
        cwd=program.folder,
        env={**os.environ, **program.variables, "PYTHONPATH": str(PROJECT)},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    results = json.loads(ended.stdout)
    unexpected = [result for result, (_, code) in zip(results, lines, strict=True) if result["code"] != code]
    assert unexpected == []
    assert sorted(path.name for path in (program.folder / "inputs" / "failed").iterdir()) == [
        "wrong.csv",
        "wrong.csv.txt",
    ]
    assert {"a.csv", "b.csv"} < {path.name for path in (program.folder / "inputs" / "done").iterdir()}


def test_the_matrix_has_every_command() -> None:
    assert {line[0] for line, _ in commands("")} == set(COMMANDS)


def used_by(path: Path) -> set[str]:
    """Return what a module uses that not every system has."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    attributes = (node for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name))
    names = {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "os"}
    modules = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    return names & (NAMES["win32"] | NAMES["darwin"]) | modules & set(MODULES["win32"])


def test_what_only_one_system_has_is_behind_a_guard() -> None:
    files = [path for path in (PROJECT / "bulkreact").rglob("*.py") if used_by(path)]
    assert files
    assert [path.name for path in files if not GUARD.search(path.read_text(encoding="utf-8"))] == []
