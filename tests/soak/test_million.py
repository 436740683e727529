"""A very long file: all of its rows, and no more memory than for a short one."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ids import HEADER, row

# A process counts the memory of what it was forked from as its own; so a small one is put in between.
_LAUNCHER = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-c", *sys.argv[1:]], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
_READER = """
import sys
from pathlib import Path
from bulkreact.sheets.input.input_file import InputFile
input_file = InputFile(Path(sys.argv[1]), max_rows=2_000_000)
valid = 0
for row in input_file.rows():
    valid += row.target is not None
print(input_file.count, valid, row.number)
"""
# The system counts its memory in KiB, but in bytes on a Mac.
_UNIT = 1 if sys.platform == "darwin" else 1024
_MIB = 1 << 20


def write_rows(path: Path, rows: int) -> Path:
    """Write a file with sixty characters beside the ids of a row, and every hundredth entitlement id cut off."""
    customer, subscription, _ = row("")
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join((*HEADER, "name", "offer", "amount")) + "\n")
        for number in range(rows):
            tail = "a" if number % 100 == 99 else f"a{number:011d}"
            ids = f"{customer},{subscription},5eed0000-0000-4000-8000-{tail}"
            file.write(f"{ids},Müller & Söhne {number:09d},Microsoft Azure plan 0001,{number:09d}.50\n")
    return path


def measure_read(path: Path) -> tuple[int, int, int, int]:
    """Return how many rows there are, how many are valid, the number of the last, and the peak of memory in bytes."""
    command = [sys.executable, "-c", _LAUNCHER, _READER, str(path)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout
    count, valid, last, peak = map(int, answer.split())
    return count, valid, last, peak * _UNIT


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell how much memory a process had")
@pytest.mark.parametrize(
    "rows", [pytest.param(100_000, marks=pytest.mark.soak), pytest.param(1_000_000, marks=pytest.mark.million)]
)
def test_a_million_rows_are_read_in_the_memory_of_a_few(tmp_path: Path, rows: int) -> None:
    short, long = write_rows(tmp_path / "short.csv", 10_000), write_rows(tmp_path / "long.csv", rows)
    *_, usual = measure_read(short)
    count, valid, last, peak = measure_read(long)
    size = long.stat().st_size
    print(f"{rows:,} rows, {size // _MIB} MiB: {peak // _MIB} MiB of memory; 10,000 rows: {usual // _MIB}")  # noqa: T201 - the figures
    assert (count, valid, last) == (rows, rows * 99 // 100, rows + 1)
    assert peak < usual + 64 * _MIB
    long.unlink()
