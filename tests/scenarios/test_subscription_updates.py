"""Suspended subscriptions from the first reading to the end, against every answer, in virtual time."""

from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from bulkreact.batch.journal.journal import create, finalize
from bulkreact.batch.journal.journal_file import read_only
from bulkreact.batch.journal.retry_candidates import candidates
from bulkreact.models import AutoRenew, InputRow, NoResponse, Outcome, Response, RunState, Status, Target
from bulkreact.settings import Limits, Verification
from bulkreact.simulator.partnercenter.subscription_scenarios import SUBSCRIPTION_SCENARIOS
from tests.support.ids import guid, metadata
from tests.support.virtual_run import Killed, SentCall, VirtualRun

PLAIN = 1
LIMITS = Limits(calls_per_second=None, concurrency=2)
WATCHED = Limits(calls_per_second=None, verify=Verification(after=0, every=1, timeout=10))

# What the calls are answered, and how the row ends. P is a PATCH, G a GET.
ENDS: dict[int, tuple[str, Status, str, int]] = {
    PLAIN: ("G200 P200", Status.ACCEPTED, "", 1),
    200: ("G200 P200", Status.ACCEPTED, "", 1),
    202: ("G200 P202", Status.ACCEPTED, "", 1),
    208: ("G200", Status.ALREADY_ACTIVE, "", 1),
    401: ("G200 P401 P200", Status.ACCEPTED, "", 2),
    408: ("G200 P408 P200", Status.ACCEPTED, "", 2),
    409: ("G200 P409 G200 P409 G200 P409 G200 P409", Status.DEFERRED, "http-409", 4),
    412: ("G200 P412 G200 P200", Status.ACCEPTED, "", 2),
    1412: ("G200 P412 G200 P412 G200 P412", Status.FAILED, "http-412", 3),
    2055: ("G200 P400 G200 P400 G200 P400", Status.FAILED, "2055", 3),
    12055: ("G200 P400 G200 P200", Status.ACCEPTED, "", 2),
    429: ("G200 P429 P429 P200", Status.ACCEPTED, "", 3),
    2429: ("G200 P429 P200", Status.ACCEPTED, "", 2),
    3429: ("G200 P429 P200", Status.ACCEPTED, "", 2),
    6429: ("G200 P429", Status.DEFERRED, "http-429", 1),
    500: ("G200 P500 P500 P200", Status.ACCEPTED, "", 3),
    1500: ("G200 P500 P500 P500 P500 P500", Status.FAILED, "http-500", 5),
    501: ("G200 P501 P501", Status.FAILED, "0", 2),
    502: ("G200 P502 P502 P200", Status.ACCEPTED, "", 3),
    1502: ("G200 P502 P200", Status.ACCEPTED, "", 2),
    503: ("G200 P503 P503 P200", Status.ACCEPTED, "", 3),
    2503: ("G200 P503 P200", Status.ACCEPTED, "", 2),
    504: ("G200 P504 P200", Status.ACCEPTED, "", 2),
    2504: ("G200 P504 P200", Status.ACCEPTED, "", 2),
    597: ("G200 P502 P200", Status.ACCEPTED, "", 2),
    1597: ("G200 P200 P200", Status.ACCEPTED, "", 2),
    3597: ("G200 P403 P200", Status.ACCEPTED, "", 2),
    4597: ("G200 P404 P404 P404 P404 P404", Status.DEFERRED, "gateway-404", 5),
    2597: ("G200 P302", Status.FAILED, "unexpected-redirect", 1),
    599: ("G200 P- P200", Status.ACCEPTED, "", 2),
    2599: ("G200 P- P400 G200", Status.REACTIVATED, "", 2),
    3599: ("G200 P- P200", Status.ACCEPTED, "", 2),
    4599: ("G200 P- P409 G200 P409 G200 P409 G200 P409", Status.DEFERRED, "800082", 5),
    5599: ("G200 P- P412 G200", Status.REACTIVATED, "", 2),
    7000: ("G200 P200", Status.ACCEPTED, "", 1),
    8001: ("G200", Status.FAILED, "subscription-expired", 1),
    8002: ("G200", Status.FAILED, "subscription-disabled", 1),
    8003: ("G200", Status.FAILED, "subscription-deleted", 1),
    8004: ("G200", Status.FAILED, "not-reactivatable", 1),
    8005: ("G200", Status.FAILED, "not-reactivatable", 1),
    8006: ("G200", Status.FAILED, "not-reactivatable", 1),
    9001: ("G200 P200", Status.ACCEPTED, "", 1),
    9002: ("G200 P200", Status.ACCEPTED, "", 1),
    9003: ("G200 P200", Status.ACCEPTED, "", 1),
    9004: ("G200 P200", Status.ACCEPTED, "", 1),
    20003: ("G404", Status.FAILED, "20003", 1),
    27009: ("G200 P409", Status.DEFERRED, "27009", 1),
    800082: ("G200 P409 G200 P409 G200 P409 G200 P409", Status.DEFERRED, "800082", 4),
    1_800_082: ("G200 P409 G200 P409 G200 P200", Status.ACCEPTED, "", 3),
    800094: ("G200 P500 G200 P200", Status.ACCEPTED, "", 2),
    1_800_094: ("G200 P500 G200", Status.REACTIVATED, "", 1),
    800003: ("G200 P500 P200", Status.ACCEPTED, "", 2),
    900192: ("G200 P500 P200", Status.ACCEPTED, "", 2),
    900278: ("G200 P409", Status.DEFERRED, "900278", 1),
    900280: ("G200 P400", Status.DEFERRED, "900280", 1),
    9_000_001: ("G200 G200 P200", Status.ACCEPTED, "", 1),
    9_001_001: ("G200 G200 G200 G200 G200", Status.FAILED, "unreadable-answer", 5),
    9_000_002: ("G200 G200 G200 G200 G200", Status.FAILED, "unreadable-answer", 5),
    9_000_404: ("G404", Status.FAILED, "http-404", 1),
    9_000_429: ("G429 G429 G200 P200", Status.ACCEPTED, "", 1),
    9_000_500: ("G500 G500 G500 G500 G500", Status.FAILED, "http-500", 5),
    9_000_503: ("G503 G503 G200 P200", Status.ACCEPTED, "", 1),
    9_000_599: ("G- G200 P200", Status.ACCEPTED, "", 1),
    9_001_597: ("G200 G200 P200", Status.ACCEPTED, "", 1),
    596: ("G200 P400", Status.FAILED, "800096", 1),
    598: ("G200 P200", Status.ACCEPTED, "", 1),
    1598: ("G200 P200", Status.ACCEPTED, "", 1),
    1000: ("G404", Status.FAILED, "1000", 1),
    1409: ("G200 P409 G200 P200", Status.ACCEPTED, "", 2),
    4429: ("G200 P429 P200", Status.ACCEPTED, "", 2),
    5429: ("G200 P429 P200", Status.ACCEPTED, "", 2),
    60003: ("G404", Status.FAILED, "60003", 1),
    9_000_003: ("G200 G200 G200 G200 G200", Status.FAILED, "unreadable-answer", 5),
    9_000_597: ("G502 G200 P200", Status.ACCEPTED, "", 1),
    9_900_159: ("G403", Status.FAILED, "900159", 1),
    9_900_416: ("G403", Status.FAILED, "900416", 1),
    9_002_032: ("G403", Status.FAILED, "2032", 1),
    9_020_002: ("G403", Status.FAILED, "20002", 1),
    **{
        code: (f"G200 P{status}", Status.FAILED, str(code), 1)
        for status, codes in {
            400: (800002, 900118, 2001, 2002, 2011, 2054, 3000, 800040, 800081, 800091, 800096, 900277, 900279, 900311),
            403: (2032, 20002, 800023, 800073, 800074, 800075, 900150, 900308, 900121, 900123, 900159, 900263, 900416),
        }.items()
        for code in codes
    },
}
# With two attempts: the third call without an answer would show an outage.
TRANSIENT = {
    1503: ("G200 P503 P503", Status.FAILED, "http-503", 2),
    1504: ("G200 P504 P504", Status.UNKNOWN, "http-504", 2),
    1599: ("G200 P- P-", Status.UNKNOWN, "connection-lost", 2),
}
FATAL = (1401, 2401, 90000, 800001, 800039, 900124, 900149, 900309, 900329, 900420, 900421, 9_900_329)


