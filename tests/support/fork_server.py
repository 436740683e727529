"""A process that has imported the program and forks a child for each command: a start costs milliseconds.

In the children time passes faster, so that throttles and back-offs take a fraction of their seconds.
"""

import json
import os
import pkgutil
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Self

PROJECT = Path(__file__).parent.parent.parent
_FASTER = 20.0


@dataclass(frozen=True)
class ForkedCommand:
    """A command for a child; it gets a signal at its nth step whose name begins with ``stop_at``, never if that is 0."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    stop_at: str = ""
    nth: int = 0
    number: int = signal.SIGKILL


@dataclass(frozen=True)
class ForkedResult:
    """How a child ended, what it printed on standard error, and the steps that it took."""

    code: int
    err: str
    steps: list[str] = field(default_factory=list)


class ForkServer:
    """The process, as seen from the tests; a library may be loaded before all others."""

    def __init__(self, preload: Path | None = None) -> None:
        self._preload = {"LD_PRELOAD": str(preload)} if preload else {}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server"],
            cwd=PROJECT,
            # Threads of a library would not survive the fork.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **self._preload},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)

    def start(self, command: ForkedCommand) -> int:
        """Start a child and return its process id."""
        return int(self._exchange(json.dumps(asdict(command))))

    def wait(self) -> ForkedResult:
        """Wait until the child has ended."""
        return ForkedResult(**json.loads(self._exchange("")))

    def run(self, command: ForkedCommand) -> ForkedResult:
        """Run a command to its end."""
        self.start(command)
        return self.wait()

    def _exchange(self, line: str) -> str:
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("the process has pipes")
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def _serve() -> None:
    _accelerate()
    for package in ("bulkreact", "tests.support.durable_steps", "jinja2", "prometheus_client"):
        module = import_module(package)
        for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{package}."):
            if package == "bulkreact" and not found.name.endswith("__main__"):
                import_module(found.name)
    for line in sys.stdin:
        command = ForkedCommand(**json.loads(line))
        child = os.fork()
        if not child:
            _run(command)
        _reply(child)
        sys.stdin.readline()
        _, status = os.waitpid(child, 0)
        files = [Path(command.folder, name) for name in (_ERRORS, _STEPS)]
        err, steps = (file.read_text() if file.exists() else "" for file in files)
        _reply(json.dumps(asdict(ForkedResult(os.waitstatus_to_exitcode(status), err, steps.splitlines()))))


_ERRORS = "forked.stderr"
_STEPS = "forked.steps"


def _reply(content: object) -> None:
    sys.stdout.write(f"{content}\n")
    sys.stdout.flush()


def _accelerate() -> None:
    """Let the monotonic clock, sleeps and time-outs run faster; imported before the program, which copies some names."""
    monotonic, sleep, select = time.monotonic, time.sleep, selectors.DefaultSelector.select
    time.monotonic = lambda: monotonic() * _FASTER
    time.sleep = lambda seconds: sleep(float(seconds) / _FASTER)

    def selected(
        self: selectors.DefaultSelector, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        return select(self, timeout and timeout / _FASTER)

    selectors.DefaultSelector.select = selected  # type: ignore[method-assign]


def _run(command: ForkedCommand) -> None:
    """Run a command in this child, which ends with it."""
    from bulkreact.cli import main  # noqa: PLC0415 - after the clock was changed
    from tests.support.durable_steps import DurableSteps  # noqa: PLC0415 - as above

    code = 1
    try:
        os.chdir(command.folder)
        os.environ.clear()
        os.environ.update(command.environment)
        for descriptor, name in enumerate((os.devnull, os.devnull, _ERRORS)):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if descriptor else 0), 0o600), descriptor)
        sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115 - a descriptor
        sys.argv = ["bulkreact", *command.arguments]
        steps = DurableSteps(
            Path(command.folder), Path(_STEPS), stop_at=command.stop_at, nth=command.nth, number=command.number
        )
        steps.install()
        main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
