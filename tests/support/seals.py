"""Gives records that a test wrote into a journal by hand the checksums that the program would give them."""

import sqlite3

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.checksums import add_function, checksum_sql
from bulkreact.batch.journal.seal import seal


def seal_again(connection: sqlite3.Connection) -> None:
    """Make a journal's checksums those of its present records."""
    add_function(connection)
    for table, columns in schema.COLUMNS.items():
        connection.execute(f"UPDATE {table} SET checksum = {checksum_sql(table, columns)}")  # noqa: S608 - our own names
    seal(connection)


def make_earlier(connection: sqlite3.Connection) -> None:
    """Give a journal the format of earlier versions, which has no checksums."""
    connection.execute("DROP TABLE seal")
    for table in sorted(schema.LATER_TABLES):
        connection.execute(f"DROP TABLE {table}")
    for table in sorted(schema.COLUMNS.keys() - schema.LATER_TABLES):
        connection.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
    connection.execute(f"PRAGMA user_version = {schema.EARLIER_VERSION}")