def subscription_target(tail: int, customer: int = 1) -> Target:
    """Return a subscription whose scenario is its last digits."""
    return Target(guid(1000 + customer), f"5b000000-0000-4000-8000-{tail:012d}", "")


def calls(sent: list[SentCall]) -> str:
    return " ".join(f"{call.method[0]}{call.status or '-'}" for call in sent)


def ids(sent: list[SentCall], method: str) -> list[str]:
    return [call.request_id for call in sent if call.method == method]


def only_outcome(virtual_run: VirtualRun) -> Outcome:
    (row,) = virtual_run.rows()
    return row.outcome


def end(folder: Path, tail: int, limits: Limits = LIMITS, **changes: object) -> tuple[VirtualRun, Outcome]:
    virtual_run = VirtualRun(folder)
    virtual_run.create_journal([subscription_target(tail)], **changes)
    virtual_run.work(limits)
    return virtual_run, only_outcome(virtual_run)


@pytest.mark.parametrize("tail", ENDS)
def test_every_answer_has_its_outcome(tail: int, tmp_path: Path) -> None:
    virtual_run, outcome = end(tmp_path, tail)
    result = (calls(virtual_run.sent), outcome.status, outcome.code, outcome.attempts)
    assert result == ENDS[tail]
    assert virtual_run.service.call_log.violations == []


