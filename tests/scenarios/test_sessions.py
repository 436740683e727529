"""One run, several processes: each continues what the one before left, in virtual time."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from bulkreact.batch.journal.journal import create, finalize
from bulkreact.batch.journal.journal_file import JOURNAL_NAME, read_only
from bulkreact.batch.journal.row_results import load_result
from bulkreact.batch.journal.writer import connect_sqlite
from bulkreact.errors import JournalNotWrittenError
from bulkreact.models import InputRow, Outcome, Response, RunState, Status
from bulkreact.settings import Limits, Verification
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.ids import guid, metadata, scenario_id, target
from tests.support.virtual_run import HANGING_SECONDS, SentCall, VirtualRun

ALONE = Limits(calls_per_second=None, concurrency=1)
LOOK = Limits(calls_per_second=None, verify=Verification(after=0, timeout=0))


def create_with_lost_row(folder: Path) -> VirtualRun:
    """Return a virtual_run with a run of two rows of one customer; the second was lost in an earlier run."""
    virtual_run = VirtualRun(folder, Behaviour(activation_delay=0))
    rows = [
        InputRow(2, ("x",), target(guid(1))),
        InputRow(3, ("x",), target(guid(2)), request_id=guid(555), outcome_unknown=True),
    ]
    create(folder, rows)
    finalize(folder, metadata(header=("a",), uuid=guid(77)))
    return virtual_run


def refuse_the_customer(sent: SentCall) -> Response | None:
    """Refuse the customer when the first row is sent."""
    refusal = b'{"code":20002,"description":"no relationship"}'
    return Response(403, "", {}, refusal) if guid(1) in sent.path and sent.method == "POST" else None


def test_the_first_call_replaces_the_outcome_of_an_unsent_lost_row(tmp_path: Path) -> None:
    virtual_run = create_with_lost_row(tmp_path)
    virtual_run.answer = refuse_the_customer
    virtual_run.work(ALONE)
    assert [row.outcome.status for row in virtual_run.rows()] == [Status.FAILED, Status.UNKNOWN]
    virtual_run.answer = lambda _sent: Response(500, "", {}, b"")
    virtual_run.on_call = lambda _sent: virtual_run.phases[-1].interrupt(terminated=False)
    virtual_run.work(ALONE)
    _, lost = virtual_run.rows()
    assert (lost.outcome.status, lost.outcome.attempts, lost.outcome.code) == (Status.UNKNOWN, 1, "http-500")
    assert lost.outcome.call is not None
    assert lost.outcome.call.request_id == guid(555) == virtual_run.sent[-1].request_id


def test_a_row_that_was_only_read_counts_as_unsent(tmp_path: Path) -> None:
    virtual_run = create_with_lost_row(tmp_path)
    virtual_run.work(LOOK, send=False, command="verify")
    assert [sent.method for sent in virtual_run.sent] == ["GET"]
    virtual_run.answer = refuse_the_customer
    virtual_run.work(ALONE)
    assert [(row.outcome.status, row.settled) for row in virtual_run.rows()] == [
        (Status.FAILED, True),
        (Status.UNKNOWN, True),
    ]
    assert virtual_run.phases[-1].progress.settled == 2


def test_a_run_that_halts_is_not_watched(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    virtual_run.create_journal([target(guid(n) if n < 5 else scenario_id(800111, n), n) for n in range(60)])
    limits = Limits(calls_per_second=10, concurrency=1, verify=Verification(after=0))
    assert virtual_run.work(limits).exit_code == 4
    assert {sent.method for sent in virtual_run.sent} == {"POST"}
    assert sum(row.outcome.status is Status.ACCEPTED for row in virtual_run.rows()) == 5


def test_without_a_token_nothing_more_is_sent_and_the_next_session_continues(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    virtual_run.create_journal([target(guid(number), number) for number in range(40)])
    virtual_run.token_refusal = lambda: "the secret has expired" if len(virtual_run.sent) >= 10 else ""
    limits = Limits(calls_per_second=10, concurrency=4, verify=Verification(after=0))
    stop_reason = virtual_run.work(limits)
    assert (stop_reason.state, stop_reason.exit_code, stop_reason.reason) == (
        RunState.ABORTED,
        3,
        "the secret has expired",
    )
    # Those whose token was good already when the outage began are sent, and no other; no turn is spent on waiting.
    assert 10 <= len(virtual_run.sent) <= 14
    assert sum(row.settled for row in virtual_run.rows()) == len(virtual_run.sent)
    virtual_run.token_refusal = lambda: ""
    assert virtual_run.work(limits).exit_code == 0
    assert [row.outcome.status for row in virtual_run.rows()] == [Status.REACTIVATED] * 40
    assert len({sent.path for sent in virtual_run.sent if sent.method == "POST"}) == 40
    assert sum(sent.method == "POST" for sent in virtual_run.sent) == 40


def test_without_a_token_watching_stops_and_what_was_accepted_stays_so(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=3600))
    virtual_run.create_journal([target(guid(number), number) for number in range(5)])
    virtual_run.token_refusal = lambda: "signed out" if any(sent.method == "GET" for sent in virtual_run.sent) else ""
    limits = Limits(calls_per_second=10, concurrency=1, verify=Verification(after=0, timeout=60))
    assert virtual_run.work(limits).exit_code == 3
    assert sum(sent.method == "GET" for sent in virtual_run.sent) == 1
    assert {row.outcome.status for row in virtual_run.rows()} == {Status.ACCEPTED}


def test_a_stopped_run_does_not_wait_for_a_token(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    virtual_run.create_journal([target(guid(number), number) for number in range(40)])
    virtual_run.token_hangs = lambda: len(virtual_run.sent) >= 10

    def stop_soon(_sent: SentCall) -> None:
        if len(virtual_run.sent) == 10:
            loop = asyncio.get_running_loop()
            loop.call_later(5, lambda: virtual_run.phases[-1].interrupt(terminated=False))

    virtual_run.on_call = stop_soon
    stop_reason = virtual_run.work(Limits(calls_per_second=10, concurrency=4))
    assert stop_reason.exit_code == 130
    assert 5 <= virtual_run.now < HANGING_SECONDS
    assert sum(row.settled for row in virtual_run.rows()) == len(virtual_run.sent) < 40
    assert {row.outcome.status for row in virtual_run.rows()} == {Status.ACCEPTED, Status.NOT_ATTEMPTED}


def test_a_call_that_waits_for_its_turn_is_not_made_when_the_token_is_refused(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    virtual_run.create_journal([target(guid(number), number) for number in range(8)])
    virtual_run.answer = lambda _sent: Response(401, "", {}, b"")
    virtual_run.token_refusal = lambda: "the secret has expired" if virtual_run.renewals else ""
    stop_reason = virtual_run.work(Limits(calls_per_second=1, concurrency=4, attempts=1))
    assert stop_reason.exit_code == 3
    assert len(virtual_run.sent) == len(virtual_run.renewals) == 1
    assert {row.outcome.status for row in virtual_run.rows()} == {Status.DEFERRED, Status.NOT_ATTEMPTED}


def test_a_stopped_run_replaces_no_token(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    virtual_run.create_journal([target(guid(number), number) for number in range(8)])
    virtual_run.answer = lambda _sent: Response(401, "", {}, b"")
    virtual_run.on_call = lambda _sent: virtual_run.phases[-1].interrupt(terminated=False)
    assert virtual_run.work(ALONE).exit_code == 130
    assert len(virtual_run.sent) == 1
    assert virtual_run.renewals == []


def test_rows_that_were_refused_before_a_lack_of_permission_stopped_the_run_are_sent_again(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path, Behaviour(activation_delay=0))
    virtual_run.create_journal([target(guid(number), number) for number in range(20)])
    refusal = b'{"code":900335,"description":"no permission"}'
    virtual_run.answer = lambda _sent: Response(403, "", {}, refusal)
    assert virtual_run.work(ALONE).exit_code == 3
    refused = {sent.path: sent.request_id for sent in virtual_run.sent}
    assert len(refused) == 5
    virtual_run.answer = lambda _sent: None
    assert virtual_run.work(ALONE).exit_code == 0
    assert [row.outcome.status for row in virtual_run.rows()] == [Status.ACCEPTED] * 20
    again = {sent.path: sent.request_id for sent in virtual_run.sent[5:]}
    assert set(refused) <= set(again)
    # The refusal was an answer: its request id is used up.
    assert not [path for path, request_id in refused.items() if again[path] == request_id]


@pytest.mark.parametrize("others", [0, 1])
def test_a_journal_that_cannot_be_written_is_noticed_without_another_write(tmp_path: Path, others: int) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal(
        [target(guid(1)), *(replace(target(guid(2)), customer_id=guid(99)) for _ in range(others))]
    )
    long = Response(429, "", {"retry-after": "3000"}, b"")

    def answer(sent: SentCall) -> Response | None:
        if guid(99) in sent.path:
            return long if sent.at < 100 else None
        with closing(connect_sqlite(tmp_path / JOURNAL_NAME)) as other:
            other.execute("DROP TABLE outcomes")
        return None

    virtual_run.answer = answer
    # The throttled call is answered before the journal is gone.
    virtual_run.delay = lambda request: 0.0 if guid(99) in request.path else 5.0
    with pytest.raises(JournalNotWrittenError):
        virtual_run.work(Limits(calls_per_second=None, max_retry_after=10_000, max_throttle=10_000))
    assert virtual_run.now < 10


@pytest.mark.parametrize(("verify", "reports"), [(None, 3), (Verification(after=0), 6)])
def test_no_outcome_is_reported_before_it_is_durable(verify: Verification | None, reports: int, tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    accepted, refused, subscription = (
        target(guid(1)),
        target(scenario_id(404)),
        replace(target(guid(2)), entitlement_id=""),
    )
    virtual_run.create_journal([accepted, refused, subscription])
    reported: list[tuple[int, Status]] = []

    def record_outcome(number: int, outcome: Outcome) -> None:
        with closing(read_only(tmp_path)) as connection:
            assert load_result(connection, number - 1).outcome.status is outcome.status
        reported.append((number, outcome.status))

    virtual_run.on_settled = record_outcome
    virtual_run.work(Limits(calls_per_second=None, verify=verify))
    assert sorted(dict(reported).items()) == [(row.number, row.outcome.status) for row in virtual_run.rows()]
    assert len(reported) == reports
