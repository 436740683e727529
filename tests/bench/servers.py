"""Servers in processes of their own, which end with the block that uses them, and with the process that started them."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.request import urlopen

from .workspace import FailedError, Workspace

_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 100000000;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    server {{ listen 127.0.0.1:{port}; location / {{ return 202; }} }}
}}
"""
# Nginx would run on: the shell ends it when its standard input ends.
_UNTIL_END_OF_INPUT = '"$0" "$@" & read -r _; kill $!; wait'
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Limit:
    """What a limiting server allows: so many calls in a window of seconds, ``sliding`` or fixed; 0 is no limit.

    ``throttled`` is a customer that gets 429 for ``throttled_seconds`` after the first call of any customer.
    """

    calls: int = 0
    window: float = 60.0
    sliding: bool = False
    throttled: str = ""
    throttled_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """One call as a server saw it: when, by the wall clock, for whom, and how it was answered."""

    at: float
    customer: str
    status: int


@dataclass(frozen=True, slots=True)
class Limiting:
    """A limiting server that runs."""

    base_url: str

    def arrivals(self) -> list[Arrival]:
        """Return the calls that came so far."""
        with urlopen(f"{self.base_url}/arrivals", timeout=_PATIENCE) as answer:  # noqa: S310 - a loopback address
            return [Arrival(*values) for values in json.load(answer)]


@contextmanager
def fast_server(workspace: Workspace) -> Iterator[str]:
    """Serve 202 to everything, as fast as this machine can, and yield the base URL."""
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if nginx is None:
        with _running(workspace.start_program("fast_server")) as process:
            yield f"http://127.0.0.1:{_line(process)}"
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = workspace.folder / "nginx"
    folder.mkdir(exist_ok=True)
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, port=port))
    command: list[str | Path] = ["sh", "-c", _UNTIL_END_OF_INPUT, nginx, "-c", configuration, "-e", "/dev/null"]
    with _running(workspace.start(command)):
        _await(port)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def limiting_server(workspace: Workspace, limit: Limit) -> Iterator[Limiting]:
    """Serve 202 within a limit and 429 above it, and record every call."""
    with _running(workspace.start_program("limiting_server", json.dumps(asdict(limit)))) as process:
        yield Limiting(f"http://127.0.0.1:{_line(process)}")


@contextmanager
def _running(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        process.communicate(timeout=_PATIENCE)


def _line(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline().strip() if process.stdout else ""
    if not line:
        raise FailedError("a server did not start")
    return line


def _await(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise FailedError("nginx did not start")