@pytest.mark.parametrize("tail", TRANSIENT)
def test_a_row_whose_attempts_are_used_up_has_its_outcome(tail: int, tmp_path: Path) -> None:
    virtual_run, outcome = end(tmp_path, tail, replace(LIMITS, attempts=2))
    assert (calls(virtual_run.sent), outcome.status, outcome.code, outcome.attempts) == TRANSIENT[tail]


@pytest.mark.parametrize("tail", FATAL)
def test_a_fatal_answer_stops_the_run(tail: int, tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(tail), subscription_target(PLAIN, customer=2)])
    stop_reason = virtual_run.work(Limits(calls_per_second=None, concurrency=1))
    assert (stop_reason.state, stop_reason.exit_code) == (RunState.ABORTED, 3)
    assert virtual_run.rows()[0].outcome.status is Status.FAILED


def test_every_scenario_of_a_subscription_is_tested() -> None:
    # Tested further below, and with the dependencies.
    separate = {1429, 1202, 2202, 3202, 4202, 5202, 6202, 7202, 8202, *range(6000, 6004)}
    dependent = {*range(5000, 5008), *range(7001, 7006)}
    assert set(SUBSCRIPTION_SCENARIOS) <= {*ENDS, *TRANSIENT, *FATAL, *separate, *dependent}


@pytest.mark.parametrize("tail", [401, 408, 429, 500, 503, 504, 599, 1597, 3599, 800003, 800094])
def test_an_update_without_a_final_answer_is_repeated_under_its_id(tail: int, tmp_path: Path) -> None:
    virtual_run, _ = end(tmp_path, tail)
    assert len(set(ids(virtual_run.sent, "PATCH"))) == 1
    assert len(set(ids(virtual_run.sent, "PATCH")) & set(ids(virtual_run.sent, "GET"))) == 0


@pytest.mark.parametrize("tail", [409, 412, 2055, 12055])
def test_an_update_that_was_answered_has_a_new_id_the_next_time(tail: int, tmp_path: Path) -> None:
    virtual_run, _ = end(tmp_path, tail)
    assert max(Counter(sent.request_id for sent in virtual_run.sent).values()) == 1


@pytest.mark.parametrize("tail", [9_000_429, 9_000_503, 9_000_599, 9_000_500, 9_001_597])
def test_a_reading_that_was_not_answered_is_repeated_under_its_id(tail: int, tmp_path: Path) -> None:
    virtual_run, _ = end(tmp_path, tail)
    assert len(set(ids(virtual_run.sent, "GET"))) == 1


def test_the_cells_of_a_row_describe_the_reading_where_no_update_was_made(tmp_path: Path) -> None:
    virtual_run, outcome = end(tmp_path, 8001)
    assert outcome.call is not None
    assert outcome.call.request_id == virtual_run.sent[0].request_id
    assert outcome.call.answer.http_status == 200
    assert outcome.description == "not updated: its status is 'expired'"


def test_the_cells_of_a_row_describe_the_update_where_one_was_made(tmp_path: Path) -> None:
    virtual_run, outcome = end(tmp_path, 1_800_094)
    assert outcome.call is not None
    assert outcome.call.request_id == virtual_run.sent[1].request_id
    assert outcome.call.answer.http_status == 500


