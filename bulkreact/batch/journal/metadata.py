"""What a journal records about the run itself: metadata, and the sessions of the processes that worked on it."""

import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from msgspec import DecodeError, Struct, convert, json
from msgspec.structs import replace

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.checksums import checksum, checksum_sql
from bulkreact.batch.journal.journal_file import damaged, folder_of
from bulkreact.errors import JournalUnreadableError
from bulkreact.guids import is_guid
from bulkreact.models import RunState
from bulkreact.partnercenter.request_ids import RequestIds
from bulkreact.settings import (
    DEFAULT_LOCALE,
    Cloud,
    parse_api_version,
    parse_client_id,
    parse_locale,
    parse_run_id,
    parse_scope,
    parse_tenant,
)
from bulkreact.urls import parse_authority, parse_base_url, parse_webhook_url

VERIFY = "verify"
SWEEP = "sweep"
_LATEST_SESSION = """
SELECT id, process_id, started_at, ended_at, state, exit_code, reason, configured_per_minute
FROM sessions WHERE command <> ? ORDER BY id DESC LIMIT 1
"""


class RunSettings(Struct, frozen=True):
    """How a run's calls are made, besides their target; empty if not given, and in journals of earlier versions.

    ``input_options`` are what the command line needs to read the same layout again. ``options`` are those that the
    command line needs besides for the same credentials: they name files, so they are only shown, never used unseen.
    ``certified_ids``: the request ids prove which calls they belong to. ``corrects`` is the run whose failed rows the
    input has. ``name_header`` is the header that was chosen for the names of customers, ``sum_header`` that of the
    amounts to be summed, and ``decimal_mark`` the one that all rows of the input have shown, of which a retry has only
    some. ``column_widths`` are those of a workbook's columns. ``page`` is the address of the page whose buttons people
    use instead of commands.
    """

    locale: str = DEFAULT_LOCALE
    client_id: str = ""
    authority: str = ""
    scope: str = ""
    options: tuple[str, ...] = ()
    input_options: tuple[str, ...] = ()
    certified_ids: bool = False
    corrects: str = ""
    name_header: str = ""
    sum_header: str = ""
    decimal_mark: str = ""
    column_widths: tuple[float | None, ...] = ()
    page: str = ""


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
    settings: RunSettings = RunSettings()

    @property
    def target(self) -> tuple[str, str]:
        """Return the key of the partner API; all simulators share one, whatever their port."""
        return ("simulated", "") if self.simulated else (self.base_url, self.api_version)

    @property
    def origin(self) -> str:
        """Return whose rows the run has, for people; empty unless they are another run's."""
        corrects = self.settings.corrects
        return f"retry of {self.retry_of}" if self.retry_of else f"rows of {corrects}, corrected" if corrects else ""

    @property
    def request_ids(self) -> RequestIds:
        """Return the request ids of the run: a version that continues it must not change them."""
        return RequestIds(UUID(self.uuid), certified=self.settings.certified_ids)


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


# The settings have a table of their own.
_NAMES = tuple(name for name in RunMetadata.__struct_fields__ if name != "settings")
COLUMNS = ", ".join(_NAMES)
_BAD_SESSION = (
    f"SELECT 1 FROM sessions WHERE checksum IS NOT {checksum_sql('sessions', schema.COLUMNS['sessions'])} LIMIT 1"  # noqa: S608 - our own names
)
_HAS_SETTINGS = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'settings')"


def load_metadata(connection: sqlite3.Connection) -> RunMetadata:
    """Return a run's metadata; JournalUnreadableError if the journal is unfinished or of another version."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if _has_other_format(connection, version):
        raise damaged(folder_of(connection), "its format is not the one that it was made with")
    if version not in {schema.EARLIER_VERSION, schema.VERSION}:
        raise JournalUnreadableError(
            f"The journal has format {version}, this program reads format {schema.VERSION}: "
            "use the version of bulkreact that made it."
        )
    row = connection.execute(f"SELECT {COLUMNS} FROM run").fetchone()  # noqa: S608 - our own names
    if row is None:
        raise JournalUnreadableError("The journal was never finished: the run did not begin.")
    if version == schema.VERSION:
        _check_records(connection)
    values = dict(zip(_NAMES, row, strict=True))
    try:
        # SQLite has no booleans: lax conversion takes 0 and 1.
        content = list({**values, "header": json.decode(values["header"])}.values())
        metadata = convert(content, RunMetadata, strict=False)
        _check(metadata, _PARSERS)
        _check_parent(metadata)
        return replace(metadata, settings=_load_settings(connection))
    except (DecodeError, TypeError, ValueError) as error:
        raise damaged(folder_of(connection), str(error)) from None


def insert_metadata(connection: sqlite3.Connection, metadata: RunMetadata) -> None:
    """Insert a run's metadata."""
    values = [getattr(metadata, name) for name in _NAMES]
    values[_NAMES.index("header")] = json.encode(metadata.header).decode()
    marks = ", ".join("?" for _ in values)
    connection.execute(f"INSERT INTO run (one, {COLUMNS}) VALUES (1, {marks})", values)  # noqa: S608 - our own names
    connection.execute("INSERT INTO settings VALUES (1, ?)", (json.encode(metadata.settings).decode(),))


