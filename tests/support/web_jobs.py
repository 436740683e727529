"""A job of the page, to be changed into what a test is about."""

from bulkreact.web.jobs import JobState, WebJob

NOW = "2026-03-01T08:00:00.000Z"
JOB = WebJob(
    number=1,
    state=JobState.CHECKING,
    target="simulated",
    name="orders.csv",
    note="",
    by_id="ann",
    by_name="Ann",
    created_at=NOW,
    changed_at=NOW,
)
