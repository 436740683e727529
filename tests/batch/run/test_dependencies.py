"""Parents before children: who waits for whom, how long, and how it ends, in virtual time."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.journal import Journal, create, finalize
from bulkreact.batch.journal.pending_rows import FIND_PARENTS
from bulkreact.batch.journal.recorder import Recorder
from bulkreact.models import InputRow, NoResponse, Outcome, Response, RunState, Status, Target
from bulkreact.settings import Limits, Threshold, Verification
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.scenarios.test_subscription_updates import subscription_target
from tests.support.ids import guid, metadata
from tests.support.virtual_run import Killed, SentCall, VirtualRun

WAITING = Verification(after=0, every=1, timeout=10)
LIMITS = Limits(calls_per_second=None, concurrency=4, waiting=WAITING, halt=Threshold())
PLAN, REFUSED_PLAN, SLOW_PLAN, DEAD_PLAN, LAGGING_PLAN = 7001, 7002, 7003, 7004, 7005
PARENT, ADD_ON, ADD_ON_OF_ADD_ON, SLOW_PARENT, ITS_ADD_ON = 5000, 5001, 5002, 5003, 5004


def entitlement_of_plan(tail: int, number: int, customer: int = 1) -> Target:
    """Return an Azure subscription below a plan."""
    plan = subscription_target(tail, customer)
    return Target(plan.customer_id, plan.subscription_id, guid(number))


def run(folder: Path, targets: list[Target], limits: Limits = LIMITS) -> VirtualRun:
    virtual_run = VirtualRun(folder)
    virtual_run.create_journal(targets)
    virtual_run.work(limits)
    assert virtual_run.service.call_log.violations == []
    return virtual_run


def ends(virtual_run: VirtualRun) -> list[tuple[Status, str]]:
    return [(row.outcome.status, row.outcome.code) for row in virtual_run.rows()]


def writes(virtual_run: VirtualRun) -> list[str]:
    """Return what was written to, by the last digits of its id, in the order in which it was."""
    return [sent.path.removesuffix("/reactivate")[-12:] for sent in virtual_run.sent if sent.method != "GET"]


@pytest.mark.parametrize("plan", [PLAN, SLOW_PLAN, LAGGING_PLAN])
def test_rows_below_a_plan_are_sent_when_it_is_active(plan: int, tmp_path: Path) -> None:
    virtual_run = run(
        tmp_path,
        [
            entitlement_of_plan(plan, 1),
            entitlement_of_plan(plan, 2),
            subscription_target(plan),
            entitlement_of_plan(plan, 3),
        ],
    )
    assert writes(virtual_run)[0] == f"{plan:012d}"
    children = [row.outcome.status for row in virtual_run.rows() if row.number != 4]
    assert children == [Status.ACCEPTED] * 3


def test_nothing_below_a_plan_is_sent_before_it_is_active(tmp_path: Path) -> None:
    virtual_run = run(tmp_path, [entitlement_of_plan(SLOW_PLAN, 1), subscription_target(SLOW_PLAN)])
    assert [sent.status for sent in virtual_run.sent] == [200, 202, 200, 200, 200, 202]
    assert ends(virtual_run) == [(Status.ACCEPTED, ""), (Status.REACTIVATED, "")]


def test_a_plan_that_was_active_before_delays_no_row(tmp_path: Path) -> None:
    active = subscription_target(208)
    virtual_run = run(tmp_path, [Target(active.customer_id, active.subscription_id, guid(1)), active])
    assert ends(virtual_run) == [(Status.ACCEPTED, ""), (Status.ALREADY_ACTIVE, "")]
    assert virtual_run.now < 1


def test_rows_below_a_refused_plan_are_not_sent(tmp_path: Path) -> None:
    virtual_run = run(
        tmp_path,
        [
            entitlement_of_plan(REFUSED_PLAN, 1),
            subscription_target(REFUSED_PLAN),
            entitlement_of_plan(9, 2, customer=2),
        ],
    )
    first, _, other = virtual_run.rows()
    assert (first.outcome.status, first.outcome.code) == (Status.NOT_ATTEMPTED, "parent-failed")
    assert first.outcome.description == "not sent: row 3, the subscription above it, ended as failed (800096)"
    assert (first.outcome.attempts, first.outcome.call) == (0, None)
    assert other.outcome.status is Status.ACCEPTED
    assert virtual_run.phases[-1].progress.settled == 3


def test_rows_below_a_plan_that_does_not_become_active_are_deferred(tmp_path: Path) -> None:
    virtual_run = run(tmp_path, [entitlement_of_plan(DEAD_PLAN, 1), subscription_target(DEAD_PLAN)])
    assert ends(virtual_run) == [(Status.DEFERRED, "parent-not-active"), (Status.PENDING, "")]
    assert 10 <= virtual_run.now < 12


@pytest.mark.parametrize(
    "tails",
    [[ADD_ON_OF_ADD_ON, ADD_ON, PARENT], [PARENT, ADD_ON, ADD_ON_OF_ADD_ON], [ADD_ON, ADD_ON_OF_ADD_ON, PARENT]],
)
def test_add_ons_are_updated_after_their_parents(tails: list[int], tmp_path: Path) -> None:
    virtual_run = run(tmp_path, [subscription_target(tail) for tail in tails])
    assert writes(virtual_run) == [f"{tail:012d}" for tail in (PARENT, ADD_ON, ADD_ON_OF_ADD_ON)]
    assert {status for status, _ in ends(virtual_run)} <= {Status.ACCEPTED, Status.REACTIVATED}


def test_an_add_on_waits_until_its_parent_is_seen_active(tmp_path: Path) -> None:
    virtual_run = run(tmp_path, [subscription_target(ITS_ADD_ON), subscription_target(SLOW_PARENT)])
    assert writes(virtual_run) == [f"{SLOW_PARENT:012d}", f"{ITS_ADD_ON:012d}"]
    assert ends(virtual_run) == [(Status.ACCEPTED, ""), (Status.REACTIVATED, "")]


def test_an_add_on_that_is_refused_for_its_parent_is_tried_again(tmp_path: Path) -> None:
    virtual_run = run(tmp_path, [subscription_target(5007), subscription_target(PARENT)])
    assert ends(virtual_run) == [(Status.ACCEPTED, ""), (Status.ACCEPTED, "")]
    assert [sent.status for sent in virtual_run.sent if sent.path.endswith("5007") and sent.method == "PATCH"][
        -1
    ] == 200


def test_a_refusal_fails_all_descendants(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal(
        [subscription_target(ADD_ON_OF_ADD_ON), subscription_target(ADD_ON), subscription_target(PARENT)]
    )
    refusal = Response(400, "", {}, b'{"code":800096,"description":"no"}')
    virtual_run.answer = lambda sent: refusal if sent.method == "PATCH" else None
    virtual_run.work(LIMITS)
    grandchild, child, parent = virtual_run.rows()
    assert parent.outcome.status is Status.FAILED
    assert child.outcome.status is grandchild.outcome.status is Status.NOT_ATTEMPTED
    assert "row 4" in child.outcome.description
    assert "row 3" in grandchild.outcome.description
    assert virtual_run.phases[-1].progress.settled == 3


def test_a_dependency_cycle_delays_no_row(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    first, second = subscription_target(1), subscription_target(2)
    virtual_run.create_journal([first, second])

    def answer(sent: SentCall) -> Response | None:
        parent = second if sent.path.endswith("1") else first
        body = f'{{"status":"suspended","parentSubscriptionId":"{parent.subscription_id.upper()}"}}'
        return Response(200, "", {}, body.encode() if sent.method == "GET" else b'{"status":"active"}')

    virtual_run.answer = answer
    virtual_run.work(LIMITS)
    assert ends(virtual_run) == [(Status.ACCEPTED, ""), (Status.ACCEPTED, "")]


def test_more_add_ons_than_calls_in_flight_do_not_block_their_parent(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    parent = subscription_target(1)
    virtual_run.create_journal([*(subscription_target(100_000 + number) for number in range(20)), parent])

    def add_on(sent: SentCall) -> Response | None:
        if sent.method != "GET" or sent.path.endswith(parent.subscription_id):
            return None
        return Response(
            200, "", {}, f'{{"status":"suspended","parentSubscriptionId":"{parent.subscription_id}"}}'.encode()
        )

    virtual_run.answer = lambda sent: (
        add_on(sent) or (Response(200, "", {}, b'{"status":"active"}') if sent.method == "PATCH" else None)
    )
    virtual_run.work(LIMITS)
    assert {status for status, _ in ends(virtual_run)} == {Status.ACCEPTED}
    assert writes(virtual_run)[0] == parent.subscription_id[-12:]


def test_a_plan_that_is_no_row_of_the_run_is_not_waited_for(tmp_path: Path) -> None:
    virtual_run = run(tmp_path, [entitlement_of_plan(PLAN, 1)])
    assert ends(virtual_run) == [(Status.DEFERRED, "27009")]


def make(virtual_run: VirtualRun, targets: list[Target], **changes: object) -> None:
    create(virtual_run.folder, [InputRow(number, ("x",), target) for number, target in enumerate(targets, 2)])
    finalize(virtual_run.folder, metadata(header=("a",), uuid=guid(77), **changes))


def test_a_plan_excluded_by_the_limit_is_not_waited_for(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    make(virtual_run, [entitlement_of_plan(PLAN, 1), subscription_target(PLAN)], row_limit=1)
    virtual_run.work(LIMITS)
    assert [status for status, _ in ends(virtual_run)] == [Status.DEFERRED, Status.NOT_ATTEMPTED]


def test_a_second_row_of_the_same_plan_delays_no_row(tmp_path: Path) -> None:
    virtual_run = run(
        tmp_path,
        [
            entitlement_of_plan(PLAN, 1),
            subscription_target(PLAN),
            subscription_target(PLAN),
            entitlement_of_plan(PLAN, 1),
        ],
    )
    assert [status for status, _ in ends(virtual_run)] == [
        Status.ACCEPTED,
        Status.ACCEPTED,
        Status.DUPLICATE,
        Status.DUPLICATE,
    ]


def test_rows_below_a_plan_fail_with_its_customer(tmp_path: Path) -> None:
    virtual_run = run(
        tmp_path, [entitlement_of_plan(20_002, 1), subscription_target(20_002), subscription_target(ADD_ON)]
    )
    assert ends(virtual_run)[:2] == [(Status.FAILED, "20002"), (Status.FAILED, "20002")]
    assert virtual_run.rows()[0].outcome.description.startswith("not sent: row 3 of the same customer was answered")


def test_a_refused_customer_leaves_no_add_on_waiting(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    # The add-on waits, the plan is refused with the customer, and so the parent is never sent.
    virtual_run.create_journal(
        [
            subscription_target(ADD_ON),
            subscription_target(9_020_002),
            *(subscription_target(number) for number in range(600_000, 600_010)),
            subscription_target(PARENT),
        ]
    )
    virtual_run.work(Limits(calls_per_second=None, concurrency=1, per_customer=1, waiting=WAITING, halt=Threshold()))
    statuses = [status for status, _ in ends(virtual_run)]
    assert statuses[0] is Status.NOT_ATTEMPTED
    assert set(statuses[1:]) == {Status.FAILED}


def interrupt_when(virtual_run: VirtualRun, condition: Callable[[SentCall], bool]) -> None:
    """Ask the process to end when a call arrives."""

    def interrupt(sent: SentCall) -> None:
        if condition(sent):
            virtual_run.phases[-1].interrupt(terminated=False)

    virtual_run.on_call = interrupt


def test_rows_that_wait_when_the_run_is_interrupted_are_deferred_and_sent_later(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal(
        [
            entitlement_of_plan(SLOW_PLAN, 1),
            subscription_target(SLOW_PLAN),
            subscription_target(ITS_ADD_ON),
            subscription_target(SLOW_PARENT),
        ]
    )
    plan = f"{SLOW_PLAN:012d}"
    interrupt_when(
        virtual_run, lambda _: sum(sent.method == "GET" and sent.path.endswith(plan) for sent in virtual_run.sent) == 2
    )
    assert virtual_run.work(LIMITS).state is RunState.INTERRUPTED
    waiting = virtual_run.rows()[0].outcome
    assert (waiting.status, waiting.code) == (Status.DEFERRED, "parent-not-active")
    assert waiting.description == "not sent: it waited for row 3, the subscription above it"
    assert virtual_run.rows()[2].outcome.status is Status.DEFERRED
    virtual_run.on_call = lambda _sent: None
    assert virtual_run.work(LIMITS).state is RunState.FINISHED
    assert {status for status, _ in ends(virtual_run)} <= {Status.ACCEPTED, Status.REACTIVATED}
    assert len(writes(virtual_run)) == 4


@pytest.mark.parametrize("answers", range(1, 9))
def test_a_process_that_is_killed_at_any_time_leaves_no_row_behind(answers: int, tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    targets = [
        entitlement_of_plan(SLOW_PLAN, 1),
        subscription_target(ITS_ADD_ON),
        subscription_target(SLOW_PLAN),
        subscription_target(SLOW_PARENT),
        entitlement_of_plan(SLOW_PLAN, 2),
    ]
    virtual_run.create_journal(targets)
    virtual_run.kills_process = lambda: len(virtual_run.sent) == answers
    with pytest.raises(Killed):
        virtual_run.work(LIMITS)
    virtual_run.kills_process = lambda: False
    assert virtual_run.work(LIMITS).state is RunState.FINISHED
    assert {status for status, _ in ends(virtual_run)} <= {Status.ACCEPTED, Status.REACTIVATED}
    assert len(virtual_run.service.call_log.effects) == len(targets)
    assert virtual_run.service.call_log.violations == []


def test_a_process_killed_after_its_plan_was_refused_leaves_no_row_waiting(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([entitlement_of_plan(REFUSED_PLAN, 1), subscription_target(REFUSED_PLAN)])
    virtual_run.work(LIMITS)
    with Journal(tmp_path) as journal:
        # As if the process had died before it settled the child rows.
        journal.connection.execute("DELETE FROM outcomes WHERE status = 'not_attempted'")
    virtual_run.work(LIMITS)
    assert ends(virtual_run)[0] == (Status.NOT_ATTEMPTED, "parent-failed")


def test_an_unknown_plan_is_sent_again_with_the_rows_below_it(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    virtual_run.create_journal([entitlement_of_plan(1, 1), subscription_target(1)])
    lost = Response(504, "", {}, b"")
    virtual_run.answer = lambda sent: lost if sent.method == "PATCH" else None
    virtual_run.work(LIMITS)
    assert [status for status, _ in ends(virtual_run)] == [Status.NOT_ATTEMPTED, Status.UNKNOWN]
    virtual_run.answer = lambda _sent: None
    virtual_run.work(LIMITS)
    assert [status for status, _ in ends(virtual_run)] == [Status.ACCEPTED, Status.ACCEPTED]


def test_waiting_costs_only_the_reads_of_the_parent(tmp_path: Path) -> None:
    virtual_run = run(
        tmp_path, [*(entitlement_of_plan(SLOW_PLAN, number) for number in range(1, 40)), subscription_target(SLOW_PLAN)]
    )
    plan = [sent for sent in virtual_run.sent if sent.path.endswith(f"{SLOW_PLAN:012d}")]
    assert [sent.method for sent in plan] == ["GET", "PATCH", "GET", "GET", "GET"]


def test_a_throttled_customer_is_abandoned_with_its_waiting_rows(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal(
        [
            entitlement_of_plan(6429, 1),
            subscription_target(6429),
            subscription_target(ADD_ON),
            subscription_target(1, customer=2),
        ]
    )
    virtual_run.work(LIMITS)
    assert [status for status, _ in ends(virtual_run)] == [
        Status.DEFERRED,
        Status.DEFERRED,
        Status.DEFERRED,
        Status.ACCEPTED,
    ]


def create_with_deadlines(virtual_run: VirtualRun, rows: list[tuple[Target, str]]) -> None:
    """Make a run of rows that say when their targets are deleted for good."""
    create(
        virtual_run.folder,
        [InputRow(number, ("x",), target, deadline=deadline) for number, (target, deadline) in enumerate(rows, 2)],
    )
    finalize(virtual_run.folder, metadata(header=("a",), uuid=guid(77)))


ORDERED = Limits(calls_per_second=None, concurrency=1, urgent_first=True, waiting=WAITING)


def test_targets_that_are_deleted_soon_are_sent_first(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    # The virtual_run's clock begins on the first of March.
    create_with_deadlines(
        virtual_run,
        [
            (entitlement_of_plan(9, 1), ""),
            (entitlement_of_plan(9, 2), "2026-05-01T00:00:00Z"),
            (entitlement_of_plan(9, 3), "2026-03-10T00:00:00Z"),
            (entitlement_of_plan(9, 4, customer=2), "2026-03-03T00:00:00Z"),
            (entitlement_of_plan(9, 5, customer=2), "2026-04-01T00:00:00Z"),
            (entitlement_of_plan(9, 6, customer=3), "2026-03-02T00:00:00Z"),
        ],
    )
    virtual_run.work(ORDERED)
    assert [int(entitlement[-2:], 16) for entitlement in writes(virtual_run)] == [6, 4, 3, 5, 2, 1]


def test_a_customer_without_urgent_rows_comes_after_those_with_urgent_rows(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    urgent = [(entitlement_of_plan(9, number), f"2026-03-{number + 1:02}T00:00:00Z") for number in range(1, 6)]
    create_with_deadlines(virtual_run, [(entitlement_of_plan(9, 9, customer=2), "2026-06-01T00:00:00Z"), *urgent])
    virtual_run.work(ORDERED)
    assert [int(entitlement[-2:], 16) for entitlement in writes(virtual_run)] == [1, 2, 3, 4, 5, 9]


def test_a_plan_is_as_urgent_as_the_rows_below_it(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    create_with_deadlines(
        virtual_run,
        [
            (entitlement_of_plan(9, 1, customer=2), "2026-03-05T00:00:00Z"),
            (subscription_target(PLAN), ""),
            (entitlement_of_plan(PLAN, 2), "2026-03-02T00:00:00Z"),
        ],
    )
    virtual_run.work(ORDERED)
    assert virtual_run.sent[0].path.endswith(f"{PLAN:012d}")


def test_the_order_of_the_file_is_the_default(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    create_with_deadlines(
        virtual_run, [(entitlement_of_plan(9, 1), ""), (entitlement_of_plan(9, 2), "2026-03-02T00:00:00Z")]
    )
    virtual_run.work(Limits(calls_per_second=None, concurrency=1))
    assert [int(entitlement[-1:], 16) for entitlement in writes(virtual_run)] == [1, 2]


def test_a_waiting_row_does_not_count_against_its_customers_limit(tmp_path: Path) -> None:
    virtual_run = run(
        tmp_path,
        [subscription_target(ITS_ADD_ON), subscription_target(SLOW_PARENT)],
        Limits(calls_per_second=None, per_customer=1, waiting=WAITING),
    )
    assert {status for status, _ in ends(virtual_run)} == {Status.ACCEPTED, Status.REACTIVATED}


REFUSED_CUSTOMER = Response(403, "", {}, b'{"code":20002,"description":"no relationship"}')
TOO_LONG = Response(429, "", {"retry-after": "1000"}, b"")


def on_post(answer: Response) -> Callable[[SentCall], Response | None]:
    return lambda sent: answer if sent.method == "POST" else None


def test_an_add_on_whose_customer_is_refused_meanwhile_is_still_sent_after_its_parent(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal(
        [subscription_target(SLOW_PARENT), subscription_target(ITS_ADD_ON), entitlement_of_plan(9, 1)]
    )
    virtual_run.delay = lambda request: {"PATCH": 1.0, "POST": 0.5}.get(request.method, 0.0)
    virtual_run.answer = on_post(REFUSED_CUSTOMER)
    virtual_run.work(LIMITS)
    assert [status for status, _ in ends(virtual_run)] == [Status.REACTIVATED, Status.ACCEPTED, Status.FAILED]


@pytest.mark.parametrize("rows", [(SLOW_PARENT, ITS_ADD_ON), (ADD_ON, PARENT)])
def test_an_add_on_that_starts_to_wait_when_its_customer_is_abandoned_does_not_wait_for_ever(
    rows: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    virtual_run = VirtualRun(tmp_path)
    first, second = rows
    virtual_run.create_journal([subscription_target(first), entitlement_of_plan(9, 1), subscription_target(second)])
    slow = {f"{ITS_ADD_ON:012d}": 2.0, f"{ADD_ON:012d}": 1.05}
    virtual_run.delay = lambda request: 1.0 if request.method == "POST" else slow.get(request.path[-12:], 0.0)
    virtual_run.answer = on_post(TOO_LONG)
    settle = Recorder.settle_unsent

    async def settle_slowly(recorder: Recorder, customer_id: str | None, outcome: Outcome) -> int:
        await asyncio.sleep(0.3)
        return await settle(recorder, customer_id, outcome)

    monkeypatch.setattr(Recorder, "settle_unsent", settle_slowly)
    assert virtual_run.work(Limits(calls_per_second=None, concurrency=2, waiting=WAITING)).state is RunState.FINISHED
    assert Status.DEFERRED in {status for status, _ in ends(virtual_run)}


def test_a_lost_call_stays_lost_however_its_parent_ends(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    create(
        tmp_path,
        [
            InputRow(2, ("x",), subscription_target(5005)),
            InputRow(3, ("x",), subscription_target(5006), request_id=guid(555), outcome_unknown=True),
        ],
    )
    finalize(tmp_path, metadata(header=("a",), uuid=guid(77)))
    virtual_run.work(LIMITS)
    _, child = virtual_run.rows()
    assert (child.outcome.status, child.request_id) == (Status.UNKNOWN, guid(555))


def test_a_row_that_was_sent_before_is_not_reported_as_unsent(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(DEAD_PLAN), entitlement_of_plan(DEAD_PLAN, 1)])
    # The answer to the plan says that it is active, and the row below it is on its way when the process dies.
    virtual_run.answer = lambda sent: Response(200, "", {}, b'{"status":"active"}') if sent.method == "PATCH" else None
    virtual_run.kills_process = lambda: any(sent.method == "POST" for sent in virtual_run.sent)
    with pytest.raises(Killed):
        virtual_run.work(LIMITS)
    virtual_run.kills_process, virtual_run.answer = lambda: False, lambda _sent: None
    virtual_run.work(LIMITS)
    child = virtual_run.rows()[1].outcome
    assert (child.status, child.code, child.attempts) == (Status.DEFERRED, "27009", 2)


def test_all_descendants_are_sent_when_an_unknown_parent_is_sent_again(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(tail) for tail in (PARENT, ADD_ON, ADD_ON_OF_ADD_ON)])
    lost = NoResponse(sent=True, code="connection-lost", description="")
    virtual_run.answer = lambda sent: lost if sent.method == "PATCH" else None
    virtual_run.work(LIMITS)
    assert [status for status, _ in ends(virtual_run)] == [Status.UNKNOWN, Status.NOT_ATTEMPTED, Status.NOT_ATTEMPTED]
    virtual_run.answer = lambda _sent: None
    virtual_run.work(LIMITS)
    assert {status for status, _ in ends(virtual_run)} <= {Status.ACCEPTED, Status.REACTIVATED}


def test_missing_permissions_that_stop_the_run_do_not_leave_children_behind(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    plans = [Target(guid(1000 + number % 2), guid(3000 + number), "") for number in range(6)]
    virtual_run.create_journal([target for plan in plans for target in (plan, replace(plan, entitlement_id=guid(1)))])
    denied = Response(403, "", {}, b'{"code":2032,"description":"denied"}')
    virtual_run.answer = lambda sent: denied if sent.method == "PATCH" else None
    assert virtual_run.work(Limits(calls_per_second=None, concurrency=1, halt=Threshold())).exit_code == 3
    virtual_run.answer = lambda _sent: None
    virtual_run.work(LIMITS)
    assert {status for status, _ in ends(virtual_run)} == {Status.ACCEPTED}


def test_a_plan_that_no_row_waits_for_any_more_is_not_read(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal(
        [subscription_target(DEAD_PLAN), entitlement_of_plan(DEAD_PLAN, 1), entitlement_of_plan(9, 2)]
    )
    virtual_run.answer = on_post(REFUSED_CUSTOMER)
    virtual_run.work(Limits(calls_per_second=None, concurrency=1, halt=Threshold()))
    assert [sent.method for sent in virtual_run.sent] == ["GET", "PATCH", "POST"]
    assert [status for status, _ in ends(virtual_run)] == [Status.ACCEPTED, Status.FAILED, Status.FAILED]


def test_one_row_of_a_dependency_cycle_is_tried_once(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    first, second = subscription_target(1), subscription_target(2)
    virtual_run.create_journal([first, second])

    def answer(sent: SentCall) -> Response:
        parent = second if sent.path.endswith("1") else first
        body = f'{{"status":"suspended","parentSubscriptionId":"{parent.subscription_id}"}}'
        inactive = Response(409, "", {}, b'{"code":27009,"description":"parent"}')
        return Response(200, "", {}, body.encode()) if sent.method == "GET" else inactive

    virtual_run.answer = answer
    virtual_run.work(LIMITS)
    assert len(writes(virtual_run)) == 1
    assert {status for status, _ in ends(virtual_run)} == {Status.DEFERRED, Status.NOT_ATTEMPTED}


@pytest.mark.parametrize("sql", [FIND_PARENTS, schema.SETTLE_UNSENT_BELOW])
def test_the_rows_of_a_plan_are_found_by_an_index(sql: str, tmp_path: Path) -> None:
    VirtualRun(tmp_path).create_journal([subscription_target(PLAN), entitlement_of_plan(PLAN, 1)])
    values = {
        **dict.fromkeys(("session", "reopen"), 0),
        **dict.fromkeys(("status", "code", "description", "customer", "subscription"), ""),
    }
    with Journal(tmp_path) as journal:
        journal.pending_rows()
        steps = [step for *_, step in journal.connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert any("INDEX subscriptions" in step or "INDEX rows_below" in step for step in steps)