def test_a_subscription_read_long_ago_is_read_again_before_the_update(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(PLAIN)])
    throttle = Response(429, "", {"retry-after": "200"}, b"")
    first = iter([throttle])
    virtual_run.answer = lambda sent: next(first, None) if sent.method == "PATCH" else None
    virtual_run.work(LIMITS)
    assert calls(virtual_run.sent) == "G200 P429 G200 P200"
    assert len(set(ids(virtual_run.sent, "PATCH"))) == 1
    assert virtual_run.service.call_log.violations == []


def test_reads_that_work_do_not_end_the_throttling_of_updates(tmp_path: Path) -> None:
    virtual_run, outcome = end(tmp_path, 1429)
    assert (outcome.status, outcome.code) == (Status.DEFERRED, "http-429")
    assert 1800 <= virtual_run.now < 2000


def kill_after(virtual_run: VirtualRun, answers: int) -> None:
    """Kill the process as soon as the partner has given so many answers."""
    virtual_run.kills_process = lambda: len(virtual_run.sent) >= answers


def kill_and_resume(folder: Path, tail: int, answers: int, limits: Limits = LIMITS, **changes: object) -> VirtualRun:
    """Return a run of one row that was killed so early, and then continued."""
    virtual_run = VirtualRun(folder)
    virtual_run.create_journal([subscription_target(tail)], **changes)
    kill_after(virtual_run, answers)
    with pytest.raises(Killed):
        virtual_run.work(limits)
    virtual_run.kills_process = lambda: False
    virtual_run.work(limits)
    return virtual_run


def test_a_process_that_was_killed_while_it_read_reads_again_under_the_same_id(tmp_path: Path) -> None:
    virtual_run = kill_and_resume(tmp_path, PLAIN, 1)
    assert calls(virtual_run.sent) == "G200 G200 P200"
    assert len(set(ids(virtual_run.sent, "GET"))) == 1
    assert only_outcome(virtual_run).status is Status.ACCEPTED


def test_a_process_that_was_killed_between_reading_and_updating_reads_again(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(PLAIN)])
    # The instant before the update leaves: its call is on record already.
    virtual_run.kills_process = lambda: (
        len(virtual_run.sent) == 1 and "reactivate-subscription" in _operations(virtual_run)
    )
    with pytest.raises(Killed):
        virtual_run.work(LIMITS)
    virtual_run.kills_process = lambda: False
    virtual_run.work(LIMITS)
    assert calls(virtual_run.sent) == "G200 G200 P200"
    assert len(virtual_run.service.call_log.effects) == 1
    assert only_outcome(virtual_run).status is Status.ACCEPTED
    assert virtual_run.service.call_log.violations == []


def _operations(virtual_run: VirtualRun) -> set[str]:
    with closing(read_only(virtual_run.folder)) as connection:
        return {operation for (operation,) in connection.execute("SELECT operation FROM calls")}


def test_a_process_that_was_killed_after_its_update_finds_it_done(tmp_path: Path) -> None:
    virtual_run = kill_and_resume(tmp_path, PLAIN, 2)
    assert calls(virtual_run.sent) == "G200 P200 G200"
    assert only_outcome(virtual_run).status is Status.REACTIVATED
    assert only_outcome(virtual_run).auto_renew is AutoRenew.OFF
    assert len(virtual_run.service.call_log.effects) == 1


def test_an_update_that_was_lost_with_its_process_is_repeated_under_its_id(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(PLAIN)])
    lost = iter([NoResponse(sent=True, code="connection-lost", description="")])
    virtual_run.answer = lambda sent: next(lost, None) if sent.method == "PATCH" else None
    kill_after(virtual_run, 2)
    with pytest.raises(Killed):
        virtual_run.work(LIMITS)
    virtual_run.kills_process = lambda: False
    virtual_run.work(LIMITS)
    assert calls(virtual_run.sent) == "G200 P- G200 P200"
    assert len(set(ids(virtual_run.sent, "PATCH"))) == 1
    assert only_outcome(virtual_run).attempts == 2


@pytest.mark.parametrize("tail", [200, 202, 2202, 3202, 4202, 5202, 6202, 7202])
def test_an_accepted_update_is_watched_until_the_subscription_is_active(tail: int, tmp_path: Path) -> None:
    virtual_run, outcome = end(tmp_path, tail, WATCHED)
    assert outcome.status is Status.REACTIVATED
    assert virtual_run.service.call_log.violations == []


