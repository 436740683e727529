"""What a program is told of a process's work: all rows of the input, whichever process settled them."""

import pytest

from bulkreact.batch.environment import VERIFYING, WaitReason, WaitState
from bulkreact.runs.progress_meter import ProgressSnapshot
from bulkreact.runs.work_report import Activity, WorkReport

WAITS = WaitState(rows={WaitReason.THROTTLED: 3, WaitReason.BUSY: 1}, customers=2, next_seconds=7.24)


def snapshot(
    title: str, settled: int, total: int, waits: WaitState = WAITS, *, stopping: bool = False
) -> ProgressSnapshot:
    """Return a phase with four calls and one failure."""
    return ProgressSnapshot(title, settled, total, 1, 4, 59.96, None, at_least=False, waits=waits, stopping=stopping)


def members(report: WorkReport) -> dict[str, object]:
    """Return what the file has besides time and process."""
    written = report.members(time="", pid=1)
    return {name: value for name, value in written.items() if name not in {"time", "pid"}}


def test_rows_settled_by_earlier_processes_count() -> None:
    begun = WorkReport(run_id="run", total=10, settled=6, failures=2, calls=7)
    assert members(begun.in_phase(snapshot("Reactivating", 1, 4))) == {
        "run_id": "run",
        "phase": "sending",
        "words": "Reactivating: 4 rows wait: 3 throttled, 1 busy; 2 customers throttled; next call in 0:08",
        "total": 10,
        "settled": 7,
        "failures": 3,
        "calls": 11,
        "per_minute": 60.0,
        "waiting": {"seconds": 7.2, "customers": 2, "rows": 4},
        "stopping": False,
    }


def test_while_rows_are_verified_those_are_settled_that_are_not_watched_any_more() -> None:
    report = WorkReport(run_id="run", total=10, settled=10).in_phase(snapshot(VERIFYING, 1, 4))
    assert (report.activity, report.total, report.settled) == (Activity.VERIFYING, 10, 7)


def test_a_discovery_counts_what_it_reads() -> None:
    report = WorkReport().in_phase(snapshot("Customers", 2, 5)).after_phase().in_phase(snapshot("Reading", 1, 3))
    assert (report.run_id, report.total, report.settled, report.calls) == (None, 3, 1, 8)


@pytest.mark.parametrize("stopping", [True, False])
def test_after_a_phase_nothing_waits_and_a_stop_is_still_known(stopping: bool) -> None:
    report = WorkReport(run_id="run").in_phase(snapshot("Reactivating", 1, 4, stopping=stopping)).after_phase()
    assert (report.per_minute, report.waits, report.stopping) == (0.0, WaitState(), stopping)
