"""Drives the program: its commands inside this process, or as a process of their own, and the simulators they call."""

import gc
import io
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TextIO
from unittest.mock import patch

from bulkreact.cli import main
from bulkreact.simulator.partnercenter.service import PartnerCenter

CANARY = "canary-0f1e2d3c4b5a69788796a5b4c3d2e1f0"
PROJECT = Path(__file__).parent.parent.parent


@dataclass
class Partner:
    """A simulated partner API on a loopback port."""

    base_url: str
    service: PartnerCenter

    def requests(self, tail: int | str = "") -> list[dict[str, str]]:
        """Return the reactivations of entitlements whose id ends so, in the order in which they came."""
        calls = [{key: str(value) for key, value in call.items()} for call in self.service.call_log.calls]
        return [call for call in calls if call["path"].endswith(f"{tail}/reactivate")]


@dataclass
class ProgramResult:
    """The exit code, output and reports folder of a command that has ended."""

    code: int
    out: str
    err: str
    reports: Path

    @property
    def run(self) -> Path:
        """Return the only run's folder."""
        # A process that was killed while it prepared a run leaves a hidden draft.
        (folder,) = (path.parent for path in self.reports.glob("[!.]*/journal.sqlite3"))
        return folder

    @property
    def summary(self) -> dict[str, object]:
        """Return the only run's summary."""
        content: dict[str, object] = json.loads((self.run / "summary.json").read_text())
        return content


@dataclass
class Program:
    """Runs commands of the program in a folder of its own: ``program(...)`` in this process, ``start`` in another."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(
        self, *arguments: str | Path, stdin: str = "", streams: Mapping[str, TextIO | None] | None = None
    ) -> ProgramResult:
        """Run a command to its end inside this process, from the program's entry on; ``streams`` replace standard ones."""
        out, err = _Output("strict"), _Output("backslashreplace")
        with ExitStack() as stack:
            stack.enter_context(patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()))))
            stack.enter_context(patch.object(sys, "stdout", out))
            stack.enter_context(patch.object(sys, "stderr", err))
            for name, stream in (streams or {}).items():
                stack.enter_context(patch.object(sys, name, stream))
            stack.enter_context(patch.object(sys, "argv", ["bulkreact", *map(str, arguments)]))
            stack.enter_context(patch.dict(os.environ, self.variables))
            stack.enter_context(chdir(self.folder))
            stack.enter_context(_process_state())
            code = _exit_code()
        return ProgramResult(code, out.text(), err.text(), self.folder / "reports")

    def start(self, *arguments: str | Path, stdin: int | IO[str] = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Start a command in a process of its own: for kills, signals, locks and what happens at the same time."""
        return subprocess.Popen(
            [sys.executable, "-m", "bulkreact", *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, **self.variables},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait(self, process: subprocess.Popen[str]) -> ProgramResult:
        """Wait for a process and return its result."""
        out, err = process.communicate(timeout=120)
        return ProgramResult(process.returncode, out, err, self.folder / "reports")

    def spawn(self, *arguments: str | Path) -> ProgramResult:
        """Run a command to its end in a process of its own."""
        return self.wait(self.start(*arguments))

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment variables that the program gets besides those of the tests."""
        return {
            "BULKREACT_ACCESS_TOKEN": CANARY,
            "BULKREACT_STATE_DIR": str(self.folder / "state"),
            **self.environment,
        }


class _Output(io.TextIOWrapper):
    """Standard output or error as a pipe that can be read afterwards."""

    def __init__(self, errors: str) -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, encoding="utf-8", errors=errors)

    def text(self) -> str:
        """Return everything that was written."""
        self.flush()
        return self._bytes.getvalue().decode()


@contextmanager
def _process_state() -> Iterator[None]:
    """Restore what the program changes of its process: signal handlers, the garbage collector, what shows warnings."""
    last_resort = logging.lastResort
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    thresholds = gc.get_threshold()
    try:
        yield
    finally:
        logging.lastResort = last_resort
        logging.captureWarnings(capture=False)
        gc.unfreeze()
        gc.set_threshold(*thresholds)
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as when the disk is full."""
    import resource  # noqa: PLC0415 - Windows has none

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    # What Python compiles would be cut off as well.
    with patch.object(sys, "dont_write_bytecode", new=True):
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _exit_code() -> int:
    try:
        main()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0
