"""The format of a journal, and the statements that write one."""

import sqlite3
from collections.abc import Iterable
from importlib import resources

from bulkreact.batch.journal.checksums import checksum_sql
from bulkreact.partnercenter.protocol import CHANGES, STEPS

VERSION = 5
# Without checksums; a process that works on one gives it the present format.
EARLIER_VERSION = 4


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))


def tables() -> str:
    """Return the script that creates the tables of a journal; CHECKs list the members of each enumeration."""
    script = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    return f"{script}{SEAL_TABLE};\nPRAGMA user_version = {VERSION};"


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Return whether a journal has a table; those of earlier versions lack some."""
    return bool(connection.execute(_HAS_TABLE, (name,)).fetchone()[0])


def has_typed_cells(connection: sqlite3.Connection) -> bool:
    """Return whether a journal has a table of typed cells; those of earlier versions have none."""
    return has_table(connection, "typed_cells")


def has_checksums(connection: sqlite3.Connection) -> bool:
    """Return whether a journal's records have checksums; earlier versions made none."""
    return bool(connection.execute("PRAGMA user_version").fetchone()[0] == VERSION)


_HAS_TABLE = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?)"
# Made by later versions only: a journal may lack them.
LATER_TABLES = frozenset({"operators", "typed_cells"})

# Over what has no checksum of its own: the metadata with the settings, the definitions of tables, the number of rows.
SEAL_TABLE = """
CREATE TABLE seal (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    format INTEGER NOT NULL,
    metadata INTEGER NOT NULL,
    definitions INTEGER NOT NULL,
    rows INTEGER NOT NULL
) STRICT"""


# What the checksum of a record covers.
COLUMNS = {
    "rows": (
        *("ordinal", "number", "cells", "customer_id", "subscription_id", "entitlement_id", "problem_code", "problem"),
        *("request_id", "of_read", "lost", "restore_auto_renew", "deadline", "duplicate_of", "left_out", "handed_to"),
    ),
    "typed_cells": ("ordinal", "cells"),
    "sessions": (
        *("id", "command", "version", "process_id", "configured_per_minute", "started_at", "ended_at", "state"),
        *("exit_code", "reason"),
    ),
    "operators": ("session", "name"),
    "outages": ("session", "since", "ended_at", "next_probe_at", "probes", "cause"),
    "calls": ("id", "session", "ordinal", "operation", "request_id", "correlation_id", "started_at"),
    "answers": (
        *("call", "finished_at", "verdict", "http_status", "code", "description", "business", "departed", "lost"),
        "location",
    ),
    "outcomes": (*("session", "ordinal", "status", "attempts", "call", "code", "description", "reopen", "auto_renew"),),
}


def _insert(table: str) -> str:
    """Return the statement for one record; its values are those of COLUMNS and their checksum."""
    columns = (*COLUMNS[table], "checksum")
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' for _ in columns)})"  # noqa: S608 - our own names


def _checksum(table: str, **changed: str) -> str:
    return checksum_sql(table, COLUMNS[table], **changed)


