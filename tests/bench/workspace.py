"""A folder and sizes for measuring, and processes that are timed from their start to their end."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PROGRAMS = Path(__file__).parent / "programs"
# The system counts its memory in KiB, but in bytes on a Mac.
_UNIT = 1 if sys.platform == "darwin" else 1024
_TOKEN = "token-0f1e2d3c4b5a69788796a5b4c3d2e1f0"
# So many connections at a time wherever two sides are compared.
CONCURRENCY = 64


@dataclass(frozen=True, slots=True)
class Spent:
    """What a process and its children have taken; ``peak`` is the memory in bytes of the largest of them."""

    seconds: float
    cpu: float
    peak: int
    out: str


class FailedError(Exception):
    """What was to be measured did not work."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """Folder and sizes of one series of measurements; full size has scale 1."""

    folder: Path
    scale: float
    repetitions: int

    @property
    def log(self) -> Path:
        """Return the file with what the processes that keep running say."""
        return self.folder / "servers.log"

    def rows(self, full: int, *, least: int = 20) -> int:
        """Return how many rows there are instead of so many at full size."""
        return max(least, round(full * self.scale))

    def seconds(self, full: float, *, least: float = 1.0) -> float:
        """Return how long something takes instead of so long at full size."""
        return max(least, full * self.scale)

    def alternate(self, sides: Mapping[str, Callable[[], Spent]]) -> dict[str, list[Spent]]:
        """Return what each side took; the sides alternate, so that a busy machine affects all of them."""
        spent: dict[str, list[Spent]] = {name: [] for name in sides}
        for _ in range(self.repetitions):
            for name, side in sides.items():
                spent[name].append(side())
        return spent

    def time_command(
        self, command: Sequence[str | Path], *, stdin: Path | None = None, codes: Sequence[int] = (0,)
    ) -> Spent:
        """Run a command to its end; FailedError when that is none of the exit codes."""
        out, err = self.folder / "out.txt", self.folder / "err.txt"
        with out.open("wb") as stdout, err.open("wb") as stderr, Path(stdin or os.devnull).open("rb") as stdin_file:
            began = time.perf_counter()
            process = subprocess.Popen(
                list(map(str, command)),
                cwd=self.folder,
                env=self._environment,
                stdin=stdin_file,
                stdout=stdout,
                stderr=stderr,
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            raise FailedError(
                f"{list(map(str, command))[:6]} ended with {process.returncode}: {err.read_text()[-2000:]}"
            )
        return Spent(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _UNIT, out.read_text())

    def program(self, name: str, *arguments: str | Path | float) -> Spent:
        """Run one of our programs to its end."""
        return self.time_command([sys.executable, _PROGRAMS / f"{name}.py", *map(str, arguments)])

    def start(self, command: Sequence[str | Path]) -> subprocess.Popen[str]:
        """Start a process that keeps running; it must end when its standard input does, or be ended."""
        with self.log.open("ab") as stderr:
            return subprocess.Popen(
                list(map(str, command)),
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )

    def start_program(self, name: str, *arguments: str | Path | float) -> subprocess.Popen[str]:
        """Start one of our programs that serve."""
        return self.start([sys.executable, _PROGRAMS / f"{name}.py", *map(str, arguments)])

    def run(self, source: Path, base_url: str, *options: str) -> Spent:
        """Run bulkreact over a file, see that every row was accepted, and remove what it left."""
        reports = self.folder / "reports"
        shutil.rmtree(reports, ignore_errors=True)
        common = ("-q", "--yes", "--new", "--max-rows", "10000000", "--reports", str(reports), "--base-url", base_url)
        spent = self.time_command([sys.executable, "-m", "bulkreact", "run", source, *common, *options])
        summary = json.loads((reports / "latest.json").read_text())
        if summary["counts"]["accepted"] != summary["input"]["rows"]:
            raise FailedError(f"not every row was accepted: {summary['counts']}")
        shutil.rmtree(reports)
        return spent

    @property
    def _environment(self) -> dict[str, str]:
        # What is installed has its bytecode beside it.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**inherited, "BULKREACT_ACCESS_TOKEN": _TOKEN, "BULKREACT_STATE_DIR": str(self.folder / "state")}


def ratios(figures: Sequence[float], others: Sequence[float]) -> tuple[float, ...]:
    """Return the figures of one side divided by those that the other had in the same turn."""
    return tuple(figure / other for figure, other in zip(figures, others, strict=True))
