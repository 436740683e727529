"""What a journal records about the run itself: metadata, and the sessions of the processes that worked on it."""

import sqlite3

from msgspec import Struct, convert, json

from bulkreact.batch.journal import schema
from bulkreact.errors import JournalUnreadableError
from bulkreact.models import RunState

VERIFY = "verify"
_LATEST_SESSION = """
SELECT id, process_id, started_at, ended_at, state, exit_code, reason, configured_per_minute
FROM sessions WHERE command <> ? ORDER BY id DESC LIMIT 1
"""


class RunMetadata(Struct, frozen=True, array_like=True):
    """What never changes during a run; its request ids are derived from ``uuid``.

    ``from_spreadsheet``: the input was a workbook, or a text file as spreadsheets save it. ``retry_of`` is the run
    whose rows this one took over.
    """

    id: str
    uuid: str
    version: str
    command: str
    operator: str
    created_at: str
    input_name: str
    input_sha256: str
    header: tuple[str, ...]
    digest: str
    row_limit: int | None
    cloud: str
    base_url: str
    api_version: str
    tenant_id: str | None
    simulated: bool
    from_spreadsheet: bool
    retry_of: str | None = None

    @property
    def target(self) -> tuple[str, str]:
        """Return the key of the partner API; all simulators share one, whatever their port."""
        return ("simulated", "") if self.simulated else (self.base_url, self.api_version)


class SessionRecord(Struct, frozen=True, array_like=True):
    """One process's work on a run; the columns of its end are None while it works, and after a kill."""

    id: int
    process_id: int
    started_at: str
    ended_at: str | None
    state: RunState | None
    exit_code: int | None
    reason: str | None
    configured_per_minute: float | None


COLUMNS = ", ".join(RunMetadata.__struct_fields__)


def load_metadata(connection: sqlite3.Connection) -> RunMetadata:
    """Return a run's metadata; JournalUnreadableError if the journal is unfinished or of another version."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != schema.VERSION:
        raise JournalUnreadableError(
            f"The journal has format {version}, this program reads format {schema.VERSION}: "
            "use the version of bulkreact that made it."
        )
    row = connection.execute(f"SELECT {COLUMNS} FROM run").fetchone()  # noqa: S608 - our own names
    if row is None:
        raise JournalUnreadableError("The journal was never finished: the run did not begin.")
    values = dict(zip(RunMetadata.__struct_fields__, row, strict=True))
    # SQLite has no booleans: lax conversion takes 0 and 1.
    return convert(list({**values, "header": json.decode(values["header"])}.values()), RunMetadata, strict=False)


def latest_session(connection: sqlite3.Connection, *, sending: bool = True) -> SessionRecord | None:
    """Return the latest session that sent rows (``sending=False``: the latest of any kind); None if there is none."""
    row = connection.execute(_LATEST_SESSION, (VERIFY if sending else "",)).fetchone()
    return convert(row, SessionRecord) if row else None