INSERT_ROW, INSERT_TYPED_CELLS, INSERT_SESSION = _insert("rows"), _insert("typed_cells"), _insert("sessions")
INSERT_OPERATOR = _insert("operators")
INSERT_CALL, INSERT_ANSWER, INSERT_OUTCOME = _insert("calls"), _insert("answers"), _insert("outcomes")
# A row with only cells and ids, as nearly all are.
INSERT_PLAIN_ROW = (
    "INSERT INTO rows (ordinal, number, cells, customer_id, subscription_id, entitlement_id, problem_code, problem, "
    "request_id, of_read, lost, restore_auto_renew, deadline, checksum) VALUES (?, ?, ?, ?, ?, ?, '', '', '', 0, 0, 0, '', ?)"
)
END_SESSION = f"""
UPDATE sessions SET ended_at = :ended_at, state = :state, exit_code = :exit_code, reason = :reason,
    checksum = {_checksum("sessions", ended_at=":ended_at", state=":state", exit_code=":exit_code", reason=":reason")}
WHERE id = :id
"""  # noqa: S608 - our own names
# A table that runs of earlier versions do not have.
CREATE_OUTAGES = """
CREATE TABLE IF NOT EXISTS outages (
    session INTEGER NOT NULL REFERENCES sessions (id),
    since TEXT NOT NULL,
    ended_at TEXT NOT NULL,
    next_probe_at TEXT NOT NULL,
    probes INTEGER NOT NULL CHECK (probes >= 0),
    cause TEXT NOT NULL,
    PRIMARY KEY (session, since),
    CHECK (ended_at = '' OR next_probe_at = '')
) STRICT
"""
# A process that was killed in an outage makes no further probe.
FORGET_PROBES = f"""
UPDATE outages SET next_probe_at = '', checksum = {_checksum("outages", next_probe_at="''")} WHERE next_probe_at <> ''
"""  # noqa: S608 - our own names
SAVE_OUTAGE = (
    f"{_insert('outages')} ON CONFLICT (session, since) DO UPDATE SET ended_at = excluded.ended_at, "
    "next_probe_at = excluded.next_probe_at, probes = excluded.probes, cause = excluded.cause, checksum = excluded.checksum"
)
# Everything written while rows are sent, except statements that settle many rows at once.
APPENDS = frozenset({INSERT_CALL, INSERT_ANSWER, INSERT_OUTCOME})

CHANGE_NAMES = _quoted(CHANGES)
STEP_NAMES = _quoted(STEPS)
LATEST_OUTCOME = "(SELECT max(id) FROM outcomes WHERE outcomes.ordinal = {ordinal})"
# Polling does not count as sending a row.
BEGUN = f"EXISTS (SELECT 1 FROM calls WHERE calls.ordinal = rows.ordinal AND calls.operation IN ({STEP_NAMES}))"  # noqa: S608 - our own names

_UNSENT = {
    "session": ":session",
    "ordinal": "rows.ordinal",
    "status": "CASE WHEN lost THEN 'unknown' ELSE :status END",
    "attempts": "0",
    "call": "NULL",
    "code": ":code",
    "description": ":description",
    "reopen": ":reopen",
    "auto_renew": "''",
}
# Rows that could have been sent: without a recorded call, and not settled.
SETTLE_UNSENT = f"""
INSERT INTO outcomes ({", ".join(_UNSENT)}, checksum)
SELECT {", ".join(_UNSENT.values())}, {checksum_sql("rows", COLUMNS["outcomes"], **_UNSENT)} FROM rows
WHERE problem_code = '' AND duplicate_of IS NULL AND left_out = 0 AND handed_to IS NULL
    AND NOT {BEGUN}
    AND NOT EXISTS (SELECT 1 FROM outcomes WHERE outcomes.ordinal = rows.ordinal AND outcomes.reopen = 0)
"""  # noqa: S608 - our own names

SETTLE_UNSENT_OF_CUSTOMER = f"{SETTLE_UNSENT} AND customer_id = :customer"
CUSTOMERS_INDEX = "rows_of_customer"
INDEX_CUSTOMERS = f"CREATE INDEX IF NOT EXISTS {CUSTOMERS_INDEX} ON rows (customer_id)"
SETTLE_UNSENT_BELOW = f"{SETTLE_UNSENT_OF_CUSTOMER} AND subscription_id = :subscription AND entitlement_id <> ''"

# Most files have no entitlement twice: sorting by that column only takes a third as long as by whole targets.
MARK_DUPLICATES = f"""
UPDATE rows SET duplicate_of = firsts.first, checksum = {_checksum("rows", duplicate_of="firsts.first")} FROM (
    SELECT ordinal, min(ordinal) OVER (PARTITION BY customer_id, subscription_id, entitlement_id) AS first
    FROM rows WHERE problem_code = '' AND entitlement_id IN (
        SELECT entitlement_id FROM rows WHERE problem_code = '' GROUP BY entitlement_id HAVING count(*) > 1
    )
) AS firsts
WHERE firsts.ordinal = rows.ordinal AND firsts.first < rows.ordinal
"""  # noqa: S608 - our own names

