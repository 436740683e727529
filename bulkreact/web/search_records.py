"""The searches of a server, each with a folder of its own: its record, its process's folder, and what it has found."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from threading import Lock

from msgspec import Struct, json
from msgspec.structs import replace

from bulkreact.atomic_write import replacing_bytes
from bulkreact.web.found_rows import FoundSummary
from bulkreact.web.refusals import RequestRefusedError
from bulkreact.wording import describe_error

_RECORD = "search.json"
_LOG_SHOWN = 20_000


class SearchState(StrEnum):
    """How far a search is; the last three are its ends, each with what was found until then."""

    SEARCHING = "searching"
    STOPPING = "stopping"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


class Search(Struct, frozen=True, kw_only=True):
    """A search for what could be reactivated; times are UTC. ``message`` is what its process has said in the end.

    ``form_id`` is the form that has asked for it: with the record its answer is certain.
    """

    number: int
    state: SearchState
    target: str
    kind: str
    statuses: tuple[str, ...]
    customers: tuple[str, ...]
    by_id: str
    by_name: str
    created_at: str
    changed_at: str
    form_id: str = ""
    found: FoundSummary = FoundSummary()
    message: str = ""

    @property
    def is_open(self) -> bool:
        """Return whether it goes on."""
        return self.state in {SearchState.SEARCHING, SearchState.STOPPING}


class SearchRecords:
    """The records of all searches; a write is on disk when it returns."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "find"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._lock = Lock()

    def folder(self, number: int) -> Path:
        """Return the folder of a search."""
        return self._folder / str(number)

    def control(self, number: int) -> Path:
        """Return the folder through which its process is watched and asked to stop."""
        return self.folder(number) / "control"

    def reports(self, number: int) -> Path:
        """Return the folder in which its process keeps what it has read."""
        return self.folder(number) / "reports"

    def log(self, number: int) -> Path:
        """Return the file with what its process prints."""
        return self.folder(number) / "find.log"

    def complete(self, number: int) -> Path:
        """Return the file that its process writes when it has read everything."""
        return self.folder(number) / "found.csv"

    def partial(self, number: int) -> Path:
        """Return the file with what was found by a search that did not come to its end."""
        return self.folder(number) / "partial.csv"

    def found(self, number: int) -> Path:
        """Return the file with what was found."""
        complete = self.complete(number)
        return complete if complete.exists() else self.partial(number)

    def read_log(self, number: int) -> str:
        """Return the end of what its process has printed; where the server keeps things is nothing to its readers."""
        text = self.log(number).read_text("utf-8", errors="replace") if self.log(number).exists() else ""
        return text[-_LOG_SHOWN:].replace(f"{self.folder(number)}{os.sep}", "").strip()

    def add(self, search: Search) -> Search:
        """Store a new search, unless that was done for the same form before; return it with its number."""
        with self._writing():
            for stored in self.newest():
                if search.form_id and (stored.by_id, stored.form_id) == (search.by_id, search.form_id):
                    return stored
            search = replace(search, number=1 + max(self._numbers(), default=0))
            self.control(search.number).mkdir(parents=True, mode=0o700)
            self._write(search)
        return search

    def change(self, number: int, state: SearchState, now: str, **values: object) -> Search:
        """Give an open search another state; one that has ended stays what it is."""
        with self._writing():
            search = self._read(number)
            if search.is_open:
                search = replace(search, state=state, changed_at=now, **values)
                self._write(search)
        return search

    def find(self, number: int) -> Search | None:
        """Return a search, None if there is none with the number."""
        return self._read(number) if (self.folder(number) / _RECORD).is_file() else None

    def newest(self) -> list[Search]:
        """Return all searches, the newest first."""
        found = map(self.find, sorted(self._numbers(), reverse=True))
        return [search for search in found if search]

    def _numbers(self) -> list[int]:
        return [int(path.name) for path in self._folder.iterdir() if path.name.isdigit()]

    def _read(self, number: int) -> Search:
        return json.decode((self.folder(number) / _RECORD).read_bytes(), type=Search)

    def _write(self, search: Search) -> None:
        with replacing_bytes(self.folder(search.number) / _RECORD, private=True) as file:
            file.write(json.encode(search))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except OSError as error:
                raise RequestRefusedError(
                    "read-only",
                    f"The server cannot save it: {describe_error(error)}. Tell the server's administrator.",
                ) from error