@pytest.mark.parametrize("tail", [1202, 8202])
def test_an_accepted_update_that_never_becomes_active_is_pending(tail: int, tmp_path: Path) -> None:
    _, outcome = end(tmp_path, tail, WATCHED)
    assert (outcome.status, outcome.code) == (Status.PENDING, "")


def test_the_operation_that_an_answer_names_is_what_is_watched(tmp_path: Path) -> None:
    virtual_run, _ = end(tmp_path, 5202, WATCHED)
    assert all("/operations/" in sent.path for sent in virtual_run.sent[2:])
    assert all(sent.path.startswith("/v1/customers/") for sent in virtual_run.sent)


def test_an_operation_of_another_subscription_is_ignored(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(1202)])
    done = Response(200, "", {}, f'{{"id":"{guid(9)}","status":"active"}}'.encode())
    where = {
        "location": f"/customers/{guid(1001)}/subscriptions/{subscription_target(1202).subscription_id}/operations/{guid(9)}"
    }

    def answer(sent: SentCall) -> Response | None:
        if sent.method == "PATCH":
            return Response(202, "", where, b"")
        return done if "/operations/" in sent.path else None

    virtual_run.answer = answer
    virtual_run.work(WATCHED)
    assert only_outcome(virtual_run).status is Status.PENDING


def test_an_operation_that_is_gone_leaves_the_subscription_to_be_watched(tmp_path: Path) -> None:
    virtual_run, _ = end(tmp_path, 6202, WATCHED)
    assert sum("/operations/" in sent.path for sent in virtual_run.sent) == 1


def test_an_address_on_another_host_is_never_called(tmp_path: Path) -> None:
    virtual_run, _ = end(tmp_path, 4202, WATCHED)
    assert not [sent for sent in virtual_run.sent if "elsewhere" in sent.path]


def test_auto_renewal_that_the_suspension_switched_off_is_reported_and_left_alone(tmp_path: Path) -> None:
    virtual_run, outcome = end(tmp_path, PLAIN, WATCHED)
    assert outcome.auto_renew is AutoRenew.OFF
    assert len(ids(virtual_run.sent, "PATCH")) == 1


@pytest.mark.parametrize("tail", [6000, 7000, 7001])
def test_auto_renewal_that_was_not_lost_is_not_reported(tail: int, tmp_path: Path) -> None:
    virtual_run, outcome = end(tmp_path, tail, WATCHED, restore_auto_renew=True)
    assert outcome.auto_renew is AutoRenew.UNTOUCHED
    assert len(ids(virtual_run.sent, "PATCH")) == 1


@pytest.mark.parametrize("limits", [LIMITS, WATCHED])
@pytest.mark.parametrize("tail", [PLAIN, 200, 202, 599, 2599, 5202, 6002, 6003, 9001, 9002, 9003])
def test_auto_renewal_is_restored_once_the_subscription_is_active(tail: int, limits: Limits, tmp_path: Path) -> None:
    virtual_run, outcome = end(tmp_path, tail, limits, restore_auto_renew=True)
    restored = [effect for effect in virtual_run.service.call_log.effects if effect.get("auto_renew") == "restored"]
    assert (outcome.status, outcome.auto_renew, len(restored)) == (Status.REACTIVATED, AutoRenew.RESTORED, 1)
    assert virtual_run.service.call_log.violations == []


@pytest.mark.parametrize("tail", [6002, 6003])
def test_a_lost_update_of_auto_renewal_is_repeated_under_its_id(tail: int, tmp_path: Path) -> None:
    virtual_run, _ = end(tmp_path, tail, restore_auto_renew=True)
    first, *others = ids(virtual_run.sent, "PATCH")
    assert len(set(others)) == 1
    assert first not in others


@pytest.mark.parametrize("answers", [5, 99])
def test_an_update_of_auto_renewal_that_was_answered_has_a_new_id_the_next_time(answers: int, tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(PLAIN)], restore_auto_renew=True)
    conflict = iter([None, Response(412, "", {}, b"")])
    virtual_run.answer = lambda sent: next(conflict, None) if sent.method == "PATCH" else None
    kill_after(virtual_run, answers)
    with suppress(Killed):
        virtual_run.work(LIMITS)
    virtual_run.kills_process = lambda: False
    virtual_run.work(LIMITS)
    assert len(set(ids(virtual_run.sent, "PATCH"))) == len(ids(virtual_run.sent, "PATCH")) == 3
    assert only_outcome(virtual_run).auto_renew is AutoRenew.RESTORED


