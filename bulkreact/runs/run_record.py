"""A run in a reports folder, as its journal records it."""

from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Self

from msgspec import DecodeError, Struct, ValidationError, msgpack

from bulkreact.batch.journal.metadata import RunMetadata, SessionRecord
from bulkreact.batch.journal.reading import JournalReader, RestingJournalReader
from bulkreact.models import RunState
from bulkreact.runs.index_file import Entry
from bulkreact.sheets.output import results_csv
from bulkreact.timestamps import utc_now


class RunCounts(Struct, frozen=True, array_like=True):
    """How the rows of a run ended: the number of each status, and the resulting exit code."""

    statuses: dict[str, int]
    exit_code: int


class RunRecord(Struct, frozen=True, array_like=True):
    """What a run's journal records; ``session`` is the latest that sent rows, ``counts`` is None unless requested.

    ``has_unknown``: answers are still lost. ``has_transferred``: another run has taken over such rows.
    ``working_seconds`` is how long processes worked at sending its rows.
    """

    metadata: RunMetadata
    session: SessionRecord | None = None
    has_unknown: bool = False
    has_transferred: bool = False
    counts: RunCounts | None = None
    working_seconds: float = 0.0


_decode = msgpack.Decoder(RunRecord).decode


class Run(Struct, frozen=True, dict=True):
    """A run in a reports folder; its record is decoded on demand: of thousands a command needs a few."""

    reports: Path
    name: str
    created_at: str
    retry_of: str | None
    counted: bool
    stored: bytes

    @classmethod
    def of(cls, folder: Path, record: RunRecord) -> Self:
        """Return the run in a folder with a record."""
        metadata, counted = record.metadata, record.counts is not None
        return cls(folder.parent, folder.name, metadata.created_at, metadata.retry_of, counted, msgpack.encode(record))

    @classmethod
    def stored_in(cls, reports: Path, entry: Entry) -> Self:
        """Return the run of an entry of the index."""
        return cls(reports, entry.name, entry.created_at, entry.retry_of, bool(entry.counted), entry.content)

    @cached_property
    def record(self) -> RunRecord:
        """Return the journal's record; it is read if the index has a bad one."""
        try:
            return _decode(self.stored)
        except (DecodeError, ValidationError):
            return read_run(self.folder, counting=self.counted).record

    @property
    def metadata(self) -> RunMetadata:
        """Return the run's metadata."""
        return self.record.metadata

    @property
    def session(self) -> SessionRecord | None:
        """Return the latest session that sent rows."""
        return self.record.session

    @property
    def folder(self) -> Path:
        """Return the folder of the run."""
        return self.reports / self.name

    @property
    def is_finished(self) -> bool:
        """Return whether the run finished; a stopped or killed run did not."""
        return self.session is not None and self.session.state is RunState.FINISHED

    @property
    def can_be_resumed(self) -> bool:
        """Return whether there is something left to send: the run did not finish, or an answer is still lost."""
        return not self.is_finished or self.record.has_unknown

    @property
    def age(self) -> timedelta:
        """Return how long ago the run was created."""
        return utc_now() - datetime.fromisoformat(self.created_at)


def read_run(folder: Path, *, counting: bool = False, at_rest: bool = False) -> Run:
    """Return the run in a folder, read from its journal; raises JournalUnreadableError and OSError.

    ``at_rest``: no process works on it; if one does after all, what is returned may be wrong.
    """
    with RestingJournalReader(folder) if at_rest else JournalReader(folder) as journal:
        unknown, counts = journal.unknown_count(), None
        if counting:
            counted = results_csv.count_rows(journal.result_groups())
            counts = RunCounts(results_csv.counts_by_status(counted), counted.exit_code)
        record = RunRecord(
            journal.metadata,
            journal.latest_session(),
            unknown.own > 0,
            unknown.transferred > 0,
            counts,
            journal.working_seconds(),
        )
        return Run.of(folder, record)
