"""The format of the ledger of sweeps, and the statements that write it; each record has a checksum."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from bulkreact.batch.journal.checksums import checksum_sql

VERSION = 3
# Version 1 was without checksums, version 2 without readings.
_WITH_CHECKSUMS = 2
VERSIONS = range(1, VERSION + 1)


class FilingStage(StrEnum):
    """The progress of a content; a stage is recorded once it is durable.

    ``PREPARED``: its run is about to be created. ``STARTED``: the run exists. ``ENDED``: its results are written.
    ``FILED``: its input file was moved.
    """

    PREPARED = "prepared"
    STARTED = "begun"
    ENDED = "ended"
    FILED = "settled"


_READINGS = """
CREATE TABLE readings (
    inbox BLOB NOT NULL,
    name BLOB NOT NULL,
    sha256 TEXT NOT NULL,
    begun INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (inbox, name, sha256)
) STRICT;
"""
TABLES = f"""
CREATE TABLE inboxes (
    folder BLOB PRIMARY KEY,
    began_at TEXT NOT NULL,
    last_new_at TEXT,
    checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE entries (
    run_id TEXT PRIMARY KEY,
    content TEXT NOT NULL,
    target TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    inbox BLOB NOT NULL,
    name BLOB NOT NULL,
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    stage TEXT NOT NULL CHECK (stage IN ({", ".join(f"'{stage}'" for stage in FilingStage)})),
    checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX entries_by_content ON entries (content);

CREATE TABLE left_in_place (
    inbox BLOB NOT NULL,
    name BLOB NOT NULL,
    sha256 TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (inbox, name, sha256)
) STRICT;

{_READINGS}
PRAGMA user_version = {VERSION};
"""
# What the checksum of a record covers.
RECORDS = {
    "inboxes": ("folder", "began_at", "last_new_at"),
    "entries": ("run_id", "content", "target", "tenant_id", "inbox", "name", "sha256", "stage"),
    "left_in_place": ("inbox", "name", "sha256"),
    "readings": ("inbox", "name", "sha256", "begun"),
}
_ADDED_IN_3 = {"readings"}
COLUMNS = ", ".join(RECORDS["entries"])


def tables_with_checksums(version: int) -> Mapping[str, tuple[str, ...]]:
    """Return the tables of a version whose records have checksums, with what these cover."""
    if version < _WITH_CHECKSUMS:
        return {}
    return {table: columns for table, columns in RECORDS.items() if version == VERSION or table not in _ADDED_IN_3}


def steps_from(version: int) -> Iterator[str]:
    """Yield the statements that bring a ledger of an earlier version to this one."""
    if version < _WITH_CHECKSUMS:
        for table in RECORDS.keys() - _ADDED_IN_3:
            yield f"ALTER TABLE {table} ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0"
            yield f"UPDATE {table} SET checksum = {checksum_sql(table, RECORDS[table])}"  # noqa: S608 - constants
    yield _READINGS
    yield f"PRAGMA user_version = {VERSION}"


def insert(table: str) -> str:
    """Return the statement that inserts a record unless there is one; its values are those of RECORDS."""
    marks = ", ".join(f"?{number}" for number, _ in enumerate(RECORDS[table], 1))
    columns = ", ".join(RECORDS[table])
    return f"INSERT INTO {table} ({columns}, checksum) VALUES ({marks}, checksum({marks})) ON CONFLICT DO NOTHING"  # noqa: S608 - constants


def _set_stage(where: str) -> str:
    changed = checksum_sql("entries", RECORDS["entries"], stage="?1")
    return f"UPDATE entries SET stage = ?1, checksum = {changed} WHERE {where}"  # noqa: S608 - constants


def _set_activity(time: str, where: str) -> str:
    """Return the statement that sets the times of an inbox; no recorded time is later than ?2."""
    changed = {"began_at": "min(began_at, ?2)", "last_new_at": time}
    times = ", ".join(f"{column} = {value}" for column, value in changed.items())
    checksum = checksum_sql("inboxes", RECORDS["inboxes"], **changed)
    return f"UPDATE inboxes SET {times}, checksum = {checksum} WHERE folder = ?1 AND {where}"  # noqa: S608 - constants


# A time in the future came from a wrong clock; until then no missing file would be reported.
LIMIT_TIMES = _set_activity("min(last_new_at, ?2)", "max(began_at, coalesce(last_new_at, '')) > ?2")
RECORD_ACTIVITY = _set_activity("?2", "true")
STAGE_OF_RUN = _set_stage("run_id = ?2")
STAGE_OF_FILE = _set_stage("(inbox, name, sha256) = (?2, ?3, ?4) AND stage <> ?5")
BEGIN_READING = (
    f"{insert('readings').removesuffix(' DO NOTHING')} (inbox, name, sha256) DO UPDATE SET begun = begun + 1, "
    f"checksum = {checksum_sql('readings', RECORDS['readings'], begun='begun + 1')}"
)
