"""What a report says happened over time: processes, outages and pauses, in order."""

from bulkreact.batch.environment import OutageRecord, StopReason
from bulkreact.batch.journal.run_history import RunProcess, ThrottlePeriod
from bulkreact.models import RunState
from bulkreact.runs.report_events import end_process, run_events
from bulkreact.runs.run_status import RunStatus


def at(minute: int, second: int = 0) -> str:
    return f"2026-03-01T12:{minute:02}:{second:02}.000Z"


FINISHED = RunProcess("resume", at(30), at(42, 5), "finished", "complete")
STOPPED = RunProcess("run", at(0), at(20), "interrupted", "terminated (SIGTERM).")


def test_events_come_in_the_order_in_which_they_began() -> None:
    outage = OutageRecord(at(5), at(9, 30), "", 7, "http-503: Service Unavailable")
    events = run_events([STOPPED, FINISHED], [outage], [ThrottlePeriod(at(2), at(3), 12, 29.5)])
    assert [(event.since, event.until, event.title) for event in events] == [
        (at(0), at(20), "bulkreact run"),
        (at(2), at(3), "Partner Center asked to wait"),
        (at(5), at(9, 30), "Partner Center could not be reached"),
        (at(30), at(42, 5), "bulkreact resume"),
    ]
    assert [event.description for event in events] == [
        "Interrupted after 20:00: terminated (SIGTERM).",
        "12 calls throttled; at the longest nothing was sent for 0:30.",
        "All calls waited for 4:30. 7 probes. The latest answer: http-503: Service Unavailable.",
        "Complete after 12:05.",
    ]


def test_what_has_no_end_says_so() -> None:
    events = run_events([RunProcess("run", at(0), "", "", "")], [OutageRecord(at(1), "", "", 1, "")], [])
    assert [(event.until, event.description) for event in events] == [
        ("", "No end was recorded: the process was killed, or is still at work."),
        ("", "It had not ended when the run stopped. 1 probe."),
    ]


def test_a_throttle_that_held_up_nobody_is_no_pause() -> None:
    (event,) = run_events([], [], [ThrottlePeriod(at(2), at(2), 1, 0.2)])
    assert event.description == "1 call throttled."


def test_the_process_that_writes_the_report_has_the_end_that_will_be_recorded() -> None:
    reason = StopReason(RunState.HALTED, 4, "too many failures")
    ended = end_process(RunProcess("run", at(0), "", "", ""), RunStatus(reason, None, at(7)))
    assert ended == RunProcess("run", at(0), at(7), "halted", "too many failures")
