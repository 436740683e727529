"""What follows each answer while an accepted subscription is watched: the decision tables, line by line."""

import pytest
from msgspec.structs import replace

from bulkreact.batch.policy import CONFLICTS, NOT_READY_SECONDS, RetryIn
from bulkreact.batch.verify.activation import (
    FRESH_SECONDS,
    ActivationWatch,
    AutoRenewRestore,
    Next,
    WatchStep,
    auto_renew_when_active,
)
from bulkreact.models import Answer, AutoRenew, Operation
from bulkreact.partnercenter.subscription import Subscription, read
from bulkreact.partnercenter.verdicts import (
    Accepted,
    Conflict,
    Listed,
    NotReady,
    Refused,
    StatusRead,
    Throttled,
    TokenRefused,
    Transient,
    Verdict,
)

ANSWER = Answer(200, "", "", business=True)
BROKEN = Transient(Answer(500, "http-500", "", business=False))
ID, A, B, C = "subscription", "a", "b", "c"


def subscription(status: str = "active", *, auto_renew: bool = False, own_id: str = ID) -> Subscription:
    parsed = read(f'{{"id":"{own_id}","status":"{status}","autoRenewEnabled":{str(auto_renew).lower()}}}'.encode())
    assert parsed is not None
    return parsed


def status_read(status: str = "active", *, auto_renew: bool = False, own_id: str = ID) -> StatusRead:
    return StatusRead(ANSWER, status, subscription(status, auto_renew=auto_renew, own_id=own_id))


@pytest.mark.parametrize(
    ("members", "use_list", "unread"),
    [
        ([""], True, ("",)),
        ([A], True, (A,)),
        (["", A], True, ("", A)),
        ([A, B], True, (None,)),
        (["", A, B], True, ("", None)),
        (["", A, B], False, ("", A, B)),
    ],
)
def test_a_round_reads_the_subscription_and_then_its_entitlements(
    members: list[str], *, use_list: bool, unread: tuple[str | None, ...]
) -> None:
    assert ActivationWatch(ID, use_list=use_list).start(members).unread == unread


@pytest.mark.parametrize(
    ("unread", "location", "operation"),
    [
        ((None,), "", Operation.LIST_ENTITLEMENTS),
        ((A,), "", Operation.GET_ENTITLEMENT),
        (("",), "", Operation.WATCH_SUBSCRIPTION),
        (("",), "/operations/1", Operation.WATCH_OPERATION),
        ((A,), "/operations/1", Operation.GET_ENTITLEMENT),
    ],
)
def test_each_read_has_its_operation(unread: tuple[str | None, ...], location: str, operation: Operation) -> None:
    assert ActivationWatch(ID, location, unread=unread).operation is operation


@pytest.mark.parametrize(
    ("restore", "verdict", "is_conclusive"),
    [
        (False, status_read(), True),
        (False, status_read("suspended"), True),
        (True, status_read("suspended"), True),
        (True, status_read(), False),
        (False, status_read(own_id="other"), False),
        (False, StatusRead(ANSWER, "active"), False),
        (False, Refused(ANSWER), False),
        (False, BROKEN, False),
    ],
)
def test_an_operation_is_forgotten_when_it_does_not_report_the_subscription(
    verdict: Verdict, *, restore: bool, is_conclusive: bool
) -> None:
    before = ActivationWatch(ID, "/operations/1", unread=("",))
    after, result = before.apply(verdict, [""], at="T", restore=restore)
    assert (after.location, after.unread) == (("/operations/1", ()) if is_conclusive else ("", ("",)))
    assert bool(result.seen) is is_conclusive


INACTIVE, ACTIVE = "at T its status was 'inactive'", "at T its status was 'active'"
UNREADABLE = "at T it could not be read (http-500)"


@pytest.mark.parametrize(
    ("unread", "verdict", "left", "use_list", "active", "seen"),
    [
        ((A,), StatusRead(ANSWER, "active"), (), True, [A], {A: ACTIVE}),
        ((A, B), StatusRead(ANSWER, "inactive"), (B,), True, [], {A: INACTIVE}),
        ((A,), BROKEN, (), True, [], {A: UNREADABLE}),
        (
            (None,),
            Listed(ANSWER, {A: "active", B: "inactive", C: "active"}),
            (),
            True,
            [A, C],
            {A: ACTIVE, B: INACTIVE, C: ACTIVE},
        ),
        ((None,), Listed(ANSWER, {A: "active", "x": "active"}), (B, C), True, [A], {A: ACTIVE}),
        ((None,), Listed(ANSWER, {"x": "active"}), (A, B, C), False, [], {}),
        ((None,), BROKEN, (A, B, C), False, [], {}),
    ],
)
def test_a_read_shows_the_status_of_its_members(
    unread: tuple[str | None, ...],
    verdict: Verdict,
    left: tuple[str | None, ...],
    active: list[str],
    seen: dict[str, str],
    *,
    use_list: bool,
) -> None:
    after, result = ActivationWatch(ID, unread=unread).apply(verdict, [A, B, C], at="T", restore=False)
    assert (after.unread, after.use_list) == (left, use_list)
    assert (result.active, result.seen) == (active, seen)