def metadata_checksum(connection: sqlite3.Connection) -> int:
    """Return the checksum of a run's metadata and settings."""
    run = connection.execute(f"SELECT {COLUMNS} FROM run").fetchone() or ()  # noqa: S608 - our own names
    has_settings = connection.execute(_HAS_SETTINGS).fetchone()[0]
    settings = connection.execute("SELECT content FROM settings").fetchone() if has_settings else None
    return checksum(*run, *(settings or ()))


def _has_other_format(connection: sqlite3.Connection, version: int) -> bool:
    """Return whether a journal was made with another format than it names now."""
    if not connection.execute("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'seal')").fetchone()[0]:
        return version == schema.VERSION
    sealed = connection.execute("SELECT format FROM seal").fetchone()
    return sealed is not None and sealed[0] != version


def _check_records(connection: sqlite3.Connection) -> None:
    """Raise JournalDamagedError if metadata or sessions are not as they were written."""
    sealed = connection.execute("SELECT metadata FROM seal").fetchone()
    if sealed is None or sealed[0] != metadata_checksum(connection):
        raise damaged(folder_of(connection), "its metadata does not match its checksum")
    if connection.execute(_BAD_SESSION).fetchone():
        raise damaged(folder_of(connection), "a record in sessions does not match its checksum")


def _load_settings(connection: sqlite3.Connection) -> RunSettings:
    has_settings = connection.execute(_HAS_SETTINGS).fetchone()[0]
    row = connection.execute("SELECT content FROM settings").fetchone() if has_settings else None
    settings = json.decode(row[0], type=RunSettings) if row else RunSettings()
    _check(settings, _SETTING_PARSERS)
    # They are shown as commands to be typed.
    is_shown = all(map(str.isprintable, (*settings.options, *settings.input_options)))
    return settings if is_shown else replace(settings, options=(), input_options=())


def _check(content: Struct, parsers: Mapping[str, Callable[[str], object]]) -> None:
    """Parse texts as strictly as if they had been typed, because others may have written the file; raise ValueError."""
    for name, parse in parsers.items():
        if value := getattr(content, name):
            parse(value)


def _check_parent(metadata: RunMetadata) -> None:
    if metadata.retry_of == metadata.id:
        raise ValueError("the run is said to be a retry of itself")


def _parse_uuid(text: str) -> str:
    if not is_guid(text):
        raise ValueError(f"{text!r} is not the id from which request ids are derived")
    return text


_PARSERS: Mapping[str, Callable[[str], object]] = {
    "id": parse_run_id,
    "uuid": _parse_uuid,
    "created_at": datetime.fromisoformat,
    "cloud": Cloud,
    "base_url": parse_base_url,
    "api_version": parse_api_version,
    "tenant_id": parse_tenant,
    "retry_of": parse_run_id,
}
_SETTING_PARSERS: Mapping[str, Callable[[str], object]] = {
    "locale": parse_locale,
    "client_id": parse_client_id,
    "authority": parse_authority,
    "scope": parse_scope,
    "corrects": parse_run_id,
    "page": parse_webhook_url,
}


def latest_session(connection: sqlite3.Connection, *, sending: bool = True) -> SessionRecord | None:
    """Return the latest session that sent rows (``sending=False``: the latest of any kind); None if there is none."""
    row = connection.execute(_LATEST_SESSION, (VERIFY if sending else "",)).fetchone()
    return convert(row, SessionRecord) if row else None