def test_auto_renewal_that_cannot_be_restored_does_not_change_the_end_of_the_row(tmp_path: Path) -> None:
    _, outcome = end(tmp_path, 6001, restore_auto_renew=True)
    assert (outcome.status, outcome.auto_renew, outcome.code) == (Status.REACTIVATED, AutoRenew.STILL_OFF, "")


def test_auto_renewal_of_an_active_subscription_is_not_restored(tmp_path: Path) -> None:
    virtual_run, outcome = end(tmp_path, 208, restore_auto_renew=True)
    assert (calls(virtual_run.sent), outcome.status) == ("G200", Status.ALREADY_ACTIVE)


@pytest.mark.parametrize("answers", [2, 3, 4])
def test_a_run_killed_before_auto_renewal_was_restored_restores_it_later(answers: int, tmp_path: Path) -> None:
    virtual_run = kill_and_resume(tmp_path, PLAIN, answers, restore_auto_renew=True)
    assert only_outcome(virtual_run).auto_renew is AutoRenew.RESTORED
    assert len(virtual_run.service.call_log.effects) == 2
    assert virtual_run.service.call_log.violations == []


@pytest.mark.parametrize(("customers", "calls_per_second", "most_reads"), [(400, 5.0, 400), (20, 0.1, 40)])
def test_a_subscription_is_updated_before_others_are_read(
    customers: int, calls_per_second: float, most_reads: int, tmp_path: Path
) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(PLAIN, customer) for customer in range(customers)])
    virtual_run.work(Limits(calls_per_second=calls_per_second))
    assert {row.outcome.status for row in virtual_run.rows()} == {Status.ACCEPTED}
    assert len(ids(virtual_run.sent, "PATCH")) == customers
    assert len(ids(virtual_run.sent, "GET")) <= most_reads


def answers(virtual_run: VirtualRun, second_update: Response) -> None:
    """Let the first update of a subscription succeed, and answer those that follow always the same."""
    updates = iter([None])

    def answer(sent: SentCall) -> Response | None:
        return next(updates, second_update) if sent.method == "PATCH" else None

    virtual_run.answer = answer


def test_restoring_auto_renewal_has_the_attempts_of_any_call(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(PLAIN)], restore_auto_renew=True)
    answers(virtual_run, Response(503, "", {}, b""))
    virtual_run.work(LIMITS)
    assert len(ids(virtual_run.sent, "PATCH")) == 1 + LIMITS.attempts
    assert only_outcome(virtual_run).auto_renew is AutoRenew.STILL_OFF


def test_a_token_that_is_refused_twice_when_auto_renewal_is_restored_stops_the_run(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(PLAIN)], restore_auto_renew=True)
    answers(virtual_run, Response(401, "", {}, b""))
    assert virtual_run.work(LIMITS).exit_code == 3
    assert len(virtual_run.renewals) == 1
    assert only_outcome(virtual_run).status is Status.ACCEPTED


def test_a_row_seen_active_is_not_pending_because_auto_renewal_failed(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(PLAIN)], restore_auto_renew=True)
    busy, broken = Response(409, "", {}, b""), Response(500, "", {}, b"")
    updates = iter([None, busy])

    def answer(sent: SentCall) -> Response | None:
        if sent.method == "PATCH":
            return next(updates)
        return broken if len(ids(virtual_run.sent, "PATCH")) == 2 else None

    virtual_run.answer = answer
    virtual_run.work(Limits(calls_per_second=None, waiting=Verification(after=0, every=5, timeout=30)))
    assert (only_outcome(virtual_run).status, only_outcome(virtual_run).auto_renew) == (
        Status.REACTIVATED,
        AutoRenew.STILL_OFF,
    )


