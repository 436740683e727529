"""A receiver of pings and webhooks on a loopback port: it records every post and answers as configured."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Receiver:
    """The posts so far, by path, and what their senders call themselves; ``status`` is the answer to each."""

    url: str
    posts: list[tuple[str, str]] = field(default_factory=list)
    status: int = 200
    location: str = ""
    agents: set[str] = field(default_factory=set)

    @property
    def paths(self) -> list[str]:
        """Return the paths in the order in which they were posted to."""
        return [path for path, _ in self.posts]

    def body(self, path: str) -> str:
        """Return what was posted to a path last."""
        return next(body for posted, body in reversed(self.posts) if posted == path)

    def content(self, path: str) -> dict[str, object]:
        """Return the JSON that was posted to a path last."""
        content: dict[str, object] = json.loads(self.body(path))
        return content


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve a receiver."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            receiver.posts.append((self.path, self.rfile.read(length).decode()))
            receiver.agents.add(self.headers["User-Agent"])
            self.send_response(receiver.status)
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
