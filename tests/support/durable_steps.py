"""Names every step with which the program changes what is on disk or at the partner, and stops a process at one of them.

A step is taken before a file or folder is made, renamed, linked or removed, before a database commits, before a call is sent
and after it was answered, and before and after a file is created.
"""

import builtins
import io
import os
import re
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ParamSpec, TypeVar
from unittest.mock import patch

from bulkreact.models import Reply, Request
from bulkreact.partnercenter.client import Client

P = ParamSpec("P")
T = TypeVar("T")
_CHANGES = ("rename", "replace", "link", "unlink", "remove", "rmdir", "mkdir")
_WRITING = frozenset("wax+")
_STATEMENT = re.compile(
    r"\s*(INSERT|UPDATE|DELETE|CREATE|DROP|REPLACE|COMMIT|PRAGMA user_version =)\W*(?:OR \w+ )?(?:INTO )?(\w*)"
)
_TEMPORARY = re.compile(r"\btemp\b", re.IGNORECASE)
# Run ids, process ids and other names that are new each time.
_VARYING = re.compile(r"\d{8}T\d{6}Z|\b[0-9a-f]{4,64}\b(?=\.|$|\b)|[0-9a-f]{8}-[0-9a-f-]{27}")


class DurableSteps:
    """The steps of this process below a folder, each appended to a log.

    At the nth step whose name begins with ``stop_at`` the process gets a signal.
    """

    def __init__(self, folder: Path, log: Path, *, stop_at: str, nth: int, number: int) -> None:
        self._folder = str(folder.resolve())
        self._log = os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        self._stop_at = stop_at
        self._nth = nth
        self._number = number
        self._lock = threading.Lock()
        self._count = 0

    def take(self, name: str) -> None:
        """Record a step that comes now, or is done now."""
        name = _VARYING.sub("*", name)
        with self._lock:
            os.write(self._log, f"{name}\n".encode())
            self._count += name.startswith(self._stop_at)
            due = name.startswith(self._stop_at) and self._count == self._nth
        if due:
            os.kill(os.getpid(), self._number)

    def install(self) -> None:
        """Take steps from now on, for as long as this process lives."""
        for name in _CHANGES:
            patch.object(os, name, self._changing(name, getattr(os, name))).start()
        patch.object(
            os, "open", self._creating(os.open, lambda flags: isinstance(flags, int) and bool(flags & os.O_CREAT))
        ).start()
        opened = self._creating(io.open, lambda mode: bool(_WRITING & set(str(mode))))
        patch.object(io, "open", opened).start()
        patch.object(builtins, "open", opened).start()
        patch.object(sqlite3, "connect", self._connecting(sqlite3.connect)).start()
        patch.object(Client, "send", self._sending(Client.send)).start()

    def _is_ours(self, path: object) -> bool:
        if not isinstance(path, str | os.PathLike):
            return False
        text = os.fspath(path)
        return isinstance(text, str) and (not Path(text).is_absolute() or text.startswith(self._folder))

    def _changing(self, name: str, function: Callable[P, T]) -> Callable[P, T]:
        def changed(*args: P.args, **kwargs: P.kwargs) -> T:
            if self._is_ours(args[0]):
                self.take(" ".join([name, *(Path(str(path)).name for path in args[:2] if not isinstance(path, int))]))
            return function(*args, **kwargs)

        return changed

    def _creating(self, function: Callable[P, T], is_writing: Callable[[object], bool]) -> Callable[P, T]:
        def created(*args: P.args, **kwargs: P.kwargs) -> T:
            how = args[1] if len(args) > 1 else kwargs.get("mode", kwargs.get("flags", 0))
            if not self._is_ours(args[0]) or not is_writing(how):
                return function(*args, **kwargs)
            name = Path(str(args[0])).name
            self.take(f"create {name}")
            result = function(*args, **kwargs)
            self.take(f"created {name}")
            return result

        return created

    def _connecting(self, connect: Callable[..., sqlite3.Connection]) -> Callable[..., sqlite3.Connection]:
        def connected(database: str | Path, **kwargs: object) -> sqlite3.Connection:
            connection = connect(database, factory=_Connection, **kwargs)
            if isinstance(connection, _Connection) and str(database) and "mode=ro" not in str(database):
                connection.take = self.take
                connection.name = Path(str(database).partition("?")[0]).name
            return connection

        return connected

    def _sending(
        self, send: Callable[[Client, Request], Awaitable[Reply]]
    ) -> Callable[[Client, Request], Awaitable[Reply]]:
        async def sent(client: Client, request: Request) -> Reply:
            self.take(f"send {request.operation}")
            reply = await send(client, request)
            self.take(f"answered {request.operation}")
            return reply

        return sent


class _Connection(sqlite3.Connection):
    """A connection that takes a step before each commit, also before that of a single statement."""

    take: Callable[[str], None] | None = None
    name = ""
    _written = ""

    def execute(self, sql: str, *args: object) -> sqlite3.Cursor:
        self._note(sql)
        return super().execute(sql, *args)  # type: ignore[arg-type]

    def executemany(self, sql: str, *args: object) -> sqlite3.Cursor:
        self._note(sql)
        return super().executemany(sql, *args)  # type: ignore[arg-type]

    def executescript(self, sql: str, /) -> sqlite3.Cursor:
        if self.take:
            self.take(f"commit {self.name}: script")
        return super().executescript(sql)

    def close(self) -> None:
        if self.take:
            self.take(f"close {self.name}")
        super().close()

    def _note(self, sql: str) -> None:
        statement = _STATEMENT.match(sql)
        if self.take is None or statement is None or _TEMPORARY.search(sql):
            return
        if statement[1] == "COMMIT":
            self.take(f"commit {self.name}: {self._written}")
            self._written = ""
        elif self.in_transaction:
            self._written = self._written or f"{statement[1]} {statement[2]}"
        else:
            self.take(f"commit {self.name}: {statement[1]} {statement[2]}")
