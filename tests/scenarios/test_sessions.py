"""One run, several processes: each continues what the one before left, in virtual time."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from bulkreact.batch.journal.journal import create, finalize
from bulkreact.batch.journal.reading import JOURNAL_NAME, read_only
from bulkreact.batch.journal.row_results import load_result
from bulkreact.batch.journal.writer import connect
from bulkreact.errors import JournalNotWrittenError
from bulkreact.models import InputRow, Outcome, Response, RunState, Status
from bulkreact.settings import Limits, Verification
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.ids import facts, fated, guid, target
from tests.support.virtual_run import HANGING_SECONDS, Laboratory, Sent

ALONE = Limits(calls_per_second=None, concurrency=1)
LOOK = Limits(calls_per_second=None, verify=Verification(after=0, timeout=0))


def with_a_lost_row(folder: Path) -> Laboratory:
    """Return a laboratory with a run of two rows of one customer; the second was lost in an earlier run."""
    laboratory = Laboratory(folder, Behaviour(activation_delay=0))
    rows = [
        InputRow(2, ("x",), target(guid(1))),
        InputRow(3, ("x",), target(guid(2)), request_id=guid(555), outcome_unknown=True),
    ]
    create(folder, rows)
    finalize(folder, facts(header=("a",), uuid=guid(77)))
    return laboratory


def refuse_the_customer(sent: Sent) -> Response | None:
    """Refuse the customer when the first row is sent."""
    refusal = b'{"code":20002,"description":"no relationship"}'
    return Response(403, "", {}, refusal) if guid(1) in sent.path and sent.method == "POST" else None


def test_the_first_call_replaces_the_outcome_of_an_unsent_lost_row(tmp_path: Path) -> None:
    laboratory = with_a_lost_row(tmp_path)
    laboratory.answer = refuse_the_customer
    laboratory.work(ALONE)
    assert [row.outcome.status for row in laboratory.rows()] == [Status.FAILED, Status.UNKNOWN]
    laboratory.answer = lambda _sent: Response(500, "", {}, b"")
    laboratory.told = lambda _sent: laboratory.phases[-1].interrupt(terminated=False)
    laboratory.work(ALONE)
    _, lost = laboratory.rows()
    assert (lost.outcome.status, lost.outcome.attempts, lost.outcome.code) == (Status.UNKNOWN, 1, "http-500")
    assert lost.outcome.call is not None
    assert lost.outcome.call.request_id == guid(555) == laboratory.sent[-1].request_id


def test_a_row_that_was_only_read_counts_as_unsent(tmp_path: Path) -> None:
    laboratory = with_a_lost_row(tmp_path)
    laboratory.work(LOOK, send=False, command="verify")
    assert [sent.method for sent in laboratory.sent] == ["GET"]
    laboratory.answer = refuse_the_customer
    laboratory.work(ALONE)
    assert [(row.outcome.status, row.settled) for row in laboratory.rows()] == [
        (Status.FAILED, True),
        (Status.UNKNOWN, True),
    ]
    assert laboratory.phases[-1].progress.settled == 2


def test_a_run_that_halts_is_not_watched(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path, Behaviour(activation_delay=0))
    laboratory.make([target(guid(n) if n < 5 else fated(800111, n), n) for n in range(60)])
    limits = Limits(calls_per_second=10, concurrency=1, verify=Verification(after=0))
    assert laboratory.work(limits).exit_code == 4
    assert {sent.method for sent in laboratory.sent} == {"POST"}
    assert sum(row.outcome.status is Status.ACCEPTED for row in laboratory.rows()) == 5


def test_without_a_token_nothing_more_is_sent_and_the_next_session_continues(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path, Behaviour(activation_delay=0))
    laboratory.make([target(guid(number), number) for number in range(40)])
    laboratory.refusal = lambda: "the secret has expired" if len(laboratory.sent) >= 10 else ""
    limits = Limits(calls_per_second=10, concurrency=4, verify=Verification(after=0))
    ending = laboratory.work(limits)
    assert (ending.state, ending.exit_code, ending.reason) == (RunState.ABORTED, 3, "the secret has expired")
    # Those whose token was good already when the trouble began are sent, and no other; no turn is spent on waiting.
    assert 10 <= len(laboratory.sent) <= 14
    assert sum(row.settled for row in laboratory.rows()) == len(laboratory.sent)
    laboratory.refusal = lambda: ""
    assert laboratory.work(limits).exit_code == 0
    assert [row.outcome.status for row in laboratory.rows()] == [Status.REACTIVATED] * 40
    assert len({sent.path for sent in laboratory.sent if sent.method == "POST"}) == 40
    assert sum(sent.method == "POST" for sent in laboratory.sent) == 40


def test_without_a_token_watching_stops_and_what_was_accepted_stays_so(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path, Behaviour(activation_delay=3600))
    laboratory.make([target(guid(number), number) for number in range(5)])
    laboratory.refusal = lambda: "signed out" if any(sent.method == "GET" for sent in laboratory.sent) else ""
    limits = Limits(calls_per_second=10, concurrency=1, verify=Verification(after=0, timeout=60))
    assert laboratory.work(limits).exit_code == 3
    assert sum(sent.method == "GET" for sent in laboratory.sent) == 1
    assert {row.outcome.status for row in laboratory.rows()} == {Status.ACCEPTED}


def test_a_stopped_run_does_not_wait_for_a_token(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path, Behaviour(activation_delay=0))
    laboratory.make([target(guid(number), number) for number in range(40)])
    laboratory.hang = lambda: len(laboratory.sent) >= 10

    def stop_soon(_sent: Sent) -> None:
        if len(laboratory.sent) == 10:
            loop = asyncio.get_running_loop()
            loop.call_later(5, lambda: laboratory.phases[-1].interrupt(terminated=False))

    laboratory.told = stop_soon
    ending = laboratory.work(Limits(calls_per_second=10, concurrency=4))
    assert ending.exit_code == 130
    assert 5 <= laboratory.now < HANGING_SECONDS
    assert sum(row.settled for row in laboratory.rows()) == len(laboratory.sent) < 40
    assert {row.outcome.status for row in laboratory.rows()} == {Status.ACCEPTED, Status.NOT_ATTEMPTED}


def test_a_call_that_waits_for_its_turn_is_not_made_when_the_token_is_refused(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path, Behaviour(activation_delay=0))
    laboratory.make([target(guid(number), number) for number in range(8)])
    laboratory.answer = lambda _sent: Response(401, "", {}, b"")
    laboratory.refusal = lambda: "the secret has expired" if laboratory.renewals else ""
    ending = laboratory.work(Limits(calls_per_second=1, concurrency=4, attempts=1))
    assert ending.exit_code == 3
    assert len(laboratory.sent) == len(laboratory.renewals) == 1
    assert {row.outcome.status for row in laboratory.rows()} == {Status.DEFERRED, Status.NOT_ATTEMPTED}


def test_a_stopped_run_replaces_no_token(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path, Behaviour(activation_delay=0))
    laboratory.make([target(guid(number), number) for number in range(8)])
    laboratory.answer = lambda _sent: Response(401, "", {}, b"")
    laboratory.told = lambda _sent: laboratory.phases[-1].interrupt(terminated=False)
    assert laboratory.work(ALONE).exit_code == 130
    assert len(laboratory.sent) == 1
    assert laboratory.renewals == []


def test_rows_that_were_refused_before_a_lack_of_permission_stopped_the_run_are_sent_again(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path, Behaviour(activation_delay=0))
    laboratory.make([target(guid(number), number) for number in range(20)])
    refusal = b'{"code":900335,"description":"no permission"}'
    laboratory.answer = lambda _sent: Response(403, "", {}, refusal)
    assert laboratory.work(ALONE).exit_code == 3
    refused = {sent.path: sent.request_id for sent in laboratory.sent}
    assert len(refused) == 5
    laboratory.answer = lambda _sent: None
    assert laboratory.work(ALONE).exit_code == 0
    assert [row.outcome.status for row in laboratory.rows()] == [Status.ACCEPTED] * 20
    again = {sent.path: sent.request_id for sent in laboratory.sent[5:]}
    assert set(refused) <= set(again)
    # The refusal was an answer: its request id is used up.
    assert not [path for path, request_id in refused.items() if again[path] == request_id]


@pytest.mark.parametrize("others", [0, 1])
def test_a_journal_that_cannot_be_written_is_noticed_without_another_write(tmp_path: Path, others: int) -> None:
    laboratory = Laboratory(tmp_path)
    laboratory.make([target(guid(1)), *(replace(target(guid(2)), customer_id=guid(99)) for _ in range(others))])
    long = Response(429, "", {"retry-after": "3000"}, b"")

    def answer(sent: Sent) -> Response | None:
        if guid(99) in sent.path:
            return long if sent.at < 100 else None
        with closing(connect(tmp_path / JOURNAL_NAME)) as other:
            other.execute("DROP TABLE outcomes")
        return None

    laboratory.answer = answer
    # The throttled call is answered before the journal is gone.
    laboratory.delay = lambda request: 0.0 if guid(99) in request.path else 5.0
    with pytest.raises(JournalNotWrittenError):
        laboratory.work(Limits(calls_per_second=None, max_retry_after=10_000, max_throttle=10_000))
    assert laboratory.now < 10


@pytest.mark.parametrize(("verify", "reports"), [(None, 3), (Verification(after=0), 6)])
def test_no_outcome_is_reported_before_it_is_durable(verify: Verification | None, reports: int, tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path)
    accepted, refused, subscription = target(guid(1)), target(fated(404)), replace(target(guid(2)), entitlement_id="")
    laboratory.make([accepted, refused, subscription])
    reported: list[tuple[int, Status]] = []

    def settled(number: int, outcome: Outcome) -> None:
        with closing(read_only(tmp_path)) as connection:
            assert load_result(connection, number - 1).outcome.status is outcome.status
        reported.append((number, outcome.status))

    laboratory.settled = settled
    laboratory.work(Limits(calls_per_second=None, verify=verify))
    assert sorted(dict(reported).items()) == [(row.number, row.outcome.status) for row in laboratory.rows()]
    assert len(reported) == reports
