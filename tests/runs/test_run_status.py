"""The status of a run follows from its latest session."""

import pytest

from bulkreact.batch.journal.metadata import SessionRecord
from bulkreact.models import RunState
from bulkreact.runs.run_status import run_status

NOW, ENDED = "2026-03-01T12:00:00.000Z", "2026-03-01T11:00:00.000Z"


def session(state: RunState | None, exit_code: int | None) -> SessionRecord:
    """Return a session that ended so."""
    return SessionRecord(1, 1, ENDED, ENDED if state else None, state, exit_code, "why", 300.0)


@pytest.mark.parametrize(
    ("latest", "state", "exit_code", "finished_at"),
    [
        (None, RunState.INTERRUPTED, 130, NOW),
        (session(None, None), RunState.INTERRUPTED, 130, NOW),
        (session(RunState.HALTED, 4), RunState.HALTED, 4, ENDED),
        # Their code follows from the rows.
        (session(RunState.FINISHED, 1), RunState.FINISHED, 0, ENDED),
        (session(RunState.FINISHED, 74), RunState.FINISHED, 0, ENDED),
        (session(RunState.HALTED, 74), RunState.HALTED, 0, ENDED),
    ],
)
def test_a_status_is_what_the_latest_session_recorded(
    latest: SessionRecord | None, state: RunState, exit_code: int, finished_at: str
) -> None:
    status = run_status(latest, now=NOW)
    assert (status.stop_reason.state, status.stop_reason.exit_code, status.finished_at) == (
        state,
        exit_code,
        finished_at,
    )
    assert status.end_recorded is (finished_at == ENDED)
