"""Puts the rows of a file into a new journal, as a run does before it begins.

``timed`` prints the seconds that takes, and those on the processor. ``finished`` makes the journal of a run in which all
rows but the last ones were accepted. ``settled`` makes that of a finished run in which every thousandth row failed.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

from bulkreact import __version__
from bulkreact.batch.journal import schema
from bulkreact.batch.journal.checksums import with_checksum
from bulkreact.batch.journal.fingerprint import save_fingerprint
from bulkreact.batch.journal.journal import create, finalize
from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.batch.journal.metadata import RunMetadata
from bulkreact.batch.journal.swapped_ids import flag_swapped_ids
from bulkreact.batch.journal.writer import connect_sqlite
from bulkreact.models import Operation
from bulkreact.sheets.input.input_file import InputFile

_AT = "2026-03-01T12:00:00.000Z"
_SESSION = (1, "run", __version__, 1, None, _AT, _AT, "interrupted", 130, "Ctrl-C")


def timed(source: Path, where: Path) -> tuple[float, float]:
    """Return the seconds that a journal of a file takes until its run could begin, and those on the processor."""
    with tempfile.TemporaryDirectory(dir=where) as folder:
        began, before = time.perf_counter(), os.times()
        _journal(source, Path(folder), run_id="timed", base_url="http://127.0.0.1:1")
        return time.perf_counter() - began, sum(os.times()[:4]) - sum(before[:4])


def finished(source: Path, folder: Path, *, base_url: str, left: int) -> None:
    """Make the journal of a run over a file, of which the last rows are left to be sent."""
    folder.mkdir(parents=True)
    _, rows = _journal(source, folder, run_id=folder.name, base_url=base_url)
    settled = range(1, rows - left + 1)
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection:
        connection.execute("BEGIN")
        connection.execute(schema.INSERT_SESSION, with_checksum(_SESSION))
        connection.executemany(schema.INSERT_CALL, map(with_checksum, _calls(settled)))
        answer = (_AT, "Accepted", 202, "", "", 1, 1, 0, "")
        connection.executemany(schema.INSERT_ANSWER, (with_checksum((call, *answer)) for call in settled))
        rest = ("", "", 0, "")
        outcomes = ((1, row, "accepted", 1, row, *rest) for row in settled)
        connection.executemany(schema.INSERT_OUTCOME, map(with_checksum, outcomes))
        connection.execute("COMMIT")
        save_fingerprint(connection, folder)


def settled(source: Path, folder: Path) -> None:
    """Make the journal of a run over a file that has ended, in which every thousandth row failed."""
    folder.mkdir(parents=True)
    _, rows = _journal(source, folder, run_id=folder.name, base_url="http://127.0.0.1:1")
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection:
        connection.execute("BEGIN")
        session = (*_SESSION[:7], "finished", 1, "")
        connection.execute(schema.INSERT_SESSION, with_checksum(session))
        connection.executemany(schema.INSERT_CALL, map(with_checksum, _calls(range(1, rows + 1))))
        connection.executemany(schema.INSERT_ANSWER, map(with_checksum, map(_answer, range(1, rows + 1))))
        connection.executemany(schema.INSERT_OUTCOME, map(with_checksum, map(_outcome, range(1, rows + 1))))
        connection.execute("COMMIT")


def _answer(row: int) -> tuple[str | int | None, ...]:
    if row % 1000:
        return row, _AT, "Accepted", 202, "", "", 1, 1, 0, ""
    return row, _AT, "Failed", 400, "20002", "no relationship", 1, 0, 0, ""


def _outcome(row: int) -> tuple[str | int | None, ...]:
    if row % 1000:
        return 1, row, "accepted", 1, row, "", "", 0, ""
    return 1, row, "failed", 1, row, "20002", "no relationship", 0, ""


def _journal(source: Path, folder: Path, *, run_id: str, base_url: str) -> tuple[RunMetadata, int]:
    input_file = InputFile(source, max_rows=10_000_000)
    traits = create(folder, input_file.rows_in_bulk()).traits()
    if traits.may_have_swapped_ids:
        flag_swapped_ids(folder)
    run = _metadata(input_file, run_id=run_id, base_url=base_url)
    finalize(folder, run, traits)
    return run, input_file.count


def _metadata(input_file: InputFile, *, run_id: str, base_url: str) -> RunMetadata:
    return RunMetadata(
        id=run_id,
        uuid=str(uuid4()),
        version=__version__,
        command="run",
        operator="bench",
        created_at=_AT,
        input_name=input_file.path.name,
        input_sha256=input_file.sha256,
        header=input_file.header,
        digest=input_file.digest,
        row_limit=None,
        cloud="global",
        base_url=base_url,
        api_version="v1",
        tenant_id=None,
        simulated=False,
        from_spreadsheet=False,
    )


def _calls(settled: range) -> Iterator[tuple[int, int, int, str, str, str, str]]:
    operation = Operation.REACTIVATE_ENTITLEMENT.value
    for number in settled:
        yield number, 1, number, operation, str(uuid4()), str(uuid4()), _AT


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["timed", source, where]:
            print(*timed(Path(source), Path(where)))  # noqa: T201 - the figure
        case ["finished", source, folder, base_url, left]:
            finished(Path(source), Path(folder), base_url=base_url, left=int(left))
        case ["settled", source, folder]:
            settled(Path(source), Path(folder))
        case _:
            sys.exit("timed SOURCE WHERE, or finished SOURCE FOLDER BASE_URL LEFT, or settled SOURCE FOLDER")
