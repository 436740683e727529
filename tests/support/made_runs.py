"""Makes runs that have ended, without sending anything: long ones, and many."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.checksums import with_checksum
from bulkreact.batch.journal.journal import Journal, create, finalize
from bulkreact.batch.journal.swapped_ids import input_digest
from bulkreact.models import InputRow, RunState, Status
from tests.support.ids import AT, HEADER, guid, metadata, row, target
from tests.support.seals import seal_again

_ROWS_PER_CUSTOMER = 10
_NAME, _DIGEST = "20260301T120000Z-test-0000", "d" * 64
_FIRST = datetime(2026, 3, 1, tzinfo=UTC)


def write_rows(rows: int) -> Iterator[tuple[str, str, str]]:
    """Yield the ids of so many rows, ten for each customer."""
    return (row(guid(1_000_000 + number), number // _ROWS_PER_CUSTOMER) for number in range(rows))


def make_run(folder: Path, rows: int, status: Status, *, at: str = AT, **changes: object) -> Path:
    """Make a finished run whose rows all ended so, failed ones for a transient reason; all calls were at one time."""
    folder.mkdir(parents=True)
    entitlements = ((number, guid(1_000_000 + number)) for number in range(rows))
    targets = (target(entitlement, number // _ROWS_PER_CUSTOMER) for number, entitlement in entitlements)
    create(folder, (InputRow(number, tuple("abc"), target) for number, target in enumerate(targets, 2)))
    finalize(folder, metadata(**{"id": folder.name, "header": HEADER, "digest": input_digest(folder), **changes}))
    verdict, http_status, code = ("Transient", 503, "http-503") if status is Status.FAILED else ("Accepted", 202, "")
    exit_code = int(status is Status.FAILED)
    with Journal(folder) as journal:
        session = journal.begin_session(command="run", version="1", configured_per_minute=None, now=at)
        ordinals, connection = range(1, rows + 1), journal.connection
        connection.execute("BEGIN")
        calls = ((n, session, n, "reactivate-entitlement", guid(n), guid(n), at) for n in ordinals)
        connection.executemany(schema.INSERT_CALL, map(with_checksum, calls))
        answers = ((n, at, verdict, http_status, code, "", 1 - exit_code, 1, 0, "") for n in ordinals)
        connection.executemany(schema.INSERT_ANSWER, map(with_checksum, answers))
        outcomes = ((session, n, str(status), 1, n, code, "", 0, "") for n in ordinals)
        connection.executemany(schema.INSERT_OUTCOME, map(with_checksum, outcomes))
        connection.execute("COMMIT")
        journal.end_session(session, state=RunState.FINISHED, exit_code=exit_code, reason="", now=at)
    return folder


def make_runs(reports: Path, count: int, **changes: object) -> None:
    """Make so many finished runs of two rows, each a minute after the one before."""
    with tempfile.TemporaryDirectory() as folder:
        template = (
            make_run(Path(folder) / _NAME, 2, Status.ACCEPTED, at=AT, digest=_DIGEST, **changes) / "journal.sqlite3"
        )
        content = template.read_bytes()
    for number in range(count):
        at = _FIRST + timedelta(minutes=number)
        name = f"{at:%Y%m%dT%H%M%SZ}-test-{number:04x}"
        (reports / name).mkdir(parents=True, mode=0o700)
        # All of the same length: the file stays a database.
        own = content.replace(_NAME.encode(), name.encode()).replace(_DIGEST.encode(), f"{number:064x}".encode())
        created_at = f"{at:%Y-%m-%dT%H:%M:%S}.000Z"
        journal = reports / name / "journal.sqlite3"
        journal.write_bytes(own.replace(AT.encode(), created_at.encode()))
        with closing(sqlite3.connect(journal)) as connection, connection:
            seal_again(connection)
