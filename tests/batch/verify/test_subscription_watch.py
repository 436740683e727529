"""How the watched rows of one subscription end."""

import pytest

from bulkreact.batch.journal.watched_rows import WatchedRow
from bulkreact.batch.verify.activation import ActivationWatch, AutoRenewRestore
from bulkreact.batch.verify.subscription_watch import SubscriptionWatch
from bulkreact.models import AutoRenew, Outcome, Status, Target


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
    watch = SubscriptionWatch(1, "customer", {member: row}, ActivationWatch("id"), 0.0, restore, seen)
    ended, unchanged = watch.close()
    assert [(outcome.status, outcome.auto_renew) for _, outcome in ended] == ([ends] if ends else [])
    assert unchanged == ([] if ends else [row])
    assert not watch.members
