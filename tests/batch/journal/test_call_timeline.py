"""The calls of each session over time, in buckets of seconds or of minutes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.checksums import with_checksum
from bulkreact.batch.journal.journal import Journal
from bulkreact.models import RunState, SessionTimeline
from bulkreact.timestamps import iso_milliseconds
from tests.batch.journal.test_journal import make, valid
from tests.support.ids import AT, guid

BEGAN = datetime.fromisoformat(AT) + timedelta(milliseconds=900)


def at(seconds: float) -> str:
    return iso_milliseconds(BEGAN + timedelta(seconds=seconds))


def record_session(journal: Journal, starts: Sequence[float], *, ended: float | None) -> int:
    """Record a session with calls at these seconds; the second one was throttled, the third did not leave."""
    session = journal.begin_session(command="run", version="1", configured_per_minute=None, now=at(starts[0]))
    first = 100 * session
    journal.connection.execute("BEGIN")
    for call, seconds in enumerate(starts, first):
        values = (call, session, 1, "reactivate-entitlement", guid(call), guid(call), at(seconds))
        journal.connection.execute(schema.INSERT_CALL, with_checksum(values))
    for call, verdict, sent in ((first + 1, "Throttled", 1), (first + 2, "Transient", 0)):
        answer = (call, AT, verdict, None, "", "", 0, sent, 0, "")
        journal.connection.execute(schema.INSERT_ANSWER, with_checksum(answer))
    journal.connection.execute("COMMIT")
    if ended is not None:
        journal.end_session(session, state=RunState.INTERRUPTED, exit_code=130, reason="", now=at(ended))
    return session


@pytest.mark.parametrize(
    ("starts", "width", "buckets"),
    [
        # Began 0.9 s into a second: buckets begin with the first call, not with seconds of the clock.
        ((0, 0.95, 1, 1.05, 3.5), 1, ((2, 1), (1, 0), (0, 0), (1, 0))),
        ((0, 1, 2, 30, 3500), 60, ((3, 1), *((0, 0),) * 57, (1, 0))),
        ((0, 1, 2, 121, 239, 241, 7190), 120, ((2, 1), (2, 0), (1, 0), *((0, 0),) * 56, (1, 0))),
        ((0, 299, 301, 302, 100_000), 1800, ((3, 1), *((0, 0),) * 54, (1, 0))),
    ],
)
@pytest.mark.parametrize("has_ended", [True, False])
def test_calls_are_counted_over_time(
    tmp_path: Path, starts: tuple[float, ...], width: int, buckets: tuple[tuple[int, int], ...], *, has_ended: bool
) -> None:
    with Journal(make(tmp_path, [valid(2)])) as journal:
        record_session(journal, starts, ended=starts[-1] + 1 if has_ended else None)
        timelines, earlier = journal.session_timelines(limit=6)
    assert (timelines, earlier) == ([SessionTimeline("run", at(0), width, buckets)], 0)


def test_a_long_session_beside_a_short_one_changes_nothing(tmp_path: Path) -> None:
    with Journal(make(tmp_path, [valid(2)])) as journal:
        for starts in ((0, 1, 2), (5, 6, 7, 20_000), (30_000, 30_000.95, 30_001, 30_001.05)):
            record_session(journal, starts, ended=starts[-1])
        timelines, earlier = journal.session_timelines(limit=2)
    assert [
        (timeline.started_at, timeline.bucket_seconds, sum(c for c, _ in timeline.buckets)) for timeline in timelines
    ] == [
        (at(5), 600, 3),
        (at(30_000), 1, 3),
    ]
    assert timelines[1].buckets == ((2, 1), (1, 0))
    assert earlier == 1