def test_a_subscription_read_before_a_pause_is_read_again_before_auto_renewal_is_restored(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(1), subscription_target(2)], restore_auto_renew=True)
    throttles = iter([None, Response(429, "", {"retry-after": "200"}, b"")])
    virtual_run.answer = lambda sent: (
        next(throttles, None) if sent.method == "GET" and sent.path.endswith("2") else None
    )
    virtual_run.work(Limits(calls_per_second=4.0, concurrency=2))
    first = [sent for sent in virtual_run.sent if sent.path.endswith("1")]
    assert [sent.method for sent in first] == ["GET", "PATCH", "GET", "GET", "PATCH"]
    assert virtual_run.service.call_log.violations == []


def test_auto_renewal_of_an_active_subscription_is_reported_on_request(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(PLAIN), subscription_target(PLAIN + 1)], restore_auto_renew=True)
    active = Response(200, "", {}, b'{"status":"active","autoRenewEnabled":false}')
    virtual_run.answer = lambda _sent: active
    virtual_run.work(LIMITS)
    assert {row.outcome.auto_renew for row in virtual_run.rows()} == {AutoRenew.OFF}
    assert ids(virtual_run.sent, "PATCH") == []


@pytest.mark.parametrize(
    "nothing",
    [Response(429, "", {"retry-after": "100"}, b""), NoResponse(sent=False, code="unreachable", description="")],
)
def test_a_subscription_activated_by_another_program_is_already_active(
    nothing: Response | NoResponse, tmp_path: Path
) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(PLAIN)])
    statuses = iter(["suspended", "active"])

    def answer(sent: SentCall) -> Response | NoResponse:
        if sent.method == "PATCH":
            virtual_run.phases[-1].interrupt(terminated=False)
            return nothing
        return Response(200, "", {}, f'{{"status":"{next(statuses)}"}}'.encode())

    virtual_run.answer = answer
    virtual_run.work(LIMITS)
    virtual_run.work(LIMITS)
    assert only_outcome(virtual_run).status is Status.ALREADY_ACTIVE


def create_retry(virtual_run: VirtualRun, folder: Path) -> VirtualRun:
    """Return a virtual_run with the next run over the rows of one that another attempt may settle."""
    with closing(read_only(virtual_run.folder)) as connection:
        rows = [candidate.row for candidate in candidates(connection, all_failed=False) if candidate.row]
    folder.mkdir()
    after = VirtualRun(folder)
    create(folder, rows)
    finalize(folder, metadata(header=("a",), uuid=guid(78)))
    return after


def test_the_id_of_a_lost_update_outlives_readings_that_fail(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(PLAIN)])
    lost = NoResponse(sent=True, code="connection-lost", description="")
    virtual_run.answer = lambda sent: lost if sent.method == "PATCH" else None
    virtual_run.work(LIMITS)
    second = create_retry(virtual_run, tmp_path / "second")
    second.answer = lambda _sent: Response(500, "", {}, b"")
    second.work(LIMITS)
    (row,) = second.rows()
    assert (row.outcome.status, row.outcome.call) == (Status.UNKNOWN, None)
    assert row.request_id == virtual_run.sent[-1].request_id
    third = create_retry(second, tmp_path / "third")
    third.work(LIMITS)
    assert ids(third.sent, "PATCH") == [virtual_run.sent[-1].request_id]


def test_the_id_of_a_reading_never_becomes_that_of_an_update(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    rows = [
        InputRow(2, ("x",), subscription_target(9_020_002)),
        InputRow(3, ("x",), subscription_target(PLAIN), request_id=guid(555), request_id_is_for_read=True),
    ]
    create(tmp_path, rows)
    finalize(tmp_path, metadata(header=("a",), uuid=guid(77)))
    virtual_run.work(Limits(calls_per_second=None, concurrency=1))
    unsent = virtual_run.rows()[1]
    assert (unsent.outcome.code, unsent.request_id) == ("20002", "")


def test_an_unknown_outcome_settles_the_row_although_the_subscription_was_read_again(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([subscription_target(PLAIN)])
    lost = NoResponse(sent=True, code="connection-lost", description="")
    updates: list[NoResponse | Response] = [Response(400, "", {}, b""), lost]
    virtual_run.answer = lambda sent: updates.pop() if sent.method == "PATCH" else None
    virtual_run.work(LIMITS)
    (row,) = virtual_run.rows()
    assert calls(virtual_run.sent) == "G200 P- P400 G200"
    assert (row.outcome.status, row.outcome.code, row.settled) == (Status.UNKNOWN, "http-400", True)
