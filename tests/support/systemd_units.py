"""The units of systemd that a chapter of the guide shows."""

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.program import PROJECT


def read_units(chapter: str) -> dict[str, str]:
    """Return the units of a chapter by their names."""
    text = (PROJECT / "bulkreact" / "guide" / f"{chapter}.md").read_text(encoding="utf-8")
    found = re.finditer(r"(?<=```ini\n)# (\S+?),?(?: .*)?\n(?:.*\n)*?(?=```)", text)
    return {Path(match[1]).name: match[0] for match in found}


def arguments_of(command: str, folder: Path) -> list[str]:
    """Return what a command gives the program, with its folders below another one."""
    arguments = re.sub(r" > .*", "", command.partition(".venv/bin/bulkreact ")[2])
    for path in ("/var/lib/prometheus/node-exporter", "%d"):
        arguments = arguments.replace(path, str(folder))
    return shlex.split(arguments)


def started_by(unit: str, folder: Path) -> list[str]:
    """Return what a unit's ExecStart gives the program."""
    (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    return arguments_of(command, folder)


def verify(units: Mapping[str, str], folder: Path) -> tuple[int, str, str]:
    """Return what systemd says of units that are written to a folder."""
    for name, text in units.items():
        # The executable and the folder must be there.
        there = text.replace("/srv/bulkreact/.venv/bin/bulkreact", sys.executable).replace("/srv/bulkreact", "/")
        (folder / name).write_text(there)
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(map(str, folder.iterdir()))],  # noqa: S607 - wherever it is installed
        capture_output=True,
        text=True,
        check=False,
    )
    return verified.returncode, verified.stdout, verified.stderr
