"""Sweeping: an inbox with files in it, and what is left of them."""

import os
import time
from pathlib import Path

from tests.support.ids import guid, row, write_csv
from tests.support.program import Partner, Program, ProgramResult
from tests.support.run_commands import FAST

NOW = ("--settle", "0")


def inbox(program: Program) -> Path:
    """Return the inbox, made if there is none."""
    folder = program.folder / "inputs"
    folder.mkdir(exist_ok=True)
    return folder


def drop(program: Program, name: str, first: int, count: int = 2, *, age: float = 3600) -> Path:
    """Put a file into the inbox that is as old as that, in seconds."""
    path = write_csv(inbox(program) / name, [row(guid(first + one), one) for one in range(count)])
    return aged(path, age)


def aged(path: Path, seconds: float) -> Path:
    """Make a file as old as that."""
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


def options(partner: Partner) -> tuple[str, ...]:
    """Return the options of a sweep against a simulator, without waiting."""
    return ("--base-url", partner.base_url, *FAST, *NOW)


def sweep(program: Program, partner: Partner, *more: str | Path) -> ProgramResult:
    """Sweep the inbox once."""
    inbox(program)
    return program("sweep", *options(partner), *more)


def names(folder: Path) -> list[str]:
    """Return the names of the files in a folder that need not be there."""
    return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def runs(program: Program) -> list[Path]:
    """Return the folders of the runs, the oldest first."""
    return sorted((program.folder / "reports").glob("[!.]*/journal.sqlite3"))


def sent(partner: Partner, first: int, count: int = 2) -> list[int]:
    """Return how often each row of a dropped file was sent."""
    calls = partner.requests()
    return [sum(guid(first + one) in call["path"] for call in calls) for one in range(count)]
