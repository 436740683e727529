"""Real gateways and proxies before a simulated partner: nginx, haproxy and tinyproxy, each in a process of its own."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.run_commands import wait_until

# Debian keeps them where only root looks.
_FOLDERS = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; {user}
events {{ worker_connections 256; }}
http {{
    log_format calls '$msec $status';
    access_log {folder}/calls.log calls;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    upstream partner {{ server 127.0.0.1:{partner}; keepalive 32; }}
    {http}
    server {{
        listen 127.0.0.1:{port};
        proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
        location / {{ {location} proxy_pass http://partner; }}
        {server}
    }}
}}
"""
_HAPROXY = """
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server {patience}
frontend gateway
    bind 127.0.0.1:{port}
    {rules}
    default_backend partner
backend partner
    server partner 127.0.0.1:{partner}
"""
_TINYPROXY = """
Port {port}
Listen 127.0.0.1
Timeout 60
MaxClients 50
LogFile "{folder}/tinyproxy.log"
Upstream http 127.0.0.1:{upstream}
"""


def needs(name: str) -> pytest.MarkDecorator:
    """Return the mark of a test that needs a program."""
    return pytest.mark.skipif(_find(name) is None, reason=f"{name} is not installed")


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_of(base_url: str) -> int:
    """Return the port of a URL."""
    return int(base_url.rpartition(":")[2])


@dataclass(frozen=True)
class GatewayCall:
    """One call as nginx logged it."""

    at: float
    status: int


@dataclass(frozen=True)
class Gateway:
    """A gateway that runs, with its files in a folder."""

    folder: Path
    port: int

    @property
    def base_url(self) -> str:
        """Return where the partner is found."""
        return f"http://127.0.0.1:{self.port}"

    def calls(self) -> list[GatewayCall]:
        """Return the calls that nginx has answered, in their order."""
        lines = (self.folder / "calls.log").read_text().splitlines()
        return [GatewayCall(float(at), int(status)) for at, status in map(str.split, lines)]


@contextmanager
def nginx(
    folder: Path, partner: int, *, port: int = 0, http: str = "", server: str = "", location: str = ""
) -> Iterator[Gateway]:
    """Run nginx before a partner's port; the texts are added to its blocks."""
    gateway = Gateway(folder, port or free_port())
    user = "user root;" if os.name == "posix" and os.geteuid() == 0 else ""
    text = _NGINX.format(
        folder=folder, partner=partner, port=gateway.port, user=user, http=http, server=server, location=location
    )
    (folder / "nginx.conf").write_text(text)
    arguments = ["-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"]
    with running("nginx", arguments, gateway.port):
        yield gateway


@contextmanager
def haproxy(folder: Path, partner: int, *, port: int = 0, rules: str = "", patience: str = "60s") -> Iterator[Gateway]:
    """Run haproxy before a partner's port; ``rules`` are those of its frontend."""
    gateway = Gateway(folder, port or free_port())
    text = _HAPROXY.format(partner=partner, port=gateway.port, rules=rules.replace("; ", "\n    "), patience=patience)
    (folder / "haproxy.cfg").write_text(text)
    with running("haproxy", ["-db", "-f", f"{folder}/haproxy.cfg"], gateway.port):
        yield gateway


@contextmanager
def tinyproxy(folder: Path, upstream: int, *, port: int) -> Iterator[None]:
    """Run tinyproxy on a port; it passes what it gets to another proxy."""
    (folder / "tinyproxy.conf").write_text(_TINYPROXY.format(folder=folder, port=port, upstream=upstream))
    with running("tinyproxy", ["-d", "-c", f"{folder}/tinyproxy.conf"], port):
        yield


@contextmanager
def running(name: str, arguments: list[str], port: int) -> Iterator[None]:
    """Run a server until the block ends; what it has in hand is cut."""
    program = _find(name)
    assert program
    process = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _is_listening(port) or process.poll() is not None)
        assert process.poll() is None
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@contextmanager
def silence() -> Iterator[int]:
    """Take connections and never answer; yield the port."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as server:
        yield int(server.getsockname()[1])


def _find(name: str) -> str | None:
    return shutil.which(name, path=_FOLDERS)


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
