"""Changes single bits, makes a journal to be damaged, and reads all that a run sends and reports from one."""

import re
import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from msgspec.structs import replace

from bulkreact.batch.journal.journal import Journal, create, finalize
from bulkreact.batch.journal.journal_file import read_only
from bulkreact.batch.journal.pending_rows import next_request_id
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.swapped_ids import input_digest
from bulkreact.models import InputRow
from bulkreact.settings import Limits, Threshold
from tests.support.ids import AT, guid, metadata, scenario_id, target
from tests.support.virtual_run import Killed, VirtualRun

_LIMITS = Limits(calls_per_second=None, attempts=2, halt=Threshold())
_SCENARIOS = (1503, 1404, 1999, 1400)
# Pages are mostly empty: of long runs of zeros only the ends are worth a try.
_EMPTY = re.compile(rb"\0{32,}")


def flips(content: bytes, *, every: int) -> Iterator[bytes]:
    """Yield the content with one bit changed, for a choice of bits all over what is not empty."""
    empty = {index for run in _EMPTY.finditer(content) for index in range(run.start() + 8, run.end() - 8)}
    bits = [8 * index + bit for index in range(len(content)) if index not in empty for bit in range(8)]
    for position in bits[::every]:
        changed = bytearray(content)
        changed[position // 8] ^= 1 << position % 8
        yield bytes(changed)


def make_damageable(folder: Path) -> Path:
    """Make the journal of a run that was killed, with rows of each kind, and a log that was not written back."""
    origin = folder.with_name("origin")
    origin.mkdir(parents=True)
    folder.mkdir()
    targets = [target(guid(number), number % 3) for number in range(8)]
    targets += [target(scenario_id(tail, number)) for number, tail in enumerate(_SCENARIOS)]
    targets += [target("", 7), target(guid(20), 7), target(guid(1), 1)]
    rows = [InputRow(number, ("x", f"note {number}"), target) for number, target in enumerate(targets, 2)]
    rows += [InputRow(40, ("?",), None, "no-ids", "the row has content but no ids")]
    lost = replace(rows[0], number=41, target=target(guid(30)), request_id=guid(90), outcome_unknown=True)
    create(
        origin,
        [*rows, replace(lost, deadline=AT), *(replace(rows[0], number=n, target=target(guid(n))) for n in (42, 43))],
    )
    finalize(origin, metadata(header=("a", "b"), uuid=guid(77), digest=input_digest(origin), row_limit=14))
    VirtualRun(origin).work(_LIMITS)
    # A reader keeps the log from being written back.
    with closing(read_only(origin)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM run").fetchone()
        with Journal(origin) as journal:
            journal.lift_row_limit()
            journal.transfer_rows([3], "20260301T130000Z-test-0001")
        calls = iter(range(100))
        run = VirtualRun(origin, kills_process=lambda: next(calls) > 3)
        with suppress(Killed):
            run.work(_LIMITS)
        for name in ("journal.sqlite3", "journal.sqlite3-wal"):
            shutil.copy(origin / name, folder)
    return folder


def read_effects(folder: Path) -> tuple[object, ...]:
    """Return what is sent next, under which request ids, and what is reported."""
    with JournalReader(folder) as journal:
        rows = journal.pending_rows(soon="2099")
        pending = [
            (row, next_request_id(journal.metadata.request_ids, row))
            for stream in rows.streams()
            for row in rows.rows(stream, 0, 99)
        ]
        return (
            journal.metadata,
            journal.latest_session(),
            journal.latest_session(sending=False),
            pending,
            journal.open_count(with_excluded=True),
            list(journal.result_rows()),
            sorted(map(repr, journal.result_groups())),
            [*journal.candidates(all_failed=True)],
            journal.find_owners(journal.row_numbers()),
            journal.unknown_count(),
            journal.traffic(None),
            journal.write_calls(),
            journal.session_timelines(limit=9),
            journal.outages(),
        )
