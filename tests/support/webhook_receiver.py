"""A receiver of pings and hooks on a loopback port: it keeps what it is told, and answers as it is told to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Receiver:
    """What has been posted, by path; ``status`` is what every post is answered."""

    url: str
    posts: list[tuple[str, str]] = field(default_factory=list)
    status: int = 200
    location: str = ""

    @property
    def paths(self) -> list[str]:
        """Return the paths in the order in which they were posted to."""
        return [path for path, _ in self.posts]

    def body(self, path: str) -> str:
        """Return what was posted to a path last."""
        return next(body for one, body in reversed(self.posts) if one == path)

    def content(self, path: str) -> dict[str, object]:
        """Return the JSON that was posted to a path last."""
        found: dict[str, object] = json.loads(self.body(path))
        return found


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve a receiver."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            receiver.posts.append((self.path, self.rfile.read(length).decode()))
            self.send_response(receiver.status)
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
