"""Puts files into an inbox, sweeps it, and shows what happened to them."""

import os
import time
from pathlib import Path

from tests.support.ids import guid, row, write_csv
from tests.support.program import Partner, Program, ProgramResult
from tests.support.run_commands import FAST

NO_SETTLING = ("--settle", "0")


def inbox_folder(program: Program) -> Path:
    """Return the inbox; create it if it does not exist."""
    folder = program.folder / "inputs"
    folder.mkdir(exist_ok=True)
    return folder


def drop_file(program: Program, name: str, first: int, count: int = 2, *, age: float = 3600) -> Path:
    """Put a file into the inbox, ``age`` seconds old."""
    path = write_csv(inbox_folder(program) / name, [row(guid(first + index), index) for index in range(count)])
    return set_age(path, age)


def set_age(path: Path, seconds: float) -> Path:
    """Set the age of a file."""
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


def sweep_options(partner: Partner) -> tuple[str, ...]:
    """Return the options of a sweep against a simulator, without waiting."""
    return ("--base-url", partner.base_url, *FAST, *NO_SETTLING)


def sweep(program: Program, partner: Partner, *more: str | Path) -> ProgramResult:
    """Sweep the inbox once."""
    inbox_folder(program)
    return program("sweep", *sweep_options(partner), *more)


def file_names(folder: Path) -> list[str]:
    """Return the names of the files in a folder, which may not exist."""
    return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def run_journals(program: Program) -> list[Path]:
    """Return the journals of the runs, the oldest first."""
    return sorted((program.folder / "reports").glob("[!.]*/journal.sqlite3"))


def count_calls(partner: Partner, first: int, count: int = 2) -> list[int]:
    """Return how often each row of a dropped file was sent."""
    calls = partner.requests()
    return [sum(guid(first + index) in call["path"] for call in calls) for index in range(count)]