@pytest.mark.parametrize(
    ("members_left", "restore_is_due", "unread", "time_is_over", "step"),
    [
        (True, True, (A,), True, WatchStep.RESTORE_NOW),
        (True, True, (), False, WatchStep.RESTORE_NOW),
        (False, False, (), True, WatchStep.ALL_ACTIVE),
        (False, False, (), False, WatchStep.ALL_ACTIVE),
        (True, False, (A,), True, RetryIn(0)),
        (True, False, (A,), False, RetryIn(0)),
        (True, False, (), False, WatchStep.POLL_NEXT_ROUND),
        (True, False, (), True, WatchStep.GIVE_UP),
    ],
)
def test_what_follows_a_read(
    unread: tuple[str | None, ...], step: Next, *, members_left: bool, restore_is_due: bool, time_is_over: bool
) -> None:
    watch = ActivationWatch(ID, unread=unread)
    assert watch.next(members_left=members_left, restore_is_due=restore_is_due, time_is_over=time_is_over) == step


@pytest.mark.parametrize(
    ("age", "read_twice", "is_sent"),
    [
        (0, False, True),
        (FRESH_SECONDS, False, True),
        (FRESH_SECONDS + 1, False, False),
        (FRESH_SECONDS + 1, True, True),
    ],
)
def test_an_old_snapshot_is_read_once_more_before_it_is_sent(age: float, *, read_twice: bool, is_sent: bool) -> None:
    restore = AutoRenewRestore(snapshot=subscription(), read_at=100.0, read_twice=read_twice)
    assert (restore.to_send(100.0 + age) is not None) is is_sent


def test_nothing_is_sent_before_it_was_read() -> None:
    assert AutoRenewRestore().to_send(0.0) is None


def test_a_read_replaces_the_snapshot() -> None:
    read_again = AutoRenewRestore(snapshot=subscription()).before_read()
    assert (read_again.snapshot, read_again.read_twice) == (None, True)
    assert not read_again.before_read().read_twice


@pytest.mark.parametrize(
    ("read", "is_due"),
    [
        (subscription(), True),
        (subscription("suspended"), False),
        (subscription(auto_renew=True), False),
        (None, False),
    ],
)
def test_only_an_active_subscription_without_auto_renewal_is_sent_back(
    read: Subscription | None, *, is_due: bool
) -> None:
    restore = AutoRenewRestore().after_read(read, now=5.0)
    assert restore == (AutoRenewRestore(snapshot=read, read_at=5.0, seen_active=True) if is_due else AutoRenewRestore())


@pytest.mark.parametrize(
    ("verdict", "changes"),
    [
        (Accepted(ANSWER), {"request_sequence": 4}),
        (Refused(ANSWER), {"request_sequence": 4}),
        (Conflict(ANSWER), {"request_sequence": 4, "conflicts": 1}),
        (NotReady(ANSWER), {"request_sequence": 4, "conflicts": 1}),
        (BROKEN, {"failures": (0,)}),
        (Throttled(replace(ANSWER, business=False), None), {}),
        (TokenRefused(replace(ANSWER, business=False)), {"token_refused": True}),
    ],
)
def test_an_answer_to_the_update_moves_its_counters_and_uses_up_the_snapshot(
    verdict: Verdict, changes: dict[str, int]
) -> None:
    before = AutoRenewRestore(request_sequence=3, snapshot=subscription())
    assert before.apply(verdict) == replace(before, snapshot=None, **changes)


@pytest.mark.parametrize(
    ("verdict", "conflicts", "step"),
    [
        (Accepted(ANSWER), CONFLICTS + 1, AutoRenew.RESTORED),
        (Conflict(ANSWER), CONFLICTS, RetryIn(0)),
        (Conflict(ANSWER), CONFLICTS + 1, AutoRenew.STILL_OFF),
        (NotReady(ANSWER), CONFLICTS, RetryIn(NOT_READY_SECONDS)),
        (NotReady(ANSWER), CONFLICTS + 1, AutoRenew.STILL_OFF),
        (Refused(ANSWER), 0, AutoRenew.STILL_OFF),
        (BROKEN, 0, AutoRenew.STILL_OFF),
    ],
)
def test_what_follows_an_answer_to_the_update(verdict: Verdict, conflicts: int, step: RetryIn | AutoRenew) -> None:
    assert AutoRenewRestore(conflicts=conflicts).next(verdict) == step


@pytest.mark.parametrize(
    ("read", "before", "after"),
    [
        (None, AutoRenew.UNTOUCHED, AutoRenew.UNTOUCHED),
        (subscription(), AutoRenew.UNTOUCHED, AutoRenew.OFF),
        (subscription(), AutoRenew.OFF, AutoRenew.OFF),
        (subscription(auto_renew=True), AutoRenew.OFF, AutoRenew.RESTORED),
        (subscription(auto_renew=True), AutoRenew.UNTOUCHED, AutoRenew.UNTOUCHED),
    ],
)
def test_auto_renewal_of_a_row_that_is_seen_active(
    read: Subscription | None, before: AutoRenew, after: AutoRenew
) -> None:
    assert auto_renew_when_active(read, before) is after
