"""Seals a journal when its rows are complete, and gives the present format to one of an earlier version."""

import sqlite3

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.checksums import checksum_sql
from bulkreact.batch.journal.integrity import definitions_checksum
from bulkreact.batch.journal.metadata import metadata_checksum

_SEAL = "INSERT OR REPLACE INTO seal (one, format, metadata, definitions, rows) VALUES (1, ?, ?, ?, ?)"


def seal(connection: sqlite3.Connection) -> None:
    """Record what is checked of the journal as a whole; its metadata and all rows must be there."""
    (rows,) = connection.execute("SELECT count(*) FROM rows").fetchone()
    values = (schema.VERSION, metadata_checksum(connection), definitions_checksum(connection), rows)
    connection.execute(_SEAL, values)


def upgrade(connection: sqlite3.Connection) -> None:
    """Give the records of a journal checksums if it has none, in one transaction; it must have been checked."""
    if schema.has_checksums(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(schema.CREATE_OUTAGES)
    for table, columns in schema.COLUMNS.items():
        if table in schema.LATER_TABLES:
            continue
        connection.execute(f"ALTER TABLE {table} ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0")
        connection.execute(f"UPDATE {table} SET checksum = {checksum_sql(table, columns)}")  # noqa: S608 - our own names
    connection.execute(schema.SEAL_TABLE)
    seal(connection)
    connection.execute(f"PRAGMA user_version = {schema.VERSION}")
    connection.execute("COMMIT")
