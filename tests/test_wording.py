"""Printed commands can be copied: shells take each argument as it was, whatever is in it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bulkreact.wording import shell_quote

NAMES = [
    *("plain", "two words", "it's", 'say "x"', "a;b", "$HOME", "`id`", "$(id)", "a&b|c", "*", "~", "!x", "back\\slash"),
    *("line\nbreak", "escape\x1b[31m", "tab\t'x'", "right\u202eleft", "ümlaut", "\udcff.csv", "", "#x", "x\\\n'"),
]


@pytest.mark.skipif(shutil.which("bash") is None or os.name == "nt", reason="needs bash")
@pytest.mark.parametrize("name", NAMES)
def test_a_shell_takes_an_argument_as_it_was(name: str) -> None:
    quoted = shell_quote(name, windows=False)
    assert quoted.isprintable()
    shell = subprocess.run(
        ["bash", "-c", f"printf %s {quoted}"],  # noqa: S607 - wherever it is installed
        check=True,
        capture_output=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    assert os.fsdecode(shell.stdout) == name


def test_a_path_is_never_taken_for_an_option() -> None:
    assert shell_quote(Path("-x/run"), windows=False) == f".{os.sep}-x/run"
    assert shell_quote("--config", windows=False) == "--config"


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("C:\\runs\\a.csv", "C:\\runs\\a.csv"),
        ("two words", '"two words"'),
        ("a&b", '"a&b"'),
        ("a;b\\", '"a;b\\\\"'),
        ("(x)", '"(x)"'),
        ("", '""'),
        ("--config", "--config"),
    ],
)
def test_windows_shells_need_quotation_marks_for_their_own_characters(name: str, quoted: str) -> None:
    assert shell_quote(name, windows=True) == quoted
