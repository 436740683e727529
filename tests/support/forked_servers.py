"""Servers that start in milliseconds: a process has imported all that they need, and forks a child for each."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

PROJECT = Path(__file__).parent.parent.parent


class ForkedServers:
    """The servers of a folder, one at a time; what they say is appended to a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pid = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked_servers"],
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(signal.SIGKILL)
        self._process.communicate(timeout=60)

    def start(self, arguments: Sequence[str]) -> None:
        """Start ``bulkreact serve``; it is not there at once."""
        self._pid = int(self._exchange(json.dumps(arguments)))

    def end(self, number: int) -> None:
        """End the server by a signal, if there is one."""
        if self._pid:
            os.kill(self._pid, number)
            self._exchange("")
            self._pid = 0

    def _exchange(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def _fork_servers() -> None:
    from bulkreact import cli  # noqa: PLC0415 - in this process alone
    from bulkreact.cli.commands import serve  # noqa: F401, PLC0415 - as above
    from bulkreact.web import app, site  # noqa: F401, PLC0415 - as above

    for line in sys.stdin:
        child = os.fork()
        if not child:
            for descriptor in (1, 2):
                os.dup2(os.open("server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), descriptor)
            sys.argv = ["bulkreact", "serve", *json.loads(line)]
            try:
                cli.main()
            finally:
                sys.stderr.flush()
                os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        sys.stdin.readline()
        os.waitpid(child, 0)
        sys.stdout.write("ended\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _fork_servers()