# Parents are looked up only in runs with rows of subscriptions; these runs have the index.
FIND_SUBSCRIPTIONS = "SELECT EXISTS (SELECT 1 FROM rows WHERE entitlement_id = '')"
HAS_SUBSCRIPTIONS = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'subscriptions')"
INDEX_SUBSCRIPTIONS = (
    "CREATE INDEX subscriptions ON rows (customer_id, subscription_id) WHERE entitlement_id = ''",
    "CREATE INDEX rows_below ON rows (customer_id, subscription_id) WHERE entitlement_id <> ''",
)

# A later row of the same target may be the one that an earlier run has sent.
ADOPT_FROM_DUPLICATES = (
    f"""
UPDATE rows SET request_id = later.request_id, of_read = later.of_read,
    checksum = {_checksum("rows", request_id="later.request_id", of_read="later.of_read")} FROM (
    SELECT min(ordinal), duplicate_of, request_id, of_read FROM rows
    WHERE duplicate_of IS NOT NULL AND request_id <> '' GROUP BY duplicate_of
) AS later
WHERE later.duplicate_of = rows.ordinal AND rows.request_id = ''
""",  # noqa: S608 - our own names
    f"""
UPDATE rows SET lost = 1, checksum = {_checksum("rows", lost="1")}
WHERE ordinal IN (SELECT duplicate_of FROM rows WHERE lost)
""",  # noqa: S608 - our own names
)

# As the indexes of such outcomes and rows: SQLite uses them only for the very same condition.
IS_LEFT_OPEN = "reopen OR status = 'unknown'"
IS_SPECIAL = "problem_code <> '' OR duplicate_of IS NOT NULL OR left_out OR handed_to IS NOT NULL OR lost"

# One request id must never name two targets: the service would answer the second with the first one's outcome.
SEPARATE_REQUEST_IDS = f"""
UPDATE rows SET request_id = '', checksum = {_checksum("rows", request_id="''")} FROM (
    SELECT ordinal, min(ordinal) OVER (PARTITION BY request_id) AS first
    FROM rows WHERE request_id <> '' AND duplicate_of IS NULL
) AS owners
WHERE owners.ordinal = rows.ordinal AND owners.first < rows.ordinal
"""  # noqa: S608 - our own names

EXCLUDE_BY_LIMIT = f"""
UPDATE rows SET left_out = 1, checksum = {_checksum("rows", left_out="1")}
WHERE problem_code = '' AND duplicate_of IS NULL AND ordinal >= (
    SELECT ordinal FROM rows WHERE problem_code = '' AND duplicate_of IS NULL ORDER BY ordinal LIMIT 1 OFFSET ?
)
"""  # noqa: S608 - our own names
LIFT_LIMIT = f"""
UPDATE rows SET left_out = 0, checksum = {_checksum("rows", left_out="0")} WHERE left_out = 1 AND handed_to IS NULL
"""  # noqa: S608 - our own names
# Only rows that could be sent are taken over.
TRANSFER = f"""
UPDATE rows SET handed_to = :run, checksum = {_checksum("rows", handed_to=":run")}
WHERE handed_to IS NULL AND problem_code = '' AND duplicate_of IS NULL
    AND number IN (SELECT value FROM json_each(:numbers))
"""  # noqa: S608 - our own names
FLAG_INVALID = f"""
UPDATE rows SET problem_code = :code, problem = :problem, customer_id = NULL, subscription_id = NULL, entitlement_id = NULL,
    checksum = {
    _checksum(
        "rows",
        problem_code=":code",
        problem=":problem",
        customer_id="NULL",
        subscription_id="NULL",
        entitlement_id="NULL",
    )
}
WHERE ordinal = :ordinal
"""  # noqa: S608 - our own names
