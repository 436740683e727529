"""How the watched rows of one subscription end."""

from datetime import UTC, datetime, timedelta

import pytest

from bulkreact.batch.journal.watched_rows import WatchedRow
from bulkreact.batch.verify.activation import ActivationWatch, AutoRenewRestore
from bulkreact.batch.verify.subscription_watch import PollSchedule, SubscriptionWatch, watch_rows
from bulkreact.models import Answer, AutoRenew, Call, Outcome, Status, Target
from bulkreact.settings import Verification

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCHEDULE = PollSchedule(Verification(after=60, every=30, timeout=100), 1000.0, NOW)


@pytest.mark.parametrize(
    ("seconds_ago", "due"), [(None, 1000.0), (0, 1060.0), (20, 1040.0), (61, 1000.0), (99_999, 1000.0), (-50, 1060.0)]
)
def test_a_row_is_read_first_some_time_after_it_was_accepted(seconds_ago: int | None, due: float) -> None:
    accepted = None if seconds_ago is None else NOW - timedelta(seconds=seconds_ago)
    assert SCHEDULE.first(accepted) == due


@pytest.mark.parametrize(("now", "due"), [(1000.0, 1030.0), (1080.0, 1100.0), (1100.0, 1100.0), (1200.0, 1200.0)])
def test_a_row_is_read_again_at_the_latest_at_the_deadline(now: float, due: float) -> None:
    assert SCHEDULE.next(now) == due


@pytest.mark.parametrize(
    ("restoring", "requested", "status", "auto_renew", "http_status", "restores", "due"),
    [
        (True, True, Status.ACCEPTED, AutoRenew.OFF, 200, True, float("-inf")),
        (True, True, Status.ACCEPTED, AutoRenew.OFF, 202, True, 1060.0),
        (True, True, Status.REACTIVATED, AutoRenew.OFF, 202, True, float("-inf")),
        (True, True, Status.ACCEPTED, AutoRenew.UNTOUCHED, 202, True, 1060.0),
        (True, True, Status.ACCEPTED, AutoRenew.RESTORED, 200, False, 1060.0),
        (True, False, Status.ACCEPTED, AutoRenew.OFF, 200, False, 1060.0),
        (False, True, Status.ACCEPTED, AutoRenew.OFF, 200, False, 1060.0),
    ],
)
def test_a_watch_restores_auto_renewal_that_is_off_on_request(
    status: Status,
    auto_renew: AutoRenew,
    http_status: int,
    due: float,
    *,
    restoring: bool,
    requested: bool,
    restores: bool,
) -> None:
    call = Call(1, "r", "c", NOW.isoformat(), NOW.isoformat(), Answer(http_status, "", "", business=True))
    outcome = Outcome(status, 1, call, auto_renew=auto_renew)
    row = WatchedRow(5, 6, Target("customer", "id", ""), outcome, restore_auto_renew=requested, restore_attempts=3)
    watch = watch_rows([row], SCHEDULE, restoring=restoring)
    assert (watch.position, watch.due, watch.restore) == (
        5,
        due,
        AutoRenewRestore(request_sequence=3) if restores else None,
    )


@pytest.mark.parametrize(
    ("member", "status", "is_ambiguous", "is_seen", "seen_active", "ends"),
    [
        ("", Status.ACCEPTED, False, True, True, (Status.REACTIVATED, AutoRenew.STILL_OFF)),
        ("a", Status.ACCEPTED, False, True, True, (Status.PENDING, AutoRenew.UNTOUCHED)),
        ("a", Status.ACCEPTED, False, True, False, (Status.PENDING, AutoRenew.UNTOUCHED)),
        ("a", Status.PENDING, False, True, False, (Status.PENDING, AutoRenew.UNTOUCHED)),
        ("a", Status.UNKNOWN, True, True, False, (Status.PENDING, AutoRenew.UNTOUCHED)),
        ("a", Status.UNKNOWN, False, True, False, None),
        ("a", Status.ACCEPTED, False, False, False, None),
    ],
)
def test_how_a_row_ends_that_is_watched_no_longer(
    member: str,
    status: Status,
    ends: tuple[Status, AutoRenew] | None,
    *,
    is_ambiguous: bool,
    is_seen: bool,
    seen_active: bool,
) -> None:
    row = WatchedRow(1, 2, Target("customer", "id", member), Outcome(status, 1, None), is_ambiguous)
    restore = AutoRenewRestore(seen_active=seen_active)
    seen = {member: "its status was 'inactive'"} if is_seen else {}
    watch = SubscriptionWatch(1, "customer", {member: row}, ActivationWatch("id"), SCHEDULE, 0.0, restore, seen)
    ended, unchanged = watch.close()
    assert [(outcome.status, outcome.auto_renew) for _, outcome in ended] == ([ends] if ends else [])
    assert unchanged == ([] if ends else [row])
    assert not watch.members
